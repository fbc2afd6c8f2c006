/*
 * test_ladder_once.c -- the choice between two ways of placing follows what they take
 * (place/ladder.h): times are told, not measured.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "known.h"
#include "lazymap.h"
#include "place/ladder.h"
#include "place/place.h"
#include "program.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEN ((size_t)16 << 20)
#define TIMED (LM_LADDER_WAYS * LM_LADDER_TRIES)

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

/* -- What is told ------------------------------------------------------------------ */

static uint64_t told[LM_LADDER_WAYS]; /* for each page */
static unsigned asked[LM_LADDER_WAYS];
static bool noisy;

/* All but one in a round have waited for something, where it is noisy. */
static uint64_t tell(enum lm_ladder_way way)
{
	uint64_t ns = told[way] * (LM_LADDER_LEN / PAGE);
	bool waited = noisy && asked[way] % LM_LADDER_TRIES != 3;

	asked[way]++;
	return waited ? 100 * ns : ns;
}

static void tell_times(uint64_t copy, uint64_t mem)
{
	told[LM_LADDER_COPY] = copy;
	told[LM_LADDER_MEM] = mem;
	atomic_store(&lm_ladder_hook, tell);
}

static void go_through_a_round(void)
{
	for (unsigned i = 0; i < LM_LADDER_ROUND; i++) {
		struct lm_ladder placed = lm_ladder_begin(LM_LADDER_LEN);

		if (placed.timed)
			ck_assert_uint_eq(placed.way, i % LM_LADDER_WAYS);
		else
			ck_assert_uint_eq(placed.way, lm_ladder_choice());
		ck_assert_int_eq(placed.timed, i < TIMED);
		lm_ladder_end(&placed);
	}
}

/* -- What is done ------------------------------------------------------------------ */

/* Are there two ways, if none is asked for? */
static bool there_is_a_choice(const char *place, int guard)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .place = place,
					   .guard = guard };

	ck_assert_int_eq(lazymap_start(&options), 0);
	if (lm_place_copies() && lm_place_mem_there())
		return true;
	printf("skipped: the kernel permits one of the two ways only\n");
	return false;
}

static int scan(void)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};
	char *at = lazymap_map_store(NULL, LEN, PROT_READ, MAP_PRIVATE, &ops,
				     NULL, 0);

	if (at == LAZYMAP_FAILED)
		return -1;
	for (size_t i = 0; i < LEN / PAGE; i++)
		if (known_wrong(at + i * PAGE, i))
			return -1;
	return lazymap_unmap(at, LEN);
}

/* Writes by this process so far: by `mem`, here. */
static long writes(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	char line[128];
	long n = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "syscw: %ld", &n);
	if (file)
		fclose(file);
	return n;
}

/* Of what a scan places, how much did mem: most of it, or next to nothing. */
static bool scan_goes_by(enum lm_ladder_way way)
{
	const long all = LEN / LM_LADDER_LEN;
	long before = writes();

	if (scan())
		return false;
	if (before < 0)
		return true; /* the kernel does not count */
	before = writes() - before;
	return way == LM_LADDER_MEM ? before > all / 2 : before < all / 8;
}

/* -- Tests ------------------------------------------------------------------------- */

static const struct {
	uint64_t copy, mem;
	enum lm_ladder_way then;
} cases[] = {
	{ 2000, 4000, LM_LADDER_COPY }, { 2000, 2000, LM_LADDER_COPY },
	{ 2000, 1600, LM_LADDER_COPY }, { 2000, 1400, LM_LADDER_MEM },
	{ 9000, 1, LM_LADDER_MEM },
};

START_TEST(the_first_way_is_left_for_one_that_is_clearly_faster)
{
	uint64_t copy = cases[_i / 2].copy, mem = cases[_i / 2].mem;

	/* With guard regions and without. */
	if (!there_is_a_choice(NULL, _i % 2 ? -1 : 0))
		return;
	tell_times(copy, mem);
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_COPY);
	ck_assert_int_eq(scan(), 0);
	ck_assert_int_eq(lm_ladder_choice(), cases[_i / 2].then);
	ck_assert_uint_eq(lm_ladder_ns(LM_LADDER_COPY), copy);
	ck_assert_uint_eq(lm_ladder_ns(LM_LADDER_MEM), mem);
	ck_assert(scan_goes_by(cases[_i / 2].then));
}
END_TEST

