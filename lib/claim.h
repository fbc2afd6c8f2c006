/*
 * claim.h -- taking pages for a change: the pages of one fault, from ABSENT,
 * SWAPPED, hidden or CLEAN to BUSY, and out of it.
 *
 * Async-signal-safe with all signals blocked; outside the gate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_CLAIM_H
#define LM_CLAIM_H

#include "area.h"
#include "gate.h"
#include "page.h"
#include "trap/trap.h"

/* What one claim holds: consecutive BUSY pages of one block and area, all of
 * which were in the state `from`, and what they are to become. */
struct lm_claim {
	uintptr_t start, end; /* the BUSY pages */
	uintptr_t page;       /* the one that was touched */
	uintptr_t until;      /* the kernel will go on to here; 0: a fault */
	bool wide;            /* all pages around that are in the same state */
	bool alone;           /* no page around: it failed with them */
	bool guard;           /* they are hidden by markers: see guard.h */
	bool opened;          /* the block was, or could not be */
	bool huge;            /* it is worth a huge page */
	bool frame;           /* or a frame that moves */
	bool theirs;          /* markers there may be the program's own */
	bool served;          /* and so are the pages: LM_AREA_SERVED */
	enum lm_page_state from, to;
	enum lm_page_state rest; /* what its neighbours are to become */
	/* What the page, and the rest, become if it fails. */
	enum lm_page_state back, back_rest;
	size_t cluster; /* bytes: of the frames */
	bool sequential;
	bool may_stream;    /* it may go on a stream */
	bool fixed;         /* the cluster is, stream or not */
	enum lm_way stream; /* it goes on one */
	enum lm_way ask;    /* that way more may be wanted, beyond */
	uintptr_t come_start, come_end;
	bool strided;          /* it is on a stride: what a step touches */
	struct lm_steps steps; /* of it, that may be wanted next */
	bool whole;            /* what is asked for may come by whole blocks */
	bool late;             /* a block was asked for, and none has begun */
	bool apart;            /* ahead of a touch, and far from others */
	uintptr_t marker;      /* this page stays hidden; 0: none does */
	unsigned ahead; /* of how many pages it is the marker: a logarithm */
	bool here;      /* the store is read in this thread */
	bool prime;     /* the first write to a private area */
	bool follows;   /* what is not written is what the file is */
	int prot, rest_prot; /* to reveal them with */
	int area_prot;
	/* What userfaultfd is to know with it: the area's part of the block; of
	 * a store that is copied, the area. */
	uintptr_t low, high;
	bool track; /* placed over markers so that it is known what is written */
	enum lm_access access;
	struct lm_store *store; /* stays while there are BUSY pages */
	struct lm_quota *quota; /* the same; NULL: the area has none */
	uint64_t offset;        /* of start, in the store */
	struct lm_slot *slot;
};

/* What came of an attempt to claim. OPEN: the block had better be opened first
 * (guard.h). WAIT: it was another thread's, and is not any more. */
enum lm_claimed {
	LM_CLAIM_DONE,
	LM_CLAIM_OPEN,
	LM_CLAIM_WAIT,
	LM_CLAIM_FOREIGN,
	LM_CLAIM_NO_MEMORY
};

/* Does the protection allow it? */
bool lm_claim_allowed(int prot, enum lm_access access);

/*
 * Look the address up and claim its page, and those around it that are alike.
 * `until`, `wide`, `alone`, `opened`, `marker`, `ahead`, `here` and `apart` are
 * the caller's, set before.
 */
enum lm_claimed lm_claim(struct lm_claim *claim, uintptr_t addr,
			 enum lm_access access);

/*
 * Claim all of a block, absent, for what is read ahead of a stream in that store:
 * a frame is to come there. False: it cannot.
 */
bool lm_claim_block(struct lm_claim *claim, uintptr_t block,
		    const struct lm_store *store);

/* Of a fault that was served: was anything won by it? */
void lm_claim_progress(const struct lm_claim *claim, uintptr_t addr);

/* Out of BUSY: the page touched, and the rest. */
void lm_claim_settle(const struct lm_claim *claim, enum lm_page_state page,
		     enum lm_page_state rest);
/* A block that was claimed whole is in place, hidden, and nobody has touched it. */
void lm_claim_settle_block(const struct lm_claim *claim);
/* The same when it has failed. */
void lm_claim_undo(const struct lm_claim *claim);

#endif
