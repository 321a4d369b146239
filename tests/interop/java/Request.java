/* SPDX-License-Identifier: Apache-2.0 */

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/** One request of the protocol in ../README.md: a verb, then name=value words. */
final class Request {
    private static final long WAIT_NS = TimeUnit.MICROSECONDS.toNanos(100);

    private final String verb;
    private final Map<String, String> values = new HashMap<>();
    private final long deadlineNs;

    Request(final String line) {
        final String[] words = line.trim().split(" +");
        verb = words[0];
        for (int i = 1; i < words.length; i++) {
            final int equals = words[i].indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("no value: " + words[i]);
            }
            values.put(words[i].substring(0, equals), words[i].substring(equals + 1));
        }
        deadlineNs = System.nanoTime() + (long)(Double.parseDouble(text("timeout", "20")) * 1e9);
    }

    String verb() {
        return verb;
    }

    boolean has(final String name) {
        return values.containsKey(name);
    }

    String text(final String name, final String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    String text(final String name) {
        final String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + "= is missing");
        }
        return value;
    }

    long number(final String name, final long otherwise) {
        return has(name) ? Long.parseLong(text(name)) : otherwise;
    }

    int integer(final String name, final int otherwise) {
        return (int)number(name, otherwise);
    }

    long number(final String name) {
        return Long.parseLong(text(name));
    }

    boolean flag(final String name) {
        return text(name, "0").equals("1");
    }

    /** Sleeps for a moment: a client that spins on a small machine measures its scheduler. */
    void await(final Supplier<String> what) {
        if (isLate()) {
            throw new IllegalStateException("timeout: " + what.get());
        }
        LockSupport.parkNanos(WAIT_NS);
    }

    boolean isLate() {
        return System.nanoTime() - deadlineNs > 0;
    }
}
