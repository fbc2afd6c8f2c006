/*
 * raw.c -- signal calls that are made without the C library's functions, in
 * every way there is: actions, masks, stacks and waits are what they are for
 * its functions, and lazy memory can be touched whatever was set.
 *
 *	raw WAY [CASE...]
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "cases.h"
#include "raw.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <ucontext.h>

#define BIT(sig) ((uint64_t)1 << ((sig)-1))
#define ALL (~(uint64_t)0)
#define BAD ((void *)8)

extern char **environ;

static char *self;
static char *more;
static size_t used;
static char *page; /* no access */
static volatile sig_atomic_t count;
static sigjmp_buf back;

static void touch_next(void)
{
	touch(more + PAGE * used++);
}

/* What a call returned: negative ones in words. */
static void tell(const char *what, long ret)
{
	printf("%s: %s\n", what, ret < 0 ? strerror((int)-ret) : "done");
	touch_next();
}

static uint64_t mask_now(void)
{
	uint64_t now = 0;

	if (raw(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8))
		printf("wrong: the mask is not told\n");
	return now;
}

static void show_mask(const char *what)
{
	sigset_t libc;
	uint64_t now = mask_now(), too;

	pthread_sigmask(SIG_BLOCK, NULL, &libc);
	memcpy(&too, &libc, sizeof(too));
	printf("%s: %016lx, %d\n", what, now, now == too);
	touch_next();
}

static long block(int how, uint64_t mask)
{
	return raw(SYS_rt_sigprocmask, how, &mask, NULL, 8);
}

static struct raw_action action_of(void *handler, unsigned long flags,
				   uint64_t mask)
{
	return (struct raw_action){ .handler = handler,
				    .flags = flags | RAW_ACTION_FLAGS,
				    .restorer = raw_restorer,
				    .mask = mask };
}

static long set(int sig, void *handler, unsigned long flags, uint64_t mask)
{
	struct raw_action act = action_of(handler, flags, mask);

	return raw(SYS_rt_sigaction, sig, &act, NULL, 8);
}

static void show_action(int sig)
{
	struct raw_action old;
	long ret;

	memset(&old, 0x55, sizeof(old));
	ret = raw(SYS_rt_sigaction, sig, NULL, &old, 8);
	printf("%d: %ld, %s, flags %lx, restorer %d, mask %016lx\n", sig, ret,
	       old.handler == (void *)SIG_DFL   ? "default"
	       : old.handler == (void *)SIG_IGN ? "ignored"
						: "handled",
	       old.flags, old.restorer == raw_restorer, old.mask);
}

static void repair(int sig, siginfo_t *info, void *context)
{
	ucontext_t *machine = context;

	touch_next();
	printf("signal %d, signo %d, code %d, errno %d, offset %ld, before "
	       "%d %d\n",
	       sig, info->si_signo, info->si_code, info->si_errno,
	       info->si_code > 0 ? (long)((char *)info->si_addr - page) : 0,
	       sigismember(&machine->uc_sigmask, SIGSEGV),
	       sigismember(&machine->uc_sigmask, SIGUSR1));
	show_mask("in the handler");
	count++;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void on_signal(int sig)
{
	touch_next();
	printf("handler of %d\n", sig);
	show_mask("in it");
	count++;
}

static void jump(int sig)
{
	touch_next();
	siglongjmp(back, sig);
}

/* -- Actions ------------------------------------------------------------------- */

static void handler_sees_the_fault_and_lazy_touches_go_on(void)
{
	touch_next();
	tell("set", set(SIGSEGV, repair, SA_SIGINFO, 0));
	touch_next();
	page[17] = 1;
	printf("%d\n", page[17]);
	touch_next();
}

static void actions_read_back_as_they_were_set(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS,    SIGSYS,
				    SIGUSR1, SIGSTKFLT, SIGSEGV };
	static const unsigned long flags[] = { SA_NODEFER,
					       SA_ONSTACK | SA_RESTART,
					       (unsigned)SA_RESETHAND };

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		for (unsigned j = 0; j < 3; j++) {
			show_action(sigs[i]);
			set(sigs[i], repair, flags[j] | SA_SIGINFO,
			    j == 0   ? ALL
			    : j == 1 ? ALL & ~BIT(SIGSEGV)
				     : BIT(SIGSEGV) | BIT(34));
			show_action(sigs[i]);
		}
	set(SIGUSR2, (void *)SIG_IGN, 0, 0);
	show_action(SIGUSR2);
	set(SIGSEGV, (void *)SIG_IGN, 0, BIT(SIGSTKFLT));
	show_action(SIGSEGV);
	raise(SIGSEGV);
	touch_next();
}

