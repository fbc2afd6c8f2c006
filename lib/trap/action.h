/*
 * action.h -- signal actions past libc and past the shim: the kernel's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_TRAP_ACTION_H
#define LM_TRAP_ACTION_H

#include <signal.h>
#include <stdint.h>

/* The kernel's struct sigaction (x86-64, aarch64 and most others). */
struct lm_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

/* The C library's struct has room for all of it. */
void lm_action_to_libc(const struct lm_action *from, struct sigaction *to);
void lm_action_from_libc(const struct sigaction *from, struct lm_action *to);

/* rt_sigaction: the restorer is the caller's, and told. 0 or -errno.
 * Async-signal-safe. */
int lm_action_call(int sig, const struct sigaction *act, struct sigaction *old);

/* Install a handler that runs with every signal blocked except those that an
 * instruction raises (a store may touch other lazy memory), on the alternate
 * stack where there is one. *previous: what was there. 0 or -errno. */
int lm_action_install(int sig, void (*handler)(int, siginfo_t *, void *),
		      struct sigaction *previous);
void lm_action_restore(int sig, const struct sigaction *action);
/* The default action. Async-signal-safe. */
void lm_action_default(int sig);
/* Whether a system call that sig's handler interrupts goes on afterwards. */
void lm_action_restart(int sig, int restart);
/* Is the kernel's action for sig SIG_IGN? Async-signal-safe. */
int lm_action_ignored(int sig);
/* SIG_IGN, keeping what was there, and back. */
void lm_action_ignore(int sig, uint64_t before[4]);
void lm_action_give_back(int sig, const uint64_t before[4]);
/* Queue `info` for this thread. 0 or -errno. Async-signal-safe. */
int lm_action_queue(int sig, siginfo_t *info);

#endif
