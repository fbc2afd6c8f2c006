/*
 * test_store_open_once.c -- stores of one's own whose blocks are opened (guard.h):
 * their pages are placed over markers, and under a limit the kernel tells which
 * were written. With evictions, children, failures, and nothing to place with.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guard.h"
#include "guarded.h"
#include "held.h"
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "place/place.h"
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES ((size_t)4096)
#define LIMIT ((size_t)4 << 20)

static char *area;
static atomic_int reads, fail_at; /* the read that fails, counted from 1; 0 */

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	if (atomic_fetch_add(&reads, 1) + 1 == atomic_load(&fail_at)) {
		memset(buf, 0, len / 2); /* it got so far */
		return -EIO;
	}
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static char *page_at(size_t page)
{
	return area + page * PAGE;
}

static uint64_t *word_at(size_t page, size_t i)
{
	return (uint64_t *)page_at(page) + i;
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

static void begin(int prot, size_t cluster, size_t limit)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = cluster,
					   .guard = 1 };
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};

	caught_install();
	ck_assert_int_eq(lazymap_start(&options), 0);
	if (limit)
		ck_assert_int_eq(lazymap_limit(limit), 0);
	area = lazymap_map_store(NULL, PAGES * PAGE, prot, MAP_PRIVATE, &ops,
				 NULL, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	if (!lm_guard_stores())
		puts("skipped: nothing is placed over guard regions here");
}

static size_t wrong_all(void)
{
	const uint32_t *order = guarded_order(PAGES);
	size_t wrong = 0;

	for (size_t i = 0; i < PAGES; i++)
		wrong += known_wrong(page_at(order[i]), order[i]);
	return wrong;
}

static size_t hidden(void)
{
	size_t n = 0;

	for (size_t page = 0; page < PAGES; page++)
		n += guarded_hidden(page_at(page));
	return n;
}

/* -- What is clean ---------------------------------------------------------------- */

static bool tracks(void)
{
	bool can = lm_guard_stores() && !lm_place_tracked_probe();

	if (!can)
		puts("skipped: this kernel does not tell what is written");
	return can;
}

START_TEST(pages_only_read_are_dropped_and_written_ones_kept)
{
	size_t step = 4;

	begin(PROT_READ | PROT_WRITE, _i ? 4 * PAGE : PAGE, LIMIT);
	if (!tracks())
		return;
	/* The first page of each block comes before it is opened. */
	for (int pass = 0; pass < 2; pass++)
		ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_uint_gt(hidden(), PAGES / 2);
	ck_assert_uint_gt(stats().pages_evicted, PAGES);
	ck_assert_uint_eq(stats().pages_swapped_out, 0);
	for (size_t page = 0; page < PAGES; page += step)
		*word_at(page, 9) = page;
	for (size_t page = 0; page < PAGES; page += step) {
		ck_assert_uint_eq(*word_at(page, 9), page);
		*word_at(page, 9) = known_word(page, 9);
	}
	ck_assert_uint_eq(wrong_all(), 0);
	/* Each was written twice, and all but what is in place went twice. */
	ck_assert_uint_ge(stats().pages_swapped_out,
			  2 * PAGES / step - LIMIT / PAGE);
	ck_assert_uint_le(stats().pages_swapped_out, 3 * PAGES / step);
	ck_assert_uint_le(outside_count(area, PAGES * PAGE), LIMIT / PAGE);
}
END_TEST

