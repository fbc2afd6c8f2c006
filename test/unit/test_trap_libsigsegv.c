/*
 * test_trap_libsigsegv.c -- the module lazymap-trap-libsigsegv, driven by a
 * core that is not there: an area whose pages are filled with a number.
 *
 * The module is loaded from $BUILDDIR (or from where this program was built),
 * as the library would; it brings libsigsegv along.
 *
 * This program's own sigaction() stands for the shim's: once `held`, what is
 * set for SIGSEGV is remembered and not done.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "trap/trap.h"

#if __has_include(<sigsegv.h>)
#include <sigsegv.h>

#define PAGE 4096ul
#define PAGES 256ul
#define EXPORTED __attribute__((visibility("default")))

static const struct lm_trap *trap; /* the module */

/* libsigsegv, as a program uses it. */
#define LIBRARY(name) static __typeof__(&name) lib_##name
LIBRARY(sigsegv_install_handler);
LIBRARY(sigsegv_leave_handler);
LIBRARY(sigsegv_init);
LIBRARY(sigsegv_register);
LIBRARY(sigsegv_dispatch);
LIBRARY(stackoverflow_install_handler);
#undef LIBRARY

/* 0, or why not. */
static const char *load(void)
{
	const char *dir = getenv("BUILDDIR");
	char path[4096], self[2048] = "";
	void *module;

	if (!dir && readlink("/proc/self/exe", self, sizeof(self) - 16) > 0) {
		*strrchr(self, '/') = 0;
		strcat(self, "/../..");
		dir = self;
	}
	snprintf(path, sizeof(path), "%s/lazymap-trap-libsigsegv.so", dir);
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module)
		return dlerror();
	trap = dlsym(module, "lm_trap_module");
#define LIBRARY(name) lib_##name = (__typeof__(&name))dlsym(module, #name)
	LIBRARY(sigsegv_install_handler);
	LIBRARY(sigsegv_leave_handler);
	LIBRARY(sigsegv_init);
	LIBRARY(sigsegv_register);
	LIBRARY(sigsegv_dispatch);
	LIBRARY(stackoverflow_install_handler);
#undef LIBRARY
	return trap && lib_sigsegv_dispatch ? NULL : "symbols are missing";
}

/* -- the core that is not there -------------------------------------------- */

static char *area;
static atomic_uchar pages[PAGES]; /* 0 absent, 1 readable, 2 writable */
static atomic_int faults, foreigns, fails, unknowns, order_errors;
static _Atomic uintptr_t failed_at;
static int held;
static struct sigaction program; /* the program's action, as it sees it */
static void (*in_fault)(uintptr_t addr);
static int fail_fills;

static enum lm_served core_fault(uintptr_t addr, enum lm_access access)
{
	size_t page = (addr - (uintptr_t)area) / PAGE;
	char *at = area + page * PAGE;

	if (addr < (uintptr_t)area || page >= PAGES)
		return LM_FOREIGN;
	if (fail_fills)
		return LM_FAILED;
	atomic_fetch_add(&faults, 1);
	atomic_fetch_add(&unknowns, access == LM_UNKNOWN);
	if (in_fault)
		in_fault(addr);
	/* Enough of a core for tests in which a page has one thread. */
	if (atomic_load(&pages[page]) == 0) {
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
		memset(at, (int)page + 1, PAGE);
		mprotect(at, PAGE, PROT_READ);
		atomic_store(&pages[page], 1);
	} else {
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
		atomic_store(&pages[page], 2);
	}
	errno = 99;
	return LM_SERVED;
}

static void core_foreign(int sig, siginfo_t *info, void *context)
{
	static const unsigned long none[4]; /* a kernel_action: SIG_DFL */

	atomic_fetch_add(&foreigns, 1);
	if (program.sa_handler == SIG_DFL) {
		syscall(SYS_rt_sigaction, sig, none, NULL, 8);
		if (info->si_code <= 0)
			raise(sig);
	} else if (program.sa_flags & SA_SIGINFO)
		program.sa_sigaction(sig, info, context);
	else
		program.sa_handler(sig);
}

