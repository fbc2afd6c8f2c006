/*
 * test_ahead.c -- what workers read ahead of streams in a store: every byte
 * right and read once, whatever comes between, and none where nobody wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "held.h"
#include "program.h"
#include "quota.h"
#include "watched.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGES ((size_t)4096)
#define LIMIT ((size_t)4 << 20)
#define THREADS 8

static _Atomic size_t wrong, over;

static void begin(const struct lazymap_options *options)
{
	watched_begin(options, PAGES);
}

/* The page that is the i-th of a scan. */
static size_t at(size_t i, bool down)
{
	return down ? PAGES - 1 - i : i;
}

static void look(size_t page)
{
	wrong += known_wrong(watched_base + page * PAGE, page);
}

static void scan(size_t from, size_t to, bool down)
{
	for (size_t i = from; i < to; i++)
		look(at(i, down));
}

START_TEST(a_page_is_read_before_it_is_touched_and_no_page_twice)
{
	bool down = _i;

	begin(&(struct lazymap_options){ 0 });
	/* Streams begin with 64 KiB: faults at 0, 16 and 32 pages. */
	watched_stop_at = at(80, down);
	scan(0, 60, down);
	/* Only a worker can have come there: who touches does not wait. */
	watched_wait_for(&watched_stopped);
	ck_assert_uint_eq(watched_reads[watched_stop_at], 0);
	watched_stop_at = WATCHED_NONE;
	scan(60, PAGES, down);
	ck_assert_uint_eq(wrong, 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_msg(watched_reads[i] == 1, "page %zu: %u reads", i,
			      watched_reads[i]);
	ck_assert_uint_gt(watched_stats().pages_ahead, PAGES / 8);
	/* No more faults than a marker for each 2 MiB, and the ramp; but who is
	 * before the workers faults for himself. */
	ck_assert_uint_le(
		watched_stats().faults_read + watched_stats().faults_soft, 300);
}
END_TEST

static size_t of_thread(size_t thread, size_t i)
{
	return thread * (PAGES / THREADS) +
	       (thread & 1 ? PAGES / THREADS - 1 - i : i);
}

static uint64_t *own_word(size_t page)
{
	return (uint64_t *)(watched_base + page * PAGE) + 1;
}

/* Each page is read, and a word of it written; then they come again. */
static void *stream(void *data)
{
	size_t thread = (size_t)data;

	for (size_t i = 0; i < PAGES / THREADS; i++) {
		size_t page = of_thread(thread, i);

		look(page);
		*own_word(page) = ~known_word(page, 1);
		over += atomic_load(&lm_quota_process.used) > LIMIT / PAGE;
	}
	for (size_t i = 0; i < PAGES / THREADS; i++) {
		size_t page = of_thread(thread, i);

		wrong += *own_word(page) != ~known_word(page, 1);
		*own_word(page) = known_word(page, 1);
		look(page);
		over += atomic_load(&lm_quota_process.used) > LIMIT / PAGE;
	}
	return NULL;
}

START_TEST(eight_streams_each_way_under_a_limit_lose_nothing)
{
	pthread_t threads[THREADS];

	begin(&(struct lazymap_options){ .resident = LIMIT });
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stream, (void *)i),
			0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(over, 0);
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_uint_gt(watched_stats().pages_ahead, 0);
}
END_TEST

