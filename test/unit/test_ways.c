/*
 * test_ways.c -- every way of placing with every kind of area, under the trap
 * of this run: eight threads, and a fork.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "crowd.h"
#include "known.h"
#include "lazymap.h"
#include "place/place.h"
#include "program.h"
#include "trap/trap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS 4

static const char *way_name(int i)
{
	return lm_place_way((unsigned)i)->name;
}

/* Is it permitted here, with more than one thread? */
static bool permitted(int i)
{
	int err = lm_place_way((unsigned)i)->probe();

	if (err)
		printf("skipped: %s is not permitted: %s\n", way_name(i),
		       strerror(-err));
	return !err;
}

START_TEST(eight_threads_see_every_byte_whatever_way_it_is_placed)
{
	int way = _i / scene_count;

	if (!permitted(way))
		return;
	setenv("LAZYMAP_PLACE", way_name(way), 1);
	crowd_run(&scenes[_i % scene_count], program_scaled(400),
		  (_i & 1 ? 1 : 4) * PAGE);
	ck_assert_str_eq(lm_place->name, way_name(way));
	ck_assert_str_eq(lm_trap_name(), getenv("LAZYMAP_TRAP"));
}
END_TEST

#define PAGES 48

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static char *area;

static int read_and_write_all(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t *word = (uint64_t *)(area + i * PAGE);

		if (known_wrong(word, i))
			return 1;
		*(volatile uint64_t *)word = ~known_word(i, 0);
		if (known_wrong(word, i) != 1)
			return 2;
	}
	if (lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED))
		return 3;
	for (size_t i = 0; i < PAGES; i++)
		if (known_wrong(area + i * PAGE, i))
			return 4;
	return 0;
}

START_TEST(parent_and_child_each_place_into_their_own_memory)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};
	struct lazymap_options options = { .size = sizeof(options),
					   .place = way_name(_i),
					   .cluster = 2 * PAGE };

	if (!permitted(_i))
		return;
	setenv("LAZYMAP_PLACE", "wrong", 1); /* the call wins */
	ck_assert_int_eq(lazymap_start(&options), 0);
	ck_assert_str_eq(lm_place->name, way_name(_i));
	area = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, &ops, NULL, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	for (size_t i = 0; i < PAGES; i += 5)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
	ck_assert_int_eq(caught_child(read_and_write_all), 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
	ck_assert_int_eq(read_and_write_all(), 0);
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ways");
	TCase *ways = tcase_create("ways");

	tcase_set_timeout(ways, 60);
	tcase_add_loop_test(
		ways, eight_threads_see_every_byte_whatever_way_it_is_placed, 0,
		(WAYS - 1) * scene_count); /* in place is for one thread */
	tcase_add_loop_test(ways,
			    parent_and_child_each_place_into_their_own_memory,
			    0, WAYS);
	suite_add_tcase(suite, ways);
	return program_run(suite);
}
