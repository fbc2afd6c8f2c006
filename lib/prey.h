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
#include "set.h"

/* The claimed pages of at most one block, each set by the distance from start.
 * Nobody else changes what the sets say of a BUSY page, and the words say the
 * same. */
struct lm_prey {
	uintptr_t start, end;
	lm_page_word *word;  /* of start; the others follow */
	size_t count, left;  /* claimed; not, though in place */
	struct lm_set taken; /* claimed */
	struct lm_set kept;  /* of them: to stay */
	struct lm_set shown; /* of these: in sight, as before */
	/* Of what was claimed, as it came and has become since: */
	struct lm_set in_sight; /* it can be touched, but for what is frozen */
	struct lm_set dirty;
	struct lm_set swapped;  /* it has a handle */
	struct lm_set marked;   /* a marker hides it */
	struct lm_set tracked;  /* the kernel knows whether it was written */
	struct lm_set frozen;   /* it can be read, and not written */
	struct lm_store *store; /* stays while there are BUSY pages */
	struct lm_quota *quota; /* the same */
	uint64_t offset;        /* of start, in the store */
	bool shared, zero;
	bool freezes; /* the pager can read them as the program does */
	bool guards;  /* what is clean can have markers */
	bool swaps;   /* and so can what went to swap */
	bool whole;   /* all of a block, that can go as a frame */
	bool moved;   /* one came there so */
	bool spare;   /* it is spare now */
	int prot;     /* the area's */
	struct lm_slot *slot;
};

/* Claim pages of [start, end), of its first block and area: those that are
 * neither BUSY nor pinned, in this state or a later one of enum lm_page_state.
 * False: none; `start`, `end` and `left` are set then, too. */
bool lm_prey_claim(struct lm_prey *prey, uintptr_t start, uintptr_t end,
		   enum lm_page_state least);

/* Inside a change: the program uses protection keys, and so nothing is read in
 * place any more. Does it? */
void lm_prey_keyed(void);
bool lm_prey_keys(void);

/* The page stays; and those of [at, end) stay and could not be hidden. */
void lm_prey_keep(struct lm_prey *prey, uintptr_t at);
void lm_prey_leave_shown(struct lm_prey *prey, uintptr_t at, uintptr_t end);

/* The word and the sets say so of the page from here on: it was not written;
 * swap has it, under that handle (0: no more); a marker hides those. */
void lm_prey_set_unwritten(struct lm_prey *prey, uintptr_t at);
void lm_prey_set_swap(struct lm_prey *prey, uintptr_t at, uint64_t handle);
void lm_prey_set_marked(struct lm_prey *prey, uintptr_t at, uintptr_t end,
			bool marked);

/* Those whose content is to be put somewhere before they go. */
struct lm_set lm_prey_to_save(const struct lm_prey *prey);

/* The next run of pages that are in the set, from *at on. */
bool lm_prey_run(const struct lm_prey *prey, const struct lm_set *set,
		 uintptr_t *at, uintptr_t *end);

static inline size_t lm_prey_index(const struct lm_prey *prey, uintptr_t at)
{
	return (at - prey->start) >> LM_PAGE_SHIFT;
}

static inline bool lm_prey_is(const struct lm_prey *prey,
			      const struct lm_set *set, uintptr_t at)
{
	return lm_set_has(set, lm_prey_index(prey, at));
}

#endif
