/*
 * evict.c -- the way out of memory, in phases.
 *
 *  1 claim   inside the gate: pages that are neither busy nor pinned
 *  2 hide    no thread can read or write them any more; what need not be saved
 *            and can have markers (guard.h) is hidden and dropped in one, in 4;
 *            many anonymous pages at once are frozen, which can be read in
 *            place; what the kernel knows not to have been written is clean
 *  3 save    private dirty pages go to swap, shared ones of a store to it; what
 *            cannot be saved stays, hidden and dirty; what was frozen is hidden
 *  4 drop    the kernel takes the frames
 *  5 settle  the pages are ABSENT or SWAPPED, and counted out
 *
 * A page is writable until 2 and gone from 4, and its content is safe before.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "evict.h"

#include "area.h"
#include "bounce.h"
#include "demote.h"
#include "fault.h"
#include "gate.h"
#include "guard.h"
#include "huge.h"
#include "os_linux.h"
#include "place/place.h"
#include "resident.h"
#include "stats.h"
#include "step.h"
#include "swap/swap.h"
#include "turn.h"
#include "widen.h"

#include <string.h>

#define MAP_WORDS (LM_BLOCK_PAGES / 64)

/* Pages in a run from which on one more mprotect costs less than to have the
 * kernel copy each of them out. */
#define FREEZE_MIN 16

/* The claimed pages of at most one block, by their distance from start. */
struct prey {
	uintptr_t start, end;
	size_t count, left;         /* claimed; not, though in place */
	uint64_t taken[MAP_WORDS];  /* claimed */
	uint64_t kept[MAP_WORDS];   /* of them: to stay */
	uint64_t shown[MAP_WORDS];  /* of these: in sight, as before */
	uint64_t frozen[MAP_WORDS]; /* they can be read, and not written */
	struct lm_store *store;     /* stays while there are BUSY pages */
	struct lm_quota *quota;     /* the same */
	uint64_t offset;            /* of start, in the store */
	bool shared, zero;
	bool freezes; /* the pager can read them as the program does */
	bool guards;  /* what is clean can have markers */
	bool swaps;   /* and so can what went to swap */
	int prot;     /* the area's */
	struct lm_slot *slot;
};

/* The program uses protection keys; set inside changes, read inside the gate. */
static _Atomic bool keyed;

static _Atomic int last_error; /* why a page was not saved, -errno */

static bool is_set(const uint64_t *map, size_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static size_t index_of(const struct prey *prey, uintptr_t at)
{
	return (at - prey->start) >> LM_PAGE_SHIFT;
}

static bool taken(const struct prey *prey, uintptr_t at)
{
	return is_set(prey->taken, index_of(prey, at));
}

static bool kept(const struct prey *prey, uintptr_t at)
{
	return is_set(prey->kept, index_of(prey, at));
}

static void keep(struct prey *prey, uintptr_t at)
{
	size_t i = index_of(prey, at);

	prey->kept[i / 64] |= (uint64_t)1 << (i % 64);
}

/* They could not be hidden. */
static void leave_shown(struct prey *prey, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += LM_PAGE) {
		size_t i = index_of(prey, at);

		keep(prey, at);
		prey->shown[i / 64] |= (uint64_t)1 << (i % 64);
	}
}

static enum lm_page_state was(uintptr_t at)
{
	return LM_PAGE_WAS(atomic_load_explicit(lm_page_word_of(at),
						memory_order_relaxed));
}

static bool dirty(enum lm_page_state state)
{
	return state == LM_PAGE_DIRTY || state == LM_PAGE_HIDDEN_DIRTY;
}

/* -- 1 claim ------------------------------------------------------------------- */

static bool claim_one(uintptr_t at, enum lm_page_state least, size_t *left)
{
	lm_page_word *word = lm_page_word_of(at);
	uint64_t seen;

	if (!word)
		return false;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	while (LM_PAGE_STATE(seen) >= least && !LM_PAGE_PINS(seen))
		if (lm_page_claim(word, &seen))
			return true;
	*left += lm_page_resident(LM_PAGE_STATE(seen)) ||
		 LM_PAGE_STATE(seen) == LM_PAGE_BUSY;
	return false;
}