static sigjmp_buf back;

static void core_fail(uintptr_t addr, void *context)
{
	(void)context;
	atomic_fetch_add(&fails, 1);
	atomic_store(&failed_at, addr);
	siglongjmp(back, 1);
}

static const struct lm_trap_core core = {
	.size = sizeof(core),
	.version = LM_TRAP_VERSION,
	.fault = core_fault,
	.foreign = core_foreign,
	.fail = core_fail,
};

/* -- the shim that is not there -------------------------------------------- */

EXPORTED int sigaction(int sig, const struct sigaction *act,
		       struct sigaction *old)
{
	static int (*next)(int, const struct sigaction *, struct sigaction *);

	if (held && sig == SIGSEGV) {
		if (old)
			*old = program;
		if (act) {
			program = *act;
			trap->program_set(act);
		}
		return 0;
	}
	if (!next)
		next = (int (*)(int, const struct sigaction *,
				struct sigaction *))dlsym(RTLD_NEXT,
							  "sigaction");
	return next(sig, act, old);
}

EXPORTED sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction act = { .sa_handler = handler }, old;

	return sigaction(sig, &act, &old) ? SIG_ERR : old.sa_handler;
}

static void start(void)
{
	area = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ck_assert_ptr_ne(area, MAP_FAILED);
	ck_assert_int_eq(trap->install(&core, &program), 0);
}

static void start_held(void)
{
	start();
	held = 1;
}

static int touch(size_t page)
{
	return *(volatile unsigned char *)(area + page * PAGE);
}

/* -- handlers of the program ----------------------------------------------- */

static volatile int caught;
static void *volatile caught_at;
static volatile uintptr_t caught_context;

static void program_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	caught++;
	caught_at = info->si_addr;
#if defined(__x86_64__)
	caught_context =
		(uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_CR2];
#elif defined(__aarch64__)
	caught_context = ((ucontext_t *)context)->uc_mcontext.fault_address;
#else
	(void)context;
	caught_context = (uintptr_t)info->si_addr;
#endif
	siglongjmp(back, 1);
}

static void set_program_handler(void)
{
	struct sigaction act = { .sa_sigaction = program_handler,
				 .sa_flags = SA_SIGINFO };

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
}

static void leave(void *a, void *b, void *c)
{
	(void)a;
	(void)b;
	(void)c;
	siglongjmp(back, 1);
}

/* What a program gives to sigsegv_install_handler. */
static int library_handler(void *addr, int serious)
{
	if (addr >= (void *)area && addr < (void *)(area + PAGES * PAGE))
		atomic_fetch_add(&order_errors, 1); /* not its business */
	if (addr != (void *)0x5000)
		return 0;
	(void)serious;
	caught++;
	caught_at = addr;
	return lib_sigsegv_leave_handler(leave, NULL, NULL, NULL);
}

static void fault_at(uintptr_t addr)
{
	if (!sigsetjmp(back, 1))
		*(volatile char *)addr = 1;
}

/* The signal that kills a child which runs fn; 0 if it is not killed. */
static int killed_by(void (*fn)(void))
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* -- served ---------------------------------------------------------------- */

START_TEST(fault_is_served_and_the_instruction_goes_on)
{
	start();
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(touch(i), (unsigned char)(i + 1));
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(touch(i), (unsigned char)(i + 1));
	ck_assert_int_eq(atomic_load(&faults), PAGES);
	ck_assert_int_eq(atomic_load(&foreigns), 0);
}
END_TEST

START_TEST(access_is_unknown_and_a_write_faults_again)
{
	start();
	area[5 * PAGE] = 77;
	ck_assert_int_eq(touch(5), 77);
	ck_assert_int_eq(area[5 * PAGE + 1], 6);
	ck_assert_int_eq(atomic_load(&faults), 2);
	ck_assert_int_eq(atomic_load(&unknowns), 2);
}
END_TEST

START_TEST(errno_is_kept)
{
	start();
	errno = 7;
	touch(1);
	ck_assert_int_eq(errno, 7);
}
END_TEST

