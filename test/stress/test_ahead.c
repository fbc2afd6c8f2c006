/*
 * test_ahead.c -- what workers read ahead of streams in a store: every byte
 * right and read once, whatever comes between, and none where nobody wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "held.h"
#include "known.h"
#include "lazymap.h"
#include "program.h"
#include "quota.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define PAGES ((size_t)4096)
#define LIMIT ((size_t)4 << 20)
#define THREADS 8

static char *base;
static _Atomic unsigned reads[PAGES];
static _Atomic size_t stop_at, bad_from; /* pages; PAGES: none */
static _Atomic bool stopped;
static _Atomic unsigned reading, reports, closed;
static _Atomic size_t wrong, over;

static void nap(void)
{
	struct timespec moment = { .tv_nsec = 100000 };

	nanosleep(&moment, NULL);
}

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	size_t first = (size_t)offset / PAGE, n = len / PAGE;

	(void)data;
	reading++;
	while (first <= stop_at && stop_at < first + n) {
		stopped = true;
		nap();
	}
	for (size_t i = first; i < first + n; i++)
		reads[i]++;
	known_fill(buf, len, first);
	reading--;
	return first + n > bad_from ? -EIO : 0;
}

static void close_known(void *data)
{
	(void)data;
	closed = 1 + reading;
}

static int report(const struct lazymap_error *error, void *data)
{
	(void)data;
	(void)error;
	reports++;
	return 0;
}

static struct lazymap_store_ops ops = {
	.size = sizeof(ops),
	.version = LAZYMAP_STORE_VERSION,
	.read = read_known,
	.close = close_known,
};

static void begin(const struct lazymap_options *wanted)
{
	struct lazymap_options options = *wanted;

	options.size = sizeof(options);
	lazymap_on_error(report, NULL);
	stop_at = bad_from = PAGES;
	ck_assert_int_eq(lazymap_start(&options), 0);
	base = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, &ops, NULL, 0);
	ck_assert_ptr_ne(base, LAZYMAP_FAILED);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

/* The page that is the i-th of a scan. */
static size_t at(size_t i, bool down)
{
	return down ? PAGES - 1 - i : i;
}

static void look(size_t page)
{
	wrong += known_wrong(base + page * PAGE, page);
}

static void scan(size_t from, size_t to, bool down)
{
	for (size_t i = from; i < to; i++)
		look(at(i, down));
}

static void wait_for(_Atomic bool *what)
{
	for (int i = 0; i < 300000 && !*what; i++)
		nap();
	ck_assert(*what);
}

START_TEST(a_page_is_read_before_it_is_touched_and_no_page_twice)
{
	bool down = _i;

	begin(&(struct lazymap_options){ 0 });
	/* Streams begin with 64 KiB: faults at 0, 16 and 32 pages. */
	stop_at = at(80, down);
	scan(0, 60, down);
	/* Only a worker can have come there: who touches does not wait. */
	wait_for(&stopped);
	ck_assert_uint_eq(reads[stop_at], 0);
	stop_at = PAGES;
	scan(60, PAGES, down);
	ck_assert_uint_eq(wrong, 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_msg(reads[i] == 1, "page %zu: %u reads", i, reads[i]);
	ck_assert_uint_gt(stats().pages_ahead, PAGES / 8);
	/* No more faults than a marker for each 2 MiB, and the ramp; but who is
	 * before the workers faults for himself. */
	ck_assert_uint_le(stats().faults_read + stats().faults_soft, 300);
}
END_TEST

static size_t of_thread(size_t thread, size_t i)
{
	return thread * (PAGES / THREADS) +
	       (thread & 1 ? PAGES / THREADS - 1 - i : i);
}

static uint64_t *own_word(size_t page)
{
	return (uint64_t *)(base + page * PAGE) + 1;
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
	ck_assert_uint_eq(reports, 0);
	ck_assert_uint_gt(stats().pages_ahead, 0);
}
END_TEST

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
	held_at(steps[_i / 2], base + (down ? first - 15 : first) * PAGE,
		LM_STEP_WAIT);
	scan(32, 64, down);
	held_wait();
	look(first);
	ck_assert_uint_gt(held_passed(LM_STEP_WAIT), 0);
	scan(65, PAGES, down);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_to_who_touches_it)
{
	uint64_t value;

	caught_install();
	begin(&(struct lazymap_options){ 0 });
	bad_from = 80;
	scan(0, 64, false);
	for (int i = 0; i < 100; i++)
		nap();
	ck_assert_uint_eq(reports, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(caught_read(base + 100 * PAGE, &value), SIGBUS);
	ck_assert_uint_eq(reports, 1);
	bad_from = PAGES;
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
		nap();
	for (size_t i = PAGES / 16; i < PAGES; i++) {
		size_t page = at(i, down);

		if (*own_word(page) == ~known_word(page, 1))
			*own_word(page) = known_word(page, 1);
		look(page);
		/* Let the workers be first, now and then. */
		if (i % 64 == 0)
			nap();
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(stats().pages_ahead, PAGES / 8);
}
END_TEST

static void *let_go(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		nap();
	ck_assert_uint_eq(closed, 0);
	stop_at = PAGES;
	return NULL;
}

START_TEST(a_store_is_not_closed_while_it_is_read_ahead)
{
	pthread_t thread;

	begin(&(struct lazymap_options){ 0 });
	stop_at = 80;
	scan(0, 60, false);
	wait_for(&stopped);
	ck_assert_int_eq(pthread_create(&thread, NULL, let_go, NULL), 0);
	ck_assert_int_eq(lazymap_unmap(base, PAGES * PAGE), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(closed, 1);
	ck_assert_uint_eq(reads[PAGES - 1], 0);
}
END_TEST

START_TEST(nothing_is_read_ahead_where_nobody_wants_it)
{
	struct lazymap_options options = { .threads = _i == 0 ? -1 : 0,
					   .cluster = _i == 1 ? 16 * PAGE : 0 };

	ops.flags = _i == 2 ? LAZYMAP_STORE_IN_HANDLER : 0;
	begin(&options);
	if (_i == 3)
		ck_assert_int_eq(
			lazymap_advise(base, PAGES * PAGE, MADV_RANDOM), 0);
	if (_i == 4)
		for (size_t i = 0; i < PAGES; i++)
			look(i * 1237 % PAGES);
	else
		scan(0, PAGES, false);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(stats().pages_ahead, 0);
}
END_TEST

START_TEST(wrong_guesses_are_counted)
{
	begin(&(struct lazymap_options){ .resident = LIMIT });
	scan(0, 64, false);
	while (!stats().pages_ahead)
		nap();
	ck_assert_uint_eq(stats().pages_ahead_unused, 0);
	/* Elsewhere, until it is driven out. */
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < PAGES - 512; i++)
			look(512 + i * 1237 % (PAGES - 512));
	ck_assert_uint_gt(stats().pages_ahead_unused, 0);
	ck_assert_uint_le(stats().pages_ahead_unused, stats().pages_ahead * 2);
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
