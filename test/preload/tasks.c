/*
 * tasks.c -- tasks that clone() makes with this process's memory (CLONE_VM without
 * CLONE_VFORK), as threads and as processes, on stacks in lazy memory, with their
 * maker's thread-local storage. Run plainly and under the shim, which have to
 * print the same.
 *
 * What they do uses no state of the C library's.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "cases.h"

#define THREAD                                                                 \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |    \
	 CLONE_SYSVSEM)
#define STACK_PAGES ((size_t)1024)
#define MUCH ((size_t)768)

static _Atomic int ended;
static _Atomic int tid; /* of a task that the kernel tells the end of */
static char *memory;

static void pause_a_moment(void)
{
	struct timespec moment = { 0, 1000000 };

	nanosleep(&moment, NULL);
}

/* It is a process of its own, or a thread that counts itself. */
static bool is_process(int way);

static void wait_for(pid_t child, int way, int before)
{
	int status = 0;

	if (child < 0) {
		printf("clone: %s\n", strerror(errno));
		exit(1);
	}
	if (is_process(way)) {
		waitpid(child, &status, 0);
		if (status)
			printf("task: %x\n", status);
		return;
	}
	while (ended == before)
		pause_a_moment();
}

/* How it is made: by clone(), as a thread or a process; by an instruction. */
enum { THREADS, PROCESSES, CLONE, CLONE3, WAYS };
static int ways = WAYS;

static bool is_process(int way)
{
	return way == PROCESSES || way == CLONE3;
}

#if defined(__x86_64__)
/* What the call leaves in its registers the child looks at. */
#define MADE_BY(nr)                                                            \
	__asm__ volatile("mov $" nr ", %%eax\n\t"                              \
			 "syscall\n\t"                                         \
			 "cmp $0x12345, %%r9\n\t"                              \
			 "jne 2f\n\t"                                          \
			 "test %%rax, %%rax\n\t"                               \
			 "jnz 1f\n\t"                                          \
			 "xor %%ebp, %%ebp\n\t"                                \
			 "sub $128, %%rsp\n\t"                                 \
			 "and $-16, %%rsp\n\t"                                 \
			 "mov %%r13, %%rdi\n\t"                                \
			 "call *%%r12\n\t"                                     \
			 "mov %%eax, %%edi\n\t"                                \
			 "mov $60, %%eax\n\t"                                  \
			 "syscall\n"                                           \
			 "2:\n\t"                                              \
			 "ud2\n"                                               \
			 "1:"                                                  \
			 : "=a"(ret)                                           \
			 : "D"(a), "S"(b), "d"(0L), "r"(r8), "r"(r9),          \
			   "r"(r10), "r"(r12), "r"(r13)                        \
			 : "rcx", "r11", "memory")

static pid_t by_instruction(int way, unsigned long flags, char *stack,
			    int (*fn)(void *), void *argument)
{
	uint64_t args[8] = { flags & ~0xfful,
			     0,
			     0,
			     0,
			     flags & 0xff,
			     (uintptr_t)stack,
			     stack ? STACK_PAGES * PAGE : 0,
			     0 };
	unsigned long a = way == CLONE3 ? (uintptr_t)args : flags;
	unsigned long b = way == CLONE3 ? sizeof(args)
			  : stack       ? (uintptr_t)stack + STACK_PAGES * PAGE
					: 0;
	register long r8 __asm__("r8") = 0;
	register long r9 __asm__("r9") = 0x12345;
	register long r10 __asm__("r10") = 0;
	register int (*r12)(void *) __asm__("r12") = fn;
	register void *r13 __asm__("r13") = argument;
	long ret;

	if (way == CLONE3)
		MADE_BY("435");
	else
		MADE_BY("56");
	return (pid_t)ret;
}
#else
static pid_t by_instruction(int way, unsigned long flags, char *stack,
			    int (*fn)(void *), void *argument)
{
	(void)way;
	return clone(fn,
		     (stack ? stack : lazy(STACK_PAGES)) + STACK_PAGES * PAGE,
		     (int)flags, argument);
}
#endif

static pid_t start(int (*fn)(void *), char *stack, int way, void *argument)
{
	int flags = is_process(way) ? CLONE_VM | SIGCHLD : THREAD;

	if (way == CLONE || way == CLONE3)
		return by_instruction(way, (unsigned)flags, stack, fn,
				      argument);
	return clone(fn, stack + STACK_PAGES * PAGE, flags, argument);
}