static void actions_of_the_library_and_raw_ones_are_the_same(void)
{
	struct sigaction act;

	set(SIGSEGV, repair, SA_SIGINFO | SA_NODEFER, BIT(SIGUSR1));
	sigaction(SIGSEGV, NULL, &act);
	printf("%d %x %d\n", act.sa_sigaction == repair, (unsigned)act.sa_flags,
	       sigismember(&act.sa_mask, SIGUSR1));
	act.sa_handler = on_signal;
	act.sa_flags = SA_ONSTACK;
	sigfillset(&act.sa_mask);
	sigaction(SIGSEGV, &act, NULL);
	show_action(SIGSEGV);
	sigaction(SIGUSR2, &act, NULL);
	show_action(SIGUSR2);
	set(SIGUSR2, repair, SA_SIGINFO, ALL);
	sigaction(SIGUSR2, NULL, &act);
	printf("%d %x %d\n", act.sa_sigaction == repair, (unsigned)act.sa_flags,
	       sigismember(&act.sa_mask, SIGSEGV));
}

static void wrong_actions_are_refused(void)
{
	struct raw_action act = action_of(on_signal, 0, 0), old;
	struct raw_action *closed = (void *)page;

	tell("size 4", raw(SYS_rt_sigaction, SIGSEGV, &act, &old, 4));
	tell("size 128", raw(SYS_rt_sigaction, SIGUSR1, &act, &old, 128));
	tell("signal 0", raw(SYS_rt_sigaction, 0, &act, &old, 8));
	tell("signal 65", raw(SYS_rt_sigaction, 65, &act, &old, 8));
	tell("signal -1", raw(SYS_rt_sigaction, -1, &act, &old, 8));
	tell("kill", raw(SYS_rt_sigaction, SIGKILL, &act, &old, 8));
	tell("kill is asked for", raw(SYS_rt_sigaction, SIGKILL, 0, &old, 8));
	tell("stop", raw(SYS_rt_sigaction, SIGSTOP, &act, NULL, 8));
	show_action(SIGSEGV);
	tell("bad", raw(SYS_rt_sigaction, SIGSEGV, BAD, NULL, 8));
	tell("closed", raw(SYS_rt_sigaction, SIGUSR1, closed, NULL, 8));
	show_action(SIGSEGV);
	tell("bad old", raw(SYS_rt_sigaction, SIGSEGV, &act, BAD, 8));
	show_action(SIGSEGV);
	tell("closed old", raw(SYS_rt_sigaction, SIGUSR1, &act, closed, 8));
	show_action(SIGUSR1);
	tell("far", raw(SYS_rt_sigaction, SIGSEGV, (void *)~0xffful, NULL, 8));
	tell("33", raw(SYS_rt_sigaction, 33, NULL, &old, 8));
}

static void structs_may_be_lazy(void)
{
	struct raw_action *act = (void *)lazy(1);
	struct raw_action *old = (void *)(lazy(1) + PAGE - sizeof(*old));
	uint64_t *mask = (void *)lazy(1), *was = (void *)lazy(1);
	char *both = lazy(2);

	printf("%ld", raw(SYS_rt_sigaction, SIGSEGV, act, old, 8));
	printf(" %d\n", act->handler == NULL);
	printf("%ld", raw(SYS_rt_sigprocmask, SIG_BLOCK, mask, was, 8));
	printf(" %lx\n", *was);
	memset(both + PAGE - 4, 0x11, 8);
	printf("%ld", raw(SYS_rt_sigprocmask, SIG_BLOCK, both + PAGE - 4,
			  both + PAGE - 4, 8));
	memcpy(mask, both + PAGE - 4, 8);
	printf(" %lx\n", *mask);
	show_mask("after");
	printf("%ld\n", raw(SYS_rt_sigpending, lazy(1), 8));
	printf("%ld\n", raw(SYS_sigaltstack, NULL, lazy(1)));
}

static void masks_of_handlers_are_obeyed(void)
{
	set(SIGUSR1, on_signal, 0, ALL);
	raise(SIGUSR1);
	show_mask("after");
	set(SIGUSR1, on_signal, SA_NODEFER, BIT(SIGSEGV));
	raise(SIGUSR1);
	set(SIGSEGV, repair, SA_SIGINFO, ALL);
	page[5] = 1;
	show_mask("after");
}

