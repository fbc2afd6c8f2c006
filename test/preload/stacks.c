/*
 * stacks.c -- signals on alternate stacks, on lazy stacks, and threads on lazy
 * stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define SS_AUTODISARM_ (1u << 31)

static char *more;
static size_t used;
static stack_t mine;
static sigjmp_buf back;
static ucontext_t main_context, contexts[4];

static void touch_next(void)
{
	touch(more + PAGE * used++);
}

/* As small as the kernel allows here. */
static size_t smallest(void)
{
	size_t least = getauxval(AT_MINSIGSTKSZ);

	return least > 2048 ? least : 2048;
}

static void show(const char *what)
{
	stack_t now;

	if (sigaltstack(NULL, &now)) {
		perror("sigaltstack");
		return;
	}
	printf("%s: %s, %zu bytes, flags %x\n", what,
	       now.ss_sp == mine.ss_sp ? "mine"
	       : now.ss_sp             ? "another"
				       : "none",
	       now.ss_size, (unsigned)now.ss_flags);
}

static void use(void *memory, size_t size, int flags)
{
	mine.ss_sp = memory;
	mine.ss_size = size;
	mine.ss_flags = flags;
	errno = 0;
	if (sigaltstack(&mine, NULL))
		printf("sigaltstack: %s\n", strerror(errno));
}

static void on_signal(int sig)
{
	touch_next();
	show(sig == SIGUSR1 ? "first" : "second");
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	touch_next();
}

static void set(int sig, void (*handler)(int), int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&act.sa_mask);
	sigaction(sig, &act, NULL);
}

static void touches(int sig)
{
	(void)sig;
	touch_next();
}

static void nested_touches(int sig)
{
	touch_next();
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	touch_next();
}

static void smallest_stack_has_room_for_faults(void)
{
	char *memory = malloc(smallest());

	use(memory, smallest(), 0);
	show("set");
	set(SIGUSR1, touches, SA_ONSTACK);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	show("after");
}

static void stacks_read_back_as_they_were_set(void)
{
	static char large[1 << 18];
	stack_t bad = { .ss_sp = large, .ss_size = 100 };

	show("at first");
	use(large, sizeof(large), 0);
	show("large");
	set(SIGUSR1, on_signal, SA_ONSTACK);
	set(SIGUSR2, on_signal, 0);
	raise(SIGUSR1);
	show("after");
	printf("%d", sigaltstack(&bad, NULL));
	printf(" %s\n", strerror(errno));
	bad.ss_size = sizeof(large);
	bad.ss_flags = 99;
	printf("%d", sigaltstack(&bad, NULL));
	printf(" %s\n", strerror(errno));
	show("after bad ones");
	use(large, 20000, 0);
	show("smaller");
	raise(SIGUSR1);
	use(large, sizeof(large), (int)SS_AUTODISARM_);
	show("disarming");
	use(NULL, 0, SS_DISABLE);
	show("none");
	raise(SIGUSR1);
}

static void changing_it(int sig)
{
	stack_t other = { .ss_sp = malloc(65536), .ss_size = 65536 };

	(void)sig;
	printf("%d", sigaltstack(&other, NULL));
	printf(" %s\n", strerror(errno));
}

static void stack_in_use_is_not_changed(void)
{
	static char memory[1 << 17];

	use(memory, sizeof(memory), 0);
	set(SIGUSR1, changing_it, SA_ONSTACK);
	raise(SIGUSR1);
	use(memory, 16384, 0);
	raise(SIGUSR1);
	show("after");
}

static volatile uintptr_t where;

static void note_where(int sig)
{
	char here;

	(void)sig;
	where = (uintptr_t)&here;
	touch_next();
}

static int inside(const void *start, size_t size)
{
	return where - (uintptr_t)start < size;
}

static int near(const void *here, size_t size)
{
	return (uintptr_t)here - where < size;
}

static void handlers_run_where_they_should(void)
{
	size_t size = 1 << 17;
	char *memory = malloc(size), *lazy_stack = lazy(64), here;

	set(SIGUSR1, note_where, SA_ONSTACK);
	set(SIGUSR2, note_where, 0);
	raise(SIGUSR1);
	printf("without one: on this stack %d\n", near(&here, size));
	use(memory, size, 0);
	raise(SIGUSR1);
	printf("with one: on it %d\n", inside(memory, size));
	raise(SIGUSR2);
	printf("not asked for: on it %d\n", inside(memory, size));
	use(lazy_stack, 64 * PAGE, 0);
	raise(SIGUSR1);
	printf("lazy: on it %d\n", inside(lazy_stack, 64 * PAGE));
	for (int kib = 8; kib < 64; kib += 4) {
		use(memory, (size_t)kib << 10, 0);
		raise(SIGUSR1);
		printf("%d KiB: on it %d\n", kib,
		       inside(memory, (size_t)kib << 10));
	}
	use(NULL, 0, SS_DISABLE);
	raise(SIGUSR1);
	printf("without: on this stack %d\n", near(&here, size));
}