static void check_mask(uintptr_t addr)
{
	sigset_t now;

	(void)addr;
	sigprocmask(SIG_BLOCK, NULL, &now);
	for (int sig = 1; sig < 32; sig++) {
		int open = sig == SIGSEGV || sig == SIGBUS || sig == SIGSYS ||
			   sig == SIGILL || sig == SIGFPE || sig == SIGTRAP ||
			   sig == SIGKILL || sig == SIGSTOP;

		if (sigismember(&now, sig) == open)
			atomic_fetch_add(&order_errors, 1);
	}
}

START_TEST(all_signals_but_those_of_instructions_are_blocked_meanwhile)
{
	sigset_t before, after;

	start();
	sigprocmask(SIG_BLOCK, NULL, &before);
	in_fault = check_mask;
	touch(1);
	ck_assert_int_eq(atomic_load(&order_errors), 0);
	sigprocmask(SIG_BLOCK, NULL, &after);
	ck_assert_int_eq(memcmp(&before, &after, 8), 0);
}
END_TEST

static void touch_the_next(uintptr_t addr)
{
	size_t page = (addr - (uintptr_t)area) / PAGE;

	if (page < 8 && touch(page + 1) != (int)page + 2)
		atomic_fetch_add(&order_errors, 1);
}

START_TEST(fault_inside_a_fill_is_served)
{
	start();
	in_fault = touch_the_next;
	ck_assert_int_eq(touch(0), 1);
	ck_assert_int_eq(atomic_load(&faults), 9);
	ck_assert_int_eq(atomic_load(&order_errors), 0);
}
END_TEST

static void *stack_seen;

static void note_stack(uintptr_t addr)
{
	(void)addr;
	stack_seen = __builtin_frame_address(0);
}

START_TEST(fault_is_served_on_the_alternate_stack)
{
	static char other[65536];
	stack_t stack = { .ss_sp = other, .ss_size = sizeof(other) };

	start();
	in_fault = note_stack;
	ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
	ck_assert_int_eq(touch(3), 4);
	ck_assert(stack_seen >= (void *)other &&
		  stack_seen < (void *)(other + sizeof(other)));
}
END_TEST

static void *touch_a_half(void *arg)
{
	for (size_t i = (uintptr_t)arg; i < PAGES; i += 2) {
		if (touch(i) != (unsigned char)(i + 1))
			return (void *)1;
		area[i * PAGE] = 3;
		if (touch(i) != 3)
			return (void *)1;
	}
	return NULL;
}

START_TEST(two_threads_fault_at_once)
{
	pthread_t thread[2];
	void *bad;

	start();
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, touch_a_half,
						(void *)i),
				 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], &bad);
		ck_assert_ptr_null(bad);
	}
	ck_assert_int_eq(atomic_load(&faults), 2 * PAGES);
}
END_TEST

START_TEST(failed_fill_is_reported_at_its_address)
{
	start();
	fail_fills = 1;
	fault_at((uintptr_t)area + 9 * PAGE + 17);
	ck_assert_int_eq(atomic_load(&fails), 1);
	ck_assert_uint_eq(atomic_load(&failed_at),
			  (uintptr_t)area + 9 * PAGE + 17);
	fail_fills = 0;
	ck_assert_int_eq(touch(9), 10);
}
END_TEST

/* -- foreign --------------------------------------------------------------- */

START_TEST(foreign_fault_reaches_the_earlier_handler_with_address_and_context)
{
	set_program_handler();
	start();
	fault_at(0x5678);
	ck_assert_int_eq(caught, 1);
	ck_assert_ptr_eq(caught_at, (void *)0x5678);
	ck_assert_uint_eq(caught_context, 0x5678);
	fault_at(8); /* in the page that the dispatcher does not cover */
	ck_assert_int_eq(caught, 2);
	ck_assert_ptr_eq(caught_at, (void *)8);
}
END_TEST

