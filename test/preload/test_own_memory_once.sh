#!/bin/bash
# test_own_memory_once.sh -- /proc/self/mem of a program whose memory is lazy
# (own_memory.c): what the kernel reads and writes there is the program's, also
# where it is not present.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}
compare "own memory" -- "$programs/own_memory"
compare "own memory, beyond a limit" --resident 1M -- "$programs/own_memory"
compare "own memory, beyond a limit, --no-guard" --resident 1M --no-guard \
	-- "$programs/own_memory"
[ $failures = 0 ]