/* -- Depth ----------------------------------------------------------------------- */

static unsigned down(unsigned depth)
{
	volatile char frame[1000];

	frame[0] = (char)depth;
	return depth ? down(depth - 1) + (frame[0] == (char)depth) : 1;
}

static unsigned deepest;

static int go_deep(void *unused)
{
	(void)unused;
	deepest = down(3000);
	ended++;
	return 0;
}

static void task_goes_deep_on_a_lazy_stack(void)
{
	for (int way = 0; way < ways; way++) {
		int before = ended;
		char *stack = lazy(STACK_PAGES);

		deepest = 0;
		wait_for(start(go_deep, stack, way, NULL), way, before);
		printf("%u\n", deepest);
	}
}

/* -- Side by side ---------------------------------------------------------------- */

static _Atomic int wrong;

/* Each writes to its own pages and finds what it wrote, in less memory. */
static void churn(char *own, unsigned first, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++)
		for (size_t page = first; page < MUCH; page += 4) {
			volatile char *at = own + page * PAGE;

			if (*at != (char)(round ? round + page : 0))
				wrong++;
			*at = (char)(round + 1 + page);
		}
}

#define ROUNDS 3

static int churn_in_task(void *number)
{
	churn(memory, (unsigned)(uintptr_t)number, ROUNDS);
	ended++;
	return 0;
}

static void tasks_touch_beside_their_maker(void)
{
	for (int way = 0; way < ways; way++) {
		pid_t child[3];

		memory = lazy(MUCH);
		ended = wrong = 0;
		for (uintptr_t i = 0; i < 3; i++)
			child[i] = start(churn_in_task, lazy(STACK_PAGES), way,
					 (void *)(i + 1));
		churn(memory, 0, ROUNDS);
		while (ended < 3)
			pause_a_moment();
		for (int i = 0; i < 3 && is_process(way); i++)
			wait_for(child[i], way, 0);
		printf("%d wrong\n", wrong);
	}
}

/* -- Signals --------------------------------------------------------------------- */

static _Atomic int caught;
static char *touched;

static void on_signal(int sig)
{
	touched[(size_t)sig * PAGE]++;
	caught += down(20) == 21;
}

static int get_signals(void *unused)
{
	uint64_t usr1 = UINT64_C(1) << (SIGUSR1 - 1), old = 0;

	(void)unused;
	down(100);
	/* It has its maker's mask; the signal of before comes now. */
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &usr1, &old, sizeof(old));
	if (!(old & usr1))
		wrong++;
	for (int i = 0; i < 5; i++)
		syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid),
			SIGUSR2);
	ended++;
	return 0;
}

static void task_handles_signals_on_a_lazy_stack(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	touched = lazy(128);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGUSR2, &act, NULL);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	for (int way = 0; way < ways; way++) {
		int before = ended;

		caught = wrong = 0;
		wait_for(start(get_signals, lazy(STACK_PAGES), way, NULL), way,
			 before);
		printf("%d caught, %d wrong\n", caught, wrong);
	}
}

/* -- Masks ----------------------------------------------------------------------- */

static uint64_t seen[3];

static int block_all(void *page)
{
	uint64_t all = ~UINT64_C(0);

	sigprocmask(SIG_SETMASK, NULL, (sigset_t *)&seen[0]);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	down(200);
	touch(page);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &seen[1], sizeof(all));
	ended++;
	while (ended != 2)
		pause_a_moment();
	return 0;
}

/* SIGSEGV and what stands in for it among the signals, in each of them. */
static void masks_are_told_apart(void)
{
	sigset_t sets[2];
	pid_t child;

	sigfillset(&sets[0]);
	sigdelset(&sets[0], SIGSTKFLT);
	sigprocmask(SIG_SETMASK, &sets[0], NULL);
	ended = 0;
	memset(seen, 0, sizeof(seen));
	child = start(block_all, lazy(STACK_PAGES), PROCESSES, lazy(64));
	while (!ended)
		pause_a_moment();
	sigprocmask(SIG_SETMASK, NULL, &sets[1]);
	memcpy(&seen[2], &sets[1], sizeof(seen[2]));
	ended = 2;
	wait_for(child, PROCESSES, 0);
	for (int i = 0; i < 3; i++)
		printf("%llx\n",
		       (unsigned long long)(seen[i] & ~UINT64_C(0x180000000)));
}

