#!/bin/bash
# test_io.sh -- what is read and written through lazy memory is the same as
# through ordinary memory, errors included; with system calls trapped, and with
# the interposed functions alone.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"

for option in --cluster=64K --cluster=4K; do
	compare "io, $option" $option -- "$programs/io"
	[ "$kernel" -ge 500 ] || fail "io: only $kernel pages for calls"
done
compare "io in 8M" --resident 8M --heap --heap-min 64K -- "$programs/io"
# In a container userfaultfd may be forbidden.
if "$programs/deny" true >/dev/null; then
	compare "io without userfaultfd" -- "$programs/deny" "$programs/io"
	compare "io without userfaultfd in 8M" --resident 8M --heap \
		--heap-min 64K -- "$programs/deny" "$programs/io"
	[ "$kernel" -ge 500 ] || fail "io: only $kernel pages for calls"
else
	echo "no seccomp here: userfaultfd is not forbidden"
fi
# aio's own threads read and write inside the C library.
compare "io, interposed" --no-syscall-trap -- "$programs/io" \
	-aio_reads_and_writes
[ "$kernel" -ge 500 ] || fail "io: only $kernel pages for calls"
[ $failures = 0 ]
