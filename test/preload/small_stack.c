/*
 * small_stack.c -- system calls on a stack that ends where the call is made, in
 * an object that says of itself that it is Go's: every byte below is out of
 * reach. Signals come on an alternate stack meanwhile, and make calls, too.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "cases.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

#ifdef __x86_64__

/* What its linker writes: owner "Go", type 4. */
__asm__(".pushsection .note.go.buildid,\"a\",@note\n"
	".balign 4\n"
	".long 4, 4, 4\n"
	".asciz \"Go\"\n"
	".balign 4\n"
	".long 0\n"
	".popsection\n");

/* On the stack whose top is `stack`: the call, by way of Go's last instructions,
 * or of its mov for some calls. What a call leaves alone is looked at. */
long on_stack(void *stack, long nr, long a, long b, long c, long d);
long uname_on_stack(void *stack, long a);
int end_on_stack(void *stack);
long mask_on_stack(void *stack, long a, long b, long c, long d);
__asm__(".text\n.balign 16\n"
#define ENTER                                                                  \
	"push %rbp\n"                                                          \
	"push %rbx\n"                                                          \
	"push %r12\n"                                                          \
	"mov %rsp, %r12\n"                                                     \
	"mov %rdi, %rsp\n"                                                     \
	"mov %rdi, %rbp\n"
#define LEAVE                                                                  \
	"cmp %rbp, %rsp\n"                                                     \
	"jne 9f\n"                                                             \
	"mov %r12, %rsp\n"                                                     \
	"pop %r12\n"                                                           \
	"pop %rbx\n"                                                           \
	"pop %rbp\n"                                                           \
	"ret\n"                                                                \
	"9: ud2\n"
	".globl on_stack\n.type on_stack,@function\n"
	"on_stack:\n" ENTER "mov %rsi, %rax\n" /* nr */
	"mov %rdx, %rbx\n"                     /* a, b, c, d as Go has them */
	"mov %r8, %rdi\n"
	"mov %r9, %rsi\n"
	"xor %r8, %r8\n"
	"xor %r9, %r9\n"
	"mov %rsi, %r10\n"
	"mov %rdi, %rdx\n"
	"mov %rcx, %rsi\n"
	"mov %rbx, %rdi\n"
	"syscall\n"
	"cmp %rbx, %rdi\n"
	"jne 9f\n" LEAVE ".size on_stack, .-on_stack\n"
	".globl uname_on_stack\n.type uname_on_stack,@function\n"
	"uname_on_stack:\n" ENTER "mov %rsi, %rdi\n"
	"mov $63, %eax\n"
	"syscall\n" LEAVE ".size uname_on_stack, .-uname_on_stack\n"
	".globl mask_on_stack\n.type mask_on_stack,@function\n"
	"mask_on_stack:\n" ENTER "mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"mov %r8, %r10\n"
	".byte 0x48, 0xc7, 0xc0\n" /* mov $14, %rax: of seven bytes */
	".long 14\n"
	"syscall\n" LEAVE ".size mask_on_stack, .-mask_on_stack\n"
	".globl end_on_stack\n.type end_on_stack,@function\n"
	"end_on_stack:\n"
	"mov %rdi, %rsp\n"
	"xor %edi, %edi\n"
	"mov $60, %eax\n"
	"syscall\n"
	".size end_on_stack, .-end_on_stack\n");

static char *more;
static size_t used;

/* A page that has not been touched. */
static char *next(void)
{
	return more + PAGE * used++;
}

/* Its lowest byte is a page's first, and the page before is out of reach. */
static void *small(void)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE);
	return memory + PAGE;
}

static void alternate(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&stack, NULL);
}

static void calls_reach_lazy_memory(void)
{
	void *stack = small();
	char *at = next();

	printf("%ld", uname_on_stack(stack, (long)at));
	printf(" %s\n", at);
	at = next();
	printf("%ld", on_stack(stack, SYS_uname, (long)at, 0, 0, 0));
	printf(" %s\n", at);
	printf("%ld\n", uname_on_stack(stack, 8));
	printf("%ld\n", on_stack(stack, SYS_uname, 8, 0, 0, 0));
	printf("%d\n", on_stack(stack, SYS_getppid, 0, 0, 0, 0) == getppid());
}

