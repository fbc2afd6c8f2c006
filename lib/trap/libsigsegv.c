/*
 * libsigsegv.c -- the trap `libsigsegv`: faults by way of GNU libsigsegv.
 *
 * The module lazymap-trap-libsigsegv.so. This file is under the MIT licence;
 * GNU libsigsegv, which it is linked with, is under the GNU GPL (version 2 or
 * later), and so is the module as a whole. That is why it is a module.
 *
 * libsigsegv keeps one handler for the process, forgets the one that was there
 * before, and tells a handler the address and nothing else. What lazymap needs
 * beyond that is added around it: a handler of our own takes the signal, with
 * its siginfo and context, hands it to libsigsegv's handler, which calls
 * on_fault, which asks libsigsegv's dispatcher. What comes back as foreign goes
 * on with the real siginfo and context. on_fault never declines: libsigsegv
 * then resets the signal to its default, after a look into /proc/self/maps
 * inside the signal handler (2.14, seen with strace).
 *
 * A program that uses the same libsigsegv.so has that one handler for itself,
 * set before lazymap started or after. Then our handler asks the dispatcher
 * (each has its own) directly, and libsigsegv with the program's handler in it
 * is the program's own action, where foreign faults go.
 *
 * Uses libc's and libsigsegv's functions only in install(); the rest can run in
 * the signal handler.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sigsegv.h>
#include <stdatomic.h>
#include <string.h>

#include "syscall/raw.h"
#include "trap/trap.h"

extern const struct lm_trap lm_trap_module;

/* The kernel's struct sigaction, to go past libc's and the shim's calls. */
struct kernel_action {
	void (*handler)(int sig, siginfo_t *info, void *context);
	unsigned long flags;
#ifdef SA_RESTORER
	void (*restorer)(void);
#elif defined(__x86_64__) || defined(__aarch64__)
#define SA_RESTORER 0x04000000
	void (*restorer)(void);
#endif
	uint64_t mask;
};

/* What became of the fault that this thread is in. */
struct visit {
	enum lm_served served;
	int seen; /* on_fault was called */
};

/*
 * How on_fault, which is told nothing, finds its visit. Initial-exec: any other
 * model may call malloc at a thread's first use. After a siglongjmp out of a
 * handler it may point to a dead frame; it is NULL or current whenever
 * libsigsegv is called.
 */
static __thread struct visit *visit __attribute__((tls_model("initial-exec")));

/* All immutable once install() has returned, but for program_has_it. */
static const struct lm_trap_core *core;
static sigsegv_dispatcher dispatcher;
static void *ticket;
static void (*library_handler)(int sig, siginfo_t *info, void *context);
/* libsigsegv's one handler is the program's, not ours. Atomic; never back. */
static atomic_int program_has_it;

static int get_action(struct kernel_action *act)
{
	memset(act, 0, sizeof(*act));
	return (int)lm_sys(SYS_rt_sigaction, SIGSEGV, NULL, act,
			   sizeof(act->mask));
}

static int set_action(const struct kernel_action *act)
{
	return (int)lm_sys(SYS_rt_sigaction, SIGSEGV, act, NULL,
			   sizeof(act->mask));
}

static int on_area(void *addr, void *unused)
{
	struct visit *mine = visit; /* a fault in core->fault has its own */

	(void)unused;
	mine->served = core->fault((uintptr_t)addr, LM_UNKNOWN);
	return mine->served != LM_FOREIGN;
}

static int on_fault(void *addr, int serious)
{
	(void)serious;
	if (!visit)
		return 0; /* the program's libsigsegv asks; see above */
	visit->seen = 1;
	sigsegv_dispatch(&dispatcher, addr);
	return 1;
}

LM_TRAP_ENTRY
static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	struct visit *outer = visit;
	struct visit mine = { .served = LM_FOREIGN };

	/* A signal that somebody sent has no address: what lies there is a
	 * process and a user id, which can look like any. */
	if (info->si_code > 0) {
		visit = &mine;
		if (!atomic_load_explicit(&program_has_it,
					  memory_order_relaxed))
			library_handler(sig, info, context);
		/* The program's handler was asked in our place: it took
		 * libsigsegv's in this instant. */
		if (!mine.seen)
			on_fault(info->si_addr, 1);
	}
	visit = NULL; /* foreign may not return, and may ask libsigsegv */
	if (mine.served == LM_FOREIGN)
		core->foreign(sig, info, context);
	else if (mine.served == LM_FAILED)
		core->fail((uintptr_t)info->si_addr, context);
	visit = outer;
	errno = saved;
}

/* Is this function libsigsegv.so's? (One that is linked statically into the
 * program has a state of its own, and is as good as any other handler.) */
