/*
 * test_crew_once.c -- blocks of a store that workers read together, ahead of a
 * stream (lib/crew.h): every byte right and read once, whoever comes between, no
 * more memory than the limit lets in, and pieces where blocks cannot be.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "blocks.h"
#include "caught.h"
#include "frame.h"
#include "held.h"
#include "page.h"
#include "program.h"
#include "quota.h"
#include "store/store.h"
#include "watched.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define PIECE ((size_t)16)
#define THREADS 4

/* One that is asked for when the block before it is touched. */
#define COMES (BLOCKS / 2)

static void begin_with(const struct lazymap_options *options)
{
	lm_store_slow_ns = UINT32_MAX;
	watched_begin(options, PAGES);
	ck_assert_uint_eq((uintptr_t)watched_base % (BLOCK * PAGE), 0);
}

static void begin(void)
{
	begin_with(&(struct lazymap_options){ .resident = LIMIT });
}

/* By the policy that hides nothing: what is not in sight was not touched. */
static void begin_plainly(void)
{
	begin_with(&(struct lazymap_options){ .resident = LIMIT,
					      .policy = "fifo" });
}

static void end(void)
{
	blocks_scan(0, PAGES, true);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_int_eq(lazymap_unmap(watched_base, PAGES * PAGE), 0);
	/* What is spare counts. */
	ck_assert_uint_eq(atomic_load(&lm_quota_process.used),
			  atomic_load(&lm_quota_process.spare));
	ck_assert_uint_eq(lazymap_limit(0), 0);
	ck_assert_uint_eq(atomic_load(&lm_quota_process.spare), 0);
}

static bool came_whole(size_t block)
{
	return lm_frame_moved((uintptr_t)blocks_page(block * BLOCK));
}

/* It is there, and nobody has touched it. */
static bool is_unseen(size_t block)
{
	lm_page_word *word =
		lm_page_word_of((uintptr_t)blocks_page(block * BLOCK));

	return word && LM_PAGE_STATE(*word) == LM_PAGE_HIDDEN_CLEAN &&
	       lm_page_ahead(word) == BLOCK && came_whole(block);
}

START_TEST(a_stream_has_blocks_read_once_each)
{
	bool down = _i;
	size_t whole = 0;

	begin();
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks_scan(i * BLOCK, (i + 1) * BLOCK, down);
		whole += came_whole(blocks_at(i * BLOCK, down) / BLOCK);
	}
	ck_assert_uint_eq(blocks_wrong, 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_msg(watched_reads[i] == 1, "page %zu: %u reads", i,
			      watched_reads[i]);
	/* All but what the stream begins with; but a block of which the pager
	 * has hidden some is levelled when it goes. */
	ck_assert_uint_gt(whole, BLOCKS / 2);
	ck_assert_uint_gt(watched_stats().pages_ahead, PAGES / 2);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	end();
}
END_TEST

/* -- Others beside it ---------------------------------------------------------- */

static const enum lm_step steps[] = { LM_STEP_CLAIMED, LM_STEP_READ,
				      LM_STEP_FILLED, LM_STEP_REVEALED };
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

/* A worker is held there, in a block that nobody has touched yet. */
static void hold(enum lm_step step, enum lm_step releases)
{
	begin_plainly();
	held_at(step, blocks_page(COMES * BLOCK), releases);
	blocks_scan(0, (COMES - 1) * BLOCK + 1, false);
	held_wait();
}

/* On a busy machine it may have had to come by pieces, all workers being in other
 * blocks; a_stream_has_blocks_read_once_each counts that. */
static bool came_as_block(void)
{
	if (came_whole(COMES))
		return true;
	printf("skipped: the block came by pieces\n");
	return false;
}

static unsigned waits_before;

static void *release_who_is_waited_for(void *unused)
{
	(void)unused;
	while (held_passed(LM_STEP_WAIT) == waits_before)
		watched_nap();
	held_release();
	return NULL;
}