static void claim_all(struct prey *prey, enum lm_page_state least)
{
	for (uintptr_t at = prey->start; at < prey->end; at += LM_PAGE) {
		size_t i = index_of(prey, at);

		if (!claim_one(at, least, &prey->left))
			continue;
		prey->taken[i / 64] |= (uint64_t)1 << (i % 64);
		prey->count++;
	}
}

static bool claim(struct prey *prey, uintptr_t start, uintptr_t end,
		  enum lm_page_state least)
{
	const struct lm_area *area;

	memset(prey, 0, sizeof(*prey));
	prey->slot = lm_gate_enter();
	area = lm_area_at_or_after(start);
	prey->start = prey->end = end;
	if (area && area->start < end) {
		prey->start = lm_max(start, area->start);
		prey->end = lm_min(end, area->end);
	}
	if (prey->start < end && area->flags & LM_AREA_LOCKED) {
		prey->left = 1;
	} else if (prey->start < end) {
		prey->store = area->store;
		prey->quota = area->quota;
		prey->offset = area->offset + (prey->start - area->start);
		prey->shared = area->flags & LM_AREA_SHARED;
		prey->zero = area->store->kind == LM_STORE_ZERO;
		/* Where a clean page has the area's own protection. */
		prey->guards = lm_guard_can(area) &&
			       lm_store_direct(area->store) &&
			       lm_area_prot(area, LM_PAGE_CLEAN) == area->prot;
		/* Blocks of stores are closed again, all but those that are
		 * touched at random. */
		prey->swaps = lm_guard_can_swap(area) &&
			      (lm_store_direct(area->store) ||
			       lm_guard_opened(prey->start));
		prey->freezes =
			prey->zero && !prey->shared && area->prot & PROT_READ &&
			!(area->flags & LM_AREA_GUARDS) &&
			!atomic_load_explicit(&keyed, memory_order_relaxed);
		prey->prot = area->prot;
		claim_all(prey, least);
	}
	if (prey->count)
		lm_gate_filling(prey->slot);
	lm_gate_leave(prey->slot);
	return prey->count;
}

/* -- Runs of claimed pages -------------------------------------------------------- */

/* The next run of pages for which `wanted` holds, from *at on. */
static bool next_run(const struct prey *prey, uintptr_t *at, uintptr_t *end,
		     bool (*wanted)(const struct prey *prey, uintptr_t at))
{
	uintptr_t start = *at;

	while (start < prey->end && !wanted(prey, start))
		start += LM_PAGE;
	*at = *end = start;
	while (*end < prey->end && wanted(prey, *end))
		*end += LM_PAGE;
	return start < prey->end;
}

/* The kernel has its content, whatever becomes of the page. */
static bool plain(const struct prey *prey, uintptr_t at)
{
	if (prey->shared)
		return lm_store_direct(prey->store);
	return !dirty(was(at)) && !lm_page_swap(lm_page_word_of(at));
}

/*
 * In sight, and to be given a marker. The kernel first drops what is there and
 * then puts the marker: a touch between the two finds a new page of the mapping
 * (seen with Linux 6.18, at one of twenty that are read all the time). So only
 * where that page is what it was.
 */
static bool to_mark(const struct prey *prey, uintptr_t at)
{
	return taken(prey, at) && prey->guards && was(at) >= LM_PAGE_CLEAN &&
	       plain(prey, at);
}

static bool to_save(const struct prey *prey, uintptr_t at)
{
	return taken(prey, at) && !kept(prey, at) && dirty(was(at));
}

static bool marked(uintptr_t at)
{
	return atomic_load_explicit(lm_page_word_of(at), memory_order_relaxed) &
	       LM_PAGE_GUARD;
}

static bool to_drop(const struct prey *prey, uintptr_t at)
{
	return taken(prey, at) && !kept(prey, at) && !marked(at);
}

/* -- 2 hide --------------------------------------------------------------------- */

static bool frozen(const struct prey *prey, uintptr_t at)
{
	return is_set(prey->frozen, index_of(prey, at));
}

static bool to_freeze(const struct prey *prey, uintptr_t at)
{
	return taken(prey, at) && !to_mark(prey, at) && !marked(at);
}

static bool to_hide(const struct prey *prey, uintptr_t at)
{
	return to_freeze(prey, at) && was(at) >= LM_PAGE_CLEAN &&
	       !frozen(prey, at);
}

