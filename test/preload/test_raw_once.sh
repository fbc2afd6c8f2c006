#!/bin/bash
# test_raw_once.sh -- signal calls past the C library's functions do what its
# functions do under the shim: what they do without it.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

# Without the hooks there is syscall(), as everywhere.
ways="1 2 3 4 5"
[ "$(uname -m)" = x86_64 ] || ways=
for way in 0 $ways; do
	compare "raw $way" -- "$programs/raw" "$way"
	[ "$faults" -ge 10 ] || fail "way $way: only $faults faults"
	if grep '^wrong:' "$work/plain.out"; then
		fail "raw is wrong about the plain system"
	fi
	compare "raw $way in 1M" --resident 1M --cluster 4K --heap \
		--heap-min 64K -- "$programs/raw" "$way"
done
compare "raw, syscall() without hooks" --no-syscall-trap -- "$programs/raw" 0
if [ -e "$BUILDDIR/lazymap-trap-libsigsegv.so" ]; then
	compare "raw 1, libsigsegv" --trap libsigsegv -- "$programs/raw" 1
fi

if [ -n "$ways" ]; then
	compare "a small stack" -- "$programs/small_stack"
	compare "a small stack in 1M" --resident 1M --cluster 4K -- \
		"$programs/small_stack"
fi

# That the test can fail: without the hooks nobody sees these.
for way in $ways; do
	"$lazymap" run --min-size 1 --no-syscall-trap -- "$programs/raw" "$way" \
		>"$work/lazy.out" 2>&1
	"$programs/raw" "$way" >"$work/plain.out" 2>&1
	cmp -s "$work/lazy.out" "$work/plain.out" &&
		fail "nothing is missed without the hooks, way $way"
done
[ $failures = 0 ]
