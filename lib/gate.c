/*
 * gate.c -- readers by slots, one writer. See gate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gate.h"

#include "lock.h"

struct lm_slot lm_slots[LM_SLOTS];

static struct lm_lock map_lock;
static _Atomic uint32_t shut; /* 0 open, 1 shut, 2 shut and waited for */

static void wait_open(void)
{
	uint32_t seen = 1;

	if (atomic_compare_exchange_strong(&shut, &seen, 2) || seen == 2)
		lm_os_wait(&shut, 2);
}

struct lm_slot *lm_gate_enter(void)
{
	struct lm_slot *slot = lm_slot();

	for (;;) {
		/* Sequentially consistent, as is the pair in lm_gate_shut():
		 * either we see that it is shut or it sees us inside. */
		atomic_fetch_add(&slot->readers, 1);
		if (!atomic_load(&shut))
			return slot;
		lm_gate_leave(slot);
		wait_open();
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
	/* Release: pairs with the acquire in lm_gate_wait_filled(). */
	if (atomic_fetch_sub(&slot->filling, 1) == 1 && atomic_load(&shut))
		lm_os_wake(&slot->filling, INT32_MAX);
}

uint64_t lm_map_lock(void)
{
	uint64_t mask = lm_os_block_signals();

	lm_lock_take(&map_lock);
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

void lm_gate_shut(void)
{
	atomic_store(&shut, 1);
	for (int i = 0; i < LM_SLOTS; i++)
		wait_zero(&lm_slots[i].readers);
}

void lm_gate_open(void)
{
	if (atomic_exchange(&shut, 0) == 2)
		lm_os_wake(&shut, INT32_MAX);
}

/* With the gate shut, for at most `ns`. */
static bool filled(uint64_t ns)
{
	for (int i = 0; i < LM_SLOTS; i++) {
		uint32_t seen = atomic_load(&lm_slots[i].filling);

		if (seen)
			lm_os_wait_for(&lm_slots[i].filling, seen, ns);
		if (atomic_load(&lm_slots[i].filling))
			return false;
	}
	return true;
}

void lm_gate_shut_filled(void)
{
	uint64_t ns = 1000000;

	lm_gate_shut();
	while (!filled(ns)) {
		lm_gate_open();
		lm_os_pause();
		lm_gate_shut();
		/* New claims come meanwhile: shut longer each time. */
		ns = lm_min(2 * ns, 100000000);
	}
}

void lm_gate_forked(void)
{
	for (int i = 0; i < LM_SLOTS; i++) {
		atomic_store(&lm_slots[i].readers, 0);
		atomic_store(&lm_slots[i].filling, 0);
	}
	atomic_store(&shut, 0);
	atomic_store(&map_lock.word, 0);
}
