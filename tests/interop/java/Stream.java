/* SPDX-License-Identifier: Apache-2.0 */

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

import org.agrona.DirectBuffer;

/**
 * The test stream of tests/fixtures/message_stream.h, which says what is in a message: every byte
 * follows from the seed and the message's number, so the far end can name the first wrong one.
 */
final class Stream {
    static final int HEADER_LENGTH = 24;
    static final int MESSAGE_LENGTH_MAX = 256 * 1024;
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private final long seed;
    private final int shortest;
    private final int longest;
    private final ByteBuffer message;

    Stream(final long seed) {
        this(seed, 0, 0);
    }

    /** Of lengths between two bounds; mixed ones when the upper is 0. */
    Stream(final long seed, final int shortest, final int longest) {
        if (longest != 0 && (shortest < HEADER_LENGTH || longest < shortest)) {
            throw new IllegalArgumentException("lengths " + shortest + " to " + longest);
        }
        this.seed = seed;
        this.shortest = shortest;
        this.longest = longest;
        final int capacity = Math.max(longest, MESSAGE_LENGTH_MAX) + Long.BYTES;
        message = ByteBuffer.allocateDirect(capacity).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** FNV-1a over words. Digests of messages are added up, so their order does not matter. */
    static long digest(final DirectBuffer buffer, final int offset, final int length) {
        long hash = 0xCBF29CE484222325L;
        final int whole = length & -Long.BYTES;
        for (int i = 0; i < whole; i += Long.BYTES) {
            hash = (hash ^ buffer.getLong(offset + i, ByteOrder.LITTLE_ENDIAN)) * 0x100000001B3L;
        }
        if (whole < length) {
            long word = 0;
            for (int i = length - 1; i >= whole; i--) {
                word = word << Byte.SIZE | buffer.getByte(offset + i) & 0xFF;
            }
            hash = (hash ^ word) * 0x100000001B3L;
        }
        return mix((hash ^ length) * 0x100000001B3L);
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

    private int lengthOf(final long key) {
        final int kind = (int)((key >>> 32) % 100);
        final long pick = key & 0xFFFF_FFFFL;
        if (longest != 0) {
            return between(pick, shortest, longest);
        }
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