START_TEST(siglongjmp_out_of_the_handler_works_again_and_again)
{
	set_program_handler();
	start();
	for (size_t i = 0; i < PAGES; i++) {
		fault_at(0x5000 + i);
		ck_assert_ptr_eq(caught_at, (void *)(0x5000 + i));
		ck_assert_int_eq(touch(i), (unsigned char)(i + 1));
	}
	ck_assert_int_eq(caught, PAGES);
	ck_assert_int_eq(atomic_load(&faults), PAGES);
}
END_TEST

START_TEST(handler_set_later_is_the_one_that_is_called)
{
	start_held();
	set_program_handler();
	fault_at(0x5000);
	ck_assert_int_eq(caught, 1);
	ck_assert_int_eq(touch(2), 3);
}
END_TEST

/* UBSan would say so before the kernel does. */
__attribute__((no_sanitize("undefined"))) static void use_null(void)
{
	touch(1);
	*(volatile char *)NULL = 1;
}

static void use_nonsense(void)
{
	touch(1);
	*(volatile char *)0x5000 = 1;
}

static void send_sigsegv(void)
{
	touch(1);
	kill(getpid(), SIGSEGV);
}

START_TEST(bad_pointer_without_a_handler_dies_of_sigsegv)
{
	start();
	ck_assert_int_eq(killed_by(use_null), SIGSEGV);
	ck_assert_int_eq(killed_by(use_nonsense), SIGSEGV);
	ck_assert_int_eq(killed_by(send_sigsegv), SIGSEGV);
	ck_assert_int_eq(touch(2), 3);
}
END_TEST

/* What kill(2) puts where si_addr is may be an address of the area. */
START_TEST(signal_that_was_sent_is_foreign_whatever_its_address)
{
	siginfo_t info = { 0 };

	set_program_handler();
	start();
	info.si_signo = SIGSEGV;
	info.si_code = SI_QUEUE;
	info.si_addr = area;
	if (!sigsetjmp(back, 1))
		syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGSEGV,
			&info);
	ck_assert_int_eq(caught, 1);
	ck_assert_int_eq(atomic_load(&faults), 0);
}
END_TEST

START_TEST(remove_puts_the_earlier_handler_back)
{
	struct sigaction now;

	set_program_handler();
	start();
	trap->remove(&program);
	ck_assert_int_eq(sigaction(SIGSEGV, NULL, &now), 0);
	ck_assert(now.sa_sigaction == program_handler);
	ck_assert(now.sa_flags & SA_SIGINFO);
	fault_at(0x5000);
	ck_assert_int_eq(caught, 1);
	ck_assert_int_eq(atomic_load(&foreigns), 0);
}
END_TEST

START_TEST(core_of_another_version_is_einval)
{
	struct lm_trap_core other = core;
	struct sigaction old, now;

	sigaction(SIGSEGV, NULL, &old);
	other.version++;
	ck_assert_int_eq(trap->install(&other, &program), -EINVAL);
	sigaction(SIGSEGV, NULL, &now);
	ck_assert(now.sa_handler == old.sa_handler);
}
END_TEST

START_TEST(sigaction_that_does_nothing_is_ebusy)
{
	struct sigaction before, after;

	sigaction(SIGSEGV, NULL, &before);
	held = 1;
	ck_assert_int_eq(trap->install(&core, &program), -EBUSY);
	held = 0;
	sigaction(SIGSEGV, NULL, &after);
	ck_assert(before.sa_handler == after.sa_handler);
}
END_TEST

/* -- programs that use libsigsegv themselves ------------------------------- */

static void lives_with_the_program(void)
{
	for (size_t i = 0; i < 32; i++) {
		ck_assert_int_eq(touch(i), (unsigned char)(i + 1));
		area[i * PAGE] = 9;
		fault_at(0x5000);
		ck_assert_int_eq(caught, (int)i + 1);
		ck_assert_ptr_eq(caught_at, (void *)0x5000);
	}
	ck_assert_int_eq(atomic_load(&faults), 64);
	/* Its handler is never asked about lazymap's addresses. */
	ck_assert_int_eq(atomic_load(&order_errors), 0);
	ck_assert_int_eq(killed_by(use_null), SIGSEGV);
}

