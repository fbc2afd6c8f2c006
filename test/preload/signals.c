/*
 * signals.c -- actions and handlers for SIGSEGV and others, told apart by what
 * is printed: which signal, where, how it ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

static sigjmp_buf back;
static char *page; /* no access */
static char *more; /* lazy */
static volatile sig_atomic_t count;

static int blocked(int sig)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, sig);
}

static void describe(int sig, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	touch(more + PAGE * (size_t)count);
	printf("signal %d, signo %d, code %d, errno %d, offset %ld; blocked "
	       "%d %d, before %d %d\n",
	       sig, info->si_signo, info->si_code, info->si_errno,
	       info->si_code > 0 ? (long)((char *)info->si_addr - page) : 0,
	       blocked(SIGSEGV), blocked(SIGUSR1),
	       sigismember(&machine->uc_sigmask, SIGSEGV),
	       sigismember(&machine->uc_sigmask, SIGUSR1));
#ifdef __x86_64__
	if (info->si_code > 0)
		printf("error %llx, trap %lld\n",
		       machine->uc_mcontext.gregs[REG_ERR],
		       machine->uc_mcontext.gregs[REG_TRAPNO]);
#endif
}

static void jump(int sig, siginfo_t *info, void *context)
{
	describe(sig, info, context);
	if (++count < 20)
		siglongjmp(back, 1);
}

static void repair(int sig, siginfo_t *info, void *context)
{
	describe(sig, info, context);
	count++;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void set(int sig, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = { .sa_sigaction = handler,
				 .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&act.sa_mask);
	if (sigaction(sig, &act, NULL))
		perror("sigaction");
}

static void prepare(void)
{
	page = lazy(1);
	more = lazy(64);
	mprotect(page, PAGE, PROT_NONE);
}

static void null_pointer_kills(void)
{
	touch(more);
	*(volatile int *)NULL = 1;
}

static void jump_to_null_kills(void)
{
	void (*volatile nowhere)(void) = NULL;

	nowhere();
}

static void null_pointer_dumps_core_as_before(void)
{
	struct rlimit core;
	char directory[] = "/tmp/cores.XXXXXX";
	int status;
	pid_t child;

	getrlimit(RLIMIT_CORE, &core);
	if (!mkdtemp(directory) || chdir(directory))
		return;
	child = fork();
	if (!child) {
		core.rlim_cur = core.rlim_max;
		setrlimit(RLIMIT_CORE, &core);
		*(volatile int *)NULL = 1;
	}
	waitpid(child, &status, 0);
	printf("core %d\n", WCOREDUMP(status));
	if (chdir("/") || rmdir(directory))
		printf("a core file\n");
}

static void handler_sees_the_fault(void)
{
	set(SIGSEGV, repair, 0);
	page[17] = 1;
	printf("%d\n", page[17]);
}

static void handler_sees_a_read(void)
{
	set(SIGSEGV, repair, SA_NODEFER);
	printf("%d\n", *(volatile char *)(page + 3));
}

static void handler_sees_a_null_pointer(void)
{
	set(SIGSEGV, jump, 0);
	page = NULL;
	if (!sigsetjmp(back, 1))
		*(volatile int *)(page + 8) = 1;
	printf("blocked after %d\n", blocked(SIGSEGV));
}

static void handler_is_jumped_out_of_again_and_again(void)
{
	set(SIGSEGV, jump, 0);
	for (volatile int i = 0; i < 5; i++)
		if (!sigsetjmp(back, 1))
			page[i] = 1;
	printf("count %d, blocked %d\n", count, blocked(SIGSEGV));
}

static void second_fault_after_a_jump_without_the_mask_kills(void)
{
	set(SIGSEGV, jump, 0);
	for (volatile int i = 0; i < 2; i++)
		if (!sigsetjmp(back, 0))
			page[i] = 1;
}

static void second_fault_with_nodefer_is_handled(void)
{
	set(SIGSEGV, jump, SA_NODEFER);
	for (volatile int i = 0; i < 3; i++)
		if (!sigsetjmp(back, 0))
			page[i] = 1;
}

static void nested(int sig, siginfo_t *info, void *context)
{
	describe(sig, info, context);
	if (++count == 1)
		page[2 * count] = 1;
	else
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	printf("level ended\n");
}

static void fault_in_the_handler_kills(void)
{
	set(SIGSEGV, nested, 0);
	page[0] = 1;
}

static void fault_in_the_handler_with_nodefer_nests(void)
{
	set(SIGSEGV, nested, SA_NODEFER);
	page[0] = 1;
}

static void one_shot_handler_runs_once(void)
{
	struct sigaction now;

	set(SIGSEGV, jump, (int)SA_RESETHAND);
	if (!sigsetjmp(back, 1))
		page[0] = 1;
	sigaction(SIGSEGV, NULL, &now);
	printf("default %d\n", now.sa_handler == SIG_DFL);
	page[0] = 1;
}

static void mask_of_the_handler_is_obeyed(void)
{
	struct sigaction act = { .sa_sigaction = jump, .sa_flags = SA_SIGINFO };

	sigfillset(&act.sa_mask);
	sigaction(SIGSEGV, &act, NULL);
	if (!sigsetjmp(back, 1))
		page[1] = 1;
	printf("after %d %d\n", blocked(SIGSEGV), blocked(SIGUSR1));
}

static void fault_while_blocked_kills(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	set(SIGSEGV, jump, 0);
	touch(more);
	page[0] = 1;
}

static void fault_while_ignored_kills(void)
{
	signal(SIGSEGV, SIG_IGN);
	touch(more);
	page[0] = 1;
}

static void sent_while_ignored_is_lost(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	kill(getpid(), SIGSEGV);
	touch(more);
	printf("ignored\n");
}

static void sent_kills(void)
{
	touch(more);
	kill(getpid(), SIGSEGV);
	printf("wrong: not reached\n");
}

static void sent_is_told_who_sent_it(void)
{
	union sigval value = { .sival_int = 4711 };

	set(SIGSEGV, repair, 0);
	kill(getpid(), SIGSEGV);
	raise(SIGSEGV);
	sigqueue(getpid(), SIGSEGV, value);
}

static void sent_while_blocked_waits(void)
{
	sigset_t one, pending;

	sigemptyset(&one);
	sigaddset(&one, SIGSEGV);
	set(SIGSEGV, repair, 0);
	sigprocmask(SIG_BLOCK, &one, NULL);
	raise(SIGSEGV);
	sigpending(&pending);
	touch(more + 9 * PAGE);
	printf("pending %d %d %d\n", sigismember(&pending, SIGSEGV),
	       sigismember(&pending, SIGSTKFLT),
	       sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	printf("unblocked\n");
}

static void sent_while_blocked_kills_later(void)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGSEGV);
	sigprocmask(SIG_BLOCK, &one, NULL);
	kill(getpid(), SIGSEGV);
	touch(more);
	printf("still here\n");
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	printf("wrong: not reached\n");
}

