/*
 * quota.h -- how many frames there may be, and which of them goes next.
 *
 * There is one quota for the process, and one for each range of areas that was
 * given a limit of its own: its areas point to it, however they are split or
 * moved. A frame stands in the table of its area's quota, else in the
 * process's, and counts in both. What is evicted for a quota comes from its
 * own table; what is evicted for the process from all of them, from each by
 * what it has.
 *
 * Where a frame stands and whether it is in place may differ for a moment: a
 * frame without pages is passed over, and pages without a frame get one when
 * they are next touched or walked over.
 *
 * The memory of a quota stays a quota's for ever, so that who comes late, after
 * its last area went, finds that it has no table. It is given to another range
 * only with the gate drained, when nobody can be late with a count.
 *
 * Async-signal-safe with all signals blocked, unless it says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_QUOTA_H
#define LM_QUOTA_H

#include "os.h"
#include "policy/policy.h"

struct lm_quota {
	_Atomic size_t max; /* pages; 0: no limit; the gate drained */
	/* Frames counted, and among them those that are spare (frame.h): with a
	 * limit only. So what is looked at when there is to be more is one
	 * word. */
	_Atomic size_t used;
	_Atomic size_t spare;      /* of them; a hint */
	_Atomic uint64_t pause_to; /* when to try to evict again */
	_Atomic uint64_t alone_to; /* when again more than one at once */
	_Atomic int said_over;
	struct lm_frames frames; /* guarded by quota.c's lock */
	void *memory;            /* of frames; NULL: none; the same */
	size_t memory_size;      /* the same */
	struct lm_quota *next;   /* of those in force, or free; the same */
	size_t holders;          /* areas; guarded by the map lock */
};

extern struct lm_quota lm_quota_process;

/* `quota` may be NULL here: the area has none of its own. */

/* Frames for [start, end) of clusters of `cluster` bytes are in place; they are
 * not any more; they are to go before others. */
void lm_quota_came(struct lm_quota *quota, uintptr_t start, uintptr_t end,
		   size_t cluster, bool cold);
/* A victim out of its table could not go, or not all of it. */
void lm_quota_stayed(struct lm_quota *from, const struct lm_victim *victim);
void lm_quota_forget(struct lm_quota *quota, uintptr_t start, uintptr_t end);
void lm_quota_cool(struct lm_quota *quota, uintptr_t start, uintptr_t end);

/* A victim for it, of whose table *from says; *count frames there are to choose
 * from. False: none. */
bool lm_quota_next(struct lm_quota *quota, struct lm_quota **from,
		   struct lm_victim *victim, uint32_t *count);
/* If what would come next lies next to it in space: both at once, while that
 * is less than `most` bytes. */
void lm_quota_join(struct lm_quota *from, struct lm_victim *victim,
		   size_t most);
/* Its block is one huge page: all of it at once, unless the policy knows more of
 * some than of others. */
void lm_quota_whole(struct lm_quota *from, struct lm_victim *victim);

/* -- With the map lock -------------------------------------------------------- */

/* A table for so many pages; 0: none. Returns 0 or -ENOMEM. */
struct lm_quota_table {
	void *memory;
	size_t size;
	uint32_t capacity;
};
int lm_quota_table(struct lm_quota_table *table, size_t pages);

/* With the gate drained: the quota has this maximum and table from now on, both
 * empty. */
void lm_quota_set(struct lm_quota *quota, size_t pages,
		  const struct lm_quota_table *table);

/* With the gate drained: one for areas, held once; or NULL, out of memory. */
struct lm_quota *lm_quota_new(size_t pages);

/* One more area, one area less: without any it ends. The gate is shut. */
void lm_quota_hold(struct lm_quota *quota);
void lm_quota_drop(struct lm_quota *quota);

/* -- Not in handlers ---------------------------------------------------------- */

void lm_quota_start(const char *policy);

void lm_quota_fork(void);
void lm_quota_fork_parent(void);
/* In the child. `anew`: other threads may have been changing the tables; they
 * are empty now, the counts too. */
void lm_quota_forked(bool anew);
/* With the gate drained, or nobody else here: the same for the counts. */
void lm_quota_count_anew(void);

#endif
