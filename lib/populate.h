/*
 * populate.h -- having the kernel map what was shown: the pages are its own, and
 * a touch of each would be an exception each.
 *
 * Async-signal-safe with all signals blocked; outside the gate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_POPULATE_H
#define LM_POPULATE_H

#include "claim.h"

/* Of a claim in a direct area, shown and still BUSY. Nothing depends on it: what
 * is not mapped here is mapped at its touch (as before Linux 5.14, which has no
 * MADV_POPULATE_*), and what cannot be mapped, past the end of a file, the
 * kernel tells the toucher itself. */
void lm_populate(const struct lm_claim *claim);

#endif
