/*
 * test_frame_once.c -- frames that go from block to block (lib/frame.h): every byte
 * right and read as often as it came, whoever comes between; no more memory than
 * the limit lets in; and blocks that are split.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "blocks.h"
#include "caught.h"
#include "evict.h"
#include "frame.h"
#include "held.h"
#include "huge.h"
#include "outside.h"
#include "page.h"
#include "program.h"
#include "quota.h"
#include "resident.h"
#include "step.h"
#include "watched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void begin_with(const struct lazymap_options *options)
{
	watched_ops.flags = LAZYMAP_STORE_IN_HANDLER;
	watched_begin(options, PAGES);
}

static void begin(void)
{
	begin_with(&(struct lazymap_options){ .resident = LIMIT });
}

START_TEST(a_stream_takes_along_what_it_leaves)
{
	bool down = _i;
	size_t before, areas;

	begin();
	areas = outside_vm_areas();
	before = outside_status("VmRSS");
	blocks_scan(0, PAGES, down);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_msg(watched_reads[i] == 1, "page %zu: %u reads", i,
			      watched_reads[i]);
	/* How many is the pager's to say, which in pauses hides some of them by
	 * pieces. */
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	/* One for each block that is there, and what lies between. */
	ck_assert_uint_le(outside_vm_areas() - areas,
			  2 * LIMIT_PAGES / BLOCK + 24);
	if (!program_sanitized(""))
		ck_assert_uint_le(outside_status("VmHWM"),
				  before + LIMIT / 1024 + 1024);
	/* And nothing of it once they are unmapped, but what is spare. */
	ck_assert_int_eq(lazymap_unmap(watched_base, PAGES * PAGE), 0);
	ck_assert_uint_eq(atomic_load(&lm_quota_process.used),
			  atomic_load(&lm_quota_process.spare));
	ck_assert_uint_eq(lazymap_limit(0), 0);
	ck_assert_uint_eq(atomic_load(&lm_quota_process.spare), 0);
}
END_TEST

START_TEST(a_block_is_huge_where_the_kernel_has_such_pages)
{
	char text[64] = "";
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");

	if (!file || !fgets(text, sizeof(text), file) ||
	    strstr(text, "[never]")) {
		printf("skipped: the kernel makes no huge pages\n");
		return;
	}
	fclose(file);
	begin();
	blocks_scan(0, PAGES, false);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	file = fopen("/proc/self/smaps_rollup", "r");
	while (fgets(text, sizeof(text), file))
		if (strstr(text, "AnonHugePages:"))
			break;
	fclose(file);
	/* Memory may be too much in pieces for some of them. */
	ck_assert_uint_gt(strtoul(text + strlen("AnonHugePages:"), NULL, 10),
			  LIMIT / 1024 / 4);
}
END_TEST

/* -- Others beside it ------------------------------------------------------------- */

static _Atomic bool stop;

/* A stream over a third of it, again and again; each page has a word of its own to
 * be written, now and then. */
static void *stream(void *data)
{
	size_t first = (size_t)data * (PAGES / 4), n = PAGES / 4;

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < n; i++) {
			blocks_look(first + i);
			if (i % 64 == 0)
				blocks_count_over();
		}
	return NULL;
}

/* Touches and writes at random: its blocks are split, go to swap, and drop what
 * streams keep spare. */
static void *jump(void *data)
{
	uint64_t state = program_seed() | 1;
	static uint64_t written[PAGES];

	(void)data;
	while (!stop) {
		size_t page = PAGES / 2 + program_random(&state) % (PAGES / 2);

		if (written[page])
			blocks_wrong += *blocks_own_word(page) != written[page];
		else
			blocks_look(page);
		if (state % 8 == 0)
			*blocks_own_word(page) = written[page] = state;
		blocks_count_over();
	}
	return NULL;
}

