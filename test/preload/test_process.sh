#!/bin/bash
# test_process.sh -- children, the programs they become, and the ends of a
# process: what comes out is the same under the shim, and the shim follows.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/compare.sh"
: "${CC:=cc}"

# tables NAME N: so many processes called NAME told statistics.
tables() {
	local n
	n=$(grep -c "^lazymap: $1," "$work/stats")
	[ "$n" = "$2" ] || fail "$n of $2 processes $1 told statistics"
}

for trap_name in native libsigsegv; do
	[ $trap_name = native ] ||
		[ -e "$BUILDDIR/lazymap-trap-$trap_name.so" ] || continue
	compare "process, $trap_name" --trap $trap_name -- "$programs/process"
	[ "$faults" -ge 100 ] || fail "process: only $faults faults"
done
compare "atfork handlers kept by the program" -- "$programs/atfork"
compare "process in 1M" --resident 1M --heap --heap-min 64K -- \
	"$programs/process"
# There the children of posix_spawn have the default action.
compare "process, without the syscall trap" --no-syscall-trap -- \
	"$programs/process" -ignored_fault_is_handed_down

# The shim follows into every program that is started, whatever environment it
# is given: the two that run the cases, ten ways twice; two shells, twice.
compare "own environments" -- "$programs/process" \
	programs_start_with_environments_of_their_own
tables process 22
tables sh 4
compare "own environments, --no-follow" --no-follow -- "$programs/process" \
	programs_start_with_environments_of_their_own
tables process 2
tables sh 0

# Ends: the first process and the case; of the seven ends all but abort; once
# each.
compare "ends" -- "$programs/process" ends_in_every_way
tables process 8

# With --stats there is a time, and it is not nothing.
grep -qE '^ +microseconds in faults +[1-9]' "$work/stats" ||
	fail "no time in faults"

# A library's constructor, which runs before the shim's, maps and touches, and
# has its errno kept; a thread is started there, too, and signals are set.
cat >"$work/early.c" <<'EOF'
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static char *early;
static int error;
static char *map(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static int one(void) { return 1; }
static int (*choose(void))(void)
{
	/* Long before main, the C library's own start included. */
	char *page = map(8192);
	page[5000] = 1;
	munmap(page, 8192);
	return one;
}
int chosen(void) __attribute__((ifunc("choose")));
static void *run(void *at)
{
	memset(at, 7, 100000);
	return at;
}
static void handler(int sig)
{
	early[300000] = (char)sig;
}
__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;
	errno = 77;
	early = map(1 << 20);
	error = errno;
	early[5] = 5;
	signal(SIGUSR1, handler);
	pthread_create(&thread, NULL, run, early + 100000);
	pthread_join(thread, NULL);
	raise(SIGUSR1);
}
__attribute__((destructor)) static void end(void)
{
	early[700000] = 1;
	dprintf(1, "%d %d %d %d\n", early[5], early[150000], early[300000],
		error);
}
EOF
cat >"$work/late.c" <<'EOF'
#include <dlfcn.h>
#include <stdio.h>
int chosen(void);
int main(int argc, char **argv)
{
	void *library = dlopen(argv[argc - 1], RTLD_NOW);
	printf("%d %d\n", chosen(), library != NULL);
	if (library)
		dlclose(library);
	return 0;
}
EOF
if $CC -shared -fPIC -o "$work/libearly.so" "$work/early.c" -lpthread &&
	cp "$work/early.c" "$work/plugin.c" &&
	$CC -shared -fPIC -o "$work/plugin.so" "$work/plugin.c" -lpthread &&
	$CC -o "$work/late" "$work/late.c" -L"$work" -learly \
		-Wl,-rpath,"$work" -ldl; then
	compare "constructors and dlopen" -- "$work/late" "$work/plugin.so"
	[ "$faults" -ge 5 ] || fail "constructors: only $faults faults"
else
	fail "the library with a constructor does not compile"
fi

# Threads start in a locale whose data an allocator of the program's own has put
# into lazy memory, where it was evicted.
cat >"$work/locale.c" <<'EOF'
#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#define HEAP ((size_t)64 << 20)
static _Atomic size_t used;
static char *_Atomic heap;
void *malloc(size_t n)
{
	char *none = NULL, *new;
	if (!heap) {
		new = mmap(NULL, HEAP, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!atomic_compare_exchange_strong(&heap, &none, new))
			munmap(new, HEAP);
	}
	/* A page between any two. */
	n = ((n + 15) & ~(size_t)15) + 4096 + 16;
	new = heap + atomic_fetch_add(&used, n) + 16;
	memcpy(new - 8, &n, sizeof(n));
	return new;
}
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t n)
{
	char *new = malloc(n);
	size_t was;
	if (p) {
		memcpy(&was, (char *)p - 8, sizeof(was));
		memcpy(new, p, was - 4112 < n ? was - 4112 : n);
	}
	return new;
}
static void *run(void *arg) { return arg; }
int main(void)
{
	pthread_t thread;
	size_t len = (size_t)16 << 20;
	char *much = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	puts(setlocale(LC_ALL, "C.UTF-8") ? "set" : "not");
	for (int i = 0; i < 20; i++) {
		for (size_t at = 0; at < len; at += 4096)
			much[at] = (char)i;
		if (pthread_create(&thread, NULL, run, NULL))
			return 1;
		pthread_join(thread, NULL);
	}
	return 0;
}
EOF
if $CC -o "$work/locale" "$work/locale.c" -lpthread; then
	compare "threads in a lazy locale" --resident 1M -- "$work/locale"
	compare "threads in a lazy locale, --no-guard" --resident 1M \
		--no-guard -- "$work/locale"
