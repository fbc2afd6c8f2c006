/*
 * ladder.c -- see ladder.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "place/ladder.h"

#include <stdatomic.h>

#include "os.h"

uint64_t (*_Atomic lm_ladder_hook)(enum lm_ladder_way way);

/* All atomic, and relaxed: whatever a thread reads of them is a way that is right,
 * and a round that two of them have mixed up is one measurement worse. */
static _Atomic uint32_t turn; /* placements so far */
static _Atomic uint32_t choice;
static struct {
	_Atomic uint32_t tries, best; /* of this round; nanoseconds a page */
	_Atomic uint32_t last;        /* the best of the last one */
} taken[LM_LADDER_WAYS];

static uint32_t get(_Atomic uint32_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint32_t *value, uint32_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

enum lm_ladder_way lm_ladder_choice(void)
{
	return (enum lm_ladder_way)get(&choice);
}

uint32_t lm_ladder_ns(enum lm_ladder_way way)
{
	return get(&taken[way].last);
}

struct lm_ladder lm_ladder_begin(size_t len)
{
	struct lm_ladder placed = { LM_LADDER_COPY, false, 0 };
	uint32_t n;

	/* Of less the order is as it was: what one call costs is another thing. */
	if (len != LM_LADDER_LEN)
		return placed;
	placed.way = lm_ladder_choice();
	n = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) %
	    LM_LADDER_ROUND;
	if (n >= LM_LADDER_WAYS * LM_LADDER_TRIES)
		return placed;
	for (unsigned i = 0; !n && i < LM_LADDER_WAYS; i++) {
		set(&taken[i].tries, 0);
		set(&taken[i].best, UINT32_MAX);
	}
	placed.way = n % LM_LADDER_WAYS;
	placed.timed = true;
	placed.from = lm_os_now_ns();
	return placed;
}

/* To come back it is enough to be the faster one. */
static enum lm_ladder_way choose(uint32_t copy, uint32_t mem)
{
	uint64_t most = lm_ladder_choice() == LM_LADDER_MEM
				? copy
				: (uint64_t)copy * 3 / 4;

	return mem < most ? LM_LADDER_MEM : LM_LADDER_COPY;
}

void lm_ladder_end(const struct lm_ladder *placed)
{
	uint64_t (*hook)(enum lm_ladder_way way) =
		atomic_load_explicit(&lm_ladder_hook, memory_order_relaxed);
	uint64_t ns;

	if (!placed->timed)
		return;
	ns = hook ? hook(placed->way) : lm_os_now_ns() - placed->from;
	ns = lm_min(ns / (LM_LADDER_LEN / LM_PAGE), UINT32_MAX);
	set(&taken[placed->way].best,
	    lm_min(get(&taken[placed->way].best), (uint32_t)ns));
	atomic_fetch_add_explicit(&taken[placed->way].tries, 1,
				  memory_order_relaxed);
	for (unsigned i = 0; i < LM_LADDER_WAYS; i++)
		if (get(&taken[i].tries) != LM_LADDER_TRIES)
			return;
	for (unsigned i = 0; i < LM_LADDER_WAYS; i++)
		set(&taken[i].last, get(&taken[i].best));
	set(&choice, choose(get(&taken[LM_LADDER_COPY].last),
			    get(&taken[LM_LADDER_MEM].last)));
}