START_TEST(program_that_used_libsigsegv_before_keeps_its_handler)
{
	ck_assert_int_eq(lib_sigsegv_install_handler(library_handler), 0);
	start_held();
	lives_with_the_program();
}
END_TEST

START_TEST(program_that_uses_libsigsegv_later_has_its_handler_too)
{
	start_held();
	touch(PAGES - 1);
	atomic_store(&faults, 0);
	ck_assert_int_eq(lib_sigsegv_install_handler(library_handler), 0);
	lives_with_the_program();
}
END_TEST

static sigsegv_dispatcher programs;

static int program_area(void *addr, void *page)
{
	(void)addr;
	caught++;
	return mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0;
}

static int program_dispatch(void *addr, int serious)
{
	(void)serious;
	return lib_sigsegv_dispatch(&programs, addr);
}

START_TEST(program_with_a_dispatcher_of_its_own_serves_its_own_areas)
{
	char *own =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	start_held();
	lib_sigsegv_init(&programs);
	ck_assert_ptr_nonnull(
		lib_sigsegv_register(&programs, own, PAGE, program_area, own));
	ck_assert_int_eq(lib_sigsegv_install_handler(program_dispatch), 0);
	*(volatile char *)(own + 5) = 1;
	ck_assert_int_eq(caught, 1);
	ck_assert_int_eq(touch(3), 4);
	ck_assert_int_eq(killed_by(use_nonsense), SIGSEGV);
}
END_TEST

static void overflowed(int emergency, stackoverflow_context_t context)
{
	(void)emergency;
	(void)context;
	_exit(33);
}

static volatile int depth_limit = -1;

static int recurse(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	if (depth == depth_limit)
		return 0;
	return recurse(depth + 1) + frame[0];
}

static void overflow(void)
{
	static char stack[65536];

	if (lib_stackoverflow_install_handler(overflowed, stack, sizeof(stack)))
		_exit(34);
	if (touch(1) != 2)
		_exit(35);
	recurse(0);
}

START_TEST(program_with_a_stack_overflow_handler_gets_its_overflow)
{
	start_held();
	ck_assert_int_eq(killed_by(overflow), -33);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trap_libsigsegv");
	TCase *tcase = tcase_create("trap");
	SRunner *runner;
	const char *why = load();
	int failures;

	if (why) {
		printf("skipped: no module: %s\n", why);
		return 77;
	}
	tcase_set_timeout(tcase, 60);
#define TEST(test) tcase_add_test(tcase, test)
	TEST(fault_is_served_and_the_instruction_goes_on);
	TEST(access_is_unknown_and_a_write_faults_again);
	TEST(errno_is_kept);
	TEST(all_signals_but_those_of_instructions_are_blocked_meanwhile);
	TEST(fault_inside_a_fill_is_served);
	TEST(fault_is_served_on_the_alternate_stack);
	TEST(two_threads_fault_at_once);
	TEST(failed_fill_is_reported_at_its_address);
	TEST(foreign_fault_reaches_the_earlier_handler_with_address_and_context);
	TEST(siglongjmp_out_of_the_handler_works_again_and_again);
	TEST(handler_set_later_is_the_one_that_is_called);
	TEST(bad_pointer_without_a_handler_dies_of_sigsegv);
	TEST(signal_that_was_sent_is_foreign_whatever_its_address);
	TEST(remove_puts_the_earlier_handler_back);
	TEST(core_of_another_version_is_einval);
	TEST(sigaction_that_does_nothing_is_ebusy);
	TEST(program_that_used_libsigsegv_before_keeps_its_handler);
	TEST(program_that_uses_libsigsegv_later_has_its_handler_too);
	TEST(program_with_a_dispatcher_of_its_own_serves_its_own_areas);
	TEST(program_with_a_stack_overflow_handler_gets_its_overflow);
#undef TEST
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}

#else /* no libsigsegv, so no module */

int main(void)
{
	printf("skipped: libsigsegv was not there when this was compiled\n");
	return 77;
}

#endif
