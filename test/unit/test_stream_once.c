/*
 * test_stream_once.c -- what lib/stream.c decides on traces: how many faults a
 * trace takes, and how many pages come that it never touches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known.h"
#include "program.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#define PAGES ((size_t)65536)
#define BASE ((uintptr_t)1 << 40)
#define MOST ((size_t)2 << 20)

static struct lm_streams streams;
static bool there[PAGES];
static size_t faults, brought, most;

static void begin(void)
{
	memset(&streams, 0, sizeof(streams));
	memset(there, 0, sizeof(there));
	faults = brought = most = 0;
}

/* As claim.c does: the cluster's pages around it that are not there. */
static void touch(size_t page)
{
	uintptr_t at = BASE + page * PAGE;
	size_t low = page, high = page + 1, first, n;
	uintptr_t start, end;
	enum lm_way way;

	ck_assert_uint_lt(page, PAGES);
	if (there[page])
		return;
	n = lm_stream_cluster(&streams, at, MOST, &way) / PAGE;
	first = page / n * n;
	while (low > first && !there[low - 1])
		low--;
	while (high < first + n && high < PAGES && !there[high])
		high++;
	memset(there + low, 1, high - low);
	start = BASE + low * PAGE;
	end = BASE + high * PAGE;
	lm_stream_claimed(&streams, at, &start, &end, false);
	faults++;
	brought += high - low;
	most = n > most ? n : most;
}

#define LARGEST (MOST / PAGE)
/* From 64 KiB to 2 MiB it doubles five times. */
#define RAMP 6

START_TEST(stream_forward_ramps_to_2_mib)
{
	begin();
	for (size_t i = 0; i < PAGES; i++)
		touch(i);
	ck_assert_uint_eq(most, LARGEST);
	ck_assert_uint_le(faults, PAGES / LARGEST + RAMP);
}
END_TEST

START_TEST(stream_backward_ramps_to_2_mib)
{
	begin();
	for (size_t i = PAGES; i-- > 0;)
		touch(i);
	ck_assert_uint_eq(most, LARGEST);
	ck_assert_uint_le(faults, PAGES / LARGEST + RAMP);
}
END_TEST

/* As many as are remembered, in turn; every second one goes down. */
START_TEST(streams_at_once_ramp_each)
{
	size_t n = (size_t)_i, part = PAGES / n;

	begin();
	for (size_t i = 0; i < part; i++)
		for (size_t s = 0; s < n; s++)
			touch(s * part + (s % 2 ? part - 1 - i : i));
	ck_assert_uint_eq(most, LARGEST);
	ck_assert_uint_le(faults, PAGES / LARGEST + n * (RAMP + 1));
}
END_TEST

/* No page of it is next to one that came before: after the first few each comes
 * alone, whatever the stride. */
START_TEST(stride_wider_than_a_cluster_brings_single_pages)
{
	size_t stride = (size_t)_i, touched = 0;

	begin();
	for (size_t i = 0; i < PAGES; i += stride, touched++)
		touch(i);
	ck_assert_uint_ge(touched, 512);
	ck_assert_uint_le(brought - touched, 16 * (15 + 7 + 3 + 1));
}
END_TEST

/* The next touch is in the next cluster or a little further on. */
START_TEST(stride_of_up_to_half_a_first_cluster_is_a_stream)
{
	begin();
	for (size_t i = 0; i < PAGES; i += (size_t)_i)
		touch(i);
	ck_assert_uint_eq(most, LARGEST);
	ck_assert_uint_le(faults, PAGES / LARGEST + 2 * RAMP);
}
END_TEST

/* Random touches: a wrong guess now and then, and few pages by it. */
START_TEST(random_touches_bring_few_pages_that_are_not_touched)
{
	uint64_t random = program_seed();
	size_t n = 4000;

	begin();
	for (size_t i = 0; i < n; i++)
		touch(program_random(&random) % PAGES);
	ck_assert_uint_le(brought, n + n / 2);
	ck_assert_uint_lt(most, LARGEST);
}
END_TEST

START_TEST(stream_after_random_touches_ramps_again)
{
	uint64_t random = program_seed();
	size_t before;

	begin();
	for (size_t i = 0; i < 1000; i++)
		touch(PAGES / 2 + program_random(&random) % (PAGES / 2));
	before = faults;
	for (size_t i = 0; i < PAGES / 2; i++)
		touch(i);
	/* It begins with a page, and doubles nine times. */
	ck_assert_uint_le(faults - before, PAGES / 2 / LARGEST + 11);
}
END_TEST

/* The block that is so far on a stream's way. */
static uintptr_t block_at(size_t i, bool down)
{
	return BASE + (down ? 15 - i : i) * MOST;
}

/* Touches block i, which was asked for: what the stream has come to is that. */
static enum lm_way touch_block(size_t i, bool down, uintptr_t *start,
			       uintptr_t *end)
{
	*start = block_at(i, down);
	*end = *start + MOST;
	return lm_stream_touched(&streams, *start + MOST / 2, start, end, true);
}

START_TEST(of_blocks_that_were_asked_for_a_stream_comes_to_one_at_a_time)
{
	bool down = _i;
	enum lm_way way = down ? LM_WAY_DOWN : LM_WAY_UP;
	uintptr_t start, end, ahead = block_at(down ? 4 : 5, down);

	begin();
	for (size_t i = 0; i < 2; i++) {
		start = block_at(i, down);
		end = start + MOST;
		lm_stream_claimed(&streams, down ? end - PAGE : start, &start,
				  &end, true);
	}
	ck_assert_uint_eq(lm_stream_asked(&streams, start, end, way),
			  down ? start : end);
	lm_stream_ahead(&streams, start, end, ahead);
	for (size_t i = 2; i < 5; i++) {
		ck_assert_int_eq(touch_block(i, down, &start, &end), way);
		ck_assert_uint_eq(start, block_at(i, down));
		ck_assert_uint_eq(end, start + MOST);
		ck_assert_uint_eq(lm_stream_asked(&streams, start, end, way),
				  ahead);
		/* What is asked for next is asked for once. */
		ck_assert_int_eq(touch_block(i, down, &start, &end),
				 LM_WAY_NONE);
	}
	/* All that was: as where there are no blocks. */
	ck_assert_int_eq(touch_block(5, down, &start, &end), LM_WAY_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *stream = tcase_create("stream");

	tcase_add_loop_test(
		stream,
		of_blocks_that_were_asked_for_a_stream_comes_to_one_at_a_time,
		0, 2);
	tcase_add_test(stream, stream_forward_ramps_to_2_mib);
	tcase_add_test(stream, stream_backward_ramps_to_2_mib);
	tcase_add_loop_test(stream, streams_at_once_ramp_each, 2,
			    LM_STREAMS + 1);
	tcase_add_loop_test(stream,
			    stride_wider_than_a_cluster_brings_single_pages, 33,
			    128);
	tcase_add_loop_test(
		stream, stride_of_up_to_half_a_first_cluster_is_a_stream, 2, 9);
	tcase_add_test(stream,
		       random_touches_bring_few_pages_that_are_not_touched);
	tcase_add_test(stream, stream_after_random_touches_ramps_again);
	suite_add_tcase(suite, stream);
	return program_run(suite);
}