static void say_frozen(struct prey *prey, uintptr_t at, uintptr_t end)
{
	for (; at < end; at += LM_PAGE) {
		size_t i = index_of(prey, at);

		prey->frozen[i / 64] |= (uint64_t)1 << (i % 64);
	}
}

/* Nobody writes to many that lie together, whether they were in sight or hidden:
 * where that fails they are dealt with like few. */
static void freeze(struct prey *prey)
{
	uintptr_t end;

	for (uintptr_t at = prey->start; next_run(prey, &at, &end, to_freeze);
	     at = end) {
		int ret;

		if (end - at < FREEZE_MIN * LM_PAGE)
			continue;
		lm_turn_wait();
		ret = lm_os_mprotect(at, end - at, prey->prot & ~PROT_WRITE);
		if (!ret) {
			say_frozen(prey, at, end);
		} else if (lm_os_mprotect(at, end - at, PROT_NONE)) {
			/* Some may be in sight now that were hidden. */
			say_frozen(prey, at, end);
			leave_shown(prey, at, end);
		}
		lm_turn_done();
	}
}

static void hide_runs(struct prey *prey,
		      bool (*wanted)(const struct prey *prey, uintptr_t at))
{
	uintptr_t end;
	int ret = 0;

	for (uintptr_t at = prey->start; next_run(prey, &at, &end, wanted);
	     at = end) {
		lm_turn_wait();
		if (!ret)
			ret = lm_os_mprotect(at, end - at, PROT_NONE);
		lm_turn_done();
		if (ret < 0)
			leave_shown(prey, at, end);
	}
}

static bool tracked(const struct prey *prey, uintptr_t at)
{
	return to_save(prey, at) &&
	       atomic_load_explicit(lm_page_word_of(at), memory_order_relaxed) &
		       LM_PAGE_TRACKED;
}

/* Since nobody can write any more: what was not written is clean. */
static void find_unwritten(struct prey *prey)
{
	uintptr_t at = prey->start, end;

	while (next_run(prey, &at, &end, tracked)) {
		size_t n = lm_min((end - at) >> LM_PAGE_SHIFT, 64);
		uint64_t unwritten = lm_place_unwritten(at, n);

		for (size_t i = 0; i < n; i++, at += LM_PAGE)
			if (unwritten >> i & 1)
				lm_page_set_unwritten(lm_page_word_of(at));
	}
}

static void say_marked(uintptr_t at, uintptr_t end, bool are)
{
	for (; at < end; at += LM_PAGE)
		lm_page_set_guard(lm_page_word_of(at), are);
}

/*
 * Markers, and what they have below them: the area's protection. The word says
 * so first: a marker that is not there is found out, one that nobody expects
 * would be in the way. 0; 1: they are hidden by protection instead; or -errno:
 * they could not be hidden.
 */
static int put(const struct prey *prey, uintptr_t at, uintptr_t end, bool prot)
{
	int ret;
	bool there;

	say_marked(at, end, true);
	lm_turn_wait();
	ret = lm_guard_install(at, end);
	there = !ret;
	if (there && prot)
		ret = lm_os_mprotect(at, end - at, prey->prot);
	/* Too many VM areas? */
	if (ret < 0 && !lm_os_mprotect(at, end - at, PROT_NONE)) {
		lm_guard_remove(at, end);
		ret = 1;
	} else if (there) {
		ret = 0; /* the touch will mend what they have below */
	}
	lm_turn_done();
	if (ret)
		say_marked(at, end, false);
	return ret;
}

/* Hidden, and dropped: the kernel has what they were. */
static void mark(struct prey *prey)
{
	uintptr_t end;

	for (uintptr_t at = prey->start; next_run(prey, &at, &end, to_mark);
	     at = end)
		if (put(prey, at, end, false) < 0)
			leave_shown(prey, at, end);
}

/* -- 3 save --------------------------------------------------------------------- */

/* Write n pages to the store that they are shared through. */
static int save_to_store(const struct prey *prey, uintptr_t at, char *buffer,
			 size_t n)
{
	int ret = lm_store_write_elsewhere(prey->store, buffer,
					   n << LM_PAGE_SHIFT,
					   prey->offset + (at - prey->start));

	if (ret < 0)
		lm_error_report(LAZYMAP_ERROR_WRITE, -ret, at,
				"a dirty page could not be written to its "
				"store; it stays in memory");
	else
		lm_stats_add(LM_COUNT_pages_written, n);
	return ret;
}

