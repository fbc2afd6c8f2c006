/*
 * test_swap.c -- swap: what it costs, what it does when something fails, and
 * that it does not grow.
 *
 * Each page's content follows from its number and a version, so that any page
 * can be checked at any time. That the limit holds, and that no write is lost,
 * is test_resident's.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lazymap.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "known.h"
#include "outside.h"

#define WORDS (PAGE / sizeof(uint32_t))
#define PAGES 4096u /* 16 MiB */
#define LIMIT (2ul << 20)

static uint32_t (*area)[WORDS];
static uint32_t version[PAGES];

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Noise in the first `noise` words: what is left of it compresses to nothing,
 * so this is how large a page is in the pool. */
static void content(uint32_t *words, uint32_t page, uint32_t of_version,
		    size_t noise)
{
	uint64_t state = ((uint64_t)page << 32 | of_version) * 2 + 1;

	for (size_t i = 0; i < WORDS; i++)
		words[i] = i < noise ? (uint32_t)random_next(&state)
				     : page * 31 + of_version;
}

static size_t noise = WORDS;

static void put(uint32_t page)
{
	content(area[page], page, ++version[page], noise);
}

static bool right(uint32_t page)
{
	uint32_t wanted[WORDS];

	content(wanted, page, version[page], noise);
	return !memcmp(area[page], wanted, PAGE);
}

static void look(uint32_t page)
{
	ck_assert_msg(right(page), "page %u, version %u: wrong bytes", page,
		      version[page]);
}

static void put_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
}

static void look_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

static int told;
static char told_what[256];

static int note_error(const struct lazymap_error *error, void *data)
{
	(void)data;
	told++;
	snprintf(told_what, sizeof(told_what), "%s", error->what);
	/* A page that cannot be read is SIGBUS. */
	return error->kind != LAZYMAP_ERROR_READ;
}

static void begin(const char *pool)
{
	if (pool)
		setenv("LAZYMAP_SWAP_POOL", pool, 1);
	lazymap_on_error(note_error, NULL);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
}

static bool sanitized(const char *why)
{
	const char *text = getenv("SANITIZE");

	if (!text || !*text)
		return false;
	printf("skipped: %s\n", why);
	return true;
}

/* -- Where there is little ----------------------------------------------------- */

/* Beyond what is mapped and the tables of the limit; far less than the tables
 * that 64 GiB of swap may need one day. */
#define SPARE (1ul << 20)

START_TEST(swap_file_needs_little_address_space)
{
	struct rlimit limit;

	if (sanitized("a sanitizer's shadow is beyond any RLIMIT_AS"))
		return;
	begin("none");
	limit.rlim_cur = limit.rlim_max =
		(outside_status("VmSize") << 10) + SPARE;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	put_all();
	look_all();
	ck_assert_msg(!told, "%s", told_what);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_gt(stats().pages_to_file, PAGES / 2);
}
END_TEST

/* -- Damage --------------------------------------------------------------------- */

/* The descriptor of the swap file: the only one without a name in TESTDIR. */
static int swap_file(void)
{
	char name[64], target[256];

	for (int fd = 3; fd < 1 << 20; fd++) {
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (strstr(target, getenv("TESTDIR")) &&
		    strstr(target, "(deleted)"))
			return fd;
	}
	ck_abort_msg("no swap file");
}

/* One slot in `step`. How many. */
static unsigned damage_file(unsigned step)
{
	static const char garbage[PAGE] = "garbage";
	int fd = swap_file();
	off_t end = lseek(fd, 0, SEEK_END);
	unsigned n = 0;

	ck_assert_int_gt(end, 0);
	for (off_t at = 0; at < end; at += (off_t)(step * PAGE), n++)
		ck_assert_int_eq(pwrite(fd, garbage, PAGE, at), PAGE);
	return n;
}

static sigjmp_buf jump;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(jump, 1);
}

static void catch_bus(void)
{
	struct sigaction action = { .sa_handler = on_bus };

	sigaction(SIGBUS, &action, NULL);
}

START_TEST(damaged_page_costs_none_of_its_neighbours)
{
	static volatile unsigned lost;
	static volatile uint32_t page;
	unsigned damaged;

	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("none");
	put_all();
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(stats().swap_file, PAGES * PAGE);
	damaged = damage_file(11);
	catch_bus();
	for (page = 0; page < PAGES; page++) {
		if (sigsetjmp(jump, 1))
			lost++;
		else
			look(page);
	}
	/* Slots that were taken, freed and taken no more may be among them. */
	ck_assert_uint_gt(lost, damaged / 2);
	ck_assert_uint_le(lost, damaged);
}
END_TEST

/* -- From the pool to the file -------------------------------------------------- */

#define POOL (1ul << 20)
#define HOT 64u

START_TEST(pool_keeps_what_went_out_last_and_the_rest_goes_to_the_file)
{
	noise = WORDS / 4;
	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("1M");
	put_all();
	put_all();
	/* By way of the pool, but where two threads were faster than that. */
	ck_assert_uint_le(stats().pages_to_file, PAGES / 16);
	ck_assert_uint_gt(stats().pages_demoted, PAGES / 2);
	ck_assert_uint_gt(stats().swap_file, PAGES * PAGE / 2);
	ck_assert_uint_le(stats().swap_pool, POOL);
	ck_assert_uint_gt(stats().swap_pool, POOL / 2);
	look_all();
	for (uint32_t i = 0; i < HOT; i++)
		put(i * 61);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	for (uint32_t i = 0; i < HOT; i++)
		put(i * 61);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(stats().resident, 0);
	/* Those are not read from there. */
	damage_file(1);
	for (uint32_t i = 0; i < HOT; i++)
		look(i * 61);
	ck_assert_int_eq(told, 0);
}
END_TEST

