/*
 * preload.c -- the shim's beginning and end.
 *
 * Its functions may be called before its constructor has run, by other
 * libraries' constructors: what it needs is made at the first use, unless that
 * would load a module.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"
#include "signal.h"
#include "task.h"

#include "../area.h"
#include "../fd.h"
#include "../os.h"
#include "../stats.h"
#include "../sync.h"
#include "../syscall/clone.h"
#include "../syscall/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIN_SIZE_DEFAULT ((size_t)64 * 1024)

static _Atomic size_t min_size;
static bool io_uring; /* immutable after the start */
/* Everything goes on as it is while lazymap is being started (by this thread,
 * or so early that no other one calls), and when it could not start. */
enum { NOT_YET, STARTING, ON, OFF };
static _Atomic int state;
static _Atomic int stats_fd = -1;
static uint64_t stats_tag; /* what it is open on */

/* Where the program that runs is the C library itself, it comes before us. */
static void *before_us(const char *name)
{
	void *first = dlsym(RTLD_DEFAULT, name);
	Dl_info ours, its;

	return first && dladdr(&state, &ours) && dladdr(first, &its) &&
			       its.dli_fbase != ours.dli_fbase
		       ? first
		       : NULL;
}

void *lm_real(const char *name, void *_Atomic *kept)
{
	void *real = atomic_load_explicit(kept, memory_order_relaxed);

	if (!real) {
		real = dlsym(RTLD_NEXT, name);
		if (!real)
			real = before_us(name);
		if (!real) {
			lm_os_say("the C library lacks a function that the "
				  "shim stands in front of:");
			lm_os_say(name);
			abort();
		}
		atomic_store_explicit(kept, real, memory_order_relaxed);
	}
	return real;
}

/* What was asked for cannot be had: a program that runs without its limit may
 * take the whole machine. */
static void refuse(const char *why)
{
	if (why)
		lm_os_say(why);
	lm_os_say("the program is not run");
	for (;;)
		lm_sys(SYS_exit_group, 125);
}

static size_t parse_min_size(void)
{
	const char *text = getenv("LAZYMAP_MIN_SIZE");
	size_t size;

	if (!text || !*text)
		return MIN_SIZE_DEFAULT;
	size = lm_start_bytes(text);
	if (!size)
		refuse("LAZYMAP_MIN_SIZE is not a number of bytes, such as 64K");
	return size;
}

/* It is for a library of its own, which is to be preloaded, too. */
static void check_heap(void)
{
	const char *heap = getenv("LAZYMAP_HEAP");
	const char *list = getenv("LD_PRELOAD");

	if (heap && *heap && (!list || !strstr(list, "liblazymap-heap.so")))
		refuse("LAZYMAP_HEAP: liblazymap-heap.so is not preloaded");
}

size_t lm_shim_min_size(void)
{
	size_t size = atomic_load_explicit(&min_size, memory_order_relaxed);

	if (!size) {
		size = parse_min_size();
		atomic_store_explicit(&min_size, size, memory_order_relaxed);
	}
	return size;
}

/* Before the program can change its environment. */
static void read_io_uring(void)
{
	const char *text = getenv("LAZYMAP_IO_URING");

	io_uring = text && *text && strcmp(text, "0") != 0;
}

bool lm_shim_io_uring(void)
{
	return io_uring;
}

/* What Valgrind has faulted it does not begin anew as it was: registers are late,
 * a step of a rep instruction counts as done. The program would go on with wrong
 * bytes. */
static bool in_valgrind(void)
{
	const char *list = getenv("LD_PRELOAD");

	return list && strstr(list, "/vgpreload_core");
}

/* Who called keeps its errno: it is a call of the program's that became the
 * first one, or the program is to find 0 in its main function. */
static void start(void)
{
	int error = errno;
	const char *resident = getenv("LAZYMAP_RESIDENT");
	int before = NOT_YET, after = ON;

	if (!atomic_compare_exchange_strong(&state, &before, STARTING))
		return;
	lm_process_start();
	lm_robust_start();
	read_io_uring();
	check_heap();
	lm_shim_min_size();
	if (in_valgrind()) {
		if (resident && *resident)
			refuse("faults cannot be served in Valgrind");
		lm_os_say("faults cannot be served in Valgrind; "
			  "the program runs without it");
		after = OFF;
	} else if (lm_start() < 0) {
		if (lm_start_refused())
			refuse(NULL);
		lm_os_say("cannot start here; the program runs without it");
		after = OFF;
	} else {
		lm_signal_start();
	}
	atomic_store(&state, after);
	errno = error;
}

