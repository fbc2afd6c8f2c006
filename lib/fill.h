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

/* Frames are counted and the pages filled and shown: 0, or -errno with nothing
 * changed. -ENOMEM: no room, or no VM area left. */
int lm_fill(const struct lm_claim *claim);

/* The same of what nobody has touched: 0; -ENOMEM: no room; or why these pages
 * cannot be read. */
int lm_fill_ahead(const struct lm_claim *claim);

#endif
