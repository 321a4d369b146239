#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves that git and make are enough: runs commands in a fresh clone of HEAD inside a fresh
# minimal Debian 12. usage: scripts/bare.sh [COMMAND...]   (default: "make run" "make test")
#
# The tree shares with this machine only the kernel, the way to the network (name servers,
# proxies, extra certificates, Debian mirrors) and a cache of Debian packages. Mounts and
# processes live in namespaces of their own and end with them, however this script ends.
set -eu

suite=bookworm
clone=/srv/ramjet
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ramjet/bare

die() {
    echo "ramjet: $*" >&2
    exit 1
}

# One line "URI SUITE COMPONENT" for each of Debian's own indexes that apt knows here.
debian_sources() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Identifier: Packages' | awk -v suite="$suite" '
            $1 == "Debian" && index($3, suite) == 1 { print $2, $3, $4 }' | sort -u
}

make_tree() {
    sources=$(debian_sources)
    [ -n "$sources" ] || { apt-get update -q >/dev/null && sources=$(debian_sources); }
    mirror=$(echo "$sources" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
    [ -n "$mirror" ] || die "apt knows no mirror of Debian $suite"
    echo "ramjet: making a minimal $suite in $tree"
    mkdir -p "$cache/debootstrap" "$cache/apt"
    debootstrap --variant=minbase --include=git,make,ca-certificates \
        --cache-dir="$cache/debootstrap" "$suite" "$tree" "$mirror" >"$tree.log" 2>&1 ||
        { tail -n 15 "$tree.log" >&2 && die "debootstrap failed"; }
    echo "$sources" | sed 's/^/deb /' >"$tree/etc/apt/sources.list"
    apt-config dump --format '%F "%v";%n' 2>/dev/null |
        grep -E '^Acquire::(.*::Proxy|Check-Valid-Until|Check-Date) ' \
            >"$tree/etc/apt/apt.conf.d/99machine" || true
    # A machine behind a proxy of its own trusts that proxy's certificate; so must the tree.
    cp /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/" \
        2>/dev/null || true
    cp /etc/resolv.conf /etc/hosts "$tree/etc/"
    # mktemp makes directories for one user; a root is for everybody.
    chmod 755 "$tree"
}

# Runs as process 1 of the new namespaces.
inside() {
    tree=$1
    shift
    trap 'exit 130' INT TERM
    make_tree
    # ip(8) remounts `/` as it enters a namespace: the tree's own has to be a mount.
    mount --bind "$tree" "$tree"
    mount -t proc proc "$tree/proc"
    mount -t sysfs sysfs "$tree/sys"
    mount -t bpf bpf "$tree/sys/fs/bpf"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$tree/dev/shm"
    mount -t tmpfs -o mode=755 tmpfs "$tree/run"
    # The packages downloaded once serve the next tree too.
    mount --bind "$cache/apt" "$tree/var/cache/apt/archives"
    rm -f "$tree/etc/apt/apt.conf.d/docker-clean"
    mkdir -p "$tree$clone"
    git clone -q --no-hardlinks . "$tree$clone"
    in_tree update-ca-certificates >/dev/null 2>&1
    for command in "$@"; do
        echo "ramjet: bare: $command"
        in_tree sh -c "cd $clone && $command" || die "bare: '$command' failed"
    done
    echo "ramjet: bare: done"
}

in_tree() {
    # shellcheck disable=SC2046 # words, each a variable with its value
    env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        $(env | grep -iE '^(https?|no|all)_proxy=') chroot "$tree" "$@" </dev/null
}

cd "$(dirname "$0")/.."
if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

[ "$(id -u)" = 0 ] || die "make bare needs root"
scripts/install-deps.sh bare
[ -z "$(git status --porcelain)" ] || echo "ramjet: what is not committed is not in the clone"
[ $# -gt 0 ] || set -- "make run" "make test"

tree=$(mktemp -d "${TMPDIR:-/var/tmp}/ramjet-bare.XXXXXX")
child=
# shellcheck disable=SC2317 # called by the trap
finish() {
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
    [ -z "$child" ] || wait "$child" 2>/dev/null || true
    rm -rf --one-file-system "$tree" "$tree.log"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
env --default-signal=INT,QUIT unshare --mount --pid --fork --kill-child \
    --propagation private "$0" --inside "$tree" "$@" &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