static void one_shot_handler_runs_once(void)
{
	set(SIGSEGV, repair, SA_SIGINFO | (unsigned)SA_RESETHAND, 0);
	page[5] = 1;
	show_action(SIGSEGV);
	mprotect(page, PAGE, PROT_NONE);
	page[5] = 1;
}

static void default_action_kills(void)
{
	set(SIGSEGV, repair, SA_SIGINFO, 0);
	set(SIGSEGV, (void *)SIG_DFL, 0, 0);
	touch_next();
	page[0] = 1;
}

static void fault_while_blocked_kills(void)
{
	block(SIG_SETMASK, ALL);
	set(SIGSEGV, repair, SA_SIGINFO, 0);
	touch_next();
	page[0] = 1;
}

static void handler_is_jumped_out_of_again_and_again(void)
{
	set(SIGSEGV, jump, 0, 0);
	for (volatile int i = 0; i < 5; i++)
		if (!sigsetjmp(back, 1))
			page[i] = 1;
	show_mask("after");
}

/* -- Masks --------------------------------------------------------------------- */

static void masks_read_back_as_they_were_set(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS,    SIGSYS, SIGHUP,
				    SIGUSR2, SIGSTKFLT, 32,     33 };
	uint64_t old = 0;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		uint64_t one = BIT(sigs[i]);

		raw(SYS_rt_sigprocmask, SIG_BLOCK, &one, &old, 8);
		printf("old %016lx\n", old);
		show_mask("block");
	}
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		uint64_t one = BIT(sigs[i]);

		raw(SYS_rt_sigprocmask, SIG_UNBLOCK, &one, &old, 8);
		printf("old %016lx\n", old);
		show_mask("unblock");
	}
	block(SIG_SETMASK, ALL);
	show_mask("all");
	block(SIG_SETMASK, ALL & ~BIT(SIGSEGV));
	show_mask("all but one");
}

static void wrong_masks_are_refused(void)
{
	uint64_t set = BIT(SIGSEGV), old = 0;

	tell("size 4", raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 4));
	tell("size 128", raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, &old, 128));
	tell("how", raw(SYS_rt_sigprocmask, 77, &set, &old, 8));
	tell("how, no set", raw(SYS_rt_sigprocmask, 77, NULL, &old, 8));
	tell("bad", raw(SYS_rt_sigprocmask, SIG_BLOCK, BAD, &old, 8));
	tell("closed", raw(SYS_rt_sigprocmask, SIG_BLOCK, page, &old, 8));
	show_mask("nothing");
	tell("bad old", raw(SYS_rt_sigprocmask, SIG_BLOCK, &set, BAD, 8));
	show_mask("done");
	tell("pending", raw(SYS_rt_sigpending, &set, 16));
	tell("pending, bad", raw(SYS_rt_sigpending, BAD, 8));
	tell("pending, half", raw(SYS_rt_sigpending, &set, 4));
	tell("suspend", raw(SYS_rt_sigsuspend, &set, 4));
	tell("suspend, bad", raw(SYS_rt_sigsuspend, BAD, 8));
	tell("wait", raw(SYS_rt_sigtimedwait, &set, NULL, NULL, 4));
	tell("wait, bad", raw(SYS_rt_sigtimedwait, BAD, NULL, NULL, 8));
	tell("fd", raw(SYS_signalfd4, -1, &set, 4, 0));
	tell("fd, bad", raw(SYS_signalfd4, -1, BAD, 8, 0));
}

static void sent_while_blocked_waits(void)
{
	uint64_t pending = 0;

	set(SIGSEGV, repair, SA_SIGINFO, 0);
	block(SIG_BLOCK, BIT(SIGSEGV));
	raise(SIGSEGV);
	raw(SYS_rt_sigpending, &pending, 8);
	printf("pending %016lx\n", pending);
	touch_next();
	block(SIG_UNBLOCK, BIT(SIGSEGV));
	printf("unblocked\n");
	raw(SYS_rt_sigpending, &pending, 8);
	printf("pending %016lx\n", pending);
}

