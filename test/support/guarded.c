/*
 * guarded.c -- see guarded.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "guarded.h"

#include "caught.h"
#include "guard.h"
#include "lazymap.h"
#include "outside.h"
#include "page.h"
#include "permit.h"
#include "program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (PAGE / sizeof(uint64_t))
#define MARKED 7 /* the word that guarded_write() writes */

bool guarded_file(const struct guarded *area)
{
	return area->kind == GUARDED_FILE_READ ||
	       area->kind == GUARDED_FILE_WRITE ||
	       area->kind == GUARDED_FILE_SHARED;
}

bool guarded_store(const struct guarded *area)
{
	return area->kind == GUARDED_STORE;
}

/* Its pages are known ones, not zeros. */
static bool known(const struct guarded *area)
{
	return guarded_file(area) || guarded_store(area);
}

bool guarded_writable(const struct guarded *area)
{
	return area->kind != GUARDED_FILE_READ;
}

bool guarded_shared(const struct guarded *area)
{
	return area->kind == GUARDED_FILE_SHARED ||
	       area->kind == GUARDED_ANONYMOUS_SHARED;
}

void guarded_start(struct guarded *area, int i)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = PAGE };
	bool can;

	*area = (struct guarded){ .kind = i / 2, .fd = -1 };
	setenv("LAZYMAP_GUARD", i % 2 ? "0" : "1", 1);
	ck_assert_int_eq(lazymap_start(&options), 0);
	ck_assert_int_eq(lm_permit_ask(LM_PERMIT_ALL), 0);
	can = guarded_store(area)               ? lm_guard_stores()
	      : area->kind == GUARDED_ANONYMOUS ? lm_guard_anonymous()
						: lm_guard_files();
	area->on = can;
	ck_assert(!(can && i % 2));
	if (!can && !(i % 2))
		printf("skipped: this kernel has no guard regions for %s\n",
		       guarded_store(area)               ? "stores"
		       : area->kind == GUARDED_ANONYMOUS ? "anonymous memory"
							 : "files");
}

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static const struct lazymap_store_ops store_ops = {
	.size = sizeof(store_ops),
	.version = LAZYMAP_STORE_VERSION,
	.flags = LAZYMAP_STORE_IN_HANDLER,
	.read = read_known,
};

char *guarded_map(const struct guarded *area, char *at, size_t from, size_t to,
		  int flags)
{
	size_t len = (to - from) * PAGE;
	off_t offset = (off_t)(from * PAGE);

	flags |= guarded_shared(area) ? MAP_SHARED : MAP_PRIVATE;
	if (guarded_store(area))
		return lazymap_map_store(at, len, area->prot, flags, &store_ops,
					 NULL, offset);
	if (!guarded_file(area))
		return lazymap_map(at, len, area->prot, flags | MAP_ANONYMOUS,
				   -1, 0);
	return lazymap_map(at, len, area->prot, flags, area->fd, offset);
}

void guarded_begin(struct guarded *area, int i, size_t pages)
{
	guarded_start(area, i);
	area->pages = pages;
	area->prot = PROT_READ | (guarded_writable(area) ? PROT_WRITE : 0);
	if (guarded_file(area))
		area->fd = known_file("known", pages);
	area->at = guarded_map(area, NULL, 0, pages, 0);
	ck_assert_ptr_ne(area->at, LAZYMAP_FAILED);
	area->zero = calloc(pages, sizeof(*area->zero));
	area->mark = calloc(pages, sizeof(*area->mark));
	ck_assert(area->zero && area->mark);
	for (size_t page = 0; page < pages; page++)
		area->zero[page] = !known(area);
}

bool guarded_hidden(const char *page)
{
	lm_page_word *word = lm_page_word_of((uintptr_t)page);

	return word && *word & LM_PAGE_GUARD;
}

