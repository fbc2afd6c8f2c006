/*
 * masks.c -- every way to set a signal mask: what is read back is what was set,
 * and lazy memory can be touched with all signals blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <time.h>
#include <ucontext.h>

extern char **environ;

static char *more;
static size_t used;

static void touch_next(void)
{
	touch(more + PAGE * used++);
}

static void show(const char *what, const sigset_t *set)
{
	printf("%s:", what);
	for (int sig = 1; sig <= 64; sig++)
		if (sigismember(set, sig) == 1)
			printf(" %d", sig);
	printf("\n");
}

static void show_mine(const char *what)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	show(what, &now);
	touch_next();
}

static sigset_t only(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static sigset_t all_but(int sig)
{
	sigset_t set;

	sigfillset(&set);
	if (sig)
		sigdelset(&set, sig);
	return set;
}

static void masks_read_back_as_they_were_set(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS,    SIGSYS,
				    SIGHUP,  SIGSTKFLT, SIGUSR2 };
	sigset_t set, old;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		set = only(sigs[i]);
		sigprocmask(SIG_BLOCK, &set, &old);
		show("old", &old);
		show_mine("block");
	}
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		set = only(sigs[i]);
		pthread_sigmask(SIG_UNBLOCK, &set, &old);
		show("old", &old);
		show_mine("unblock");
	}
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		set = all_but(sigs[i]);
		sigprocmask(SIG_SETMASK, &set, &old);
		show("old", &old);
		show_mine("set");
	}
	errno = 0;
	printf("%d\n", sigprocmask(77, &set, NULL));
	perror("a bad way");
	show_mine("after it");
}

static void all_blocked_touches(void)
{
	sigset_t all = all_but(0);

	sigprocmask(SIG_SETMASK, &all, NULL);
	show_mine("all");
}

static void on_signal(int sig)
{
	touch_next();
	show_mine("in the handler");
	(void)sig;
}

static void handler_mask_reads_back(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigfillset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	show_mine("after");
	act.sa_mask = only(SIGSEGV);
	act.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	show_mine("after");
}

static void fill(int sig, siginfo_t *info, void *context)
{
	sigset_t *set = &((ucontext_t *)context)->uc_sigmask;

	(void)sig, (void)info;
	printf("before %d %d\n", sigismember(set, SIGSEGV),
	       sigismember(set, SIGSTKFLT));
	for (int i = 1; i <= 64; i++)
		if (i != 32 && i != 33)
			sigaddset(set, i);
}

static void handler_changes_the_mask_that_it_returns_to(void)
{
	struct sigaction act = { .sa_sigaction = fill, .sa_flags = SA_SIGINFO };
	sigset_t one = only(SIGSEGV);

	sigaction(SIGUSR1, &act, NULL);
	raise(SIGUSR1);
	show_mine("after");
	sigprocmask(SIG_SETMASK, &one, NULL);
	raise(SIGUSR1);
	show_mine("after");
}

static void saved_masks_come_back(void)
{
	sigset_t one = only(SIGSEGV), none;
	sigjmp_buf env;
	ucontext_t context;
	volatile int round = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &one, NULL);
	if (!sigsetjmp(env, 1)) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		show_mine("changed");
		siglongjmp(env, 1);
	}
	show_mine("siglongjmp");
	getcontext(&context);
	if (!round++) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		show_mine("changed");
		setcontext(&context);
	}
	show_mine("setcontext");
}

static ucontext_t here, there;

static void coroutine(void)
{
	show_mine("on its own stack");
	swapcontext(&there, &here);
	show_mine("again");
}

static void contexts_run_on_lazy_stacks(void)
{
	char *stack = lazy(64);

	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = 64 * PAGE;
	there.uc_link = &here;
	sigfillset(&there.uc_sigmask);
	makecontext(&there, coroutine, 0);
	swapcontext(&here, &there);
	show_mine("here");
	swapcontext(&here, &there);
	show_mine("here");
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void calls_with_a_mask_for_their_time(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct timespec soon = { 0, 1000000 };
	struct epoll_event event;
	sigset_t block = only(SIGUSR1), all = all_but(SIGUSR1);
	struct pollfd none;
	int fd = epoll_create1(0);

	sigaction(SIGUSR1, &act, NULL);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	printf("sigsuspend %d", sigsuspend(&all));
	printf(" %s\n", strerror(errno));
	raise(SIGUSR1);
	printf("ppoll %d", ppoll(&none, 0, &soon, &all));
	printf(" %s\n", strerror(errno));
	raise(SIGUSR1);
	printf("pselect %d", pselect(0, NULL, NULL, NULL, &soon, &all));
	printf(" %s\n", strerror(errno));
	raise(SIGUSR1);
	printf("epoll_pwait %d", epoll_pwait(fd, &event, 1, 1, &all));
	printf(" %s\n", strerror(errno));
	raise(SIGUSR1);
	printf("epoll_pwait2 %d", epoll_pwait2(fd, &event, 1, &soon, &all));
	printf(" %s\n", strerror(errno));
	raise(SIGUSR1);
	printf("sigpause %d", sigpause(SIGUSR1));
	printf(" %s\n", strerror(errno));
	show_mine("after");
}

static void waiting_finds_what_was_sent(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGUSR1 };
	struct timespec now = { 0, 0 };
	siginfo_t info;
	int sig;

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++) {
		sigset_t set = only(sigs[i]);

		sigprocmask(SIG_SETMASK, &set, NULL);
		raise(sigs[i]);
		printf("sigwait %d", sigwait(&set, &sig));
		printf(" %d\n", sig);
		kill(getpid(), sigs[i]);
		printf("sigwaitinfo %d", sigwaitinfo(&set, &info));
		printf(" %d %d %d\n", info.si_signo, info.si_code,
		       info.si_errno);
		errno = 0;
		printf("sigtimedwait %d", sigtimedwait(&set, &info, &now));
		printf(" %s\n", strerror(errno));
		touch_next();
	}
}

static void waiting_finds_what_is_sent(void)
{
	sigset_t set = only(SIGSEGV);
	int sig = 0;
	pid_t child;

	sigprocmask(SIG_SETMASK, &set, NULL);
	child = fork();
	if (!child) {
		usleep(100000);
		kill(getppid(), SIGSEGV);
		_exit(0);
	}
	printf("sigwait %d", sigwait(&set, &sig));
	printf(" %d\n", sig);
	waitpid(child, NULL, 0);
}

static void signalfd_reads_what_was_sent(void)
{
	sigset_t all = all_but(0);
	struct signalfd_siginfo info[2];
	int fd;

	sigprocmask(SIG_SETMASK, &all, NULL);
	fd = signalfd(-1, &all, SFD_NONBLOCK);
	raise(SIGUSR1);
	printf("read %zd", read(fd, info, sizeof(info)));
	printf(" %u %d\n", info[0].ssi_signo, info[0].ssi_code);
	raise(SIGSEGV);
	printf("read %zd", read(fd, info, sizeof(info)));
	printf(" %u %d %d\n", info[0].ssi_signo, info[0].ssi_code,
	       info[0].ssi_errno);
	touch_next();
}

static void *in_thread(void *what)
{
	show_mine(what);
	return NULL;
}

static void threads_begin_with_the_mask_they_should(void)
{
	sigset_t set = all_but(SIGUSR1), read_back;
	pthread_attr_t attr;
	pthread_t thread;

	sigprocmask(SIG_SETMASK, &set, NULL);
	pthread_create(&thread, NULL, in_thread, "inherited");
	pthread_join(thread, NULL);
	pthread_attr_init(&attr);
	set = only(SIGSEGV);
	pthread_attr_setsigmask_np(&attr, &set);
	pthread_attr_getsigmask_np(&attr, &read_back);
	show("attribute", &read_back);
	pthread_create(&thread, &attr, in_thread, "given");
	pthread_join(thread, NULL);
}

static char *self;

/* What a new program finds: the kernel's own words where they can be had, and
 * what the C library says. */
