/*
 * stream.h -- how much one fault brings in, where nobody has said it.
 *
 * Each thread's last faults are remembered (in its slot). A fault next to where
 * one of them ended goes on a stream, upwards or downwards: the cluster doubles
 * each time, to 2 MiB. Faults that go on none shrink what a new stream begins
 * with, down to a page; each that goes on one takes half of that back, so that
 * one which does so by chance, among many at random, brings in little.
 *
 * Async-signal-safe; inside the gate. A hint only: threads that share a slot
 * may confuse each other's, and that costs time and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STREAM_H
#define LM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LM_STREAMS 8

struct lm_stream {
	_Atomic uintptr_t start, end; /* of the last claim */
};

struct lm_streams {
	struct lm_stream stream[LM_STREAMS];
	_Atomic uint32_t oldest;
	_Atomic uint32_t alone; /* faults in a row that went on no stream */
};

/* The cluster for a fault at `page`, at most `max`: bytes, a power of two.
 * *goes_on: it goes on a stream. */
size_t lm_stream_cluster(struct lm_streams *streams, uintptr_t page, size_t max,
			 bool *goes_on);

/* [start, end) was claimed for it. */
void lm_stream_claimed(struct lm_streams *streams, uintptr_t page,
		       uintptr_t start, uintptr_t end);

#endif
