/*
 * step.h -- the numbered steps of a fault's way and of the calls that meet it,
 * where a test can hold a thread up: races are made to happen, not waited for.
 *
 * In a process without a hook a step is one load and a branch that is never
 * taken, so that what is tested is what is shipped. The hook runs in the
 * thread concerned, in its signal handler where that is where the thread is,
 * with all signals blocked: async-signal-safe calls only, and no lazy memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STEP_H
#define LM_STEP_H

#include "os.h"

/* X(name): in the order in which a fault comes to them. */
#define LM_STEPS(X)                                                            \
	/* a fault, its area known: nothing is claimed, inside the gate */     \
	X(CLAIM)                                                               \
	/* its pages are BUSY, the gate is left */                             \
	X(CLAIMED)                                                             \
	/* a store's bytes are in the buffer, none is placed */                \
	X(READ)                                                                \
	/* placed, and still hidden */                                         \
	X(FILLED)                                                              \
	/* visible, and still BUSY */                                          \
	X(REVEALED)                                                            \
	/* settled, and about to return to the instruction */                  \
	X(SETTLED)                                                             \
	/* another thread has the page: going to sleep until it settles */     \
	X(WAIT)                                                                \
	/* the kernel refused its pages in part: some may be visible */        \
	X(REFUSED)                                                             \
	/* write-back: the dirty page is BUSY, and still writable */           \
	X(WRITE_BACK)                                                          \
	/* written to its store, and still BUSY */                             \
	X(WRITTEN)                                                             \
	/* an eviction's phases (evict.c): its pages are BUSY, */              \
	X(EVICT_CLAIMED)                                                       \
	/* hidden, */                                                          \
	X(EVICT_HIDDEN)                                                        \
	/* saved, */                                                           \
	X(EVICT_SAVED)                                                         \
	/* dropped; next they are settled */                                   \
	X(EVICT_DROPPED)                                                       \
	/* pages in swap's pool are BUSY, to move to its file */               \
	X(DEMOTE)                                                              \
	/* written there, and still BUSY */                                    \
	X(DEMOTED)                                                             \
	/* a frame is out of its block, and what is left there (frame.c) */    \
	X(TAKEN)                                                               \
	/* a block's absent pages have markers, and are BUSY (guard.c) */      \
	X(GUARDED)                                                             \
	/* MAP_FIXED: the kernel's mapping of a file is there, and in sight */ \
	X(MAPPED)                                                              \
	/* MADV_DONTNEED: the kernel has dropped pages that are in sight */    \
	X(DROPPED)                                                             \
	/* mprotect: the kernel is asked by a page's protection */             \
	X(ASKED)                                                               \
	/* a block's pages are BUSY, to be shown (widen.c) */                  \
	X(WIDEN)                                                               \
	/* a change of areas: the map lock is held, pages may be BUSY */       \
	X(CHANGE)                                                              \
	/* fork: the same */                                                   \
	X(FORK)

enum lm_step {
#define LM_STEP_ENUM(name) LM_STEP_##name,
	LM_STEPS(LM_STEP_ENUM)
#undef LM_STEP_ENUM
		LM_STEP_MAX
};

typedef void (*lm_step_fn)(enum lm_step step, uintptr_t addr);

/* Atomic; NULL but in tests. */
extern _Atomic(lm_step_fn) lm_step_hook;

static inline void lm_step(enum lm_step step, uintptr_t addr)
{
	/* Acquire: pairs with the release of who set it, for its data. */
	lm_step_fn fn =
		atomic_load_explicit(&lm_step_hook, memory_order_acquire);

	if (__builtin_expect(fn != NULL, 0))
		fn(step, addr);
}

#endif
