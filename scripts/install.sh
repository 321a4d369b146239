#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies what was built to where it is used from; called by `make install`.
# usage: scripts/install.sh BUILD DESTDIR PREFIX VERSION LIBS
set -eu
cd "$(dirname "$0")/.."

build=$1 prefix=$3 version=$4 libs=$5
to=$2$3
whole=
case " $libs " in *' libdpdk '*) whole=' -Wl,-u,rj_dpdk_ops' ;; esac # else nobody asks for it

install -d "$to/bin" "$to/lib/pkgconfig" "$to/include/ramjet"
if [ -f "$build/ramjet" ]; then
    install -m 755 "$build/ramjet" "$to/bin/ramjet"
    # Under this name it takes the place of the reference driver.
    ln -sf ramjet "$to/bin/aeronmd"
fi
install -m 644 "$build/libramjet.a" "$to/lib/"
install -m 644 include/ramjet/*.h "$to/include/ramjet/"
cat >"$to/lib/pkgconfig/ramjet.pc" <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: ramjet
Description: Aeron media driver and client library
Version: $version
Requires.private: $libs
Libs: -L\${libdir}$whole -lramjet -pthread -lm
Cflags: -I\${includedir}
PC
for page in docs/man/*.[1-8]; do
    [ -f "$page" ] || continue
    section=${page##*.}
    install -d "$to/share/man/man$section"
    install -m 644 "$page" "$to/share/man/man$section/"
done