static void signals_are_set(void)
{
	uint64_t all = ~(uint64_t)0, old = 1;
	void *stack = small();

	printf("%ld", mask_on_stack(stack, SIG_SETMASK, (long)&all, 0, 8));
	touch(next());
	printf(" %ld", mask_on_stack(stack, SIG_SETMASK, 0, (long)&old, 8));
	printf(" %lx\n", old);
	touch(next());
	all = 0;
	printf("%ld", on_stack(stack, SYS_rt_sigprocmask, SIG_SETMASK,
			       (long)&all, (long)&old, 8));
	printf(" %lx\n", old);
	printf("%ld\n", mask_on_stack(stack, 77, (long)&all, 8, 8));
	printf("%ld\n", mask_on_stack(stack, SIG_BLOCK, 8, 8, 8));
}

static int inner[2], enough[2];
static volatile sig_atomic_t count, wrong;

static void on_signal(int sig)
{
	/* On the alternate stack, a little further down. */
	void *here = (char *)__builtin_frame_address(0) - 8192;
	struct timespec soon = { 0, 1000 };
	char *at = next();

	(void)sig;
	if (write(inner[1], "in", 3) != 3 ||
	    on_stack(here, SYS_read, inner[0], (long)at, 3, 0) != 3 ||
	    strcmp(at, "in") != 0)
		wrong++;
	if (uname_on_stack(here, (long)next()))
		wrong++;
	on_stack(here, SYS_nanosleep, (long)&soon, (long)next(), 0, 0);
	if (++count == 5 && write(enough[1], "", 1) != 1)
		wrong++;
}

/* A call that waits on the thread's other stack is interrupted by handlers that
 * make calls. */
static void *interrupted(void *unused)
{
	struct sigaction act = { .sa_handler = on_signal,
				 .sa_flags = SA_ONSTACK | SA_RESTART };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	int outer[2];
	char *at = next();
	void *stack = small();
	pid_t child;

	alternate();
	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (pipe(outer) || pipe(inner) || pipe(enough) ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer))
		return NULL;
	sigaction(SIGUSR1, &act, NULL);
	child = fork();
	if (!child) {
		char byte;

		/* Not before handlers have come, however slowly. */
		if (read(enough[0], &byte, 1) != 1)
			_exit(1);
		usleep(100000);
		_exit(write(outer[1], "out", 4) != 4);
	}
	timer_settime(timer, 0, &often, NULL);
	printf("%ld", on_stack(stack, SYS_read, outer[0], (long)at, 4, 0));
	often = (struct itimerspec){ 0 };
	timer_settime(timer, 0, &often, NULL);
	printf(" %s, %d handlers, %d wrong\n", at, count >= 5, wrong);
	timer_delete(timer);
	return unused;
}

/* A task that has this thread's storage is on a stack of its own meanwhile. */
static _Atomic int ended, wrong_beside, tid;

static int call_beside(void *at)
{
	char *here = (char *)__builtin_frame_address(0) - 8192;

	for (int i = 0; i < 20000; i++)
		if (uname_on_stack((void *)((uintptr_t)here & ~(uintptr_t)15),
				   (long)at))
			wrong_beside++;
	ended = 1;
	return 0;
}

static void task_makes_calls_beside(void)
{
	char *stack = lazy(64), *at = next();
	struct timespec moment = { 0, 1000000 };
	void *few = small();

	if (clone(call_beside, stack + 64 * PAGE,
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			  CLONE_THREAD | CLONE_SYSVSEM,
		  next()) < 0)
		exit(1);
	for (int i = 0; i < 20000 || !ended; i++)
		if (uname_on_stack(few, (long)at))
			wrong_beside++;
	nanosleep(&moment, NULL);
	/* Where it began it ends, at the very top, as Go's do. */
	for (int i = 0; i < 200; i++) {
		tid = 1;
		if (clone(end_on_stack, stack + 64 * PAGE,
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				  CLONE_THREAD | CLONE_SYSVSEM |
				  CLONE_CHILD_CLEARTID,
			  stack + 64 * PAGE, NULL, NULL, &tid) < 0)
			exit(1);
		while (tid)
			if (uname_on_stack(few, (long)at))
				wrong_beside++;
	}
	printf("%d wrong\n", wrong_beside);
}

static void handlers_make_calls_meanwhile(void)
{
	interrupted(NULL);
}

static void so_in_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		count = 0;
		pthread_create(&thread, NULL, interrupted, NULL);
		pthread_join(thread, NULL);
	}
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(calls_reach_lazy_memory),
		CASE(signals_are_set),
		CASE(handlers_make_calls_meanwhile),
		CASE(task_makes_calls_beside),
		CASE(so_in_threads),
		{ NULL, NULL },
	};

	more = lazy(4096);
	return run_cases(cases, argc, argv);
}

#else

int main(void)
{
	return 0;
}

#endif
