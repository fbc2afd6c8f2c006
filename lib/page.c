/*
 * page.c -- the page table and the transitions of a page. See page.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "page.h"

#include "meta.h"
#include "pin.h"
#include "stats.h"
#include "swap/swap.h"

#include <assert.h>

#define MOMENT_NS 1000000
#define LEAF_SHIFT LM_PAGE_LEAF_SHIFT
#define LEAF_BLOCKS LM_PAGE_LEAF_BLOCKS
#define LEAVES LM_PAGE_LEAVES
/* Of larger areas only as much is promised: 2 MiB of leaves. */
#define PROMISE_MAX ((size_t)1 << 39)

_Atomic(lm_page_entry *) lm_page_leaves[LEAVES];

/* How many blocks each leaf has; atomic. A leaf without any is passed over. */
static _Atomic uint32_t leaf_count[LEAVES];

lm_page_word *lm_page_word_of(uintptr_t addr)
{
	lm_page_word *block = lm_page_block(addr);

	return block ? &block[lm_page_index(addr)] : NULL;
}

static lm_page_entry *make_entry(uintptr_t addr)
{
	lm_page_entry *entry = lm_page_entry_of(addr), *leaf, *none = NULL;
	size_t size = LEAF_BLOCKS * sizeof(*leaf);

	if (entry || addr >> LM_ADDRESS_BITS)
		return entry;
	leaf = lm_meta_run(size);
	if (!leaf)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(
		    &lm_page_leaves[addr >> LEAF_SHIFT], &none, leaf,
		    memory_order_acq_rel, memory_order_acquire))
		lm_meta_free_run(leaf, size);
	return lm_page_entry_of(addr);
}

lm_page_word *lm_page_make(uintptr_t addr)
{
	lm_page_word *block = lm_page_block(addr), *none = NULL;
	lm_page_entry *entry;

	if (!block) {
		entry = make_entry(addr);
		block = entry ? lm_meta_page() : NULL;
		if (!block)
			return NULL;
		atomic_fetch_add_explicit(&leaf_count[addr >> LEAF_SHIFT], 1,
					  memory_order_relaxed);
		if (!atomic_compare_exchange_strong_explicit(
			    entry, &none, block, memory_order_acq_rel,
			    memory_order_acquire)) {
			atomic_fetch_sub_explicit(
				&leaf_count[addr >> LEAF_SHIFT], 1,
				memory_order_relaxed);
			lm_meta_free_page(block);
			block = none;
		}
	}
	return &block[lm_page_index(addr)];
}

int lm_page_promise(uintptr_t start, size_t len)
{
	uintptr_t end = start + lm_min(len, PROMISE_MAX);

	for (uintptr_t at = start >> LEAF_SHIFT << LEAF_SHIFT; at < end;
	     at += (uintptr_t)1 << LEAF_SHIFT)
		if (!make_entry(at))
			return -ENOMEM;
	return 0;
}

static bool is_empty(uint64_t seen)
{
	return LM_PAGE_STATE(seen) == LM_PAGE_ABSENT && !(seen & LM_PAGE_GUARD);
}

bool lm_page_claim_block(lm_page_word *block)
{
	size_t n = 0;

	/* To look is cheaper than to give back. */
	while (n < LM_BLOCK_PAGES &&
	       is_empty(atomic_load_explicit(&block[n], memory_order_relaxed)))
		n++;
	if (n < LM_BLOCK_PAGES)
		return false;
	for (n = 0; n < LM_BLOCK_PAGES; n++) {
		uint64_t seen =
			atomic_load_explicit(&block[n], memory_order_relaxed);

		if (!is_empty(seen) || !lm_page_claim(&block[n], &seen))
			break;
	}
	if (n == LM_BLOCK_PAGES)
		return true;
	while (n--)
		lm_page_settle(&block[n], LM_PAGE_ABSENT);
	return false;
}

bool lm_page_any_absent(const lm_page_word *block)
{
	for (size_t n = 0; n < LM_BLOCK_PAGES; n++)
		if (LM_PAGE_STATE(atomic_load_explicit(
			    &block[n], memory_order_relaxed)) == LM_PAGE_ABSENT)
			return true;
	return false;
}

void lm_page_set_filled(lm_page_word *word)
{
	/* Relaxed: read by a forked child, which has the memory of one moment
	 * of the kernel's, and mprotect comes between this and that. */
	atomic_fetch_or_explicit(word, LM_PAGE_FILLED, memory_order_relaxed);
}

