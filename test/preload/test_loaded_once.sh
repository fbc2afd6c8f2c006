#!/bin/bash
# test_loaded_once.sh -- objects that are loaded later make system calls on lazy
# memory as those that were there from the start.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
loaded=$BUILDDIR/test/preload/loaded
lazymap=$BUILDDIR/lazymap
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

case ${SANITIZE:-} in
?*)
	echo "skipped: the hooks are not for sanitizers"
	exit 77
	;;
esac
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}
cd "${TESTDIR:-$(mktemp -d)}" || exit 1

cat >raw.h <<'END'
static inline long raw(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}
END
cat >plug.c <<'END'
#include "raw.h"
#include <sys/mman.h>
#include <sys/syscall.h>
long plug_constructed = 1;
long plug_uname(char *at) { return raw(SYS_uname, (long)at, 0, 0, 0); }
long plug_pread(int fd, char *at, unsigned long len, long offset)
{
	return raw(SYS_pread64, fd, (long)at, (long)len, offset);
}
__attribute__((constructor)) static void begin(void)
{
	char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	plug_constructed = plug_uname(at + 5000);
	munmap(at, 1 << 20);
}
__attribute__((destructor)) static void end(void)
{
	begin();
}
END
cat >dep.c <<'END'
#include "raw.h"
#include <sys/syscall.h>
#include <sys/uio.h>
long dep_writev(int fd, struct iovec *iov, long count)
{
	return raw(SYS_writev, fd, (long)iov, count, 0);
}
END
mkdir beside
shared() {
	${CC:-cc} -O2 -shared -fPIC -o "$@" || {
		echo "skipped: no compiler for shared objects"
		exit 77
	}
}
shared beside/libdep.so dep.c
shared plug.so plug.c -Wl,--no-as-needed -Lbeside -ldep \
	-Wl,-rpath,"\$ORIGIN/beside"
shared beside/libgone.so dep.c
shared lost.so plug.c -Wl,--no-as-needed -Lbeside -lgone
rm beside/libgone.so
for ((i = 0; i < 24; i++)); do
	cp plug.so plug$i.so
done

"$loaded" . || fail "on the kernel alone"
for options in '' '--min-size 1' '--resident 8M --cluster 4K'; do
	# shellcheck disable=SC2086
	"$lazymap" run $options -- "$loaded" . || fail "on lazymap $options"
done
"$lazymap" run --no-syscall-trap -- "$loaded" . >/dev/null &&
	fail "nothing is missed without the hooks"
exit $((failures > 0))
