/*
 * native.c -- the trap `native`: SIGSEGV by sigaction, with the access kind out
 * of the machine context where we know how.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "trap.h"

#include "action.h"

#include <errno.h>
#include <string.h>
#include <ucontext.h>

static const struct lm_trap_core *core; /* immutable once installed */

#if defined(__x86_64__)
static enum lm_access access_of(const ucontext_t *context)
{
	/* The page fault's error code (Intel SDM vol. 3A, 4.7). */
	unsigned long code = (unsigned long)context->uc_mcontext.gregs[REG_ERR];

	if (code & 0x10)
		return LM_EXEC;
	return code & 2 ? LM_WRITE : LM_READ;
}
#elif defined(__aarch64__)
static enum lm_access access_of(const ucontext_t *context)
{
	/* The ESR record among the context's reserved ones (Linux 3.16). */
	const char *at = (const char *)context->uc_mcontext.__reserved;
	const char *end = at + sizeof(context->uc_mcontext.__reserved);

	while (at + 16 <= end) {
		uint32_t magic, size;
		uint64_t esr;

		memcpy(&magic, at, 4);
		memcpy(&size, at + 4, 4);
		if (!magic || size < 16)
			break;
		if (magic == 0x45535201) {
			memcpy(&esr, at + 8, 8);
			if ((esr >> 26 & 0x3e) == 0x20)
				return LM_EXEC;
			return esr & 0x40 ? LM_WRITE : LM_READ;
		}
		at += size;
	}
	return LM_UNKNOWN;
}
#else
static enum lm_access access_of(const ucontext_t *context)
{
	(void)context;
	return LM_UNKNOWN;
}
#endif

LM_TRAP_ENTRY
static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	uintptr_t addr = (uintptr_t)info->si_addr;

	/* A signal that was sent has a process id where the address is. */
	switch (info->si_code > 0 ? core->fault(addr, access_of(context))
				  : LM_FOREIGN) {
	case LM_SERVED:
		break;
	case LM_FAILED:
		core->fail(addr, context);
		break;
	case LM_FOREIGN:
		core->foreign(sig, info, context);
		break;
	}
	errno = saved;
}

static int native_install(const struct lm_trap_core *the_core,
			  struct sigaction *previous)
{
	core = the_core;
	return lm_action_install(SIGSEGV, on_signal, previous);
}

static void native_remove(const struct sigaction *previous)
{
	lm_action_restore(SIGSEGV, previous);
}

const struct lm_trap lm_trap_native = {
	.size = sizeof(lm_trap_native),
	.version = LM_TRAP_VERSION,
	.name = "native",
	.install = native_install,
	.remove = native_remove,
};

static int none_install(const struct lm_trap_core *the_core,
			struct sigaction *previous)
{
	(void)the_core;
	memset(previous, 0, sizeof(*previous));
	return 0;
}

static void none_remove(const struct sigaction *previous)
{
	(void)previous;
}

/* The program's own handler calls lazymap_fault(). */
const struct lm_trap lm_trap_none = {
	.size = sizeof(lm_trap_none),
	.version = LM_TRAP_VERSION,
	.name = "none",
	.install = none_install,
	.remove = none_remove,
};
