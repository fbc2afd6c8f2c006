/*
 * evict.h -- taking pages out of memory, and hiding them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_EVICT_H
#define LM_EVICT_H

#include "os.h"

/*
 * Take away what can be taken of [start, end) (at most one block): pages that
 * are busy, pinned or locked stay, as do dirty ones for which swap has no
 * room. The frames are given back to resident.h. Returns how many; *left is
 * how many are still there. Outside the gate, all signals blocked.
 */
size_t lm_evict(uintptr_t start, uintptr_t end, size_t *left);

/* Hide what can be touched there: nothing is lost, the next touch is seen.
 * Returns how many pages. */
size_t lm_evict_hide(uintptr_t start, uintptr_t end);

/* Why a page could last not be saved, -errno; 0: all could. */
int lm_evict_error(void);

#endif
