/*
 * pin.h -- pinning a page that is there, in its word: two atomic operations, and
 * no more, around the most frequent calls. See lm_page_pin().
 *
 * Async-signal-safe; takes neither gate nor lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PIN_H
#define LM_PIN_H

#include "page.h"

/* False: it is not there (writable: DIRTY), or has too many. */
static inline bool lm_pin_take(lm_page_word *word, bool write)
{
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

	do {
		if (LM_PAGE_STATE(seen) != LM_PAGE_DIRTY &&
		    (write || LM_PAGE_STATE(seen) != LM_PAGE_CLEAN))
			return false;
		if (LM_PAGE_PINS(seen) == LM_PAGE_PINS_MAX)
			return false;
		/* Acquire: pairs with the settle that filled it. */
	} while (!atomic_compare_exchange_weak_explicit(
		word, &seen, seen + LM_PAGE_PIN, memory_order_acquire,
		memory_order_relaxed));
	return true;
}

static inline void lm_pin_drop(lm_page_word *word)
{
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed), new;

	/* None left: unmapped meanwhile. */
	while (LM_PAGE_PINS(seen)) {
		new = seen - LM_PAGE_PIN;
		if (!LM_PAGE_PINS(new))
			new &= ~LM_PAGE_KEPT;
		/* Release: pairs with the claim that takes the page. */
		if (atomic_compare_exchange_weak_explicit(word, &seen, new,
							  memory_order_release,
							  memory_order_relaxed))
			break;
	}
}

/* All pages of [start, start+len), at most `most` bytes and of one block, or none. */
static inline bool lm_pin_within(uintptr_t start, size_t len, size_t most,
				 bool write)
{
	uintptr_t end = start + len, at = lm_page_down(start);
	lm_page_word *block = lm_page_block(at), *word;

	/* A length of 0 is too large. */
	if (len - 1 >= most || (at ^ (end - 1)) >= LM_BLOCK || !block)
		return false;
	for (word = &block[lm_page_index(at)]; at < end; at += LM_PAGE, word++)
		if (!lm_pin_take(word, write))
			goto undo;
	/* Its pages may have been unmapped, and the block been another's. */
	if (lm_page_block(start) == block)
		return true;
undo:
	while (word > &block[lm_page_index(start)])
		lm_pin_drop(--word);
	return false;
}

static inline void lm_pin_drop_within(uintptr_t start, size_t len)
{
	uintptr_t end = start + len, at = lm_page_down(start);
	lm_page_word *block = lm_page_block(at);

	for (; block && at < end; at += LM_PAGE)
		lm_pin_drop(&block[lm_page_index(at)]);
}

#endif
