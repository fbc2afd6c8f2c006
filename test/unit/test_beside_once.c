/*
 * test_beside_once.c -- where the pager runs beside streams (beside.h): not
 * where they do, and not at all when they are on all processors.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "beside.h"
#include "program.h"

#include <sched.h>
#include <stdio.h>

#define FAULTS 64

static cpu_set_t all;

static int processors(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	return CPU_COUNT(&all);
}

static void stand_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_int_eq(sched_getcpu(), cpu);
}

static void stand_anywhere(void)
{
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
}

static bool is_allowed(int cpu)
{
	cpu_set_t now;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	return CPU_ISSET(cpu, &now);
}

/* A stream on the processor where this thread, the pager, is just then. */
static int stream_here(void)
{
	int cpu = sched_getcpu();

	stand_on(cpu);
	ck_assert(lm_beside_stream(&all));
	stand_anywhere();
	return cpu;
}

START_TEST(pager_leaves_the_processor_of_the_stream_and_may_come_back)
{
	int cpu;

	if (processors() < 2) {
		printf("skipped: one processor\n");
		return;
	}
	lm_beside_start();
	for (int i = 0; i < 3; i++) {
		/* It may have been moved away by the kernel already. */
		do {
			cpu = stream_here();
			lm_beside_away();
		} while (is_allowed(cpu));
		ck_assert_int_ne(sched_getcpu(), cpu);
		lm_beside_anywhere();
		ck_assert(is_allowed(cpu));
	}
}
END_TEST

START_TEST(processors_that_the_program_sets_meanwhile_stay)
{
	int cpu;

	if (processors() < 2) {
		printf("skipped: one processor\n");
		return;
	}
	lm_beside_start();
	do {
		cpu = stream_here();
		lm_beside_away();
	} while (is_allowed(cpu));
	stand_on(cpu);
	lm_beside_anywhere();
	ck_assert(is_allowed(cpu));
	ck_assert_int_eq(processors(), 1);
}
END_TEST

START_TEST(streams_on_all_processors_leave_none_to_the_pager)
{
	int n = processors();
	static char thread[64];

	if (n > 8) {
		printf("skipped: more processors than are counted\n");
		return;
	}
	lm_beside_start();
	for (int i = 0; i < FAULTS; i++)
		ck_assert_int_eq(lm_beside_stream(&thread[0]), n > 1);
	for (int i = 0; i < FAULTS; i++)
		if (lm_beside_stream(&thread[i % n]))
			ck_assert_int_lt(i, n - 1);
	/* One of them has ended. */
	for (int i = 0; n > 1 && i < FAULTS; i++)
		if (!lm_beside_stream(&thread[i % (n - 1)]))
			ck_assert_int_lt(i, 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("beside");
	TCase *tests = tcase_create("all");

	tcase_add_test(
		tests,
		pager_leaves_the_processor_of_the_stream_and_may_come_back);
	tcase_add_test(tests, processors_that_the_program_sets_meanwhile_stay);
	tcase_add_test(tests,
		       streams_on_all_processors_leave_none_to_the_pager);
	suite_add_tcase(suite, tests);
	return program_run(suite);
}
