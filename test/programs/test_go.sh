#!/bin/bash
# test_go.sh -- programs and a library in Go, with cgo: its runtime sets signals,
# masks and stacks by system calls of its own, and makes others on stacks of a
# few KiB.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need go "${CC:=cc}"
limit=64M
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}

cat >"$work/host.c" <<'EOC'
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static long (*work)(long);
static void *run(void *unused)
{
	for (int i = 0; i < 10; i++)
		work(100);
	return unused;
}
static void handler(int sig)
{
	printf("signal %d\n", sig);
	fflush(stdout);
	_Exit(3);
}
int main(int argc, char **argv)
{
	pthread_t threads[4];
	void *library;
	char *at;
	signal(SIGSEGV, handler);
	library = dlopen(argv[argc - 1], RTLD_NOW);
	if (!library || !(work = dlsym(library, "Work")))
		return !puts(dlerror());
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], 0, run, 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], 0);
	at = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at[5000] = 1;
	printf("the host goes on\n");
	*(volatile int *)0 = 1;
}
EOC
# Go's own library for a shared one takes a minute to compile: once.
export GOCACHE=${GOCACHE:-${HOME:-$work}/.cache/go-build}
export GO111MODULE=off CGO_ENABLED=1
for program in work thread raw; do
	go build -o "$work/$program" "$SRCDIR/test/programs/go/$program.go" || {
		fail "$program does not compile"
		exit 1
	}
done
go build -buildmode=c-shared -o "$work/shared.so" \
	"$SRCDIR/test/programs/go/shared.go" &&
	$CC -o "$work/host" "$work/host.c" -ldl -lpthread ||
	fail "the library does not compile"

everywhere "go: all kinds of work" -- "$work/work"
[ "$faults" -ge 100 ] || fail "go: only $faults faults"
everywhere "go: a thread of another's" -- "$work/thread"
everywhere "go: raw calls" -- "$work/raw"
everywhere "go: raw calls, then exec" -- "$work/raw" exec
everywhere "go: a library" -- "$work/host" "$work/shared.so"

# Without cgo there is no C library in it, and nothing lazy: it runs as it is.
CGO_ENABLED=0 go build -buildmode=pie -o "$work/pure" \
	"$SRCDIR/test/programs/go/pure.go" || fail "pure does not compile"
readelf -lW "$work/pure" | grep -q INTERP || fail "pure is static"
everywhere "go: without cgo" -- "$work/pure"

# How it ends: a panic that nobody recovers, a fault in C. The text has
# addresses in it.
for end in go c; do
	# shellcheck disable=SC2016
	compare "go: the end by a fault in $end" -- sh -c '
		"$1" "$2" >out 2>&1
		echo $?
		grep -E "^panic:|signal (arrived|0x|SIG)" out | sed "s/0x[0-9a-f]*//g"
		rm -f out' sh "$work/work" "$end"
done
[ $failures = 0 ]