void lm_page_set_ahead(lm_page_word *word, unsigned log)
{
	uint64_t ahead = (uint64_t)(log + 1) << LM_PAGE_AHEAD_SHIFT;

	assert(log <= LM_PAGE_AHEAD_MAX);
	atomic_fetch_and_explicit(word, ~LM_PAGE_AHEAD, memory_order_relaxed);
	atomic_fetch_or_explicit(word, ahead, memory_order_relaxed);
}

void lm_page_set_tracked(lm_page_word *word)
{
	assert(LM_PAGE_STATE(*word) == LM_PAGE_BUSY);
	atomic_fetch_or_explicit(word, LM_PAGE_TRACKED, memory_order_relaxed);
}

void lm_page_set_unwritten(lm_page_word *word)
{
	const uint64_t was = (uint64_t)7 << LM_PAGE_WAS_SHIFT;
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed), new;

	assert(LM_PAGE_STATE(old) == LM_PAGE_BUSY);
	/* Relaxed: as of `filled`; the page is dropped after this. */
	do {
		enum lm_page_state clean = LM_PAGE_WAS(old) == LM_PAGE_DIRTY
						   ? LM_PAGE_CLEAN
						   : LM_PAGE_HIDDEN_CLEAN;

		new = (old & ~was) | (uint64_t)clean << LM_PAGE_WAS_SHIFT;
	} while (!atomic_compare_exchange_weak_explicit(
		word, &old, new, memory_order_relaxed, memory_order_relaxed));
}

void lm_page_set_swap(lm_page_word *word, uint64_t handle)
{
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed), new;

	assert(LM_PAGE_STATE(old) == LM_PAGE_BUSY);
	do {
		new = (old & (((uint64_t)1 << LM_PAGE_SWAP_SHIFT) - 1)) |
		      handle << LM_PAGE_SWAP_SHIFT;
	} while (!atomic_compare_exchange_weak_explicit(
		word, &old, new, memory_order_relaxed, memory_order_relaxed));
}

bool lm_page_will_wait(lm_page_word *word, uint32_t *ticket)
{
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	do {
		if (LM_PAGE_STATE(old) != LM_PAGE_BUSY)
			return false;
	} while (!(old & LM_PAGE_WAITED) &&
		 !atomic_compare_exchange_weak_explicit(
			 word, &old, old | LM_PAGE_WAITED, memory_order_relaxed,
			 memory_order_relaxed));
	*ticket = (uint32_t)(old | LM_PAGE_WAITED);
	return true;
}

void lm_page_wait(lm_page_word *word, uint32_t ticket)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the futex is the low half of the word"
#endif
	lm_os_wait((_Atomic uint32_t *)word, ticket);
}

void lm_page_wait_a_moment(lm_page_word *word, uint32_t ticket)
{
	lm_os_wait_for((_Atomic uint32_t *)word, ticket, MOMENT_NS);
}

uintptr_t lm_page_next_block(uintptr_t addr, uintptr_t end)
{
	uintptr_t limit = lm_min(end, (uintptr_t)1 << LM_ADDRESS_BITS);

	/* Calls may ask for ranges that no address space has. */
	while (addr < limit) {
		/* Who makes a block counts it first. */
		if (!atomic_load_explicit(&leaf_count[addr >> LEAF_SHIFT],
					  memory_order_relaxed))
			addr = ((addr >> LEAF_SHIFT) + 1) << LEAF_SHIFT;
		else if (!lm_page_block(addr))
			addr = ((addr >> LM_BLOCK_SHIFT) + 1) << LM_BLOCK_SHIFT;
		else
			return addr;
	}
	return end;
}

static bool in_run(const struct lm_run *run, const lm_page_word *word)
{
	return word && LM_PAGE_STATE(*word) == run->state &&
	       !(*word & LM_PAGE_GUARD) == !run->guard;
}

bool lm_page_run(uintptr_t from, uintptr_t end, struct lm_run *run)
{
	uintptr_t at = lm_page_next_block(from, end);

	if (from >= end)
		return false;
	run->start = from;
	run->state = LM_PAGE_ABSENT;
	run->guard = false;
	if (at > from) {
		run->end = at;
		return true;
	}
	run->state = LM_PAGE_STATE(*lm_page_word_of(from));
	run->guard = *lm_page_word_of(from) & LM_PAGE_GUARD;
	for (at = from + LM_PAGE; at < end; at += LM_PAGE)
		if (!in_run(run, lm_page_word_of(at)))
			break;
	run->end = at;
	return true;
}

