#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what ramjet needs on Debian 12.
# usage: scripts/install-deps.sh [product] [test] [lint] [bare] [interop] [guest] [dpdk] [bench]
#
# Asks dpkg first, so that a machine that has everything pays a few milliseconds and needs
# neither root nor a network. Only Debian's own packages: what comes from other registries is
# fetched by whoever needs it, into the cache folder.
set -eu

die() {
    echo "ramjet: $*" >&2
    exit 1
}

packages_of() {
    case $1 in
    product)
        echo gcc libc6-dev libssl-dev libcap-ng-dev liburing-dev uthash-dev make pkg-config iproute2
        # A group asks only for what the tree at hand uses.
        ls bpf/*.bpf.c >/dev/null 2>&1 && echo clang bpftool libbpf-dev libxdp-dev
        ls netlink/*.c >/dev/null 2>&1 && echo libmnl-dev
        ;;
    test)
        echo git python3 clang libclang-rt-14-dev libcriterion-dev
        echo clang-format shellcheck codespell
        # A second compiler for the programs in bpf/.
        echo clang-19
        ;;
    lint) echo clang-tidy ;;
    bare) echo debootstrap git ;;
    # What it depends on brings the drivers of all devices.
    dpdk) echo libdpdk-dev ;;
    bench) echo python3 python3-matplotlib ;;
    interop)
        echo openjdk-17-jdk-headless maven
        # The official C driver is built from its crate, whose build generates Rust and formats it.
        echo gcc g++ libc6-dev make clang libclang1-14 libbsd-dev uuid-dev python3-venv
        # Debian 12's first rustc is too old for that; a toolchain that is there already serves.
        command -v cargo >/dev/null && command -v rustfmt >/dev/null ||
            echo rustc-web cargo-web rustfmt-web
        ;;
    guest) echo qemu-system-x86 busybox-static cpio ethtool xz-utils ;;
    *) die "unknown group '$1': product, test, lint, bare, interop, guest, dpdk or bench" ;;
    esac
    return 0
}

# Prints those of its arguments that dpkg does not know as installed.
missing() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
        awk -v want="$*" '
            $1 == "ii" { have[$2] = 1 }
            END {
                n = split(want, w, " ")
                for (i = 1; i <= n; i++)
                    if (!(w[i] in have))
                        print w[i]
            }' |
        sort -u
}

install_packages() {
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # Absent or stale lists give old packages or none; without a network they may still serve.
    apt-get update -q </dev/null >"$log" 2>&1 || true
    # Once more takes up where the first broke off: seen where systemd was upgraded on the way, and
    # what apt had put into /tmp was gone.
    for _ in first second; do
        if apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" \
            </dev/null >>"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
    done
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: $*"
}

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- product
command -v dpkg-query >/dev/null || die "needs Debian 12: dpkg is not here"

wanted=
for group in "$@"; do
    packages=$(packages_of "$group")
    wanted="$wanted $packages"
done
# shellcheck disable=SC2086 # a list of words
absent=$(missing $wanted | tr '\n' ' ')
if [ -n "$absent" ]; then
    [ "$(id -u)" = 0 ] || die "root is needed to install: $absent"
    # shellcheck disable=SC1091 # read where it runs
    . /etc/os-release
    [ "${ID:-} ${VERSION_ID:-}" = "debian 12" ] ||
        die "needs Debian 12, this is ${PRETTY_NAME:-unknown}; install: $absent"
    echo "ramjet: installing $absent"
    # shellcheck disable=SC2086
    install_packages $absent
fi