static void spawned(void)
{
	struct sigaction act;

	show_mine("spawned");
	sigaction(SIGSEGV, NULL, &act);
	printf("ignored %d\n", act.sa_handler == SIG_IGN);
}

static void children_begin_with_the_mask_they_should(void)
{
	char *argv[] = { self, "spawned", NULL };
	sigset_t set = all_but(SIGUSR1), none;
	posix_spawnattr_t attr;
	pid_t child;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < 4; i++) {
		sigprocmask(SIG_SETMASK, i == 3 ? &none : &set, NULL);
		posix_spawnattr_setsigmask(&attr, &set);
		posix_spawnattr_setflags(&attr,
					 i == 2 ? 0 : POSIX_SPAWN_SETSIGMASK);
		if (i == 1)
			posix_spawnattr_setsigmask(&attr, &none);
		fflush(stdout);
		if (posix_spawn(&child, self, NULL, &attr, argv, environ))
			perror("posix_spawn");
		waitpid(child, NULL, 0);
		show_mine("mine");
	}
}

/* Made the default's for it alone, or because it has no handler. */
static void children_begin_with_the_action_they_should(void)
{
	char *argv[] = { self, "spawned", NULL };
	sigset_t set = only(SIGSEGV);
	posix_spawnattr_t attr;
	pid_t child;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &set);
	for (int i = 1; i < 4; i++) {
		signal(SIGSEGV, i < 2 ? SIG_IGN : on_signal);
		posix_spawnattr_setflags(&attr,
					 i % 2 ? POSIX_SPAWN_SETSIGDEF : 0);
		fflush(stdout);
		if (posix_spawn(&child, self, NULL, &attr, argv, environ))
			perror("posix_spawn");
		waitpid(child, NULL, 0);
		show_mine("mine");
	}
}

