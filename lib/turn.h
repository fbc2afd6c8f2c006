/*
 * turn.h -- who changes the address space first: a fault, or the pager.
 *
 * The kernel's lock of the address space is not fair: a thread that had to
 * sleep for it is woken late, and finds that the pager, which never slept, has
 * taken it again; up to 4 ms of that (RWSEM_WAIT_TIMEOUT, kernel/locking/
 * rwsem.c), where the fault needs 10 us. So the pager asks the kernel for
 * nothing while a fault does, and a fault that comes while it asks waits
 * awake. Neither waits long: these are hints, and nothing depends on them.
 *
 * Async-signal-safe with all signals blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_TURN_H
#define LM_TURN_H

#include "os.h"

/* Moments (see lm_os_relax()) that each waits at most for the other. */
#define LM_TURN_FAULT 500
#define LM_TURN_PAGER 5000

/* The pager is at work. Atomic; a fault counts itself only then. */
extern _Atomic uint32_t lm_turn_on;
/* Faults that ask the kernel now, in the low half; all that did, above. */
extern _Atomic uint32_t lm_turn_faults;
extern _Atomic uint32_t lm_turn_pager; /* the pager does */

#define LM_TURN_NOW 0xFFFFu
#define LM_TURN_ALL_SHIFT 16

/* A fault is about to ask the kernel, and did. begin() tells end() whether it
 * counted. */
static inline bool lm_turn_begin(void)
{
	if (!atomic_load_explicit(&lm_turn_on, memory_order_relaxed))
		return false;
	/* Sequentially consistent, as in the pager's: one sees the other. */
	atomic_fetch_add(&lm_turn_faults, (1u << LM_TURN_ALL_SHIFT) + 1);
	for (int i = 0; i < LM_TURN_FAULT && atomic_load(&lm_turn_pager); i++)
		lm_os_relax();
	return true;
}

static inline void lm_turn_end(bool counted)
{
	if (counted)
		atomic_fetch_sub(&lm_turn_faults, 1);
}

/* Changes with each fault, while the pager is at work. */
static inline uint32_t lm_turn_count(void)
{
	return atomic_load_explicit(&lm_turn_faults, memory_order_relaxed) >>
	       LM_TURN_ALL_SHIFT;
}

/* The pager's own side: on() and off() around all its work, wait() and done()
 * around each call. Other threads that evict may call wait() and done(), which
 * do nothing there. */
void lm_turn_work(bool on);
void lm_turn_wait(void);
void lm_turn_done(void);

/* In a forked child: there is no pager, and no other fault. */
void lm_turn_forked(void);

#endif
