/*
 * test_stride.c -- what workers read ahead of strides in a store: the pages that
 * are touched, once each, and none between them; every byte right, whatever comes
 * between.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guard.h"
#include "held.h"
#include "program.h"
#include "quota.h"
#include "watched.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGES ((size_t)32768)
#define LIMIT ((size_t)4 << 20)
#define STEP ((size_t)67) /* pages */
#define STEPS ((PAGES - 1) / STEP + 1)
#define THREADS 8
/* Faults that are on no stride yet, and the one that makes it one. */
#define LEARN 4

static _Atomic size_t wrong, over;

static void begin(const struct lazymap_options *options)
{
	watched_begin(options, PAGES);
}

static size_t at(size_t i, bool down)
{
	return (down ? STEPS - 1 - i : i) * STEP;
}

static void look(size_t page)
{
	wrong += known_wrong(watched_base + page * PAGE, page);
	over += atomic_load(&lm_quota_process.used) > LIMIT / PAGE;
}

static void walk(size_t from, size_t to, bool down)
{
	for (size_t i = from; i < to; i++)
		look(at(i, down));
}

START_TEST(a_page_is_read_before_it_is_touched_and_none_between)
{
	bool down = _i;

	begin(&(struct lazymap_options){ 0 });
	/* The fifth touch asks for the sixth and seventh, the sixth for four
	 * more, of which the last is not touched soon. */
	watched_stop_at = at(10, down);
	walk(0, 6, down);
	/* Only a worker can have come there: who touches does not wait. */
	watched_wait_for(&watched_stopped);
	ck_assert_uint_eq(watched_reads[watched_stop_at], 0);
	watched_stop_at = WATCHED_NONE;
	walk(6, STEPS, down);
	ck_assert_uint_eq(wrong, 0);
	for (size_t i = 0; i < PAGES; i++) {
		size_t step = i / STEP;
		bool learning = down ? step + LEARN + 1 >= STEPS : step < LEARN;
		unsigned wanted = i % STEP == 0 && step < STEPS;

		/* The first faults bring what is around them, too. */
		if (!learning || wanted)
			ck_assert_msg(watched_reads[i] == wanted,
				      "page %zu: %u reads", i,
				      watched_reads[i]);
	}
	ck_assert_uint_gt(watched_stats().pages_ahead, STEPS / 4);
	ck_assert_uint_eq(watched_stats().pages_ahead_unused, 0);
}
END_TEST

/* Some pages a step: they come with it, when it is known which. */
START_TEST(what_a_step_touches_comes_whole_and_none_between)
{
	size_t width = (size_t)_i;

	begin(&(struct lazymap_options){ 0 });
	for (size_t i = 0; i < STEPS; i++) {
		for (size_t k = 0; k < width; k++)
			look(at(i, false) + k);
		watched_nap();
	}
	ck_assert_uint_eq(wrong, 0);
	for (size_t i = LEARN * STEP; i < STEPS * STEP; i++)
		ck_assert_msg(watched_reads[i] == (i % STEP < width),
			      "page %zu: %u reads", i, watched_reads[i]);
	ck_assert_uint_gt(watched_stats().pages_ahead, STEPS * width / 16);
}
END_TEST

/* Two pages each, they do not fit. */
#define OF_THREAD ((size_t)100)

/* Each has steps of its own, and pages of its own; every second goes down. */
static size_t of_thread(size_t thread, size_t i)
{
	size_t part = PAGES / THREADS;

	return thread * part +
	       (thread & 1 ? OF_THREAD - 1 - i : i) * (part / OF_THREAD);
}

static uint64_t *own_word(size_t page)
{
	return (uint64_t *)(watched_base + page * PAGE) + 1;
}

/* Two pages a step are read, and a word of one is written; then they come
 * again. */
static void *stride(void *data)
{
	size_t thread = (size_t)data;

	for (size_t round = 0; round < 6; round++)
		for (size_t i = 0; i < OF_THREAD; i++) {
			size_t page = of_thread(thread, i);
			uint64_t word = known_word(page, 1);

			wrong += *own_word(page) != (round & 1 ? ~word : word);
			*own_word(page) = word;
			look(page);
			look(page + 1);
			*own_word(page) = round & 1 ? word : ~word;
		}
	return NULL;
}

