/*
 * test_store_fails.c -- a store that cannot be read, or written: SIGBUS with the
 * address or the callback, an errno where somebody asked, never wrong bytes.
 *
 * Faults are injected by count.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "known.h"
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
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 600

static char *area;
static atomic_int reads, writes, syncs, closes;
/* The calls from this one on that fail (0: none), and how many of them. */
static atomic_int fail_from, fail_count;
static atomic_int failure = -EIO;
static char kept[PAGES * PAGE];

static bool fails(int call)
{
	int from = atomic_load(&fail_from);

	return from && call >= from && call < from + atomic_load(&fail_count);
}

static void inject(int from, int count)
{
	atomic_store(&reads, 0);
	atomic_store(&writes, 0);
	atomic_store(&syncs, 0);
	atomic_store(&fail_count, count);
	atomic_store(&fail_from, from);
}

static _Atomic size_t bad = PAGES; /* the page that cannot be read */

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	size_t page = (size_t)offset / PAGE;

	(void)data;
	if (page <= atomic_load(&bad) && page + len / PAGE > atomic_load(&bad))
		return atomic_load(&failure);
	if (fails(atomic_fetch_add(&reads, 1) + 1)) {
		memset(buf, 0, len / 2); /* it got so far */
		return atomic_load(&failure);
	}
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static int keep(void *data, const void *buf, size_t len, off_t offset)
{
	(void)data;
	if (fails(atomic_fetch_add(&writes, 1) + 1))
		return atomic_load(&failure);
	memcpy(kept + offset, buf, len);
	return 0;
}

static int sync_it(void *data)
{
	(void)data;
	return fails(atomic_fetch_add(&syncs, 1) + 1) ? atomic_load(&failure)
						      : 0;
}

static void close_it(void *data)
{
	(void)data;
	atomic_fetch_add(&closes, 1);
}

static char *map_store(unsigned flags, int how)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = flags,
		.read = read_known,
		.write = keep,
		.sync = sync_it,
		.close = close_it,
	};
	char *at = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				     how, &ops, NULL, 0);

	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

/* i: 0 in the handler, 1 by a worker. */
static void begin(int i, size_t cluster, int how)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = cluster };

	caught_install();
	ck_assert_int_eq(lazymap_start(&options), 0);
	area = map_store(i ? 0 : LAZYMAP_STORE_IN_HANDLER, how);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

static void check_all(void)
{
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
}

/* -- Reading ------------------------------------------------------------------------ */

