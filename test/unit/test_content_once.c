/*
 * test_content_once.c -- a page never holds what it held before: no content
 * that was dropped comes back from swap, and none that was written is lost to
 * what swap, or the store, still has. Each with guard regions and without.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "claim.h"
#include "evict.h"
#include "held.h"
#include "known.h"
#include "os_linux.h"
#include "program.h"

#include <lazymap.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64
#define LIMIT (4ul << 20)
#define MARK UINT64_C(0x6d61726b)

static char *area;

static char *page_at(size_t page)
{
	return area + page * PAGE;
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

static pthread_t made(void *(*body)(void *))
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, body, NULL), 0);
	return thread;
}

static void page_out(void)
{
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
}

/* Where some are locked, of which the kernel says that they cannot go. */
static void page_out_some(void)
{
	uint64_t mask = lm_os_block_signals();
	size_t left;

	lm_evict((uintptr_t)area, (uintptr_t)page_at(PAGES), &left);
	lm_os_restore_signals(mask);
}

/* All pages are known, and in swap. */
static void begin(int guards)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = PAGE,
					   .guard = guards ? 0 : -1 };

	ck_assert_int_eq(lazymap_start(&options), 0);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	for (size_t page = 0; page < PAGES; page++)
		known_fill(page_at(page), PAGE, page);
	page_out();
	ck_assert_uint_eq(stats().pages_swapped_out, PAGES);
	ck_assert_uint_eq(stats().resident, 0);
}

/* -- What was dropped ------------------------------------------------------------ */

/* What the kernel is using is not hidden, and has its swap no more. */
START_TEST(dropped_page_that_is_pinned_stays_zeros)
{
	begin(_i);
	for (size_t page = 0; page < 8; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	ck_assert_int_eq(lazymap_pin(page_at(3), PAGE, LAZYMAP_READ), 0);
	ck_assert_int_eq(lazymap_advise(area, 16 * PAGE, MADV_DONTNEED), 0);
	for (size_t page = 0; page < 16; page++)
		ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
	ck_assert_int_eq(lazymap_unpin(page_at(3), PAGE), 0);
	page_out();
	for (size_t page = 0; page < 16; page++)
		ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
	for (size_t page = 16; page < PAGES; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

/* Some in swap, some come back for reading, some for writing. */
static int child_finds_zeros(void)
{
	size_t wrong = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t page = 0; page < PAGES / 2; page++)
			wrong += known_not_zero(page_at(page));
		for (size_t page = PAGES / 2; page < PAGES; page++)
			wrong += known_wrong(page_at(page), page);
		lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT);
	}
	return wrong != 0;
}

