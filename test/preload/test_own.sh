#!/bin/bash
# test_own.sh -- lazymap's own thread, which makes room under a limit: it comes
# whatever the program is in the midst of, has the program's credentials, takes
# none of its signals, is not there where the kernel wants a process to have one
# thread, nor where the program counts its threads, does not come back after a seccomp
# filter, and does not keep the process
# from ending.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

for limit in 2M 8M 24M; do
	for i in 1 2 3; do
		compare "an allocator of its own in $limit" --resident $limit \
			-- timeout 20 "$programs/own"
	done
done
grep -q "the same: Uid:" "$work/lazy.out" || fail "no users were told"
# A way to count threads each.
for way in 0 1 2 3 4 5 6 7; do
	compare "threads are counted, way $way" --resident 8M -- \
		timeout 20 "$programs/own" $way
done
# A way each to have clone killed.
for way in 9 10 11; do
	compare "calls are filtered, way $way" --resident 8M -- \
		timeout 20 "$programs/own" $way
done
LAZYMAP_THREADS=0 compare "the same without the thread" --resident 8M -- \
	timeout 20 "$programs/own"
[ $failures = 0 ]