static void calls_with_a_mask_for_their_time(void)
{
	struct timespec soon = { 0, 1000000 };
	struct epoll_event event;
	uint64_t mask = ALL & ~BIT(SIGUSR1);
	const void *pair[2] = { &mask, (void *)8 };
	int fd = epoll_create1(0);
	struct pollfd none;

	set(SIGUSR1, on_signal, 0, 0);
	block(SIG_BLOCK, BIT(SIGUSR1));
	raise(SIGUSR1);
	tell("suspend", raw(SYS_rt_sigsuspend, &mask, 8));
	raise(SIGUSR1);
	tell("ppoll", raw(SYS_ppoll, &none, 0, &soon, &mask, 8));
	raise(SIGUSR1);
	tell("pselect6", raw(SYS_pselect6, 0, 0, 0, 0, &soon, pair));
	raise(SIGUSR1);
	tell("epoll_pwait", raw(SYS_epoll_pwait, fd, &event, 1, 1, &mask, 8));
	raise(SIGUSR1);
	tell("epoll_pwait2",
	     raw(SYS_epoll_pwait2, fd, &event, 1, &soon, &mask, 8));
	show_mask("after");
	tell("ppoll", raw(SYS_ppoll, &none, 0, &soon, NULL, 8));
	tell("ppoll, 4", raw(SYS_ppoll, &none, 0, &soon, &mask, 4));
	tell("ppoll, bad", raw(SYS_ppoll, &none, 0, &soon, BAD, 8));
	tell("pselect6", raw(SYS_pselect6, 0, 0, 0, 0, &soon, NULL));
	tell("pselect6, bad", raw(SYS_pselect6, 0, 0, 0, 0, &soon, BAD));
	pair[0] = BAD;
	tell("pselect6, bad mask", raw(SYS_pselect6, 0, 0, 0, 0, &soon, pair));
	pair[0] = NULL;
	tell("pselect6, none", raw(SYS_pselect6, 0, 0, 0, 0, &soon, pair));
	tell("epoll_pwait, 4",
	     raw(SYS_epoll_pwait, fd, &event, 1, 1, &mask, 4));
	tell("epoll_pwait, bad",
	     raw(SYS_epoll_pwait, fd, &event, 1, 1, BAD, 8));
	show_mask("after");
}

/* A fault of the kind that a signal for it would end: while it is blocked for
 * the time of the call. */
static void *toucher(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		touch_next();
	return NULL;
}

static void threads_touch_with_the_mask_they_inherit(void)
{
	pthread_t thread;

	set(SIGSEGV, repair, SA_SIGINFO, ALL);
	block(SIG_SETMASK, ALL);
	pthread_create(&thread, NULL, toucher, NULL);
	pthread_join(thread, NULL);
	show_mask("after");
	block(SIG_SETMASK, 0);
	page[1] = 1;
}

static void waiting_finds_what_was_sent(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGUSR1 };
	struct timespec now = { 0, 0 };
	siginfo_t info;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		uint64_t set = BIT(sigs[i]);
		long ret;

		block(SIG_SETMASK, set);
		raise(sigs[i]);
		ret = raw(SYS_rt_sigtimedwait, &set, &info, NULL, 8);
		printf("%ld %d %d %d\n", ret, info.si_signo, info.si_code,
		       info.si_errno);
		kill(getpid(), sigs[i]);
		ret = raw(SYS_rt_sigtimedwait, &set, NULL, &now, 8);
		printf("%ld\n", ret);
		tell("none", raw(SYS_rt_sigtimedwait, &set, &info, &now, 8));
		kill(getpid(), sigs[i]);
		tell("bad info", raw(SYS_rt_sigtimedwait, &set, BAD, &now, 8));
		tell("bad time", raw(SYS_rt_sigtimedwait, &set, &info, BAD, 8));
	}
}

static void signalfd_reads_what_was_sent(void)
{
	struct signalfd_siginfo info[2] = { { 0 } };
	uint64_t all = ALL;
	int fd = (int)raw(SYS_signalfd4, -1, &all, 8, SFD_NONBLOCK);

	block(SIG_SETMASK, ALL);
	raise(SIGUSR1);
	printf("read %zd", read(fd, info, sizeof(info)));
	printf(" %u %d\n", info[0].ssi_signo, info[0].ssi_code);
	raise(SIGSEGV);
	printf("read %zd", read(fd, info, sizeof(info)));
	printf(" %u %d %d\n", info[0].ssi_signo, info[0].ssi_code,
	       info[0].ssi_errno);
	raise(SIGSEGV);
	/* An instruction's read nobody looks at. */
	printf("read %ld", way == RAW_LIBC
				   ? raw(SYS_read, fd, info, sizeof(info))
				   : (long)read(fd, info, sizeof(info)));
	printf(" %u %d\n", info[0].ssi_signo, info[0].ssi_errno);
	all = BIT(SIGUSR2);
	printf("%d\n", raw(SYS_signalfd4, fd, &all, 8, SFD_NONBLOCK) == fd);
	raise(SIGUSR1);
	printf("read %zd\n", read(fd, info, sizeof(info)));
	touch_next();
}

