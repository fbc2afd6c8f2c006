/*
 * test_huge_once.c -- blocks that come as huge pages (huge.h): where they do,
 * and that none is left or made where pages of the block have gone.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "program.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK ((size_t)2 << 20)
#define BLOCKS 24
#define LEN (BLOCKS * BLOCK)

static char *at;

/* Does the kernel make huge pages of what asks for them, here and now? */
static bool can(void)
{
	char line[128] = "";
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	bool never = !file || !fgets(line, sizeof(line), file) ||
		     strstr(line, "[never]");

	if (file)
		fclose(file);
	if (never || program_sanitized(""))
		printf("skipped: no huge pages, or a sanitizer's memory\n");
	return !never && !program_sanitized("");
}

/* Of the VM areas in [start, end): how much is in huge pages, in KiB, and how
 * many have this flag ("hg", "nh"; NULL: none is asked for). */
static size_t vm_areas(const char *start, const char *end, const char *flag,
		       size_t *flagged)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long from, to;
	bool in = false;
	size_t huge = 0, kib;

	ck_assert_ptr_nonnull(file);
	if (flagged)
		*flagged = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			in = to > (unsigned long)start &&
			     from < (unsigned long)end;
		else if (in && sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			huge += kib;
		else if (in && flag && !strncmp(line, "VmFlags:", 8))
			*flagged += strstr(line, flag) != NULL;
	}
	fclose(file);
	return huge;
}

