#!/bin/bash
# test_semantics.sh -- every case of the table, on the kernel, under the shim
# and with the library, in clusters of a page and of the default size: the
# records are the same. And doc/mmap.md is what the table says.
# SRCDIR is the source, BUILDDIR the build's directory, TESTDIR scratch.
#
# SPDX-License-Identifier: MIT
set -u

SRCDIR=${SRCDIR:-.}
BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=${TESTDIR:-$(mktemp -d /var/tmp/lazymap-test.XXXXXX)} || exit 1
export TESTDIR=$work
plain=$BUILDDIR/test/semantics/semantics
library=$BUILDDIR/test/semantics/semantics-library
failures=0

case ${SANITIZE:-} in
*thread* | *address*)
	echo "skipped: the cases break what sanitizers rest upon"
	exit 77
	;;
esac

# compare NAME: NAME.out against the kernel's.
compare() {
	diff -u "$work/kernel.out" "$work/$1.out" >"$work/$1.diff" && return
	echo "FAILED: $1 differs from the kernel:"
	head -n 150 "$work/$1.diff"
	failures=$((failures + 1))
}

"$plain" -d | diff -u "$SRCDIR/doc/mmap.md" - || {
	echo "FAILED: doc/mmap.md is not what $plain -d prints"
	failures=$((failures + 1))
}

"$plain" -m kernel >"$work/kernel.out" || exit 1
cases=$(grep -c '^[a-zA-Z_]' "$work/kernel.out")
[ "$cases" -ge 100 ] || {
	echo "FAILED: only $cases cases"
	exit 1
}
if grep -E -B 9 '(/semantics/[a-z]*\.c|ends: (exit|SIG))' "$work/kernel.out"
then
	echo "FAILED: a case does not even work on the kernel"
	exit 1
fi
for cluster in 4096 65536; do
	LAZYMAP_CLUSTER=$cluster "$BUILDDIR/lazymap" run --min-size 1 \
		"$plain" -m lazymap >"$work/shim-$cluster.out"
	compare "shim-$cluster"
	LAZYMAP_CLUSTER=$cluster "$library" -m lazymap \
		>"$work/library-$cluster.out"
	compare "library-$cluster"
done
echo "$cases cases"
[ $failures = 0 ]