static int save_to_swap(struct prey *prey, uintptr_t at, char *buffer, size_t n)
{
	uint64_t handles[LM_SWAP_BATCH];
	int ret = lm_swap_out(buffer, n, at, handles);
	size_t out = 0;

	for (size_t i = 0; i < n; i++, at += LM_PAGE) {
		if (!handles[i]) {
			keep(prey, at);
			continue;
		}
		/* Zeros over nothing are nothing. */
		if (prey->zero && handles[i] == LM_SWAP_ZEROS)
			handles[i] = 0;
		lm_page_set_swap(lm_page_word_of(at), handles[i]);
		out++;
	}
	lm_stats_add(LM_COUNT_pages_swapped_out, out);
	return ret;
}

static int read_out(const struct prey *prey, uintptr_t at, char *buffer,
		    size_t len)
{
	if (!lm_store_direct(prey->store))
		return lm_place->read(buffer, at, len);
	for (uintptr_t page = at; page < at + len; page += LM_PAGE) {
		if (!frozen(prey, page))
			return lm_place_direct_read(buffer, at, len,
						    !prey->zero);
	}
	lm_os_copy(buffer, (const void *)at, len);
	return 0;
}

static int save_run(struct prey *prey, uintptr_t at, uintptr_t end,
		    char *buffer)
{
	int first = 0;

	while (at < end) {
		size_t n = lm_min((end - at) >> LM_PAGE_SHIFT, LM_SWAP_BATCH);
		int ret = read_out(prey, at, buffer, n << LM_PAGE_SHIFT);

		if (!ret && prey->shared)
			ret = save_to_store(prey, at, buffer, n);
		else if (!ret)
			ret = save_to_swap(prey, at, buffer, n);
		if (ret < 0 && !first)
			first = ret;
		/* Swap keeps by the page itself. */
		for (size_t i = 0; ret < 0 && i < n; i++)
			if (!lm_page_swap(lm_page_word_of(at + i * LM_PAGE)))
				keep(prey, at + i * LM_PAGE);
		at += n << LM_PAGE_SHIFT;
	}
	return first;
}

static int save(struct prey *prey)
{
	uintptr_t end;
	size_t size;
	char *buffer = NULL;
	int first = 0, ret;

	if (prey->shared && lm_store_direct(prey->store))
		return 0; /* the kernel has it all */
	for (uintptr_t at = prey->start; next_run(prey, &at, &end, to_save);
	     at = end) {
		if (!buffer)
			buffer = lm_bounce_take(&size);
		ret = buffer ? save_run(prey, at, end, buffer) : -ENOMEM;
		for (uintptr_t page = at; !buffer && page < end;
		     page += LM_PAGE)
			keep(prey, page);
		if (ret < 0 && !first)
			first = ret;
	}
	if (buffer)
		lm_bounce_give(buffer);
	return first;
}

/* -- 4 drop, 5 settle -------------------------------------------------------------- */

/* Does a page beside them have the area's protection, that they would part? */
static bool open_beside(uintptr_t page)
{
	lm_page_word *word = lm_page_word_of(page);
	uint64_t seen =
		word ? atomic_load_explicit(word, memory_order_relaxed) : 0;

	return seen & LM_PAGE_GUARD || LM_PAGE_STATE(seen) == LM_PAGE_DIRTY;
}

static bool among_open(uintptr_t at, uintptr_t end)
{
	return (at & (LM_BLOCK - 1) && open_beside(at - LM_PAGE)) ||
	       (end & (LM_BLOCK - 1) && open_beside(end));
}

/* Pages that the kernel does not let go stay what they are, hidden. */
static void drop(struct prey *prey)
{
	uintptr_t end;

	mark(prey);
	for (uintptr_t at = prey->start; next_run(prey, &at, &end, to_drop);
	     at = end) {
		int ret;

		if (prey->swaps && among_open(at, end) &&
		    !put(prey, at, end, true))
			continue;
		lm_turn_wait();
		ret = lm_os_madvise(at, end - at, MADV_DONTNEED);
		lm_turn_done();
		if (ret < 0)
			for (uintptr_t page = at; page < end; page += LM_PAGE)
				keep(prey, page);
	}
}

/* In sight still, all of them or some. What is frozen cannot be written: so what
 * was saved before it turned out that it cannot be hidden is clean. */
