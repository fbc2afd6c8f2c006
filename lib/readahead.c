/*
 * readahead.c -- see readahead.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "readahead.h"

#include "bounce.h"
#include "crew.h"
#include "fault.h"
#include "gate.h"
#include "lock.h"
#include "resident.h"
#include "start.h"
#include "worker.h"

#include <string.h>

/* A stream whose faults bring less is not sure enough. */
#define MUCH ((size_t)64 * 1024)
/* What one worker reads at once. */
#define PIECE ((uintptr_t)LM_BOUNCE_SIZE)
#define WISHES 32
/* Workers that read ahead at once; others stay for who waits. */
#define READERS 4

/* What nobody has taken yet: [start, end), and of a stride so many more like it
 * at `step`. */
struct wish {
	uintptr_t start, end;
	intptr_t step; /* 0: of a stream */
	uint32_t more;
	uintptr_t marker;
	const struct lm_store *store; /* compared, never followed */
	uint8_t pages;                /* of all: a power of two */
	bool down;
	bool blocks; /* those that it covers come whole; each has a marker */
	bool block;  /* it is one of those */
};

static struct lm_lock lock;
static struct wish wishes[WISHES];  /* guarded by lock; the oldest first */
static _Atomic unsigned wish_count; /* changed with lock */
static _Atomic unsigned readers;

static void push(const struct wish *wish)
{
	bool any = false;

	lm_lock_take(&lock);
	if (wish_count < WISHES) {
		wishes[wish_count] = *wish;
		wish_count++;
		any = true;
	}
	lm_lock_drop(&lock);
	if (any)
		lm_worker_call();
}

static void cut_step(struct wish *from)
{
	if (from->more) {
		from->more--;
		from->start += (uintptr_t)from->step;
		from->end += (uintptr_t)from->step;
	} else {
		from->start = from->end;
	}
}

static bool covers_block(const struct wish *wish)
{
	uintptr_t border = wish->down ? wish->end : wish->start;

	return wish->blocks && !(border & (LM_BLOCK - 1)) &&
	       wish->end - wish->start >= LM_BLOCK;
}

/* The piece that the stream comes to first. */
static void cut(struct wish *from, struct wish *piece)
{
	bool block = covers_block(from);
	uintptr_t len = block ? LM_BLOCK : PIECE, border;

	*piece = *from;
	piece->block = block;
	if (from->step) {
		cut_step(from);
		return;
	}
	if (from->down) {
		border = (from->end - 1) & ~(len - 1);
		piece->start = border = lm_max(border, from->start);
		from->end = border;
	} else {
		border = (from->start | (len - 1)) + 1;
		piece->end = border = lm_min(border, from->end);
		from->start = border;
	}
	if (from->blocks && !(border & (LM_BLOCK - 1)))
		from->marker = from->down ? border - LM_PAGE : border;
}

static bool take_piece(struct wish *piece)
{
	unsigned left;
	uint64_t mask;

	/* Most often there is none: ask without the lock. */
	if (!atomic_load_explicit(&wish_count, memory_order_relaxed))
		return false;
	mask = lm_os_block_signals();
	lm_lock_take(&lock);
	left = wish_count;
	if (left) {
		cut(&wishes[0], piece);
		if (wishes[0].start >= wishes[0].end) {
			wish_count = left - 1;
			memmove(wishes, wishes + 1,
				(left - 1) * sizeof(*wishes));
		}
	}
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
	return left;
}

/* A block that did not come whole comes by pieces, before all else. */
static void push_back(const struct wish *block)
{
	uint64_t mask = lm_os_block_signals();
	struct wish wish = *block;

	wish.blocks = wish.block = false;
	lm_lock_take(&lock);
	if (wish_count < WISHES) {
		memmove(wishes + 1, wishes, wish_count * sizeof(*wishes));
		wishes[0] = wish;
		wish_count++;
	}
	lm_lock_drop(&lock);
	lm_os_restore_signals(mask);
}

/* Of pages, rounded up. */
static uint8_t log_of(uintptr_t bytes)
{
	uint8_t log = 0;

	while (log < LM_PAGE_AHEAD_MAX && LM_PAGE << log < bytes)
		log++;
	return log;
}

