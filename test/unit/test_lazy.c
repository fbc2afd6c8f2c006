/*
 * test_lazy.c -- nothing is filled before it is touched, by the word of the
 * kernel and by the counters; what a touch fills; what large areas cost.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "program.h"
#include "step.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGES 1024
#define GIB ((size_t)1 << 30)
#define HUGE ((size_t)2 << 20)
#define TIB (GIB << 10)

enum kind { PRIVATE_FILE, SHARED_FILE, ANONYMOUS, STORE, WORKER, KINDS };

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static void start(size_t cluster)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = cluster };

	ck_assert_int_eq(lazymap_start(&options), 0);
}

static char *map_store(enum kind kind, size_t len)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = kind == STORE ? LAZYMAP_STORE_IN_HANDLER : 0,
		.read = read_known,
	};

	return lazymap_map_store(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				 &ops, NULL, 0);
}

/* Of known pages, or zeros; in a file that is as long, or (file >= 0) in it. */
static char *map_kind(enum kind kind, size_t len, int file)
{
	int prot = PROT_READ | PROT_WRITE, own = -1;
	char *at;

	if (kind >= STORE) {
		at = map_store(kind, len);
	} else if (kind == ANONYMOUS) {
		at = lazymap_map(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
	} else {
		if (file < 0)
			file = own = known_file("known", len / PAGE);
		at = lazymap_map(NULL, len, prot,
				 kind == SHARED_FILE ? MAP_SHARED : MAP_PRIVATE,
				 file, 0);
		if (own >= 0)
			close(own);
	}
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

/* -- Absent until touched --------------------------------------------------------- */

START_TEST(untouched_pages_are_absent_by_the_kernel_and_by_the_counters)
{
	static unsigned char touched[PAGES], resident[PAGES];
	uint64_t random = program_seed();
	size_t n = 0;
	char *at;

	start(PAGE);
	at = map_kind((enum kind)_i, PAGES * PAGE, -1);
	ck_assert_uint_eq(outside_count(at, PAGES * PAGE), 0);
	ck_assert_uint_eq(stats().pages_filled, 0);
	for (int i = 0; i < 100; i++) {
		size_t page = program_random(&random) % PAGES;

		n += !touched[page];
		touched[page] = 1;
		if (_i == ANONYMOUS)
			ck_assert_uint_eq(known_not_zero(at + page * PAGE), 0);
		else
			ck_assert_uint_eq(known_wrong(at + page * PAGE, page),
					  0);
	}
	ck_assert_int_eq(lazymap_resident(at, PAGES * PAGE, resident), 0);
	for (size_t page = 0; page < PAGES; page++) {
		ck_assert_int_eq(outside_present(at + page * PAGE),
				 touched[page]);
		ck_assert_int_eq(resident[page] & 1, touched[page]);
	}
	ck_assert_uint_eq(stats().pages_filled, n);
	ck_assert_uint_eq(stats().bytes_filled, n * PAGE);
	ck_assert_uint_eq(stats().resident, n * PAGE);
	ck_assert_uint_eq(stats().faults_read, n);
	ck_assert_uint_eq(stats().mapped, PAGES * PAGE);
}
END_TEST

static const size_t clusters[] = { PAGE,      2 * PAGE,   16 * PAGE,
				   64 * PAGE, 512 * PAGE, 0 };
#define CLUSTERS 6

/* The area is two blocks and more and not aligned to them. */
START_TEST(first_touch_fills_exactly_its_cluster)
{
	enum kind kind = (enum kind)(_i / CLUSTERS);
	size_t cluster = clusters[_i % CLUSTERS], before, held, n;
	uintptr_t first, end;
	char *at, *touch;

	start(cluster);
	cluster = cluster ? cluster : 16 * PAGE; /* the default */
	at = map_kind(kind, PAGES * PAGE, -1);
	touch = at + 700 * PAGE + 123;
	first = (uintptr_t)touch & ~(cluster - 1);
	end = first + cluster;
	if (first < (uintptr_t)at)
		first = (uintptr_t)at;
	if (end > (uintptr_t)at + PAGES * PAGE)
		end = (uintptr_t)at + PAGES * PAGE;
	n = (end - first) / PAGE;
	*(volatile char *)touch;
	ck_assert_uint_eq(stats().faults_read, 1);
	ck_assert_uint_eq(stats().pages_filled, n);
	before = first - (uintptr_t)at;
	ck_assert_uint_eq(outside_count(at, before), 0);
	ck_assert_uint_eq(
		outside_count((char *)end, PAGES * PAGE - before - n * PAGE),
		0);
	/* Of zeros the kernel makes only the one that was touched, or a huge
	 * page: the rest are there for the asking, without a signal. */
	held = outside_count((char *)first, n * PAGE);
	if (kind == ANONYMOUS && n * PAGE < HUGE)
		ck_assert_uint_eq(held, 1);
	else if (kind != ANONYMOUS || held != 1)
		ck_assert_uint_eq(held, n);
}
END_TEST

/* A fixed cluster stays what it is on a stream; but the kernel is asked for all of
 * it, and not once for each page. */
START_TEST(stream_in_fixed_clusters_fills_exactly_one_a_fault_and_maps_it)
{
	size_t cluster = 16 * PAGE, n = 24;
	bool write = _i % 2;
	char *first;

	start(cluster);
	first = map_kind(ANONYMOUS, PAGES * PAGE, -1);
	first += -(uintptr_t)first & (cluster - 1);
	for (size_t i = 0; i < n; i++) {
		char *at = first + i * cluster;

		if (write)
			*(volatile char *)at = 1;
		else
			ck_assert_int_eq(*(volatile char *)at, 0);
		ck_assert_uint_eq(stats().pages_filled, 16 * (i + 1));
		ck_assert_uint_eq(outside_count(at + cluster, cluster), 0);
		if (i > 1 && program_trap_knows())
			ck_assert_uint_eq(outside_count(at, cluster), 16);
	}
	for (size_t i = 0; i < n * cluster; i++)
		ck_assert_int_eq(first[i], write && i % cluster == 0);
}
END_TEST

/* -- Faults ------------------------------------------------------------------------- */

static _Atomic unsigned faults;

static void count_faults(enum lm_step step, uintptr_t addr)
{
	(void)addr;
	faults += step == LM_STEP_CLAIM;
}

START_TEST(first_write_takes_one_fault_where_the_trap_can_tell)
{
	unsigned wanted = program_trap_knows() ? 1 : 2;
	char *at;

	start(PAGE);
	at = map_kind((enum kind)_i, PAGES * PAGE, -1);
	if (_i == SHARED_FILE)
		wanted = 1; /* the kernel keeps track itself */
	atomic_store(&lm_step_hook, count_faults);
	*(volatile char *)(at + 5 * PAGE) = 1;
	atomic_store(&lm_step_hook, NULL);
	ck_assert_uint_eq(faults, wanted);
	ck_assert_uint_eq(stats().faults_write, program_trap_knows());
	ck_assert_uint_eq(stats().faults_read, !program_trap_knows());
	ck_assert_uint_eq(stats().faults_upgrade, wanted - 1);
	ck_assert_uint_eq(stats().pages_filled, 1);
}
END_TEST

START_TEST(write_after_a_read_takes_one_more_fault)
{
	unsigned wanted = _i == SHARED_FILE ? 1 : 2;
	char *at;

	start(PAGE);
	at = map_kind((enum kind)_i, PAGES * PAGE, -1);
	atomic_store(&lm_step_hook, count_faults);
	*(volatile char *)(at + 5 * PAGE);
	*(volatile char *)(at + 5 * PAGE) = 1;
	*(volatile char *)(at + 5 * PAGE) = 2;
	atomic_store(&lm_step_hook, NULL);
	ck_assert_uint_eq(faults, wanted);
	ck_assert_uint_eq(stats().faults_read, 1);
	ck_assert_uint_eq(stats().faults_upgrade, wanted - 1);
	ck_assert_uint_eq(stats().pages_filled, 1);
}
END_TEST

START_TEST(populate_brings_everything_in_without_a_fault)
{
	size_t len = 100 * PAGE;
	int file = known_file("known", 100);
	char *at;

	start(PAGE);
	at = lazymap_map(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file,
			 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	ck_assert_uint_eq(outside_count(at, len), 100);
	for (size_t i = 0; i < 100; i++)
		ck_assert_uint_eq(known_wrong(at + i * PAGE, i), 0);
	ck_assert_uint_eq(stats().faults_read, 0);
	ck_assert_uint_eq(stats().pages_filled, 100);
}
END_TEST

/* -- Size ----------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* A sanitizer keeps books of what is touched. */
static size_t slack(void)
{
	return program_sanitized("") ? 8192 : 0;
}

static size_t memory(void)
{
	/* Without the code that happens to be read in meanwhile. */
	return outside_status("RssAnon") + outside_status("RssShmem") +
	       outside_status("VmPTE");
}

START_TEST(a_tebibyte_costs_neither_memory_nor_time_until_touched)
{
	int file = memfd_create("tebibyte", MFD_CLOEXEC);
	size_t before;
	double began;
	char *at;

	if (ftruncate(file, (off_t)TIB)) {
		puts("skipped: no file of a tebibyte here");
		return;
	}
	start(PAGE);
	/* What is there once and for all comes first. */
	at = map_kind((enum kind)_i, 16 * PAGE, file);
	*(volatile char *)at;
	ck_assert_int_eq(lazymap_unmap(at, 16 * PAGE), 0);
	before = memory();
	began = now();
	at = map_kind((enum kind)_i, TIB, file);
	ck_assert_double_lt(now() - began, 0.1);
	ck_assert_uint_le(memory(), before + 128 + slack());
	ck_assert_uint_eq(stats().resident, 0);
	for (size_t i = 0; i < 4; i++) {
		char *page = at + i * 255 * GIB;

		if (_i >= STORE)
			ck_assert_uint_eq(
				known_wrong(page, i * 255 * GIB / PAGE), 0);
		else
			ck_assert_uint_eq(known_not_zero(page), 0);
	}
	/* Page tables, the kernel's and ours, for four places. */
	ck_assert_uint_le(memory(), before + 512 + slack());
	ck_assert_uint_eq(stats().resident, 4 * PAGE);
	began = now();
	ck_assert_int_eq(lazymap_protect(at, TIB, PROT_READ), 0);
	ck_assert_int_eq(lazymap_advise(at, TIB, MADV_DONTNEED), 0);
	ck_assert_int_eq(lazymap_sync(at, TIB, MS_SYNC), 0);
	ck_assert_int_eq(lazymap_unmap(at, TIB), 0);
	ck_assert_double_lt(now() - began, 0.5);
	ck_assert_uint_eq(stats().mapped, 0);
	ck_assert_uint_eq(stats().resident, 0);
}
END_TEST

/* The sum of a field of /proc/self/smaps, in KiB. */
static size_t smaps(const char *field)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	size_t len = strlen(field), sum = 0, value;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, len) && line[len] == ':' &&
		    sscanf(line + len + 1, "%zu", &value) == 1)
			sum += value;
	fclose(file);
	return sum;
}