/* What the kernel knew is lost by a move; and by fork, for the child. */
START_TEST(pages_written_after_a_move_are_kept)
{
	char *to;

	begin(PROT_READ | PROT_WRITE, PAGE, LIMIT);
	for (size_t page = 0; page < PAGES; page += 5)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	to = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		  -1, 0);
	ck_assert_ptr_eq(lazymap_remap(area, PAGES * PAGE, PAGES * PAGE,
				       MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	area = to;
	for (size_t page = 0; page < PAGES; page++)
		*word_at(page, 1) = ~known_word(page, 1);
	for (size_t page = 0; page < PAGES; page++) {
		ck_assert_uint_eq(*word_at(page, 1), ~known_word(page, 1));
		*word_at(page, 1) = known_word(page, 1);
	}
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

START_TEST(read_only_pages_that_become_writable_are_kept)
{
	begin(PROT_READ, PAGE, _i ? LIMIT : 0);
	for (size_t page = 0; page < PAGES; page += 3)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	ck_assert_int_eq(caught_write(word_at(3, 0), 1), SIGSEGV);
	ck_assert_int_eq(caught_write(word_at(4, 0), 1), SIGSEGV);
	ck_assert_int_eq(lazymap_protect(page_at(100), 3000 * PAGE,
					 PROT_READ | PROT_WRITE),
			 0);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t page = 100; page < 3100; page++)
			*word_at(page, 5) = ~*word_at(page, 5);
		ck_assert_int_eq(caught_write(word_at(99, 0), 1), SIGSEGV);
		ck_assert_int_eq(caught_write(word_at(3100, 0), 1), SIGSEGV);
	}
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

/* -- Threads, evictions, children --------------------------------------------------- */

#define THREADS 8
#define COUNTED 100 /* the word of each page that thread 0 adds to */

static atomic_size_t wrong;
static atomic_bool stop;

/* Now and then, a moment at each step; `dwell` is where always. */
static _Atomic enum lm_step dwell;

static void dawdle(enum lm_step step, uintptr_t addr)
{
	static _Atomic uint64_t count;
	uint64_t random =
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) *
		UINT64_C(0x9e3779b97f4a7c15);
	struct timespec moment = { .tv_nsec = (long)(random >> 48) };

	(void)addr;
	if (step == atomic_load(&dwell) && random >> 40 & 3)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

static void *walk(void *argument)
{
	size_t thread = (size_t)argument, n = 0;
	uint64_t random = program_seed() + thread + 1, left = PAGES / 4;

	for (; left && !atomic_load(&stop); left--) {
		size_t page = program_random(&random) % PAGES;
		volatile uint64_t *word = word_at(page, 0);

		n += word[7] != known_word(page, 7);
		n += word[500] != known_word(page, 500);
		/* Half of the pages are only read. */
		if (page % 2) {
			word[COUNTED + thread] += 1;
			n += word[7] != known_word(page, 7);
		}
	}
	atomic_fetch_add(&wrong, n);
	return (void *)left;
}

static void start(pthread_t *thread)
{
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, walk, (void *)i), 0);
}

static void join(pthread_t *thread)
{
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
}

/* How often each thread, with its own seed, came to an odd page. */
static uint64_t expected(void)
{
	uint64_t all = 0;

	for (size_t thread = 0; thread < THREADS; thread++) {
		uint64_t random = program_seed() + thread + 1;

		for (size_t i = 0; i < PAGES / 4; i++)
			all += program_random(&random) % PAGES % 2;
	}
	return all;
}

static uint64_t counted(void)
{
	uint64_t all = 0;

	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = COUNTED; i < COUNTED + THREADS; i++)
			all += *word_at(page, i) - known_word(page, i);
	return all;
}

static const enum lm_step slow[] = {
	LM_STEP_CLAIMED,     LM_STEP_READ,          LM_STEP_REVEALED,
	LM_STEP_GUARDED,     LM_STEP_EVICT_CLAIMED, LM_STEP_EVICT_HIDDEN,
	LM_STEP_EVICT_SAVED, LM_STEP_EVICT_DROPPED,
};
#define SLOW ((int)(sizeof(slow) / sizeof(slow[0])))

START_TEST(writes_that_meet_evictions_are_kept)
{
	pthread_t thread[THREADS];

	begin(PROT_READ | PROT_WRITE, _i & 1 ? 4 * PAGE : PAGE, LIMIT);
	atomic_store(&dwell, slow[_i]);
	atomic_store(&lm_step_hook, dawdle);
	start(thread);
	join(thread);
	atomic_store(&lm_step_hook, NULL);
	ck_assert_uint_eq(counted(), expected());
}
END_TEST

/* What the child finds is of one moment, and what it writes it keeps. */
static int child(void)
{
	size_t n = 0;

	atomic_store(&lm_step_hook, NULL);
	for (int pass = 0; pass < 2; pass++)
		for (size_t page = 0; page < PAGES; page++) {
			volatile uint64_t *word = word_at(page, 0);

			n += word[7] != known_word(page, 7) + (uint64_t)pass;
			n += word[500] != known_word(page, 500);
			n += page % 2 == 0 && !pass &&
			     known_wrong(word_at(page, 0), page);
			word[7] += 1;
		}
	return n != 0;
}

START_TEST(child_has_all_while_its_parent_evicts)
{
	pthread_t thread[THREADS];

	begin(PROT_READ | PROT_WRITE, _i & 1 ? 4 * PAGE : PAGE, LIMIT);
	atomic_store(&dwell, slow[_i]);
	atomic_store(&lm_step_hook, dawdle);
	start(thread);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(caught_child(child), 0);
	join(thread);
	atomic_store(&lm_step_hook, NULL);
	ck_assert_uint_eq(counted(), expected());
}
END_TEST