START_TEST(what_has_waited_does_not_count)
{
	noisy = true;
	tell_times(2000, 1600);
	go_through_a_round();
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_COPY);
	ck_assert_uint_eq(lm_ladder_ns(LM_LADDER_COPY), 2000);
	ck_assert_uint_eq(lm_ladder_ns(LM_LADDER_MEM), 1600);
}
END_TEST

START_TEST(it_is_asked_anew_and_comes_back)
{
	tell_times(2000, 1000);
	go_through_a_round();
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_MEM);
	tell_times(2000, 1900);
	go_through_a_round();
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_MEM);
	tell_times(2000, 2100);
	go_through_a_round();
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_COPY);
	tell_times(2000, 1900);
	go_through_a_round();
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_COPY);
}
END_TEST

/* One that fails is not faster, and without both nothing is changed. */
START_TEST(a_way_that_does_not_place_is_not_chosen)
{
	tell_times(2000, 1);
	for (unsigned i = 0; i < LM_LADDER_ROUND; i++) {
		struct lm_ladder placed = lm_ladder_begin(LM_LADDER_LEN);

		if (placed.way == LM_LADDER_COPY)
			lm_ladder_end(&placed);
	}
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_COPY);
	ck_assert_uint_eq(lm_ladder_ns(LM_LADDER_MEM), 0);
}
END_TEST

START_TEST(less_than_that_is_not_timed)
{
	struct lm_ladder placed;

	tell_times(2000, 1);
	for (unsigned i = 0; i < 100; i++) {
		placed = lm_ladder_begin(LM_LADDER_LEN - PAGE);
		ck_assert_int_eq(placed.way, LM_LADDER_COPY);
		lm_ladder_end(&placed);
	}
	ck_assert_uint_eq(asked[LM_LADDER_COPY] + asked[LM_LADDER_MEM], 0);
}
END_TEST

static const struct {
	const char *place;
	enum lm_ladder_way then;
} named[] = {
	{ "mem", LM_LADDER_MEM },
	{ "uffd", LM_LADDER_COPY },
};

START_TEST(who_asks_for_a_way_gets_it_untimed)
{
	struct lazymap_options options = { .size = sizeof(options) };

	setenv("LAZYMAP_PLACE", named[_i].place, 1);
	if (lazymap_start(&options)) {
		printf("skipped: %s is not permitted\n", named[_i].place);
		return;
	}
	ck_assert_str_eq(lm_place->name, named[_i].place);
	tell_times(named[_i].then == LM_LADDER_MEM ? 1 : 2000,
		   named[_i].then == LM_LADDER_MEM ? 2000 : 1);
	ck_assert(scan_goes_by(named[_i].then));
	ck_assert(scan_goes_by(named[_i].then));
	ck_assert_uint_eq(asked[LM_LADDER_COPY] + asked[LM_LADDER_MEM], 0);
}
END_TEST

static int as_its_parent(void)
{
	if (!scan_goes_by(LM_LADDER_MEM))
		return 1;
	if (asked[LM_LADDER_COPY] + asked[LM_LADDER_MEM] != TIMED)
		return 2;
	return lm_ladder_choice() == LM_LADDER_MEM ? 0 : 3;
}

START_TEST(a_child_goes_on_with_what_was_found)
{
	if (!there_is_a_choice("auto", 0))
		return;
	tell_times(2000, 1000);
	ck_assert_int_eq(scan(), 0);
	ck_assert_int_eq(lm_ladder_choice(), LM_LADDER_MEM);
	ck_assert_int_eq(caught_child(as_its_parent), 0);
	ck_assert_int_eq(as_its_parent(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ladder");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(
		tests, the_first_way_is_left_for_one_that_is_clearly_faster, 0,
		2 * sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tests, what_has_waited_does_not_count);
	tcase_add_test(tests, it_is_asked_anew_and_comes_back);
	tcase_add_test(tests, a_way_that_does_not_place_is_not_chosen);
	tcase_add_test(tests, less_than_that_is_not_timed);
	tcase_add_loop_test(tests, who_asks_for_a_way_gets_it_untimed, 0,
			    sizeof(named) / sizeof(named[0]));
	tcase_add_test(tests, a_child_goes_on_with_what_was_found);
	suite_add_tcase(suite, tests);
	return program_run(suite);
}
