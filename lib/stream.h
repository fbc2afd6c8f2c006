/*
 * stream.h -- how much one fault brings in, where nobody has said it.
 *
 * Each thread's last faults are remembered (in its slot). A fault next to where
 * one of them ended goes on a stream, upwards or downwards: the cluster doubles
 * each time, to 2 MiB. Faults that go on none shrink what a new stream begins
 * with, down to a page; each that goes on one takes half of that back, so that
 * one which does so by chance, among many at random, brings in little.
 *
 * Async-signal-safe. A hint only: threads that share a slot may confuse each
 * other's, and that costs time and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STREAM_H
#define LM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LM_STREAMS 8

/* Clusters that are fixed stay what they are. From this size on it is of use to
 * know that they go on a stream. */
#define LM_STREAM_MIN ((size_t)64 * 1024)

struct lm_stream {
	/* Of the last claim; or of what was asked for, when it was touched. */
	_Atomic uintptr_t start, end;
	/* The far end of what was asked for ahead: above end, or below start; or
	 * nothing was. */
	_Atomic uintptr_t ahead;
};

struct lm_streams {
	struct lm_stream stream[LM_STREAMS];
	_Atomic uint32_t oldest;
	_Atomic uint32_t alone; /* faults in a row that went on no stream */
};

enum lm_way {
	LM_WAY_NONE, /* it goes on no stream */
	LM_WAY_UP,
	LM_WAY_DOWN
};

/* The cluster for a fault at `page`, at most `max`: bytes, a power of two. */
size_t lm_stream_cluster(struct lm_streams *streams, uintptr_t page, size_t max,
			 enum lm_way *way);

/* [*start, *end) was claimed for it, and becomes what its stream has come to by
 * that: of what was asked for, all; or (`blocks`) what is in that block. Which way
 * it goes, if there is something new to be asked for. */
enum lm_way lm_stream_claimed(struct lm_streams *streams, uintptr_t page,
			      uintptr_t *start, uintptr_t *end, bool blocks);

/* Is the page in what a stream has come to last? */
bool lm_stream_at(const struct lm_streams *streams, uintptr_t page);

/* The same of a page that is there, and was touched: was it asked for? */
enum lm_way lm_stream_touched(struct lm_streams *streams, uintptr_t page,
			      uintptr_t *start, uintptr_t *end, bool blocks);

/* Where what was asked for of the stream that has come to [start, end) ends, that
 * way. */
uintptr_t lm_stream_asked(struct lm_streams *streams, uintptr_t start,
			  uintptr_t end, enum lm_way way);

/* Of the stream that has come to [start, end): what it comes to next is asked
 * for, up or down to `ahead`. */
void lm_stream_ahead(struct lm_streams *streams, uintptr_t start, uintptr_t end,
		     uintptr_t ahead);

#endif
