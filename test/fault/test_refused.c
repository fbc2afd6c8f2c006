/*
 * test_refused.c -- the kernel does some of what a fault asks it for, and
 * refuses the rest: what was in sight meanwhile, and written, is kept; and why
 * nothing came is told as it is.
 *
 * A page of the cluster is taken from the kernel for that time, so that it fails
 * there, as it does for want of memory or of VM areas.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "evict.h"
#include "guard.h"
#include "guarded.h"
#include "known.h"
#include "lazymap.h"
#include "os_linux.h"
#include "outside.h"
#include "program.h"
#include "step.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CLUSTER ((size_t)16)
#define PAGES ((size_t)1024)
#define FIRST ((size_t)512 + 64) /* of the cluster */
#define THERE (FIRST + 5)        /* placing over markers ends here */
#define GONE (FIRST + 9)         /* and here is nothing at all */
#define MARK UINT64_C(0x123456789abcdef)

enum kind { STORE, SWAPPED, KINDS };

static char *area;
static int refused;      /* times that the kernel did */
static bool over, store; /* pages come over markers; of a store */

static char *page_at(size_t page)
{
	return area + page * PAGE;
}

static volatile uint64_t *word_at(size_t page, size_t i)
{
	return (volatile uint64_t *)page_at(page) + i;
}

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static void begin(enum kind kind, int guard)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = CLUSTER * PAGE,
					   .guard = guard };
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};
	size_t left;

	caught_install();
	store = kind == STORE;
	ck_assert_int_eq(lazymap_start(&options), 0);
	if (store) {
		area = lazymap_map_store(NULL, PAGES * PAGE,
					 PROT_READ | PROT_WRITE, MAP_PRIVATE,
					 &ops, NULL, 0);
		ck_assert_ptr_ne(area, LAZYMAP_FAILED);
		return;
	}
	ck_assert_int_eq(lazymap_limit((size_t)64 << 20), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	for (size_t page = 512; page < FIRST + CLUSTER; page++)
		known_fill(page_at(page), PAGE, page);
	ck_assert_uint_eq(lm_evict((uintptr_t)page_at(FIRST),
				   (uintptr_t)page_at(FIRST + CLUSTER), &left),
			  CLUSTER);
}

static void take(size_t page)
{
	lm_sys(SYS_munmap, page_at(page), PAGE);
}

/* As it was: hidden, and among others that come over markers, by one. */
static void give(size_t page)
{
	lm_sys(SYS_mmap, page_at(page), PAGE, PROT_READ | PROT_WRITE,
	       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	if (!over) /* it was placed */
		known_fill(page_at(page), PAGE, page);
	else
		lm_guard_install((uintptr_t)page_at(page),
				 (uintptr_t)page_at(page + 1));
	if (!over)
		lm_sys(SYS_mprotect, page_at(page), PAGE, PROT_NONE);
}

/* While the touched page's fault is on its way. */
static void hook(enum lm_step step, uintptr_t addr)
{
	(void)addr;
	if (step == LM_STEP_READ && over && !refused) {
		lm_guard_remove((uintptr_t)page_at(THERE),
				(uintptr_t)page_at(THERE + 1));
		*word_at(THERE, 0) = 1;
		/* It could be dropped otherwise. */
		lm_sys(SYS_mlock2, page_at(FIRST), CLUSTER * PAGE,
		       MLOCK_ONFAULT);
	} else if (step == LM_STEP_FILLED && !over && !refused) {
		take(GONE);
	} else if (step == LM_STEP_REFUSED && !refused++) {
		*word_at(FIRST, 1) = MARK;
		if (over)
			take(GONE);
		else
			give(GONE);
	} else if (step == LM_STEP_REVEALED && over && refused == 1) {
		refused++;
		lm_sys(SYS_munlock, page_at(FIRST), CLUSTER * PAGE);
		give(THERE);
		give(GONE);
	}
}

static void check(void)
{
	ck_assert_uint_eq(*word_at(FIRST, 1), MARK);
	*word_at(FIRST, 1) = known_word(FIRST, 1);
	for (int pass = 0; pass < 2; pass++)
		for (size_t page = FIRST; page < FIRST + CLUSTER; page++)
			ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}

/* As a system call does that writes them all. It may fail. */
static void write_all(void)
{
	if (!lazymap_pin(page_at(FIRST), CLUSTER * PAGE, LAZYMAP_WRITE))
		lazymap_unpin(page_at(FIRST), CLUSTER * PAGE);
}

START_TEST(writes_to_pages_placed_before_the_rest_failed_are_kept)
{
	uint64_t word;

	begin(_i < KINDS ? _i : STORE, 1);
	/* The second fault of a block opens it. */
	for (size_t page = 700; page < 1000; page += 100)
		ck_assert_int_eq(caught_write(page_at(page), 1), 0);
	if (!guarded_hidden(page_at(FIRST))) {
		puts("skipped: nothing is placed over guard regions here");
		return;
	}
	over = true;
	atomic_store(&lm_step_hook, hook);
	if (_i < KINDS) {
		write_all();
	} else { /* a page that comes after those that were placed */
		ck_assert_int_eq(
			caught_read(page_at(FIRST + CLUSTER - 1), &word), 0);
		ck_assert_uint_eq(word, known_word(FIRST + CLUSTER - 1, 0));
	}
	atomic_store(&lm_step_hook, NULL);
	ck_assert_int_ge(refused, 2);
	check();
}
END_TEST

START_TEST(writes_to_pages_shown_before_the_rest_was_refused_are_kept)
{
	begin(_i, -1);
	atomic_store(&lm_step_hook, hook);
	write_all();
	atomic_store(&lm_step_hook, NULL);
	ck_assert_int_ge(refused, 1);
	check();
}
END_TEST

static void take_while_placing(enum lm_step step, uintptr_t addr)
{
	(void)addr;
	if (step == LM_STEP_READ)
		take(FIRST);
	else if (step == LM_STEP_REVEALED)
		give(FIRST);
}

START_TEST(page_without_memory_among_guard_regions_is_no_region)
{
	uint64_t word;

	begin(STORE, 1);
	if (lazymap_advise(page_at(FIRST), 4 * PAGE, MADV_GUARD_INSTALL)) {
		puts("skipped: this kernel has no guard regions");
		return;
	}
	ck_assert_int_eq(
		lazymap_advise(page_at(FIRST), 2 * PAGE, MADV_GUARD_REMOVE), 0);
	atomic_store(&lm_step_hook, take_while_placing);
	ck_assert_int_eq(caught_read(page_at(FIRST), &word), SIGBUS);
	atomic_store(&lm_step_hook, NULL);
	ck_assert_int_eq(caught_read(page_at(FIRST), &word), 0);
	ck_assert_int_eq(caught_read(page_at(FIRST + 3), &word), SIGSEGV);
	for (size_t page = FIRST; page < FIRST + 2; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *tcase = tcase_create("refused");

	tcase_add_loop_test(
		tcase, writes_to_pages_placed_before_the_rest_failed_are_kept,
		0, KINDS + 1);
	tcase_add_loop_test(
		tcase,
		writes_to_pages_shown_before_the_rest_was_refused_are_kept, 0,
		KINDS);
	tcase_add_test(tcase,
		       page_without_memory_among_guard_regions_is_no_region);
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
