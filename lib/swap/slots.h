/*
 * slots.h -- which slots of a swap file are taken, and what is known of each.
 *
 * Tables come in chunks of 2^14 slots (64 MiB of the file), each when the first
 * of its slots is taken: a process that may not have much address space
 * (RLIMIT_AS) swaps as well. They cost 4 bytes and 3 bits a slot, and 3 bytes
 * more with an encrypted file.
 *
 * What is not said to be otherwise is called with the lock of the file held;
 * of a slot that the caller has taken, its sum and its nonce are the caller's.
 * Async-signal-safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SWAP_SLOTS_H
#define LM_SWAP_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LM_SWAP_SLOTS_BITS 28 /* of a slot's number */

struct lm_swap_chunk;

struct lm_swap_slots {
	struct lm_swap_chunk **chunks; /* each immutable once it is there */
	uint64_t max;                  /* immutable */
	bool nonces;                   /* immutable */
	uint64_t cursor;               /* where to look for a run */
	uint64_t high;                 /* none from here on was ever taken */
	uint64_t in_limbo;             /* freed, but for our children */
	_Atomic uint64_t in_use;       /* taken, limbo and all */
};

/* For `max` slots. `nonces`: their content is encrypted. 0 or -ENOMEM. */
int lm_swap_slots_make(struct lm_swap_slots *slots, uint64_t max, bool nonces);

/* Take a run of at most *n slots; *n and *first say which. 0; -ENOSPC: none is
 * free; -ENOMEM: no memory for a table, and none is free in those there are. */
int lm_swap_slots_take(struct lm_swap_slots *slots, size_t *n, uint64_t *first);
/* Slots that nothing was ever kept in. */
void lm_swap_slots_give(struct lm_swap_slots *slots, uint64_t first, size_t n);
/* One whose page is gone: free, or in limbo when it is shared. */
void lm_swap_slots_free(struct lm_swap_slots *slots, uint64_t slot);

/* A fork: all that are taken are shared from now on. */
void lm_swap_slots_share(struct lm_swap_slots *slots);
/* No child reads them any more: those in limbo are free. */
void lm_swap_slots_unshare(struct lm_swap_slots *slots);

/* Without the lock. */
uint32_t *lm_swap_slots_sum(const struct lm_swap_slots *slots, uint64_t slot);
uint64_t lm_swap_slots_nonce(const struct lm_swap_slots *slots, uint64_t slot);
/* A new one: never the same twice in one file. */
uint64_t lm_swap_slots_next_nonce(struct lm_swap_slots *slots, uint64_t slot);

#endif
