/*
 * demote.h -- pages that have been in swap's pool for long make room there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_DEMOTE_H
#define LM_DEMOTE_H

#include "os.h"

/* Move some to swap's file if the pool is short of room, and nobody else is
 * doing so. Outside the gate. Async-signal-safe with all signals blocked. */
void lm_demote(void);

/* In a forked child: nobody is. */
void lm_demote_forked(void);

#endif
