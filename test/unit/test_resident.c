/*
 * test_resident.c -- bounded memory: the limit holds, and no write is lost on
 * the way to swap and back.
 *
 * Each page's content follows from its number and a version, so that any page
 * can be checked at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "outside.h"
#include "program.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lazymap.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORDS (PAGE / sizeof(uint32_t))
#define PAGES 4096u /* 16 MiB */
#define LIMIT (2ul << 20)

static uint32_t (*area)[WORDS];
static uint32_t version[PAGES];
static uint64_t seed;

/* Under a sanitizer fewer: each costs ten times as much. */
static int scaled(int n)
{
	const char *text = getenv("SANITIZE");

	return text && *text ? n / 10 : n;
}

PROGRAM_UNWATCHED static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Of each kind that swap knows: one byte, compressible, not compressible. */
PROGRAM_UNWATCHED static void content(uint32_t *words, uint32_t page,
				      uint32_t of_version)
{
	uint64_t state = ((uint64_t)page << 32 | of_version) * 2 + 1;

	if (!of_version || of_version % 4 == 3) {
		memset(words, of_version ? (int)(page % 251) : 0, PAGE);
		return;
	}
	for (size_t i = 0; i < WORDS; i++)
		words[i] = of_version % 4 == 2 ? (uint32_t)random_next(&state)
					       : page * 31 + of_version;
}

static void put(uint32_t page)
{
	content(area[page], page, ++version[page]);
}

