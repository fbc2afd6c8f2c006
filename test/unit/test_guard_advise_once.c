/*
 * test_guard_advise_once.c -- advice, locks and limits over blocks whose absent
 * pages are hidden by guard regions: each test runs with them and without, for
 * every kind of area that can have them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guarded.h"
#include "lazymap.h"
#include "outside.h"
#include "program.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static struct guarded area;

static char *page_at(size_t page)
{
	return area.at + page * PAGE;
}

static void begin(int i)
{
	caught_install();
	guarded_begin(&area, i, GUARDED_PAGES);
	guarded_open(&area, 3);
}

static int advise(size_t from, size_t to, int advice)
{
	return lazymap_advise(page_at(from), (to - from) * PAGE, advice);
}

/* -- Advice ------------------------------------------------------------------- */

START_TEST(dropped_pages_are_as_at_first)
{
	begin(_i);
	ck_assert_int_eq(advise(700, 3001, MADV_DONTNEED), 0);
	guarded_dropped(&area, 700, 3001, false);
	ck_assert_uint_eq(guarded_frames(&area, 700, 3001), 0);
	for (size_t page = 700; page < 3001; page += 7)
		guarded_write(&area, page);
	ck_assert_uint_eq(guarded_frames(&area, 700, 3001), 2301 / 7 + 1);
	ck_assert_int_eq(advise(0, area.pages, MADV_DONTNEED), 0);
	guarded_dropped(&area, 0, area.pages, false);
	ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), 0);
	guarded_write(&area, 100);
	guarded_check(&area);
}
END_TEST

/* More than there may be VM areas, were each page to need two: as those of a store
 * do without markers. */
static void many(int i, size_t n)
{
	if (i / 2 == GUARDED_STORE && n > 20000)
		n = 20000;
	guarded_begin(&area, i, 2 * n);
	guarded_open(&area, 2);
}

START_TEST(drop_of_isolated_pages_needs_no_vm_areas)
{
	size_t before = outside_vm_areas();

	many(_i, program_scaled(40000));
	ck_assert_int_eq(advise(0, area.pages, MADV_DONTNEED), 0);
	guarded_dropped(&area, 0, area.pages, false);
	if (area.on)
		ck_assert_uint_lt(outside_vm_areas(), before + 1000);
	ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), 0);
	for (size_t page = 0; page < area.pages; page += 2)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(guard_regions_of_the_program_beside_isolated_pages)
{
	/* What a store has not filled cannot be shown, and goes by protection. */
	many(_i, program_scaled(_i / 2 == GUARDED_STORE ? 10000 : 40000));
	if (advise(1, area.pages - 1, MADV_GUARD_INSTALL) && errno == EINVAL)
		return;
	ck_assert_uint_lt(outside_vm_areas(), 60000);
	ck_assert_int_eq(advise(0, area.pages, MADV_GUARD_REMOVE), 0);
	guarded_dropped(&area, 1, area.pages - 1, false);
	guarded_check(&area);
}
END_TEST