static size_t reset_words(uintptr_t start, uintptr_t end)
{
	size_t resident = 0;

	for (; start < end; start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);
		uint64_t old =
			atomic_exchange_explicit(word, 0, memory_order_relaxed);

		resident += lm_page_resident(LM_PAGE_STATE(old));
		if (LM_PAGE_SWAP(old))
			lm_swap_free(LM_PAGE_SWAP(old));
	}
	return resident;
}

static void free_block_if_empty(uintptr_t addr)
{
	lm_page_entry *entry = lm_page_entry_of(addr);
	lm_page_word *block = *entry;

	for (size_t i = 0; i < LM_BLOCK_PAGES; i++)
		if (atomic_load_explicit(&block[i], memory_order_relaxed))
			return;
	atomic_store_explicit(entry, NULL, memory_order_relaxed);
	atomic_fetch_sub_explicit(&leaf_count[addr >> LEAF_SHIFT], 1,
				  memory_order_relaxed);
	lm_meta_free_page(block);
}

size_t lm_page_reset(uintptr_t start, uintptr_t end)
{
	size_t resident = 0;

	while ((start = lm_page_next_block(start, end)) < end) {
		uintptr_t stop = lm_min((start | (LM_BLOCK - 1)) + 1, end);

		resident += reset_words(start, stop);
		free_block_if_empty(start);
		start = stop;
	}
	return resident;
}

int lm_page_make_for_move(uintptr_t from, uintptr_t to, size_t len)
{
	uintptr_t at = from, end = from + len;

	while ((at = lm_page_next_block(at, end)) < end) {
		uintptr_t stop = lm_min((at | (LM_BLOCK - 1)) + 1, end);

		/* One block at `from` may fall on two at `to`. */
		if (!lm_page_make(at - from + to) ||
		    !lm_page_make(stop - LM_PAGE - from + to))
			return -ENOMEM;
		at = stop;
	}
	return 0;
}

void lm_page_move(uintptr_t from, uintptr_t to, size_t len)
{
	uintptr_t at = from, end = from + len;

	for (at = from; (at = lm_page_next_block(at, end)) < end;
	     at += LM_PAGE) {
		lm_page_word *old = lm_page_word_of(at);
		lm_page_word *new = lm_page_word_of(at - from + to);

		/* What the kernel knew is forgotten by the move (6.13). */
		atomic_store_explicit(new, *old & ~LM_PAGE_TRACKED,
				      memory_order_relaxed);
		/* Its swap goes with it. */
		if (LM_PAGE_SWAP(*old))
			lm_swap_moved(LM_PAGE_SWAP(*old), at - from + to);
		atomic_store_explicit(old, 0, memory_order_relaxed);
	}
	lm_page_reset(from, end);
}

lm_page_word *lm_page_find_busy(uintptr_t start, uintptr_t end,
				uint32_t *ticket)
{
	for (; (start = lm_page_next_block(start, end)) < end;
	     start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);

		if (LM_PAGE_STATE(*word) == LM_PAGE_BUSY &&
		    lm_page_will_wait(word, ticket))
			return word;
	}
	return NULL;
}

uintptr_t lm_page_pin(uintptr_t start, uintptr_t end, bool write)
{
	for (start = lm_page_down(start); start < end; start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);

		if (!word || !lm_pin_take(word, write))
			return start;
		if (lm_page_word_of(start) != word) {
			lm_pin_drop(word);
			return start;
		}
	}
	return end;
}

void lm_page_unpin(uintptr_t start, uintptr_t end)
{
	for (start = lm_page_down(start); start < end; start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);

		if (word)
			lm_pin_drop(word);
	}
}

