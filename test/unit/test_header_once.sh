#!/bin/bash
# The public header stands alone: strict C11, C++, twice, no warnings.
#
# SPDX-License-Identifier: MIT
set -u

cd "$TESTDIR" || exit 1
printf '#include <lazymap.h>\n#include <lazymap.h>\nint x;\n' >user.c
cp user.c user.cc
flags=(-fsyntax-only "-I$SRCDIR/lib" -Wall -Wextra -Werror -pedantic)
${CC:-cc} -std=c11 "${flags[@]}" user.c || exit 1
if ! command -v "${CXX:-c++}" >/dev/null; then
	echo "no C++ compiler here"
	exit 77
fi
${CXX:-c++} -std=c++11 "${flags[@]}" user.cc || exit 1