START_TEST(who_touches_it_meanwhile_waits_for_it)
{
	size_t page = COMES * BLOCK + (_i & 1 ? BLOCK - 1 : 0);
	pthread_t thread;

	hold(steps[_i / 2], LM_STEP_MAX);
	if (LM_PAGE_STATE(*lm_page_word_of((uintptr_t)blocks_page(page))) !=
	    LM_PAGE_BUSY) {
		held_release();
		printf("skipped: the block comes by pieces\n");
		return;
	}
	waits_before = held_passed(LM_STEP_WAIT);
	ck_assert_int_eq(
		pthread_create(&thread, NULL, release_who_is_waited_for, NULL),
		0);
	blocks_look(page);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(watched_reads[page], 1);
	/* By one fault. */
	for (size_t i = 0; i < BLOCK && came_as_block(); i++)
		ck_assert(lm_page_present(*lm_page_word_of(
			(uintptr_t)blocks_page(COMES * BLOCK + i))));
	end();
}
END_TEST

START_TEST(a_child_made_meanwhile_has_everything)
{
	bool announced = _i & 1;

	if (program_sanitized("thread")) {
		printf("skipped: ThreadSanitizer lets no child start threads\n");
		return;
	}
	hold(steps[_i / 2], announced ? LM_STEP_FORK : LM_STEP_MAX);
	if (announced) {
		ck_assert_int_eq(caught_child(blocks_scan_all), 0);
	} else {
		ck_assert_int_eq(caught_clone(blocks_scan_all), 0);
		held_release();
	}
	end();
}
END_TEST

START_TEST(it_is_not_unmapped_or_dropped_meanwhile)
{
	bool unmapped = _i & 1;
	char *half;

	hold(steps[_i / 2], LM_STEP_CHANGE);
	half = blocks_page(COMES * BLOCK + BLOCK / 2);
	if (!unmapped) {
		ck_assert_int_eq(
			lazymap_advise(half, BLOCK / 2 * PAGE, MADV_DONTNEED),
			0);
		end();
		return;
	}
	ck_assert_int_eq(lazymap_unmap(half, BLOCK / 2 * PAGE), 0);
	blocks_scan(0, COMES * BLOCK + BLOCK / 2, false);
	blocks_scan((COMES + 1) * BLOCK, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

START_TEST(a_stream_that_is_before_the_workers_has_one_begin)
{
	size_t page = COMES * BLOCK;

	/* The one that was to begin with it is held up; or no worker has come
	 * to the block, and its first page is had by who is before it. */
	hold(LM_STEP_CLAIM, LM_STEP_MAX);
	blocks_scan((COMES - 1) * BLOCK + 1, page + 1, false);
	if (came_as_block())
		ck_assert_uint_eq(watched_reads[page + BLOCK - 1], 1);
	held_release();
	blocks_scan(page, PAGES, false);
	for (size_t i = page; i < page + BLOCK; i++)
		ck_assert_uint_eq(watched_reads[i], 1);
	end();
}
END_TEST

static void *stream(void *data)
{
	size_t n = PAGES / THREADS, first = (size_t)data * n;
	bool down = (size_t)data & 1;

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < n; i++) {
			size_t page = first + (down ? n - 1 - i : i);
			uint64_t *own = blocks_own_word(page);

			if (*own == ~known_word(page, 1))
				*own = known_word(page, 1);
			blocks_look(page);
			if (page % 40 == 0)
				*own = ~known_word(page, 1);
			if (i % 64 == 0)
				blocks_count_over();
		}
	return NULL;
}

START_TEST(streams_each_way_that_write_lose_nothing)
{
	pthread_t threads[THREADS];

	begin();
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stream, (void *)i),
			0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(blocks_wrong, 0);
	for (size_t i = 0; i < PAGES; i += 40) {
		ck_assert_uint_eq(*blocks_own_word(i), ~known_word(i, 1));
		*blocks_own_word(i) = known_word(i, 1);
	}
	end();
}
END_TEST

/* -- One that nobody has touched ------------------------------------------------- */

static void wait_there(size_t block)
{
	lm_page_word *word =
		lm_page_make((uintptr_t)blocks_page(block * BLOCK));

	for (int i = 0; i < 100000 && LM_PAGE_STATE(*word) == LM_PAGE_ABSENT;
	     i++)
		watched_nap();
	for (int i = 0; i < 100000 && LM_PAGE_STATE(*word) == LM_PAGE_BUSY; i++)
		watched_nap();
	ck_assert_msg(LM_PAGE_STATE(*word) == LM_PAGE_HIDDEN_CLEAN &&
			      lm_page_ahead(word) == BLOCK,
		      "state %d, marker of %zu", (int)LM_PAGE_STATE(*word),
		      lm_page_ahead(word));
}

/* False: it came otherwise. */
static bool begin_unseen(void)
{
	begin_plainly();
	blocks_scan(0, (COMES - 1) * BLOCK + 1, false);
	wait_there(COMES);
	return came_as_block();
}

