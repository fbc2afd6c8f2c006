/*
 * fill.h -- bringing claimed pages: room for them, their bytes, and showing them.
 *
 * Async-signal-safe with all signals blocked; outside the gate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_FILL_H
#define LM_FILL_H

#include "claim.h"

/* Are there bytes to be copied, or is showing it enough? */
bool lm_fill_needed(const struct lm_claim *claim);

/*
 * Frames are counted and the pages filled and shown: 0; or -errno, and what the
 * pages are the claim's `back` says. -ENOMEM: no room, or no VM area left.
 *
 * Where some were seen before it failed, the claim is of these from then on, and
 * it is 0: the others are settled, and the page that was touched may be one of
 * them, to be touched again.
 */
int lm_fill(struct lm_claim *claim);

/* The same of what nobody has touched: 0; -ENOMEM: no room; or why these pages
 * cannot be read. */
int lm_fill_ahead(struct lm_claim *claim);

#endif
