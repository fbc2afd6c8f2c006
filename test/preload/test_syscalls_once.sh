#!/bin/bash
# test_syscalls_once.sh -- every call on every kind of memory, on the kernel
# (which is how the comparison shows that it is sound), on lazymap, and on
# lazymap without the trap, where what libc's own functions do still works.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
matrix=$BUILDDIR/test/preload/syscalls
lazymap=$BUILDDIR/lazymap
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

"$matrix" || fail "on the kernel alone"

case ${SANITIZE:-} in
?*)
	echo "the shim's trap is not for sanitizers: on the kernel alone"
	exit $((failures > 0))
	;;
esac
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the trap is for x86-64"
	exit 77
}

"$lazymap" run -- "$matrix" || fail "on lazymap"
"$lazymap" run --resident 8M -- "$matrix" ||
	fail "on lazymap with a resident limit"
"$lazymap" run --cluster 4K --min-size 1 -- "$matrix" ||
	fail "on lazymap, a page a fault, every mapping"

# That the test can fail: calls that libc makes inside itself need the trap.
"$lazymap" run --no-syscall-trap -- "$matrix" >/dev/null &&
	fail "nothing is missed without the trap"
# And these do not.
for call in read write pread pwrite readv writev recv sendmsg recvmsg; do
	"$lazymap" run --no-syscall-trap -- "$matrix" -l $call ||
		fail "$call, without the trap"
done
exit $((failures > 0))