/* What the frame says is where the program's own alternate stack is, and not
 * another one. */
static void show_frame(int sig, siginfo_t *info, void *data)
{
	const ucontext_t *context = data;
	char here;

	printf("%s, on it %d, info %d, flags %x, before %d\n",
	       context->uc_stack.ss_sp == mine.ss_sp ? "mine" : "another",
	       (uintptr_t)&here - (uintptr_t)mine.ss_sp < mine.ss_size,
	       info->si_signo == sig && info->si_pid == getpid(),
	       (unsigned)context->uc_stack.ss_flags,
	       sigismember(&context->uc_sigmask, SIGSEGV));
	show("in it");
	touch_next();
}

static void frames_show_the_stack_that_was_asked_for(void)
{
	struct sigaction act = { .sa_sigaction = show_frame,
				 .sa_flags = SA_SIGINFO | SA_ONSTACK };
	char *memory = malloc(1 << 16);
	sigset_t all;

	sigaction(SIGUSR1, &act, NULL);
	for (size_t size = 8192; size <= 65536; size *= 2) {
		use(memory, size, size == 16384 ? (int)SS_AUTODISARM_ : 0);
		raise(SIGUSR1);
		show("after");
	}
	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(SIGUSR1);
}

static ucontext_t in_handler, out_of_it;

/* One that disarms its stack may leave it by a context, and come back. */
static void leave(int sig)
{
	char room[2000];
	int same = 1;

	memset(room, sig, sizeof(room));
	show("in it");
	swapcontext(&in_handler, &out_of_it);
	touch_next();
	for (size_t i = 0; i < sizeof(room); i++)
		same &= room[i] == sig;
	printf("same %d\n", same);
}

static void meanwhile(void)
{
	sigset_t none;

	show("left");
	touch_next();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(SIGUSR2);
	touch_next();
}

static void handlers_left_by_a_context_are_come_back_to(void)
{
	set(SIGUSR1, leave, SA_ONSTACK);
	set(SIGUSR2, on_signal, SA_ONSTACK);
	use(malloc(16384), 16384, (int)SS_AUTODISARM_);
	getcontext(&out_of_it);
	out_of_it.uc_stack.ss_sp = malloc(1 << 16);
	out_of_it.uc_stack.ss_size = 1 << 16;
	out_of_it.uc_link = &in_handler;
	makecontext(&out_of_it, meanwhile, 0);
	raise(SIGUSR1);
	show("after");
	raise(SIGUSR2);
}

static volatile int order[64], orders;

static void note_order(int sig)
{
	char here;

	order[orders] = sig;
	orders = orders + 1;
	where = (uintptr_t)&here;
	touch_next();
}

/* Each interrupts the entering of the one before. */
static void signals_that_come_at_once_are_all_handled(void)
{
	size_t size = 1 << 18;
	char *memory = malloc(size), here;
	sigset_t all, old;

	use(memory, size, 0);
	sigfillset(&all);
	for (int flags = 0; flags < 2; flags++) {
		orders = 0;
		sigprocmask(SIG_SETMASK, &all, &old);
		for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) {
			set(sig, note_order, flags ? SA_ONSTACK : 0);
			raise(sig);
		}
		raise(SIGUSR1);
		set(SIGUSR1, note_order, flags ? 0 : SA_ONSTACK);
		sigprocmask(SIG_SETMASK, &old, NULL);
		for (int i = 0; i < orders; i++)
			printf("%d ", order[i]);
		printf(": on it %d, here %d\n", inside(memory, size),
		       near(&here, size));
	}
}

static volatile sig_atomic_t handled;

static void count_one(int sig)
{
	(void)sig;
	handled++;
}

/* With the pages below absent, wherever in its page the stack pointer is. */
static void interrupted(int depth)
{
	volatile char *room = __builtin_alloca((size_t)depth * 64);

	room[0] = 1;
	raise(depth % 2 ? SIGUSR1 : SIGUSR2);
	touch_next();
}

static void on_lazy_stack(void (*run)(int), int argument)
{
	getcontext(&contexts[0]);
	contexts[0].uc_stack.ss_sp = lazy(64);
	contexts[0].uc_stack.ss_size = 64 * PAGE;
	contexts[0].uc_link = &main_context;
	makecontext(&contexts[0], (void (*)(void))run, 1, argument);
	swapcontext(&main_context, &contexts[0]);
}