PROGRAM_UNWATCHED static uint64_t wanted(const struct guarded *area,
					 size_t page, size_t i)
{
	if (i == MARKED && area->mark[page])
		return area->mark[page];
	return area->zero[page] ? 0 : known_word(page, i);
}

PROGRAM_UNWATCHED size_t guarded_wrong(const struct guarded *area, size_t page)
{
	volatile uint64_t *word = (uint64_t *)(area->at + page * PAGE);
	size_t wrong = 0;

	for (size_t i = 0; i < WORDS; i++)
		wrong += word[i] != wanted(area, page, i);
	return wrong;
}

size_t guarded_wrong_all(const struct guarded *area)
{
	const uint32_t *order = guarded_order(area->pages);
	size_t wrong = 0;

	for (size_t i = 0; i < area->pages; i++)
		wrong += guarded_wrong(area, order[i]);
	return wrong;
}

void guarded_write(struct guarded *area, size_t page)
{
	static uint64_t count;
	volatile uint64_t *word = (uint64_t *)(area->at + page * PAGE);

	if (guarded_writable(area)) {
		area->mark[page] = ~known_word(page, ++count) | 1;
		word[MARKED] = area->mark[page];
	}
	ck_assert_uint_eq(guarded_wrong(area, page), 0);
}

const uint32_t *guarded_order(size_t n)
{
	static uint32_t *order;
	uint64_t random = program_seed() + n;

	order = realloc(order, n * sizeof(*order));
	ck_assert_ptr_nonnull(order);
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n - 1; n && i > 0; i--) {
		size_t j = program_random(&random) % (i + 1);
		uint32_t was = order[i];

		order[i] = order[j];
		order[j] = was;
	}
	return order;
}

void guarded_open(struct guarded *area, size_t step)
{
	size_t n = area->pages / step, hidden = 0;
	const uint32_t *order = guarded_order(n);

	for (size_t i = 0; i < n; i++)
		if (i % 2)
			guarded_write(area, order[i] * step);
		else
			ck_assert_uint_eq(guarded_wrong(area, order[i] * step),
					  0);
	for (size_t page = 0; page < area->pages; page++)
		hidden += guarded_hidden(area->at + page * PAGE);
	ck_assert_uint_eq(hidden, area->on ? area->pages - n : 0);
}

PROGRAM_UNWATCHED static void check_file(const struct guarded *area)
{
	static uint64_t word[WORDS];
	size_t wrong = 0;

	if (area->fd < 0)
		return;
	for (size_t page = 0; page < area->pages; page++) {
		uint64_t mark = guarded_shared(area) ? area->mark[page] : 0;
		bool zero = guarded_shared(area) && area->zero[page];

		ck_assert_int_eq(
			pread(area->fd, word, PAGE, (off_t)(page * PAGE)),
			(ssize_t)PAGE);
		for (size_t i = 0; i < WORDS; i++) {
			uint64_t was = zero ? 0 : known_word(page, i);

			wrong += word[i] != (i == MARKED && mark ? mark : was);
		}
	}
	ck_assert_uint_eq(wrong, 0);
}

void guarded_expect(const struct guarded *area, size_t from, size_t to,
		    bool write, int sig)
{
	uint64_t word;

	for (size_t page = from; page < to; page++) {
		char *at = area->at + page * PAGE;
		int got = write ? caught_write(at, 1) : caught_read(at, &word);

		ck_assert_int_eq(got, sig);
	}
}

void guarded_check(const struct guarded *area)
{
	ck_assert_uint_eq(guarded_wrong_all(area), 0);
	check_file(area);
}

size_t guarded_frames(const struct guarded *area, size_t from, size_t to)
{
	return outside_count(area->at + from * PAGE, (to - from) * PAGE);
}

void guarded_dropped(struct guarded *area, size_t from, size_t to, bool zero)
{
	for (size_t page = from; page < to; page++) {
		/* What is shared is in the object. */
		if (!guarded_shared(area) || zero)
			area->mark[page] = 0;
		area->zero[page] = zero || !known(area);
	}
}