START_TEST(failed_read_is_sigbus_at_the_address)
{
	char *at = NULL;
	uint64_t word;

	begin(_i, PAGE, MAP_PRIVATE);
	at = area + 7 * PAGE + 1232;
	inject(1, 2);
	ck_assert_int_eq(caught_read(at, &word), SIGBUS);
	ck_assert_int_eq(caught.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(caught.si_addr, at);
	ck_assert_int_eq(caught_write(at + 8, 1), SIGBUS);
	ck_assert_int_eq(caught.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(caught.si_addr, at + 8);
	ck_assert(!outside_present(at));
	ck_assert_uint_eq(stats().faults_failed, 2);
	ck_assert_uint_eq(stats().pages_filled, 0);
	ck_assert_uint_eq(stats().resident, 0);
	/* The store is well again. */
	check_all();
	ck_assert_uint_eq(stats().pages_filled, PAGES);
}
END_TEST

/* Two MiB are read in pieces: the first went well. */
START_TEST(read_that_fails_half_way_shows_nothing_of_the_cluster)
{
	uint64_t word;

	begin(_i, 512 * PAGE, MAP_PRIVATE);
	inject(2, 1);
	ck_assert_int_eq(caught_read(area + 5 * PAGE, &word), SIGBUS);
	ck_assert_uint_eq(stats().pages_filled, 0);
	/* Each page is as untouched. */
	for (size_t i = 0; i < PAGES; i++) {
		inject(1, 1);
		ck_assert_int_eq(caught_read(area + i * PAGE, &word), SIGBUS);
	}
	inject(0, 0);
	check_all();
}
END_TEST

/* What is brought in beside a page, by a guess, is nothing to the page; at
 * random, and in order. */
START_TEST(page_that_cannot_be_read_is_no_other_ones_sigbus)
{
	uint64_t word;

	begin(_i & 1, 0, MAP_PRIVATE);
	atomic_store(&bad, 300);
	for (size_t i = 0; i < PAGES; i++) {
		size_t page = _i & 2 ? i : i * 211 % PAGES;

		ck_assert_int_eq(caught_read(area + page * PAGE, &word),
				 page == 300 ? SIGBUS : 0);
		if (page != 300)
			ck_assert_uint_eq(word, known_word(page, 0));
	}
	ck_assert_uint_eq(stats().faults_failed, 1);
	atomic_store(&bad, PAGES);
	check_all();
}
END_TEST

START_TEST(read_that_returns_a_count_has_failed)
{
	uint64_t word;

	begin(_i, PAGE, MAP_PRIVATE);
	atomic_store(&failure, 4096);
	inject(1, 1);
	ck_assert_int_eq(caught_read(area, &word), SIGBUS);
	check_all();
}
END_TEST

static struct lazymap_error told;
static atomic_int tells, answer;

static int on_error(const struct lazymap_error *error, void *data)
{
	if (data == &told) {
		told = *error;
		atomic_fetch_add(&tells, 1);
	}
	return atomic_load(&answer);
}

START_TEST(error_callback_is_told_and_can_have_the_touch_tried_again)
{
	uint64_t word;

	begin(_i, PAGE, MAP_PRIVATE);
	lazymap_on_error(on_error, &told);
	atomic_store(&failure, -ENOSPC);
	inject(1, 1);
	ck_assert_int_eq(caught_read(area + PAGE + 8, &word), SIGBUS);
	ck_assert_int_eq(atomic_load(&tells), 1);
	ck_assert_int_eq(told.kind, LAZYMAP_ERROR_READ);
	ck_assert_int_eq(told.error, ENOSPC);
	ck_assert_ptr_eq(told.addr, area + PAGE);
	ck_assert_ptr_nonnull(told.what);
	atomic_store(&answer, 1);
	inject(1, 3);
	ck_assert_int_eq(caught_read(area + PAGE + 8, &word), 0);
	ck_assert_uint_eq(word, known_word(1, 1));
	ck_assert_int_eq(atomic_load(&tells), 4);
	ck_assert_uint_eq(stats().faults_failed, 1);
}
END_TEST

static atomic_ulong zeros, buses;

static void *touch_again_and_again(void *unused)
{
	uint64_t word;

	(void)unused;
	for (int i = 0; i < 200; i++) {
		size_t page = (size_t)i % 16;

		if (caught_read(area + page * PAGE, &word))
			atomic_fetch_add(&buses, 1);
		else if (word != known_word(page, 0))
			atomic_fetch_add(&zeros, 1);
	}
	return NULL;
}

START_TEST(threads_at_a_store_that_fails_now_and_then_see_no_wrong_byte)
{
	pthread_t thread[8];

	begin(_i, 2 * PAGE, MAP_PRIVATE);
	inject(2, 40);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
						touch_again_and_again, NULL),
				 0);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(atomic_load(&zeros), 0);
	ck_assert_uint_eq(atomic_load(&buses), 40);
	ck_assert_uint_eq(stats().faults_failed, 40);
	check_all();
}
END_TEST

static int touch(void)
{
	signal(SIGBUS, SIG_DFL);
	inject(1, 1000);
	return *(volatile char *)(area + 3 * PAGE) & 1;
}

static int touch_blocked(void)
{
	sigset_t bus;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	sigprocmask(SIG_BLOCK, &bus, NULL);
	return touch();
}

static int touch_ignored(void)
{
	inject(1, 1000);
	signal(SIGBUS, SIG_IGN);
	return *(volatile char *)(area + 3 * PAGE) & 1;
}

/* As of a file that was cut: blocked or ignored, the kernel kills. */
START_TEST(failed_read_without_a_handler_ends_the_process_by_sigbus)
{
	int (*const bodies[])(void) = { touch, touch_blocked, touch_ignored };
	int status;

	begin(0, PAGE, MAP_PRIVATE);
	status = caught_child(bodies[_i]);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS,
		      "it ended with %x", (unsigned)status);
	check_all();
}
END_TEST

START_TEST(pin_of_what_cannot_be_read_fails_and_pins_nothing)
{
	begin(_i, PAGE, MAP_PRIVATE);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
	inject(1, 1);
	ck_assert_int_eq(lazymap_pin(area, 8 * PAGE, LAZYMAP_READ), -1);
	ck_assert_int_eq(errno, EIO);
	inject(0, 0);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED), 0);
	ck_assert_uint_eq(stats().resident, 0);
	ck_assert_uint_eq(outside_count(area, PAGES * PAGE), 0);
	check_all();
}
END_TEST

