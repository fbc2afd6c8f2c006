/*
 * advise.h -- flags of areas, changed for a range; pages brought in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_ADVISE_H
#define LM_ADVISE_H

#include "os.h"

/* Each area's part in [start, end): set a flag of enum lm_area_flags, or clear
 * it (argument ~flag). For want of memory it is left undone. */
void lm_advise_flags(uintptr_t start, uintptr_t end, int argument);
/* The same, unless nobody can change areas and `still(what)` is false, which is
 * then returned. */
bool lm_advise_flags_while(uintptr_t start, uintptr_t end, int argument,
			   bool (*still)(uint32_t what), uint32_t what);

/* Outside the gate: the end, up to `end`, of the area at `at`, and its
 * protection; or of what is between two areas there, and -1. */
uintptr_t lm_advise_piece(uintptr_t at, uintptr_t end, int *prot);

/* Outside the gate: MADV_POPULATE_READ or _WRITE, up to what cannot be. 0 or
 * -errno. */
int lm_advise_populate(uintptr_t start, uintptr_t end, int advice);

#endif
