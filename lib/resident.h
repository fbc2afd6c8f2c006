/*
 * resident.h -- how many frames there may be, and making room.
 *
 * A frame is counted before it is in place and until it is gone, so the limits
 * hold at every moment: the process's, and that of the area, if it has one.
 * Without a limit nothing is counted here, and the policy knows of no frame.
 *
 * A `quota` is that of the area concerned, NULL where it has none of its own.
 *
 * Async-signal-safe with all signals blocked, unless it says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_RESIDENT_H
#define LM_RESIDENT_H

#include "area.h"
#include "page.h"
#include "quota.h"

/* The smallest limit in force, in pages, and so what is safe to have in use at
 * once wherever it is; 0: there is none. Atomic; changed with the gate shut. */
extern _Atomic size_t lm_resident_max;

static inline bool lm_resident_limited(void)
{
	return atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
}

/* Does any limit bound what such an area brings in? */
static inline bool lm_resident_bounded(const struct lm_quota *quota)
{
	return quota || atomic_load_explicit(&lm_quota_process.max,
					     memory_order_relaxed);
}

/* The largest cluster that the limits leave sensible, in bytes. */
size_t lm_resident_cluster(const struct lm_quota *quota);

/* The most bytes that one fault may bring in of several clusters. */
size_t lm_resident_reach(const struct lm_quota *quota);

/* The most bytes to be read ahead of a stream. */
size_t lm_resident_ahead(const struct lm_quota *quota);

/*
 * Count n more frames, evicting others for them where need be: outside the
 * gate, at most lm_resident_reach() bytes at once. 0; -EAGAIN: there is no room
 * for more than one; -ENOMEM: with `strict`, when there is none for one.
 * (Without it the limit is exceeded, and that is said once.)
 */
int lm_resident_take(struct lm_quota *quota, size_t n);
/* The same for a block's worth of pages, with a window (frame.h) that is the
 * caller's, and holds them or is to. Also -EAGAIN: there is none. */
int lm_resident_take_frame(struct lm_quota *quota, uintptr_t *window);
/* The same for what is only advice: -ENOMEM when there is no room and none can
 * be made without waiting. */
int lm_resident_try(struct lm_quota *quota, size_t n);
/* Evict some n frames: how many went; 0: none can go now. */
size_t lm_resident_shed(struct lm_quota *quota, size_t n);

/* For the pager thread: is there less room left than there should be; and make
 * some, a step at a time: 1; 0: there is enough; -EBUSY: nothing can go. */
bool lm_resident_low(void);
int lm_resident_reserve(void);
/* The same for n pages, or half of the limit. */
bool lm_resident_has_room(size_t n);
int lm_resident_room(size_t n);

/* n frames are gone. */
void lm_resident_give(struct lm_quota *quota, size_t n);
/* There is room, or what can be dropped for it, for who waits. */
void lm_resident_tell(void);

/* Frames for [start, end) of clusters of `cluster` bytes are in place; before
 * the claim is given back. `cold`: they are to go first. */
void lm_resident_came(struct lm_quota *quota, uintptr_t start, uintptr_t end,
		      size_t cluster, bool cold);

/* With the gate shut: [start, end) of such areas has no frames any more; it has
 * some that came without a fault (mremap), of `area`: how many. */
void lm_resident_forget(struct lm_quota *quota, uintptr_t start, uintptr_t end);
size_t lm_resident_moved(const struct lm_area *area, uintptr_t start,
			 uintptr_t end);

/* Advice: these go before all others (MADV_COLD). */
void lm_resident_cool(struct lm_quota *quota, uintptr_t start, uintptr_t end);

/* -- Not in handlers ----------------------------------------------------------- */

/* With the gate drained, or nobody else here: every frame there is, counted
 * anew and into the table that it belongs in. */
void lm_resident_count_anew(void);

void lm_resident_fork(void);
void lm_resident_fork_parent(void);
void lm_resident_forked(void);

#endif
