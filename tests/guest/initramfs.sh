#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packs what the guest has for a disk. usage: tests/guest/initramfs.sh BUILD KERNEL FILE
#
# A static busybox for a user land, `ramjet` of the build with its shared libraries, ethtool with
# its own, the kernel's modules, and of this tree what the tests in the guest read, at the same
# paths. The guest starts /init.
set -eu

build=$1 kernel=$2 file=$3
cd "$(dirname "$0")/../.."

die() {
    echo "initramfs: $*" >&2
    exit 1
}

# program PATH: as it is, and all that the loader wants for it, loader included. Threads that end
# want one more library, by name (pthread_cancel of glibc).
program() {
    cp "$1" "$root/bin/"
    ldd "$1" >"$root.ldd" || die "$1 has no shared libraries"
    ! grep 'not found' "$root.ldd" || die "$1 does not run here"
    libc=$(sed -n 's|.* \(/.*\)/libc\.so\.6 .*|\1|p' "$root.ldd")
    sed -n 's|.*[[:blank:]]\(/[^ ]*\) (.*|\1|p' "$root.ldd" >"$root.libraries"
    echo "$libc/libgcc_s.so.1" >>"$root.libraries"
    while read -r library; do
        mkdir -p "$root${library%/*}"
        cp -L "$library" "$root$library"
    done <"$root.libraries"
}

root=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf "$root" "$root.ldd" "$root.libraries"' EXIT
trap 'exit 1' HUP INT TERM
for folder in bin dev proc run sys mnt tmp; do
    mkdir "$root/$folder"
done
# Where Debian's merged folders lead.
mkdir -p "$root/usr/lib" "$root/usr/lib64"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
program "$build/ramjet"
program "$(PATH=$PATH:/usr/sbin:/sbin command -v ethtool)"
cp "$(command -v busybox)" "$root/bin/busybox"
! ldd "$root/bin/busybox" >/dev/null 2>&1 || die "busybox is not static: package busybox-static"
ln -s busybox "$root/bin/sh"
mkdir -p "$root/modules" "$root/tests" "$root/scripts"
cp "$kernel"/modules/*.ko "$root/modules/"
cp -r tests/netns tests/guest "$root/tests/"
cp scripts/account.sh "$root/scripts/"
cp tests/guest/init "$root/init"
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --owner 0:0 --quiet) | gzip -1 >"$file.new"
mv "$file.new" "$file"
