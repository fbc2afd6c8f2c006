/*
 * test_swap.c -- swap: what it costs, what it does when something fails, and
 * that it does not grow.
 *
 * Each page's content follows from its number and a version, so that any page
 * can be checked at any time. That the limit holds, and that no write is lost,
 * is test_resident's.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lazymap.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "known.h"
#include "outside.h"
#include "program.h"
#include "swap/file.h"
#include "swap/pool.h"

#define WORDS (PAGE / sizeof(uint32_t))
#define PAGES 4096u /* 16 MiB */
#define LIMIT (2ul << 20)

static uint32_t (*area)[WORDS];
static uint32_t version[PAGES];

PROGRAM_UNWATCHED static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Noise in the first `noise` words: what is left of it compresses to nothing,
 * so this is how large a page is in the pool. */
PROGRAM_UNWATCHED static void content(uint32_t *words, uint32_t page,
				      uint32_t of_version, size_t noise)
{
	uint64_t state = ((uint64_t)page << 32 | of_version) * 2 + 1;

	for (size_t i = 0; i < WORDS; i++)
		words[i] = i < noise ? (uint32_t)random_next(&state)
				     : page * 31 + of_version;
}

static size_t noise = WORDS;

static void put(uint32_t page)
{
	content(area[page], page, ++version[page], noise);
}

static bool right(uint32_t page)
{
	uint32_t wanted[WORDS];

	content(wanted, page, version[page], noise);
	return !memcmp(area[page], wanted, PAGE);
}

static void look(uint32_t page)
{
	/* Check writes to a pipe at each assertion: only for what is wrong. */
	if (!right(page))
		ck_abort_msg("page %u, version %u: wrong bytes", page,
			     version[page]);
}

static void put_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
}

static void look_all(void)
{
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

/* What the pager has in hand just now is passed over. */
static void page_out_all(void)
{
	for (int i = 0; stats().resident && i < 1000; i++) {
		if (i)
			usleep(1000);
		ck_assert_int_eq(
			lazymap_advise(area, PAGES * PAGE, MADV_PAGEOUT), 0);
	}
	ck_assert_uint_eq(stats().resident, 0);
}

static int told;
static char told_what[256];

static int note_error(const struct lazymap_error *error, void *data)
{
	(void)data;
	told++;
	snprintf(told_what, sizeof(told_what), "%s", error->what);
	/* A page that cannot be read is SIGBUS. */
	return error->kind != LAZYMAP_ERROR_READ;
}

static void begin(const char *pool)
{
	if (pool)
		setenv("LAZYMAP_SWAP_POOL", pool, 1);
	lazymap_on_error(note_error, NULL);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
}

static bool sanitized_quietly(void)
{
	const char *text = getenv("SANITIZE");

	return text && *text;
}

static bool sanitized(const char *why)
{
	if (!sanitized_quietly())
		return false;
	printf("skipped: %s\n", why);
	return true;
}

/* -- Where there is little ----------------------------------------------------- */

/* Beyond what is mapped and the tables of the limit; far less than the tables
 * that 64 GiB of swap may need one day. */
#define SPARE (1ul << 20)

START_TEST(swap_file_needs_little_address_space)
{
	struct rlimit limit;

	if (sanitized("a sanitizer's shadow is beyond any RLIMIT_AS"))
		return;
	begin("none");
	limit.rlim_cur = limit.rlim_max =
		(outside_status("VmSize") << 10) + SPARE;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	put_all();
	look_all();
	ck_assert_msg(!told, "%s", told_what);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_gt(stats().pages_to_file, PAGES / 2);
}
END_TEST

/* -- Damage --------------------------------------------------------------------- */

/* The descriptor of the swap file: the only one without a name in TESTDIR. */
static int swap_file(void)
{
	char name[64], target[256];

	for (int fd = 3; fd < 1 << 20; fd++) {
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (strstr(target, getenv("TESTDIR")) &&
		    strstr(target, "(deleted)"))
			return fd;
	}
	ck_abort_msg("no swap file");
}

/* One slot in `step`. How many. */
static unsigned damage_file(unsigned step)
{
	static const char garbage[PAGE] = "garbage";
	int fd = swap_file();
	off_t end = lseek(fd, 0, SEEK_END);
	unsigned n = 0;

	ck_assert_int_gt(end, 0);
	for (off_t at = 0; at < end; at += (off_t)(step * PAGE), n++)
		ck_assert_int_eq(pwrite(fd, garbage, PAGE, at), PAGE);
	return n;
}

static sigjmp_buf jump;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(jump, 1);
}