static void settle_shown(const struct prey *prey, uintptr_t at)
{
	lm_page_word *word = lm_page_word_of(at);
	enum lm_page_state state = was(at);
	bool tracked = !(prey->shared && lm_store_direct(prey->store));

	if (frozen(prey, at))
		state = dirty(state) && !lm_page_swap(word) ? LM_PAGE_DIRTY
							    : LM_PAGE_CLEAN;
	/* Where this fails, too, the next touch mends it. */
	lm_os_mprotect(at, LM_PAGE,
		       tracked && state != LM_PAGE_DIRTY
			       ? prey->prot & ~PROT_WRITE
			       : prey->prot);
	lm_page_settle(word, state);
}

static void settle_kept(const struct prey *prey, uintptr_t at)
{
	lm_page_word *word = lm_page_word_of(at);
	uint64_t handle = lm_page_swap(word);
	bool changed = dirty(was(at));

	if (is_set(prey->shown, index_of(prey, at))) {
		settle_shown(prey, at);
		return;
	}
	if (changed && handle) {
		lm_page_set_swap(word, 0);
		lm_swap_free(handle);
	}
	lm_page_settle(word,
		       changed ? LM_PAGE_HIDDEN_DIRTY : LM_PAGE_HIDDEN_CLEAN);
}

static size_t settle(struct prey *prey)
{
	size_t gone = 0;

	for (uintptr_t at = prey->start; at < prey->end; at += LM_PAGE) {
		lm_page_word *word;

		if (!taken(prey, at))
			continue;
		if (kept(prey, at)) {
			settle_kept(prey, at);
			continue;
		}
		word = lm_page_word_of(at);
		lm_stats_add(LM_COUNT_pages_ahead_unused, lm_page_ahead(word));
		lm_page_settle(word, lm_page_swap(word) ? LM_PAGE_SWAPPED
							: LM_PAGE_ABSENT);
		gone++;
	}
	return gone;
}

void lm_evict_keyed(void)
{
	atomic_store_explicit(&keyed, true, memory_order_relaxed);
}

int lm_evict_error(void)
{
	return atomic_load_explicit(&last_error, memory_order_relaxed);
}

/* What was claimed of one area. */
static size_t take(struct prey *prey)
{
	size_t gone;

	lm_step(LM_STEP_EVICT_CLAIMED, prey->start);
	lm_huge_end(prey->start);
	if (prey->freezes)
		freeze(prey);
	hide_runs(prey, to_hide);
	find_unwritten(prey);
	lm_step(LM_STEP_EVICT_HIDDEN, prey->start);
	atomic_store_explicit(&last_error, save(prey), memory_order_relaxed);
	lm_step(LM_STEP_EVICT_SAVED, prey->start);
	hide_runs(prey, frozen);
	drop(prey);
	lm_step(LM_STEP_EVICT_DROPPED, prey->start);
	gone = settle(prey);
	prey->left += prey->count - gone;
	lm_stats_add(LM_COUNT_pages_made_absent, gone);
	lm_stats_add(LM_COUNT_pages_evicted, gone);
	lm_resident_give(prey->quota, gone);
	lm_gate_filled(prey->slot);
	return gone;
}

size_t lm_evict(uintptr_t start, uintptr_t end, size_t *left)
{
	struct prey prey;
	size_t gone = 0;

	*left = 0;
	for (; start < end; start = prey.end) {
		lm_demote(); /* what goes now is to find room in the pool */
		if (claim(&prey, start, end, LM_PAGE_HIDDEN_CLEAN))
			gone += take(&prey);
		if (prey.count && lm_widen_tight())
			lm_guard_shut(prey.start);
		*left += prey.left;
	}
	return gone;
}

size_t lm_evict_hide(uintptr_t start, uintptr_t end)
{
	struct prey prey;
	size_t hidden = 0;

	for (; start < end; start = prey.end) {
		if (!claim(&prey, start, end, LM_PAGE_CLEAN))
			continue;
		lm_huge_end(prey.start);
		mark(&prey);
		hide_runs(&prey, to_hide);
		for (uintptr_t at = prey.start; at < prey.end; at += LM_PAGE)
			if (taken(&prey, at))
				settle_kept(&prey, at);
		lm_gate_filled(prey.slot);
		hidden += prey.count;
	}
	return hidden;
}
