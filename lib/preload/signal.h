/*
 * signal.h -- what the shim's signal files share.
 *
 * SIGSEGV is lazymap's: the kernel's action for it stays lazymap's handler, and
 * no thread ever blocks it. What the program sets for it is kept by the kernel
 * all the same, for another signal that stands in for it: blocked where the
 * program has SIGSEGV blocked, with the program's flags and mask, delivered on
 * the program's stack. So everything that saves and restores masks (handlers,
 * siglongjmp, contexts, new threads) carries the program's SIGSEGV along,
 * without lazymap's doing, and a fault that is not lazymap's is passed on by
 * queueing the stand-in, which the kernel delivers at the very instruction.
 *
 * SIGSTKFLT stands in: Linux defines it and never sends it. That the program
 * blocks SIGSTKFLT itself is remembered for reading back only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_SIGNAL_H
#define LM_PRELOAD_SIGNAL_H

#include "../own.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define LM_STAND_IN SIGSTKFLT
/* In si_errno, which the kernel leaves zero for every signal of Linux. */
#define LM_STAND_IN_MARK 0x6c7a6d70

static inline uint64_t lm_signal_bit(int sig)
{
	return (uint64_t)1 << (sig - 1);
}

/* The kernel's part of a set; the C library's has room for more, which the
 * kernel's frame has not. */
static inline uint64_t lm_signal_bits(const void *set)
{
	uint64_t bits;

	memcpy(&bits, set, sizeof(bits));
	return bits;
}

static inline void lm_signal_put_bits(void *set, uint64_t bits)
{
	memcpy(set, &bits, sizeof(bits));
}

/* The mask for the kernel in place of the program's, and back. */
sigset_t lm_mask_in(const sigset_t *set);
void lm_mask_out(sigset_t *set);
uint64_t lm_mask_to_kernel(uint64_t bits);
uint64_t lm_mask_from_kernel(uint64_t bits);

/*
 * The program's calls, whichever way they come: by the C library's functions or
 * by their numbers. `raw`: the action is given to the kernel as it is, with the
 * program's restorer; old must not be NULL. All return the kernel's results, or
 * what `wait` and `descriptor`, which ask it, do: >= 0 or -errno.
 */
int lm_signal_action(int sig, const struct sigaction *act,
		     struct sigaction *old, bool raw);
int lm_mask_change(int how, const uint64_t *set, uint64_t *old);
int lm_mask_wait(int (*wait)(const sigset_t *set, siginfo_t *info,
			     const struct timespec *timeout),
		 const sigset_t *set, siginfo_t *info,
		 const struct timespec *timeout);
int lm_mask_descriptor(int (*descriptor)(int fd, const sigset_t *set,
					 int flags),
		       int fd, const sigset_t *set, int flags);
int lm_stack_alternate(const stack_t *new, stack_t *old);
bool lm_exec_raw(long nr, const long args[6], long *result);

/* The same of a call that makes a child with memory of its own, which goes on from
 * here. */
bool lm_fork_raw(long nr, const long args[6], long *result);

/* A call by its number, if it is one of lm_table_shims(): true and the kernel's
 * result; or false, it is for the kernel as it is. Keeps errno.
 * Async-signal-safe. */
bool lm_raw_call(long nr, const long args[6], long *result);

/* The mask that exec handed down. */
void lm_mask_start(void);

/* Begin: that mask, the stand-in's action, the first thread's stack. */
void lm_signal_start(void);
/* What was read, perhaps from a signalfd. */
void lm_mask_read(void *buf, ssize_t len);

/* Mask and action are the ones that the next program is to begin with, until
 * they are given back: around exec. */
struct lm_signal_exec {
	uint64_t mask;
	uint64_t action[4]; /* the kernel's, where it was changed */
	bool ignored;
};
void lm_signal_exec(struct lm_signal_exec *before);
void lm_signal_exec_failed(const struct lm_signal_exec *before);
uint64_t lm_mask_exec(void);
void lm_mask_exec_failed(uint64_t mask);

/* The first thread gets an alternate stack, others get theirs. See stack.c. */
void lm_stack_start(void);
/* A task that is about to be made gets one, the one that was kept for it if it
 * has been made; and it has the mask of this thread. In the task, then. */
bool lm_stack_hand(struct lm_own_task *task, void *_Atomic *kept);
void lm_mask_hand(struct lm_own_task *task);
void lm_stack_begin(void);
/* Has any thread asked for an alternate stack? */
bool lm_stack_asked(void);
/* The first has, or none has any more: handlers that want one get it, or not. */
void lm_signal_on_stack(bool there);

/* What of the program's is to be called for a signal that has come; it may be
 * another one for the program: *sig. False: nothing. */
bool lm_signal_program(int *sig, siginfo_t *info, struct sigaction *act);

/* A signal that the program was to be told about as SIGSEGV: make *info say
 * so. Returns the signal's number for the program. */
int lm_signal_unmask(siginfo_t *info);

#endif
