#!/bin/bash
# test_uring_once.sh -- under the shim there is no io_uring, in whatever way a
# program calls it, unless it is permitted.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

uring=$programs/uring

# gives TEXT WAY [OPTION...]: what each of the three calls does under the shim.
gives() {
	local want got
	want="setup: $1, enter: $1, register: $1, "
	got=$("$lazymap" run "${@:3}" -- "$uring" "$2" 2>&1 | sed 's/$/,/' |
		tr '\n' ' ')
	[ "$got" = "$want" ] || fail "way $2 ${*:3}: $got"
}

# Without the hooks there is syscall(), as everywhere.
ways="1 2 3 4 5 6"
[ "$(uname -m)" = x86_64 ] || ways=
for way in 0 $ways; do
	gives "Function not implemented" "$way"
	gives "Function not implemented" "$way" --resident 1M --cluster 4K
done
gives "Function not implemented" 0 --no-syscall-trap
LAZYMAP_IO_URING=0 gives "Function not implemented" 0

# What a program starts has no rings, either, and may have them as it may.
out=$("$lazymap" run env -i "$uring" 2>&1)
[[ $out == *"setup: Function not implemented"* ]] || fail "a child: $out"

if ! "$uring" 0 | grep -q "setup: done"; then
	echo "io_uring is not permitted here: that it can be had is not tried"
	[ $failures = 0 ]
	exit
fi
for way in 0 $ways; do
	gives "done" "$way" --io-uring
done
LAZYMAP_IO_URING=1 gives "done" 0
out=$("$lazymap" run --io-uring env -i "$uring" 2>&1)
[[ $out == *"setup: done"* ]] || fail "a permitted child: $out"

# That the test can fail: without the hooks nobody sees these.
for way in $ways; do
	gives "done" "$way" --no-syscall-trap
done
[ $failures = 0 ]
