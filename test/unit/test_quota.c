/*
 * test_quota.c -- a resident limit for some areas: it holds at every moment,
 * costs nobody else a page, goes with the memory, and no write is lost.
 *
 * Each page's content follows from its place and a version, so that any page
 * can be checked at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "outside.h"
#include "program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lazymap.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define WORDS (PAGE / sizeof(uint32_t))
#define PAGES 4096u /* 16 MiB */
#define MIB 256u    /* pages */

/* Some memory that has, or has not, a limit of its own. */
struct zone {
	uint32_t (*at)[WORDS];
	uint32_t version[PAGES];
	uint32_t first; /* number of the first page, where it was moved */
	size_t most;    /* pages; what an observer may find; 0: anything */
};

#define ZONES 3
static struct zone zones[ZONES];
static size_t most_of_all;
static uint64_t seed;
static bool all_compressible;

/* Compressible, not compressible, one byte. */
PROGRAM_UNWATCHED static void content(uint32_t *words, uint32_t page,
				      uint32_t version)
{
	uint64_t state = ((uint64_t)page << 32 | version) * 2 + 1;

	memset(words, version ? (int)(page % 251) : 0, PAGE);
	if (!version || version % 4 == 3)
		return;
	for (size_t i = 0; i < WORDS; i++)
		words[i] = version % 4 == 2 && !all_compressible
				   ? (uint32_t)program_random(&state)
				   : page * 31 + version;
}

static void put(struct zone *zone, uint32_t page)
{
	content(zone->at[page], zone->first + page, ++zone->version[page]);
}

static void look(const struct zone *zone, uint32_t page)
{
	uint32_t wanted[WORDS];

	content(wanted, zone->first + page, zone->version[page]);
	/* Check writes to a pipe at each assertion: only for what is wrong. */
	if (memcmp(zone->at[page], wanted, PAGE))
		ck_abort_msg("page %u, version %u: wrong bytes", page,
			     zone->version[page]);
}

static void put_some(struct zone *zone, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		put(zone, i);
}

static void look_at_some(const struct zone *zone, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		look(zone, i);
}

static void put_all(struct zone *zone)
{
	put_some(zone, 0, PAGES);
}

static void look_all(const struct zone *zone)
{
	look_at_some(zone, 0, PAGES);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats stats;

	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	return stats;
}