/* The kernel does what comes before the area that it refuses. */
START_TEST(child_finds_zeros_for_what_was_wiped_before_a_failure)
{
	pid_t child;
	int status;

	begin(_i);
	ck_assert_ptr_eq(lazymap_map(page_at(PAGES / 2), PAGES / 2 * PAGE,
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
				     0),
			 page_at(PAGES / 2));
	for (size_t page = PAGES / 2; page < PAGES; page++)
		known_fill(page_at(page), PAGE, page);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_WIPEONFORK),
			 -1);
	ck_assert_int_eq(errno, EINVAL);
	child = fork();
	if (!child)
		_exit(child_finds_zeros());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	for (size_t page = 0; page < PAGES; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

/* Whether it was in place or not. */
START_TEST(guard_region_drops_what_swap_has)
{
	begin(_i);
	ck_assert_uint_eq(known_wrong(page_at(10), 10), 0);
	if (lazymap_advise(page_at(8), 8 * PAGE, MADV_GUARD_INSTALL) < 0) {
		printf("skipped: MADV_GUARD_INSTALL is of Linux 6.13\n");
		return;
	}
	ck_assert_int_eq(
		lazymap_advise(page_at(8), 8 * PAGE, MADV_GUARD_REMOVE), 0);
	for (size_t page = 0; page < PAGES; page++)
		if (page >= 8 && page < 16)
			ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
		else
			ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

START_TEST(child_finds_zeros_for_what_is_wiped_wherever_it_was)
{
	pid_t child;
	int status;

	begin(_i);
	for (size_t page = 0; page < PAGES; page += 3)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	for (size_t page = 1; page < PAGES; page += 3)
		known_fill(page_at(page), PAGE, page);
	ck_assert_int_eq(
		lazymap_advise(area, PAGES / 2 * PAGE, MADV_WIPEONFORK), 0);
	child = fork();
	if (!child)
		_exit(child_finds_zeros());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	for (size_t page = 0; page < PAGES; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	/* And not for what is not to be wiped any more. */
	ck_assert_int_eq(
		lazymap_advise(area, PAGES / 2 * PAGE, MADV_KEEPONFORK), 0);
	page_out();
	child = fork();
	if (!child) {
		for (size_t page = 0; page < PAGES; page++)
			if (known_wrong(page_at(page), page))
				_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void *drop_all(void *unused)
{
	(void)unused;
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED), 0);
	return NULL;
}

/* Written between what the kernel does and what lazymap does: then it is there,
 * or it is not, but not the one after the other. */
START_TEST(write_that_meets_a_drop_stays_or_goes)
{
	volatile uint64_t *word;
	pthread_t thread;
	uint64_t seen;

	begin(_i);
	word = (volatile uint64_t *)page_at(5);
	*word = MARK;
	held_at(LM_STEP_DROPPED, area, LM_STEP_MAX);
	thread = made(drop_all);
	held_wait();
	*word = MARK;
	held_release();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	seen = *word;
	page_out();
	ck_assert_uint_eq(*word, seen);
}
END_TEST

static size_t touched; /* a page */
static _Atomic size_t wrong;

static void *write_mark(void *unused)
{
	(void)unused;
	*(volatile uint64_t *)page_at(touched) = MARK;
	return NULL;
}

static int file;

static void *map_file(void *unused)
{
	(void)unused;
	ck_assert_ptr_eq(lazymap_map(area, PAGES * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_FIXED, file, 0),
			 area);
	return NULL;
}

/* The same of a file that is mapped over what was there. */
START_TEST(write_that_meets_a_map_of_its_place_stays_or_goes)
{
	volatile uint64_t *word;
	pthread_t maps, writes;
	uint64_t seen;

	begin(_i);
	file = known_file("known", PAGES);
	touched = 5;
	word = (volatile uint64_t *)page_at(touched);
	held_at(LM_STEP_MAPPED, area, LM_STEP_MAX);
	maps = made(map_file);
	held_wait();
	writes = made(write_mark);
	usleep(100000);
	held_release();
	ck_assert_int_eq(pthread_join(maps, NULL), 0);
	ck_assert_int_eq(pthread_join(writes, NULL), 0);
	seen = *word;
	page_out();
	ck_assert_uint_eq(*word, seen);
}
END_TEST

/* -- What the kernel is asked with ------------------------------------------------ */

static void *make_executable(void *prot)
{
	ck_assert_int_eq(
		lazymap_protect(area, PAGES / 2 * PAGE, (int)(intptr_t)prot),
		0);
	return NULL;
}

static void *look(void *unused)
{
	(void)unused;
	atomic_store(&wrong, known_wrong(page_at(touched), touched));
	return NULL;
}

/* While mprotect asks the kernel with some page, another thread comes. */
static void meet_the_question(int prot, void *(*body)(void *))
{
	pthread_t asks, comes;

	held_at(LM_STEP_ASKED, NULL, LM_STEP_MAX);
	ck_assert_int_eq(pthread_create(&asks, NULL, make_executable,
					(void *)(intptr_t)prot),
			 0);
	/* It need not ask with a page of the area. */
	for (int i = 0; i < 500 && !held_passed(LM_STEP_ASKED); i++)
		usleep(1000);
	comes = made(body);
	usleep(100000);
	held_release();
	ck_assert_int_eq(pthread_join(asks, NULL), 0);
	ck_assert_int_eq(pthread_join(comes, NULL), 0);
}

START_TEST(page_in_swap_is_not_shown_by_mprotect)
{
	begin(_i % 2);
	/* All is in swap, or one page is not. */
	if (_i / 2)
		ck_assert_uint_eq(known_wrong(page_at(40), 40), 0);
	meet_the_question(PROT_READ | PROT_EXEC, look);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
	for (size_t page = 0; page < PAGES; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

/* An absent page of a file, or one that is there for reading. */
START_TEST(page_written_while_mprotect_asks_is_dirty)
{
	int fd;

	begin(0);
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), 0);
	fd = known_file("known", PAGES);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	close(fd);
	if (_i)
		ck_assert_uint_eq(known_wrong(area, 0), 0);
	meet_the_question(PROT_READ | PROT_WRITE | PROT_EXEC, write_mark);
	for (int round = 0; round < 3; round++) {
		ck_assert_uint_eq(*(volatile uint64_t *)area, MARK);
		page_out();
	}
}
END_TEST

/* -- Others at the same page ------------------------------------------------------- */

/* To prime an area a page is read and written back: not one that is in sight of
 * those who write to it. */
START_TEST(area_is_not_primed_with_a_page_that_others_write)
{
	struct lm_claim claim = { 0 };
	uint64_t mask;

	begin(0);
	area = lazymap_map(NULL, 4 * LM_BLOCK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	*(volatile uint64_t *)page_at(5) = MARK;
	/* As when it joins an area that nobody has written to yet. */
	atomic_store(&lm_area_find((uintptr_t)area)->primed, false);
	mask = lm_os_block_signals();
	ck_assert_int_eq(lm_claim(&claim, (uintptr_t)page_at(5), LM_WRITE),
			 LM_CLAIM_DONE);
	lm_claim_settle(&claim, claim.from, claim.from);
	lm_os_restore_signals(mask);
	ck_assert_int_eq(claim.from, LM_PAGE_DIRTY);
	ck_assert(!claim.prime);
	*(volatile uint64_t *)page_at(9) = MARK;
	ck_assert(atomic_load(&lm_area_find((uintptr_t)area)->primed));
}
END_TEST

#define PINS 2000000

static atomic_uint pins_made, pins_wrong;

static void *pin_and_unpin(void *unused)
{
	uintptr_t page = (uintptr_t)page_at(3), end;
	unsigned n = 0;

	(void)unused;
	for (unsigned i = 0; i < program_scaled(PINS); i++) {
		end = lm_page_pin(page, page + PAGE, false);
		n += !lm_page_pinned(page, page + PAGE);
		lm_page_unpin(page, end);
		n += lm_page_pinned(page, page + PAGE);
		atomic_store_explicit(&pins_made, i + 1, memory_order_relaxed);
	}
	atomic_store(&pins_wrong, n);
	return NULL;
}

/* As mprotect makes clean pages dirty where nobody asks which are, while system
 * calls pin them. */
START_TEST(pins_are_kept_while_a_page_becomes_dirty)
{
	uintptr_t page;
	pthread_t thread;

	begin(0);
	ck_assert_uint_eq(known_wrong(page_at(3), 3), 0);
	page = (uintptr_t)page_at(3);
	thread = made(pin_and_unpin);
	for (unsigned i = 0; atomic_load(&pins_made) < program_scaled(PINS);
	     i++)
		lm_page_become(page, page + PAGE,
			       i % 2 ? LM_PAGE_CLEAN : LM_PAGE_DIRTY);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(atomic_load(&pins_wrong), 0);
}
END_TEST

static pthread_barrier_t both;

#define UNPINS 20000

static void *unpin(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < program_scaled(UNPINS); i++) {
		pthread_barrier_wait(&both);
		lazymap_unpin(page_at(3), PAGE);
		pthread_barrier_wait(&both);
	}
	return NULL;
}

/* As where a page was unmapped, and mapped again, while it was pinned: its word
 * holds more than pins. */
START_TEST(pins_that_are_gone_are_taken_back_once)
{
	lm_page_word *word;
	pthread_t thread;
	uint64_t was;

	begin(0);
	ck_assert_uint_eq(known_wrong(page_at(3), 3), 0);
	word = lm_page_word_of((uintptr_t)page_at(3));
	was = atomic_load(word);
	ck_assert_uint_ne(LM_PAGE_SWAP(was), 0);
	ck_assert_int_eq(pthread_barrier_init(&both, NULL, 2), 0);
	thread = made(unpin);
	for (unsigned i = 0; i < program_scaled(UNPINS); i++) {
		ck_assert_int_eq(lazymap_pin(page_at(3), PAGE, LAZYMAP_READ),
				 0);
		pthread_barrier_wait(&both);
		lazymap_unpin(page_at(3), PAGE);
		pthread_barrier_wait(&both);
		if (atomic_load(word) != was)
			ck_abort_msg("%jx, was %jx",
				     (uintmax_t)atomic_load(word),
				     (uintmax_t)was);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* What a marker hides has the area's protection below it, for the kernel is
 * shown no more than that: also what was hidden before it went. */
START_TEST(page_that_was_hidden_and_went_is_there_for_the_kernel)
{
	uintptr_t start, end;
	uint64_t mask;
	int ends[2];

	begin(1);
	start = (uintptr_t)area;
	end = start + PAGES * PAGE;
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED), 0);
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_READ), 0);
	for (size_t page = 0; page < PAGES; page++)
		ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
	mask = lm_os_block_signals();
	lm_evict_hide(start, end);
	lm_os_restore_signals(mask);
	page_out();
	ck_assert_uint_eq(stats().resident, 0);
	ck_assert_int_eq(lazymap_pin(area, PAGES * PAGE, LAZYMAP_READ), 0);
	ck_assert_int_eq(pipe(ends), 0);
	for (size_t page = 0; page < PAGES; page += 8)
		ck_assert_int_eq(lm_sys(SYS_write, ends[1], page_at(page), 512),
				 512);
}
END_TEST

/* -- What the kernel does not let go ----------------------------------------------- */

/* It lets go what comes before that, and fails. */
START_TEST(what_goes_beside_locked_pages_is_not_lost)
{
	begin(_i);
	for (int round = 0; round < 2; round++) {
		for (size_t page = 0; page < PAGES; page++)
			known_fill(page_at(page), PAGE, page);
		/* The kernel's lock, of which nobody was told. */
		if (!round)
			ck_assert_int_eq(lm_sys(SYS_mlock2, page_at(7),
						2 * PAGE, MLOCK_ONFAULT),
					 0);
		page_out_some();
		for (size_t page = 0; page < PAGES; page++)
			ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	}
}
END_TEST

START_TEST(what_a_lock_that_failed_has_locked_stays)
{
	unsigned char present[PAGES];

	begin(_i);
	ck_assert_int_eq(lazymap_unmap(page_at(12), PAGE), 0);
	ck_assert_int_eq(lazymap_lock(page_at(8), 16 * PAGE, 0), -1);
	ck_assert_int_eq(errno, ENOMEM);
	for (size_t page = 0; page < 12; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	page_out_some();
	ck_assert_int_eq(lazymap_resident(area, 12 * PAGE, present), 0);
	for (size_t page = 0; page < 12; page++)
		ck_assert_int_eq(present[page], page >= 8);
	ck_assert_int_eq(lazymap_resident(page_at(13), 11 * PAGE, present), 0);
	for (size_t page = 0; page < 11; page++)
		ck_assert_int_eq(present[page], 0);
}
END_TEST

/* -- More than the limit ----------------------------------------------------------- */

START_TEST(more_than_the_limit_can_be_populated)
{
	const size_t len = 4 * LIMIT;
	char *mem;

	begin(_i);
	mem = lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mem, LAZYMAP_FAILED);
	ck_assert_int_eq(lazymap_advise(mem, len, MADV_POPULATE_WRITE), 0);
	for (size_t at = 0; at < len; at += PAGE)
		known_fill(mem + at, PAGE, at / PAGE);
	ck_assert_int_eq(lazymap_advise(mem, len, MADV_POPULATE_READ), 0);
	for (size_t at = 0; at < len; at += PAGE)
		ck_assert_uint_eq(known_wrong(mem + at, at / PAGE), 0);
	ck_assert_int_eq(lazymap_protect(mem + LIMIT, PAGE, PROT_READ), 0);
	ck_assert_int_eq(lazymap_advise(mem, len, MADV_POPULATE_WRITE), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("content");
	TCase *dropped = tcase_create("dropped");
	TCase *asked = tcase_create("asked"), *others = tcase_create("others");

	tcase_set_timeout(dropped, 60);
	tcase_add_loop_test(dropped, dropped_page_that_is_pinned_stays_zeros, 0,
			    2);
	tcase_add_loop_test(dropped,
			    child_finds_zeros_for_what_is_wiped_wherever_it_was,
			    0, 2);
	tcase_add_loop_test(dropped, write_that_meets_a_drop_stays_or_goes, 0,
			    2);
	tcase_add_loop_test(dropped,
			    write_that_meets_a_map_of_its_place_stays_or_goes,
			    0, 2);
	tcase_add_loop_test(
		dropped, child_finds_zeros_for_what_was_wiped_before_a_failure,
		0, 2);
	tcase_add_loop_test(dropped, guard_region_drops_what_swap_has, 0, 2);
	suite_add_tcase(suite, dropped);
	tcase_set_timeout(asked, 60);
	tcase_add_loop_test(asked, page_in_swap_is_not_shown_by_mprotect, 0, 4);
	tcase_add_loop_test(asked, page_written_while_mprotect_asks_is_dirty, 0,
			    2);
	suite_add_tcase(suite, asked);
	tcase_set_timeout(others, 60);
	tcase_add_test(others,
		       area_is_not_primed_with_a_page_that_others_write);
	tcase_add_test(others, pins_are_kept_while_a_page_becomes_dirty);
	tcase_add_test(others, pins_that_are_gone_are_taken_back_once);
	tcase_add_test(others,
		       page_that_was_hidden_and_went_is_there_for_the_kernel);
	tcase_add_loop_test(others, what_goes_beside_locked_pages_is_not_lost,
			    0, 2);
	tcase_add_loop_test(others, what_a_lock_that_failed_has_locked_stays, 0,
			    2);
	tcase_add_loop_test(others, more_than_the_limit_can_be_populated, 0, 2);
	suite_add_tcase(suite, others);
	return program_run(suite);
}