static void exec_hands_the_mask_down(void)
{
	char *argv[] = { self, "spawned", NULL };
	sigset_t set = only(SIGSEGV);

	signal(SIGSEGV, SIG_IGN);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	execv("/no/such/program", argv);
	show_mine("failed");
	execv(self, argv);
}

static void exec_from_vfork_hands_the_mask_down(void)
{
	char *argv[] = { self, "spawned", NULL };
	sigset_t set = only(SIGSEGV);
	struct sigaction act;
	pid_t child;

	signal(SIGSEGV, on_signal);
	act.sa_handler = on_signal;
	act.sa_flags = SA_ONSTACK;
	sigfillset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
	sigprocmask(SIG_SETMASK, &set, NULL);
	fflush(stdout);
	child = vfork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGUSR1, SIG_DFL);
		execv(self, argv);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	sigaction(SIGSEGV, NULL, &act);
	printf("handler is kept: %d\n", act.sa_handler == on_signal);
	sigaction(SIGUSR1, NULL, &act);
	printf("and the other: %d, %x, %d\n", act.sa_handler == on_signal,
	       (unsigned)act.sa_flags, sigismember(&act.sa_mask, SIGSTKFLT));
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(masks_read_back_as_they_were_set),
		CASE(all_blocked_touches),
		CASE(handler_mask_reads_back),
		CASE(handler_changes_the_mask_that_it_returns_to),
		CASE(saved_masks_come_back),
		CASE(contexts_run_on_lazy_stacks),
		CASE(calls_with_a_mask_for_their_time),
		CASE(waiting_finds_what_was_sent),
		CASE(waiting_finds_what_is_sent),
		CASE(signalfd_reads_what_was_sent),
		CASE(threads_begin_with_the_mask_they_should),
		CASE(children_begin_with_the_mask_they_should),
		CASE(children_begin_with_the_action_they_should),
		CASE(exec_hands_the_mask_down),
		CASE(exec_from_vfork_hands_the_mask_down),
		{ NULL, NULL },
	};

	more = lazy(256);
	self = argv[0];
	if (argc == 2 && !strcmp(argv[1], "spawned")) {
		spawned();
		return 0;
	}
	return run_cases(cases, argc, argv);
}