static void catch_bus(void)
{
	struct sigaction action = { .sa_handler = on_bus };

	sigaction(SIGBUS, &action, NULL);
}

START_TEST(damaged_page_costs_none_of_its_neighbours)
{
	static volatile unsigned lost;
	static volatile uint32_t page;
	unsigned damaged;

	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("none");
	put_all();
	page_out_all();
	ck_assert_uint_eq(stats().swap_file, PAGES * PAGE);
	damaged = damage_file(11);
	catch_bus();
	for (page = 0; page < PAGES; page++) {
		if (sigsetjmp(jump, 1))
			lost++;
		else
			look(page);
	}
	/* Slots that were taken, freed and taken no more may be among them. */
	ck_assert_uint_gt(lost, damaged / 2);
	ck_assert_uint_le(lost, damaged);
}
END_TEST

/* A byte of each 11th object: noise, which is there as it is, so that nothing
 * but the sum can tell. How many. (Inlined beside sigsetjmp it is a warning.) */
static __attribute__((noinline)) unsigned damage_pool(void)
{
	uint64_t object, owner;
	unsigned n = 0;

	for (unsigned i = 0; lm_pool_oldest(&object, &owner); i++) {
		const char *data;
		uint32_t sum;

		if (i % 11)
			continue;
		/* Its owner may write to it. */
		if (lm_pool_get(object, &data, &sum) < noise)
			ck_abort_msg("an object of less than its noise");
		((char *)(uintptr_t)data)[noise] ^= 1;
		n++;
	}
	return n;
}

START_TEST(damaged_page_in_the_pool_is_sigbus)
{
	static volatile unsigned lost;
	static volatile uint32_t page;
	unsigned damaged;

	noise = WORDS / 4;
	/* One page a fault, or its neighbours' damage is a page's own. */
	setenv("LAZYMAP_CLUSTER", "4096", 1);
	setenv("LAZYMAP_THREADS", "0", 1);
	begin("64M");
	put_all();
	page_out_all();
	ck_assert_uint_eq(stats().pages_to_file, 0);
	damaged = damage_pool();
	ck_assert_uint_gt(damaged, PAGES / 12);
	catch_bus();
	for (page = 0; page < PAGES; page++) {
		if (sigsetjmp(jump, 1))
			lost++;
		else
			look(page);
	}
	ck_assert_uint_eq(lost, damaged);
	ck_assert_int_eq(told, (int)damaged);
}
END_TEST

/* -- What goes where ------------------------------------------------------------ */

START_TEST(pages_of_one_byte_take_no_room)
{
	begin(_i ? "none" : "64M");
	for (uint32_t i = 0; i < PAGES; i++)
		memset(area[i], (int)(i % 256), PAGE);
	page_out_all();
	ck_assert_uint_eq(stats().pages_same, stats().pages_swapped_out);
	ck_assert_uint_ge(stats().pages_same, PAGES);
	ck_assert_uint_eq(stats().swap_pool, 0);
	ck_assert_uint_eq(stats().swap_file, 0);
	for (uint32_t i = 0; i < PAGES; i++)
		if (((unsigned char *)area[i])[0] != i % 256 ||
		    memcmp(area[i], (char *)area[i] + 1, PAGE - 1) != 0)
			ck_abort_msg("page %u: wrong bytes", i);
}
END_TEST

static unsigned writes, reads;

