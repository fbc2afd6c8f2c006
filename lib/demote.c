/*
 * demote.c -- from swap's pool to its file, oldest first. See demote.h.
 *
 * A page's handle changes as everything else of it does: by who holds it BUSY.
 * Whether there is a frame for it makes no difference. With the page go those
 * of the 64 KiB around it that are old, too, to neighbouring slots: they came
 * together and are read together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demote.h"

#include "gate.h"
#include "page.h"
#include "stats.h"
#include "step.h"
#include "swap/swap.h"

#define AROUND (LM_SWAP_BATCH * LM_PAGE)

/* Groups at each call, at most; and how many may be found gone or BUSY. */
#define GROUPS 8
#define TRIES 64

/* When the file took nothing: how long not to try again. */
#define PAUSE_NS 100000000

struct group {
	uintptr_t at;
	lm_page_word *words[LM_SWAP_BATCH];
	uint64_t handles[LM_SWAP_BATCH];
	size_t n;
	struct lm_slot *slot;
};

static _Atomic uint32_t demoting; /* one thread is */
static _Atomic uint64_t pause_to;

/* Claim the page if what it has in the pool is old. */
static void claim_one(struct group *group, uintptr_t at)
{
	lm_page_word *word = lm_page_word_of(at);
	uint64_t seen;

	if (!word)
		return;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	while (LM_PAGE_STATE(seen) != LM_PAGE_BUSY &&
	       lm_swap_old(LM_PAGE_SWAP(seen))) {
		if (!lm_page_claim(word, &seen))
			continue;
		group->words[group->n] = word;
		group->handles[group->n++] = LM_PAGE_SWAP(seen);
		return;
	}
}

static bool has(lm_page_word *word, uint64_t handle)
{
	return word && lm_page_swap(word) == handle;
}

/* The page at `at`, if it has this handle, and its neighbours. */
static bool claim(struct group *group, uintptr_t at, uint64_t handle)
{
	group->at = at & ~(AROUND - 1);
	group->n = 0;
	group->slot = lm_gate_enter();
	if (has(lm_page_word_of(at), handle))
		for (uintptr_t page = group->at; page < group->at + AROUND;
		     page += LM_PAGE)
			claim_one(group, page);
	if (group->n)
		lm_gate_filling(group->slot);
	lm_gate_leave(group->slot);
	return group->n;
}

static void settle(const struct group *group, const uint64_t *moved)
{
	size_t count = 0;

	for (size_t i = 0; i < group->n; i++) {
		lm_page_word *word = group->words[i];
		uint64_t seen =
			atomic_load_explicit(word, memory_order_relaxed);

		if (moved[i])
			lm_page_set_swap(word, moved[i]);
		lm_page_settle(word, LM_PAGE_WAS(seen));
		/* Nobody can find it any more. */
		if (moved[i])
			lm_swap_free(group->handles[i]);
		count += moved[i] != 0;
	}
	lm_stats_add(LM_COUNT_pages_demoted, count);
	lm_gate_filled(group->slot);
}

static int move(struct group *group)
{
	uint64_t moved[LM_SWAP_BATCH];
	int ret;

	lm_step(LM_STEP_DEMOTE, group->at);
	ret = lm_swap_demote(group->handles, group->n, moved);
	lm_step(LM_STEP_DEMOTED, group->at);
	settle(group, moved);
	return ret;
}

static void demote_some(void)
{
	int groups = 0, ret = 0;
	struct group group;
	uint64_t handle;
	uintptr_t at;

	for (int i = 0; i < TRIES && groups < GROUPS && !ret; i++) {
		if (!lm_swap_crowded())
			return;
		if (!lm_swap_oldest(&handle, &at))
			return;
		if (!claim(&group, at, handle))
			continue;
		ret = move(&group);
		groups++;
	}
	if (ret < 0)
		atomic_store_explicit(&pause_to, lm_os_now_ns() + PAUSE_NS,
				      memory_order_relaxed);
}

void lm_demote(void)
{
	if (!lm_swap_crowded() ||
	    lm_os_now_ns() <
		    atomic_load_explicit(&pause_to, memory_order_relaxed))
		return;
	/* Acquire and release: one after the other. */
	if (atomic_exchange_explicit(&demoting, 1, memory_order_acquire))
		return;
	demote_some();
	atomic_store_explicit(&demoting, 0, memory_order_release);
}

void lm_demote_forked(void)
{
	LM_PUT(&demoting, 0);
}
