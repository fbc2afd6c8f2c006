/*
 * ladder.h -- which of two ways a store's bytes take into hidden pages, where both
 * are permitted and none was asked for: the kernel's copy (UFFDIO_COPY), or `mem`.
 *
 * The order is known to be right on the kernels that it was measured on, and no
 * promise of any kernel's. To try both at the start would take longer than most
 * processes place anything at all. So the placements themselves are timed: some of
 * 64 KiB, the first ones and then now and then, by turns. That costs a clock's two
 * readings, and what the slower way takes more for these few.
 *
 * The best time of each counts, for a placement may be interrupted or wait, and takes
 * no less for that; and the first way is left only where the other one takes less than
 * three quarters. mremap and inplace are not in it: see place.h for what they cannot.
 *
 * Async-signal-safe; takes no lock. A forked child goes on with what was found.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PLACE_LADDER_H
#define LM_PLACE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lm_ladder_way { LM_LADDER_COPY, LM_LADDER_MEM, LM_LADDER_WAYS };

/* What is timed; and how many of each way in a round, and how many placements there
 * are from the beginning of one to the next. */
#define LM_LADDER_LEN ((size_t)64 * 1024)
#define LM_LADDER_TRIES 5
#define LM_LADDER_ROUND 2048

/* A placement: how, and since when, if it is timed. */
struct lm_ladder {
	enum lm_ladder_way way;
	bool timed;
	uint64_t from;
};

/* Of `len` bytes; and when all of them are in place, that way. */
struct lm_ladder lm_ladder_begin(size_t len);
void lm_ladder_end(const struct lm_ladder *placed);

/* What is taken now for so much, and what it took last: nanoseconds for each page at
 * best; 0: not known yet. For `lazymap doctor`. */
enum lm_ladder_way lm_ladder_choice(void);
uint32_t lm_ladder_ns(enum lm_ladder_way way);

/* What a placement has taken, where tests say it; NULL: the clock does. Atomic. */
extern uint64_t (*_Atomic lm_ladder_hook)(enum lm_ladder_way way);

#endif
