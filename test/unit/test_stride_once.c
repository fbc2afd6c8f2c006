/*
 * test_stride_once.c -- what lib/stride.c decides on traces: which pages come
 * with a fault, which are asked for, and how many of both in vain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known.h"
#include "program.h"
#include "stream.h"
#include "stride.h"

#include <stdlib.h>
#include <string.h>

#define PAGES ((size_t)262144)
#define BASE ((uintptr_t)1 << 40)
#define MOST ((size_t)2 << 20)
/* Faults that are on no stride yet, and what they bring beside: 64 KiB each. */
#define LEARN 4
#define BEFORE ((size_t)LEARN * 15)

enum { ABSENT, THERE, MARKER };

static struct lm_streams streams;
static struct lm_strides strides;
static unsigned char state[PAGES];
static bool touched[PAGES];
static size_t faults, brought, asked, used, most;
static bool late; /* what is asked for never comes */

static void begin(void)
{
	memset(&streams, 0, sizeof(streams));
	memset(&strides, 0, sizeof(strides));
	memset(state, 0, sizeof(state));
	memset(touched, 0, sizeof(touched));
	faults = brought = asked = used = most = 0;
	late = false;
}

static const struct lm_stride_room room = { BASE, BASE + PAGES *PAGE, MOST / 4,
					    false };

static void bring(size_t page, unsigned char to)
{
	/* Each ck_assert tells the runner where it is: too slow for all. */
	if (page >= PAGES)
		ck_abort_msg("page %zu", page);
	brought += !state[page];
	if (!state[page])
		state[page] = to;
}

/* As readahead.c does, at once. */
static void read_ahead(const struct lm_steps *steps)
{
	uintptr_t start = steps->start;

	most = steps->count > most ? steps->count : most;
	for (uint32_t i = 0; i < steps->count; i++) {
		size_t n = (steps->end - steps->start) / PAGE;

		asked += n;
		for (size_t k = 0; k < n && !late; k++)
			bring((start - BASE) / PAGE + k,
			      i || k ? THERE : MARKER);
		start += (uintptr_t)steps->step;
	}
}

/* As claim.c does. */
static void fault(uintptr_t at)
{
	uintptr_t start, end;
	enum lm_way way;
	size_t n = lm_stream_cluster(&streams, at, MOST, &way);
	struct lm_steps steps = { .count = 0 };
	bool on = !way && lm_stride_of(&strides, at, &start, &end);

	faults++;
	if (!on) {
		start = at / n * n;
		end = start + n;
		if (end > room.high)
			end = room.high;
	}
	for (uintptr_t page = start; page < end; page += PAGE)
		bring((page - BASE) / PAGE, THERE);
	if (on)
		steps = lm_stride_claimed(&strides, at, &room);
	else
		lm_stream_claimed(&streams, at, &start, &end, false);
	if (!on && !way)
		lm_stride_alone(&strides, at);
	read_ahead(&steps);
}

static void touch(size_t page)
{
	uintptr_t at = BASE + page * PAGE;
	struct lm_steps steps;

	if (page >= PAGES)
		ck_abort_msg("page %zu", page);
	used += !touched[page];
	touched[page] = true;
	if (state[page] == MARKER) {
		state[page] = THERE;
		steps = lm_stride_touched(&strides, at, &room);
		read_ahead(&steps);
	} else if (state[page] == ABSENT) {
		fault(at);
	}
}

/* The pages of one step of a trace: upwards, or downwards. */
static void step(size_t first, size_t n, bool down)
{
	for (size_t i = 0; i < n; i++)
		touch(first + (down ? n - 1 - i : i));
}

