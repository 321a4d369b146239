/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.Aeron;
import io.aeron.DirectBufferVector;
import io.aeron.Publication;
import io.aeron.logbuffer.BufferClaim;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

import org.agrona.concurrent.SleepingIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Publishes the test stream through the driver in -Daeron.dir:
 * channel= stream= count= [seed=1] [kind=shared|exclusive] [rate=MESSAGES_PER_SECOND]
 * [timeout=SECONDS].
 *
 * Ends well when the driver has accepted every message; it delivers the rest by itself. It waits
 * by sleeping, because a client that spins on a small machine measures its scheduler.
 */
public final class StreamPublisher {
    private static final long WAIT_NS = TimeUnit.MICROSECONDS.toNanos(50);

    private final Publication publication;
    private final UnsafeBuffer buffer = new UnsafeBuffer(0, 0);
    private final DirectBufferVector[] parts = {new DirectBufferVector(), new DirectBufferVector()};
    private final BufferClaim claim = new BufferClaim();
    private final long deadlineNs;
    private long backPressureCount;

    private StreamPublisher(final Publication publication, final long deadlineNs) {
        this.publication = publication;
        this.deadlineNs = deadlineNs;
    }

    public static void main(final String[] args) {
        final Options options = new Options(args);
        final String channel = options.text("channel");
        final int streamId = (int)options.number("stream", 1001);
        final long count = options.number("count", 1000);
        final Stream stream = new Stream(options.number("seed", 1));
        final boolean exclusive = options.text("kind", "shared").equals("exclusive");
        final long rate = options.number("rate", 0);
        final long deadlineNs =
            System.nanoTime() + TimeUnit.SECONDS.toNanos(options.number("timeout", 60));
        options.finish();

        final Aeron.Context context =
            new Aeron.Context().idleStrategy(new SleepingIdleStrategy(1_000_000));
        try (Aeron aeron = Aeron.connect(context);
            Publication publication = exclusive ?
                aeron.addExclusivePublication(channel, streamId) :
                aeron.addPublication(channel, streamId)) {
            new StreamPublisher(publication, deadlineNs).run(stream, count, rate);
        }
    }

    private void run(final Stream stream, final long count, final long rate) {
        while (!publication.isConnected()) {
            await("a subscriber");
        }
        final long startNs = System.nanoTime();
        long bytes = 0;
        for (long sequence = 0; sequence < count; sequence++) {
            final ByteBuffer message = stream.make(sequence);
            while (rate > 0 && System.nanoTime() - startNs < sequence * 1_000_000_000L / rate) {
                LockSupport.parkNanos(WAIT_NS);
            }
            publish(sequence, message);
            bytes += message.limit();
        }
        System.out.printf("{\"messages\":%d,\"bytes\":%d,\"seconds\":%.3f,\"back_pressure\":%d}%n",
            count, bytes, (System.nanoTime() - startNs) / 1e9, backPressureCount);
    }

    /** Takes the ways a client has in turn: one buffer, two parts, a claim where it fits. */
    private void publish(final long sequence, final ByteBuffer message) {
        final int length = message.limit();
        buffer.wrap(message, 0, length);
        while (true) {
            final long result;
            if (sequence % 4 == 1 && length <= publication.maxPayloadLength()) {
                result = offerByClaim(length);
            } else if (sequence % 4 == 2) {
                parts[0].reset(buffer, 0, length / 3);
                parts[1].reset(buffer, length / 3, length - length / 3);
                result = publication.offer(parts);
            } else {
                result = publication.offer(buffer, 0, length);
            }
            if (result > 0) {
                return;
            }
            if (result != Publication.BACK_PRESSURED && result != Publication.ADMIN_ACTION) {
                throw new IllegalStateException(
                    "message " + sequence + ": " + Publication.errorString(result));
            }
            if (result == Publication.BACK_PRESSURED) {
                backPressureCount++;
                await("room for message " + sequence);
            }
        }
    }

    private long offerByClaim(final int length) {
        final long result = publication.tryClaim(length, claim);
        if (result > 0) {
            claim.buffer().putBytes(claim.offset(), buffer, 0, length);
            claim.commit();
        }
        return result;
    }

    private void await(final String what) {
        if (System.nanoTime() - deadlineNs > 0) {
            throw new IllegalStateException("timeout waiting for " + what);
        }
        LockSupport.parkNanos(WAIT_NS);
    }
}