START_TEST(drop_leaves_pinned_pages_and_drops_those_around)
{
	begin(_i, PAGE, MAP_PRIVATE);
	check_all();
	memset(area, 1, 20 * PAGE);
	ck_assert_int_eq(lazymap_pin(area + 7 * PAGE, 2 * PAGE, LAZYMAP_WRITE),
			 0);
	ck_assert_int_eq(lazymap_advise(area, 20 * PAGE, MADV_DONTNEED), 0);
	ck_assert_uint_eq(stats().pages_dropped, 18);
	ck_assert_int_eq(area[7 * PAGE] + area[9 * PAGE - 1], 2);
	ck_assert_int_eq(lazymap_unpin(area + 7 * PAGE, 2 * PAGE), 0);
	ck_assert_int_eq(lazymap_advise(area, 20 * PAGE, MADV_DONTNEED), 0);
	check_all();
	/* Zeros for the store's bytes are not to be had. */
	ck_assert_int_eq(lazymap_advise(area, 20 * PAGE, MADV_FREE), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(lazymap_advise(area, 20 * PAGE, MADV_WIPEONFORK), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(populate_of_what_cannot_be_read_maps_all_the_same)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};

	inject(1, 1000);
	area = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ,
				 MAP_PRIVATE | MAP_POPULATE, &ops, NULL, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	inject(0, 0);
	check_all();
}
END_TEST

static int child_reads(void)
{
	uint64_t word;

	for (size_t i = 0; i < PAGES; i++)
		if (known_wrong(area + i * PAGE, i))
			return 1;
	if (lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED))
		return 2;
	inject(1, 1);
	if (caught_read(area + 9 * PAGE, &word) != SIGBUS)
		return 3;
	return known_wrong(area + 9 * PAGE, 9) != 0;
}

START_TEST(child_fills_by_itself_and_its_failures_are_its_own)
{
	if (_i && program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer lets no child start a worker");
		return;
	}
	begin(_i, PAGE, MAP_PRIVATE);
	for (size_t i = 0; i < 100; i++)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
	ck_assert_int_eq(caught_child(child_reads), 0);
	check_all();
	ck_assert_uint_eq(stats().faults_failed, 0);
}
END_TEST

static void *idle(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

/* Placing in place is refused from the second thread on. */
START_TEST(failed_placing_is_sigbus_and_shows_nothing)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .place = "inplace",
					   .cluster = PAGE };
	pthread_t thread;
	uint64_t word;

	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer has a thread of its own");
		return;
	}
	caught_install();
	ck_assert_int_eq(lazymap_start(&options), 0);
	area = map_store(LAZYMAP_STORE_IN_HANDLER, MAP_PRIVATE);
	ck_assert_uint_eq(known_wrong(area, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, idle, NULL), 0);
	ck_assert_int_eq(caught_read(area + PAGE, &word), SIGBUS);
	ck_assert_int_eq(caught.si_code, BUS_ADRERR);
	ck_assert_ptr_eq(caught.si_addr, area + PAGE);
	ck_assert(!outside_present(area + PAGE));
	ck_assert_uint_eq(known_wrong(area, 0), 0);
}
END_TEST

/* -- Writing -------------------------------------------------------------------------- */

static void dirty(size_t page)
{
	memset(area + page * PAGE, (int)page + 1, PAGE);
}

static int is_kept(size_t page)
{
	return kept[page * PAGE] == (char)(page + 1) &&
	       kept[page * PAGE + PAGE - 1] == (char)(page + 1);
}

START_TEST(failed_write_is_reported_once_and_tried_again)
{
	begin(_i, PAGE, MAP_SHARED);
	lazymap_on_error(on_error, &told);
	atomic_store(&answer, 1);
	atomic_store(&failure, -ENOSPC);
	for (size_t i = 0; i < 10; i++)
		dirty(i);
	inject(3, 1);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(atomic_load(&tells), 1);
	ck_assert_int_eq(told.kind, LAZYMAP_ERROR_WRITE);
	ck_assert_ptr_eq(told.addr, area + 2 * PAGE);
	ck_assert(!is_kept(2));
	for (size_t i = 0; i < 10; i++)
		ck_assert(i == 2 || is_kept(i));
	inject(0, 0);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), 0);
	ck_assert_int_eq(atomic_load(&writes), 1);
	ck_assert_int_eq(atomic_load(&syncs), 1);
	ck_assert(is_kept(2));
	ck_assert_uint_eq(stats().pages_written, 10);
}
END_TEST