static void sent_interrupts_as_the_flags_say(void)
{
	int ends[2];
	char byte;
	pid_t child;

	if (pipe(ends))
		return;
	for (int i = 0; i < 2; i++) {
		set(SIGSEGV, repair, i ? SA_RESTART : 0);
		child = fork();
		if (!child) {
			for (int j = 0; j < 3; j++) {
				usleep(100000);
				kill(getppid(), SIGSEGV);
			}
			usleep(100000);
			if (write(ends[1], "x", 1) != 1)
				_exit(1);
			_exit(0);
		}
		errno = 0;
		ssize_t n = read(ends[0], &byte, 1);

		printf("read %zd, %s\n", n, n < 0 ? strerror(errno) : "");
		while (waitpid(child, NULL, 0) < 0)
			;
		while (n < 0)
			n = read(ends[0], &byte, 1);
	}
}

static void actions_read_back_as_they_were_set(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGSYS, SIGUSR1,
				    SIGSTKFLT };
	static const int flags[] = { SA_NODEFER, SA_ONSTACK | SA_RESTART,
				     (int)SA_RESETHAND };
	struct sigaction act = { 0 }, old;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		for (unsigned j = 0; j < 3; j++) {
			act.sa_sigaction = repair;
			act.sa_flags = flags[j] | SA_SIGINFO;
			sigfillset(&act.sa_mask);
			if (j)
				sigdelset(&act.sa_mask, SIGSTKFLT);
			if (j == 2)
				sigdelset(&act.sa_mask, SIGSEGV);
			sigaction(sigs[i], &act, NULL);
			sigaction(sigs[i], NULL, &old);
			printf("%d: %d %x mask %d %d %d %d %d\n", sigs[i],
			       old.sa_sigaction == repair,
			       (unsigned)old.sa_flags,
			       sigismember(&old.sa_mask, SIGSEGV),
			       sigismember(&old.sa_mask, SIGBUS),
			       sigismember(&old.sa_mask, SIGSYS),
			       sigismember(&old.sa_mask, SIGSTKFLT),
			       sigismember(&old.sa_mask, SIGHUP));
		}
}