static void look(uint32_t page)
{
	uint32_t wanted[WORDS];

	content(wanted, page, version[page]);
	/* Check writes to a pipe at each assertion: only for what is wrong. */
	if (memcmp(area[page], wanted, PAGE))
		ck_abort_msg(
			"page %u, version %u: wrong bytes (%08x, not %08x)",
			page, version[page], area[page][0], wanted[0]);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

static void *map_zeros(void)
{
	void *at = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static void begin(size_t limit)
{
	const char *text = getenv("LAZYMAP_SEED");

	seed = text ? strtoull(text, NULL, 0) : 88172645463325252u;
	ck_assert_int_eq(lazymap_limit(limit), 0);
	area = map_zeros();
}

/* Pages that the kernel holds in the area: present or in its own swap. */
static size_t present(const void *start, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	size_t count = 0;
	uint64_t entry;

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < pages; i++) {
		off_t at =
			(off_t)(((uintptr_t)start / PAGE + i) * sizeof(entry));

		ck_assert_int_eq(pread(fd, &entry, sizeof(entry), at),
				 sizeof(entry));
		count += outside_frame(entry);
	}
	close(fd);
	return count;
}

/* -- The bound ------------------------------------------------------------------ */

START_TEST(anonymous_memory_of_eight_limits_keeps_every_write)
{
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	for (int n = 0; n < scaled(20000); n++) {
		uint32_t page = random_next(&seed) % PAGES;

		look(page);
		if (random_next(&seed) % 2)
			put(page);
	}
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_le(stats().resident, LIMIT);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_gt(stats().pages_to_pool, 0);
	ck_assert_uint_gt(stats().pages_to_file, 0);
	ck_assert_uint_gt(stats().pages_same, 0);
}
END_TEST

#define THREADS 4
#define LOCKS 32 /* TSan knows of 64 held at once */

static pthread_mutex_t locks[LOCKS];
static _Atomic int running;

static void *use(void *which)
{
	uint64_t state = seed + (uintptr_t)which * 7919;

	for (int n = 0; n < scaled(8000); n++) {
		uint32_t page = random_next(&state) % PAGES;

		pthread_mutex_lock(&locks[page % LOCKS]);
		look(page);
		if (random_next(&state) % 2)
			put(page);
		pthread_mutex_unlock(&locks[page % LOCKS]);
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void start_threads(pthread_t *thread)
{
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	atomic_store(&running, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, use, (void *)(i + 1));
}

static void join_threads(pthread_t *thread)
{
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void use_by_threads(void)
{
	pthread_t thread[THREADS];

	start_threads(thread);
	join_threads(thread);
}

/* -- Looking on from outside ---------------------------------------------------------- */

static bool stopped(pid_t pid)
{
	char name[64], line[256] = "";
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	file = fopen(name, "r");
	if (file) {
		if (!fgets(line, sizeof(line), file))
			*line = 0;
		fclose(file);
	}
	return strstr(line, ") T ");
}

/* Stop the parent now and then and count; ends, with the largest count over 4
 * as its status, when it is told to by the pipe's end. */
static void observe(pid_t parent, int until)
{
	static uint64_t entry[PAGES];
	size_t most = 0;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/pagemap", parent);
	fd = open(name, O_RDONLY);
	fcntl(until, F_SETFL, O_NONBLOCK);
	while (read(until, name, 1) < 0) {
		size_t now = 0;

		kill(parent, SIGSTOP);
		while (!stopped(parent))
			;
		if (pread(fd, entry, sizeof(entry),
			  (off_t)((uintptr_t)area / PAGE * 8)) != sizeof(entry))
			_exit(255);
		kill(parent, SIGCONT);
		for (size_t i = 0; i < PAGES; i++)
			now += outside_frame(entry[i]);
		if (now > most)
			most = now;
		usleep(500);
	}
	_exit((int)((most + 3) / 4));
}

START_TEST(limit_holds_at_every_moment_with_threads)
{
	pid_t self = getpid(), observer;
	int ends[2], status;

	begin(LIMIT);
	ck_assert_int_eq(pipe(ends), 0);
	observer = fork();
	if (!observer) {
		close(ends[1]);
		observe(self, ends[0]);
	}
	use_by_threads();
	close(ends[1]);
	ck_assert_int_eq(waitpid(observer, &status, 0), observer);
	ck_assert(WIFEXITED(status));
	/* It was full, and never fuller. */
	ck_assert_int_gt(WEXITSTATUS(status), LIMIT / PAGE / 8);
	ck_assert_int_le(WEXITSTATUS(status), LIMIT / PAGE / 4);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

static const char *const policies[] = { "s3fifo", "clock", "sieve", "fifo" };

/* Of the limit's 512 pages. */
static const size_t kept[] = { 256, 448, 480, 496 };

/* A loop test's number: every number with every policy. Where each costs ten
 * times as much: every number with one policy, and every policy with one. */
static size_t kept_pages(int i)
{
	return kept[program_sanitized("") ? i % 4 : i / 4];
}

static const char *kept_policy(int i)
{
	return policies[program_sanitized("") ? (i + i / 4) % 4 : i % 4];
}

/* Three times round what is left. */
static void put_the_rest(size_t pages)
{
	for (int n = 0; n < 3; n++)
		for (uint32_t page = (uint32_t)pages; page < PAGES / 2; page++)
			put(page);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_eq(present(area, pages), pages);
}

/* Which may go again when they are let go. */
static void put_and_look_at_all(size_t pages)
{
	for (uint32_t page = PAGES / 2; page < PAGES; page++)
		put(page);
	ck_assert_uint_lt(present(area, pages), pages / 4);
	for (uint32_t page = 0; page < PAGES; page++)
		look(page);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
}

START_TEST(pinned_pages_keep_no_others_from_going)
{
	size_t pages = kept_pages(_i);

	setenv("LAZYMAP_POLICY", kept_policy(_i), 1);
	begin(LIMIT);
	for (uint32_t page = 0; page < PAGES / 2; page++)
		put(page);
	ck_assert_int_eq(lazymap_pin(area, pages * PAGE, LAZYMAP_WRITE), 0);
	put_the_rest(pages);
	ck_assert_int_eq(lazymap_unpin(area, pages * PAGE), 0);
	put_and_look_at_all(pages);
}
END_TEST

START_TEST(locked_pages_keep_no_others_from_going)
{
	size_t pages = kept_pages(_i);

	setenv("LAZYMAP_POLICY", kept_policy(_i), 1);
	begin(LIMIT);
	for (uint32_t page = 0; page < PAGES / 2; page++)
		put(page);
	ck_assert_int_eq(lazymap_lock(area, pages * PAGE, 0), 0);
	put_the_rest(pages);
	ck_assert_int_eq(lazymap_unlock(area, pages * PAGE), 0);
	put_and_look_at_all(pages);
}
END_TEST

START_TEST(every_policy_keeps_every_write)
{
	setenv("LAZYMAP_POLICY", policies[_i], 1);
	begin(LIMIT);
	use_by_threads();
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	if (_i < 3)
		ck_assert_uint_gt(stats().faults_soft, 0);
}
END_TEST

/* A 64th of the limit, at least. */
START_TEST(room_is_made_when_no_fault_comes_for_a_while)
{
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (int ms = 0; ms < 5000 && stats().resident > LIMIT / 64 * 63; ms++)
		usleep(1000);
	ck_assert_uint_le(stats().resident, LIMIT / 64 * 63);
	ck_assert_uint_gt(stats().resident, LIMIT / 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}
END_TEST

START_TEST(random_touches_bring_single_pages_back)
{
	struct lazymap_stats before, after;

	begin(4 * LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (int n = 0; n < 200; n++)
		look(random_next(&seed) % PAGES);
	before = stats();
	for (int n = 0; n < 5000; n++)
		look(random_next(&seed) % PAGES);
	after = stats();
	/* Some lie next to each other by chance. */
	ck_assert_uint_lt(after.pages_swapped_in - before.pages_swapped_in,
			  5 * (after.faults_read - before.faults_read) / 4);
}
END_TEST

START_TEST(limit_can_be_lowered_and_raised_and_lifted)
{
	begin(8 * LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	ck_assert_uint_gt(present(area, PAGES), LIMIT / PAGE);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(lazymap_limit(4 * LIMIT), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	ck_assert_uint_gt(present(area, PAGES), LIMIT / PAGE);
	ck_assert_int_eq(lazymap_limit(0), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_eq(present(area, PAGES), PAGES);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}
END_TEST

static int told, told_error;
static char told_what[256];

static int note_error(const struct lazymap_error *error, void *data)
{
	(void)data;
	told++;
	told_error = error->error;
	snprintf(told_what, sizeof(told_what), "%s", error->what);
	return 1;
}

START_TEST(limit_below_the_least_is_einval_and_says_so)
{
	lazymap_on_error(note_error, NULL);
	errno = 0;
	ck_assert_int_eq(lazymap_limit(100 << 10), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(told_what, "256 KiB"));
	ck_assert_uint_eq(stats().resident_limit, 0);
	/* A sanitizer's thread counts, too. */
	ck_assert_int_eq(lazymap_limit(512 << 10), 0);
}
END_TEST

static void *until_told(void *end)
{
	char byte;

	ck_assert_int_eq(read(*(int *)end, &byte, 1), 0);
	return NULL;
}

START_TEST(least_limit_grows_with_the_threads)
{
	/* With this one; a sanitizer has some of its own. */
	size_t most = THREADS + (program_sanitized("") ? 4 : 1);
	pthread_t thread[THREADS];
	int ends[2];

	lazymap_on_error(note_error, NULL);
	ck_assert_int_eq(pipe(ends), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, until_told, &ends[0]);
	ck_assert_int_eq(lazymap_limit(THREADS * (256 << 10)), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(told_what, "256 KiB for each of "));
	ck_assert_ptr_nonnull(strstr(told_what, " threads"));
	ck_assert_int_eq(lazymap_limit(most * (256 << 10)), 0);
	close(ends[1]);
	join_threads(thread);
}
END_TEST

/* -- What kinds of pages ----------------------------------------------------------- */

static int make_file(size_t pages)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	uint32_t words[WORDS];

	ck_assert_int_ge(fd, 0);
	for (uint32_t i = 0; i < pages; i++) {
		content(words, i, 1);
		ck_assert_int_eq(pwrite(fd, words, PAGE, (off_t)(i * PAGE)),
				 PAGE);
		version[i] = 1;
	}
	return fd;
}

static void map_file(int flags)
{
	int fd = make_file(PAGES);

	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags,
			   fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	close(fd);
}

START_TEST(clean_file_pages_are_dropped_not_swapped)
{
	map_file(MAP_PRIVATE);
	for (int n = 0; n < 2; n++)
		for (uint32_t i = 0; i < PAGES; i++)
			look(i);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_gt(stats().pages_evicted, PAGES);
	ck_assert_uint_eq(stats().pages_swapped_out, 0);
}
END_TEST

START_TEST(written_private_file_pages_are_swapped_and_no_others)
{
	map_file(MAP_PRIVATE);
	for (uint32_t i = 0; i < PAGES; i += 16)
		put(i);
	for (int n = 0; n < 2; n++)
		for (uint32_t i = 0; i < PAGES; i++)
			look(i);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_gt(stats().pages_swapped_out, 0);
	ck_assert_uint_le(stats().pages_swapped_out, PAGES / 16);
}
END_TEST

START_TEST(shared_file_pages_are_let_go_and_keep_their_writes)
{
	map_file(MAP_SHARED);
	for (uint32_t i = 0; i < PAGES; i += 3)
		put(i);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_eq(stats().pages_swapped_out, 0);
}
END_TEST

static uint32_t table[PAGES][WORDS];

static int table_read(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	memcpy(buf, (char *)table + offset, len);
	return 0;
}

static int table_write(void *data, const void *buf, size_t len, off_t offset)
{
	(void)data;
	memcpy((char *)table + offset, buf, len);
	return 0;
}

START_TEST(shared_store_gets_dirty_pages_before_they_go)
{
	struct lazymap_store_ops ops = { .size = sizeof(ops),
					 .version = LAZYMAP_STORE_VERSION,
					 .read = table_read,
					 .write = table_write };

	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	area = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED, &ops, NULL, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	for (int n = 0; n < 2; n++) {
		for (uint32_t i = 0; i < PAGES; i++)
			put(i);
		for (uint32_t i = 0; i < PAGES; i++)
			look(i);
	}
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_gt(stats().pages_written, PAGES);
	ck_assert_uint_eq(stats().pages_swapped_out, 0);
	/* What is still dirty goes with the area. */
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), 0);
	area = table;
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}
END_TEST

START_TEST(page_read_back_and_not_written_costs_no_second_write)
{
	uint64_t out;

	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 1);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	out = stats().pages_swapped_out;
	for (int n = 0; n < 3; n++)
		for (uint32_t i = 0; i < PAGES; i++)
			look(i);
	ck_assert_uint_gt(stats().pages_swapped_in, 3 * PAGES / 2);
	/* Those that were dirty still at the first count. */
	ck_assert_uint_le(stats().pages_swapped_out - out, LIMIT / PAGE);
}
END_TEST

START_TEST(pages_that_are_freed_do_not_come_back_from_swap)
{
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_gt(stats().swap_pool, 0);
	if (lazymap_advise(area, PAGES * PAGE, MADV_FREE) && errno == EINVAL)
		return;
	ck_assert_uint_eq(stats().swap_pool, 0);
	ck_assert_uint_eq(stats().swap_file, 0);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}
END_TEST

START_TEST(slots_are_freed_with_their_pages)
{
	begin(LIMIT);
	for (int n = 0; n < 5; n++) {
		for (uint32_t i = 0; i < PAGES; i++)
			put(i);
		ck_assert_int_eq(
			lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED), 0);
		ck_assert_uint_eq(stats().swap_file, 0);
		ck_assert_uint_eq(stats().swap_pool, 0);
		for (uint32_t i = 0; i < PAGES; i++) {
			uint32_t before = version[i];

			version[i] = 0;
			look(i);
			version[i] = before;
		}
	}
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	ck_assert_int_eq(lazymap_unmap(area, PAGES * PAGE), 0);
	ck_assert_uint_eq(stats().swap_file, 0);
	ck_assert_uint_eq(stats().swap_pool, 0);
	ck_assert_uint_eq(stats().resident, 0);
}
END_TEST

START_TEST(protection_and_moves_find_swapped_pages)
{
	void *to;

	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_NONE), 0);
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_READ), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(
		lazymap_protect(area, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	to = lazymap_remap(area, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE,
			   NULL);
	ck_assert_ptr_ne(to, LAZYMAP_FAILED);
	area = to;
	for (uint32_t i = 0; i < PAGES; i += 2)
		put(i);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_le(stats().resident, LIMIT);
	ck_assert_uint_le(present(area, 2 * PAGES), LIMIT / PAGE);
}
END_TEST

START_TEST(locked_and_pinned_pages_stay)
{
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	ck_assert_int_eq(lazymap_lock(area, 16 * PAGE, 0), 0);
	ck_assert_int_eq(lazymap_pin(area + 32, 16 * PAGE, LAZYMAP_WRITE), 0);
	for (uint32_t i = 64; i < PAGES; i++)
		look(i);
	ck_assert_uint_eq(present(area, 16), 16);
	ck_assert_uint_eq(present(area + 32, 16), 16);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(lazymap_unpin(area + 32, 16 * PAGE), 0);
	ck_assert_int_eq(lazymap_unlock(area, 16 * PAGE), 0);
	for (int n = 0; n < 2; n++)
		for (uint32_t i = 64; i < PAGES; i++)
			look(i);
	ck_assert_uint_lt(present(area, 48), 48);
}
END_TEST

START_TEST(advice_to_page_out_is_taken)
{
	begin(4 * LIMIT);
	for (uint32_t i = 0; i < 512; i++)
		put(i);
	ck_assert_uint_eq(present(area, 512), 512);
	ck_assert_int_eq(lazymap_advise(area, 256 * PAGE, MADV_PAGEOUT), 0);
	ck_assert_uint_eq(present(area, 256), 0);
	ck_assert_uint_eq(present(area + 256, 256), 256);
	for (uint32_t i = 0; i < 512; i++)
		look(i);
}
END_TEST

/* 256 pages that were there before PAGES others were passed. How many of them
 * are still there; all are as they were. */
static size_t left_by_a_pass(const char *policy, bool advised)
{
	uint32_t(*others)[WORDS];
	size_t left;

	setenv("LAZYMAP_POLICY", policy, 1);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	others = map_zeros();
	for (uint32_t i = 0; i < 256; i++)
		others[i][i] = i + 1;
	area = map_zeros();
	if (advised)
		ck_assert_int_eq(
			lazymap_advise(area, PAGES * PAGE, MADV_SEQUENTIAL), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	left = present(others, 256);
	ck_assert_uint_le(left + present(area, PAGES), LIMIT / PAGE);
	for (uint32_t i = 0; i < 256; i++)
		ck_assert_uint_eq(others[i][i], i + 1);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	return left;
}

START_TEST(pages_that_were_passed_of_a_sequential_range_go_first)
{
	static const char *const policy[] = { "auto", "s3fifo", "clock",
					      "sieve", "fifo" };

	ck_assert_uint_eq(left_by_a_pass(policy[_i], true), 256);
}
END_TEST

START_TEST(pages_that_were_passed_go_last_without_the_advice)
{
	ck_assert_uint_eq(left_by_a_pass("fifo", false), 0);
}
END_TEST

/* -- Fork --------------------------------------------------------------------------- */

static void check_and_change(uint32_t step)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		look(i);
		if (i % step == 0)
			put(i);
	}
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}

/* Failures of a child are assertions in it. */
static void wait_for(pid_t child)
{
	int status;

	ck_assert_int_gt(waitpid(child, &status, 0), 0);
	ck_assert_int_eq(status, 0);
}

START_TEST(fork_shares_swap_and_both_go_on)
{
	pid_t child, grandchild;

	if (_i) /* all to the file */
		setenv("LAZYMAP_SWAP_POOL", "none", 1);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	for (int n = 0; n < 3; n++) {
		child = fork();
		if (!child) {
			check_and_change(3);
			grandchild = fork();
			if (!grandchild) {
				check_and_change(5);
				_exit(0);
			}
			check_and_change(2);
			wait_for(grandchild);
			check_and_change(7);
			ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
			_exit(0);
		}
		check_and_change(2);
		check_and_change(1);
		wait_for(child);
		check_and_change(1);
	}
	lazymap_unmap(area, PAGES * PAGE);
	area = map_zeros();
	memset(version, 0, sizeof(version));
	/* With the children gone their slots are used again. */
	for (int n = 0; n < 4; n++)
		for (uint32_t i = 0; i < PAGES; i++)
			put(i);
	ck_assert_uint_le(stats().swap_file, PAGES * PAGE);
}
END_TEST

/* As in a sandbox that it goes into: neither /proc/self/mem nor a userfaultfd nor
 * a swap file of its own. */
START_TEST(child_that_can_open_nothing_has_its_pages)
{
	static const struct rlimit none;
	pid_t child;

	if (_i)
		setenv("LAZYMAP_SWAP_POOL", "none", 1);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	child = fork();
	if (!child) {
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
		for (uint32_t i = 0; i < 2 * PAGES; i++)
			look(i % PAGES);
		put(PAGES / 2);
		look(PAGES / 2);
		_exit(0);
	}
	wait_for(child);
	check_and_change(1);
}
END_TEST

/* In the child of a process with threads, a sanitizer's runtime may wait for a
 * lock that no thread will ever give back. */
static bool sanitized(void)
{
	const char *text = getenv("SANITIZE");

	if (!text || !*text)
		return false;
	printf("skipped: sanitizers have locks that fork does not know\n");
	return true;
}

START_TEST(fork_under_eviction_by_other_threads)
{
	pthread_t thread[THREADS];

	if (sanitized())
		return;
	begin(LIMIT);
	start_threads(thread);
	for (int n = 0; atomic_load(&running) || n < 5; n++) {
		pid_t child;

		/* So that no page is between two versions. */
		for (int i = 0; i < LOCKS; i++)
			pthread_mutex_lock(&locks[i]);
		child = fork();
		for (int i = 0; child && i < LOCKS; i++)
			pthread_mutex_unlock(&locks[i]);
		if (!child) {
			check_and_change(3);
			_exit(0);
		}
		wait_for(child);
	}
	join_threads(thread);
	check_and_change(1);
}
END_TEST

/* No atfork handler runs: what is between two states is put right at the
 * first touch. */
START_TEST(child_of_a_bare_clone_sees_everything)
{
	pthread_t thread[THREADS];

	if (sanitized())
		return;
	/* Slots of the file may be used again by the parent, which knows
	 * nothing of such a child: it would get SIGBUS. */
	setenv("LAZYMAP_SWAP_POOL", "64M", 1);
	setenv("LAZYMAP_SWAP_MAX", "none", 1);
	lazymap_on_error(note_error, NULL);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	start_threads(thread);
	for (int n = 0; atomic_load(&running) && n < 200; n++) {
		pid_t child;

		for (int i = 0; i < LOCKS; i++)
			pthread_mutex_lock(&locks[i]);
		child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!child) {
			for (uint32_t i = 0; i < PAGES; i++)
				look(i);
			_exit(0);
		}
		for (int i = 0; i < LOCKS; i++)
			pthread_mutex_unlock(&locks[i]);
		wait_for(child);
	}
	join_threads(thread);
}
END_TEST

/* -- When it cannot ------------------------------------------------------------------ */

START_TEST(full_swap_exceeds_the_limit_once_said_and_loses_nothing)
{
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_SWAP_MAX", "1M", 1);
	lazymap_on_error(note_error, NULL);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(told_what, "swap"));
	ck_assert_uint_gt(stats().pages_over_limit, 0);
	ck_assert_uint_le(stats().swap_file, 1 << 20);
}
END_TEST

/* Where nothing can go all is let in, and what is tried in vain costs a part of
 * the time. */
START_TEST(swap_that_takes_nothing_costs_little)
{
	const size_t pages = 4 * PAGES;
	struct timespec used;
	uint32_t(*much)[WORDS];

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_SWAP_MAX", "none", 1);
	lazymap_on_error(note_error, NULL);
	begin(4 * LIMIT);
	much = lazymap_map(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(much, LAZYMAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		much[i][0] = (uint32_t)i + 1;
	for (size_t i = 0; i < pages; i++)
		if (much[i][0] != i + 1)
			ck_abort_msg("page %zu", i);
	ck_assert_int_eq(told, 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("%ld.%03ld s\n", (long)used.tv_sec, used.tv_nsec / 1000000);
	/* Tried at each millisecond it were minutes. */
	ck_assert_int_lt(used.tv_sec * scaled(10), 50);
}
END_TEST

static sigjmp_buf jump;
static void *bus_address;
static int bus_code;

static void on_bus(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	bus_address = info->si_addr;
	bus_code = info->si_code;
	siglongjmp(jump, 1);
}

static void catch_bus(void)
{
	struct sigaction action = { .sa_sigaction = on_bus,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
}

START_TEST(full_swap_fails_the_touch_when_strict)
{
	static volatile uint32_t page;

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_SWAP_MAX", "1M", 1);
	setenv("LAZYMAP_STRICT", "1", 1);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	/* Mapped for writing it would be refused at once. */
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	ck_assert_int_eq(
		lazymap_protect(area, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	catch_bus();
	if (!sigsetjmp(jump, 1)) {
		for (page = 0; page < PAGES; page++)
			content(area[page], page, version[page] = 2);
		ck_abort_msg("all of it was let in");
	}
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_ge((char *)bus_address - (char *)area[page], 0);
	ck_assert_uint_lt((char *)bus_address - (char *)area[page], PAGE);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	/* What was written before is there: seen when there is room. */
	ck_assert_int_eq(lazymap_limit(0), 0);
	version[page] = 0; /* the touch that failed */
	for (uint32_t i = 0; i <= page; i++)
		look(i);
}
END_TEST

/* The swap file is to lie on a disk of 1 MiB, in a mount namespace of this
 * process. Says so if that cannot be. */
static bool have_small_disk(const char *test)
{
	const char *dir = getenv("TESTDIR");

	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("small", dir, "tmpfs", 0, "size=1m") == 0) {
		setenv("LAZYMAP_SWAPDIR", dir, 1);
		return true;
	}
	printf("skipped: %s: no disk can be mounted: %s\n", test,
	       strerror(errno));
	return false;
}

/* Bytes that are free there. */
static uint64_t disk_free(void)
{
	struct statvfs disk;

	ck_assert_int_eq(statvfs(getenv("TESTDIR"), &disk), 0);
	return disk.f_bavail * disk.f_frsize;
}

START_TEST(full_disk_exceeds_the_limit_once_said_and_loses_nothing)
{
	if (!have_small_disk("full_disk_exceeds_the_limit"))
		return;
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	lazymap_on_error(note_error, NULL);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_uint_eq(disk_free(), 0);
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(told_error, ENOSPC);
	ck_assert_ptr_nonnull(strstr(told_what, "swap"));
	ck_assert_uint_gt(stats().pages_over_limit, 0);
	ck_assert_uint_le(stats().swap_file, 1 << 20);
	/* Once more, with new bytes, and with room again at last. */
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 6);
	ck_assert_int_eq(mount("small", getenv("TESTDIR"), "tmpfs", MS_REMOUNT,
			       "size=64m"),
			 0);
	usleep(200000); /* for a while it was not tried */
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
}
END_TEST

START_TEST(full_disk_fails_the_touch_when_strict)
{
	static volatile uint32_t page;

	if (!have_small_disk("full_disk_fails_the_touch"))
		return;
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_STRICT", "1", 1);
	begin(LIMIT);
	catch_bus();
	if (!sigsetjmp(jump, 1)) {
		for (page = 0; page < PAGES; page++)
			content(area[page], page, version[page] = 2);
		ck_abort_msg("all of it was let in");
	}
	ck_assert_uint_eq(disk_free(), 0);
	ck_assert_uint_le(present(area, PAGES), LIMIT / PAGE);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	/* And so does a call that touches it for the program. */
	ck_assert_int_eq(lazymap_pin(area[page], PAGE, LAZYMAP_WRITE), -1);
	ck_assert_int_eq(lazymap_limit(0), 0);
	version[page] = 0;
	for (uint32_t i = 0; i <= page; i++)
		look(i);
}
END_TEST

START_TEST(file_size_limit_is_no_signal_and_loses_nothing)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	lazymap_on_error(note_error, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(told, 1);
	ck_assert_uint_gt(stats().pages_over_limit, 0);
}
END_TEST

START_TEST(no_directory_for_the_file_loses_nothing)
{
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	unsetenv("LAZYMAP_SWAPDIR");
	setenv("TMPDIR", "/does/not/exist", 1);
	lazymap_on_error(note_error, NULL);
	begin(LIMIT);
	/* The second place, /var/tmp, takes one: that is used. */
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	ck_assert_int_eq(told, 0);
	ck_assert_uint_gt(stats().pages_to_file, 0);
}
END_TEST

START_TEST(limit_without_the_directory_that_is_named_is_refused)
{
	static const char *const wrong[] = { "/proc", "/does/not/exist", "." };
	int fd = open("/dev/null", O_RDONLY), now;

	setenv("LAZYMAP_SWAPDIR", wrong[_i], 1);
	lazymap_on_error(note_error, NULL);
	ck_assert_int_eq(lazymap_limit(LIMIT), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	ck_assert_int_eq(told, 1);
	ck_assert_str_eq(told_what, "LAZYMAP_SWAPDIR takes no swap file");
	/* Without a file, or where there is one, it can be had; that it was
	 * tried leaves no descriptor. */
	unsetenv("LAZYMAP_SWAPDIR");
	ck_assert_int_eq(lazymap_limit(LIMIT), 0);
	now = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(now, fd + 1);
}
END_TEST

/* The descriptor of the swap file: an unlinked one in /var/tmp. */
static int swap_file(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char name[64], target[256];
	int found = -1;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%.20s",
			 entry->d_name);
		n = readlink(name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (strstr(target, "/var/tmp/#"))
			found = atoi(entry->d_name);
	}
	closedir(dir);
	return found;
}

START_TEST(swap_file_is_private_and_has_no_name)
{
	struct stat st;
	int fd;

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	unsetenv("LAZYMAP_SWAPDIR");
	unsetenv("TMPDIR");
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		put(i);
	fd = swap_file();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(more_than_limit_and_swap_cannot_be_mapped_when_strict)
{
	void *at;

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	setenv("LAZYMAP_SWAP_MAX", "64M", 1);
	setenv("LAZYMAP_STRICT", "1", 1);
	begin(LIMIT);
	at = lazymap_map(NULL, 40 << 20, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	errno = 0;
	ck_assert_ptr_eq(lazymap_map(NULL, 40 << 20, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 LAZYMAP_FAILED);
	ck_assert_int_eq(errno, ENOMEM);
	/* What is only read, or shared, needs no swap. */
	ck_assert_ptr_ne(lazymap_map(NULL, 40 << 20, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 LAZYMAP_FAILED);
	ck_assert_int_eq(lazymap_unmap(at, 40 << 20), 0);
	ck_assert_ptr_ne(lazymap_map(NULL, 40 << 20, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 LAZYMAP_FAILED);
}
END_TEST

/* Are the first bytes of a page anywhere in the swap file, as they are? */
static unsigned plain_pages(void)
{
	int fd = swap_file();
	static char slot[PAGE];
	unsigned found = 0;

	ck_assert_int_ge(fd, 0);
	for (off_t at = 0; pread(fd, slot, PAGE, at) == PAGE; at += PAGE)
		for (uint32_t page = 0; page < PAGES; page++) {
			uint32_t words[WORDS];

			if (page % 64)
				continue;
			content(words, page, 2);
			found += !memcmp(slot, words, 64);
		}
	return found;
}

START_TEST(encrypted_swap_shows_nothing_and_comes_back)
{
	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	unsetenv("LAZYMAP_SWAPDIR");
	unsetenv("TMPDIR");
	if (_i) {
		setenv("LAZYMAP_SWAP_ENCRYPT", "1", 1);
		lazymap_on_error(note_error, NULL);
		if (lazymap_limit(LIMIT) && errno == ENOENT) {
			ck_assert_ptr_nonnull(
				strstr(told_what, "not installed"));
			printf("skipped: encrypted_swap: the module is not "
			       "built here\n");
			return;
		}
	}
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	if (_i)
		ck_assert_uint_eq(plain_pages(), 0);
	else /* the same looks find them where nothing is encrypted */
		ck_assert_uint_gt(plain_pages(), PAGES / 64 / 2);
	for (uint32_t i = 0; i < PAGES; i++)
		look(i);
	if (!fork()) {
		check_and_change(2);
		check_and_change(3);
		_exit(0);
	}
	check_and_change(3);
	wait_for(-1);
	check_and_change(1);
}
END_TEST

static int note_damage(const struct lazymap_error *error, void *data)
{
	(void)data;
	told++;
	snprintf(told_what, sizeof(told_what), "%s", error->what);
	return 0;
}

START_TEST(damaged_swap_is_sigbus_never_wrong_bytes)
{
	static volatile uint32_t page;
	static volatile unsigned lost;
	char garbage[512];
	int fd;

	setenv("LAZYMAP_SWAP_POOL", "none", 1);
	unsetenv("LAZYMAP_SWAPDIR");
	unsetenv("TMPDIR");
	lazymap_on_error(note_damage, NULL);
	if (_i) {
		setenv("LAZYMAP_SWAP_ENCRYPT", "1", 1);
		if (lazymap_limit(LIMIT) && errno == ENOENT) {
			printf("skipped: encrypted_swap: the module is not "
			       "built here\n");
			return;
		}
	}
	begin(LIMIT);
	for (uint32_t i = 0; i < PAGES; i++)
		content(area[i], i, version[i] = 2);
	fd = swap_file();
	ck_assert_int_ge(fd, 0);
	memset(garbage, 0x5a, sizeof(garbage));
	for (off_t at = 100; at < (off_t)(PAGES * PAGE); at += 3 * 4096)
		ck_assert_int_gt(pwrite(fd, garbage, sizeof(garbage), at), 0);
	catch_bus();
	for (page = 0; page < PAGES; page++) {
		if (sigsetjmp(jump, 1)) {
			lost++;
			ck_assert_int_eq(bus_code, BUS_ADRERR);
			continue;
		}
		look(page);
	}
	ck_assert_uint_gt(lost, PAGES / 8);
	ck_assert_int_eq(told, (int)lost);
	ck_assert_ptr_nonnull(strstr(told_what, "swap"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resident");
	TCase *tcase = tcase_create("resident");
	SRunner *runner;
	bool few = program_sanitized("");
	int failures;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
#define TEST(name) tcase_add_test(tcase, name)
	TEST(anonymous_memory_of_eight_limits_keeps_every_write);
	TEST(limit_holds_at_every_moment_with_threads);
	tcase_add_loop_test(tcase, every_policy_keeps_every_write, 0, 4);
	tcase_add_loop_test(tcase, pinned_pages_keep_no_others_from_going, 0,
			    few ? 4 : 16);
	tcase_add_loop_test(tcase, locked_pages_keep_no_others_from_going,
			    few ? 4 : 0, few ? 8 : 16);
	TEST(room_is_made_when_no_fault_comes_for_a_while);
	TEST(random_touches_bring_single_pages_back);
	TEST(limit_can_be_lowered_and_raised_and_lifted);
	TEST(limit_below_the_least_is_einval_and_says_so);
	TEST(least_limit_grows_with_the_threads);
	TEST(clean_file_pages_are_dropped_not_swapped);
	TEST(written_private_file_pages_are_swapped_and_no_others);
	TEST(shared_file_pages_are_let_go_and_keep_their_writes);
	TEST(shared_store_gets_dirty_pages_before_they_go);
	TEST(page_read_back_and_not_written_costs_no_second_write);
	TEST(slots_are_freed_with_their_pages);
	TEST(pages_that_are_freed_do_not_come_back_from_swap);
	TEST(protection_and_moves_find_swapped_pages);
	TEST(locked_and_pinned_pages_stay);
	TEST(advice_to_page_out_is_taken);
	tcase_add_loop_test(
		tcase, pages_that_were_passed_of_a_sequential_range_go_first, 0,
		5);
	TEST(pages_that_were_passed_go_last_without_the_advice);
	tcase_add_loop_test(tcase, fork_shares_swap_and_both_go_on, 0, 2);
	tcase_add_loop_test(tcase, child_that_can_open_nothing_has_its_pages, 0,
			    2);
	TEST(fork_under_eviction_by_other_threads);
	TEST(child_of_a_bare_clone_sees_everything);
	TEST(full_swap_exceeds_the_limit_once_said_and_loses_nothing);
	TEST(full_swap_fails_the_touch_when_strict);
	TEST(swap_that_takes_nothing_costs_little);
	TEST(full_disk_exceeds_the_limit_once_said_and_loses_nothing);
	TEST(full_disk_fails_the_touch_when_strict);
	TEST(file_size_limit_is_no_signal_and_loses_nothing);
	TEST(no_directory_for_the_file_loses_nothing);
	tcase_add_loop_test(
		tcase, limit_without_the_directory_that_is_named_is_refused, 0,
		3);
	TEST(swap_file_is_private_and_has_no_name);
	TEST(more_than_limit_and_swap_cannot_be_mapped_when_strict);
	tcase_add_loop_test(tcase, encrypted_swap_shows_nothing_and_comes_back,
			    0, 2);
	tcase_add_loop_test(tcase, damaged_swap_is_sigbus_never_wrong_bytes, 0,
			    2);
#undef TEST
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