/* What has to load a module allocates; and who calls before our constructor may
 * be malloc, with its locks held. Then memory is the kernel's until there. */
static bool loads_a_module(void)
{
	const char *trap = getenv("LAZYMAP_TRAP");
	const char *encrypt = getenv("LAZYMAP_SWAP_ENCRYPT");

	return (trap && !strcmp(trap, "libsigsegv")) ||
	       (encrypt && *encrypt && strcmp(encrypt, "0") != 0);
}

int lm_shim_off(void)
{
	int now = atomic_load_explicit(&state, memory_order_relaxed);

	if (now == ON)
		return 0;
	/* Until the C library has its environment (an IFUNC's resolver may
	 * call), nothing can be started. */
	if (now == NOT_YET && environ && !loads_a_module())
		start();
	return atomic_load_explicit(&state, memory_order_relaxed) != ON;
}

static void keep_stats(int fd)
{
	stats_tag = lm_fd_tag(fd);
	atomic_store(&stats_fd, fd);
	lm_fd_keep(&stats_fd);
}

/* Standard error may be closed, or be the program's own file, by the time the
 * table is printed: keep a descriptor of what it is now. */
static void open_stats(void)
{
	const char *to = getenv("LAZYMAP_STATS");
	int fd;

	if (!to || !*to || !strcmp(to, "0"))
		return;
	if (!strcmp(to, "1"))
		fd = (int)lm_sys(SYS_fcntl, 2, F_DUPFD_CLOEXEC, 3);
	else
		fd = (int)lm_sys(SYS_openat, AT_FDCWD, to,
				 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				 0666);
	if (fd < 0)
		lm_os_say("the file for the statistics cannot be opened");
	else
		keep_stats(lm_fd_hide(fd));
}

/* The children run without the shim: LAZYMAP_FOLLOW=0. Of LD_PRELOAD only our
 * own libraries are taken out. */
static void do_not_follow(void)
{
	const char *follow = getenv("LAZYMAP_FOLLOW");
	const char *list = getenv("LD_PRELOAD");
	char *copy, *rest, *item, *save;

	if (!follow || strcmp(follow, "0") || !list)
		return;
	copy = strdup(list);
	rest = calloc(1, strlen(list) + 1);
	if (copy && rest) {
		for (item = strtok_r(copy, " :", &save); item;
		     item = strtok_r(NULL, " :", &save)) {
			if (strstr(item, "liblazymap-"))
				continue;
			if (*rest)
				strcat(rest, ":");
			strcat(rest, item);
		}
		if (*rest)
			setenv("LD_PRELOAD", rest, 1);
		else
			unsetenv("LD_PRELOAD");
	}
	free(copy);
	free(rest);
}

__attribute__((constructor)) static void begin(void)
{
	int error = errno;

	/* The program is the C library itself, which says what it is and has
	 * nothing else begun. */
	if (!environ) {
		atomic_store(&state, OFF);
		return;
	}
	start();
	if (!lm_shim_off() && lm_options.syscall_trap >= 0) {
		lm_hook_shim(lm_raw_call, lm_shim_vforked);
		lm_hook_exec(lm_exec_spawned);
		lm_clone_by(&lm_clone_raw);
		lm_hook_start(); /* where it cannot be, the wrappers are */
	}
	open_stats();
	lm_exec_start();
	do_not_follow();
	/* The first one of all, so that it is called last. */
	at_quick_exit(lm_shim_end);
	errno = error;
}

/* At a normal end, by exit or _exit: once in each process. */
void lm_shim_end(void)
{
	static _Atomic int pid;
	int fd = atomic_load(&stats_fd), me, len;
	char line[256];

	/* With nothing to do, no call is made: the program's own seccomp filter
	 * may let it do no more than end. */
	if (lm_shim_off() || (fd < 0 && !lm_sync_ever() && !lm_robust_held()))
		return;
	me = (int)lm_sys(SYS_getpid);
	if (lm_shim_vforked() || atomic_exchange(&pid, me) == me)
		return;
	lm_exit_flush();
	lm_robust_pin();
	/* A program that makes its system calls itself may have put a file of
	 * its own there. */
	if (fd < 0 || lm_fd_tag(fd) != stats_tag)
		return;
	len = snprintf(line, sizeof(line), "lazymap: %s, process %d\n",
		       program_invocation_short_name, me);
	lm_sys(SYS_write, fd, line, len);
	lm_stats_print(fd);
}

__attribute__((destructor)) static void end(void)
{
	lm_shim_end();
}
