#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles every header alone: whoever includes one needs to know no other.
set -eu
cd "$(dirname "$0")/.."

find include user netlink -name '*.h' 2>/dev/null | sort |
    xargs -P "$(nproc)" -I HEADER "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror \
        -Iinclude -Iuser -I. -D_GNU_SOURCE -fsyntax-only -include HEADER -x c /dev/null