static uint64_t word_of(size_t page)
{
	return page * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void map(size_t limit)
{
	at = lazymap_map(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	if (limit)
		ck_assert_int_eq(lazymap_limit(limit), 0);
}

static void write_all(void)
{
	for (size_t page = 0; page < LEN / PAGE; page++)
		*(volatile uint64_t *)(at + page * PAGE + page % 500 * 8) =
			word_of(page);
}

static void check_all(void)
{
	size_t wrong = 0;

	for (size_t page = 0; page < LEN / PAGE; page++)
		for (size_t i = 0; i < PAGE / 8; i++)
			wrong += ((volatile uint64_t *)(at + page * PAGE))[i] !=
				 (i == page % 500 ? word_of(page) : 0);
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(stream_of_writes_gets_huge_pages)
{
	if (!can())
		return;
	map(0);
	write_all();
	/* The first blocks come in smaller pieces; the rest may find the
	 * kernel without free ones. */
	ck_assert_uint_gt(vm_areas(at, at + LEN, NULL, NULL),
			  BLOCKS / 2 * (BLOCK >> 10));
	check_all();
}
END_TEST

START_TEST(stream_beyond_the_limit_stays_within_it)
{
	size_t flagged;

	map(16 * BLOCK);
	write_all();
	ck_assert_uint_le(outside_count(at, LEN) * PAGE, 16 * BLOCK);
	check_all();
	ck_assert_uint_le(outside_count(at, LEN) * PAGE, 16 * BLOCK);
	for (size_t block = 0; block < BLOCKS; block++)
		if (!outside_count(at + block * BLOCK, BLOCK)) {
			vm_areas(at + block * BLOCK, at + (block + 1) * BLOCK,
				 " hg", &flagged);
			ck_assert_uint_eq(flagged, 0);
		}
}
END_TEST

/* Nobody is to fill in again what went. */
START_TEST(block_of_which_pages_went_is_no_longer_advised)
{
	size_t flagged;
	char *block;

	if (!can())
		return;
	map(64 * BLOCK);
	write_all();
	block = (char *)(((uintptr_t)at + LEN / 2) & ~(BLOCK - 1));
	vm_areas(block, block + BLOCK, " hg", &flagged);
	ck_assert_uint_eq(flagged, 1);
	ck_assert_int_eq(
		lazymap_advise(block + 64 * PAGE, 16 * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(outside_count(block, BLOCK), BLOCK / PAGE - 16);
	vm_areas(block, block + BLOCK, " hg", &flagged);
	ck_assert_uint_eq(flagged, 0);
	check_all();
}
END_TEST

START_TEST(advice_of_the_program_stands)
{
	size_t flagged;

	if (!can())
		return;
	map(16 * BLOCK);
	ck_assert_int_eq(
		lazymap_advise(at, LEN, _i ? MADV_HUGEPAGE : MADV_NOHUGEPAGE),
		0);
	write_all();
	check_all();
	if (!_i)
		ck_assert_uint_eq(vm_areas(at, at + LEN, " hg", &flagged), 0);
	else
		vm_areas(at, at + LEN, " nh", &flagged);
	ck_assert_uint_eq(flagged, 0);
}
END_TEST

/* -- Copied ---------------------------------------------------------------------- */

static _Atomic size_t bad; /* no page up to here can be read; 0: all can */

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	size_t page = (size_t)offset / PAGE;

	(void)data;
	if (atomic_load(&bad) && page + len / PAGE > atomic_load(&bad))
		return -EIO;
	known_fill(buf, len, page);
	return 0;
}

static void map_store(int prot, size_t limit)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};

	ck_assert_int_eq(lazymap_limit(limit), 0);
	at = lazymap_map_store(NULL, LEN, prot, MAP_PRIVATE, &ops, NULL, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
}

static size_t wrong_in(size_t from, size_t to)
{
	size_t wrong = 0;

	for (size_t page = from; page < to; page++)
		wrong += known_wrong(at + page * PAGE, page);
	return wrong;
}

/* Upwards, downwards; what was written stays so. */
START_TEST(stream_of_what_is_copied_gets_huge_pages)
{
	size_t pages = LEN / PAGE, huge = 0, kib, wrong = 0;
	bool write = _i & 1;

	if (!can())
		return;
	map_store(PROT_READ | (write ? PROT_WRITE : 0), 16 * BLOCK);
	for (size_t i = 0; i < pages; i++) {
		size_t page = _i & 2 ? pages - 1 - i : i;

		wrong += known_wrong(at + page * PAGE, page);
		if (write && page % 700 == 3)
			((volatile uint64_t *)(at + page * PAGE))[9] = 1;
		if (i % 512 != 511)
			continue;
		kib = vm_areas(at, at + LEN, NULL, NULL);
		huge = kib > huge ? kib : huge;
		ck_assert_uint_le(outside_count(at, LEN) * PAGE, 16 * BLOCK);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(huge, 2 * (BLOCK >> 10));
	for (size_t page = 0; page < pages; page++) {
		volatile uint64_t *word = (uint64_t *)(at + page * PAGE);

		if (write && page % 700 == 3) {
			ck_assert_uint_eq(word[9], 1);
			word[9] = known_word(page, 9);
		}
	}
	ck_assert_uint_eq(wrong_in(0, pages), 0);
	ck_assert_uint_le(outside_count(at, LEN) * PAGE, 16 * BLOCK);
}
END_TEST

/* A block of which a part can be read takes no memory, but for the page that is
 * touched. */
START_TEST(block_that_cannot_be_read_leaves_nothing)
{
	size_t pages = LEN / PAGE, first = 0, flagged;
	uint64_t value;

	if (!can())
		return;
	caught_install();
	map_store(PROT_READ, 16 * BLOCK);
	ck_assert_uint_eq(wrong_in(0, pages / 2), 0);
	while (first < pages &&
	       (outside_present(at + first * PAGE) || first < pages / 2))
		first++;
	/* The stream's next block, but for its last pages. */
	atomic_store(&bad, first + 400);
	ck_assert_int_eq(caught_read(at + first * PAGE, &value), 0);
	ck_assert_uint_eq(value, known_word(first, 0));
	ck_assert_uint_eq(outside_count(at + first * PAGE, BLOCK), 1);
	vm_areas(at + first * PAGE, at + first * PAGE + BLOCK, " hg", &flagged);
	ck_assert_uint_eq(flagged, 0);
	atomic_store(&bad, 0);
	ck_assert_uint_eq(wrong_in(first, pages), 0);
	ck_assert_uint_eq(wrong_in(0, pages), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("huge");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, stream_of_writes_gets_huge_pages);
	tcase_add_test(tests, stream_beyond_the_limit_stays_within_it);
	tcase_add_test(tests, block_of_which_pages_went_is_no_longer_advised);
	tcase_add_loop_test(tests, advice_of_the_program_stands, 0, 2);
	tcase_add_loop_test(tests, stream_of_what_is_copied_gets_huge_pages, 0,
			    4);
	tcase_add_test(tests, block_that_cannot_be_read_leaves_nothing);
	suite_add_tcase(suite, tests);
	return program_run(suite);
}
