#!/bin/bash
# test_malloc_once.sh -- a malloc of the program's own that maps with its lock
# held, before any constructor of ours has run: starting must not call it.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
failures=0

case ${SANITIZE:-} in
?*)
	echo "skipped: sanitizers have a malloc of their own"
	exit 77
	;;
esac
cd "${TESTDIR:-$(mktemp -d)}" || exit 1

cat >locked.c <<'END'
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define SIZE ((size_t)1 << 20)
static _Atomic int lock;
static char *next, *end;
void *malloc(size_t size)
{
	char *at;

	if (lock++) {
		static const char text[] = "malloc was called from within\n";

		write(2, text, sizeof(text) - 1);
		_exit(9);
	}
	size = (size + 31) & ~(size_t)15;
	if ((size_t)(end - next) < size) {
		size_t len = size < SIZE ? SIZE : size + 4096;

		next = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		end = next + len;
	}
	at = next + 16;
	next += size;
	memcpy(at - 16, &size, sizeof(size));
	lock--;
	return at;
}
void free(void *at) { (void)at; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *at, size_t size)
{
	char *other = malloc(size);
	size_t old = 0;

	if (at)
		memcpy(&old, (char *)at - 16, sizeof(old));
	if (at)
		memcpy(other, at, old - 16 < size ? old - 16 : size);
	return other;
}
/* The first to run, of all constructors. */
__attribute__((constructor)) static void first(void) { malloc(1); }
END
cat >words.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	unsigned long sum = 0;
	char *all[64];

	for (int i = 0; i < 64; i++)
		memset(all[i] = malloc(1 << 18), i, 1 << 18);
	for (int i = 0; i < 64; i++)
		for (int k = 0; k < 1 << 18; k += 512)
			sum += (unsigned long)all[i][k];
	printf("%lu\n", sum);
	return 0;
}
END
{
	${CC:-cc} -O1 -shared -fPIC -w -fno-builtin -o locked.so locked.c &&
		${CC:-cc} -w -o words words.c
} || {
	echo "FAILED: cannot compile"
	exit 1
}
want=$(LD_PRELOAD=$PWD/locked.so ./words) || exit 1
# A build may be without a module.
for options in "" "--resident 4M" "--resident 4M --swap-encrypt" \
	"--trap libsigsegv"; do
	[ "$options" != "--trap libsigsegv" ] ||
		[ -e "$BUILDDIR/lazymap-trap-libsigsegv.so" ] || continue
	case $options in
	*encrypt) [ -e "$BUILDDIR/lazymap-swap-sodium.so" ] || continue ;;
	esac
	# shellcheck disable=SC2086
	got=$(LD_PRELOAD=$PWD/locked.so timeout 60 "$BUILDDIR/lazymap" run \
		--min-size 1 $options -- ./words 2>&1)
	[ "$got" = "$want" ] || {
		echo "FAILED: $options: $got, not $want"
		failures=$((failures + 1))
	}
done
[ $failures = 0 ]