static int count_one(bool write)
{
	*(write ? &writes : &reads) += 1;
	return 0;
}

/* Many of them a call, and no page a second time. */
START_TEST(neighbours_go_out_and_come_back_together)
{
	setenv("LAZYMAP_THREADS", "0", 1);
	begin("none");
	atomic_store(&lm_swap_file_hook, count_one);
	put_all();
	page_out_all();
	look_all();
	atomic_store(&lm_swap_file_hook, NULL);
	printf("%u pages in %u writes and %u reads\n", PAGES, writes, reads);
	ck_assert_uint_eq(stats().pages_to_file, PAGES);
	ck_assert_uint_le(writes, PAGES / 8);
	ck_assert_uint_eq(stats().pages_swapped_in, PAGES);
	ck_assert_uint_le(reads, PAGES / 8);
}
END_TEST

START_TEST(file_is_made_where_the_environment_says)
{
	setenv(_i ? "TMPDIR" : "LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	if (_i)
		unsetenv("LAZYMAP_SWAPDIR");
	else /* the second choice */
		setenv("TMPDIR", "/var/tmp", 1);
	begin("none");
	put_all();
	ck_assert_int_ge(swap_file(), 0);
}
END_TEST

/* -- From the pool to the file -------------------------------------------------- */

#define POOL (1ul << 20)
#define HOT 64u

START_TEST(pool_keeps_what_went_out_last_and_the_rest_goes_to_the_file)
{
	noise = WORDS / 4;
	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("1M");
	put_all();
	put_all();
	/* By way of the pool, but where two threads were faster than that. */
	ck_assert_uint_le(stats().pages_to_file, PAGES / 16);
	ck_assert_uint_gt(stats().pages_demoted, PAGES / 2);
	ck_assert_uint_gt(stats().swap_file, PAGES * PAGE / 2);
	ck_assert_uint_le(stats().swap_pool, POOL);
	ck_assert_uint_gt(stats().swap_pool, POOL / 2);
	look_all();
	for (uint32_t i = 0; i < HOT; i++)
		put(i * 61);
	page_out_all();
	for (uint32_t i = 0; i < HOT; i++)
		put(i * 61);
	page_out_all();
	/* Those are not read from there. */
	damage_file(1);
	for (uint32_t i = 0; i < HOT; i++)
		look(i * 61);
	ck_assert_int_eq(told, 0);
}
END_TEST

/* The addresses that the pool knows of are those of now. */
START_TEST(pages_that_moved_go_from_the_pool_to_the_file)
{
	void *moved;

	noise = WORDS / 4;
	begin("1M");
	for (uint32_t i = 0; i < 512; i++)
		put(i);
	ck_assert_int_eq(lazymap_advise(area, 512 * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(stats().pages_demoted, 0);
	moved = lazymap_remap(area, 512 * PAGE, 600 * PAGE, MREMAP_MAYMOVE,
			      NULL);
	if (moved == area) /* the rest of the area is behind it */
		ck_abort_msg("it did not move");
	for (uint32_t i = 512; i < PAGES; i++)
		put(i);
	ck_assert_int_eq(lazymap_unmap(area + 512, (PAGES - 512) * PAGE), 0);
	/* Were they looked for where they have been, none would be there. Not
	 * all need be: a chunk that is half demoted takes new pages, and is the
	 * newest then, with the old ones that are still in it. */
	ck_assert_uint_ge(stats().swap_file, 512 / 2 * PAGE);
	area = moved;
	for (uint32_t i = 0; i < 512; i++)
		look(i);
	ck_assert_int_eq(told, 0);
}
END_TEST

/* -- Ahead of need ---------------------------------------------------------------- */

#define WANTED 128u

static bool all_back(uint32_t first, uint32_t n)
{
	for (int i = 0; i < 1000; i++) {
		if (outside_count(area[first], n * PAGE) == n)
			return true;
		usleep(10000);
	}
	return false;
}

/* Without threads it is done before the call returns. */
static const char *const threads[] = { "1", "0" };

START_TEST(pages_wanted_come_back_from_swap_untouched)
{
	uint64_t faults;

	setenv("LAZYMAP_THREADS", threads[_i % 2], 1);
	begin(_i < 2 ? "none" : "1M");
	put_all();
	page_out_all();
	ck_assert_uint_eq(outside_count(area, PAGES * PAGE), 0);
	ck_assert_int_eq(
		lazymap_advise(area[100], WANTED * PAGE, MADV_WILLNEED), 0);
	if (_i % 2)
		ck_assert_uint_eq(outside_count(area[100], WANTED * PAGE),
				  WANTED);
	ck_assert(all_back(100, WANTED));
	faults = stats().faults_read;
	for (uint32_t i = 100; i < 100 + WANTED; i++)
		look(i);
	ck_assert_uint_eq(stats().faults_read, faults);
	/* They kept their slots. */
	page_out_all();
	ck_assert_uint_eq(stats().pages_evicted - stats().pages_swapped_out,
			  stats().pages_swapped_in);
	look_all();
}
END_TEST

START_TEST(pages_wanted_beyond_the_limit_do_not_exceed_it)
{
	setenv("LAZYMAP_THREADS", threads[_i], 1);
	begin("none");
	put_all();
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_WILLNEED), 0);
	for (int n = 0; n < 20; n++) {
		ck_assert_uint_le(outside_count(area, PAGES * PAGE),
				  LIMIT / PAGE);
		usleep(1000);
	}
	/* Half of it at most, from the first on: the others are still there. */
	ck_assert(all_back(0, LIMIT / PAGE / 2 - 16));
	look_all();
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_int_eq(told, 0);
}
END_TEST

START_TEST(pages_wanted_where_nothing_can_go_stay_in_swap)
{
	uint64_t over;
	size_t there;
	int said;

	setenv("LAZYMAP_THREADS", threads[_i], 1);
	begin("none");
	put_all();
	/* All that may be there, and there for good. */
	ck_assert_int_eq(lazymap_pin(area, LIMIT - 16 * PAGE, LAZYMAP_READ), 0);
	/* Pins may have exceeded the limit; advice must not add to that. */
	there = outside_count(area, PAGES * PAGE);
	if (there < LIMIT / PAGE)
		there = LIMIT / PAGE;
	over = stats().pages_over_limit;
	said = told;
	for (int n = 0; n < 10; n++)
		ck_assert_int_eq(lazymap_advise(area + PAGES / 2,
						PAGES / 2 * PAGE,
						MADV_WILLNEED),
				 0);
	usleep(100000);
	ck_assert_uint_le(outside_count(area, PAGES * PAGE), there);
	ck_assert_uint_eq(stats().pages_over_limit, over);
	ck_assert_int_eq(told, said);
	ck_assert_int_eq(lazymap_unpin(area, LIMIT - 16 * PAGE), 0);
	look_all();
}
END_TEST

START_TEST(pages_wanted_and_damaged_are_told_by_their_touch)
{
	setenv("LAZYMAP_THREADS", threads[_i], 1);
	setenv("LAZYMAP_SWAPDIR", getenv("TESTDIR"), 1);
	begin("none");
	put_all();
	page_out_all();
	damage_file(1);
	ck_assert_int_eq(lazymap_advise(area, PAGES * PAGE, MADV_WILLNEED), 0);
	usleep(100000);
	ck_assert_uint_eq(outside_count(area, PAGES * PAGE), 0);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_eq(stats().resident, 0);
	catch_bus();
	if (!sigsetjmp(jump, 1)) {
		look(0);
		ck_abort_msg("damaged, and read");
	}
	ck_assert_int_eq(told, 1);
}
END_TEST

/* -- What it costs ---------------------------------------------------------------- */

/* Private memory that the kernel counts, without that of [start, len). */
static size_t metadata(const void *start, size_t len)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	size_t kilobytes = 0;
	char line[128];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "Anonymous:", 10))
			kilobytes = strtoul(line + 10, NULL, 10);
	fclose(file);
	ck_assert_uint_gt(kilobytes, 0);
	return (kilobytes << 10) - outside_count(start, len) * PAGE;
}