static void plain(int sig)
{
	count = sig;
	touch(more + 20 * PAGE);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void older_calls_do_what_they_did(void)
{
	sighandler_t was;

	was = signal(SIGSEGV, plain);
	printf("signal: %d\n", was == SIG_DFL);
	page[0] = 1;
	printf("count %d\n", count);
	was = sigset(SIGSEGV, SIG_HOLD);
	printf("sigset: %d, blocked %d\n", was == plain, blocked(SIGSEGV));
	was = sigset(SIGSEGV, plain);
	printf("sigset: %d, blocked %d\n", was == SIG_HOLD, blocked(SIGSEGV));
	sighold(SIGSEGV);
	count = 0;
	raise(SIGSEGV);
	printf("sighold: blocked %d, count %d\n", blocked(SIGSEGV), count);
	sigrelse(SIGSEGV);
	printf("sigrelse: blocked %d, count %d\n", blocked(SIGSEGV), count);
	siginterrupt(SIGSEGV, 1);
	signal(SIGSEGV, plain);
	struct sigaction now;
	sigaction(SIGSEGV, NULL, &now);
	printf("siginterrupt: %x\n", (unsigned)now.sa_flags);
	sigignore(SIGSEGV);
	raise(SIGSEGV);
	was = sysv_signal(SIGSEGV, plain);
	printf("sigignore: %d\n", was == SIG_IGN);
	sigaction(SIGSEGV, NULL, &now);
	printf("sysv_signal: %x\n", (unsigned)now.sa_flags);
	mprotect(page, PAGE, PROT_NONE);
	page[0] = 2;
	mprotect(page, PAGE, PROT_NONE);
	page[0] = 3;
}

static void *fault_in_thread(void *unused)
{
	(void)unused;
	touch(more + 30 * PAGE);
	page[5] = 1;
	return NULL;
}

static void handler_runs_in_the_thread_that_faulted(void)
{
	pthread_t thread;

	set(SIGSEGV, repair, 0);
	pthread_create(&thread, NULL, fault_in_thread, NULL);
	pthread_join(thread, NULL);
	printf("count %d\n", count);
}

static void other_handlers_touch_lazy_memory(void)
{
	struct sigaction act = { .sa_handler = plain };

	sigfillset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	printf("count %d\n", count);
}

static void bus_error_reaches_its_handler(void)
{
	FILE *file = tmpfile();
	char *map;

	if (!file || ftruncate(fileno(file), 100))
		return;
	map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fileno(file), 0);
	page = map;
	set(SIGBUS, jump, 0);
	if (!sigsetjmp(back, 1))
		count += map[2 * PAGE];
	printf("count %d\n", count);
	signal(SIGBUS, SIG_DFL);
	count += map[2 * PAGE + 1];
}

static void sys_is_delivered(void)
{
	set(SIGSYS, repair, 0);
	raise(SIGSYS);
	signal(SIGSYS, SIG_DFL);
	touch(more + 40 * PAGE);
	raise(SIGSYS);
}

static void stack_overflow_kills(void)
{
	struct rlimit small = { 1 << 20, 1 << 20 };
	volatile char room[10000];

	setrlimit(RLIMIT_STACK, &small);
	memset((char *)room, 1, sizeof(room));
	if (room[5])
		stack_overflow_kills();
	touch(more + room[0]);
}

static void stack_overflow_without_a_stack_for_the_handler_kills(void)
{
	set(SIGSEGV, jump, 0);
	stack_overflow_kills();
}

static void abort_is_abort(void)
{
	touch(more);
	abort();
}

static void division_by_zero_is_handled(void)
{
	volatile int zero = 0;

	set(SIGFPE, jump, 0);
	if (!sigsetjmp(back, 1)) {
		page = NULL;
		zero = 1 / zero;
	}
	count = 0;
}

static void at_exit(void)
{
	touch(more + 50 * PAGE);
	page[1] = 1;
	printf("handled %d\n", count);
}

static void exit_handlers_fault(void)
{
	set(SIGSEGV, repair, 0);
	atexit(at_exit);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(null_pointer_kills),
		CASE(jump_to_null_kills),
		CASE(null_pointer_dumps_core_as_before),
		CASE(handler_sees_the_fault),
		CASE(handler_sees_a_read),
		CASE(handler_sees_a_null_pointer),
		CASE(handler_is_jumped_out_of_again_and_again),
		CASE(second_fault_after_a_jump_without_the_mask_kills),
		CASE(second_fault_with_nodefer_is_handled),
		CASE(fault_in_the_handler_kills),
		CASE(fault_in_the_handler_with_nodefer_nests),
		CASE(one_shot_handler_runs_once),
		CASE(mask_of_the_handler_is_obeyed),
		CASE(fault_while_blocked_kills),
		CASE(fault_while_ignored_kills),
		CASE(sent_while_ignored_is_lost),
		CASE(sent_kills),
		CASE(sent_is_told_who_sent_it),
		CASE(sent_while_blocked_waits),
		CASE(sent_while_blocked_kills_later),
		CASE(sent_interrupts_as_the_flags_say),
		CASE(actions_read_back_as_they_were_set),
		CASE(older_calls_do_what_they_did),
		CASE(handler_runs_in_the_thread_that_faulted),
		CASE(other_handlers_touch_lazy_memory),
		CASE(bus_error_reaches_its_handler),
		CASE(sys_is_delivered),
		CASE(stack_overflow_kills),
		CASE(stack_overflow_without_a_stack_for_the_handler_kills),
		CASE(abort_is_abort),
		CASE(division_by_zero_is_handled),
		CASE(exit_handlers_fault),
		{ NULL, NULL },
	};

	prepare();
	return run_cases(cases, argc, argv);
}