START_TEST(freed_pages_hold_what_they_held_or_zeros)
{
	size_t wrong = 0;

	begin(_i);
	if (area.kind != GUARDED_ANONYMOUS)
		return;
	ck_assert_int_eq(advise(10, 2000, MADV_FREE), 0);
	for (size_t page = 0; page < area.pages; page++) {
		uint64_t mark = area.mark[page];

		if (page < 10 || page >= 2000 || !mark)
			continue;
		if (guarded_wrong(&area, page)) {
			area.mark[page] = 0;
			wrong += guarded_wrong(&area, page);
		}
	}
	ck_assert_uint_eq(wrong, 0);
	for (size_t page = 0; page < 2000; page += 3)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(removed_pages_are_zeros_in_the_object)
{
	begin(_i);
	if (!guarded_shared(&area))
		return;
	if (advise(100, 1700, MADV_REMOVE) && errno == EOPNOTSUPP)
		return;
	guarded_dropped(&area, 100, 1700, true);
	guarded_check(&area);
	for (size_t page = 100; page < 1700; page += 5)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(populated_pages_are_all_there)
{
	begin(_i);
	ck_assert_int_eq(advise(100, 1000, MADV_POPULATE_READ), 0);
	ck_assert_uint_eq(guarded_frames(&area, 100, 1000), 900);
	if (guarded_writable(&area))
		ck_assert_int_eq(advise(900, 1900, MADV_POPULATE_WRITE), 0);
	guarded_check(&area);
}
END_TEST

START_TEST(cold_pages_keep_what_they_hold)
{
	begin(_i);
	ck_assert_int_eq(advise(0, 2000, MADV_COLD), 0);
	ck_assert_int_eq(advise(1000, 3000, MADV_PAGEOUT), 0);
	ck_assert_int_eq(advise(0, area.pages, MADV_WILLNEED), 0);
	guarded_check(&area);
}
END_TEST

static int child_finds_zeros(void)
{
	size_t wrong = 0;

	for (size_t page = 0; page < area.pages; page++) {
		area.mark[page] = 0;
		wrong += known_not_zero(page_at(page)) != 0;
	}
	for (size_t page = 0; page < area.pages; page += 2)
		guarded_write(&area, page);
	/* A block is opened anew, of pages that were written. */
	for (size_t page = 1; page < area.pages; page += 4)
		guarded_write(&area, page);
	wrong += guarded_wrong_all(&area);
	return wrong != 0;
}

START_TEST(child_finds_wiped_pages_zero)
{
	begin(_i);
	if (area.kind != GUARDED_ANONYMOUS)
		return;
	ck_assert_int_eq(advise(0, area.pages, MADV_WIPEONFORK), 0);
	ck_assert_int_eq(caught_child(child_finds_zeros), 0);
	guarded_check(&area);
	ck_assert_int_eq(advise(0, area.pages, MADV_KEEPONFORK), 0);
	guarded_write(&area, 7);
	guarded_check(&area);
}
END_TEST

static int child_finds_nothing(void)
{
	uint64_t word;

	return caught_read(page_at(100), &word) != SIGSEGV ||
	       caught_read(page_at(300), &word) != SIGSEGV ||
	       guarded_wrong(&area, 99) || guarded_wrong(&area, 301);
}

START_TEST(child_has_no_pages_that_are_not_for_it)
{
	begin(_i);
	ck_assert_int_eq(advise(100, 301, MADV_DONTFORK), 0);
	ck_assert_int_eq(caught_child(child_finds_nothing), 0);
	guarded_check(&area);
}
END_TEST

/* -- The program's own guard regions ------------------------------------------- */

START_TEST(guard_region_of_the_program_is_its_own)
{
	begin(_i);
	if (advise(100, 400, MADV_GUARD_INSTALL) && errno == EINVAL) {
		printf("skipped: this kernel has none for it\n");
		return;
	}
	guarded_expect(&area, 100, 400, false, SIGSEGV);
	if (guarded_writable(&area))
		guarded_expect(&area, 100, 400, true, SIGSEGV);
	for (size_t page = 0; page < 100; page++)
		ck_assert_uint_eq(guarded_wrong(&area, page), 0);
	ck_assert_int_eq(advise(200, 300, MADV_GUARD_REMOVE), 0);
	guarded_expect(&area, 100, 200, false, SIGSEGV);
	guarded_expect(&area, 300, 400, false, SIGSEGV);
	ck_assert_int_eq(advise(100, 400, MADV_GUARD_REMOVE), 0);
	guarded_dropped(&area, 100, 400, false);
	for (size_t page = 100; page < 400; page += 2)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(guard_region_of_absent_pages_is_the_programs)
{
	caught_install();
	guarded_begin(&area, _i, GUARDED_PAGES);
	if (advise(100, 1000, MADV_GUARD_INSTALL) && errno == EINVAL) {
		printf("skipped: this kernel has none for it\n");
		return;
	}
	for (size_t page = 0; page < 100; page += 3)
		guarded_write(&area, page);
	guarded_expect(&area, 100, 1000, false, SIGSEGV);
	for (size_t page = 1000; page < area.pages; page += 3)
		guarded_write(&area, page);
	guarded_expect(&area, 100, 1000, false, SIGSEGV);
	ck_assert_int_eq(advise(0, area.pages, MADV_GUARD_REMOVE), 0);
	guarded_check(&area);
}
END_TEST

/* -- Locks -------------------------------------------------------------------- */

static bool may_lock(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (!lazymap_lock(area.at, area.pages * PAGE, MLOCK_ONFAULT))
		return !lazymap_unlock(area.at, area.pages * PAGE);
	printf("skipped: so much cannot be locked here\n");
	return false;
}

START_TEST(locked_blocks_are_there_and_can_go_again)
{
	begin(_i);
	if (!may_lock())
		return;
	ck_assert_int_eq(lazymap_lock(page_at(50), 1950 * PAGE, 0), 0);
	ck_assert_uint_eq(guarded_frames(&area, 50, 2000), 1950);
	guarded_write(&area, 51);
	ck_assert_int_eq(lazymap_unlock(page_at(50), 1950 * PAGE), 0);
	ck_assert_int_eq(lazymap_limit(2 << 20), 0);
	guarded_check(&area);
	ck_assert_int_eq(lazymap_lock(page_at(10), 20 * PAGE, MLOCK_ONFAULT),
			 0);
	guarded_write(&area, 12);
	guarded_write(&area, 13);
	guarded_check(&area);
}
END_TEST

START_TEST(all_that_is_locked_is_there)
{
	begin(_i);
	if (!may_lock())
		return;
	ck_assert_int_eq(lazymap_lock_all(MCL_CURRENT | MCL_FUTURE), 0);
	ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), area.pages);
	guarded_check(&area);
	ck_assert_int_eq(lazymap_unlock_all(), 0);
	ck_assert_int_eq(advise(0, area.pages, MADV_DONTNEED), 0);
	guarded_dropped(&area, 0, area.pages, false);
	for (size_t page = 0; page < area.pages; page += 3)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

/* -- Limits ------------------------------------------------------------------- */

#define LIMIT ((size_t)4 << 20)
#define THREADS 8

static const char *const policies[] = { "s3fifo", "clock", "sieve", "fifo" };
#define POLICIES 4

static atomic_size_t wrong;

/* Of each thread, each time. */
static unsigned visits(void)
{
	return program_scaled((unsigned)area.pages / 4);
}

/* Every page in an order of its own; a word of its own in each. */
static void *walk(void *argument)
{
	size_t thread = (size_t)argument, n = 0;
	uint64_t random = program_seed() + thread + 1;

	for (uint64_t i = 0; i < visits(); i++) {
		size_t page = program_random(&random) % area.pages;
		volatile uint64_t *word = (uint64_t *)page_at(page);

		n += word[100] != (area.zero[page] ? 0 : known_word(page, 100));
		if (!guarded_writable(&area))
			continue;
		word[200 + thread] += 1;
		n += word[300] != (area.zero[page] ? 0 : known_word(page, 300));
	}
	atomic_fetch_add(&wrong, n);
	return NULL;
}

/* What 8 threads added to the pages, or went missing. */
static uint64_t sum(void)
{
	uint64_t all = 0;

	for (size_t page = 0; page < area.pages; page++)
		for (size_t i = 200; i < 200 + THREADS; i++)
			all += ((uint64_t *)page_at(page))[i] -
			       (area.zero[page] ? 0 : known_word(page, i));
	return all;
}

static void walk_all(void)
{
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, walk, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
}

/* Without markers the kernel maps what is around the first page of a private
 * file that is written. */
static void within_limit(void)
{
	size_t more = area.on || !guarded_file(&area) ? 0 : 64;

	ck_assert_uint_le(guarded_frames(&area, 0, area.pages),
			  LIMIT / PAGE + more);
}

START_TEST(limit_holds_and_no_byte_is_lost_by_any_policy)
{
	int policy = _i % POLICIES, kind = _i / POLICIES;

	setenv("LAZYMAP_POLICY", policies[policy], 1);
	guarded_begin(&area, kind, GUARDED_PAGES);
	/* The policies do not differ in what is new here. */
	if (policy && (!area.on || program_sanitized("")))
		return;
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	for (uint64_t pass = 1; pass < 3; pass++) {
		walk_all();
		within_limit();
		if (guarded_writable(&area))
			ck_assert_uint_eq(sum(), pass * THREADS * visits());
	}
	within_limit();
}
END_TEST

START_TEST(limit_set_late_holds_and_keeps_what_was_written)
{
	begin(_i);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	within_limit();
	guarded_check(&area);
	within_limit();
	for (size_t page = 0; page < area.pages; page += 2)
		guarded_write(&area, page);
	within_limit();
	ck_assert_int_eq(lazymap_limit(0), 0);
	guarded_check(&area);
	for (size_t page = 1; page < area.pages; page += 2)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(limit_set_late_over_many_isolated_pages)
{
	many(_i, program_scaled(40000));
	if (area.on && guarded_writable(&area) && !guarded_shared(&area))
		return; /* these go by protection, and need VM areas for it */
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	within_limit();
	guarded_check(&area);
	within_limit();
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests,
		int n)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 240);
	for (; *tests; tests++)
		tcase_add_loop_test(tcase, *tests, 0, n);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("guard_advise");
	const TTest *const advice[] = {
		dropped_pages_are_as_at_first,
		drop_of_isolated_pages_needs_no_vm_areas,
		freed_pages_hold_what_they_held_or_zeros,
		removed_pages_are_zeros_in_the_object,
		populated_pages_are_all_there,
		cold_pages_keep_what_they_hold,
		child_finds_wiped_pages_zero,
		child_has_no_pages_that_are_not_for_it,
		NULL,
	};
	const TTest *const guards[] = {
		guard_region_of_the_program_is_its_own,
		guard_region_of_absent_pages_is_the_programs,
		guard_regions_of_the_program_beside_isolated_pages,
		NULL,
	};
	const TTest *const locks[] = { locked_blocks_are_there_and_can_go_again,
				       all_that_is_locked_is_there, NULL };
	const TTest *const limits[] = {
		limit_set_late_holds_and_keeps_what_was_written,
		limit_set_late_over_many_isolated_pages, NULL
	};
	const TTest *const policies_each[] = {
		limit_holds_and_no_byte_is_lost_by_any_policy, NULL
	};

	add(suite, "advice", advice, GUARDED_ALL);
	/* A sanitizer's handlers are between the program's and its touch, and
	 * its shadows would be locked with all else. */
	if (!program_sanitized("")) {
		add(suite, "guards", guards, GUARDED_ALL);
		add(suite, "locks", locks, GUARDED_ALL);
	}
	add(suite, "limits", limits, GUARDED_ALL);
	add(suite, "policies", policies_each, GUARDED_ALL * POLICIES);
	return program_run(suite);
}
