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
#define MUCH ((size_t)2048)

static _Atomic int ended;
static _Atomic int tid; /* of a task that the kernel tells the end of */
static char *memory;

static void pause_a_moment(void)
{
	struct timespec moment = { 0, 1000000 };

	nanosleep(&moment, NULL);
}

/* It is a process of its own, or a thread that counts itself. */
static void wait_for(pid_t child, bool process, int before)
{
	int status = 0;

	if (child < 0) {
		printf("clone: %s\n", strerror(errno));
		exit(1);
	}
	if (process) {
		waitpid(child, &status, 0);
		if (status)
			printf("task: %x\n", status);
		return;
	}
	while (ended == before)
		pause_a_moment();
}

static pid_t start(int (*fn)(void *), char *stack, bool process, void *argument)
{
	return clone(fn, stack + STACK_PAGES * PAGE,
		     process ? CLONE_VM | CLONE_SIGHAND | SIGCHLD : THREAD,
		     argument);
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
	for (int process = 0; process < 2; process++) {
		int before = ended;
		char *stack = lazy(STACK_PAGES);

		deepest = 0;
		wait_for(start(go_deep, stack, process, NULL), process, before);
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
	for (int process = 0; process < 2; process++) {
		pid_t child[3];

		memory = lazy(MUCH);
		ended = wrong = 0;
		for (uintptr_t i = 0; i < 3; i++)
			child[i] = start(churn_in_task, lazy(STACK_PAGES),
					 process, (void *)(i + 1));
		churn(memory, 0, ROUNDS);
		while (ended < 3)
			pause_a_moment();
		for (int i = 0; i < 3 && process; i++)
			wait_for(child[i], process, 0);
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
	for (int process = 0; process < 2; process++) {
		int before = ended;

		caught = wrong = 0;
		wait_for(start(get_signals, lazy(STACK_PAGES), process, NULL),
			 process, before);
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
	child = start(block_all, lazy(STACK_PAGES), true, lazy(64));
	while (!ended)
		pause_a_moment();
	sigprocmask(SIG_SETMASK, NULL, &sets[1]);
	memcpy(&seen[2], &sets[1], sizeof(seen[2]));
	ended = 2;
	wait_for(child, true, 0);
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
		wait_for(start(end_at_once, stack, true, NULL), true, 0);
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
	wait_for(start(fork_in_task, lazy(STACK_PAGES), false, NULL), false, 0);
	printf("%d %d\n", wrong, memory[5 * PAGE]);
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
		{ 0 },
	};

	return run_cases(cases, argc, argv);
}
