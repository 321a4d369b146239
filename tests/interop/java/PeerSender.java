/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.DirectBufferVector;
import io.aeron.Publication;
import io.aeron.logbuffer.BufferClaim;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

import org.agrona.concurrent.UnsafeBuffer;

/**
 * The verb {@code send}: job j publishes the stream seed + j through publication j modulo their
 * number; threads share the jobs out, and each takes turns between its own.
 */
final class PeerSender {
    private final Request request;
    private final long from;
    private final long count;
    private final double rate;

    private PeerSender(final Request request) {
        this.request = request;
        from = request.number("from", 0);
        count = request.number("count");
        rate = Double.parseDouble(request.text("rate", "0"));
    }

    private static final class Job {
        private final Publication publication;
        private final Stream stream;

        Job(final Publication publication, final Stream stream) {
            this.publication = publication;
            this.stream = stream;
        }
    }

    /** What one thread needs and what it has done. */
    private static final class Share {
        private final List<Job> jobs = new ArrayList<>();
        private final UnsafeBuffer buffer = new UnsafeBuffer(0, 0);
        private final DirectBufferVector[] parts =
            {new DirectBufferVector(), new DirectBufferVector()};
        private final BufferClaim claim = new BufferClaim();
        private long messages;
        private long bytes;
        private long digest;
        private long waits;
    }

    static Json send(final List<? extends Publication> publications, final Request request)
        throws InterruptedException, ExecutionException {
        final PeerSender sender = new PeerSender(request);
        final int threads = Math.max(1, request.integer("threads", 1));
        final List<Share> shares = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            shares.add(new Share());
        }
        for (int j = 0; j < Math.max(threads, publications.size()); j++) {
            shares.get(j % threads).jobs.add(new Job(
                publications.get(j % publications.size()), stream(request, j)));
        }
        final ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            final List<Future<?>> running = new ArrayList<>();
            for (final Share share : shares) {
                running.add(executor.submit(() -> sender.run(share)));
            }
            for (final Future<?> each : running) {
                each.get();
            }
        } finally {
            executor.shutdownNow();
        }
        long messages = 0;
        long bytes = 0;
        long digest = 0;
        long waits = 0;
        for (final Share share : shares) {
            messages += share.messages;
            bytes += share.bytes;
            digest += share.digest;
            waits += share.waits;
        }
        return new Json().put("messages", messages).put("bytes", bytes)
            .put("digest", String.format("%016x", digest)).put("waits", waits)
            .put("position", publications.get(0).position());
    }

    private static Stream stream(final Request request, final int job) {
        final long seed = request.number("seed", 1) + job;
        final String size = request.text("size", "mix");
        if (size.equals("mix")) {
            return new Stream(seed);
        }
        final String[] bounds = size.split("-");
        return new Stream(seed, Integer.parseInt(bounds[0]),
            Integer.parseInt(bounds[bounds.length - 1]));
    }

    private void run(final Share share) {
        final long startNs = System.nanoTime();
        for (long i = 0; i < count; i++) {
            for (final Job job : share.jobs) {
                while (rate > 0 && System.nanoTime() - startNs < share.messages * 1e9 / rate) {
                    LockSupport.parkNanos(50_000);
                }
                final ByteBuffer message = job.stream.make(from + i);
                publish(share, job.publication, from + i, message);
                share.messages++;
                share.bytes += message.limit();
                share.digest += Stream.digest(share.buffer, 0, message.limit());
            }
        }
    }

    private void publish(final Share share, final Publication publication, final long sequence,
        final ByteBuffer message) {
        share.buffer.wrap(message, 0, message.limit());
        while (true) {
            final long result = offer(share, publication, sequence, message.limit());
            if (result > 0) {
                return;
            }
            if (result == Publication.BACK_PRESSURED) {
                share.waits++;
                request.await(() -> "room for message " + sequence);
            } else if (result != Publication.ADMIN_ACTION || request.isLate()) {
                throw new IllegalStateException("message " + sequence + ": " + result);
            }
        }
    }

    /** The ways take turns; a claim only where it fits. */
    private static long offer(
        final Share share, final Publication publication, final long sequence, final int length) {
        if (sequence % 4 == 1 && length <= publication.maxPayloadLength()) {
            final long result = publication.tryClaim(length, share.claim);
            if (result > 0) {
                share.claim.buffer().putBytes(share.claim.offset(), share.buffer, 0, length);
                share.claim.commit();
            }
            return result;
        }
        if (sequence % 4 == 2) {
            share.parts[0].reset(share.buffer, 0, length / 3);
            share.parts[1].reset(share.buffer, length / 3, length - length / 3);
            return publication.offer(share.parts);
        }
        return publication.offer(share.buffer, 0, length);
    }
}