#define BLOCK (2ul << 20)
#define MUCH 24576u /* pages: 96 MiB */

/* 8 bytes for its word; 4 and 3 bits for its slot, 3 more when encrypted. */
START_TEST(page_costs_at_most_16_bytes_when_touched_and_nothing_before)
{
	size_t len = 64ul << 30, before, touched = 0;
	char *at;

	if (sanitized("a sanitizer keeps books of its own"))
		return;
	setenv("LAZYMAP_THREADS", "0", 1);
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_SWAP_ENCRYPT", _i ? "1" : "0", 1);
	lazymap_on_error(note_error, NULL);
	if (lazymap_limit(LIMIT)) {
		ck_assert_int_eq(errno, ENOENT);
		printf("skipped: encrypted: the module is not built here\n");
		return;
	}
	/* All that comes with the first eviction. */
	begin(NULL);
	put_all();
	before = metadata(area, PAGES * PAGE);
	at = lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	/* 32768 blocks, and a few pages for the area. */
	ck_assert_uint_le(metadata(area, PAGES * PAGE), before + 16 * PAGE);
	before = metadata(area, PAGES * PAGE);
	/* Whole blocks with as many between them that nobody touches. */
	at = (char *)(((uintptr_t)at + BLOCK - 1) & ~(BLOCK - 1));
	for (; touched < MUCH; touched++) {
		size_t block = touched * PAGE / BLOCK * 2;

		content((uint32_t *)(at + block * BLOCK +
				     touched * PAGE % BLOCK),
			(uint32_t)touched, 1, WORDS);
	}
	ck_assert_uint_gt(stats().swap_file, MUCH * PAGE);
	before = metadata(at, 2 * MUCH * PAGE) - before;
	printf("%.2f bytes a page\n",
	       (double)before / (double)(MUCH + LIMIT / PAGE));
	ck_assert_uint_le(before, (size_t)MUCH * 16);
}
END_TEST

