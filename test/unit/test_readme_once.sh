#!/bin/bash
# test_readme_once.sh -- what README shows compiles without a warning, and the
# header is good C and C++. With a build at hand README's program is run too.
# SRCDIR is the source, BUILDDIR the build.
#
# SPDX-License-Identifier: MIT
set -u

SRCDIR=$(cd "${SRCDIR:-.}" && pwd) || exit 1
BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lazymap-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
strict=(-Wall -Wextra -Werror -pedantic -I "$SRCDIR/lib")
failures=0

check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok: $name"
	else
		echo "FAILED: $name"
		failures=$((failures + 1))
	fi
}

command -v "${CC:-cc}" >/dev/null || {
	echo "skipped: no C compiler"
	exit 77
}
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$SRCDIR/README.md" \
	>"$work/readme.c"
check readme_has_a_program grep -q lazymap_map "$work/readme.c"
check readme_program_compiles "${CC:-cc}" -std=c11 "${strict[@]}" -c \
	-o "$work/readme.o" "$work/readme.c"

echo '#include <lazymap.h>' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cc"
for std in c11 c17; do
	check "header_is_$std" "${CC:-cc}" -std=$std "${strict[@]}" \
		-fsyntax-only "$work/alone.c"
done
if command -v "${CXX:-c++}" >/dev/null; then
	for std in c++11 c++17; do
		check "header_is_$std" "${CXX:-c++}" -std=$std \
			"${strict[@]}" -fsyntax-only "$work/alone.cc"
	done
else
	echo "no C++ compiler: the header is not tried as C++"
fi

# A sanitizer's build needs its runtime in the program as well: not here.
if [ -e "$BUILDDIR/liblazymap.a" ] &&
	! nm "$BUILDDIR/liblazymap.a" 2>/dev/null | grep -q '__[at]san_init'; then
	check readme_program_links "${CC:-cc}" -o "$work/readme" \
		"$work/readme.o" "$BUILDDIR/liblazymap.a" -llz4 -lpthread
	check readme_program_runs test "$("$work/readme")" = 15241578750190521
fi
[ $failures = 0 ]
