/* SPDX-License-Identifier: Apache-2.0 */

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The test stream of tests/fixtures/message_stream.h, which says what is in a message: every byte
 * follows from the seed and the message's number, so the far end can name the first wrong one.
 */
final class Stream {
    static final int HEADER_LENGTH = 24;
    static final int MESSAGE_LENGTH_MAX = 256 * 1024;
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private final long seed;
    private final ByteBuffer message =
        ByteBuffer.allocateDirect(MESSAGE_LENGTH_MAX + Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);

    Stream(final long seed) {
        this.seed = seed;
    }

    /** Makes message number {@code sequence}; it begins at 0 and has the limit as its length. */
    ByteBuffer make(final long sequence) {
        final long key = mix(seed + (sequence + 1) * GOLDEN);
        final int length = lengthOf(key);
        message.clear();
        message.putLong(0, sequence);
        message.putLong(8, length);
        message.putLong(16, seed);
        long word = key == 0 ? GOLDEN : key;
        for (int offset = HEADER_LENGTH; offset < length; offset += Long.BYTES) {
            word ^= word << 13;
            word ^= word >>> 7;
            word ^= word << 17;
            message.putLong(offset, word);
        }
        return message.limit(length);
    }

    private static int lengthOf(final long key) {
        final int kind = (int)((key >>> 32) % 100);
        final long pick = key & 0xFFFF_FFFFL;
        if (kind < 90) {
            return between(pick, HEADER_LENGTH, 1024);
        }
        return kind < 99 ? between(pick, 1025, 16 * 1024) :
            between(pick, 16 * 1024 + 1, MESSAGE_LENGTH_MAX);
    }

    private static int between(final long pick, final int min, final int max) {
        return min + (int)(pick % (max - min + 1));
    }

    private static long mix(final long value) {
        long z = value;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
