/*
 * stream.c -- how much one fault brings in. See stream.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream.h"

#include "os.h"

/* What a fault that goes on no stream brings in: for so many of them in a row
 * this much, then half, and so on down to a page. */
#define BEGIN ((size_t)64 * 1024)
#define PATIENCE 16
#define HALVES 4 /* from BEGIN to a page */

static uintptr_t get(_Atomic uintptr_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uintptr_t *value, uintptr_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

/* The stream that a fault at `page` goes on, or NULL. */
static struct lm_stream *find(struct lm_streams *streams, uintptr_t page)
{
	for (int i = 0; i < LM_STREAMS; i++) {
		struct lm_stream *stream = &streams->stream[i];
		uintptr_t start = get(&stream->start), end = get(&stream->end);
		/* A little further on counts, too. */
		uintptr_t gap = lm_max((end - start) / 4, LM_PAGE);

		if (end > start && ((page >= end && page - end < gap) ||
				    (page < start && start - page <= gap)))
			return stream;
	}
	return NULL;
}

static size_t begin(uint32_t alone)
{
	return BEGIN >> lm_min(alone / PATIENCE, HALVES);
}

size_t lm_stream_cluster(struct lm_streams *streams, uintptr_t page, size_t max,
			 bool *goes_on)
{
	struct lm_stream *stream = find(streams, page);
	uint32_t alone =
		atomic_load_explicit(&streams->alone, memory_order_relaxed);
	size_t cluster;

	*goes_on = stream;
	cluster = begin(alone);
	while (stream && cluster < max &&
	       cluster < 2 * (get(&stream->end) - get(&stream->start)))
		cluster *= 2;
	return lm_min(cluster, max);
}

void lm_stream_claimed(struct lm_streams *streams, uintptr_t page,
		       uintptr_t start, uintptr_t end)
{
	struct lm_stream *stream = find(streams, page);
	uint32_t alone =
		atomic_load_explicit(&streams->alone, memory_order_relaxed);

	if (stream) {
		alone /= 2;
	} else {
		uint32_t i = atomic_fetch_add_explicit(&streams->oldest, 1,
						       memory_order_relaxed);

		stream = &streams->stream[i % LM_STREAMS];
		if (alone < 2 * HALVES * PATIENCE)
			alone++;
	}
	set(&stream->start, start);
	set(&stream->end, end);
	atomic_store_explicit(&streams->alone, alone, memory_order_relaxed);
}