START_TEST(an_unseen_block_is_shown_whole_by_one_fault)
{
	/* A write, in the middle; or a read. */
	bool write = _i & 1;
	size_t page = COMES * BLOCK + (_i & 2 ? 100 : 0);
	size_t soft;

	if (!begin_unseen())
		return;
	soft = watched_stats().faults_soft;
	if (write)
		*blocks_own_word(page) = ~known_word(page, 1);
	else
		blocks_look(page);
	for (size_t i = 0; i < BLOCK; i++)
		if (COMES * BLOCK + i != page)
			blocks_look(COMES * BLOCK + i);
	ck_assert_uint_eq(watched_stats().faults_soft, soft + 1);
	blocks_scan((COMES + 1) * BLOCK, PAGES, false);
	if (write) {
		ck_assert_uint_gt(watched_stats().pages_swapped_out, 0);
		ck_assert_uint_eq(*blocks_own_word(page), ~known_word(page, 1));
		*blocks_own_word(page) = known_word(page, 1);
	}
	end();
}
END_TEST

START_TEST(an_unseen_block_may_be_changed_in_part)
{
	size_t first = COMES * BLOCK;
	uint64_t value;
	char *half;

	caught_install();
	if (!begin_unseen())
		return;
	half = blocks_page(first + BLOCK / 2);
	switch (_i) {
	case 0:
		ck_assert_int_eq(lazymap_unmap(half, BLOCK / 2 * PAGE), 0);
		break;
	case 1:
		ck_assert_int_eq(
			lazymap_protect(half, BLOCK / 2 * PAGE, PROT_NONE), 0);
		ck_assert_int_eq(caught_read(half, &value), SIGSEGV);
		break;
	case 2:
		ck_assert_int_eq(
			lazymap_advise(half, BLOCK / 2 * PAGE, MADV_DONTNEED),
			0);
		break;
	case 3:
		ck_assert_int_eq(lazymap_limit(LIMIT / 4), 0);
		ck_assert_int_eq(lazymap_limit(LIMIT), 0);
		break;
	}
	blocks_scan(0, first + BLOCK / 2, false);
	if (_i == 1)
		ck_assert_int_eq(lazymap_protect(half, BLOCK / 2 * PAGE,
						 PROT_READ | PROT_WRITE),
				 0);
	if (_i > 0)
		blocks_scan(first, first + BLOCK, true);
	if (_i == 0) {
		blocks_scan(first + BLOCK, PAGES, false);
		ck_assert_uint_eq(blocks_wrong, 0);
		ck_assert_uint_eq(blocks_over, 0);
	} else {
		end();
	}
}
END_TEST

START_TEST(a_block_that_is_driven_out_untouched_was_a_wrong_guess)
{
	if (!begin_unseen())
		return;
	ck_assert_uint_eq(watched_stats().pages_ahead_unused, 0);
	for (size_t i = 0; i < 3 * PAGES && is_unseen(COMES); i++)
		if (i * 1237 % PAGES / BLOCK != COMES)
			blocks_look(i * 1237 % PAGES);
	ck_assert(!is_unseen(COMES));
	/* It is counted when all of it has gone. */
	for (int i = 0; i < 50000 && watched_stats().pages_ahead_unused < BLOCK;
	     i++)
		watched_nap();
	ck_assert_uint_ge(watched_stats().pages_ahead_unused, BLOCK);
	end();
}
END_TEST

/* -- What fails, and what is slow -------------------------------------------------- */

START_TEST(what_cannot_be_read_is_told_to_who_touches_it)
{
	size_t bad = COMES * BLOCK + BLOCK / 2;
	uint64_t value;

	caught_install();
	begin();
	watched_bad_from = bad;
	blocks_scan(0, bad - PIECE, false);
	for (int i = 0; i < 50; i++)
		watched_nap();
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_int_eq(caught_read(blocks_page(bad + 1), &value), SIGBUS);
	ck_assert_uint_eq(watched_reports, 1);
	blocks_look(bad - 1);
	ck_assert_uint_le(atomic_load(&lm_quota_process.used), LIMIT_PAGES);
	watched_bad_from = WATCHED_NONE;
	watched_reports = 0;
	blocks_scan(bad, PAGES, false);
	end();
}
END_TEST

