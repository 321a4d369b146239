/* SPDX-License-Identifier: Apache-2.0 */

import java.util.List;
import java.util.stream.Collectors;

/** A JSON object under construction, as far as answers need one; fields keep their order. */
final class Json {
    private final StringBuilder text = new StringBuilder();

    private StringBuilder name(final String name) {
        if (text.length() > 0) {
            text.append(',');
        }
        return text.append(quoted(name)).append(':');
    }

    Json put(final String name, final long value) {
        name(name).append(value);
        return this;
    }

    Json put(final String name, final boolean value) {
        name(name).append(value);
        return this;
    }

    Json put(final String name, final String value) {
        name(name).append(quoted(value));
        return this;
    }

    Json objects(final String name, final List<Json> values) {
        name(name).append(
            values.stream().map(Json::toString).collect(Collectors.joining(",", "[", "]")));
        return this;
    }

    Json strings(final String name, final List<String> values) {
        name(name).append(
            values.stream().map(Json::quoted).collect(Collectors.joining(",", "[", "]")));
        return this;
    }

    static String quoted(final String value) {
        final StringBuilder quoted = new StringBuilder("\"");
        for (final char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int)c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    @Override
    public String toString() {
        return "{" + text + "}";
    }
}
