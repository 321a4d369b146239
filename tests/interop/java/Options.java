/* SPDX-License-Identifier: Apache-2.0 */

import java.util.HashMap;
import java.util.Map;

/** Arguments of the form name=value; one nobody asked for is a mistake. */
final class Options {
    private final Map<String, String> values = new HashMap<>();

    Options(final String[] args) {
        for (final String arg : args) {
            final int equals = arg.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("not name=value: " + arg);
            }
            values.put(arg.substring(0, equals), arg.substring(equals + 1));
        }
    }

    String text(final String name, final String otherwise) {
        final String value = values.remove(name);
        return value == null ? otherwise : value;
    }

    String text(final String name) {
        final String value = values.remove(name);
        if (value == null) {
            throw new IllegalArgumentException(name + "= is missing");
        }
        return value;
    }

    long number(final String name, final long otherwise) {
        return Long.decode(text(name, Long.toString(otherwise)));
    }

    void finish() {
        if (!values.isEmpty()) {
            throw new IllegalArgumentException("unknown: " + values.keySet());
        }
    }
}