/* Twice what the stream has come to, beyond it. */
static void ask(const struct lm_claim *claim, enum lm_way way, uintptr_t start,
		uintptr_t end)
{
	size_t most = claim->whole ? lm_resident_ahead(claim->quota)
				   : lm_resident_reach(claim->quota);
	size_t len = lm_min(2 * (end - start), most);
	uintptr_t asked =
		lm_stream_asked(&claim->slot->streams, start, end, way);
	struct wish wish = { .store = claim->store, .blocks = claim->whole };
	size_t round = claim->whole && len >= LM_BLOCK ? LM_BLOCK - 1 : 0;

	/* [low, high) is the area. */
	if (way == LM_WAY_UP) {
		wish.start = wish.marker = asked;
		wish.end = lm_min((end + len + round) & ~round, claim->high);
	} else {
		wish.down = true;
		wish.start = lm_max((start - lm_min(len, start - claim->low)) &
					    ~round,
				    claim->low);
		wish.end = asked;
		wish.marker = asked - LM_PAGE;
	}
	if (wish.start >= wish.end)
		return;
	wish.pages = log_of(wish.end - wish.start);
	lm_stream_ahead(&claim->slot->streams, start, end,
			wish.down ? wish.start : wish.end);
	push(&wish);
}

static void ask_for_steps(const struct lm_claim *claim)
{
	const struct lm_steps *steps = &claim->steps;
	struct wish wish = {
		.start = steps->start,
		.end = steps->end,
		.step = steps->step,
		.more = steps->count - 1,
		.marker = steps->start,
		.store = claim->store,
		.pages = log_of(steps->count * (steps->end - steps->start)),
	};

	push(&wish);
}

bool lm_readahead_can(const struct lm_store *store)
{
	return !lm_store_direct(store) && lm_options.threads >= 0 &&
	       !(store->ops.flags & LAZYMAP_STORE_IN_HANDLER);
}

void lm_readahead(const struct lm_claim *claim)
{
	uintptr_t start = claim->come_start, end = claim->come_end;
	enum lm_way way = claim->ask;

	if (!lm_readahead_can(claim->store))
		return;
	if (claim->steps.count) {
		ask_for_steps(claim);
		return;
	}
	if (claim->from == LM_PAGE_HIDDEN_CLEAN)
		way = lm_stream_touched(&claim->slot->streams, claim->page,
					&start, &end, claim->whole);
	else if (claim->from != LM_PAGE_ABSENT || end - start < MUCH)
		return;
	if (way != LM_WAY_NONE)
		ask(claim, way, start, end);
}

bool lm_readahead_waiting(void)
{
	return (atomic_load(&wish_count) || lm_crew_calls()) &&
	       atomic_load(&readers) < READERS;
}

/* Or has the stream, which was before us, had all of it begun? */
static bool is_wanted(uintptr_t block)
{
	struct lm_slot *slot = lm_gate_enter();
	const lm_page_word *word = lm_page_word_of(block);
	bool wanted = !word || lm_page_any_absent(word);

	lm_gate_leave(slot);
	return wanted;
}

static void read_ahead(const struct wish *piece)
{
	if (piece->block) {
		if (!lm_crew_begin(piece->start, piece->store) &&
		    is_wanted(piece->start))
			push_back(piece);
		return;
	}
	if (lm_readahead_waiting())
		lm_worker_call();
	lm_fault_read_ahead(piece->start, piece->end, piece->store,
			    piece->marker, piece->pages, piece->step);
}

bool lm_readahead_step(void)
{
	struct wish piece;
	bool any = true;

	if (atomic_fetch_add(&readers, 1) >= READERS)
		any = false;
	else if (!lm_crew_help() && (any = take_piece(&piece)))
		read_ahead(&piece);
	atomic_fetch_sub(&readers, 1);
	return any;
}

void lm_readahead_forked(void)
{
	lm_crew_forked();
	LM_PUT(&lock.word, 0);
	if (wish_count)
		wish_count = 0;
	LM_PUT(&readers, 0);
}
