#!/bin/bash
# What is installed works without the build tree: a program finds the library
# by pkg-config, and uninstall leaves nothing.
#
# SPDX-License-Identifier: MIT
set -u

[ -z "$SANITIZE" ] || { echo "sanitizer builds are not installed"; exit 77; }
command -v pkg-config >/dev/null || { echo "no pkg-config here"; exit 77; }

root=$TESTDIR/root
make() {
	env -u MAKEFLAGS -u MAKELEVEL "${MAKE:-make}" -s -C "$SRCDIR" \
		BUILD="$BUILDDIR" DESTDIR="$root" "$1"
}
make install || exit 1

export PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name lazymap.pc)") || exit 1
export PKG_CONFIG_PATH
cat >"$TESTDIR/user.c" <<'END'
#include <lazymap.h>
#include <stdio.h>
int main(void)
{
	return puts(lazymap_version()) < 0;
}
END
# Flags are words.
# shellcheck disable=SC2046
${CC:-cc} -o "$TESTDIR/user" "$TESTDIR/user.c" \
	$(pkg-config --cflags --libs lazymap) || exit 1
libdir=$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir lazymap)
version=$(LD_LIBRARY_PATH=$libdir "$TESTDIR/user") || exit 1
if [ "$version" != "$(pkg-config --modversion lazymap)" ]; then
	echo "lazymap_version() is $version, lazymap.pc says otherwise"
	exit 1
fi

make uninstall || exit 1
left=$(find "$root" ! -type d)
if [ -n "$left" ]; then
	echo "uninstall leaves $left"
	exit 1
fi
