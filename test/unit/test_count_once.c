/*
 * test_count_once.c -- frames are counted by one look and one exchange
 * (lib/resident.h): whatever others do between any two instructions of it, there are
 * never more than the limit lets in, those that are spare (lib/frame.h) among them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "frame.h"
#include "known.h"
#include "lazymap.h"
#include "os.h"
#include "program.h"
#include "resident.h"
#include "stepped.h"

#include <stdio.h>

#define LIMIT ((size_t)32 << 20)
#define MAX (LIMIT / PAGE)
#define BLOCK ((size_t)512)
#define MORE ((size_t)16)

static uintptr_t window;
static int taken, also;

static size_t counted(void)
{
	return atomic_load(&lm_quota_process.used);
}

static void take(void)
{
	taken = lm_resident_take(NULL, MORE);
}

/* What is in a window is spare now, and others take what room there is. */
static void becomes_spare(void)
{
	lm_frame_spare(window, NULL);
	also = lm_resident_take(NULL, BLOCK);
}

static void is_used_again(void)
{
	also = lm_resident_take_frame(NULL, &window);
}

static bool can(void)
{
	if (!stepped_can())
		printf("skipped: not known how to step on this processor\n");
	else if (program_sanitized("thread"))
		printf("skipped: ThreadSanitizer's instructions are many\n");
	return stepped_can() && !program_sanitized("thread");
}

static void begin(void)
{
	ck_assert_int_eq(lazymap_start(&(struct lazymap_options){
				 .size = sizeof(struct lazymap_options),
				 .resident = LIMIT,
				 .strict = 1 }),
			 0);
}

/* A frame in the window, and so much else. */
static void put(size_t pages)
{
	atomic_store(&lm_quota_process.alone_to, 0);
	ck_assert_int_eq(lm_resident_take_frame(NULL, &window), 0);
	ck_assert_int_eq(lm_resident_take(NULL, pages), 0);
}

/* What is left is spare, or so much. */
static void give_all(size_t pages)
{
	while (lm_frame_drop(&lm_quota_process))
		;
	lm_resident_give(NULL, pages);
	ck_assert_uint_eq(counted(), 0);
}

START_TEST(what_becomes_spare_meanwhile_counts)
{
	unsigned at = 1;

	if (!can())
		return;
	begin();
	for (;; at++) {
		put(MAX - 2 * BLOCK);
		if (!stepped_run(take, at, becomes_spare))
			break;
		ck_assert_msg(counted() <= MAX, "%zu of %zu, at %u", counted(),
			      MAX, at);
		ck_assert_int_eq(taken, 0);
		ck_assert_int_eq(also, 0);
		give_all(MAX - 2 * BLOCK + BLOCK + MORE);
	}
	ck_assert_uint_gt(at, 10);
}
END_TEST

/* One of them finds no room. */
START_TEST(what_is_spare_is_dropped_or_used)
{
	unsigned at = 1;

	if (!can())
		return;
	begin();
	for (;; at++) {
		size_t left = MAX - BLOCK;

		put(left);
		lm_frame_spare(window, NULL);
		ck_assert_uint_eq(counted(), MAX);
		if (!stepped_run(take, at, is_used_again))
			break;
		ck_assert_uint_le(counted(), MAX);
		ck_assert(!taken != !also);
		if (!taken)
			left += MORE;
		else
			lm_frame_spare(window, NULL);
		give_all(left);
	}
	ck_assert_uint_gt(at, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("count");
	TCase *count = tcase_create("count");

	tcase_add_test(count, what_becomes_spare_meanwhile_counts);
	tcase_add_test(count, what_is_spare_is_dropped_or_used);
	suite_add_tcase(suite, count);
	return program_run(suite);
}
