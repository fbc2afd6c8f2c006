/*
 * page.h -- the page table: a page's whole state in one atomic word.
 *
 * Two levels above the words: address bits 47..34 choose a leaf, bits 33..21 a
 * block (2 MiB, 512 words, one page of memory), both made at the first touch,
 * so that an area costs nothing until then.
 *
 * A word:
 *    63        28  27  26   16  14  13   10  9      8       7     6  4     3
 *   | swap handle | T |  pins  |M K| ahead | huge | guard | filled | was | waited |
 *    2  0
 *   | state |
 *
 * filled: BUSY, and about to be shown writable: from here on others may write
 * to it, so the frame is the content, whatever it was.
 *
 * guard (bit 8): the page is not hidden by its protection, which is the area's,
 * but by a marker of the kernel's in its place (see guard.h). Only of pages that
 * cannot be touched.
 *
 * huge (bit 9), of a block's first page: the kernel was asked to make the block
 * one huge page (see huge.h).
 *
 * ahead (bits 13..10), of a HIDDEN_CLEAN page: a marker of what was read ahead
 * (see readahead.h), not touched since; the logarithm of how many pages, plus
 * one.
 *
 * K (bit 14), kept: some of the pins are not a call's, and so not a thread's: a
 * child has them, too. Goes with the last pin.
 *
 * M (bit 15), moved, of a block's first page: the kernel's mapping there came from
 * elsewhere, with a frame (see frame.h).
 *
 * T (bit 27), tracked: DIRTY or HIDDEN_DIRTY, and the kernel knows whether it was
 * written since it was placed (lm_place_unwritten()): if not it is clean.
 *
 * state, and what the kernel's protection of the page is:
 *   ABSENT   none; the content is the store's
 *   BUSY     one thread is changing it; `was` is the state it had
 *   SWAPPED  none; the content is what the swap handle names
 *   HIDDEN_CLEAN, HIDDEN_DIRTY
 *            none, but its frame is in place: CLEAN or DIRTY, hidden so that
 *            the next touch is seen
 *   CLEAN    the area's, less PROT_WRITE (with it where the kernel itself keeps
 *            track of what is dirty: shared direct areas)
 *   DIRTY    the area's; the content may differ from the store's
 *
 * The swap handle: SWAPPED has one; CLEAN and HIDDEN_CLEAN may have one, and
 * then the frame equals what it names, not the store; the others have none.
 *
 * Transitions (checked in debug builds, see lm_page_legal()):
 *   ABSENT  -> BUSY  claim to fill           BUSY -> CLEAN   filled, shown
 *   SWAPPED -> BUSY  claim to swap in        BUSY -> DIRTY   filled by a write
 *   CLEAN   -> BUSY  claim to upgrade, take  BUSY -> HIDDEN  hidden
 *   DIRTY   -> BUSY  claim to write, take    BUSY -> SWAPPED taken, with a handle
 *   HIDDEN  -> BUSY  claim to show, take     BUSY -> ABSENT  taken, or failed
 * Only the claimer takes a page out of BUSY. Everything else about a word
 * (pins, waited) changes by compare-and-swap or atomic add at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PAGE_H
#define LM_PAGE_H

#include "os.h"

#include <assert.h>

enum lm_page_state {
	LM_PAGE_ABSENT = 0,
	LM_PAGE_BUSY = 1,
	LM_PAGE_SWAPPED = 2,
	LM_PAGE_HIDDEN_CLEAN = 3, /* from here on: there is a frame */
	LM_PAGE_HIDDEN_DIRTY = 4,
	LM_PAGE_CLEAN = 5, /* from here on: it can be touched */
	LM_PAGE_DIRTY = 6,
};

typedef _Atomic uint64_t lm_page_word;