static void *evictor(void *unused)
{
	(void)unused;
	for (size_t page = PAGES / 2; page < PAGES; page++)
		*(volatile char *)page_at(page);
	return NULL;
}

static int child_of_clone(void)
{
	size_t n = 0;

	for (size_t page = 0; page < PAGES; page++) {
		uint64_t *word = word_at(page, 3);

		n += *word !=
		     known_word(page, 3) + (page < PAGES / 2 && page % 2);
		*word = known_word(page, 3);
	}
	return n || wrong_all();
}

/* Held in an eviction of pages of which half were written. */
START_TEST(child_of_clone_has_what_its_parent_was_evicting)
{
	pthread_t thread;

	if (program_sanitized(""))
		return;
	begin(PROT_READ | PROT_WRITE, 4 * PAGE, LIMIT);
	for (size_t page = 0; page < PAGES / 2; page++)
		if (page % 2)
			*word_at(page, 3) += 1;
	held_at(slow[_i], NULL, LM_STEP_FORK);
	ck_assert_int_eq(pthread_create(&thread, NULL, evictor, NULL), 0);
	held_wait();
	ck_assert_int_eq(caught_clone(child_of_clone), 0);
	held_release();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	for (size_t page = 1; page < PAGES / 2; page += 2)
		*word_at(page, 3) -= 1;
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

/* -- Failures ------------------------------------------------------------------------ */

/* The k-th read fails: one touch raises SIGBUS, and nobody sees a wrong byte. */
static void fail_one(int k, size_t n, size_t step)
{
	size_t buses = 0;
	uint64_t word;

	atomic_store(&reads, 0);
	atomic_store(&fail_at, k);
	for (size_t i = 0; i < n; i++) {
		size_t page = i * step % PAGES;

		if (caught_read(word_at(page, 0), &word)) {
			buses++;
			ck_assert_int_eq(caught.si_signo, SIGBUS);
			ck_assert(!outside_present(page_at(page)));
		} else {
			ck_assert_uint_eq(word, known_word(page, 0));
		}
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	}
	ck_assert_uint_eq(buses, 1);
	atomic_store(&fail_at, 0);
}

START_TEST(any_read_that_fails_is_one_sigbus_and_the_marker_stays)
{
	size_t cluster = _i & 1 ? 8 : 1, limit = _i & 2 ? LIMIT : 0;
	int n = 12;

	begin(PROT_READ | PROT_WRITE, cluster * PAGE, limit);
	for (int k = 1; k <= n; k++) {
		size_t before;

		ck_assert_int_eq(
			lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED), 0);
		before = hidden();
		fail_one(k, (size_t)n, 2 * cluster);
		ck_assert_uint_ge(hidden() + (size_t)n * cluster, before);
	}
	if (lm_guard_stores())
		ck_assert_uint_gt(hidden(), 0);
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

/* No descriptor is left, and none can be had: neither for placing nor to learn
 * what was written. */
START_TEST(without_descriptors_nothing_is_lost)
{
	struct rlimit limit = { 3, 3 };

	if (program_sanitized(""))
		return;
	begin(PROT_READ | PROT_WRITE, PAGE, _i ? LIMIT : 0);
	/* Swap's file would be closed, too. */
	for (size_t page = 0; page < PAGES; page += 3)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int fd = 3; fd < 4096; fd++)
		syscall(SYS_close, fd);
	for (size_t page = 0; page < PAGES; page += 2)
		*word_at(page, 3) = page;
	for (size_t page = 0; page < PAGES; page += 2) {
		ck_assert_uint_eq(*word_at(page, 3), page);
		*word_at(page, 3) = known_word(page, 3);
	}
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_open");
	TCase *tcase = tcase_create("store_open");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(
		tcase, pages_only_read_are_dropped_and_written_ones_kept, 0, 2);
	tcase_add_test(tcase, pages_written_after_a_move_are_kept);
	tcase_add_loop_test(
		tcase, read_only_pages_that_become_writable_are_kept, 0, 2);
	tcase_add_loop_test(tcase, writes_that_meet_evictions_are_kept, 0,
			    SLOW);
	tcase_add_loop_test(tcase, child_has_all_while_its_parent_evicts, 0,
			    SLOW);
	tcase_add_loop_test(tcase,
			    child_of_clone_has_what_its_parent_was_evicting, 4,
			    SLOW);
	tcase_add_loop_test(
		tcase, any_read_that_fails_is_one_sigbus_and_the_marker_stays,
		0, 4);
	tcase_add_loop_test(tcase, without_descriptors_nothing_is_lost, 0, 2);
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