static void signals_come_on_lazy_stacks(void)
{
	static int i;

	set(SIGUSR1, count_one, 0);
	set(SIGUSR2, count_one, SA_ONSTACK);
	for (i = 1; i < 65; i++)
		on_lazy_stack(interrupted, i);
	printf("handled %d\n", (int)handled);
}

static char *memory_of_call;

/* Calls that are lazymap's to make, wherever in its page the stack pointer is. */
static void calling(int depth)
{
	volatile char *room = __builtin_alloca((size_t)(depth / 8) * 64);
	char *memory = memory_of_call;
	struct sigaction act;
	int ret = -1;

	room[0] = 1;
	switch (depth % 8) {
	case 0:
		ret = mprotect(memory, 16 * PAGE, PROT_READ);
		break;
	case 1:
		ret = munmap(memory, 16 * PAGE);
		break;
	case 2:
		ret = madvise(memory, 16 * PAGE, MADV_DONTNEED);
		break;
	case 3:
		ret = msync(memory, 16 * PAGE, MS_SYNC);
		break;
	case 4:
		memory = mremap(memory, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
		ret = memory == MAP_FAILED;
		break;
	case 5:
		ret = mlock(memory, PAGE);
		break;
	case 6:
		ret = sigaction(SIGUSR1, NULL, &act);
		break;
	case 7:
		ret = read(open("/dev/zero", O_RDONLY), memory, 4 * PAGE) < 0;
		break;
	}
	if (ret)
		printf("wrong: %d at %d\n", ret, depth);
}

static void calls_are_made_on_lazy_stacks(void)
{
	static int i;

	for (i = 8; i < 65 * 8; i++) {
		memory_of_call = lazy(16);
		touch(memory_of_call);
		touch(memory_of_call + 5 * PAGE);
		on_lazy_stack(calling, i);
	}
	printf("called\n");
}

static void jump(int sig)
{
	touch_next();
	siglongjmp(back, sig);
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
	set(SIGSEGV, jump, SA_ONSTACK);
	for (; i < 3; i++) {
		if (!sigsetjmp(back, 1))
			printf("%d\n", overflow(0));
		else
			printf("overflow\n");
	}
}

static void *deep(void *argument)
{
	char room[30000];

	memset(room, 1, sizeof(room));
	touch_next();
	if ((uintptr_t)argument > 0)
		deep((char *)argument - 1);
	raise(SIGUSR2);
	return (void *)(uintptr_t)(room[77] + 4);
}

static void threads_run_on_lazy_stacks(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *result, *stack = lazy(1024);
	sigset_t all;

	set(SIGUSR2, nested_touches, 0);
	sigfillset(&all);
	pthread_attr_init(&attr);
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			pthread_sigmask(SIG_SETMASK, &all, NULL);
		pthread_attr_setstack(&attr, stack, 1024 * PAGE);
		printf("%d\n", pthread_create(&thread, &attr, deep,
					      (void *)(uintptr_t)(i * 20)));
		pthread_join(thread, &result);
		printf("%ld\n", (long)result);
	}
}

static pthread_key_t key;
static _Atomic int ended;

static void at_end(void *value)
{
	touch(value);
	raise(SIGUSR2);
	ended++;
}

static void *short_one(void *argument)
{
	touch(argument);
	pthread_setspecific(key, argument);
	if ((uintptr_t)argument / PAGE % 2)
		pthread_exit(NULL);
	return NULL;
}

static void threads_touch_as_they_begin_and_end(void)
{
	pthread_t threads[8];
	char *memory = lazy(800);

	set(SIGUSR2, note_where, SA_ONSTACK);
	pthread_key_create(&key, at_end);
	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < 8; i++)
			pthread_create(&threads[i], NULL, short_one,
				       memory +
					       (round * 8 + i) * 4 * (int)PAGE);
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
	}
	printf("ended %d\n", ended);
}

static void *cancelled(void *argument)
{
	int fds[2];

	if (pipe(fds))
		return NULL;
	/* Nobody writes: the lazy buffer is held until the end. */
	return (void *)read(fds[0], argument, 3 * PAGE);
}

static void cancelled_read_lets_go(void)
{
	char *memory = lazy(8);
	pthread_t thread;
	void *result;

	for (int i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, cancelled, memory);
		usleep(20000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		printf("%d\n", result == PTHREAD_CANCELED);
	}
	printf("%d\n", munmap(memory, 8 * PAGE));
}

/* What lies below a thread's stack pointer is absent, so deep that lazymap does
 * not pin it. It waits there without a call. */
#define DEEP ((size_t)1 << 20)
static volatile sig_atomic_t is_deep, let_go;

static void wait_deep(size_t more_room)
{
	volatile char *room = __builtin_alloca(DEEP + more_room);

	room[0] = 1;
	is_deep = 1;
	while (!let_go)
		;
}