static bool huge_pages_can_be_had(void)
{
	size_t len = 2 * HUGE, before = smaps("AnonHugePages");
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	ck_assert_ptr_ne(at, MAP_FAILED);
	madvise(at, len, MADV_HUGEPAGE);
	for (size_t i = 0; i < len; i += PAGE)
		at[i] = 1;
	can = smaps("AnonHugePages") > before;
	munmap(at, len);
	return can;
}

START_TEST(clusters_of_2_mib_are_huge_pages)
{
	size_t len = 8 * HUGE;
	char *at;

	if (!huge_pages_can_be_had()) {
		printf("skipped: the kernel gives no huge pages\n");
		return;
	}
	start(HUGE);
	at = map_kind(ANONYMOUS, len, -1);
	ck_assert_uint_eq(smaps("AnonHugePages"), 0);
	at[3 * HUGE + 5 * PAGE] = 1;
	ck_assert_uint_eq(smaps("AnonHugePages"), HUGE / 1024);
	ck_assert_uint_eq(stats().resident, HUGE);
	for (size_t i = 0; i < len; i += PAGE)
		ck_assert_int_eq(at[i], i == 3 * HUGE + 5 * PAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lazy");
	TCase *lazy = tcase_create("lazy");

	tcase_set_timeout(lazy, 60);
	tcase_add_loop_test(
		lazy,
		untouched_pages_are_absent_by_the_kernel_and_by_the_counters, 0,
		KINDS);
	tcase_add_loop_test(
		lazy,
		stream_in_fixed_clusters_fills_exactly_one_a_fault_and_maps_it,
		0, 2);
	tcase_add_loop_test(lazy, first_touch_fills_exactly_its_cluster, 0,
			    KINDS * CLUSTERS);
	tcase_add_loop_test(lazy,
			    first_write_takes_one_fault_where_the_trap_can_tell,
			    0, KINDS);
	tcase_add_loop_test(lazy, write_after_a_read_takes_one_more_fault, 0,
			    KINDS);
	tcase_add_test(lazy, clusters_of_2_mib_are_huge_pages);
	tcase_add_test(lazy, populate_brings_everything_in_without_a_fault);
	tcase_add_loop_test(
		lazy, a_tebibyte_costs_neither_memory_nor_time_until_touched, 0,
		KINDS);
	suite_add_tcase(suite, lazy);
	return program_run(suite);
}