START_TEST(streams_and_jumps_lose_nothing)
{
	pthread_t threads[3];
	size_t before;

	begin();
	before = outside_status("VmRSS");
	ck_assert_int_eq(pthread_create(&threads[2], NULL, jump, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stream, (void *)i),
			0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	stop = true;
	pthread_join(threads[2], NULL);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	/* Less than a spare frame more. */
	if (!program_sanitized(""))
		ck_assert_uint_le(outside_status("VmHWM"),
				  before + LIMIT / 1024 + 1536 +
					  watched_stats().swap_pool / 1024);
}
END_TEST

/* The steps of a block that comes, and of one that goes for it. */
static const enum lm_step steps[] = {
	LM_STEP_CLAIMED,       LM_STEP_READ,          LM_STEP_FILLED,
	LM_STEP_REVEALED,      LM_STEP_EVICT_CLAIMED, LM_STEP_EVICT_HIDDEN,
	LM_STEP_EVICT_DROPPED, LM_STEP_TAKEN,
};
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

/* A block that comes when others must go, and frames move; and one of those. */
#define COMES (BLOCKS - 4)
#define GOES ((size_t)8)

/* Until it was held: the pager may have taken the block the other way. */
static void *scan_by_thread(void *unused)
{
	(void)unused;
	while (!stop)
		blocks_scan(0, PAGES, false);
	return NULL;
}

static size_t held_block(int step)
{
	return steps[step] >= LM_STEP_EVICT_CLAIMED ? GOES : COMES;
}

/* Which block is taken out depends on what the pager has done. */
static const char *held_page(int step)
{
	return steps[step] == LM_STEP_TAKEN
		       ? NULL
		       : blocks_page(held_block(step) * BLOCK);
}

/* A thread that is held at the step, there. What goes was in sight. */
static void hold(pthread_t *thread, int step, enum lm_step releases)
{
	begin_with(&(struct lazymap_options){ .resident = LIMIT,
					      .policy = "fifo" });
	held_at(steps[step], held_page(step), releases);
	ck_assert_int_eq(pthread_create(thread, NULL, scan_by_thread, NULL), 0);
	held_wait();
	stop = true;
}

static void rest(pthread_t thread)
{
	pthread_join(thread, NULL);
	blocks_scan(0, PAGES, false);
	blocks_scan(0, PAGES, true);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_eq(watched_reports, 0);
}

START_TEST(who_touches_what_comes_or_goes_waits_for_it)
{
	pthread_t thread;
	size_t page;

	hold(&thread, _i, LM_STEP_WAIT);
	/* Its last page, which comes and goes with all others; but what is in
	 * sight can be read. */
	page = held_block(_i) * BLOCK + BLOCK - 1;
	if (steps[_i] == LM_STEP_TAKEN)
		for (size_t i = BLOCK - 1; i < PAGES; i += BLOCK)
			blocks_look(i);
	if (steps[_i] == LM_STEP_REVEALED || steps[_i] == LM_STEP_EVICT_CLAIMED)
		*blocks_own_word(page) = known_word(page, 1);
	blocks_look(page);
	ck_assert_uint_gt(held_passed(LM_STEP_WAIT), 0);
	rest(thread);
}
END_TEST

START_TEST(a_child_made_meanwhile_has_everything)
{
	bool announced = _i & 1;
	pthread_t thread;

	if (program_sanitized("thread")) {
		printf("skipped: ThreadSanitizer lets no child start threads\n");
		return;
	}
	hold(&thread, _i / 2, announced ? LM_STEP_FORK : LM_STEP_MAX);
	if (announced) {
		ck_assert_int_eq(caught_child(blocks_scan_all), 0);
	} else {
		ck_assert_int_eq(caught_clone(blocks_scan_all), 0);
		held_release();
	}
	rest(thread);
}
END_TEST

START_TEST(it_is_not_unmapped_or_dropped_meanwhile)
{
	bool unmapped = _i & 1;
	pthread_t thread;
	char *block;

	hold(&thread, _i / 2, LM_STEP_CHANGE);
	block = blocks_page(held_block(_i / 2) * BLOCK);
	if (!unmapped || !held_page(_i / 2)) {
		ck_assert_int_eq(lazymap_advise(watched_base, PAGES * PAGE,
						MADV_DONTNEED),
				 0);
		rest(thread);
		return;
	}
	/* The thread does not come here any more. */
	if (held_block(_i / 2) == GOES)
		ck_assert_int_eq(lazymap_unmap(block, BLOCK * PAGE), 0);
	else
		ck_assert_int_eq(lazymap_unmap(watched_base, BLOCK * PAGE), 0);
	pthread_join(thread, NULL);
	blocks_scan((GOES + 1) * BLOCK, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

/* -- One whole, or in pieces --------------------------------------------------------- */

START_TEST(a_page_of_a_block_is_written_and_goes_alone)
{
	begin();
	/* It came as a frame. */
	blocks_scan(0, 8 * BLOCK, false);
	for (size_t i = 4 * BLOCK; i < 8 * BLOCK; i += 50)
		*blocks_own_word(i) = ~known_word(i, 1);
	blocks_scan(8 * BLOCK, PAGES, false);
	ck_assert_uint_gt(watched_stats().pages_swapped_out, 0);
	for (size_t i = 4 * BLOCK; i < 8 * BLOCK; i += 50) {
		ck_assert_uint_eq(*blocks_own_word(i), ~known_word(i, 1));
		*blocks_own_word(i) = known_word(i, 1);
	}
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

/* Some of a block's pages are dropped, then others, then the rest; or all at once;
 * and what is left is one VM area again. */
START_TEST(what_is_dropped_leaves_no_vm_areas)
{
	size_t areas, piece = _i ? 7 : BLOCK;

	begin();
	areas = outside_vm_areas();
	for (int round = 0; round < 3; round++) {
		blocks_scan(0, PAGES, false);
		for (size_t i = 0; i < PAGES; i += piece)
			ck_assert_int_eq(
				lazymap_advise(blocks_page(i),
					       lm_min(piece, PAGES - i) * PAGE,
					       MADV_DONTNEED),
				0);
	}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(atomic_load(&lm_quota_process.used),
			  atomic_load(&lm_quota_process.spare));
	if (!_i)
		ck_assert_uint_le(outside_vm_areas() - areas, BLOCKS / 2);
	/* What goes page by page keeps some, until frames come there again. */
	ck_assert_uint_le(outside_vm_areas() - areas, 2 * BLOCKS);
}
END_TEST

/* The pager takes 64 KiB of this block, and of that, as single touches want room. */
START_TEST(a_block_that_went_by_pieces_is_levelled)
{
	begin();
	for (int round = 0; round < 4; round++) {
		blocks_scan(0, PAGES / 2, false);
		for (size_t i = 0; i < PAGES / 2; i++)
			blocks_look(PAGES / 2 + i * 1237 % (PAGES / 2));
	}
	/* Nothing of the first half is in place any more. */
	ck_assert_uint_eq(outside_count(watched_base, PAGES / 4 * PAGE), 0);
	ck_assert_uint_eq(blocks_wrong, 0);
	for (size_t i = 0; i < PAGES / 4; i += BLOCK)
		ck_assert_msg(!lm_frame_moved((uintptr_t)blocks_page(i)),
			      "block %zu", i / BLOCK);
}
END_TEST

/* -- Pauses ------------------------------------------------------------------------ */

/* Long enough for the pager to begin. */
static void rest_a_while(void)
{
	for (int i = 0; i < 40; i++)
		watched_nap();
}

/* Blocks that came as frames, and of them those that are no more, though they are
 * there. */
static size_t frames(size_t *split)
{
	size_t n = 0;

	*split = 0;
	for (size_t i = 0; i < PAGES; i += BLOCK) {
		uintptr_t block = (uintptr_t)blocks_page(i);

		if (!lm_frame_moved(block) ||
		    outside_count(blocks_page(i), BLOCK * PAGE) < BLOCK)
			continue;
		n++;
		*split += !lm_huge_is(block);
	}
	return n;
}

static void scan_with_pauses(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		blocks_look(i);
		if (i % 64 == 0)
			blocks_count_over();
		if (i % (BLOCK + BLOCK / 2) == 0)
			rest_a_while();
	}
}

/* What the policy wants to know, and the pager takes, is whole blocks. */
START_TEST(pauses_leave_frames_whole)
{
	static const char *const policies[] = { "s3fifo", "clock", "sieve",
						"fifo" };
	size_t split, n, moved = 0;

	begin_with(&(struct lazymap_options){ .resident = LIMIT,
					      .policy = policies[_i] });
	for (int round = 0; round < 4; round++) {
		scan_with_pauses(0, PAGES);
		n = frames(&split);
		/* Sieve may hide all there is: the stream comes back to a block
		 * that is there, rests in it, and is hidden once more. */
		ck_assert_uint_le(split, _i == 2 ? 2 : 0);
		ck_assert_uint_ge(n - split, LIMIT_PAGES / BLOCK - 4);
		ck_assert_uint_gt(watched_stats().blocks_moved, moved);
		moved = watched_stats().blocks_moved;
	}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

/* Some of the blocks are written to while they are there, others not, and all go
 * and come again. */
START_TEST(pauses_lose_no_write)
{
	uint64_t add = 1;

	begin();
	for (int round = 0; round < 3; round++, add += 7)
		for (size_t i = 0; i < PAGES; i++) {
			blocks_look(i);
			if (i % 64 == 0)
				blocks_count_over();
			if (i % (BLOCK + BLOCK / 2) == 0)
				rest_a_while();
			/* The block before, of which two in three stay clean. */
			if (i < BLOCK || i / BLOCK % 3 || i % 61 || i % 16 == 0)
				continue;
			blocks_wrong += *blocks_own_word(i - BLOCK) !=
					known_word(i - BLOCK, 1) +
						(round ? add - 7 : 0);
			*blocks_own_word(i - BLOCK) =
				known_word(i - BLOCK, 1) + add;
		}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	ck_assert_uint_gt(watched_stats().pages_swapped_out, 0);
}
END_TEST

static uint64_t (*kept)[PAGE / sizeof(uint64_t)];

static int read_kept(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	memcpy(buf, (char *)kept + offset, len);
	return 0;
}

static int write_kept(void *data, const void *buf, size_t len, off_t offset)
{
	(void)data;
	memcpy((char *)kept + offset, buf, len);
	return 0;
}

START_TEST(pauses_lose_no_write_of_a_store_that_is_written)
{
	struct lazymap_store_ops ops = { .size = sizeof(ops),
					 .version = LAZYMAP_STORE_VERSION,
					 .flags = LAZYMAP_STORE_IN_HANDLER,
					 .read = read_kept,
					 .write = write_kept };
	volatile uint64_t(*at)[PAGE / sizeof(uint64_t)];

	begin();
	kept = calloc(PAGES, PAGE);
	at = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED, &ops, NULL, 0);
	ck_assert(at != LAZYMAP_FAILED);
	for (uint64_t round = 0; round < 4; round++)
		for (size_t i = 0; i < PAGES; i++) {
			bool written = i / BLOCK % 3 == 0 && i % 61 == 0;

			blocks_wrong += at[i][i % 512] != (written ? round : 0);
			if (i % 64 == 0)
				blocks_count_over();
			if (written)
				at[i][i % 512] = round + 1;
			if (i % (BLOCK + BLOCK / 2) == 0)
				rest_a_while();
		}
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	/* All of it could go when there was to be room. */
	ck_assert_uint_eq(watched_reports, 0);
	ck_assert_int_eq(lazymap_unmap((void *)at, PAGES * PAGE), 0);
	for (size_t i = 0; i < PAGES; i++)
		blocks_wrong += kept[i][i % 512] !=
				(i / BLOCK % 3 == 0 && i % 61 == 0 ? 4 : 0);
	ck_assert_uint_eq(blocks_wrong, 0);
	free(kept);
}
END_TEST

/* -- Hidden, and touched again ------------------------------------------------------- */

/* A block that came as a frame and is there, hidden. */
static size_t hide_one(void)
{
	size_t page = BLOCK * 8;
	uint64_t mask;

	begin_with(&(struct lazymap_options){
		.resident = LIMIT, .policy = "fifo", .threads = -1 });
	blocks_scan(0, page + 2 * BLOCK, false);
	ck_assert(lm_huge_whole((uintptr_t)blocks_page(page)));
	mask = lm_os_block_signals();
	ck_assert_uint_eq(lm_evict_hide((uintptr_t)blocks_page(page),
					(uintptr_t)blocks_page(page + BLOCK)),
			  BLOCK);
	lm_os_restore_signals(mask);
	ck_assert(lm_huge_whole((uintptr_t)blocks_page(page)));
	return page;
}

static uint64_t soft_faults(void)
{
	return watched_stats().faults_soft;
}

START_TEST(a_stream_shows_a_hidden_frame_whole)
{
	static const size_t touched[] = { 0, 5, BLOCK - 1, BLOCK - 6 };
	size_t page = hide_one();

	blocks_look(page + touched[_i]);
	ck_assert_uint_eq(soft_faults(), 1);
	ck_assert(lm_huge_whole((uintptr_t)blocks_page(page)));
	blocks_scan(page, page + BLOCK, false);
	ck_assert_uint_eq(soft_faults(), 1);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

START_TEST(a_stream_that_rests_in_a_hidden_frame_shows_it_whole)
{
	size_t page = hide_one() + BLOCK;
	uint64_t mask = lm_os_block_signals();

	/* It has come to this one last. */
	lm_evict_hide((uintptr_t)blocks_page(page),
		      (uintptr_t)blocks_page(page + BLOCK));
	lm_os_restore_signals(mask);
	blocks_scan(page + BLOCK / 2, page + BLOCK, false);
	ck_assert_uint_eq(soft_faults(), 1);
	ck_assert(lm_huge_whole((uintptr_t)blocks_page(page)));
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

START_TEST(a_touch_within_a_hidden_frame_shows_a_piece)
{
	size_t page = hide_one();

	blocks_look(page + BLOCK / 2);
	ck_assert_uint_eq(soft_faults(), 1);
	ck_assert(!lm_huge_is((uintptr_t)blocks_page(page)));
	blocks_look(page);
	ck_assert_uint_eq(soft_faults(), 2);
	blocks_scan(page, page + BLOCK, false);
	ck_assert_uint_eq(soft_faults(), BLOCK / 16);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

/* The page that is written is shown in another way than the others. */
START_TEST(a_write_to_a_hidden_frame_splits_it)
{
	size_t page = hide_one();

	*blocks_own_word(page) = 5;
	ck_assert(!lm_huge_is((uintptr_t)blocks_page(page)));
	blocks_scan(page + BLOCK, PAGES, false);
	blocks_scan(0, page, false);
	ck_assert_uint_eq(*blocks_own_word(page), 5);
	*blocks_own_word(page) = known_word(page, 1);
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

START_TEST(advice_takes_a_frame_whole_or_a_piece_of_it)
{
	size_t page = BLOCK * 8, len = _i ? BLOCK / 4 : BLOCK;
	struct lazymap_stats before;

	begin_with(&(struct lazymap_options){
		.resident = LIMIT, .policy = "fifo", .threads = -1 });
	blocks_scan(0, page + 2 * BLOCK, false);
	before = watched_stats();
	if (lazymap_advise(blocks_page(page), len * PAGE, MADV_PAGEOUT) < 0) {
		printf("skipped: the kernel takes no such advice\n");
		return;
	}
	ck_assert_uint_eq(outside_count(blocks_page(page), BLOCK * PAGE),
			  BLOCK - len);
	ck_assert_uint_eq(watched_stats().pages_evicted - before.pages_evicted,
			  len);
	/* Whole, it is kept for the stream. */
	ck_assert_uint_eq(watched_stats().blocks_moved - before.blocks_moved,
			  !_i);
	ck_assert(lm_frame_moved((uintptr_t)blocks_page(page)) == (_i != 0));
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

/* -- What keeps blocks where they are -------------------------------------------------- */

static bool has_flag(const void *page, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t start, end, is = (uintptr_t)page;
	char line[512];
	bool here = false, has = false;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%zx-%zx ", &start, &end) == 2)
			here = is >= start && is < end;
		if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag);
	}
	fclose(file);
	return has;
}

START_TEST(what_the_program_asked_of_the_kernel_stays)
{
	static const struct {
		int advice;
		const char *flag;
	} asked[] = { { MADV_DONTDUMP, " dd" },
		      { MADV_DONTFORK, " dc" },
		      { MADV_NOHUGEPAGE, " nh" },
		      { MADV_MERGEABLE, " mg" } };
	size_t len = PAGES / 2 * PAGE;

	begin();
	if (lazymap_advise(watched_base, len, asked[_i].advice) < 0) {
		printf("skipped: the kernel takes no such advice\n");
		return;
	}
	for (int round = 0; round < 2; round++)
		blocks_scan(0, PAGES / 2, false);
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	for (size_t i = 0; i < PAGES / 2; i += BLOCK)
		ck_assert_msg(has_flag(blocks_page(i), asked[_i].flag), "%zu",
			      i);
	/* And the other half's do move. */
	for (int i = 0; i < 50 && !watched_stats().blocks_moved; i++)
		blocks_scan(PAGES / 2, PAGES, false);
	ck_assert_uint_gt(watched_stats().blocks_moved, 0);
	ck_assert(!has_flag(blocks_page(PAGES / 2), asked[_i].flag));
}
END_TEST

static const char *asked_flag;
static bool asked_before;
static unsigned asked_changes;

static void look_at_change(enum lm_step step, uintptr_t addr)
{
	(void)addr;
	if (step == LM_STEP_CHANGE && !asked_changes++)
		asked_before = has_flag(watched_base, asked_flag);
}

/* Or a block's mapping might be replaced between the two. */
START_TEST(what_stays_with_a_mapping_is_noted_before_it_is_asked_for)
{
	static const struct {
		int advice;
		const char *flag;
	} asked[] = { { MADV_DONTDUMP, " dd" },   { MADV_DONTFORK, " dc" },
		      { MADV_NOHUGEPAGE, " nh" }, { MADV_HUGEPAGE, " hg" },
		      { MADV_MERGEABLE, " mg" },  { -1, " lo" } };
	size_t len = 4 * BLOCK * PAGE;
	int ret;

	begin();
	blocks_scan(0, BLOCK, false);
	asked_flag = asked[_i].flag;
	atomic_store(&lm_step_hook, look_at_change);
	ret = asked[_i].advice < 0
		      ? lazymap_lock(watched_base, len, MLOCK_ONFAULT)
		      : lazymap_advise(watched_base, len, asked[_i].advice);
	atomic_store(&lm_step_hook, NULL);
	if (ret < 0 || !has_flag(watched_base, asked_flag)) {
		printf("skipped: the kernel does not do so here\n");
		return;
	}
	ck_assert_uint_gt(asked_changes, 0);
	ck_assert(!asked_before);
	blocks_scan(0, PAGES, false);
	blocks_scan(0, PAGES, false);
	ck_assert(has_flag(watched_base, asked_flag));
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

static bool is_mapped(uintptr_t addr)
{
	unsigned char there;

	return !mincore((void *)addr, PAGE, &there);
}

START_TEST(what_locks_everything_locks_no_window)
{
	uintptr_t window;
	uint64_t moved;

	if (program_sanitized("")) {
		printf("skipped: sanitizers have memory of their own\n");
		return;
	}
	begin();
	blocks_scan(0, PAGES, false);
	ck_assert_int_eq(lm_resident_take_frame(NULL, &window), 0);
	lm_frame_spare(window, NULL);
	ck_assert(is_mapped(window));
	if (lazymap_lock_all(MCL_CURRENT | MCL_ONFAULT) < 0) {
		printf("skipped: no memory may be locked here\n");
		return;
	}
	ck_assert(!is_mapped(window));
	ck_assert_uint_eq(atomic_load(&lm_quota_process.spare), 0);
	ck_assert_uint_eq(atomic_load(&lm_quota_process.used),
			  outside_count(watched_base, PAGES * PAGE));
	ck_assert(has_flag(blocks_page(PAGES - 1), " lo"));
	ck_assert_int_eq(lazymap_unlock_all(), 0);
	moved = watched_stats().blocks_moved;
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(watched_stats().blocks_moved, moved);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

START_TEST(locked_blocks_stay)
{
	begin();
	blocks_scan(0, BLOCK, false);
	if (lazymap_lock(watched_base, 2 * BLOCK * PAGE, 0) < 0) {
		printf("skipped: no memory may be locked here\n");
		return;
	}
	blocks_scan(2 * BLOCK, PAGES, false);
	ck_assert_uint_eq(outside_count(watched_base, 2 * BLOCK * PAGE),
			  2 * BLOCK);
	for (size_t i = 0; i < 2 * BLOCK; i++)
		ck_assert_uint_le(watched_reads[i], 1);
	blocks_scan(0, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

START_TEST(without_windows_all_goes_as_before)
{
	begin();
	if (_i == 0)
		lm_frame_refuse();
	if (_i == 1) {
		size_t now = outside_status("VmSize") * 1024;
		struct rlimit limit = { now + (4 << 20), now + (4 << 20) };

		if (program_sanitized("")) {
			printf("skipped: sanitizers need memory of their own\n");
			return;
		}
		/* No address space for them. */
		ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	}
	blocks_scan(0, PAGES, _i);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(watched_stats().blocks_moved, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

START_TEST(a_read_that_fails_gives_the_frame_back)
{
	uint64_t value;

	caught_install();
	begin();
	blocks_scan(0, BLOCKS / 2 * BLOCK, false);
	for (int i = 0; i < 3; i++) {
		/* In the middle of the next block. */
		watched_bad_from = BLOCKS / 2 * BLOCK + BLOCK / 2;
		blocks_scan(BLOCKS / 2 * BLOCK, BLOCKS / 2 * BLOCK + BLOCK / 4,
			    false);
		ck_assert_int_eq(
			caught_read(blocks_page(watched_bad_from), &value),
			SIGBUS);
		ck_assert_uint_eq(watched_reports, i + 1);
		ck_assert_uint_le(atomic_load(&lm_quota_process.used),
				  LIMIT_PAGES);
		watched_bad_from = WATCHED_NONE;
	}
	blocks_scan(BLOCKS / 2 * BLOCK, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
	ck_assert_uint_eq(blocks_over, 0);
}
END_TEST

/* -- Limits ---------------------------------------------------------------------------- */

START_TEST(a_lower_limit_holds_at_once)
{
	begin();
	blocks_scan(0, PAGES, false);
	ck_assert_int_eq(lazymap_limit(LIMIT / 2), 0);
	ck_assert_uint_le(atomic_load(&lm_quota_process.used), LIMIT_PAGES / 2);
	ck_assert_uint_le(outside_count(watched_base, PAGES * PAGE),
			  LIMIT_PAGES / 2);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	blocks_scan(0, PAGES, false);
	ck_assert_int_eq(lazymap_limit(0), 0);
	blocks_scan(0, PAGES, true);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

/* One area's own limit, and the process's: a frame of one may go to the other. */
START_TEST(an_areas_own_limit_holds)
{
	begin_with(&(struct lazymap_options){ .resident = _i ? 2 * LIMIT : 0 });
	blocks_hold_own_limit(_i, true);
	blocks_scan(PAGES / 2, PAGES, false);
	ck_assert_uint_eq(blocks_wrong, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *frame = tcase_create("frame");

	tcase_set_timeout(frame, 20);
	tcase_add_loop_test(frame, a_stream_takes_along_what_it_leaves, 0, 2);
	tcase_add_test(frame, a_block_is_huge_where_the_kernel_has_such_pages);
	tcase_add_test(frame, streams_and_jumps_lose_nothing);
	tcase_add_loop_test(frame, who_touches_what_comes_or_goes_waits_for_it,
			    0, STEPS);
	tcase_add_loop_test(frame, a_child_made_meanwhile_has_everything, 0,
			    2 * STEPS);
	tcase_add_loop_test(frame, it_is_not_unmapped_or_dropped_meanwhile, 0,
			    2 * STEPS);
	tcase_add_test(frame, a_page_of_a_block_is_written_and_goes_alone);
	tcase_add_loop_test(frame, what_is_dropped_leaves_no_vm_areas, 0, 2);
	tcase_add_test(frame, a_block_that_went_by_pieces_is_levelled);
	tcase_add_loop_test(frame, pauses_leave_frames_whole, 0, 4);
	tcase_add_test(frame, pauses_lose_no_write);
	tcase_add_test(frame, pauses_lose_no_write_of_a_store_that_is_written);
	tcase_add_loop_test(frame, a_stream_shows_a_hidden_frame_whole, 0, 4);
	tcase_add_test(frame,
		       a_stream_that_rests_in_a_hidden_frame_shows_it_whole);
	tcase_add_test(frame, a_touch_within_a_hidden_frame_shows_a_piece);
	tcase_add_test(frame, a_write_to_a_hidden_frame_splits_it);
	tcase_add_loop_test(frame, advice_takes_a_frame_whole_or_a_piece_of_it,
			    0, 2);
	tcase_add_loop_test(frame, what_the_program_asked_of_the_kernel_stays,
			    0, 4);
	tcase_add_loop_test(
		frame,
		what_stays_with_a_mapping_is_noted_before_it_is_asked_for, 0,
		6);
	tcase_add_test(frame, what_locks_everything_locks_no_window);
	tcase_add_test(frame, locked_blocks_stay);
	tcase_add_loop_test(frame, without_windows_all_goes_as_before, 0, 2);
	tcase_add_test(frame, a_read_that_fails_gives_the_frame_back);
	tcase_add_test(frame, a_lower_limit_holds_at_once);
	tcase_add_loop_test(frame, an_areas_own_limit_holds, 0, 2);
	suite_add_tcase(suite, frame);
	return program_run(suite);
}
