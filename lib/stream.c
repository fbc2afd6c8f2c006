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

static uintptr_t get(const _Atomic uintptr_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uintptr_t *value, uintptr_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

/* Where a page is, seen from a stream. */
enum place {
	ELSEWHERE,
	NEXT,  /* at its end, or a little further on */
	ASKED, /* in what was asked for ahead, which nobody has touched yet */
	COME   /* in what was, and is not all there yet */
};

/* What is it, and which way does the stream go? */
static enum place place_of(const struct lm_stream *stream, uintptr_t page,
			   enum lm_way *way)
{
	uintptr_t start = get(&stream->start), end = get(&stream->end);
	uintptr_t ahead = get(&stream->ahead);
	uintptr_t low = lm_min(start, ahead), high = lm_max(end, ahead);
	uintptr_t gap = lm_max((end - start) / 4, LM_PAGE);

	*way = LM_WAY_NONE;
	if (end <= start)
		return ELSEWHERE;
	*way = page >= end || (page >= start && ahead > end) ? LM_WAY_UP
							     : LM_WAY_DOWN;
	if (page >= start && page < end)
		return ahead == end ? ELSEWHERE : COME;
	if (page >= low && page < high)
		return ASKED;
	return (page >= high && page - high < gap) ||
			       (page < low && low - page <= gap)
		       ? NEXT
		       : ELSEWHERE;
}

/* The stream that a fault at `page` goes on, or NULL. */
static struct lm_stream *find(struct lm_streams *streams, uintptr_t page,
			      enum lm_way *way, enum place *place)
{
	for (int i = 0; i < LM_STREAMS; i++) {
		*place = place_of(&streams->stream[i], page, way);
		if (*place != ELSEWHERE)
			return &streams->stream[i];
	}
	*way = LM_WAY_NONE;
	return NULL;
}

static size_t begin(uint32_t alone)
{
	return BEGIN >> lm_min(alone / PATIENCE, HALVES);
}

size_t lm_stream_cluster(struct lm_streams *streams, uintptr_t page, size_t max,
			 enum lm_way *way)
{
	enum place place;
	struct lm_stream *stream = find(streams, page, way, &place);
	uint32_t alone =
		atomic_load_explicit(&streams->alone, memory_order_relaxed);
	size_t cluster = begin(alone);

	/* What was asked for is others' work: only what cannot wait. */
	if (stream && place != NEXT)
		cluster = BEGIN;
	else if (stream)
		while (cluster < max &&
		       cluster < 2 * (get(&stream->end) - get(&stream->start)))
			cluster *= 2;
	return lm_min(cluster, max);
}

/* It has come to all that was asked for; or to the end of a block. */
static void come_to(struct lm_stream *stream, enum lm_way way, uintptr_t page,
		    uintptr_t *start, uintptr_t *end, bool blocks)
{
	uintptr_t ahead = get(&stream->ahead), border;

	if (way == LM_WAY_UP) {
		border = blocks ? (page | (LM_BLOCK - 1)) + 1 : ahead;
		*start = get(&stream->end);
		*end = lm_max(*end, lm_min(ahead, border));
	} else {
		border = blocks ? page & ~(LM_BLOCK - 1) : ahead;
		*end = get(&stream->start);
		*start = lm_min(*start, lm_max(ahead, border));
	}
}

/* What lies beyond it and was asked for stays so. */
static void go_on(struct lm_stream *stream, enum lm_way way, uintptr_t start,
		  uintptr_t end)
{
	uintptr_t ahead = get(&stream->ahead);
	bool more = (way == LM_WAY_UP && ahead > end) ||
		    (way == LM_WAY_DOWN && ahead < start);

	set(&stream->start, start);
	set(&stream->end, end);
	if (!more)
		set(&stream->ahead, end);
}

enum lm_way lm_stream_claimed(struct lm_streams *streams, uintptr_t page,
			      uintptr_t *start, uintptr_t *end, bool blocks)
{
	enum lm_way way;
	enum place place;
	struct lm_stream *stream = find(streams, page, &way, &place);
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
	atomic_store_explicit(&streams->alone, alone, memory_order_relaxed);
	if (place == COME)
		return LM_WAY_NONE;
	if (place == ASKED)
		come_to(stream, way, page, start, end, blocks);
	go_on(stream, place == ASKED ? way : LM_WAY_NONE, *start, *end);
	return way;
}

bool lm_stream_at(const struct lm_streams *streams, uintptr_t page)
{
	for (int i = 0; i < LM_STREAMS; i++)
		if (page >= get(&streams->stream[i].start) &&
		    page < get(&streams->stream[i].end))
			return true;
	return false;
}

enum lm_way lm_stream_touched(struct lm_streams *streams, uintptr_t page,
			      uintptr_t *start, uintptr_t *end, bool blocks)
{
	enum lm_way way;
	enum place place;
	struct lm_stream *stream = find(streams, page, &way, &place);

	if (!stream || place != ASKED)
		return LM_WAY_NONE;
	come_to(stream, way, page, start, end, blocks);
	go_on(stream, way, *start, *end);
	return way;
}

/* The stream that has come to just that. */
static struct lm_stream *come(struct lm_streams *streams, uintptr_t start,
			      uintptr_t end)
{
	for (int i = 0; i < LM_STREAMS; i++)
		if (get(&streams->stream[i].start) == start &&
		    get(&streams->stream[i].end) == end)
			return &streams->stream[i];
	return NULL;
}

uintptr_t lm_stream_asked(struct lm_streams *streams, uintptr_t start,
			  uintptr_t end, enum lm_way way)
{
	struct lm_stream *stream = come(streams, start, end);
	uintptr_t ahead = stream ? get(&stream->ahead) : end;

	return way == LM_WAY_UP ? lm_max(end, ahead) : lm_min(start, ahead);
}

void lm_stream_ahead(struct lm_streams *streams, uintptr_t start, uintptr_t end,
		     uintptr_t ahead)
{
	struct lm_stream *stream = come(streams, start, end);

	if (stream)
		set(&stream->ahead, ahead);
}