#define LM_PAGE_STATE(word) ((enum lm_page_state)((word)&7))
#define LM_PAGE_WAITED ((uint64_t)1 << 3)
#define LM_PAGE_FILLED ((uint64_t)1 << 7)
#define LM_PAGE_GUARD ((uint64_t)1 << 8)
#define LM_PAGE_HUGE ((uint64_t)1 << 9)
#define LM_PAGE_AHEAD_SHIFT 10
#define LM_PAGE_AHEAD ((uint64_t)15 << LM_PAGE_AHEAD_SHIFT)
#define LM_PAGE_AHEAD_MAX 14u /* the largest logarithm */
#define LM_PAGE_WAS_SHIFT 4
#define LM_PAGE_WAS(word)                                                      \
	((enum lm_page_state)(((word) >> LM_PAGE_WAS_SHIFT) & 7))
#define LM_PAGE_PIN ((uint64_t)1 << 16)
#define LM_PAGE_PINS(word) (((word) >> 16) & LM_PAGE_PINS_MAX)
#define LM_PAGE_PINS_MAX 2047u
#define LM_PAGE_KEPT ((uint64_t)1 << 14)
#define LM_PAGE_MOVED ((uint64_t)1 << 15)
#define LM_PAGE_TRACKED ((uint64_t)1 << 27)
#define LM_PAGE_SWAP_SHIFT 28
#define LM_PAGE_SWAP(word) ((word) >> LM_PAGE_SWAP_SHIFT)

/* Can it be touched without a fault (but for the first write)? */
static inline bool lm_page_present(uint64_t word)
{
	return LM_PAGE_STATE(word) >= LM_PAGE_CLEAN;
}

/* Is there a frame in place for a page in this state? */
static inline bool lm_page_resident(enum lm_page_state state)
{
	return state >= LM_PAGE_HIDDEN_CLEAN;
}

/* The upper levels. Atomic; a leaf or block that is there stays until the gate is
 * shut. */
#define LM_PAGE_LEAF_SHIFT 34 /* 16 GiB */
#define LM_PAGE_LEAF_BLOCKS                                                    \
	((uintptr_t)1 << (LM_PAGE_LEAF_SHIFT - LM_BLOCK_SHIFT))
#define LM_PAGE_LEAVES ((uintptr_t)1 << (LM_ADDRESS_BITS - LM_PAGE_LEAF_SHIFT))
typedef _Atomic(lm_page_word *) lm_page_entry;
extern _Atomic(lm_page_entry *) lm_page_leaves[LM_PAGE_LEAVES];

static inline lm_page_entry *lm_page_entry_of(uintptr_t addr)
{
	lm_page_entry *leaf;

	if (addr >> LM_ADDRESS_BITS)
		return NULL;
	/* Acquire: pairs with the release that published the leaf. */
	leaf = atomic_load_explicit(&lm_page_leaves[addr >> LM_PAGE_LEAF_SHIFT],
				    memory_order_acquire);
	if (!leaf)
		return NULL;
	return &leaf[(addr >> LM_BLOCK_SHIFT) & (LM_PAGE_LEAF_BLOCKS - 1)];
}

/* The words of the block that holds addr; NULL: it does not exist. */
static inline lm_page_word *lm_page_block(uintptr_t addr)
{
	lm_page_entry *entry = lm_page_entry_of(addr);

	/* Acquire: pairs with the release that published the block. */
	return entry ? atomic_load_explicit(entry, memory_order_acquire) : NULL;
}

static inline size_t lm_page_index(uintptr_t addr)
{
	return (addr >> LM_PAGE_SHIFT) & (LM_BLOCK_PAGES - 1);
}

/*
 * The word of the page at addr; NULL when its block does not exist (all its
 * pages are ABSENT). lm_page_make() makes the block: NULL when out of memory.
 * Inside the gate, or for a page that the caller holds BUSY or pinned.
 */
lm_page_word *lm_page_word_of(uintptr_t addr);
lm_page_word *lm_page_make(uintptr_t addr);

/* What touching [start, start+len) will need is reserved, as far as that is
 * reasonable: a fault must not fail for want of address space. 0, -ENOMEM. */
int lm_page_promise(uintptr_t start, size_t len);

