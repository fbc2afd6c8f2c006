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
	[ "$tables" = 14 ] || fail "$tables of 14 processes told statistics"
done
ulimit -S -n 1024

# Swap has a file, and a pipe to each child: they survive as well. (Where every
# number is in use there is none for it.)
compare "descriptors in 1M" --resident 1M -- "$programs/descriptors" \
	-every_number_may_be_in_use
out=$(awk '/of them to the file/ { n += $NF } END { print n + 0 }' "$work/stats")
[ "$out" -ge 500 ] || fail "only $out pages were swapped to the file"

# Nothing is open that was not before, but for the statistics' file.
"$lazymap" run --min-size 1 -- ls /proc/self/fd >"$work/lazy.out"
ls /proc/self/fd >"$work/plain.out"
diff "$work/plain.out" "$work/lazy.out" || fail "more descriptors are open"
[ $failures = 0 ]
