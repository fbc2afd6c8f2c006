/*
 * prey.h -- the pages that one step of an eviction is about: claimed, so BUSY,
 * within one area and block, and what has become of each so far.
 *
 * Async-signal-safe with all signals blocked; outside the gate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PREY_H
#define LM_PREY_H

#include "area.h"
#include "gate.h"
#include "page.h"

#define LM_PREY_WORDS (LM_BLOCK_PAGES / 64)

/* The claimed pages, by their distance from start. */
struct lm_prey {
	uintptr_t start, end;
	size_t count, left;             /* claimed; not, though in place */
	uint64_t taken[LM_PREY_WORDS];  /* claimed */
	uint64_t kept[LM_PREY_WORDS];   /* of them: to stay */
	uint64_t shown[LM_PREY_WORDS];  /* of these: in sight, as before */
	uint64_t frozen[LM_PREY_WORDS]; /* they can be read, and not written */
	struct lm_store *store;         /* stays while there are BUSY pages */
	struct lm_quota *quota;         /* the same */
	uint64_t offset;                /* of start, in the store */
	bool shared, zero;
	bool freezes; /* the pager can read them as the program does */
	bool guards;  /* what is clean can have markers */
	bool swaps;   /* and so can what went to swap */
	int prot;     /* the area's */
	struct lm_slot *slot;
};

/* Claim pages of [start, end), of its first area: those that are neither BUSY
 * nor pinned, in this state or a later one of enum lm_page_state. False: none;
 * `start`, `end` and `left` are set then, too. */
bool lm_prey_claim(struct lm_prey *prey, uintptr_t start, uintptr_t end,
		   enum lm_page_state least);

/* Inside a change: the program uses protection keys, and so nothing is read in
 * place any more. */
void lm_prey_keyed(void);

/* The page stays; and those of [at, end) stay and could not be hidden. */
void lm_prey_keep(struct lm_prey *prey, uintptr_t at);
void lm_prey_leave_shown(struct lm_prey *prey, uintptr_t at, uintptr_t end);

/* The next run of pages for which `wanted` holds, from *at on. */
bool lm_prey_run(const struct lm_prey *prey, uintptr_t *at, uintptr_t *end,
		 bool (*wanted)(const struct lm_prey *prey, uintptr_t at));

/* -- A page of it --------------------------------------------------------------- */

static inline bool lm_prey_is_set(const uint64_t *map, size_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static inline size_t lm_prey_index(const struct lm_prey *prey, uintptr_t at)
{
	return (at - prey->start) >> LM_PAGE_SHIFT;
}

static inline bool lm_prey_taken(const struct lm_prey *prey, uintptr_t at)
{
	return lm_prey_is_set(prey->taken, lm_prey_index(prey, at));
}

static inline bool lm_prey_kept(const struct lm_prey *prey, uintptr_t at)
{
	return lm_prey_is_set(prey->kept, lm_prey_index(prey, at));
}

static inline bool lm_prey_frozen(const struct lm_prey *prey, uintptr_t at)
{
	return lm_prey_is_set(prey->frozen, lm_prey_index(prey, at));
}

static inline enum lm_page_state lm_prey_was(uintptr_t at)
{
	return LM_PAGE_WAS(atomic_load_explicit(lm_page_word_of(at),
						memory_order_relaxed));
}

static inline bool lm_prey_dirty(enum lm_page_state state)
{
	return state == LM_PAGE_DIRTY || state == LM_PAGE_HIDDEN_DIRTY;
}

/* Its content is to be put somewhere before it goes. */
static inline bool lm_prey_to_save(const struct lm_prey *prey, uintptr_t at)
{
	return lm_prey_taken(prey, at) && !lm_prey_kept(prey, at) &&
	       lm_prey_dirty(lm_prey_was(at));
}

#endif