else
	fail "the program with a locale does not compile"
fi

# Threads of the C library's own, in which all signals are blocked, touch what the
# program gave them: a request, an event's value.
cat >"$work/helpers.c" <<'EOF'
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#define MUCH ((size_t)16 << 20)
static _Atomic int told;
static char *map(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void tell(union sigval value) { told = *(int *)value.sival_ptr; }
int main(void)
{
	char *much = map(MUCH), *buf = map(1 << 20);
	struct aiocb *request = (void *)map(1 << 16);
	const struct aiocb *list[1] = { request };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_notify_function = tell };
	struct itimerspec soon = { { 0, 0 }, { 0, 50000000 } };
	struct timespec while_ = { 0, 10000000 };
	timer_t timer;
	int fd[2];

	if (pipe(fd))
		return 1;
	for (int i = 0; i < 5; i++) {
		memset(request, 0, sizeof(*request));
		request->aio_fildes = fd[0];
		request->aio_buf = buf;
		request->aio_nbytes = 4096;
		request->aio_sigevent.sigev_notify = SIGEV_NONE;
		if (aio_read(request))
			return 1;
		memset(much, i, MUCH);
		if (write(fd[1], much, 4096) != 4096)
			return 1;
		while (aio_error(request) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		printf("%zd %d\n", aio_return(request), buf[4000]);
	}
	buf[65536] = 7;
	event.sigev_value.sival_ptr = buf + 65536;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &soon, NULL))
		return 1;
	memset(much, 9, MUCH);
	while (!told)
		nanosleep(&while_, NULL);
	printf("told %d\n", told);
	return 0;
}
EOF
if $CC -o "$work/helpers" "$work/helpers.c" -lrt -lpthread; then
	compare "the C library's threads" --resident 1M -- "$work/helpers"
	compare "the C library's threads, --no-guard" --resident 1M \
		--no-guard -- "$work/helpers"
else
	fail "the program with threads of the C library does not compile"
fi

# A program whose own filter lets it do little more may end, in all ways, with
# lazy memory or without.
cat >"$work/strict.c" <<'EOF'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define RET(what) BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW(nr)                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
	RET(SECCOMP_RET_ALLOW)
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(SYS_write), ALLOW(SYS_exit_group),
	RET(SECCOMP_RET_KILL_PROCESS),
};
int main(int argc, char **argv)
{
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	int how = argc > 1 ? atoi(argv[1]) : 0;
	if (how >= 3) {
		char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		at[5000] = 1;
		how -= 3;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 77;
	if (write(1, "in\n", 3) != 3)
		return 1;
	if (how == 0)
		_exit(40);
	if (how == 1)
		syscall(SYS_exit_group, 41);
	return 42;
}
EOF
if $CC -o "$work/strict" "$work/strict.c"; then
	for how in 0 1 2 3 4 5; do
		"$work/strict" $how >"$work/plain.out" 2>&1
		plain=$?
		"$lazymap" run -- "$work/strict" $how >"$work/lazy.out" 2>&1
		lazy=$?
		[ $plain = 77 ] || [ $plain = $((how % 3 + 40)) ] ||
			fail "strict $how: $plain without the shim"
		[ $plain = $lazy ] || fail "strict $how: $plain, $lazy"
		cmp "$work/plain.out" "$work/lazy.out" || fail "strict $how"
	done
else
	fail "the program with a filter does not compile"
fi

# Static children run untouched.
cat >"$work/static.c" <<'EOF'
#include <stdio.h>
#include <stdlib.h>
int main(void) { puts("static"); return malloc(1000000) ? 3 : 4; }
EOF
if $CC -static -o "$work/static" "$work/static.c" 2>"$work/said"; then
	compare "a static child" -- sh -c "$work/static; echo \$?"
else
	echo "no static C library: $(tail -n 1 "$work/said")"
fi

# So do children that raise their privileges.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$(command -v id)" "$work/id" && chmod 4755 "$work/id"
	chmod 755 "$work"
	compare "a setuid child" -- setpriv --reuid=65534 --clear-groups \
		"$work/id" -u
fi
[ $failures = 0 ]