/* The addresses that the pool knows of are those of now. */
START_TEST(pages_that_moved_go_from_the_pool_to_the_file)
{
	void *moved;

	noise = WORDS / 4;
	begin("1M");
	for (uint32_t i = 0; i < 512; i++)
		put(i);
	ck_assert_int_eq(lazymap_advise(area, 512 * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(stats().pages_demoted, 0);
	moved = lazymap_remap(area, 512 * PAGE, 600 * PAGE, MREMAP_MAYMOVE,
			      NULL);
	if (moved == area) /* the rest of the area is behind it */
		ck_abort_msg("it did not move");
	for (uint32_t i = 512; i < PAGES; i++)
		put(i);
	ck_assert_int_eq(lazymap_unmap(area + 512, (PAGES - 512) * PAGE), 0);
	ck_assert_uint_ge(stats().swap_file, 500 * PAGE);
	area = moved;
	for (uint32_t i = 0; i < 512; i++)
		look(i);
	ck_assert_int_eq(told, 0);
}
END_TEST

/* -- Ahead of need ---------------------------------------------------------------- */

#define WANTED 128u

static bool all_back(uint32_t first, uint32_t n)
{
	for (int i = 0; i < 1000; i++) {
		if (outside_count(area[first], n * PAGE) == n)
			return true;
		usleep(10000);
	}
	return false;
}

/* Without threads it is done before the call returns. */
static const char *const threads[] = { "1", "0" };

START_TEST(pages_wanted_come_back_from_swap_untouched)
{
	uint64_t faults;

	setenv("LAZYMAP_THREADS", threads[_i % 2], 1);
	begin(_i < 2 ? "none" : "1M");
	put_all();
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(outside_count(area, PAGES * PAGE), 0);
	ck_assert_int_eq(
		lazymap_advise(area[100], WANTED * PAGE, MADV_WILLNEED), 0);
	if (_i % 2)
		ck_assert_uint_eq(outside_count(area[100], WANTED * PAGE),
				  WANTED);
	ck_assert(all_back(100, WANTED));
	faults = stats().faults_read;
	for (uint32_t i = 100; i < 100 + WANTED; i++)
		look(i);
	ck_assert_uint_eq(stats().faults_read, faults);
	/* They kept their slots. */
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(stats().pages_evicted - stats().pages_swapped_out,
			  stats().pages_swapped_in);
	look_all();
}
END_TEST

START_TEST(pages_wanted_beyond_the_limit_do_not_exceed_it)
{
	setenv("LAZYMAP_THREADS", threads[_i], 1);
	begin("none");
	put_all();
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_WILLNEED), 0);
	for (int n = 0; n < 20; n++) {
		ck_assert_uint_le(outside_count(area, PAGES * PAGE),
				  LIMIT / PAGE);
		usleep(1000);
	}
	/* Half of it at most, from the first on: the others are still there. */
	ck_assert(all_back(0, LIMIT / PAGE / 2 - 16));
	look_all();
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_int_eq(told, 0);
}
END_TEST

START_TEST(pages_wanted_where_nothing_can_go_stay_in_swap)
{
	setenv("LAZYMAP_THREADS", threads[_i], 1);
	begin("none");
	put_all();
	/* All that may be there, and there for good. */
	ck_assert_int_eq(lazymap_pin(area, LIMIT - 16 * PAGE, LAZYMAP_READ), 0);
	for (int n = 0; n < 10; n++)
		ck_assert_int_eq(lazymap_advise(area + PAGES / 2,
						PAGES / 2 * PAGE,
						MADV_WILLNEED),
				 0);
	usleep(100000);
	ck_assert_uint_le(outside_count(area, PAGES * PAGE), LIMIT / PAGE);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_int_eq(told, 0);
	ck_assert_int_eq(lazymap_unpin(area, LIMIT - 16 * PAGE), 0);
	look_all();
}
END_TEST

START_TEST(pages_wanted_and_damaged_are_told_by_their_touch)
{
	setenv("LAZYMAP_THREADS", threads[_i], 1);
	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("none");
	put_all();
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	damage_file(1);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_WILLNEED), 0);
	usleep(100000);
	ck_assert_uint_eq(outside_count(area, PAGES * PAGE), 0);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_eq(stats().resident, 0);
	catch_bus();
	if (!sigsetjmp(jump, 1)) {
		look(0);
		ck_abort_msg("damaged, and read");
	}
	ck_assert_int_eq(told, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swap");
	TCase *tcase = tcase_create("swap");
	SRunner *runner;
	int failures;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
#define TEST(name) tcase_add_test(tcase, name)
	TEST(swap_file_needs_little_address_space);
	TEST(pool_keeps_what_went_out_last_and_the_rest_goes_to_the_file);
	TEST(pages_that_moved_go_from_the_pool_to_the_file);
	TEST(damaged_page_costs_none_of_its_neighbours);
	tcase_add_loop_test(tcase, pages_wanted_come_back_from_swap_untouched,
			    0, 4);
	tcase_add_loop_test(
		tcase, pages_wanted_beyond_the_limit_do_not_exceed_it, 0, 2);
	tcase_add_loop_test(
		tcase, pages_wanted_where_nothing_can_go_stay_in_swap, 0, 2);
	tcase_add_loop_test(
		tcase, pages_wanted_and_damaged_are_told_by_their_touch, 0, 2);
#undef TEST
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