static int is_library(void (*handler)(int, siginfo_t *, void *))
{
	Dl_info info;

	return dladdr((void *)handler, &info) && info.dli_fname &&
	       strstr(info.dli_fname, "libsigsegv.so") != NULL;
}

/*
 * One area for all there is: the core's look-up knows which addresses are lazy,
 * and the tree, which has no lock, must not change under a handler. The page
 * at zero stays out: a null pointer, and what the kernel gives for an address
 * that cannot be (non-canonical), is nobody's.
 */
static int register_all(void)
{
	uintptr_t first = 0x1000;

	if (ticket)
		return 0;
	sigsegv_init(&dispatcher);
	ticket = sigsegv_register(&dispatcher, (void *)first,
				  (UINTPTR_MAX >> 1) - 0xfff - first, on_area,
				  NULL);
	return ticket ? 0 : -ENOMEM;
}

/* Have libsigsegv's handler in library_handler, ours or the program's in it. */
static int take_library(const struct sigaction *previous)
{
	struct sigaction now;

	if (is_library(previous->sa_sigaction)) {
		/* Installing ours would throw away the program's handler,
		 * which libsigsegv does not tell. */
		atomic_store_explicit(&program_has_it, 1, memory_order_relaxed);
		library_handler = previous->sa_sigaction;
		return 0;
	}
	if (sigsegv_install_handler(on_fault) != 0)
		return -ENOSYS;
	if (sigaction(SIGSEGV, NULL, &now) != 0)
		return -errno;
	if (!is_library(now.sa_sigaction))
		return -EBUSY;
	library_handler = now.sa_sigaction;
	return 0;
}

/*
 * Actions are read through libc: under ThreadSanitizer the kernel's is the
 * sanitizer's own handler, and the program's is kept elsewhere. Ours is set
 * past libc, where neither a sanitizer nor the shim can put it off.
 */
static int install(const struct lm_trap_core *given, struct sigaction *previous)
{
	static const int deliverable[] = { SIGSEGV, SIGBUS, SIGSYS,
					   SIGILL,  SIGFPE, SIGTRAP };
	struct kernel_action now;
	int err;

	if (given->version != LM_TRAP_VERSION || given->size < sizeof(*given))
		return -EINVAL;
	if (sigaction(SIGSEGV, NULL, previous) != 0)
		return -errno;
	err = register_all();
	if (err)
		return err;
	core = given;
	err = take_library(previous);
	if (!err)
		err = get_action(&now);
	/* Nothing came of it: a shim keeps SIGSEGV already. There is no
	 * restorer to take over, without which no handler returns. */
	if (!err &&
	    (now.handler == (void *)SIG_DFL || now.handler == (void *)SIG_IGN))
		err = -EBUSY;
	if (err)
		goto out_action;
	/*
	 * libsigsegv's mask leaves some signals deliverable, and SIGSEGV not:
	 * but a store may touch lazy memory. Of those that an instruction
	 * raises, none may be blocked: the kernel would kill.
	 */
	now.handler = on_signal;
	now.flags |= SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	now.flags &= ~(unsigned long)SA_RESETHAND;
	now.mask = ~UINT64_C(0);
	for (unsigned i = 0; i < sizeof(deliverable) / sizeof(int); i++)
		now.mask &= ~(UINT64_C(1) << (deliverable[i] - 1));
	err = set_action(&now);
	if (!err)
		return 0;
out_action:
	sigaction(SIGSEGV, previous, NULL); /* was valid once: cannot fail */
	return err;
}

/*
 * libsigsegv keeps on_fault, which declines from now on. Not
 * sigsegv_deinstall_handler: it sets the default action, by libc's call, which
 * would be taken for the program's wish.
 */
static void uninstall(const struct sigaction *previous)
{
	struct kernel_action act;

	if (get_action(&act) < 0)
		return;
	act.handler = previous->sa_sigaction;
#ifdef SA_RESTORER
	act.flags &= SA_RESTORER;
#else
	act.flags = 0;
#endif
	act.flags |= (unsigned long)previous->sa_flags;
	memcpy(&act.mask, &previous->sa_mask, sizeof(act.mask));
	set_action(&act); /* the kernel's own values: cannot fail */
}

static void program_set(const struct sigaction *act)
{
	/* Both of libsigsegv's calls end here: sigsegv_install_handler has
	 * replaced on_fault, stackoverflow_install_handler wants the faults
	 * that we do not. */
	if (act->sa_sigaction == library_handler)
		atomic_store_explicit(&program_has_it, 1, memory_order_relaxed);
}

__attribute__((visibility("default"))) const struct lm_trap lm_trap_module = {
	.size = sizeof(struct lm_trap),
	.version = LM_TRAP_VERSION,
	.name = "libsigsegv",
	.install = install,
	.remove = uninstall,
	.program_set = program_set,
};