/* -- What fails ------------------------------------------------------------------- */

#define FEW_MAX 160u /* pages */

/* The least limit, 64 pages, and memory of a little more: every count is a run.
 * A sanitizer's thread counts, too. */
static size_t few_limit = 256 << 10;
static uint32_t few = FEW_MAX / 2;

/* One run: which read or write fails, and whether all after it do; and what
 * came of it, for the parent. */
static struct run {
	bool write, all;
	int error;
	unsigned nth;
	unsigned passed, failed; /* calls */
	unsigned lost;           /* touches that got SIGBUS */
	bool skipped;
} * run;

static int fail_one(bool write)
{
	if (write != run->write)
		return 0;
	run->passed++;
	if (run->passed < run->nth || (run->passed > run->nth && !run->all))
		return 0;
	run->failed++;
	return run->error;
}

/* A touch that fails changes nothing: it can be tried again. */
static void try(void (*touch)(uint32_t page), uint32_t page)
{
	uint32_t before = version[page];

	if (!sigsetjmp(jump, 1)) {
		touch(page);
		return;
	}
	version[page] = before;
	run->lost++;
}

static void use_few(void)
{
	for (uint32_t i = 0; i < few; i++)
		try(put, i);
	for (uint32_t i = 0; i < few; i++)
		try(look, i);
	for (uint32_t i = 0; i < few; i += 5)
		try(put, i);
	for (uint32_t i = 0; i < few; i++)
		try(look, i);
}

