#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches an official Aeron peer by package name and prints the path of what it got:
#
#   tests/interop/fetch.sh java     the jar with Java driver, client, samples and tools
#   tests/interop/fetch.sh c        the C driver's binary, built on the spot (some minutes, once)
#   tests/interop/fetch.sh rust     a folder with peer_c and peer_rs: peers/ with the C client and
#                                   aeron-rs, built on the spot (likewise)
#   tests/interop/fetch.sh classes  a folder with what java/ compiles to
#   tests/interop/fetch.sh embedded the C driver and client in one thread, for the bench: a binary
#                                   built on the spot from ../../bench/peer (likewise)
#
# The peers are black boxes: tests talk to them, nobody reads them. They live outside the tree, in
# $RJ_CACHE (${XDG_CACHE_HOME:-$HOME/.cache}/ramjet), in one folder for each pinned version. A
# folder gets its final name only when it is complete, so what has that name can be used without
# asking further; runs at the same time wait for one another.
#
# Which registry answers is the business of mvn, pip and cargo and their own configuration.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
JAVA_VERSION=1.51.0
JAVA_SHA256=9686a7c6bb3c464f7ac76ceaf7a0c67249e3499aa8142872a6d1b2f398bca458
C_VERSION=0.2.16     # of the crate that carries the C driver, release 1.54.0
CMAKE_VERSION=4.4.4  # the driver wants a newer one than Debian 12's
BUILD_JOBS=${RJ_BUILD_JOBS:-2}

die() {
    echo "fetch: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null 2>&1 || die "$1 is missing: make deps installs it"
}

# Runs one noisy step. Its output is only worth reading when it fails.
quietly() {
    "$@" >"$work/log" 2>&1 && return
    tail -n 40 "$work/log" >&2
    die "failed: $*"
}

fetch_java() {
    need mvn
    quietly mvn -B dependency:copy -Dartifact="io.aeron:aeron-all:$JAVA_VERSION" \
        -DoutputDirectory="$work/java"
    echo "$JAVA_SHA256  $work/java/aeron-all-$JAVA_VERSION.jar" | sha256sum --check --quiet >&2 ||
        die "aeron-all $JAVA_VERSION is not the file that was pinned"
}

# Both crates build C with cmake and link two libraries by name, hence their -dev packages. One
# cmake and one folder of what cargo compiled serve both, and the next version of our own sources.
prepare_cargo() {
    need cargo
    need python3
    for library in bsd uuid; do
        echo 'int main(void) { return 0; }' >"$work/probe.c"
        "${CC:-cc}" -o "$work/probe" "$work/probe.c" "-l$library" 2>/dev/null ||
            die "cannot link lib$library: make deps installs libbsd-dev and uuid-dev"
    done
    exec 8>"$cache/lock-cargo"
    flock 8
    venv=$cache/cmake-$CMAKE_VERSION
    if [ ! -f "$venv/ready" ]; then
        quietly python3 -m venv --clear "$venv"
        quietly "$venv/bin/python" -m pip install --quiet "cmake==$CMAKE_VERSION"
        touch "$venv/ready"
    fi
    export PATH="$venv/bin:$PATH" CARGO_TARGET_DIR="$cache/cargo-target"
}

# build_crate FOLDER: what cargo locks by itself says where it has crates from; which ones is said
# by ours.
build_crate() {
    prepare_cargo
    cp -r "$1" "$work/crate"
    quietly cargo generate-lockfile --manifest-path "$work/crate/Cargo.toml"
    registry=$(sed -n 's/^source = //p' "$work/crate/Cargo.lock" | head -n 1)
    sed "s|^source = REGISTRY\$|source = $registry|" "$1/Cargo.lock.in" >"$work/crate/Cargo.lock"
    quietly nice -n 10 cargo build --release --locked --jobs "$BUILD_JOBS" \
        --manifest-path "$work/crate/Cargo.toml"
}

fetch_rust() {
    build_crate "$here/peers"
    mkdir -p "$work/rust"
    cp "$CARGO_TARGET_DIR/release/peer_c" "$CARGO_TARGET_DIR/release/peer_rs" "$work/rust/"
}

fetch_embedded() {
    build_crate "$here/../../bench/peer"
    mkdir -p "$work/embedded"
    cp "$CARGO_TARGET_DIR/release/embedded_c" "$work/embedded/"
}

fetch_classes() {
    mkdir -p "$work/classes"
    jar=$("$here/fetch.sh" java)
    quietly javac -Xlint:all -Werror -cp "$jar" -d "$work/classes" "$here"/java/*.java
    touch "$work/classes/ready"
}

fetch_c() {
    prepare_cargo
    quietly nice -n 10 cargo install rusteron-media-driver --version "=$C_VERSION" --locked \
        --features static --bin media_driver --jobs "$BUILD_JOBS" --root "$work/c"
}

# sources FOLDER: one number for what its files hold.
sources() {
    (cd "$here/$1" && find . -type f | LC_ALL=C sort | xargs cat) | cksum | cut -d ' ' -f 1
}

# What is compiled here is tuned for the processor it ran on.
processor=$(uname -m)-$(grep -m 1 '^flags' /proc/cpuinfo | cksum | cut -d ' ' -f 1)
case ${1:-} in
java) version=$JAVA_VERSION product=aeron-all-$JAVA_VERSION.jar ;;
c) version=$C_VERSION-$processor product=bin/media_driver ;;
rust) version=$(sources peers)-$processor product=peer_rs ;;
embedded) version=$(sources ../../bench/peer)-$processor product=embedded_c ;;
classes) version=$JAVA_VERSION-$(sources java) product=ready ;;
*) die "usage: fetch.sh java|c|rust|classes|embedded" ;;
esac

cache=${RJ_CACHE:-${XDG_CACHE_HOME:-${HOME:?fetch: HOME is not set}/.cache}/ramjet}
target=$cache/$1-$version
if [ ! -f "$target/$product" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/lock-$1"
    flock 9
fi
if [ ! -f "$target/$product" ]; then
    echo "fetch: official $1 peer $version, once" >&2
    work=$(mktemp -d "$cache/work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    "fetch_$1"
    rm -rf "$target"
    mv "$work/$1" "$target"
    # Older versions of our own programs serve nobody any more.
    case $1 in
    rust | classes | embedded)
        find "$cache" -maxdepth 1 -name "$1-*" ! -path "$target" -mtime +0 -exec rm -rf {} + ;;
    esac
fi
case $1 in
rust | classes) echo "$target" ;;
*) echo "$target/$product" ;;
esac
