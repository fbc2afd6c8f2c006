/*
 * test_evict_once.c -- eviction for long, and from all sides: eight threads write to
 * every page, each to a word of its own, and look at it before each write.
 *
 * A page is evicted while it is being written all the time; with a thread held
 * up now and then at one of the steps of eviction, so that others come to all
 * that lies between two of them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <lazymap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "known.h"
#include "outside.h"
#include "step.h"

#define PAGES 2048u /* 8 MiB */
#define LIMIT (3ul << 20)
#define THREADS 8u
#define WORDS (PAGE / sizeof(uint32_t))

/* The first words are the threads', the next ones noise. */
static _Atomic uint32_t (*area)[WORDS];
static uint32_t wrote[THREADS][PAGES];
static unsigned passes, stride;

static bool sanitized(void)
{
	const char *text = getenv("SANITIZE");

	return text && *text;
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

static void begin(void)
{
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	/* So that some pages compress well, and some do not. */
	for (uint32_t i = 0; i < PAGES; i++) {
		uint32_t noise = i % 16 * (WORDS - THREADS) / 16;

		for (uint32_t k = 0; k < noise; k++)
			area[i][THREADS + k] =
				(uint32_t)known_word(i, k) ^ k << 16;
	}
}

static bool right(uint32_t page)
{
	uint32_t noise = page % 16 * (WORDS - THREADS) / 16;
	bool good = true;

	for (uint32_t t = 0; t < THREADS; t++)
		good &= area[page][t] == wrote[t][page];
	for (uint32_t k = 0; k < WORDS - THREADS; k++)
		good &= area[page][THREADS + k] ==
			(k < noise ? (uint32_t)known_word(page, k) ^ k << 16
				   : 0);
	return good;
}

/* Check writes to a pipe at each assertion: not one for every word. */
static void check_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (!right(i))
			ck_abort_msg("page %u: wrong bytes", i);
}

static void *work(void *which)
{
	uint32_t me = (uint32_t)(uintptr_t)which;
	uint32_t at = me * (PAGES / THREADS);

	for (uint32_t n = 0; n < passes * PAGES; n++) {
		at = (at + stride) % PAGES;
		/* Relaxed: nobody else writes it. */
		if (atomic_load_explicit(&area[at][me], memory_order_relaxed) !=
		    wrote[me][at])
			return which;
		atomic_store_explicit(&area[at][me], ++wrote[me][at],
				      memory_order_relaxed);
	}
	return NULL;
}

static void work_all(void)
{
	pthread_t thread[THREADS];
	void *lost;

	for (uintptr_t t = 0; t < THREADS; t++)
		ck_assert_int_eq(
			pthread_create(&thread[t], NULL, work, (void *)t), 0);
	for (uintptr_t t = 0; t < THREADS; t++) {
		pthread_join(thread[t], &lost);
		ck_assert_msg(!lost, "thread %zu lost a write", (size_t)t);
	}
}

/* -- At every step ----------------------------------------------------------------- */

static enum lm_step slow_step;
static atomic_uint came;

static void delay(enum lm_step step, uintptr_t addr)
{
	struct timespec moment = { .tv_nsec = 300000 };

	(void)addr;
	if (step == slow_step && atomic_fetch_add(&came, 1) % 16 == 0)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

START_TEST(delay_at_any_step_of_eviction_loses_no_write)
{
	slow_step = (enum lm_step)_i;
	setenv("LAZYMAP_SWAP_POOL", "1M", 1);
	begin();
	atomic_store(&lm_step_hook, delay);
	passes = 1;
	stride = sanitized() ? 17 : 5;
	work_all();
	check_all();
	ck_assert_uint_gt(atomic_load(&came), 16);
	ck_assert_uint_gt(stats().pages_demoted, 0);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

/* -- For long ------------------------------------------------------------------------ */

/* Private memory that the kernel counts, beyond what is lazy: the tables, the
 * pool, and what threads leave. */
static size_t metadata(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	size_t kilobytes = 0;
	char line[128];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "Anonymous:", 10))
			kilobytes = strtoul(line + 10, NULL, 10);
	fclose(file);
	ck_assert_uint_gt(kilobytes, 0);
	return (kilobytes << 10) - outside_count(area, PAGES * PAGE) * PAGE;
}

static void child_changes_and_ends(void)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		uint32_t next = wrote[0][i] + 1;

		area[i][0] = next;
		wrote[0][i] = next;
	}
	check_all();
	_exit(0);
}

static void cycle(void)
{
	int status;
	pid_t child;

	work_all();
	/* Of a process without other threads: as sanitizers want it. */
	child = fork();
	if (!child)
		child_changes_and_ends();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

#define SLACK ((size_t)512 << 10)

START_TEST(millions_of_evictions_lose_nothing_and_leave_nothing)
{
	uint64_t goal = sanitized() ? 20000 : _i ? 400000 : 1000000;
	size_t meta, size, areas, files;

	setenv("LAZYMAP_SWAP_POOL", _i ? "none" : "1M", 1);
	/* A pager that runs is another thread at the fork. */
	if (sanitized())
		setenv("LAZYMAP_THREADS", "0", 1);
	begin();
	stride = 1;
	passes = sanitized() ? 1 : 8;
	for (int n = 0; n < 2; n++)
		cycle();
	meta = metadata();
	size = outside_status("VmSize");
	areas = outside_vm_areas();
	files = outside_descriptors();
	goal += stats().pages_evicted;
	while (stats().pages_evicted < goal)
		cycle();
	check_all();
	printf("%llu pages evicted, %llu moved to the file\n",
	       (unsigned long long)stats().pages_evicted,
	       (unsigned long long)stats().pages_demoted);
	/* All pages, and as much again that a child was the last to read. */
	ck_assert_uint_le(stats().swap_file, 2 * PAGES * PAGE);
	ck_assert_uint_le(stats().swap_pool, 1 << 20);
	/* A sanitizer keeps books of its own, and these grow. */
	if (!sanitized()) {
		ck_assert_uint_le(metadata(), meta + SLACK);
		ck_assert_uint_le(outside_status("VmSize"),
				  size + (SLACK >> 10));
	}
	ck_assert_uint_le(outside_vm_areas(), areas + 1000);
	ck_assert_uint_le(outside_descriptors(), files + 2);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("evict");
	TCase *tcase = tcase_create("evict");
	SRunner *runner;
	int failures;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, delay_at_any_step_of_eviction_loses_no_write,
			    LM_STEP_EVICT_CLAIMED, LM_STEP_DEMOTED + 1);
	tcase_add_loop_test(
		tcase, millions_of_evictions_lose_nothing_and_leave_nothing, 0,
		2);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
