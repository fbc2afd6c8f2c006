#!/bin/bash
# test_signals.sh -- signals under the shim are what they are without it.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

for trap_name in native libsigsegv; do
	[ $trap_name = native ] ||
		[ -e "$BUILDDIR/lazymap-trap-$trap_name.so" ] || continue
	# With the heap, too, and so little memory that handlers' and threads'
	# stacks and frames are what it is made of.
	compare "stacks in 4M, $trap_name" --trap $trap_name --resident 4M \
		--cluster 4K \
		--heap --heap-min 64K -- "$programs/stacks"
	compare "signals in 1M, $trap_name" --trap $trap_name --resident 1M \
		-- "$programs/signals"
	compare "stacks by pages, $trap_name" --trap $trap_name --cluster 4K \
		-- "$programs/stacks"
	for program in signals masks stacks; do
		compare "$program, $trap_name" --trap $trap_name -- \
			"$programs/$program"
		[ "$faults" -ge 10 ] || fail "$program: only $faults faults"
		if grep -q '^wrong' "$work/plain.out"; then
			fail "$program is wrong about the plain system:" \
				"$(grep '^wrong' "$work/plain.out")"
		fi
	done
done
[ $failures = 0 ]