/* The table above, as code. */
static inline bool lm_page_legal(enum lm_page_state from, enum lm_page_state to)
{
	return (from == LM_PAGE_BUSY) != (to == LM_PAGE_BUSY);
}

/* state -> BUSY by one compare-and-swap. False: *seen is what is there. Here, as
 * what follows, since it is done 512 times at once. */
static inline bool lm_page_claim(lm_page_word *word, uint64_t *seen)
{
	uint64_t busy;

	assert(lm_page_legal(LM_PAGE_STATE(*seen), LM_PAGE_BUSY));
	busy = (*seen & ~(uint64_t)0xff) | LM_PAGE_BUSY |
	       ((*seen & 7) << LM_PAGE_WAS_SHIFT);
	/* Acquire: pairs with the release of lm_page_settle(). */
	return atomic_compare_exchange_strong_explicit(
		word, seen, busy, memory_order_acquire, memory_order_relaxed);
}

/* All pages of a block, ABSENT and without markers, become BUSY; or (false) none
 * does. */
bool lm_page_claim_block(lm_page_word *block);
/* Is any page of a block absent, and nobody filling it? A hint. */
bool lm_page_any_absent(const lm_page_word *block);

/* Say of a BUSY page that it is `filled`. */
void lm_page_set_filled(lm_page_word *word);

/* Of a page that the caller holds BUSY: it is `tracked` from here on; and it turned
 * out not to have been written: what it was is clean. */
void lm_page_set_tracked(lm_page_word *word);
void lm_page_set_unwritten(lm_page_word *word);

/* BUSY -> state, waking who waits. What can be touched then has no guard, what
 * is not dirty is not tracked, and what is not hidden is no marker. */
static inline void lm_page_settle(lm_page_word *word, enum lm_page_state state)
{
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed), new;
	uint64_t gone = 0xff;

	assert(lm_page_legal(LM_PAGE_STATE(old), state));
	if (state >= LM_PAGE_CLEAN)
		gone |= LM_PAGE_GUARD;
	if (state != LM_PAGE_DIRTY && state != LM_PAGE_HIDDEN_DIRTY)
		gone |= LM_PAGE_TRACKED;
	if (state != LM_PAGE_HIDDEN_CLEAN)
		gone |= LM_PAGE_AHEAD;
	do {
		new = (old & ~gone) | state;
	} while (!atomic_compare_exchange_weak_explicit(
		word, &old, new, memory_order_release, memory_order_relaxed));
	if (old & LM_PAGE_WAITED)
		lm_os_wake((_Atomic uint32_t *)word, INT32_MAX);
}

/* Of a page that the caller holds BUSY: it is a marker of 1 << log pages; and of
 * how many (0: it is none). */
void lm_page_set_ahead(lm_page_word *word, unsigned log);
static inline size_t lm_page_ahead(lm_page_word *word)
{
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
	unsigned log = (old & LM_PAGE_AHEAD) >> LM_PAGE_AHEAD_SHIFT;

	return log ? (size_t)1 << (log - 1) : 0;
}

/* Of a page that the caller holds BUSY: what hides it. */
static inline void lm_page_set_guard(lm_page_word *word, bool guard)
{
	assert(LM_PAGE_STATE(*word) == LM_PAGE_BUSY);
	if (guard)
		atomic_fetch_or_explicit(word, LM_PAGE_GUARD,
					 memory_order_relaxed);
	else
		atomic_fetch_and_explicit(word, ~LM_PAGE_GUARD,
					  memory_order_relaxed);
}

/* Of a page that the caller holds BUSY: its swap handle, and another one (0:
 * none). What the old one names is not freed. */
static inline uint64_t lm_page_swap(lm_page_word *word)
{
	return LM_PAGE_SWAP(atomic_load_explicit(word, memory_order_relaxed));
}
void lm_page_set_swap(lm_page_word *word, uint64_t handle);

