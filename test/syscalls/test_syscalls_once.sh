#!/bin/bash
# test_syscalls_once.sh -- every call on every kind of memory, on the kernel
# (which is how the comparison shows that it is sound, and where a row of the
# table that no case has is found), on lazymap, and on lazymap without the trap,
# where what libc's own functions do still works.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
matrix=$BUILDDIR/test/syscalls/syscalls
lazymap=$BUILDDIR/lazymap
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# Memory that was to be swapped out was.
went_out() {
	awk '/pieces of memory went out/ { n++; if ($1 * 100 < $3 * 95) bad++ }
		END { exit bad || n != 1 }' said || fail "little went out $1"
}

case ${SANITIZE:-} in
?*)
	echo "skipped: the shim's trap is not for sanitizers"
	exit 77
	;;
esac

cd "${TESTDIR:-$(mktemp -d)}" || exit 1
"$matrix" -n kernel || fail "on the kernel alone"

[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the trap is for x86-64"
	exit 77
}

# Rings have rows, too.
export LAZYMAP_IO_URING=1
"$lazymap" run -- "$matrix" -n lazymap || fail "on lazymap"
# What is wrong with ordinary memory, too, no run can tell alone.
diff kernel lazymap >differs || {
	head -n 20 differs
	fail "ordinary memory is another thing on lazymap"
}
"$lazymap" run --resident 8M --cluster 4K --min-size 1 -- "$matrix" >said ||
	fail "on lazymap, a page a fault, every mapping, with a resident limit"
cat said
went_out "of a limited process"
"$lazymap" run --resident 8M --swap-pool 64K -- "$matrix" -s >said ||
	fail "on lazymap, swapped out to a file"
cat said
went_out "to a file"

# That the test can fail: calls that libc makes inside itself need the trap.
"$lazymap" run --no-syscall-trap --resident 8M -- "$matrix" -s >/dev/null &&
	fail "nothing is missed without the trap"
# And these do not.
for call in read write pread pwrite readv writev recv sendmsg recvmsg; do
	"$lazymap" run --no-syscall-trap -- "$matrix" -l $call ||
		fail "$call, without the trap"
done
exit $((failures > 0))