void lm_page_keep(uintptr_t start, uintptr_t end)
{
	for (start = lm_page_down(start);
	     (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		if (LM_PAGE_PINS(*lm_page_word_of(start)))
			atomic_fetch_or_explicit(lm_page_word_of(start),
						 LM_PAGE_KEPT,
						 memory_order_relaxed);
}

void lm_page_unpin_others(void)
{
	const uint64_t pins = (uint64_t)LM_PAGE_PINS_MAX * LM_PAGE_PIN;
	uintptr_t end = (uintptr_t)1 << LM_ADDRESS_BITS;

	for (uintptr_t at = 0; (at = lm_page_next_block(at, end)) < end;
	     at += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(at);

		if (LM_PAGE_PINS(*word) && !(*word & LM_PAGE_KEPT))
			atomic_fetch_and_explicit(word, ~pins,
						  memory_order_relaxed);
	}
}

void lm_page_clear_guards(uintptr_t start, uintptr_t end)
{
	for (; (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		atomic_fetch_and_explicit(lm_page_word_of(start),
					  ~LM_PAGE_GUARD, memory_order_relaxed);
}

void lm_page_give_guards(uintptr_t start, uintptr_t end)
{
	for (; start < end; start += LM_PAGE)
		atomic_fetch_or_explicit(lm_page_word_of(start), LM_PAGE_GUARD,
					 memory_order_relaxed);
}

void lm_page_become(uintptr_t start, uintptr_t end, enum lm_page_state state)
{
	for (; start < end; start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);
		uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

		/* Pins come and go meanwhile: see lm_page_pin(). */
		while (!atomic_compare_exchange_weak_explicit(
			word, &old, (old & ~(LM_PAGE_GUARD | 7)) | state,
			memory_order_relaxed, memory_order_relaxed))
			;
	}
}

void lm_page_forget_clean(uintptr_t start, uintptr_t end)
{
	for (; (start = lm_page_next_block(start, end)) < end;
	     start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);

		if (LM_PAGE_STATE(*word) == LM_PAGE_CLEAN &&
		    !LM_PAGE_SWAP(*word))
			lm_page_become(start, start + LM_PAGE, LM_PAGE_DIRTY);
	}
}

void lm_page_forget_swap(uintptr_t start, uintptr_t end)
{
	const uint64_t handle = ~(uint64_t)0 << LM_PAGE_SWAP_SHIFT;

	for (; (start = lm_page_next_block(start, end)) < end;
	     start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);
		uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
		uint64_t gone = handle;

		if (!LM_PAGE_SWAP(old))
			continue;
		if (LM_PAGE_STATE(old) == LM_PAGE_SWAPPED)
			gone |= 7;
		/* Pins may come and go meanwhile. */
		atomic_fetch_and_explicit(word, ~gone, memory_order_relaxed);
		lm_swap_free(LM_PAGE_SWAP(old));
	}
}

bool lm_page_pinned(uintptr_t start, uintptr_t end)
{
	for (; (start = lm_page_next_block(start, end)) < end; start += LM_PAGE)
		if (LM_PAGE_PINS(*lm_page_word_of(start)))
			return true;
	return false;
}

/*
 * A frame on its way out may be gone already, one on its way in not be filled
 * yet. What was clean is in swap or in the store; what was dirty is in swap
 * from the moment it has a handle (see evict.c), and in its frame before.
 */
static enum lm_page_state forked_state(uint64_t word, uintptr_t at, bool copied)
{
	enum lm_page_state was = LM_PAGE_WAS(word);

	/* What was placed over its marker could be written from then on. */
	if (word & LM_PAGE_GUARD &&
	    (was == LM_PAGE_SWAPPED || (was == LM_PAGE_ABSENT && copied)))
		return lm_os_present(at) ? LM_PAGE_DIRTY : was;
	if (word & LM_PAGE_FILLED) /* its marker may be gone already */
		return word & LM_PAGE_GUARD ? LM_PAGE_DIRTY
					    : LM_PAGE_HIDDEN_DIRTY;
	if (!lm_page_resident(was))
		return was;
	if (LM_PAGE_SWAP(word))
		return LM_PAGE_SWAPPED;
	if (was == LM_PAGE_CLEAN || was == LM_PAGE_HIDDEN_CLEAN)
		return LM_PAGE_ABSENT;
	return was;
}

size_t lm_page_forked(uintptr_t start, uintptr_t end, bool copied,
		      void (*hide)(uintptr_t page, enum lm_page_state state))
{
	size_t fewer = 0;

	for (uintptr_t at = start; (at = lm_page_next_block(at, end)) < end;
	     at += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(at);
		enum lm_page_state state;

		if (LM_PAGE_STATE(*word) != LM_PAGE_BUSY)
			continue;
		state = forked_state(*word, at, copied);
		fewer += lm_page_resident(LM_PAGE_WAS(*word)) &&
			 !lm_page_resident(state);
		/* The thread that would have counted it is not here. */
		if (!lm_page_resident(LM_PAGE_WAS(*word)) &&
		    lm_page_resident(state))
			lm_stats_add(LM_COUNT_pages_made_present, 1);
		/* What it named stays as long as the process does: this is
		 * rare, and the swap not this child's yet. */
		if (state == LM_PAGE_DIRTY || state == LM_PAGE_HIDDEN_DIRTY)
			lm_page_set_swap(word, 0);
		hide(at, state);
		lm_page_settle(word, state);
	}
	return fewer;
}
