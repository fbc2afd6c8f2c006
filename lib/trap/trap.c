/*
 * trap.c -- choosing a trap, and where foreign faults go.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "trap.h"

#include "../fault.h"
#include "../lock.h"
#include "../module.h"
#include "../start.h"
#include "../syscall/copy.h"
#include "action.h"

#include <stdio.h>
#include <string.h>
#include <ucontext.h>

static const struct lm_trap *trap; /* immutable after the start */
static _Atomic int installed;

/* What the program set for SIGSEGV; guarded by the lock. */
static struct lm_lock lock;
static struct sigaction program;

static bool (*_Atomic deliver)(int sig, siginfo_t *info, void *context);

struct sigaction lm_trap_program(bool reset)
{
	struct sigaction now;

	lm_lock_take(&lock);
	now = program;
	if (reset && program.sa_flags & (int)SA_RESETHAND)
		program.sa_handler = SIG_DFL;
	lm_lock_drop(&lock);
	return now;
}

void lm_trap_deliver(bool (*by)(int sig, siginfo_t *info, void *context))
{
	atomic_store(&deliver, by);
}

void lm_trap_die(int sig, siginfo_t *info)
{
	lm_action_default(sig);
	if (info->si_code <= 0)
		lm_action_queue(sig, info);
}

/* As the kernel would call it: its mask added, its flags obeyed. */
static void call(const struct sigaction *act, int sig, siginfo_t *info,
		 ucontext_t *context)
{
	uint64_t mask, more;

	memcpy(&mask, &context->uc_sigmask, sizeof(mask));
	memcpy(&more, &act->sa_mask, sizeof(more));
	mask |= more;
	/* SIGSEGV stays deliverable, or the handler could touch nothing
	 * lazy. */
	mask &= ~((uint64_t)1 << (SIGSEGV - 1));
	lm_os_restore_signals(mask);
	if (act->sa_flags & SA_SIGINFO)
		act->sa_sigaction(sig, info, context);
	else
		act->sa_handler(sig);
	/* What comes from here on might have come before it returned. */
}

/* Did the core itself read a bad pointer of the program's? It knows how. */
static bool mended(const siginfo_t *info, ucontext_t *context)
{
#if defined(__x86_64__)
	uintptr_t pc;

	if (info->si_code <= 0 || !context)
		return false;
	pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	if (!lm_copy_fault(&pc))
		return false;
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
	return true;
#else
	(void)info, (void)context;
	return false;
#endif
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	bool (*by)(int, siginfo_t *, void *) = atomic_load(&deliver);
	bool sent = info->si_code <= 0;
	struct sigaction act;

	if (by && by(sig, info, context))
		return;
	act = lm_trap_program(true);
	/* A fault cannot be ignored: the kernel kills. */
	if (act.sa_handler == SIG_IGN && sent)
		return;
	if (act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN)
		lm_trap_die(sig, info);
	else
		call(&act, sig, info, context);
}

static void foreign(int sig, siginfo_t *info, void *context)
{
	int were = lm_os_signals_blocked(1);

	if (!mended(info, context))
		pass_on(sig, info, context);
	lm_os_signals_blocked(were);
}

static enum lm_served fault(uintptr_t addr, enum lm_access access)
{
	int were = lm_os_signals_blocked(1);
	enum lm_served served = lm_fault(addr, access);

	lm_os_signals_blocked(were);
	return served;
}

static void fail(uintptr_t addr, void *context)
{
	uint64_t bus = (uint64_t)1 << (SIGBUS - 1), mask = 0;
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGBUS;
	info.si_code = BUS_ADRERR;
	info.si_addr = (void *)addr;
	if (context)
		memcpy(&mask, &((ucontext_t *)context)->uc_sigmask,
		       sizeof(mask));
	/* As the kernel forces a fault's signal through. */
	if (mask & bus || lm_action_ignored(SIGBUS)) {
		lm_action_default(SIGBUS);
		mask &= ~bus;
		memcpy(&((ucontext_t *)context)->uc_sigmask, &mask,
		       sizeof(mask));
	}
	if (lm_action_queue(SIGBUS, &info) < 0)
		lm_sys(SYS_tgkill, lm_sys(SYS_getpid), lm_sys(SYS_gettid),
		       SIGKILL);
}

static const struct lm_trap_core core = {
	.size = sizeof(core),
	.version = LM_TRAP_VERSION,
	.fault = fault,
	.foreign = foreign,
	.fail = fail,
};

static int choose(const char *name)
{
	if (!name || !*name || !strcmp(name, "native"))
		trap = &lm_trap_native;
	else if (!strcmp(name, "none"))
		trap = &lm_trap_none;
	else if (!strcmp(name, "libsigsegv"))
		trap = lm_module_load("trap-libsigsegv", "lm_trap_module");
	else
		return -EINVAL;
	if (!trap)
		return -ENOENT;
	if (trap->version != LM_TRAP_VERSION || trap->size < sizeof(*trap))
		return -ENOENT;
	return 0;
}

int lm_trap_start(const char *name)
{
	int ret = choose(name);

	if (!ret)
		ret = trap->install(&core, &program);
	if (!ret && trap != &lm_trap_none)
		atomic_store(&installed, 1);
	return ret;
}

bool lm_trap_installed(void)
{
	return atomic_load_explicit(&installed, memory_order_relaxed);
}

const char *lm_trap_name(void)
{
	return trap ? trap->name : NULL;
}

int lm_trap_sigaction(int sig, const struct sigaction *act,
		      struct sigaction *old)
{
	struct sigaction new, was;
	uint64_t mask;

	if (sig != SIGSEGV || !atomic_load(&installed))
		return 0;
	/* The structs may be in lazy memory: touched outside the lock. */
	if (act)
		new = *act;
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	was = program;
	if (act)
		program = new;
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	if (act && trap->program_set)
		trap->program_set(&new);
	if (old)
		*old = was;
	return 1;
}

int lazymap_fault(void *addr, int access)
{
	enum lm_access kind = access < 0 ? LM_UNKNOWN
			      : access   ? LM_WRITE
					 : LM_READ;
	int saved = errno, ret = 0;
	uint64_t mask = lm_os_block_signals();

	switch (lm_fault((uintptr_t)addr, kind)) {
	case LM_SERVED:
		ret = 1;
		break;
	case LM_FOREIGN:
		ret = 0;
		break;
	case LM_FAILED:
		ret = -1;
		saved = EIO;
		break;
	}
	lm_os_restore_signals(mask);
	errno = saved;
	return ret;
}
