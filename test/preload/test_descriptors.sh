#!/bin/bash
# test_descriptors.sh -- a program's descriptors are its own, under the shim,
# whatever it does to them, and lazymap's survive.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

for limit in 1024 256 20 4096; do
	ulimit -S -n $limit || fail "no limit of $limit"
	compare "descriptors, limit $limit" -- "$programs/descriptors"
	[ "$faults" -ge 10 ] || fail "descriptors: only $faults faults"
	tables=$(grep -c '^lazymap: descriptors' "$work/stats")
	[ "$tables" = 10 ] || fail "$tables of 10 processes told statistics"
done
ulimit -S -n 1024

# Nothing is open that was not before, but for the statistics' file.
"$lazymap" run --min-size 1 -- ls /proc/self/fd >"$work/lazy.out"
ls /proc/self/fd >"$work/plain.out"
diff "$work/plain.out" "$work/lazy.out" || fail "more descriptors are open"
[ $failures = 0 ]