static void *waits_deep(void *depth)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	wait_deep((uintptr_t)depth * 64);
	return NULL;
}

/* Cancellation, and setuid in all threads, are signals of the C library's own. */
static void librarys_signals_come_on_lazy_stacks(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *result;
	int right = 0;

	pthread_attr_init(&attr);
	for (uintptr_t i = 0; i < 128; i++) {
		char *stack = lazy(512);

		is_deep = let_go = 0;
		pthread_attr_setstack(&attr, stack, 512 * PAGE);
		if (pthread_create(&thread, &attr, waits_deep, (void *)i))
			printf("no thread\n");
		while (!is_deep)
			sched_yield();
		if (i % 2)
			pthread_cancel(thread);
		else
			right += setuid(getuid()) == 0;
		let_go = i % 2 == 0;
		pthread_join(thread, &result);
		right += i % 2 && result == PTHREAD_CANCELED;
		munmap(stack, 512 * PAGE);
	}
	printf("right %d\n", right);
}

static void coroutine(int me)
{
	char room[6000];

	for (int i = 0; i < 5; i++) {
		memset(room, me, sizeof(room));
		touch_next();
		printf("coroutine %d, %d\n", me, i);
		if (swapcontext(&contexts[me], &contexts[(me + 1) % 4]))
			perror("swapcontext");
		if (room[me * 100] != me)
			printf("wrong: another's stack\n");
	}
}

static void coroutines_run_on_lazy_stacks(void)
{
	static int i;

	for (; i < 4; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = lazy(16);
		contexts[i].uc_stack.ss_size = 16 * PAGE;
		contexts[i].uc_link = &main_context;
		makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
	}
	swapcontext(&main_context, &contexts[0]);
	printf("back\n");
}

#if defined(__x86_64__)
static volatile sig_atomic_t steps, elsewhere;

static void step(int sig)
{
	char here;
	stack_t now;

	(void)sig;
	steps++;
	if (&here < (char *)mine.ss_sp ||
	    &here >= (char *)mine.ss_sp + mine.ss_size ||
	    sigaltstack(NULL, &now) || now.ss_sp != mine.ss_sp)
		elsewhere++;
}

/* The processor raises SIGTRAP after each instruction from here on, until the
 * frame is returned to that was pushed before. */
static void step_from_here(int sig)
{
	(void)sig;
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::
				 : "memory", "cc");
}

static void signals_come_at_each_instruction_of_a_return(void)
{
	use(malloc(16 * 1024), 16 * 1024, 0);
	set(SIGTRAP, step, SA_ONSTACK);
	set(SIGUSR1, step_from_here, SA_ONSTACK);
	for (int i = 0; i < 3; i++)
		raise(SIGUSR1);
	show("after");
	printf("%s, %d elsewhere\n", steps ? "stepped" : "not stepped",
	       elsewhere);
}
#else
static void signals_come_at_each_instruction_of_a_return(void)
{
}
#endif

static void page_out(int sig)
{
	touch_next();
	madvise(mine.ss_sp, 8 * PAGE, MADV_PAGEOUT);
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	madvise(mine.ss_sp, 8 * PAGE, MADV_PAGEOUT);
}

/* The kernel reads more of it than anybody else: the last bytes of the
 * processor's state have a page of their own here. */
static void frames_may_be_evicted_before_they_are_returned_by(void)
{
	use(lazy(8), 7 * PAGE + 256, 0);
	set(SIGUSR1, page_out, SA_ONSTACK);
	set(SIGUSR2, page_out, SA_ONSTACK);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	show("after");
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(smallest_stack_has_room_for_faults),
		CASE(stacks_read_back_as_they_were_set),
		CASE(stack_in_use_is_not_changed),
		CASE(handlers_run_where_they_should),
		CASE(frames_show_the_stack_that_was_asked_for),
		CASE(handlers_left_by_a_context_are_come_back_to),
		CASE(signals_that_come_at_once_are_all_handled),
		CASE(signals_come_at_each_instruction_of_a_return),
		CASE(signals_come_on_lazy_stacks),
		CASE(frames_may_be_evicted_before_they_are_returned_by),
		CASE(calls_are_made_on_lazy_stacks),
		CASE(stack_overflow_is_handled_on_the_alternate_stack),
		CASE(threads_run_on_lazy_stacks),
		CASE(threads_touch_as_they_begin_and_end),
		CASE(cancelled_read_lets_go),
		CASE(coroutines_run_on_lazy_stacks),
		CASE(librarys_signals_come_on_lazy_stacks),
		{ NULL, NULL },
	};

	more = lazy(1024);
	return run_cases(cases, argc, argv);
}