START_TEST(eight_strides_each_way_under_a_limit_lose_nothing)
{
	pthread_t threads[THREADS];

	begin(&(struct lazymap_options){ .resident = LIMIT });
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stride, (void *)i),
			0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(over, 0);
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_uint_gt(watched_stats().pages_ahead, 0);
	/* Nothing but what is touched, but for what the first faults bring. */
	ck_assert_uint_le(watched_stats().pages_filled,
			  THREADS * (6 * 2 * OF_THREAD + 1000));
}
END_TEST

START_TEST(who_touches_what_a_worker_holds_waits_for_it)
{
	static const enum lm_step steps[] = { LM_STEP_CLAIMED, LM_STEP_READ,
					      LM_STEP_FILLED,
					      LM_STEP_REVEALED };
	bool down = _i & 1;
	/* The first that is asked for, which stays hidden, or the second. */
	size_t which = _i & 2 ? LEARN + 2 : LEARN + 1;
	bool seen = _i & 2 && steps[_i / 4] == LM_STEP_REVEALED;

	begin(&(struct lazymap_options){ 0 });
	held_at(steps[_i / 4], watched_base + at(which, down) * PAGE,
		LM_STEP_WAIT);
	walk(0, LEARN + 1, down);
	held_wait();
	look(at(which, down));
	ck_assert_int_eq(held_passed(LM_STEP_WAIT) > 0, !seen);
	held_release();
	walk(LEARN, STEPS, down);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static void *look_later(void *page)
{
	look(*(size_t *)page);
	return NULL;
}

/* A worker opens a block (guard.h) in which another thread touches a page. */
START_TEST(a_block_is_opened_ahead_while_its_pages_are_touched)
{
	size_t other = 9 * STEP + 30;
	uintptr_t block;
	pthread_t thread;

	begin(&(struct lazymap_options){ .resident = _i ? LIMIT : 0 });
	if (!lm_guard_stores()) {
		printf("skipped: no blocks of stores are opened here\n");
		return;
	}
	/* In a block of 512 pages there are seven steps: the fifth touch asks
	 * for the sixth and seventh, the sixth for the eighth to eleventh. */
	block = (uintptr_t)(watched_base + 9 * STEP * PAGE) & ~(LM_BLOCK - 1);
	held_at(LM_STEP_GUARDED, (void *)block, LM_STEP_WAIT);
	walk(0, 6, false);
	held_wait();
	ck_assert_int_eq(pthread_create(&thread, NULL, look_later, &other), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(held_passed(LM_STEP_WAIT), 0);
	walk(6, STEPS, false);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_to_who_touches_it)
{
	uint64_t value;

	caught_install();
	begin(&(struct lazymap_options){ 0 });
	watched_bad_from = (LEARN + 1) * STEP;
	walk(0, LEARN + 1, false);
	for (int i = 0; i < 100; i++)
		watched_nap();
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(
		caught_read(watched_base + (LEARN + 1) * STEP * PAGE, &value),
		SIGBUS);
	ck_assert_uint_eq(watched_reports, 1);
	watched_bad_from = WATCHED_NONE;
	walk(LEARN + 1, STEPS, false);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static int look_at_all(void)
{
	wrong = 0;
	walk(0, STEPS, false);
	return wrong != 0;
}

START_TEST(a_child_and_its_parent_each_read_on)
{
	if (program_sanitized("thread")) {
		printf("skipped: ThreadSanitizer lets no child start threads\n");
		return;
	}
	begin(&(struct lazymap_options){ .resident = _i ? LIMIT : 0 });
	for (size_t i = 0; i < 10; i++) {
		walk(i * 20, (i + 1) * 20, false);
		ck_assert_int_eq(caught_child(look_at_all), 0);
	}
	walk(0, STEPS, true);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(a_store_is_not_closed_while_it_is_read_ahead)
{
	begin(&(struct lazymap_options){ 0 });
	watched_stop_at = (LEARN + 2) * STEP;
	walk(0, LEARN + 1, false);
	watched_unmap_while_reading(PAGES);
	ck_assert_uint_eq(watched_reads[(LEARN + 3) * STEP], 0);
}
END_TEST

START_TEST(nothing_is_read_ahead_where_nobody_wants_it)
{
	struct lazymap_options options = { .threads = _i == 0 ? -1 : 0,
					   .cluster = _i == 1 ? 4 * PAGE : 0 };

	watched_ops.flags = _i == 2 ? LAZYMAP_STORE_IN_HANDLER : 0;
	begin(&options);
	if (_i == 3)
		ck_assert_int_eq(
			lazymap_advise(watched_base, PAGES * PAGE, MADV_RANDOM),
			0);
	walk(0, STEPS, false);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(watched_stats().pages_ahead, 0);
}
END_TEST

enum { ZEROS, FILE_PRIVATE, FILE_SHARED, KINDS };

static void begin_direct(int kind, size_t limit)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = limit };
	int fd = kind == ZEROS ? -1 : known_file("direct", PAGES);

	ck_assert_int_eq(lazymap_start(&options), 0);
	watched_base = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   kind == FILE_SHARED ? MAP_SHARED
				   : kind == FILE_PRIVATE
					   ? MAP_PRIVATE
					   : MAP_PRIVATE | MAP_ANONYMOUS,
				   fd, 0);
	ck_assert_ptr_ne(watched_base, LAZYMAP_FAILED);
}

static uint64_t first_word(int kind, size_t page)
{
	return kind == ZEROS ? 0 : known_word(page, 1);
}

/* Memory of the kernel's own: the fault shows the next steps, too. */
START_TEST(a_fault_shows_what_comes_next_where_that_is_enough)
{
	int kind = _i % KINDS;
	bool write = _i / KINDS & 1, down = _i / KINDS & 2;
	size_t limit = _i / KINDS & 4 ? LIMIT / 4 : 0;
	struct lazymap_stats seen;

	begin_direct(kind, limit);
	for (size_t i = 0; i < STEPS; i++) {
		size_t page = at(i, down);

		wrong += *own_word(page) != first_word(kind, page);
		if (write)
			*own_word(page) = ~page;
		over += limit &&
			atomic_load(&lm_quota_process.used) > limit / PAGE;
	}
	seen = watched_stats();
	/* Sixteen at once when it is known, and within the limit four. */
	ck_assert_uint_le(seen.faults_read + seen.faults_write,
			  limit ? STEPS / 4 : STEPS / 8);
	ck_assert_uint_le(seen.pages_filled, STEPS + LEARN * 15);
	ck_assert_uint_ge(seen.pages_ahead, STEPS * 3 / 4);
	for (size_t i = 0; i < STEPS; i++) {
		size_t page = at(i, false);
		uint64_t word = write ? ~page : first_word(kind, page);

		wrong += *own_word(page) != word;
		wrong += *own_word(page + 1) != first_word(kind, page + 1);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(over, 0);
}
END_TEST

static int write_on(void)
{
	for (size_t i = 0; i < STEPS; i++) {
		wrong += *own_word(at(i, false)) != 0;
		*own_word(at(i, false)) = i;
	}
	return wrong != 0;
}

START_TEST(a_child_and_its_parent_are_each_shown_what_comes_next)
{
	begin_direct(ZEROS, _i ? LIMIT / 4 : 0);
	/* Half way in a batch. */
	for (size_t i = 0; i < 7; i++)
		wrong += *own_word(at(i, false)) != 0;
	ck_assert_int_eq(caught_child(write_on), 0);
	ck_assert_int_eq(write_on(), 0);
}
END_TEST

static void *write_later(void *page)
{
	*own_word(*(size_t *)page) = 1;
	return NULL;
}

static void *read_five(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < LEARN + 1; i++)
		wrong += *own_word(at(i, false)) != 0;
	return NULL;
}

START_TEST(who_touches_what_is_shown_ahead_waits_for_it)
{
	static const enum lm_step steps[] = { LM_STEP_CLAIMED, LM_STEP_FILLED };
	size_t other = (LEARN + 1) * STEP;
	pthread_t thread, writer;
	int ret;

	begin_direct(ZEROS, 0);
	held_at(steps[_i], watched_base + other * PAGE, LM_STEP_WAIT);
	ret = pthread_create(&thread, NULL, read_five, NULL);
	ck_assert_int_eq(ret, 0);
	held_wait();
	ret = pthread_create(&writer, NULL, write_later, &other);
	ck_assert_int_eq(ret, 0);
	pthread_join(writer, NULL);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(held_passed(LM_STEP_WAIT), 0);
	ck_assert_uint_eq(*own_word(other), 1);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* What comes there stays: so it is what is touched. */
START_TEST(nothing_is_shown_ahead_where_it_could_not_go_again)
{
	begin_direct(ZEROS, 0);
	if (lazymap_lock(watched_base, PAGES * PAGE, MLOCK_ONFAULT) < 0) {
		printf("skipped: so much cannot be locked here\n");
		return;
	}
	for (size_t i = 0; i < STEPS; i++)
		*own_word(at(i, false)) = i;
	ck_assert_uint_eq(watched_stats().pages_ahead, 0);
}
END_TEST

/* It is given up when others have come in its place. */
START_TEST(what_was_shown_in_vain_is_counted)
{
	uint64_t random = program_seed();

	begin_direct(ZEROS, 0);
	for (size_t i = 0; i < LEARN + 1; i++)
		*own_word(at(i, false)) = i;
	ck_assert_uint_eq(watched_stats().pages_ahead, 2);
	for (size_t i = 0; i < 200; i++) {
		size_t first = PAGES / 2 + program_random(&random) % 8000;
		size_t step = 1000 + program_random(&random) % 3000;

		for (size_t k = 0; k < 3; k++)
			*own_word(first + k * step) = i;
	}
	ck_assert_uint_ge(watched_stats().pages_ahead_unused, 2);
	ck_assert_uint_le(watched_stats().pages_ahead_unused,
			  watched_stats().pages_ahead);
}
END_TEST

START_TEST(wrong_guesses_are_counted_and_few)
{
	uint64_t random = program_seed();

	begin(&(struct lazymap_options){ .resident = LIMIT });
	walk(0, LEARN + 1, false);
	while (watched_stats().pages_ahead < 2)
		watched_nap();
	ck_assert_uint_eq(watched_stats().pages_ahead_unused, 0);
	/* Elsewhere, until it is driven out. */
	for (size_t i = 0; i < 2000; i++)
		look(PAGES / 2 + program_random(&random) % (PAGES / 2));
	ck_assert_uint_ge(watched_stats().pages_ahead_unused, 2);
	walk(0, STEPS, false);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stride");
	TCase *stride = tcase_create("stride");

	tcase_set_timeout(stride, 15);
	tcase_add_loop_test(
		stride, a_page_is_read_before_it_is_touched_and_none_between, 0,
		2);
	tcase_add_loop_test(
		stride, what_a_step_touches_comes_whole_and_none_between, 2, 5);
	tcase_add_test(stride,
		       eight_strides_each_way_under_a_limit_lose_nothing);
	tcase_add_loop_test(
		stride, who_touches_what_a_worker_holds_waits_for_it, 0, 16);
	tcase_add_loop_test(stride,
			    a_block_is_opened_ahead_while_its_pages_are_touched,
			    0, 2);
	tcase_add_test(stride, what_cannot_be_read_is_told_to_who_touches_it);
	tcase_add_loop_test(stride, a_child_and_its_parent_each_read_on, 0, 2);
	tcase_add_test(stride, a_store_is_not_closed_while_it_is_read_ahead);
	tcase_add_loop_test(stride, nothing_is_read_ahead_where_nobody_wants_it,
			    0, 4);
	tcase_add_loop_test(stride,
			    a_fault_shows_what_comes_next_where_that_is_enough,
			    0, KINDS * 8);
	tcase_add_loop_test(
		stride, a_child_and_its_parent_are_each_shown_what_comes_next,
		0, 2);
	tcase_add_loop_test(stride,
			    who_touches_what_is_shown_ahead_waits_for_it, 0, 2);
	tcase_add_test(stride,
		       nothing_is_shown_ahead_where_it_could_not_go_again);
	tcase_add_test(stride, what_was_shown_in_vain_is_counted);
	tcase_add_test(stride, wrong_guesses_are_counted_and_few);
	suite_add_tcase(suite, stride);
	return program_run(suite);
}
