/*
 * ahead.h -- pages that are said to be needed soon (MADV_WILLNEED) come back
 * from swap before they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_AHEAD_H
#define LM_AHEAD_H

#include "os.h"

/*
 * Bring back what of [start, end) is in swap, up to half of the limit, from the
 * start on: by the pager thread where there is one, else before this returns.
 * What cannot be read, or finds no room, stays. Not from inside the gate;
 * async-signal-safe.
 */
void lm_ahead(uintptr_t start, uintptr_t end);

/* For the pager: is there something to do; and do some of it. Was there? */
bool lm_ahead_waiting(void);
bool lm_ahead_step(void);

/* In a forked child: it does not ask for what its parent did. */
void lm_ahead_forked(void);

#endif
