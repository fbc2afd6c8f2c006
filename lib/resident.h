/*
 * resident.h -- how many frames there may be, and making room.
 *
 * A frame is counted before it is in place and until it is gone, so the limit
 * holds at every moment. Without a limit nothing is counted here, and the
 * policy knows of no frame.
 *
 * Async-signal-safe with all signals blocked, unless it says otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_RESIDENT_H
#define LM_RESIDENT_H

#include "area.h"
#include "page.h"

/* In pages; 0: no limit. Atomic; changed with the gate shut. */
extern _Atomic size_t lm_resident_max;

static inline bool lm_resident_limited(void)
{
	return atomic_load_explicit(&lm_resident_max, memory_order_relaxed);
}

/* The largest cluster that the limit leaves sensible, in bytes. */
size_t lm_resident_cluster(void);

/* The most bytes that one fault may bring in of several clusters. */
size_t lm_resident_reach(void);

/*
 * Count n more frames, evicting others for them where need be: outside the
 * gate, at most lm_resident_reach() bytes at once. 0; -ENOMEM: with
 * `strict`, when no room can be made. (Without it the limit is exceeded, and
 * that is said once.)
 */
int lm_resident_take(size_t n);
/* Evict some n frames to need fewer VM areas. */
void lm_resident_shed(size_t n);

/* For the pager thread: is there less room left than there should be; and make
 * some, a step at a time: 1; 0: there is enough; -EBUSY: nothing can go. */
bool lm_resident_low(void);
int lm_resident_reserve(void);

/*
 * With options.strict, as a kernel that does not overcommit: may len bytes more
 * of private writable memory be mapped, or is that beyond the limit and swap?
 * With the map lock. 0 or -ENOMEM.
 */
int lm_resident_commit(size_t len);

/* n frames are gone. */
void lm_resident_give(size_t n);

/* Frames for [start, end) of clusters of `cluster` bytes are in place; before
 * the claim is given back. `cold`: they are to go first. */
void lm_resident_came(uintptr_t start, uintptr_t end, size_t cluster,
		      bool cold);

/* With the gate shut: [start, end) has no frames any more; it has some that
 * came without a fault (mremap), of `area`. */
void lm_resident_forget(uintptr_t start, uintptr_t end);
void lm_resident_moved(const struct lm_area *area, uintptr_t start,
		       uintptr_t end);

/* Advice: these go before all others (MADV_COLD). */
void lm_resident_cool(uintptr_t start, uintptr_t end);

/* -- Not in handlers ----------------------------------------------------------- */

/* From the options: policy, swap, limit. 0 or -errno. */
int lm_resident_start(void);

void lm_resident_fork(void);
void lm_resident_fork_parent(void);
void lm_resident_forked(void);

#endif
