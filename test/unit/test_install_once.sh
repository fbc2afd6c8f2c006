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

# A library call from C++.
if command -v "${CXX:-c++}" >/dev/null; then
	cat >"$TESTDIR/user.cc" <<'END'
#include <lazymap.h>
#include <cstdio>
#include <sys/mman.h>
static int seven(void *, void *buf, size_t len, off_t)
{
	for (size_t i = 0; i < len; i++)
		static_cast<char *>(buf)[i] = 7;
	return 0;
}
int main()
{
	lazymap_store_ops ops = {};
	ops.size = sizeof(ops);
	ops.version = LAZYMAP_STORE_VERSION;
	ops.read = seven;
	void *at = lazymap_map_store(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE,
				     &ops, nullptr, 0);
	if (at == LAZYMAP_FAILED)
		return 1;
	std::printf("%d\n", static_cast<char *>(at)[12345]);
	return lazymap_unmap(at, 1 << 20) != 0;
}
END
	# shellcheck disable=SC2046
	${CXX:-c++} -std=c++11 -Wall -Wextra -Werror -o "$TESTDIR/usercc" \
		"$TESTDIR/user.cc" $(pkg-config --cflags --libs lazymap) || exit 1
	said=$(LD_LIBRARY_PATH=$libdir "$TESTDIR/usercc") || exit 1
	if [ "$said" != 7 ]; then
		echo "a store of a C++ program gave '$said', not 7"
		exit 1
	fi
else
	echo "no C++ compiler: the library is not called from C++"
fi

make uninstall || exit 1
left=$(find "$root" ! -type d)
if [ -n "$left" ]; then
	echo "uninstall leaves $left"
	exit 1
fi
