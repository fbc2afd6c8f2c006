/*
 * bound.h -- what the limits are: the process's (lazymap_limit) and those of
 * areas (lazymap_limit_area), set and checked. What keeps them is resident.h's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_BOUND_H
#define LM_BOUND_H

#include <stddef.h>

/* The most pages that one instruction can need at once: a gather of 16
 * elements that each lie across two pages, its mask and its own code, with
 * room to spare. */
#define LM_BOUND_PAGES_A_THREAD 64

/*
 * With options.strict, as a kernel that does not overcommit: may len bytes more
 * of private writable memory be mapped, or is that beyond the limit and swap?
 * With the map lock. 0 or -ENOMEM.
 */
int lm_bound_commit(size_t len);

/* One more thread has been started. Not in handlers. */
void lm_bound_thread(void);
/* For the statistics: the most threads there were, where the limit has room for
 * fewer, which was right when it was set; 0. */
size_t lm_bound_crowd(void);

/* From the options: policy, swap, limit. Not in handlers. 0 or -errno. */
int lm_bound_start(void);

#endif
