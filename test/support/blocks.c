/*
 * blocks.c -- see blocks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocks.h"

#include "outside.h"
#include "quota.h"

_Atomic size_t blocks_wrong, blocks_over;

char *blocks_page(size_t page)
{
	return watched_base + page * PAGE;
}

uint64_t *blocks_own_word(size_t page)
{
	return (uint64_t *)blocks_page(page) + 1;
}

PROGRAM_UNWATCHED void blocks_look(size_t page)
{
	const volatile uint64_t *word = (uint64_t *)blocks_page(page);

	if (page % 16 == 0)
		blocks_wrong += known_wrong(word, page);
	for (size_t i = 0; i < PAGE / sizeof(*word); i += 73)
		blocks_wrong += word[i] != known_word(page, i);
}

size_t blocks_at(size_t i, bool down)
{
	return down ? PAGES - 1 - i : i;
}

/* What is in place, and what is spare, counts. */
void blocks_count_over(void)
{
	blocks_over += atomic_load(&lm_quota_process.used) > LIMIT_PAGES;
}

void blocks_scan(size_t from, size_t to, bool down)
{
	for (size_t i = from; i < to; i++) {
		blocks_look(blocks_at(i, down));
		if (i % 64 == 0)
			blocks_count_over();
	}
}

int blocks_scan_all(void)
{
	blocks_wrong = 0;
	blocks_scan(0, PAGES, false);
	return blocks_wrong != 0;
}

static void count_own_over(const struct lm_quota *own, bool process, bool still)
{
	blocks_over += atomic_load(&own->used) > LIMIT_PAGES;
	if (process)
		blocks_over +=
			atomic_load(&lm_quota_process.used) > 2 * LIMIT_PAGES;
	else if (still)
		blocks_over += outside_count(watched_base, PAGES / 2 * PAGE) >
			       LIMIT_PAGES;
}

void blocks_hold_own_limit(bool process, bool still)
{
	const struct lm_quota *own;

	ck_assert_int_eq(
		lazymap_limit_area(watched_base, PAGES / 2 * PAGE, LIMIT), 0);
	own = lm_quota_process.next;
	ck_assert_ptr_nonnull(own);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < PAGES; i++) {
			blocks_look(i);
			if (i % 64 == 0)
				count_own_over(own, process, still);
		}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	/* Its end ends what is spare of it. */
	ck_assert_int_eq(lazymap_unmap(watched_base, PAGES / 2 * PAGE), 0);
	ck_assert_uint_eq(atomic_load(&own->used), 0);
	ck_assert_uint_eq(atomic_load(&own->spare), 0);
}
