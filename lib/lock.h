/*
 * lock.h -- a mutex of one word that signal handlers can hold.
 *
 * Taken only with all signals blocked, so that the holder is never interrupted
 * by code that wants it. Three states: 0 free, 1 held, 2 held and waited for
 * (Drepper, "Futexes are tricky", mutex 2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_LOCK_H
#define LM_LOCK_H

#include "os.h"

#define LM_LOCK_SPINS 100

struct lm_lock {
	_Atomic uint32_t word;
};

static inline void lm_lock_take(struct lm_lock *lock)
{
	uint32_t seen = 0;

	/* Acquire: pairs with the release in lm_lock_drop(). */
	if (atomic_compare_exchange_strong_explicit(&lock->word, &seen, 1,
						    memory_order_acquire,
						    memory_order_relaxed))
		return;
	/* Held for less time than it takes to sleep and be woken. */
	for (int i = 0; i < LM_LOCK_SPINS && seen != 2; i++) {
		lm_os_relax();
		seen = atomic_load_explicit(&lock->word, memory_order_relaxed);
		if (!seen &&
		    atomic_compare_exchange_strong_explicit(
			    &lock->word, &seen, 1, memory_order_acquire,
			    memory_order_relaxed))
			return;
	}
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire))
		lm_os_wait(&lock->word, 2);
}

static inline void lm_lock_drop(struct lm_lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		lm_os_wake(&lock->word, 1);
}

#endif
