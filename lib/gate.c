/*
 * gate.c -- readers by slots, one writer. See gate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gate.h"

#include "lock.h"

struct lm_slot lm_slots[LM_SLOTS];

static struct lm_lock map_lock;

/* 0 open, else SHUT and: */
#define SHUT 1u
#define DRAINING 2u /* a nested reader may pass */
#define WAITED 4u   /* somebody sleeps until it opens */
static _Atomic uint32_t shut;

__thread unsigned lm_gate_nested;
_Atomic uint64_t lm_map_changes;

static void wait_open(uint32_t seen)
{
	if (seen & WAITED ||
	    atomic_compare_exchange_strong(&shut, &seen, seen | WAITED))
		lm_os_wait(&shut, seen | WAITED);
}

struct lm_slot *lm_gate_enter(void)
{
	struct lm_slot *slot = lm_slot();
	uint32_t seen;

	for (;;) {
		/* Sequentially consistent, as is the pair in lm_gate_shut():
		 * either we see that it is shut or it sees us inside. */
		atomic_fetch_add(&slot->readers, 1);
		seen = atomic_load(&shut);
		if (!seen || (seen & DRAINING && LM_OWN(lm_gate_nested)))
			return slot;
		lm_gate_leave(slot);
		wait_open(seen);
	}
}

void lm_gate_leave(struct lm_slot *slot)
{
	/* Release: what was claimed inside is seen by who shuts the gate. */
	atomic_fetch_sub(&slot->readers, 1);
	if (atomic_load(&shut))
		lm_os_wake(&slot->readers, INT32_MAX);
}

void lm_gate_filling(struct lm_slot *slot)
{
	atomic_fetch_add_explicit(&slot->filling, 1, memory_order_relaxed);
}

void lm_gate_filled(struct lm_slot *slot)
{
	/* Release: pairs with the acquire in lm_gate_drain(). */
	if (atomic_fetch_sub(&slot->filling, 1) == 1 && atomic_load(&shut))
		lm_os_wake(&slot->filling, INT32_MAX);
}

uint64_t lm_map_lock(void)
{
	uint64_t mask = lm_os_block_signals();

	lm_lock_take(&map_lock);
	atomic_fetch_add_explicit(&lm_map_changes, 1, memory_order_relaxed);
	return mask;
}

void lm_map_unlock(uint64_t mask)
{
	lm_lock_drop(&map_lock);
	lm_os_restore_signals(mask);
}

/* Wait until *word is zero, being woken by who makes it so. */
static void wait_zero(_Atomic uint32_t *word)
{
	uint32_t seen;

	while ((seen = atomic_load(word)) != 0)
		lm_os_wait(word, seen);
}

static void shut_and_wait(uint32_t how)
{
	atomic_store(&shut, how);
	for (int i = 0; i < LM_SLOTS; i++)
		wait_zero(&lm_slots[i].readers);
}

void lm_gate_shut(void)
{
	shut_and_wait(SHUT);
}

void lm_gate_open(void)
{
	if (atomic_exchange(&shut, 0) & WAITED)
		lm_os_wake(&shut, INT32_MAX);
}

void lm_gate_drain(void)
{
	shut_and_wait(SHUT | DRAINING);
	/* A nested fill ends before the one that it is part of: when that one
	 * is seen to have ended, no nested one can begin. */
	for (int i = 0; i < LM_SLOTS; i++)
		wait_zero(&lm_slots[i].filling);
}

void lm_gate_forked(void)
{
	for (int i = 0; i < LM_SLOTS; i++) {
		LM_PUT(&lm_slots[i].readers, 0);
		LM_PUT(&lm_slots[i].filling, 0);
	}
	LM_PUT(&shut, 0);
	LM_PUT(&map_lock.word, 0);
}