/* There is no room for a stack, and some for all else. */
static void no_more_threads(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	struct rlimit limit;
	size_t pages;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	limit.rlim_cur = limit.rlim_max = pages * PAGE + ((size_t)4 << 20);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

START_TEST(who_touches_what_a_worker_holds_waits_for_it)
{
	static const enum lm_step steps[] = { LM_STEP_CLAIMED, LM_STEP_READ,
					      LM_STEP_FILLED,
					      LM_STEP_REVEALED };
	bool down = _i & 1;
	size_t first = at(64, down);

	begin(&(struct lazymap_options){ 0 });
	scan(0, 32, down); /* and the next fault asks for what is beyond 64 */
	/* A piece begins at its lowest page. */
	held_at(steps[_i / 2],
		watched_base + (down ? first - 15 : first) * PAGE,
		LM_STEP_WAIT);
	scan(32, 64, down);
	held_wait();
	look(first);
	ck_assert_uint_gt(held_passed(LM_STEP_WAIT), 0);
	scan(65, PAGES, down);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static _Atomic bool touching;

static void *release_soon(void *unused)
{
	(void)unused;
	while (!touching)
		watched_nap();
	for (int i = 0; i < 200; i++)
		watched_nap();
	held_release();
	return NULL;
}

/* Where no more threads can be had it is the one worker that is held, about to
 * claim what is then touched, and who touches waits for it. */
START_TEST(one_worker_does_not_wait_for_who_waits_for_it)
{
	pthread_t thread;

	if (program_sanitized("")) {
		printf("skipped: sanitizers need memory of their own\n");
		return;
	}
	begin(&(struct lazymap_options){ 0 });
	ck_assert_int_eq(pthread_create(&thread, NULL, release_soon, NULL), 0);
	no_more_threads();
	held_at(LM_STEP_CLAIM, watched_base + 32 * PAGE, LM_STEP_MAX);
	scan(0, 17, false); /* it asks for the 32nd and others */
	held_wait();
	touching = true;
	scan(17, PAGES, false);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_to_who_touches_it)
{
	uint64_t value;

	caught_install();
	begin(&(struct lazymap_options){ 0 });
	watched_bad_from = 80;
	scan(0, 64, false);
	for (int i = 0; i < 100; i++)
		watched_nap();
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(caught_read(watched_base + 100 * PAGE, &value),
			 SIGBUS);
	ck_assert_uint_eq(watched_reports, 1);
	watched_bad_from = WATCHED_NONE;
	scan(64, PAGES, false);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static int look_at_all(void)
{
	wrong = 0;
	scan(0, PAGES, false);
	return wrong != 0;
}

START_TEST(a_child_and_its_parent_each_read_on)
{
	if (program_sanitized("thread")) {
		printf("skipped: ThreadSanitizer lets no child start threads\n");
		return;
	}
	begin(&(struct lazymap_options){ .resident = _i ? LIMIT : 0 });
	for (size_t i = 0; i < 20; i++) {
		scan(i * 200, (i + 1) * 200, false);
		ck_assert_int_eq(caught_child(look_at_all), 0);
	}
	scan(0, PAGES, true);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Blocks in which pages were touched alone have markers in the place of others. */
START_TEST(a_stream_comes_to_where_single_pages_were_touched)
{
	bool down = _i & 1;

	begin(&(struct lazymap_options){ .resident = _i & 2 ? LIMIT : 0 });
	for (size_t i = PAGES / 8; i < PAGES * 7 / 8; i += 200) {
		look(i);
		*own_word(i + 90) = ~known_word(i + 90, 1);
	}
	scan(0, PAGES / 16, down);
	for (int i = 0; i < 20; i++)
		watched_nap();
	for (size_t i = PAGES / 16; i < PAGES; i++) {
		size_t page = at(i, down);

		if (*own_word(page) == ~known_word(page, 1))
			*own_word(page) = known_word(page, 1);
		look(page);
		/* Let the workers be first, now and then. */
		if (i % 64 == 0)
			watched_nap();
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(watched_stats().pages_ahead, PAGES / 8);
}
END_TEST

START_TEST(a_store_is_not_closed_while_it_is_read_ahead)
{
	begin(&(struct lazymap_options){ 0 });
	watched_stop_at = 80;
	scan(0, 60, false);
	watched_unmap_while_reading(PAGES);
	ck_assert_uint_eq(watched_reads[PAGES - 1], 0);
}
END_TEST

START_TEST(nothing_is_read_ahead_where_nobody_wants_it)
{
	struct lazymap_options options = { .threads = _i == 0 ? -1 : 0,
					   .cluster = _i == 1 ? 16 * PAGE : 0 };

	watched_ops.flags = _i == 2 ? LAZYMAP_STORE_IN_HANDLER : 0;
	begin(&options);
	if (_i == 3)
		ck_assert_int_eq(
			lazymap_advise(watched_base, PAGES * PAGE, MADV_RANDOM),
			0);
	if (_i == 4)
		for (size_t i = 0; i < PAGES; i++)
			look((i * i * 61 + i * 17) % PAGES);
	else
		scan(0, PAGES, false);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(watched_stats().pages_ahead, 0);
}
END_TEST

START_TEST(wrong_guesses_are_counted)
{
	begin(&(struct lazymap_options){ .resident = LIMIT });
	scan(0, 64, false);
	while (!watched_stats().pages_ahead)
		watched_nap();
	ck_assert_uint_eq(watched_stats().pages_ahead_unused, 0);
	/* Elsewhere, until it is driven out. */
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < PAGES - 512; i++)
			look(512 + i * 1237 % (PAGES - 512));
	ck_assert_uint_gt(watched_stats().pages_ahead_unused, 0);
	ck_assert_uint_le(watched_stats().pages_ahead_unused,
			  watched_stats().pages_ahead * 2);
	scan(0, PAGES, false);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ahead");
	TCase *ahead = tcase_create("ahead");

	tcase_set_timeout(ahead, 6);
	tcase_add_loop_test(
		ahead, a_page_is_read_before_it_is_touched_and_no_page_twice, 0,
		2);
	tcase_add_test(ahead,
		       eight_streams_each_way_under_a_limit_lose_nothing);
	tcase_add_loop_test(ahead, who_touches_what_a_worker_holds_waits_for_it,
			    0, 8);
	tcase_add_test(ahead, one_worker_does_not_wait_for_who_waits_for_it);
	tcase_add_test(ahead, what_cannot_be_read_is_told_to_who_touches_it);
	tcase_add_loop_test(ahead, a_child_and_its_parent_each_read_on, 0, 2);
	tcase_add_loop_test(
		ahead, a_stream_comes_to_where_single_pages_were_touched, 0, 4);
	tcase_add_test(ahead, a_store_is_not_closed_while_it_is_read_ahead);
	tcase_add_loop_test(ahead, nothing_is_read_ahead_where_nobody_wants_it,
			    0, 5);
	tcase_add_test(ahead, wrong_guesses_are_counted);
	suite_add_tcase(suite, ahead);
	return program_run(suite);
}