/* Say that one is going to wait for this BUSY page: inside the gate. False if
 * it is not BUSY any more. Then, outside the gate, lm_page_wait(): it only
 * reads the word's memory, which stays mapped. */
bool lm_page_will_wait(lm_page_word *word, uint32_t *ticket);
void lm_page_wait(lm_page_word *word, uint32_t ticket);
/* The same, for a millisecond at most. */
void lm_page_wait_a_moment(lm_page_word *word, uint32_t ticket);

/*
 * The next address >= addr and < end whose block exists: ranges of absent
 * blocks are skipped in steps of 2 MiB and 16 GiB. Returns end when none.
 */
uintptr_t lm_page_next_block(uintptr_t addr, uintptr_t end);

/* Walk over [start, end) by runs of pages in the same state that are hidden in
 * the same way. False at the end. A hole (no block) is a run of ABSENT pages that
 * ends with the block. */
struct lm_run {
	uintptr_t start, end;
	enum lm_page_state state;
	bool guard;
};
bool lm_page_run(uintptr_t from, uintptr_t end, struct lm_run *run);

/* With the gate shut and no page of [start, end) BUSY: all of them ABSENT,
 * their swap freed, whole blocks given back. Returns how many had a frame. */
size_t lm_page_reset(uintptr_t start, uintptr_t end);

/* The same preconditions: the states of [from, from+len) go to `to`, and
 * `from` becomes ABSENT. Blocks at `to` must have been made. */
void lm_page_move(uintptr_t from, uintptr_t to, size_t len);
/* Make all blocks at `to` that lm_page_move() will need. 0 or -ENOMEM. */
int lm_page_make_for_move(uintptr_t from, uintptr_t to, size_t len);

/* A BUSY page in [start, end), or NULL; `ticket` as lm_page_will_wait(). */
lm_page_word *lm_page_find_busy(uintptr_t start, uintptr_t end,
				uint32_t *ticket);

/*
 * Pin the pages of [start, end) that are there (writable: DIRTY), from start
 * on: returns where it ended, the first page that is not, or end. Takes neither
 * gate nor lock and blocks no signals, for what is resident already: memory of
 * page words is never used for anything else, so the worst that a change of
 * areas at the same time (the program's own race) does is a pin on another
 * page for an instant. lm_page_unpin() takes pins back, likewise.
 */
uintptr_t lm_page_pin(uintptr_t start, uintptr_t end, bool write);
void lm_page_unpin(uintptr_t start, uintptr_t end);
/* What is pinned there now is to be so in a child, too. */
void lm_page_keep(uintptr_t start, uintptr_t end);
/* In a forked child: what other threads' calls have pinned is not any more. */
void lm_page_unpin_others(void);

/* With the gate shut and no page of [start, end) BUSY: none has a guard. */
void lm_page_clear_guards(uintptr_t start, uintptr_t end);
/* The same, all of them ABSENT and their blocks there: each has one. */
void lm_page_give_guards(uintptr_t start, uintptr_t end);
/* The same, none of them with swap: all are in this state, without a guard. */
void lm_page_become(uintptr_t start, uintptr_t end, enum lm_page_state state);
/* The same: what is CLEAN without swap becomes DIRTY. */
void lm_page_forget_clean(uintptr_t start, uintptr_t end);
/* The same: the kernel has dropped what was in place, and so goes what swap has
 * of them: SWAPPED becomes ABSENT. */
void lm_page_forget_swap(uintptr_t start, uintptr_t end);

/* Is any page of [start, end) pinned? With the gate shut. */
bool lm_page_pinned(uintptr_t start, uintptr_t end);

/* In a forked child, of an area whose pages another thread may have been changing:
 * what was BUSY goes where its content is sure to be found, after `hide` has seen
 * to its being hidden as that state is. `copied`: an absent page there is placed,
 * too, and not just shown. Returns how many frames fewer there are. */
size_t lm_page_forked(uintptr_t start, uintptr_t end, bool copied,
		      void (*hide)(uintptr_t page, enum lm_page_state state));

#endif
