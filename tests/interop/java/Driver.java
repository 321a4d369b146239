/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;

import org.agrona.concurrent.ShutdownSignalBarrier;
import org.agrona.concurrent.SleepingIdleStrategy;

/**
 * The official Java driver, configured by -Daeron.* like any other, on one thread that sleeps
 * 50 us when idle: its own choice would yield, which a small machine does not bear. SIGTERM ends
 * it.
 */
public final class Driver {
    private Driver() {
    }

    public static void main(final String[] args) {
        final MediaDriver.Context context = new MediaDriver.Context()
            .threadingMode(ThreadingMode.SHARED)
            .sharedIdleStrategy(new SleepingIdleStrategy(50_000))
            .dirDeleteOnShutdown(true);
        try (ShutdownSignalBarrier barrier = new ShutdownSignalBarrier();
            MediaDriver driver = MediaDriver.launch(context)) {
            System.out.println("{\"ready\":\"" + driver.aeronDirectoryName() + "\"}");
            barrier.await();
        }
    }
}
