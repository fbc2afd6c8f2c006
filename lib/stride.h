/*
 * stride.h -- streams that touch a page, or a few, and go on far away: a column
 * of a matrix, a field of records.
 *
 * What goes on no stream (stream.h) is remembered; three such faults at equal
 * distances, whatever came between them, may be a stride, and a fifth makes it
 * one. From then on its faults bring the pages that are touched at a step and
 * none of those between, and the steps that come next can be asked for: two, then
 * twice as many each time. Which pages are touched at a step is learnt from the
 * faults beside it.
 *
 * A stride that is forgotten while steps were asked for was a wrong guess. So
 * many steps in vain, less those that were not, make the next ones wait for more
 * equal distances.
 *
 * Async-signal-safe. A hint only, as streams are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STRIDE_H
#define LM_STRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LM_STRIDES 16
#define LM_STRIDE_RECENT 16
/* The most that is touched at a step; bytes. */
#define LM_STRIDE_WIDTH ((intptr_t)64 * 1024)
/* The most steps that are asked for at once. */
#define LM_STRIDE_MOST 32u

struct lm_stride {
	_Atomic uintptr_t at;  /* the page first touched, of the last step */
	_Atomic intptr_t step; /* bytes to the next one; 0: there is none */
	/* Bytes of a step before that page, and from it on. */
	_Atomic intptr_t below, above;
	_Atomic uint32_t equal; /* distances in a row */
	_Atomic uint32_t many;  /* what was asked for last; 0: no stride yet */
	/* Steps: the last ones may not be all there; these were asked for. */
	_Atomic uint32_t back, asked;
	_Atomic uint32_t used; /* when */
	/* Pages of these that nobody else would count if they were in vain. */
	_Atomic uint32_t shown;
};

struct lm_strides {
	struct lm_stride stride[LM_STRIDES];
	_Atomic uintptr_t recent[LM_STRIDE_RECENT]; /* on no stream */
	_Atomic uint32_t oldest;                    /* of recent */
	_Atomic uint32_t clock;
	_Atomic uint32_t doubt; /* steps in vain */
};

/* What may be asked for: within [low, high), so many bytes; 0: nothing. `shown`:
 * there is no marker that would tell of what was in vain. */
struct lm_stride_room {
	uintptr_t low, high;
	size_t most;
	bool shown;
};

/* The next steps: the first is [start, end), the others follow at `step`. */
struct lm_steps {
	uintptr_t start, end;
	intptr_t step;
	uint32_t count;
};

/* Is a fault at `page` on a stride? Then [*start, *end) is what it touches
 * there. */
bool lm_stride_of(struct lm_strides *strides, uintptr_t page, uintptr_t *start,
		  uintptr_t *end);

/* A fault that is on one was claimed; and one that is on none, nor on a stream. */
struct lm_steps lm_stride_claimed(struct lm_strides *strides, uintptr_t page,
				  const struct lm_stride_room *room);
/* Returns how many pages that were shown are given up by that. */
uint32_t lm_stride_alone(struct lm_strides *strides, uintptr_t page);

/* A page that is there was touched: was it asked for? Then more may be. */
struct lm_steps lm_stride_touched(struct lm_strides *strides, uintptr_t page,
				  const struct lm_stride_room *room);

#endif