static const size_t sizes[] = { 33, 64, 100, 512, 777, 2048 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

START_TEST(pages_of_equal_steps_come_and_none_between)
{
	size_t size = sizes[_i / 2], n = (PAGES - 1) / size + 1;

	begin();
	for (size_t i = 0; i < n; i++)
		touch((_i & 1 ? n - 1 - i : i) * size);
	ck_assert_uint_le(brought, n + BEFORE);
	ck_assert_uint_eq(most, LM_STRIDE_MOST);
	/* And the others were there. */
	ck_assert_uint_le(faults, LEARN + 1);
	ck_assert_uint_ge(asked, n - LEARN - 2);
}
END_TEST

START_TEST(some_pages_a_step_come_whole_and_none_between)
{
	size_t width = (size_t)_i / 2 + 1, n = PAGES / 256;

	begin();
	for (size_t i = 0; i < n; i++)
		step(i * 256 + 100, width, _i & 1);
	/* A step may lie in two clusters. */
	ck_assert_uint_le(brought, n * width + LEARN * 32);
	/* Each page of a step is learnt once; what was asked for meanwhile
	 * does not come whole. */
	ck_assert_uint_le(faults, 2 * LEARN + 6 * width);
}
END_TEST

/* In turn; every second one goes down. They begin where each has pages of its
 * own, at no equal distances. */
START_TEST(several_at_once_come_each)
{
	size_t n = (size_t)_i, part = PAGES / n, steps = part / 256 - 4;

	begin();
	for (size_t i = 0; i < steps; i++)
		for (size_t s = 0; s < n; s++)
			touch(s * part + s * s * 3 +
			      (s % 2 ? steps - 1 - i : i) * (130 + s));
	ck_assert_uint_eq(most, LM_STRIDE_MOST);
	ck_assert_uint_le(faults, (LEARN + 1) * n);
	/* What was asked for beyond the last of each is not touched. */
	ck_assert_uint_le(brought,
			  n * steps + n * BEFORE + n * 2 * LM_STRIDE_MOST);
}
END_TEST

/* Nothing comes: each page is a fault, and brings itself. */
START_TEST(what_is_late_goes_on)
{
	size_t n = PAGES / 256;

	begin();
	late = true;
	for (size_t i = 0; i < n; i++)
		touch(i * 256);
	ck_assert_uint_eq(faults, n);
	ck_assert_uint_le(brought, n + BEFORE);
	ck_assert_uint_ge(asked, n - LEARN - 2);
	ck_assert_uint_lt(asked, n);
}
END_TEST

START_TEST(random_touches_ask_for_next_to_nothing)
{
	uint64_t random = program_seed();
	/* A page of each 16, so that clusters do not hide them; and of the few
	 * none stays. */
	size_t n = 4000, among = _i ? PAGES / 16 : 1000;
	unsigned rounds = program_scaled(_i ? 4 : 40);

	for (unsigned round = 0; round < rounds; round++) {
		begin();
		for (size_t i = 0; i < n; i++) {
			touch(program_random(&random) % among * 16);
			if (_i == 0)
				memset(state, 0, among * 16);
		}
		ck_assert_uint_le(asked, 14);
	}
}
END_TEST

/* So many equal steps, and elsewhere: what was asked for in vain is in
 * proportion, and that is all. */
START_TEST(stride_that_ends_costs_no_more_than_it_was_long)
{
	size_t n = (size_t)_i, before;

	begin();
	for (size_t i = 0; i < n; i++)
		touch(i * 256);
	ck_assert_uint_le(asked, n <= LEARN ? 0 : 4 * n);
	before = asked;
	for (size_t i = 0; i < 200; i++)
		touch(PAGES / 2 + i * i);
	ck_assert_uint_eq(asked, before);
}
END_TEST

/* Ten equal steps and elsewhere, over and over. */
START_TEST(guesses_that_fail_again_and_again_become_rare)
{
	size_t half = 0;

	begin();
	for (size_t round = 0; round < 200; round++) {
		size_t first = round * 1291 + round * round % 97;

		if (round == 100)
			half = asked;
		for (size_t i = 0; i < 10 && first + i * 130 < PAGES; i++)
			touch(first + i * 130);
	}
	ck_assert_uint_gt(half, 0);
	ck_assert_uint_le(asked - half, half / 4);
}
END_TEST

START_TEST(nothing_is_asked_for_beyond_the_area)
{
	begin();
	for (size_t i = 0; i < 7; i++)
		touch(PAGES - 1 - (6 - i) * 1000);
	ck_assert_uint_eq(brought, 7 + BEFORE);
	ck_assert_uint_eq(asked, 2);
	begin();
	for (size_t i = 0; i < 7; i++)
		touch((6 - i) * 1000);
	ck_assert_uint_eq(brought, 7 + BEFORE);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

/* Pages that lie side by side are a stream, however few come at once. */
START_TEST(streams_are_no_strides)
{
	begin();
	for (size_t i = 0; i < PAGES; i++)
		touch(i);
	ck_assert_uint_eq(asked, 0);
	begin();
	for (size_t i = PAGES; i-- > 0;)
		touch(i);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stride");
	TCase *stride = tcase_create("stride");

	tcase_add_loop_test(stride, pages_of_equal_steps_come_and_none_between,
			    0, 2 * SIZES);
	tcase_add_loop_test(
		stride, some_pages_a_step_come_whole_and_none_between, 0, 32);
	tcase_add_loop_test(stride, several_at_once_come_each, 2, 9);
	tcase_add_test(stride, what_is_late_goes_on);
	tcase_add_loop_test(stride, random_touches_ask_for_next_to_nothing, 0,
			    2);
	tcase_add_loop_test(
		stride, stride_that_ends_costs_no_more_than_it_was_long, 1, 40);
	tcase_add_test(stride, guesses_that_fail_again_and_again_become_rare);
	tcase_add_test(stride, nothing_is_asked_for_beyond_the_area);
	tcase_add_test(stride, streams_are_no_strides);
	suite_add_tcase(suite, stride);
	return program_run(suite);
}
