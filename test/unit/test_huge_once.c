/*
 * test_huge_once.c -- blocks that come as huge pages (huge.h): where they do,
 * and that none is left or made where pages of the block have gone.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "lazymap.h"
#include "outside.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
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

int main(void)
{
	Suite *suite = suite_create("huge");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, stream_of_writes_gets_huge_pages);
	tcase_add_test(tests, stream_beyond_the_limit_stays_within_it);
	tcase_add_test(tests, block_of_which_pages_went_is_no_longer_advised);
	tcase_add_loop_test(tests, advice_of_the_program_stands, 0, 2);
	suite_add_tcase(suite, tests);
	return program_run(suite);
}
