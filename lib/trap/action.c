/*
 * action.c -- the kernel's signal actions. See action.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "action.h"

#include "syscall/raw.h"

#include <errno.h>
#include <string.h>

static int get(int sig, struct lm_action *action)
{
	memset(action, 0, sizeof(*action));
	return (int)lm_sys(SYS_rt_sigaction, sig, NULL, action, 8);
}

static int set(int sig, const struct lm_action *action)
{
	return (int)lm_sys(SYS_rt_sigaction, sig, action, NULL, 8);
}

#if defined(__x86_64__)
#define RESTORER_FLAG 0x04000000ul /* SA_RESTORER */
void lm_action_restorer(void) __attribute__((visibility("hidden")));
/* The kernel on x86-64 wants to be told where to return to; the debugger and
 * the unwinder know the frame by these very bytes. */
__asm__(".text\n.balign 16\n.hidden lm_action_restorer\n"
	".type lm_action_restorer,@function\n"
	"nop\n"
	"lm_action_restorer:\n"
	"mov $15, %rax\n"
	"syscall\n"
	".size lm_action_restorer, .-lm_action_restorer\n");
#else
#define RESTORER_FLAG 0ul
#define lm_action_restorer NULL
#endif

static uint64_t bit(int sig)
{
	return (uint64_t)1 << (sig - 1);
}

void lm_action_to_libc(const struct lm_action *from, struct sigaction *to)
{
	memset(to, 0, sizeof(*to));
	to->sa_flags = (int)from->flags;
	to->sa_sigaction = from->handler;
	to->sa_restorer = (void (*)(void))from->restorer;
	memcpy(&to->sa_mask, &from->mask, sizeof(from->mask));
}

void lm_action_from_libc(const struct sigaction *from, struct lm_action *to)
{
	to->handler = from->sa_sigaction;
	to->flags = (unsigned)from->sa_flags;
	to->restorer = (void *)from->sa_restorer;
	memcpy(&to->mask, &from->sa_mask, sizeof(to->mask));
}

int lm_action_call(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct lm_action new, was;
	int ret;

	if (act)
		lm_action_from_libc(act, &new);
	ret = (int)lm_sys(SYS_rt_sigaction, sig, act ? &new : NULL,
			  old ? &was : NULL, sizeof(new.mask));
	if (!ret && old)
		lm_action_to_libc(&was, old);
	return ret;
}

int lm_action_install(int sig, void (*handler)(int, siginfo_t *, void *),
		      struct sigaction *previous)
{
	struct lm_action old, new = {
		.handler = handler,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | RESTORER_FLAG,
		.restorer = lm_action_restorer,
		.mask = ~(bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) |
			  bit(SIGFPE) | bit(SIGTRAP) | bit(SIGSYS)),
	};
	int ret = get(sig, &old);

	if (ret < 0)
		return ret;
	lm_action_to_libc(&old, previous);
	previous->sa_flags &= (int)~RESTORER_FLAG;
	return set(sig, &new);
}

void lm_action_restore(int sig, const struct sigaction *action)
{
	struct lm_action old = {
		.handler = action->sa_sigaction,
		.flags = (unsigned long)action->sa_flags | RESTORER_FLAG,
		.restorer = lm_action_restorer,
	};

	memcpy(&old.mask, &action->sa_mask, sizeof(old.mask));
	/* Putting back what the kernel gave cannot be refused. */
	set(sig, &old);
}

void lm_action_default(int sig)
{
	struct lm_action action = { .handler = SIG_DFL };

	set(sig, &action);
}

void lm_action_restart(int sig, int restart)
{
	struct lm_action action;

	if (get(sig, &action) < 0)
		return;
	if (restart)
		action.flags |= SA_RESTART;
	else
		action.flags &= ~(unsigned long)SA_RESTART;
	set(sig, &action);
}

int lm_action_ignored(int sig)
{
	struct lm_action action;

	return get(sig, &action) == 0 && action.handler == (void *)SIG_IGN;
}

void lm_action_ignore(int sig, uint64_t before[4])
{
	struct lm_action action;

	_Static_assert(sizeof(action) <= 4 * sizeof(uint64_t), "no room");
	if (get(sig, &action) < 0)
		return;
	memcpy(before, &action, sizeof(action));
	action.handler = (void *)SIG_IGN;
	set(sig, &action);
}

void lm_action_give_back(int sig, const uint64_t before[4])
{
	struct lm_action action;

	memcpy(&action, before, sizeof(action));
	set(sig, &action);
}

int lm_action_queue(int sig, siginfo_t *info)
{
	return (int)lm_sys(SYS_rt_tgsigqueueinfo, lm_sys(SYS_getpid),
			   lm_sys(SYS_gettid), sig, info);
}