static int (*read_known)(void *, void *, size_t, off_t);
static _Atomic long read_ns;
static _Atomic unsigned reading, most_reading;

static int read_slowly(void *data, void *buf, size_t len, off_t offset)
{
	struct timespec moment = { .tv_nsec = read_ns };
	unsigned now = atomic_fetch_add(&reading, 1) + 1;

	/* Of one block: the stream is far behind what is asked for. */
	if (now > most_reading && (size_t)offset / PAGE >= COMES * BLOCK)
		most_reading = now;
	nanosleep(&moment, NULL);
	atomic_fetch_sub(&reading, 1);
	return read_known(data, buf, len, offset);
}

static void begin_slow(long ns)
{
	read_ns = ns;
	read_known = watched_ops.read;
	watched_ops.read = read_slowly;
	begin();
}

START_TEST(a_block_that_takes_time_is_read_by_several)
{
	begin_slow(60000);
	blocks_scan(0, COMES * BLOCK, false);
	blocks_scan(COMES * BLOCK, (COMES + 2) * BLOCK, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_gt(most_reading, 1);
	for (size_t i = 0; i < (COMES + 2) * BLOCK; i++)
		ck_assert_uint_eq(watched_reads[i], 1);
}
END_TEST

/* Who touches its first page is not to wait for 32 reads. */
START_TEST(a_slow_store_is_read_by_pieces)
{
	size_t n = 4, whole = 0;

	begin_slow(3000000);
	lm_store_slow_ns = 2000000;
	blocks_scan(0, (n + 1) * BLOCK, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert(!came_whole(n));
	/* And by blocks, when it counts as slow no more. */
	read_ns = 0;
	lm_store_slow_ns = UINT32_MAX;
	for (size_t i = n + 1; i < BLOCKS; i++) {
		blocks_scan(i * BLOCK, (i + 1) * BLOCK, false);
		whole += came_whole(i);
	}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_gt(whole, 0);
}
END_TEST

START_TEST(blocks_come_only_where_they_may)
{
	size_t limit = _i == 0 ? LIMIT / 2 : LIMIT;

	begin_with(&(struct lazymap_options){ .resident = limit });
	if (_i == 1)
		lm_frame_refuse();
	if (_i == 2 &&
	    lazymap_advise(watched_base, PAGES * PAGE, MADV_DONTDUMP) < 0) {
		printf("skipped: the kernel takes no such advice\n");
		return;
	}
	blocks_scan(0, PAGES, false);
	for (size_t i = 0; i < BLOCKS; i++)
		ck_assert(!came_whole(i));
	ck_assert_uint_gt(watched_stats().pages_ahead, PAGES / 4);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

START_TEST(an_areas_own_limit_holds)
{
	begin_with(&(struct lazymap_options){ .resident = _i ? 2 * LIMIT : 0 });
	blocks_hold_own_limit(_i, false);
	blocks_scan(PAGES / 2, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crew");
	TCase *crew = tcase_create("crew");

	tcase_set_timeout(crew, 20);
	tcase_add_loop_test(crew, a_stream_has_blocks_read_once_each, 0, 2);
	tcase_add_loop_test(crew, who_touches_it_meanwhile_waits_for_it, 0,
			    2 * STEPS);
	tcase_add_loop_test(crew, a_child_made_meanwhile_has_everything, 0,
			    2 * STEPS);
	tcase_add_loop_test(crew, it_is_not_unmapped_or_dropped_meanwhile, 0,
			    2 * STEPS);
	tcase_add_test(crew, a_stream_that_is_before_the_workers_has_one_begin);
	tcase_add_test(crew, streams_each_way_that_write_lose_nothing);
	tcase_add_loop_test(crew, an_unseen_block_is_shown_whole_by_one_fault,
			    0, 4);
	tcase_add_loop_test(crew, an_unseen_block_may_be_changed_in_part, 0, 4);
	tcase_add_test(crew,
		       a_block_that_is_driven_out_untouched_was_a_wrong_guess);
	tcase_add_test(crew, what_cannot_be_read_is_told_to_who_touches_it);
	tcase_add_test(crew, a_block_that_takes_time_is_read_by_several);
	tcase_add_test(crew, a_slow_store_is_read_by_pieces);
	tcase_add_loop_test(crew, blocks_come_only_where_they_may, 0, 3);
	tcase_add_loop_test(crew, an_areas_own_limit_holds, 0, 2);
	suite_add_tcase(suite, crew);
	return program_run(suite);
}