static void exec_hands_the_mask_down(void)
{
	char number[] = { (char)('0' + way), 0 };
	char *argv[] = { self, number, "spawned", NULL };

	set(SIGSEGV, (void *)SIG_IGN, 0, 0);
	block(SIG_SETMASK, BIT(SIGSEGV) | BIT(SIGQUIT));
	tell("failed", raw(SYS_execve, "/no/such/program", argv, environ));
	show_mask("still");
	raise(SIGSEGV);
	fflush(stdout);
	raw(SYS_execve, self, argv, environ);
}

static void child_of_vfork_has_actions_of_its_own(void)
{
	char number[] = { (char)('0' + way), 0 };
	char *argv[] = { self, number, "spawned", NULL };
	pid_t child;

	set(SIGSEGV, repair, SA_SIGINFO, ALL);
	set(SIGUSR1, on_signal, 0, BIT(SIGSTKFLT));
	block(SIG_SETMASK, BIT(SIGSEGV));
	fflush(stdout);
	child = vfork();
	if (!child) {
		set(SIGSEGV, (void *)SIG_DFL, 0, 0);
		set(SIGUSR1, (void *)SIG_DFL, 0, 0);
		block(SIG_SETMASK, BIT(SIGSEGV) | BIT(SIGHUP));
		raw(SYS_execve, self, argv, environ);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	show_mask("mine");
	block(SIG_SETMASK, 0);
	show_action(SIGSEGV);
	show_action(SIGUSR1);
	page[1] = 1;
}

/* -- Stacks -------------------------------------------------------------------- */

static stack_t mine;

static void show_stack(const char *what)
{
	stack_t now;

	memset(&now, 0x55, sizeof(now));
	if (raw(SYS_sigaltstack, NULL, &now))
		printf("wrong: the stack is not told\n");
	printf("%s: %s, %zu bytes, flags %x\n", what,
	       now.ss_sp == mine.ss_sp ? "mine"
	       : now.ss_sp             ? "another"
				       : "none",
	       now.ss_size, (unsigned)now.ss_flags);
}

static void use(void *memory, size_t size, int flags)
{
	stack_t old = { 0 };

	mine = (stack_t){ .ss_sp = memory, .ss_size = size, .ss_flags = flags };
	tell("use", raw(SYS_sigaltstack, &mine, &old));
	printf("before: %zu, %x\n", old.ss_size, (unsigned)old.ss_flags);
}

static void on_stack(int sig)
{
	stack_t other = { .ss_sp = more, .ss_size = 65536 };
	char here;

	touch_next();
	show_stack("in the handler");
	if (sig != SIGUSR1)
		return;
	tell("changed", raw(SYS_sigaltstack, &other, NULL));
	printf("on it %d\n",
	       (uintptr_t)&here - (uintptr_t)mine.ss_sp < mine.ss_size);
}

static void stacks_read_back_as_they_were_set(void)
{
	static char large[1 << 18];
	stack_t bad = { .ss_sp = large, .ss_size = 100 };

	show_stack("at first");
	set(SIGUSR1, on_stack, SA_ONSTACK, 0);
	set(SIGUSR2, on_stack, 0, 0);
	use(large, sizeof(large), 0);
	show_stack("large");
	raise(SIGUSR1);
	raise(SIGUSR2);
	show_stack("after");
	tell("small", raw(SYS_sigaltstack, &bad, NULL));
	bad.ss_size = sizeof(large);
	bad.ss_flags = 99;
	tell("flags", raw(SYS_sigaltstack, &bad, NULL));
	tell("bad", raw(SYS_sigaltstack, BAD, NULL));
	show_stack("after bad ones");
	tell("bad old", raw(SYS_sigaltstack, NULL, BAD));
	use(large, 32768, 0);
	raise(SIGUSR1);
	use(large, 131072, 0);
	tell("bad old", raw(SYS_sigaltstack, &mine, BAD));
	show_stack("larger");
	use(NULL, 0, SS_DISABLE);
	show_stack("none");
	raise(SIGUSR2);
}

static void touches(int sig)
{
	(void)sig;
	touch_next();
}

/* Whether one that it sets stays is not asked: its return undoes it. */
static void asks_for_a_stack(int sig)
{
	size_t size = 1 << 16;

	show_stack("nothing asked");
	use(malloc(size), 100, 0);
	use(mine.ss_sp, size, 99);
	show_stack("wrong ones asked");
	use(mine.ss_sp, size, 0);
	show_stack("asked");
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	use(NULL, 0, SS_DISABLE);
	show_stack("no more");
	if (sig == SIGUSR1)
		use(malloc(size), size, 0);
}

static void *without_a_stack(void *unused)
{
	show_stack("a thread");
	raise(SIGUSR1);
	show_stack("after");
	raise(SIGUSR1);
	return unused;
}

static void handlers_without_a_stack_may_ask_for_one(void)
{
	pthread_t thread;

	use(malloc(1 << 16), 1 << 16, 0);
	set(SIGUSR1, asks_for_a_stack, SA_ONSTACK, 0);
	set(SIGUSR2, touches, SA_ONSTACK, 0);
	pthread_create(&thread, NULL, without_a_stack, NULL);
	pthread_join(thread, NULL);
}

static void small_stack_has_room_for_faults(void)
{
	use(malloc(8192), 8192, 0);
	set(SIGUSR1, touches, SA_ONSTACK, ALL);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	show_stack("after");
	use(lazy(64), 64 * PAGE, 0);
	raise(SIGUSR1);
	show_stack("a lazy one");
}

static int overflow(volatile int n)
{
	volatile char room[1000];

	room[n % 1000] = 1;
	return n < 0 ? 0 : overflow(n + 1) + room[n % 999];
}

static void stack_overflow_is_handled_on_the_alternate_stack(void)
{
	struct rlimit small = { 1 << 20, 1 << 20 };
	static int i;

	setrlimit(RLIMIT_STACK, &small);
	use(malloc(16384), 16384, 0);
	set(SIGSEGV, jump, SA_ONSTACK, 0);
	for (; i < 3; i++) {
		if (!sigsetjmp(back, 1))
			printf("%d\n", overflow(0));
		else
			printf("overflow\n");
	}
}

/* -- errno --------------------------------------------------------------------- */

static void errno_is_left_alone(void)
{
	uint64_t mask = BIT(SIGSEGV);
	struct raw_action act;

	if (way == RAW_LIBC)
		return;
	errno = 4711;
	raw(SYS_rt_sigaction, SIGSEGV, BAD, &act, 8);
	raw(SYS_rt_sigprocmask, 77, &mask, &mask, 8);
	raw(SYS_sigaltstack, BAD, BAD);
	raw(SYS_rt_sigtimedwait, BAD, BAD, BAD, 8);
	raw(SYS_signalfd4, -1, BAD, 8, 0);
	set(SIGSEGV, repair, SA_SIGINFO, 0);
	printf("%d\n", errno);
}

static void spawned(void)
{
	show_mask("spawned");
	show_action(SIGSEGV);
	show_action(SIGUSR1);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(handler_sees_the_fault_and_lazy_touches_go_on),
		CASE(actions_read_back_as_they_were_set),
		CASE(actions_of_the_library_and_raw_ones_are_the_same),
		CASE(wrong_actions_are_refused),
		CASE(structs_may_be_lazy),
		CASE(masks_of_handlers_are_obeyed),
		CASE(one_shot_handler_runs_once),
		CASE(default_action_kills),
		CASE(fault_while_blocked_kills),
		CASE(handler_is_jumped_out_of_again_and_again),
		CASE(masks_read_back_as_they_were_set),
		CASE(wrong_masks_are_refused),
		CASE(sent_while_blocked_waits),
		CASE(calls_with_a_mask_for_their_time),
		CASE(threads_touch_with_the_mask_they_inherit),
		CASE(waiting_finds_what_was_sent),
		CASE(signalfd_reads_what_was_sent),
		CASE(exec_hands_the_mask_down),
		CASE(child_of_vfork_has_actions_of_its_own),
		CASE(stacks_read_back_as_they_were_set),
		CASE(handlers_without_a_stack_may_ask_for_one),
		CASE(small_stack_has_room_for_faults),
		CASE(stack_overflow_is_handled_on_the_alternate_stack),
		CASE(errno_is_left_alone),
		{ NULL, NULL },
	};

	self = argv[0];
	way = argc > 1 ? (enum raw_way)(argv[1][0] - '0') : RAW_LIBC;
	more = lazy(512);
	page = lazy(1);
	mprotect(page, PAGE, PROT_NONE);
	if (argc == 3 && !strcmp(argv[2], "spawned")) {
		spawned();
		return 0;
	}
	return run_cases(cases, argc - 1, argv + 1);
}
