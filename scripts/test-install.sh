#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs into a scratch folder and uses the result as a stranger would: each header compiles
# alone, with nothing of the tree in sight, and a program links by pkg-config's word.
# usage: scripts/test-install.sh BUILD
set -eu
cd "$(dirname "$0")/.."

build=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make -s --no-print-directory O="$build" install DESTDIR="$scratch" PREFIX=/usr

for header in "$scratch"/usr/include/ramjet/*.h; do
    name=${header##*/}
    if echo "#include <ramjet/$name>" |
        gcc -std=gnu11 -Wall -Wextra -Werror -I"$scratch/usr/include" -fsyntax-only -x c -; then
        echo "ok <ramjet/$name> compiles alone"
    else
        echo "not ok <ramjet/$name> compiles alone"
    fi
done

for program in ramjet aeronmd; do
    if "$scratch/usr/bin/$program" --help >"$scratch/words" &&
        grep -q '^Usage: ' "$scratch/words"; then
        echo "ok $program runs from where it is installed"
    else
        echo "not ok $program runs from where it is installed"
    fi
done

export PKG_CONFIG_PATH="$scratch/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$scratch"
echo 'int main(void) { return 0; }' >"$scratch/program.c"
# shellcheck disable=SC2046 # flags are words
if gcc "$scratch/program.c" -o "$scratch/program" $(pkg-config --cflags --libs --static ramjet) &&
    "$scratch/program"; then
    echo "ok a program links by pkg-config"
else
    echo "not ok a program links by pkg-config"
fi

# shellcheck disable=SC2046
if gcc -Wall -Wextra -Werror examples/embedded_driver.c -o "$scratch/embedded" \
    $(pkg-config --cflags --libs --static ramjet) && "$scratch/embedded" >"$scratch/words" &&
    [ "$(tail -n 1 "$scratch/words")" = "message 2" ]; then
    echo "ok a program that embeds a driver carries messages"
else
    echo "not ok a program that embeds a driver carries messages"
fi