START_TEST(unmap_of_what_cannot_be_written_fails_and_unmaps_nothing)
{
	begin(_i, PAGE, MAP_SHARED);
	lazymap_on_error(on_error, &told);
	atomic_store(&answer, 1);
	for (size_t i = 0; i < 10; i++)
		dirty(i);
	inject(3, 1000);
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_uint_eq(stats().mapped, PAGES * PAGE);
	ck_assert_int_eq(atomic_load(&closes), 0);
	for (size_t i = 0; i < 10; i++)
		ck_assert_int_eq(area[i * PAGE + 5], (char)(i + 1));
	ck_assert_uint_eq(known_wrong(area + 11 * PAGE, 11), 0);
	inject(0, 0);
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), 0);
	for (size_t i = 0; i < 10; i++)
		ck_assert(is_kept(i));
	ck_assert_int_eq(atomic_load(&closes), 1);
}
END_TEST

START_TEST(failed_sync_operation_is_reported_once)
{
	begin(_i, PAGE, MAP_SHARED);
	dirty(1);
	inject(1, 0);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), 0);
	dirty(1);
	inject(1, 1);
	atomic_store(&writes, 100);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), 0);
}
END_TEST

static int child_writes(void)
{
	dirty(2);
	area[PAGE] = 9; /* dirty in the parent already */
	if (lazymap_sync(area, PAGES * PAGE, MS_SYNC))
		return 1;
	if (atomic_load(&writes) || atomic_load(&syncs))
		return 2;
	if (area[2 * PAGE] != 3 || area[PAGE] != 9 || area[PAGE + 1] != 2)
		return 3;
	if (known_wrong(area + 3 * PAGE, 3))
		return 4;
	if (lazymap_unmap(area, PAGES * PAGE))
		return 5;
	return atomic_load(&writes) ? 6 : 0;
}

START_TEST(child_writes_nothing_back_to_its_parents_store)
{
	/* What is written has one, wherever it is read. */
	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer lets no child start a worker");
		return;
	}
	begin(_i, PAGE, MAP_SHARED);
	dirty(1);
	inject(0, 0);
	ck_assert_int_eq(caught_child(child_writes), 0);
	ck_assert_int_eq(lazymap_sync(area, PAGES * PAGE, MS_SYNC), 0);
	ck_assert_int_eq(atomic_load(&writes), 1);
	ck_assert(is_kept(1));
	ck_assert_uint_eq(known_wrong(area + 2 * PAGE, 2), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_fails");
	TCase *fault = tcase_create("fault");

	tcase_set_timeout(fault, 60);
#define BOTH(test) tcase_add_loop_test(fault, test, 0, 2)
	BOTH(failed_read_is_sigbus_at_the_address);
	BOTH(read_that_fails_half_way_shows_nothing_of_the_cluster);
	tcase_add_loop_test(
		fault, page_that_cannot_be_read_is_no_other_ones_sigbus, 0, 4);
	BOTH(read_that_returns_a_count_has_failed);
	BOTH(error_callback_is_told_and_can_have_the_touch_tried_again);
	BOTH(threads_at_a_store_that_fails_now_and_then_see_no_wrong_byte);
	tcase_add_loop_test(
		fault, failed_read_without_a_handler_ends_the_process_by_sigbus,
		0, 3);
	BOTH(pin_of_what_cannot_be_read_fails_and_pins_nothing);
	BOTH(drop_leaves_pinned_pages_and_drops_those_around);
	BOTH(child_fills_by_itself_and_its_failures_are_its_own);
	BOTH(failed_write_is_reported_once_and_tried_again);
	BOTH(unmap_of_what_cannot_be_written_fails_and_unmaps_nothing);
	BOTH(failed_sync_operation_is_reported_once);
	BOTH(child_writes_nothing_back_to_its_parents_store);
#undef BOTH
	tcase_add_test(fault,
		       populate_of_what_cannot_be_read_maps_all_the_same);
	tcase_add_test(fault, failed_placing_is_sigbus_and_shows_nothing);
	suite_add_tcase(suite, fault);
	return program_run(suite);
}
