/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.Aeron;
import io.aeron.FragmentAssembler;
import io.aeron.Image;
import io.aeron.ImageFragmentAssembler;
import io.aeron.Subscription;
import io.aeron.logbuffer.FragmentHandler;
import io.aeron.logbuffer.Header;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

import org.agrona.DirectBuffer;
import org.agrona.concurrent.SleepingIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Checks the test stream that comes through the driver in -Daeron.dir:
 * channel= stream= count= [seed=1] [poll=subscription|image] [timeout=SECONDS].
 *
 * The first byte that is not the stream's, a message too many, and an end too early each end the
 * program with one line and exit code 1. It ends well only after the end of the stream, so a
 * duplicate of the last message is seen too.
 */
public final class StreamSubscriber {
    private static final long WAIT_NS = TimeUnit.MICROSECONDS.toNanos(50);
    private static final int FRAGMENT_LIMIT = 64;

    private final Stream stream;
    private final long count;
    private final UnsafeBuffer expected = new UnsafeBuffer(0, 0);
    private long sequence;
    private long bytes;
    private long startNs;

    private StreamSubscriber(final Stream stream, final long count) {
        this.stream = stream;
        this.count = count;
    }

    public static void main(final String[] args) {
        final Options options = new Options(args);
        final String channel = options.text("channel");
        final int streamId = (int)options.number("stream", 1001);
        final StreamSubscriber subscriber = new StreamSubscriber(
            new Stream(options.number("seed", 1)), options.number("count", 1000));
        final boolean byImage = options.text("poll", "subscription").equals("image");
        final long deadlineNs =
            System.nanoTime() + TimeUnit.SECONDS.toNanos(options.number("timeout", 60));
        options.finish();

        final Aeron.Context context =
            new Aeron.Context().idleStrategy(new SleepingIdleStrategy(1_000_000));
        try (Aeron aeron = Aeron.connect(context);
            Subscription subscription = aeron.addSubscription(channel, streamId)) {
            System.out.println("{\"ready\":true}");
            subscriber.run(subscription, byImage, deadlineNs);
        } catch (final Difference difference) {
            System.err.println("StreamSubscriber: " + difference.getMessage());
            System.exit(1);
        }
    }

    private void run(
        final Subscription subscription, final boolean byImage, final long deadlineNs) {
        while (subscription.imageCount() == 0) {
            await(deadlineNs, "a publisher");
        }
        final Image image = subscription.imageAtIndex(0);
        final FragmentHandler handler = byImage ?
            new ImageFragmentAssembler(this::onMessage) : new FragmentAssembler(this::onMessage);
        while (sequence < count || !image.isEndOfStream()) {
            final int fragments = byImage ?
                image.poll(handler, FRAGMENT_LIMIT) : subscription.poll(handler, FRAGMENT_LIMIT);
            if (fragments == 0) {
                if (image.isClosed()) {
                    require(sequence == count, "the image went away");
                    break;
                }
                await(deadlineNs, sequence < count ? "a message" : "the end of the stream");
            }
        }
        System.out.printf("{\"messages\":%d,\"bytes\":%d,\"seconds\":%.3f}%n", sequence, bytes,
            (System.nanoTime() - startNs) / 1e9);
    }

    private void onMessage(
        final DirectBuffer buffer, final int offset, final int length, final Header header) {
        if (sequence == 0) {
            startNs = System.nanoTime();
        }
        require(sequence < count, "a message behind the last one");
        final ByteBuffer message = stream.make(sequence);
        require(length == message.limit(),
            "length " + length + " instead of " + message.limit());
        expected.wrap(message, 0, length);
        for (int i = 0; i + Long.BYTES <= length; i += Long.BYTES) {
            require(buffer.getLong(offset + i) == expected.getLong(i), i);
        }
        for (int i = length & -Long.BYTES; i < length; i++) {
            require(buffer.getByte(offset + i) == expected.getByte(i), i);
        }
        sequence++;
        bytes += length;
    }

    private void await(final long deadlineNs, final String what) {
        require(System.nanoTime() - deadlineNs < 0, "timeout waiting for " + what);
        LockSupport.parkNanos(WAIT_NS);
    }

    private void require(final boolean holds, final int index) {
        if (!holds) {
            require(false, "wrong content from byte " + index);
        }
    }

    private void require(final boolean holds, final String otherwise) {
        if (!holds) {
            throw new Difference("message " + sequence + " of " + count + ": " + otherwise);
        }
    }

    private static final class Difference extends RuntimeException {
        private static final long serialVersionUID = 1;

        Difference(final String text) {
            super(text);
        }
    }
}
