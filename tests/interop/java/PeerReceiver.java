/* SPDX-License-Identifier: Apache-2.0 */

import io.aeron.FragmentAssembler;
import io.aeron.Image;
import io.aeron.Subscription;
import io.aeron.logbuffer.Header;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

import org.agrona.DirectBuffer;

/**
 * Subscriptions of one channel and the verb {@code recv}: takes count= messages, each stream's in
 * order and without a gap unless gaps=1 allows them; with eos=1 also awaits the end of all images,
 * so that a message too many is seen.
 */
final class PeerReceiver {
    private static final int FRAGMENT_LIMIT = 64;

    final List<Subscription> subscriptions = new ArrayList<>();
    final AtomicLong available = new AtomicLong();
    final AtomicLong unavailable = new AtomicLong();
    private final FragmentAssembler assembler = new FragmentAssembler(this::onMessage);
    private final Map<String, Long> nextOf = new HashMap<>();
    private boolean allowsGaps;
    private long count;
    private long messages;
    private long bytes;
    private long digest;
    private long gaps;
    private String wrong;

    private void onMessage(
        final DirectBuffer buffer, final int offset, final int length, final Header header) {
        if (length < Stream.HEADER_LENGTH) {
            complain("a message of " + length + " bytes");
            return;
        }
        final long sequence = buffer.getLong(offset, ByteOrder.LITTLE_ENDIAN);
        final long told = buffer.getLong(offset + 8, ByteOrder.LITTLE_ENDIAN);
        final long seed = buffer.getLong(offset + 16, ByteOrder.LITTLE_ENDIAN);
        if (told != length) {
            complain("message " + sequence + ": " + length + " bytes, not " + told);
        }
        final Long known = nextOf.put(header.sessionId() + "/" + seed, sequence + 1);
        final long next = known == null ? sequence : known;
        if (sequence < next) {
            complain("message " + sequence + " came after " + (next - 1));
        } else if (sequence > next && !allowsGaps) {
            complain("message " + sequence + " came instead of " + next);
        }
        gaps += sequence - next;
        messages++;
        bytes += length;
        digest += Stream.digest(buffer, offset, length);
        if (messages > count) {
            complain("message " + sequence + " is one too many");
        }
    }

    private void complain(final String what) {
        if (wrong == null) {
            wrong = what;
        }
    }

    private boolean allEnded() {
        return subscriptions.stream().allMatch(
            (each) -> each.images().stream().allMatch(Image::isEndOfStream));
    }

    Json receive(final Request request) {
        final double rate = Double.parseDouble(request.text("rate", "0"));
        final boolean awaitsEnd = request.flag("eos");
        allowsGaps = request.flag("gaps");
        count = request.number("count");
        messages = 0;
        bytes = 0;
        digest = 0;
        gaps = 0;
        wrong = null;
        boolean hadImages = count == 0;
        while (true) {
            final int fragments = pollAll(rate > 0, awaitsEnd);
            if (wrong != null) {
                throw new IllegalStateException(wrong);
            }
            hadImages |= fragments > 0;
            if (messages >= count &&
                (!awaitsEnd || hadImages && fragments == 0 && allEnded())) {
                break;
            }
            if (rate > 0) {
                LockSupport.parkNanos((long)(1e9 / rate));
            }
            if (fragments == 0 || request.isLate()) {
                request.await(() -> messages + " messages of " + count + " have come");
            }
        }
        return new Json().put("messages", messages).put("bytes", bytes)
            .put("digest", String.format("%016x", digest)).put("gaps", gaps);
    }

    /** Polls no further than asked: what comes behind belongs to the next request. */
    private int pollAll(final boolean singly, final boolean awaitsEnd) {
        int fragments = 0;
        for (final Subscription each : subscriptions) {
            final int left = (int)Math.min(FRAGMENT_LIMIT, Math.max(0, count - messages));
            final int limit = singly ? 1 : awaitsEnd ? FRAGMENT_LIMIT : left;
            if (limit > 0) {
                fragments += each.poll(assembler, limit);
            }
        }
        return fragments;
    }
}