static void run_with_failure(void)
{
	lazymap_on_error(note_error, NULL);
	if (lazymap_limit(few_limit)) {
		run->skipped = errno == ENOENT;
		_exit(!run->skipped);
	}
	area = lazymap_map(NULL, few * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	catch_bus();
	atomic_store(&lm_swap_file_hook, fail_one);
	use_few();
	atomic_store(&lm_swap_file_hook, NULL);
	/* Nothing was lost: what could not be read can be read now. */
	for (uint32_t i = 0; i < few; i++)
		look(i);
	if (run->write) {
		ck_assert_uint_eq(run->lost, 0);
		/* Over the limit, said once; or there was time to go on. */
		ck_assert_int_le(told, 1);
		ck_assert_int_eq(told, stats().pages_over_limit != 0);
	} else {
		ck_assert_uint_eq(stats().pages_over_limit, 0);
	}
	_exit(0);
}

/* Every count, up to where nothing is left to fail. */
static void fail_at_every_count(bool write, bool all, int error)
{
	unsigned step = sanitized_quietly() ? 17 : 1;
	unsigned runs = 0;

	run->skipped = false;
	for (unsigned nth = 1; !run->skipped; nth += step) {
		int status;
		pid_t child;

		*run = (struct run){
			.write = write, .all = all, .error = error, .nth = nth
		};
		runs++;
		child = fork();
		if (!child)
			run_with_failure();
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(!status, "%s %u%s: status %x",
			      write ? "write" : "read", nth,
			      all ? " and all after it" : "", status);
		/* One that fails is tried again, or done without. */
		if (!write && all)
			ck_assert_int_eq(run->lost > 0, run->failed > 1);
		if (!run->failed && !run->skipped) {
			ck_assert_uint_gt(nth, 10);
			printf("%s, %s: %u runs\n", write ? "writes" : "reads",
			       all ? "all from one on" : "one", runs);
			return;
		}
	}
	printf("skipped: encrypted swap: the module is not built here\n");
}

START_TEST(every_failed_write_and_read_loses_nothing)
{
	run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(run, MAP_FAILED);
	/* One thread, so that counts mean something. */
	setenv("LAZYMAP_THREADS", "0", 1);
	setenv("LAZYMAP_SWAP_POOL", _i & 1 ? "64K" : "none", 1);
	setenv("LAZYMAP_SWAP_ENCRYPT", _i & 2 ? "1" : "0", 1);
	noise = _i & 1 ? WORDS / 2 : WORDS;
	if (sanitized_quietly()) {
		few_limit *= 2;
		few *= 2;
	}
	fail_at_every_count(true, false, -EIO);
	fail_at_every_count(true, true, -ENOSPC);
	fail_at_every_count(false, false, -EIO);
	fail_at_every_count(false, true, -EIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("swap");
	TCase *tcase = tcase_create("swap");
	SRunner *runner;
	int failures;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
#define TEST(name) tcase_add_test(tcase, name)
	TEST(swap_file_needs_little_address_space);
	TEST(pool_keeps_what_went_out_last_and_the_rest_goes_to_the_file);
	TEST(pages_that_moved_go_from_the_pool_to_the_file);
	TEST(damaged_page_costs_none_of_its_neighbours);
	TEST(damaged_page_in_the_pool_is_sigbus);
	tcase_add_loop_test(tcase, pages_of_one_byte_take_no_room, 0, 2);
	TEST(neighbours_go_out_and_come_back_together);
	tcase_add_loop_test(tcase, file_is_made_where_the_environment_says, 0,
			    2);
	tcase_add_loop_test(tcase, pages_wanted_come_back_from_swap_untouched,
			    0, 4);
	tcase_add_loop_test(
		tcase, pages_wanted_beyond_the_limit_do_not_exceed_it, 0, 2);
	tcase_add_loop_test(
		tcase, pages_wanted_where_nothing_can_go_stay_in_swap, 0, 2);
	tcase_add_loop_test(
		tcase, pages_wanted_and_damaged_are_told_by_their_touch, 0, 2);
	tcase_add_loop_test(
		tcase,
		page_costs_at_most_16_bytes_when_touched_and_nothing_before, 0,
		2);
	tcase_add_loop_test(tcase, every_failed_write_and_read_loses_nothing, 0,
			    4);
#undef TEST
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
