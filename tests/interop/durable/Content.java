// SPDX-License-Identifier: Apache-2.0

import org.agrona.concurrent.UnsafeBuffer;

/**
 * Messages that can be told apart and checked anywhere in a stream: each begins with its number, and number and
 * offset make every other byte; its length follows from the number too.
 */
final class Content
{
    static final int LENGTH_MAX = 2400;

    private Content()
    {
    }

    static int length(final long number)
    {
        return 8 + (int)((number * 7919) % (LENGTH_MAX - 8));
    }

    private static byte at(final long number, final int index)
    {
        return (byte)(number * 31 + index * 7);
    }

    static int write(final UnsafeBuffer buffer, final long number)
    {
        final int length = length(number);
        buffer.putLong(0, number);
        for (int i = 8; i < length; i++)
        {
            buffer.putByte(i, at(number, i));
        }
        return length;
    }

    /** Fails unless the message is the one of that number, to the last byte. */
    static void check(final org.agrona.DirectBuffer buffer, final int offset, final int length, final long number)
    {
        if (length < 8 || buffer.getLong(offset) != number)
        {
            throw new IllegalStateException(
                "message " + (length < 8 ? "of " + length + " bytes" : buffer.getLong(offset)) + " where " + number +
                " was due");
        }
        if (length != length(number))
        {
            throw new IllegalStateException("message " + number + " has " + length + " bytes");
        }
        for (int i = 8; i < length; i++)
        {
            if (buffer.getByte(offset + i) != at(number, i))
            {
                throw new IllegalStateException("message " + number + " differs at byte " + i);
            }
        }
    }
}