/* -- Many ------------------------------------------------------------------------ */

static int end_at_once(void *unused)
{
	(void)unused;
	down(50);
	return 0;
}

/* The program's own word is told of the end. */
static void many_come_and_go(void)
{
	char *stack = lazy(STACK_PAGES);

	for (int i = 0; i < 300; i++) {
		int was;

		tid = -1;
		if (clone(end_at_once, stack + STACK_PAGES * PAGE,
			  THREAD | CLONE_CHILD_CLEARTID |
				  (i % 2 ? CLONE_CHILD_SETTID
					 : CLONE_PARENT_SETTID),
			  NULL, &tid, NULL, &tid) < 0)
			printf("clone: %s\n", strerror(errno));
		while ((was = tid))
			syscall(SYS_futex, &tid, FUTEX_WAIT, was, NULL);
	}
	for (int i = 0; i < 300; i++)
		wait_for(start(end_at_once, stack,
			       i % 2 || ways < WAYS ? PROCESSES : CLONE3, NULL),
			 PROCESSES, 0);
	printf("many\n");
}

static int fork_in_task(void *unused)
{
	pid_t child;
	int status = -1;

	(void)unused;
	down(100);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		down(200);
		touch(memory + 5 * PAGE);
		syscall(SYS_exit_group, memory[5 * PAGE]);
	}
	waitpid(child, &status, 0);
	wrong = WEXITSTATUS(status);
	ended++;
	return 0;
}

static void task_forks(void)
{
	memory = lazy(64);
	memory[5 * PAGE] = 6;
	ended = 0;
	wait_for(start(fork_in_task, lazy(STACK_PAGES), THREADS, NULL), THREADS,
		 0);
	printf("%d %d\n", wrong, memory[5 * PAGE]);
}

/* -- Copies ---------------------------------------------------------------------- */

/* No two alike, and not to be compressed: they go to the swap file. */
static bool fill(size_t page, unsigned round, bool check)
{
	uint64_t *at = (uint64_t *)(memory + page * PAGE);
	uint64_t word = (page + 1) * 0x9E3779B97F4A7C15u + round;

	for (size_t i = 0; i < PAGE / sizeof(*at); i++) {
		word ^= word << 13;
		word ^= word >> 7;
		word ^= word << 17;
		if (check && at[i] != word)
			return false;
		at[i] = word;
	}
	return true;
}

static int read_all(void *go_on)
{
	int fd = (int)(uintptr_t)go_on;
	char byte;

	down(100);
	/* Its parent has gone on to use what the child has to find. */
	while (read(fd, &byte, 1) != 1)
		pause_a_moment();
	wrong = 0;
	for (size_t page = 0; page < MUCH; page++)
		wrong += !fill(page, 0, true);
	return wrong ? 1 : 0;
}

static void child_with_a_copy_made_by_an_instruction(void)
{
	memory = lazy(MUCH);
	for (int way = 0; way < 4; way++) {
		char *stack = way % 2 ? lazy(STACK_PAGES) : NULL;
		int fds[2], status = -1;
		pid_t child;

		if (pipe(fds))
			exit(1);
		for (size_t page = 0; page < MUCH; page++)
			fill(page, 0, false);
		child = by_instruction(way / 2 ? CLONE3 : CLONE, SIGCHLD, stack,
				       read_all, (void *)(uintptr_t)fds[0]);
		for (int round = 0; round < 3; round++)
			for (size_t page = 0; page < MUCH; page++)
				fill(page, (unsigned)round + 1, false);
		if (child < 0 || write(fds[1], "", 1) != 1)
			exit(1);
		waitpid(child, &status, 0);
		printf("%x\n", status);
	}
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(task_goes_deep_on_a_lazy_stack),
		CASE(tasks_touch_beside_their_maker),
		CASE(task_handles_signals_on_a_lazy_stack),
		CASE(masks_are_told_apart),
		CASE(many_come_and_go),
		CASE(task_forks),
		CASE(child_with_a_copy_made_by_an_instruction),
		{ 0 },
	};

	/* Without that one, with no instruction's. */
	if (argc > 1 && argv[1][0] == '-')
		ways = CLONE;
	return run_cases(cases, argc, argv);
}