static void *map_pages(size_t pages)
{
	void *at = lazymap_map(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static void limit(void *at, size_t pages, size_t to)
{
	ck_assert_int_eq(lazymap_limit_area(at, pages * PAGE, to * PAGE), 0);
}

/* Zone i, with a limit of so many pages. */
static struct zone *make(int i, size_t pages)
{
	struct zone *zone = &zones[i];

	seed = program_seed();
	zone->at = map_pages(PAGES);
	zone->most = pages;
	if (pages)
		limit(zone->at, PAGES, pages);
	return zone;
}

/* Pages that the kernel holds: present or in its own swap. */
static size_t count_entries(int fd, const void *at, size_t pages)
{
	uint64_t entry[PAGES];
	size_t count = 0;

	if (pread(fd, entry, pages * 8, (off_t)((uintptr_t)at / PAGE * 8)) !=
	    (ssize_t)(pages * 8))
		return (size_t)-1;
	for (size_t i = 0; i < pages; i++)
		count += outside_frame(entry[i]);
	return count;
}

static size_t present(const void *at, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t count = count_entries(fd, at, pages);

	close(fd);
	ck_assert_uint_le(count, pages);
	return count;
}

static int told;
static char told_what[256];

static int note_error(const struct lazymap_error *error, void *data)
{
	(void)data;
	told++;
	snprintf(told_what, sizeof(told_what), "%s", error->what);
	return 1;
}

/* -- Looking on from outside ---------------------------------------------------------- */

/* What a look from outside found; shared with who looks. */
static struct seen {
	/* Told by who is looked at: pages; 0: anything. */
	_Atomic size_t bound[ZONES + 1];
	/* By who looks. */
	size_t most[ZONES + 1], looks, broken;
} * seen;

static int task_stopped(int pid, const char *task)
{
	char name[80], line[512] = "", *state;
	ssize_t got;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/task/%.20s/stat", pid, task);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
	if (fd >= 0)
		close(fd);
	state = got > 0 ? strrchr(line, ')') : NULL;
	return !state || state[2] == 'T';
}

static int all_stopped(int pid)
{
	struct dirent *task;
	char name[64];
	int all = 1;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	dir = opendir(name);
	while (dir && (task = readdir(dir)))
		all &= task->d_name[0] == '.' ||
		       task_stopped(pid, task->d_name);
	if (dir)
		closedir(dir);
	return all;
}

static void look_once(int pid, int pagemap)
{
	size_t now[ZONES + 1] = { 0 };

	kill(pid, SIGSTOP);
	while (!all_stopped(pid))
		;
	for (int i = 0; i < ZONES; i++) {
		if (zones[i].at)
			now[i] = count_entries(pagemap, zones[i].at, PAGES);
		now[ZONES] += now[i];
	}
	for (int i = 0; i <= ZONES; i++) {
		size_t bound = atomic_load(&seen->bound[i]);

		seen->broken += bound && now[i] > bound;
		if (now[i] > seen->most[i])
			seen->most[i] = now[i];
	}
	seen->looks++;
	kill(pid, SIGCONT);
}

static int observer, observer_pipe;

/* A process that stops this one now and then, and counts. */
static void begin_to_observe(void)
{
	int pid = getpid(), ends[2], pagemap;
	char name[64];

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(seen, MAP_FAILED);
	for (int i = 0; i < ZONES; i++)
		atomic_store(&seen->bound[i], zones[i].most);
	atomic_store(&seen->bound[ZONES], most_of_all);
	ck_assert_int_eq(pipe(ends), 0);
	observer = fork();
	ck_assert_int_ge(observer, 0);
	if (observer) {
		close(ends[0]);
		observer_pipe = ends[1];
		return;
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	snprintf(name, sizeof(name), "/proc/%d/pagemap", pid);
	pagemap = open(name, O_RDONLY);
	while (read(ends[0], name, 1) < 0) {
		look_once(pid, pagemap);
		usleep(700);
	}
	_exit(0);
}

static void end_to_observe(void)
{
	int status;

	close(observer_pipe);
	ck_assert_int_eq(waitpid(observer, &status, 0), observer);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_gt(seen->looks, 10);
	ck_assert_uint_eq(seen->broken, 0);
}

/* -- Threads that use them -------------------------------------------------------------- */

#define THREADS 8
#define LOCKS 32 /* TSan knows of 64 held at once */

static pthread_mutex_t locks[LOCKS];
static _Atomic int running;
static pthread_t thread[THREADS];

static void use_one(uint64_t *state)
{
	struct zone *zone = &zones[program_random(state) % ZONES];
	uint32_t page = program_random(state) % PAGES;

	if (!zone->at)
		return;
	pthread_mutex_lock(&locks[page % LOCKS]);
	look(zone, page);
	if (program_random(state) % 2)
		put(zone, page);
	pthread_mutex_unlock(&locks[page % LOCKS]);
}

static void *use(void *which)
{
	uint64_t state = seed + (uintptr_t)which * 7919;

	for (unsigned n = 0; n < program_scaled(6000); n++)
		use_one(&state);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void start_threads(void)
{
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	atomic_store(&running, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, use, (void *)(i + 1));
}

static void join_threads(void)
{
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void look_at_zones(void)
{
	for (int i = 0; i < ZONES; i++)
		if (zones[i].at)
			look_all(&zones[i]);
}

/* -- The bound ------------------------------------------------------------------------- */

/* Without a limit of the process; in one that has room for both; in one that
 * has not. */
static const size_t process_limits[] = { 0, 10 * MIB, 5 * MIB };

START_TEST(limits_of_areas_hold_at_every_moment_with_threads)
{
	size_t of_all = process_limits[_i];

	ck_assert_int_eq(lazymap_limit(of_all * PAGE), 0);
	make(0, 3 * MIB);
	make(1, 4 * MIB);
	make(2, 0);
	most_of_all = of_all;
	begin_to_observe();
	for (int i = 0; i < ZONES; i++)
		put_all(&zones[i]);
	start_threads();
	join_threads();
	end_to_observe();
	look_at_zones();
	/* They were full, and never fuller. */
	ck_assert_uint_gt(seen->most[0], of_all == 5 * MIB ? MIB : 2 * MIB);
	ck_assert_uint_gt(seen->most[2], MIB);
	if (of_all)
		ck_assert_uint_gt(seen->most[ZONES], of_all / 2);
	else
		ck_assert_uint_eq(present(zones[2].at, PAGES), PAGES);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

static const char *const policies[] = { "s3fifo", "clock", "sieve", "fifo" };

START_TEST(every_policy_keeps_to_the_limit_and_every_write)
{
	setenv("LAZYMAP_POLICY", policies[_i], 1);
	make(0, 3 * MIB);
	make(1, 4 * MIB);
	start_threads();
	join_threads();
	look_at_zones();
	ck_assert_uint_le(present(zones[0].at, PAGES), 3 * MIB);
	ck_assert_uint_le(present(zones[1].at, PAGES), 4 * MIB);
	if (_i < 3)
		ck_assert_uint_gt(stats().faults_soft, 0);
}
END_TEST

START_TEST(area_that_is_full_drives_out_its_own_pages_only)
{
	struct zone *mine, *other;

	ck_assert_int_eq(lazymap_limit(24 * MIB * PAGE), 0);
	mine = make(0, 2 * MIB);
	other = make(1, 0);
	put_all(other);
	for (int n = 0; n < 3; n++)
		put_all(mine);
	ck_assert_uint_eq(present(other->at, PAGES), PAGES);
	ck_assert_uint_le(present(mine->at, PAGES), 2 * MIB);
	look_all(mine);
	look_all(other);
}
END_TEST

START_TEST(process_at_its_limit_takes_from_limited_areas_too)
{
	struct zone *mine, *other;

	mine = make(0, 8 * MIB);
	other = make(1, 0);
	ck_assert_int_eq(lazymap_limit(9 * MIB * PAGE), 0);
	put_all(mine);
	ck_assert_uint_gt(present(mine->at, PAGES), 7 * MIB);
	for (int n = 0; n < 3; n++)
		put_all(other);
	ck_assert_uint_lt(present(mine->at, PAGES), 4 * MIB);
	ck_assert_uint_le(present(mine->at, PAGES) + present(other->at, PAGES),
			  9 * MIB);
	look_all(mine);
	look_all(other);
	/* Without the process's limit its own is there still. */
	ck_assert_int_eq(lazymap_limit(0), 0);
	look_all(other);
	look_all(mine);
	ck_assert_uint_le(present(mine->at, PAGES), 8 * MIB);
	ck_assert_uint_eq(present(other->at, PAGES), PAGES);
}
END_TEST

/* -- Changing it ------------------------------------------------------------------------ */

START_TEST(limit_can_be_lowered_and_raised_and_lifted)
{
	static const size_t sizes[] = { 8 * MIB, 2 * MIB, 4 * MIB, 0, MIB };
	struct zone *zone = make(0, 3 * MIB);

	put_all(zone);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t max = sizes[i] ? sizes[i] : PAGES;

		limit(zone->at, PAGES, sizes[i]);
		ck_assert_uint_le(present(zone->at, PAGES), max);
		look_all(zone);
		put_all(zone);
		ck_assert_uint_le(present(zone->at, PAGES), max);
		ck_assert_uint_gt(present(zone->at, PAGES), max / 2);
	}
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

static void change_bound(int i, size_t from, size_t to)
{
	size_t larger = from > to ? from : to;

	atomic_store(&seen->bound[i], from && to ? larger : 0);
	limit(zones[i].at, PAGES, to);
	atomic_store(&seen->bound[i], to);
}

START_TEST(limit_is_changed_while_threads_touch)
{
	static const size_t sizes[] = { 3 * MIB, 8 * MIB, 4 * MIB, 0 };
	size_t now = 4 * MIB;

	if (_i)
		ck_assert_int_eq(lazymap_limit(8 * MIB * PAGE), 0);
	make(0, 4 * MIB);
	make(1, 4 * MIB);
	most_of_all = _i ? 8 * MIB : 0;
	begin_to_observe();
	start_threads();
	for (int n = 0; atomic_load(&running); n++) {
		size_t next = sizes[n % 4];

		change_bound(0, now, next);
		now = next;
		usleep(3000);
	}
	join_threads();
	end_to_observe();
	look_at_zones();
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

/* -- Areas that change -------------------------------------------------------------------- */

/* Pages [from, from + pages) of a zone become a zone of their own elsewhere. */
static void move_some(struct zone *zone, uint32_t from, uint32_t pages,
		      struct zone *to, int flags)
{
	void *room = map_pages(pages);

	to->at = lazymap_remap(zone->at + from, pages * PAGE, pages * PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED | flags, room);
	ck_assert_ptr_eq(to->at, room);
	to->first = zone->first + from;
	memcpy(to->version, zone->version + from, pages * sizeof(uint32_t));
}

START_TEST(pieces_of_a_split_area_share_its_limit)
{
	struct zone *zone = make(0, 2 * MIB), *moved = &zones[1];

	put_all(zone);
	/* Its quarters: one read-only, one advised, one moved, one unmapped. */
	ck_assert_int_eq(lazymap_protect(zone->at, 4 * MIB * PAGE, PROT_READ),
			 0);
	ck_assert_int_eq(lazymap_advise(zone->at + 4 * MIB, 4 * MIB * PAGE,
					MADV_SEQUENTIAL),
			 0);
	move_some(zone, 8 * MIB, 4 * MIB, moved, 0);
	for (int n = 0; n < 2; n++) {
		look_at_some(zone, 0, 8 * MIB);
		ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
		look_at_some(moved, 0, 4 * MIB);
		put_some(moved, 0, 4 * MIB);
		put_some(zone, 4 * MIB, 8 * MIB);
		ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
		look_at_some(zone, 12 * MIB, PAGES);
		ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
	}
	/* What one gives back the others may use. */
	ck_assert_int_eq(lazymap_unmap(zone->at + 12 * MIB, 4 * MIB * PAGE), 0);
	ck_assert_int_eq(lazymap_unmap(zone->at, 8 * MIB * PAGE), 0);
	look_at_some(moved, 0, 4 * MIB);
	ck_assert_uint_gt(present(moved->at, 4 * MIB), 2 * MIB - 64);
	ck_assert_uint_le(present(moved->at, 4 * MIB), 2 * MIB);
}
END_TEST

START_TEST(area_that_moves_or_grows_takes_its_limit_along)
{
	struct zone *zone = make(0, 2 * MIB);
	void *grown;

	put_all(zone);
	for (int n = 0; n < 3; n++) {
		grown = lazymap_remap(zone->at, (PAGES + n * 4 * MIB) * PAGE,
				      (PAGES + (n + 1) * 4 * MIB) * PAGE,
				      MREMAP_MAYMOVE, NULL);
		ck_assert_ptr_ne(grown, LAZYMAP_FAILED);
		zone->at = grown;
		look_all(zone);
		memset(zone->at + PAGES, 1, (n + 1) * 4 * MIB * PAGE);
		ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
		/* So that it has to move the next time. */
		map_pages(512);
	}
	/* To a place of the caller's, the old one staying mapped. */
	move_some(zone, 0, PAGES, &zones[1], MREMAP_DONTUNMAP);
	look_all(&zones[1]);
	memset(zone->version, 0, sizeof(zone->version));
	put_all(zone);
	look_all(&zones[1]);
	look_all(zone);
	ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
}
END_TEST

START_TEST(part_of_an_area_may_have_a_limit_and_several_may_share_one)
{
	struct zone *zone = make(0, 0), *after;

	/* The second half of the one and the first of the next. */
	after = &zones[1];
	after->at = lazymap_map(zone->at + PAGES, PAGES * PAGE,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ck_assert_ptr_eq(after->at, zone->at + PAGES);
	put_all(zone);
	put_all(after);
	limit(zone->at + PAGES / 2, PAGES, 3 * MIB);
	ck_assert_uint_le(present(zone->at + PAGES / 2, PAGES), 3 * MIB);
	for (int n = 0; n < 2; n++) {
		look_all(zone);
		look_all(after);
		ck_assert_uint_le(present(zone->at + PAGES / 2, PAGES),
				  3 * MIB);
	}
	ck_assert_uint_eq(present(zone->at, PAGES / 2), PAGES / 2);
	ck_assert_uint_eq(present(after->at + PAGES / 2, PAGES / 2), PAGES / 2);
	/* Another one for a part of them; the rest keeps the first. */
	limit(after->at, PAGES / 4, 8 * MIB);
	look_all(zone);
	look_all(after);
	ck_assert_uint_eq(present(after->at, PAGES / 4), PAGES / 4);
	ck_assert_uint_le(present(zone->at + PAGES / 2, PAGES / 2) +
				  present(after->at + PAGES / 4, PAGES / 4),
			  3 * MIB);
	/* And none any more. */
	limit(zone->at, 2 * PAGES, 0);
	look_all(zone);
	look_all(after);
	ck_assert_uint_eq(present(zone->at, PAGES), PAGES);
	ck_assert_uint_eq(present(after->at, PAGES), PAGES);
}
END_TEST

START_TEST(what_is_given_back_can_be_used_again)
{
	struct zone *zone = make(0, 4 * MIB);
	uint64_t evicted;

	put_some(zone, 0, 4 * MIB);
	ck_assert_uint_eq(present(zone->at, 4 * MIB), 4 * MIB);
	for (int n = 0; n < 8; n++) {
		evicted = stats().pages_evicted;
		ck_assert_int_eq(
			lazymap_advise(zone->at, 4 * MIB * PAGE, MADV_DONTNEED),
			0);
		put_some(zone, 4 * MIB, 8 * MIB);
		ck_assert_int_eq(
			lazymap_unmap(zone->at + 4 * MIB, 4 * MIB * PAGE), 0);
		/* A new mapping has no limit; the range is given one. */
		ck_assert_ptr_ne(
			lazymap_map(zone->at, 8 * MIB * PAGE,
				    PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				    0),
			LAZYMAP_FAILED);
		memset(zone->version, 0, sizeof(zone->version));
		limit(zone->at, PAGES, 4 * MIB);
		put_some(zone, 0, 4 * MIB);
		ck_assert_uint_eq(stats().pages_evicted, evicted);
		ck_assert_uint_eq(present(zone->at, 4 * MIB), 4 * MIB);
	}
}
END_TEST

/* -- What kinds of pages ------------------------------------------------------------------ */

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

static void *map_file(int flags)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	void *at;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, PAGES * PAGE), 0);
	at = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd,
			 0);
	close(fd);
	return at;
}

static void *map_store(void)
{
	struct lazymap_store_ops ops = { .size = sizeof(ops),
					 .version = LAZYMAP_STORE_VERSION,
					 .read = table_read,
					 .write = table_write };

	return lazymap_map_store(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED, &ops, NULL, 0);
}

static void *map_kind(int kind)
{
	switch (kind) {
	case 0:
		return map_file(MAP_PRIVATE);
	case 1:
		return map_file(MAP_SHARED);
	case 2:
		return map_store();
	default:
		return lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	}
}

START_TEST(every_kind_of_area_can_have_a_limit)
{
	struct zone *zone = &zones[0];

	zone->at = map_kind(_i);
	ck_assert_ptr_ne(zone->at, LAZYMAP_FAILED);
	limit(zone->at, PAGES, 2 * MIB);
	for (int n = 0; n < 2; n++) {
		for (uint32_t i = 0; i < PAGES; i += 3)
			put(zone, i);
		ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
		look_all(zone);
		ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	}
	ck_assert_uint_le(stats().resident, 2 * MIB * PAGE);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

START_TEST(advice_finds_the_limits_of_areas)
{
	struct zone *zone;

	setenv("LAZYMAP_CLUSTER", "4096", 1);
	zone = make(0, 4 * MIB);
	put_some(zone, 0, 4 * MIB);
	/* Cold pages of it go before its others; the least of them stay. */
	ck_assert_int_eq(lazymap_advise(zone->at, MIB * PAGE, MADV_COLD), 0);
	put_some(zone, 4 * MIB, 4 * MIB + MIB / 2);
	ck_assert_uint_lt(present(zone->at, MIB), MIB);
	ck_assert_uint_eq(present(zone->at + MIB, 3 * MIB), 3 * MIB);
	ck_assert_int_eq(lazymap_advise(zone->at, 4 * MIB * PAGE, MADV_PAGEOUT),
			 0);
	ck_assert_uint_eq(present(zone->at, 4 * MIB), 0);
	look_at_some(zone, 0, 4 * MIB);
}
END_TEST

START_TEST(large_read_and_write_are_made_in_pieces_that_fit)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	struct zone *zone;
	struct zone *back;

	if (program_sanitized("")) {
		printf("skipped: a sanitizer has system calls of its own\n");
		return;
	}
	setenv("LAZYMAP_SYSCALL_TRAP", "1", 1);
	zone = make(0, 2 * MIB);
	back = make(1, 2 * MIB);
	put_all(zone);
	ck_assert_int_eq(write(fd, zone->at, PAGES * PAGE), PAGES * PAGE);
	ck_assert_int_eq(pread(fd, back->at, PAGES * PAGE, 0), PAGES * PAGE);
	memcpy(back->version, zone->version, sizeof(zone->version));
	look_all(back);
	ck_assert_uint_le(stats().resident, 4 * MIB * PAGE);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	close(fd);
}
END_TEST

/* -- When it cannot ------------------------------------------------------------------------ */

START_TEST(pinned_pages_beyond_the_limit_are_let_in_and_said_once)
{
	struct zone *zone;

	lazymap_on_error(note_error, NULL);
	zone = make(0, 2 * MIB);
	ck_assert_int_eq(lazymap_pin(zone->at, 3 * MIB * PAGE, LAZYMAP_WRITE),
			 0);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(told_what, "an area's resident limit"));
	ck_assert_uint_gt(stats().pages_over_limit, 0);
	put_some(zone, 0, 3 * MIB);
	ck_assert_uint_eq(present(zone->at, 3 * MIB), 3 * MIB);
	ck_assert_int_eq(lazymap_unpin(zone->at, 3 * MIB * PAGE), 0);
	/* With the pins gone it is as it should be. */
	usleep(200000);
	put_some(zone, 3 * MIB, PAGES);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	look_all(zone);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(pinned_pages_beyond_the_limit_fail_when_strict)
{
	struct zone *zone;

	setenv("LAZYMAP_STRICT", "1", 1);
	zone = make(0, 2 * MIB);
	ck_assert_int_eq(lazymap_pin(zone->at, 3 * MIB * PAGE, LAZYMAP_WRITE),
			 -1);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	/* Nothing stayed pinned. */
	put_all(zone);
	look_all(zone);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
}
END_TEST

START_TEST(locked_pages_stay_and_count)
{
	struct zone *zone = make(0, 2 * MIB);

	put_all(zone);
	ck_assert_int_eq(lazymap_lock(zone->at, 64 * PAGE, 0), 0);
	put_some(zone, 64, PAGES);
	ck_assert_uint_eq(present(zone->at, 64), 64);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	look_all(zone);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
}
END_TEST

START_TEST(locked_pages_beyond_the_limit_are_said_or_fail_when_strict)
{
	bool strict = _i;
	struct zone *zone;

	if (strict)
		setenv("LAZYMAP_STRICT", "1", 1);
	else
		lazymap_on_error(note_error, NULL);
	zone = make(0, 2 * MIB);
	put_all(zone);
	ck_assert_int_eq(lazymap_lock(zone->at, 3 * MIB * PAGE, 0),
			 strict ? -1 : 0);
	ck_assert_int_eq(told, !strict);
	if (strict)
		ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	else
		ck_assert_uint_eq(present(zone->at, 3 * MIB), 3 * MIB);
	ck_assert_int_eq(lazymap_unlock(zone->at, 3 * MIB * PAGE), 0);
	usleep(200000);
	look_all(zone);
	put_all(zone);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
}
END_TEST

START_TEST(bad_values_change_nothing_and_say_why)
{
	struct zone *zone;
	char *plain;

	lazymap_on_error(note_error, NULL);
	zone = make(0, 2 * MIB);
#define FAILS(call, with)                                                      \
	do {                                                                   \
		errno = 0;                                                     \
		ck_assert_int_eq(call, -1);                                    \
		ck_assert_int_eq(errno, with);                                 \
	} while (0)
	FAILS(lazymap_limit_area((char *)zone->at + 1, PAGE, MIB * PAGE),
	      EINVAL);
	FAILS(lazymap_limit_area(zone->at, 0, MIB * PAGE), EINVAL);
	FAILS(lazymap_limit_area(zone->at, SIZE_MAX, MIB * PAGE), ENOMEM);
	ck_assert_int_eq(told, 0);
	FAILS(lazymap_limit_area(zone->at, PAGES * PAGE, 100 << 10), EINVAL);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(strstr(told_what, "an area's resident limit"));
	ck_assert_ptr_nonnull(strstr(told_what, "256 KiB"));
	plain = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	FAILS(lazymap_limit_area(plain, 2 * PAGE, MIB * PAGE), ENOMEM);
	FAILS(lazymap_limit_area(plain, 2 * PAGE, 0), ENOMEM);
	munmap(plain, 2 * PAGE);
#undef FAILS
	ck_assert_uint_eq(stats().resident_limit, 0);
	put_all(zone);
	look_all(zone);
	ck_assert_uint_le(present(zone->at, PAGES), 2 * MIB);
	/* What lies between lazy areas is left alone. */
	ck_assert_int_eq(lazymap_unmap(zone->at + MIB, MIB * PAGE), 0);
	limit(zone->at, PAGES, MIB);
	look_at_some(zone, 0, MIB);
	look_at_some(zone, 2 * MIB, PAGES);
	ck_assert_uint_le(stats().resident, MIB * PAGE);
}
END_TEST

/* -- Fork ----------------------------------------------------------------------------------- */

/* Failures of a child are assertions in it. */
static void wait_for(pid_t child)
{
	int status;

	ck_assert_int_gt(waitpid(child, &status, 0), 0);
	ck_assert_int_eq(status, 0);
}

static void check_and_change(struct zone *zone, uint32_t step)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		look(zone, i);
		if (i % step == 0)
			put(zone, i);
	}
	look_all(zone);
}

START_TEST(child_has_limits_of_its_own)
{
	struct zone *zone = make(0, 3 * MIB), *other = make(1, 0);
	pid_t child;

	put_all(zone);
	put_all(other);
	child = fork();
	if (!child) {
		check_and_change(zone, 3);
		check_and_change(other, 5);
		ck_assert_uint_le(present(zone->at, PAGES), 3 * MIB);
		ck_assert_uint_eq(present(other->at, PAGES), PAGES);
		limit(zone->at, PAGES, MIB);
		limit(other->at, PAGES, MIB);
		check_and_change(zone, 2);
		check_and_change(other, 2);
		ck_assert_uint_le(present(zone->at, PAGES), MIB);
		ck_assert_uint_le(present(other->at, PAGES), MIB);
		_exit(0);
	}
	check_and_change(zone, 2);
	check_and_change(other, 4);
	wait_for(child);
	check_and_change(zone, 1);
	ck_assert_uint_le(present(zone->at, PAGES), 3 * MIB);
	ck_assert_uint_gt(present(zone->at, PAGES), 2 * MIB);
	ck_assert_uint_eq(present(other->at, PAGES), PAGES);
}
END_TEST

/* In the child of a process with threads, a sanitizer's runtime may wait for a
 * lock that no thread will ever give back. */
static bool sanitized(void)
{
	if (!program_sanitized(""))
		return false;
	printf("skipped: sanitizers have locks that fork does not know\n");
	return true;
}

/* Every second child by a call that no atfork handler hears of. */
static pid_t fork_somehow(int n)
{
	return n % 2 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

START_TEST(fork_under_eviction_keeps_the_counts)
{
	if (sanitized())
		return;
	/* All in the pool: the parent of a bare clone's child may use slots of
	 * its file again. */
	all_compressible = true;
	setenv("LAZYMAP_SWAP_POOL", "128M", 1);
	if (_i)
		ck_assert_int_eq(lazymap_limit(8 * MIB * PAGE), 0);
	make(0, 3 * MIB);
	make(1, 4 * MIB);
	start_threads();
	for (int n = 0; atomic_load(&running) || n < 4; n++) {
		pid_t child;

		/* So that no page is between two versions. */
		for (int i = 0; i < LOCKS; i++)
			pthread_mutex_lock(&locks[i]);
		child = fork_somehow(n);
		for (int i = 0; child && i < LOCKS; i++)
			pthread_mutex_unlock(&locks[i]);
		if (!child) {
			look_at_zones();
			check_and_change(&zones[0], 3);
			ck_assert_uint_le(present(zones[0].at, PAGES), 3 * MIB);
			/* No count was lost to a fault of another's. */
			ck_assert_uint_gt(present(zones[0].at, PAGES), 2 * MIB);
			_exit(0);
		}
		wait_for(child);
	}
	join_threads();
	look_at_zones();
}
END_TEST

/* -- Limits that come and go ------------------------------------------------------------------ */

static void come_and_go(uint64_t *state)
{
	size_t pages = 5 * MIB + program_random(state) % MIB;
	uint32_t(*at)[WORDS] = map_pages(pages);
	uint32_t mark = (uint32_t)program_random(state);

	limit(at, pages, 4 * MIB + program_random(state) % MIB);
	for (size_t i = 0; i < pages; i += 3)
		at[i][i % WORDS] = mark + (uint32_t)i;
	if (program_random(state) % 2)
		limit(at, pages / 2, 4 * MIB);
	for (size_t i = 0; i < pages; i += 3)
		ck_assert_uint_eq(at[i][i % WORDS], mark + (uint32_t)i);
	ck_assert_int_eq(lazymap_unmap(at, pages * PAGE), 0);
}

static void *make_and_end(void *which)
{
	uint64_t state = seed + (uintptr_t)which * 104729;

	for (unsigned n = 0; n < program_scaled(60); n++)
		come_and_go(&state);
	return NULL;
}

START_TEST(limits_come_and_go_while_the_process_is_at_its_own)
{
	pthread_t maker[4];

	ck_assert_int_eq(lazymap_limit(8 * MIB * PAGE), 0);
	make(0, 4 * MIB);
	make(1, 0);
	start_threads();
	for (size_t i = 0; i < 4; i++)
		pthread_create(&maker[i], NULL, make_and_end, (void *)(i + 1));
	for (size_t i = 0; i < 4; i++)
		pthread_join(maker[i], NULL);
	join_threads();
	look_at_zones();
	ck_assert_uint_le(stats().resident, 8 * MIB * PAGE);
	ck_assert_uint_eq(stats().areas, 2);
	ck_assert_uint_eq(stats().pages_over_limit, 0);
	/* With no limit left in force nothing is counted or evicted. */
	ck_assert_int_eq(lazymap_limit(0), 0);
	limit(zones[0].at, PAGES, 0);
	look_at_zones();
	ck_assert_uint_eq(stats().resident, 2 * PAGES * PAGE);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test, int n)
{
	TCase *tcase = tcase_create(name);

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, test, 0, n);
}

int main(void)
{
	Suite *suite = suite_create("quota");

	/* A case each: CK_RUN_CASE runs one. */
#define TEST(name) TESTS(name, 1)
#define TESTS(name, n) add(suite, #name, name, n)
	TESTS(limits_of_areas_hold_at_every_moment_with_threads, 3);
	TESTS(every_policy_keeps_to_the_limit_and_every_write, 4);
	TEST(area_that_is_full_drives_out_its_own_pages_only);
	TEST(process_at_its_limit_takes_from_limited_areas_too);
	TEST(limit_can_be_lowered_and_raised_and_lifted);
	TESTS(limit_is_changed_while_threads_touch, 2);
	TEST(pieces_of_a_split_area_share_its_limit);
	TEST(area_that_moves_or_grows_takes_its_limit_along);
	TEST(part_of_an_area_may_have_a_limit_and_several_may_share_one);
	TEST(what_is_given_back_can_be_used_again);
	TESTS(every_kind_of_area_can_have_a_limit, 4);
	TEST(advice_finds_the_limits_of_areas);
	TEST(large_read_and_write_are_made_in_pieces_that_fit);
	TEST(pinned_pages_beyond_the_limit_are_let_in_and_said_once);
	TEST(pinned_pages_beyond_the_limit_fail_when_strict);
	TEST(locked_pages_stay_and_count);
	TESTS(locked_pages_beyond_the_limit_are_said_or_fail_when_strict, 2);
	TEST(bad_values_change_nothing_and_say_why);
	TEST(child_has_limits_of_its_own);
	TESTS(fork_under_eviction_keeps_the_counts, 2);
	TEST(limits_come_and_go_while_the_process_is_at_its_own);
#undef TESTS
#undef TEST
	return program_run(suite);
}
