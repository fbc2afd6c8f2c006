/*
 * test_scan.c -- streams over a file that is eight times the resident limit, with
 * every byte looked at: in each direction, several at once, from two threads,
 * while the pager drops what lies behind, and while the file is truncated.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guard.h"
#include "known.h"
#include "lazymap.h"
#include "program.h"
#include "quota.h"
#include "step.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIMIT ((size_t)8 << 20)
#define PAGES (8 * LIMIT / PAGE)
#define STREAMS 4

static int fd;
static char *base;
static _Atomic size_t wrong, over;
static _Atomic unsigned dropped_beside; /* by another thread than those below */
static __thread bool toucher;

static void look(size_t page)
{
	wrong += known_wrong(base + page * PAGE, page);
	over += atomic_load(&lm_quota_process.used) > LIMIT / PAGE;
}

static void forward(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		look(i);
}

static void backward(void)
{
	for (size_t i = PAGES; i-- > 0;)
		look(i);
}

static void in_turn(void)
{
	for (size_t i = 0; i < PAGES / STREAMS; i++)
		for (size_t s = 0; s < STREAMS; s++)
			look(s * (PAGES / STREAMS) + i);
}

/* One page of each few: no stream, and all blocks twice. */
static void strided(void)
{
	for (size_t first = 0; first < 2; first++)
		for (size_t i = first; i < PAGES; i += 24)
			look(i);
}

static void *half(void *data)
{
	const size_t from = *(const size_t *)data;

	toucher = true;
	forward(from, from + PAGES / 2);
	return NULL;
}

static void two_threads(void)
{
	size_t first = 0, second = PAGES / 2;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, half, &second), 0);
	half(&first);
	pthread_join(thread, NULL);
}

static void once_forward(void)
{
	forward(0, PAGES);
}

static void (*const patterns[])(void) = { once_forward, backward, in_turn,
					  strided, two_threads };
#define PATTERNS 5

static void begin(size_t cluster)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = LIMIT,
					   .cluster = cluster };

	toucher = true;
	fd = known_file("scanned", PAGES);
	ck_assert_int_eq(lazymap_start(&options), 0);
	base = lazymap_map(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(base, LAZYMAP_FAILED);
}

/* Each pattern twice, so that pages come that went. */
static void run(int pattern)
{
	for (int i = 0; i < 2; i++)
		patterns[pattern]();
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(over, 0);
}

START_TEST(every_byte_of_a_scan_is_right_and_the_limit_holds)
{
	begin(0);
	run(_i);
}
END_TEST

START_TEST(scan_of_large_clusters_is_right_and_the_limit_holds)
{
	begin((size_t)2 << 20);
	run(_i);
}
END_TEST

/* -- Beside the pager -------------------------------------------------------- */

static enum lm_step slow_step;
static _Atomic unsigned passages;

static void hold_up(enum lm_step step, uintptr_t addr)
{
	struct timespec moment = { .tv_nsec = 50000 };

	(void)addr;
	if (step == LM_STEP_EVICT_DROPPED && !toucher)
		dropped_beside++;
	if (step == slow_step && passages++ % 3 == 0)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

static const enum lm_step slow_steps[] = {
	LM_STEP_CLAIMED,      LM_STEP_REVEALED,    LM_STEP_EVICT_CLAIMED,
	LM_STEP_EVICT_HIDDEN, LM_STEP_EVICT_SAVED, LM_STEP_EVICT_DROPPED,
};
#define SLOW_STEPS 6

static int processors(void)
{
	cpu_set_t set;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

START_TEST(pager_drops_behind_a_stream_that_goes_on_and_nothing_is_lost)
{
	int pattern = _i % PATTERNS;
	/* A stream that never pauses, with a processor left beside it. This is
	 * for guard regions only. */
	bool beside = patterns[pattern] != strided &&
		      processors() > (patterns[pattern] == two_threads ? 2 : 1);

	slow_step = slow_steps[_i / PATTERNS];
	atomic_store(&lm_step_hook, hold_up);
	begin(0);
	run(pattern);
	beside = beside && lm_guard_files();
	/* On a machine that does much else it may come too late each time. */
	for (int i = 0; i < 20 && beside && !dropped_beside; i++)
		run(pattern);
	atomic_store(&lm_step_hook, NULL);
	ck_assert(!beside || dropped_beside);
}
END_TEST

#define MANY 16 /* drops; of 32 blocks that are written */

/* What comes in small clusters of a fixed size goes in blocks, too; and nothing is
 * asked of the kernel about files, where none is mapped. */
START_TEST(pager_makes_room_behind_a_stream_of_writes)
{
	bool beside = processors() > 1;
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = LIMIT,
					   .cluster = 64 << 10 };
	unsigned before, most = 0;
	uint64_t *page;

	toucher = true;
	ck_assert_int_eq(lazymap_start(&options), 0);
	base = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(base, LAZYMAP_FAILED);
	beside = beside && lm_guard_anonymous();
	atomic_store(&lm_step_hook, hold_up);
	/* Some go in pauses in any case; and on a machine that does much else it
	 * may come too late for most, but not each time. */
	for (uint64_t round = 0;
	     round < 2 || (round < 20 && beside && most < MANY); round++) {
		before = dropped_beside;
		for (size_t i = 0; i < PAGES; i++) {
			page = (uint64_t *)(base + i * PAGE);
			ck_assert(page[1] == (round ? i + round - 1 : 0));
			page[1] = i + round;
		}
		most = (unsigned)lm_max(most, dropped_beside - before);
	}
	atomic_store(&lm_step_hook, NULL);
	ck_assert(!beside || most >= MANY);
}
END_TEST

/* -- The file ends meanwhile -------------------------------------------------- */

#define KEPT (PAGES / 2 + 100) /* no cluster's border */

/* While the cluster is shown in which the file is going to end. */
static void truncate_once(enum lm_step step, uintptr_t addr)
{
	static _Atomic bool done;
	size_t page = (addr - (uintptr_t)base) / PAGE;

	if (step != LM_STEP_REVEALED || page >= KEPT || page + 2048 < KEPT ||
	    atomic_exchange(&done, true))
		return;
	lm_sys(SYS_ftruncate, fd, KEPT * PAGE);
}

START_TEST(scan_of_a_file_truncated_meanwhile_is_right_up_to_its_end)
{
	uint64_t word;

	/* What is not lazymap's goes on to these. */
	caught_install();
	begin(0);
	atomic_store(&lm_step_hook, truncate_once);
	forward(0, KEPT);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), KEPT * PAGE);
	for (size_t i = KEPT; i < PAGES; i += 511)
		ck_assert_int_eq(caught_read(base + i * PAGE, &word), SIGBUS);
	atomic_store(&lm_step_hook, NULL);
	forward(0, KEPT);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scan");
	TCase *scan = tcase_create("scan");

	tcase_set_timeout(scan, 120);
	tcase_add_loop_test(scan,
			    every_byte_of_a_scan_is_right_and_the_limit_holds,
			    0, PATTERNS);
	tcase_add_loop_test(scan,
			    scan_of_large_clusters_is_right_and_the_limit_holds,
			    0, PATTERNS);
	tcase_add_loop_test(
		scan,
		pager_drops_behind_a_stream_that_goes_on_and_nothing_is_lost, 0,
		PATTERNS * SLOW_STEPS);
	tcase_add_test(scan, pager_makes_room_behind_a_stream_of_writes);
	tcase_add_test(
		scan,
		scan_of_a_file_truncated_meanwhile_is_right_up_to_its_end);
	suite_add_tcase(suite, scan);
	return program_run(suite);
}
