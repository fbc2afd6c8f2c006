/*
 * test_place.c -- what every way of placing promises (lib/place/place.h).
 *
 * Each test runs once for each way that is permitted here.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place/place.h"

#define PAGE 4096ul
#define WAYS 4

static const struct lm_place *way;
static unsigned seed;

/* The way of this run of the test; 0 when it is not permitted here. */
static int use(int i)
{
	int err;

	way = lm_place_way((unsigned)i);
	ck_assert_ptr_nonnull(way);
	err = way->probe();
	if (err)
		printf("skipped: %s is not permitted: %s\n", way->name,
		       strerror(-err));
	return !err;
}

static char *area(size_t len)
{
	char *mem = mmap(NULL, len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(mem, MAP_FAILED);
	if (way->attach)
		ck_assert_int_eq(way->attach((uintptr_t)mem, len), 0);
	return mem;
}

static void pattern(unsigned char *buf, size_t len, unsigned salt)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(i * 7 + (i >> 12) * 13 + salt);
}

static int is_pattern(const unsigned char *buf, size_t len, unsigned salt)
{
	for (size_t i = 0; i < len; i++)
		if (buf[i] != (unsigned char)(i * 7 + (i >> 12) * 13 + salt))
			return 0;
	return 1;
}

static int put(char *page, size_t len, unsigned salt)
{
	unsigned char *buf = malloc(len);
	int err;

	pattern(buf, len, salt);
	err = way->write((uintptr_t)page, buf, len);
	free(buf);
	return err;
}

static void reveal(char *page, size_t len)
{
	ck_assert_int_eq(mprotect(page, len, PROT_READ), 0);
}

static void hide(char *page, size_t len)
{
	ck_assert_int_eq(mprotect(page, len, PROT_NONE), 0);
}

static int holds(char *page, size_t len, unsigned salt)
{
	unsigned char *buf = malloc(len);
	int ok = way->read(buf, (uintptr_t)page, len) == 0 &&
		 is_pattern(buf, len, salt);

	free(buf);
	return ok;
}

/* Can the page be read? Asked of the kernel, so without a fault. */
static int visible(const char *page)
{
	int fd[2], seen;

	ck_assert_int_eq(pipe(fd), 0);
	seen = write(fd[1], page, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return seen;
}

static size_t vm_areas(const char *mem, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	size_t n = 0;

	while (fgets(line, sizeof(line), maps)) {
		uintptr_t start = 0, end = 0;

		sscanf(line, "%lx-%lx", &start, &end);
		n += start < (uintptr_t)mem + len && end > (uintptr_t)mem;
	}
	fclose(maps);
	return n;
}

START_TEST(write_then_reveal_shows_exact_bytes)
{
	static const size_t lens[] = { PAGE, 2 * PAGE, 16 * PAGE, 512 * PAGE };
	char *mem;

	if (!use(_i))
		return;
	mem = area(1024 * PAGE);
	for (unsigned i = 0; i < 4; i++) {
		char *page = mem + 17 * i * PAGE;

		ck_assert_int_eq(put(page, lens[i], i), 0);
		ck_assert(!visible(page));
		reveal(page, lens[i]);
		ck_assert(is_pattern((void *)page, lens[i], i));
		hide(page, lens[i]);
		ck_assert_int_eq(madvise(page, lens[i], MADV_DONTNEED), 0);
	}
}
END_TEST

START_TEST(read_returns_the_bytes_and_leaves_the_page_hidden)
{
	char *mem;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem + PAGE, 16 * PAGE, 3), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert(holds(mem + PAGE, 16 * PAGE, 3));
		ck_assert(!visible(mem + PAGE));
	}
	reveal(mem + PAGE, 16 * PAGE);
	ck_assert(is_pattern((void *)(mem + PAGE), 16 * PAGE, 3));
}
END_TEST

START_TEST(write_replaces_what_the_page_held)
{
	char *mem;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem + 2 * PAGE, PAGE, 1), 0);
	ck_assert_int_eq(put(mem + 5 * PAGE, 2 * PAGE, 1), 0);
	ck_assert_int_eq(put(mem, 16 * PAGE, 9), 0);
	reveal(mem, 16 * PAGE);
	ck_assert(is_pattern((void *)mem, 16 * PAGE, 9));
}
END_TEST

START_TEST(page_revealed_without_placing_reads_as_zeros)
{
	char *mem;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem, PAGE, 1), 0);
	reveal(mem, 64 * PAGE);
	for (size_t i = PAGE; i < 64 * PAGE; i++)
		ck_assert_int_eq(mem[i], 0);
}
END_TEST

START_TEST(range_of_several_vm_areas_is_written_and_read)
{
	char *mem;

	if (!use(_i))
		return;
	/* Each touched before it had neighbours: they never merge. */
	mem = area(8 * PAGE);
	for (size_t i = 0; i < 8; i += 2) {
		ck_assert_ptr_eq(mmap(mem + i * PAGE, PAGE, PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      -1, 0),
				 mem + i * PAGE);
		mem[i * PAGE] = 1;
		hide(mem + i * PAGE, PAGE);
	}
	ck_assert_int_eq(put(mem, 8 * PAGE, 5), 0);
	ck_assert(holds(mem, 8 * PAGE, 5));
	reveal(mem, 8 * PAGE);
	ck_assert(is_pattern((void *)mem, 8 * PAGE, 5));
}
END_TEST

/* -- threads --------------------------------------------------------------- */

static struct {
	unsigned char *page;
	atomic_uint generation; /* odd: the page is hidden */
	atomic_int stop, torn, early;
	atomic_long looks;
} spin;

static void try_again(int sig)
{
	(void)sig;
	sched_yield();
}

static void *spinner(void *arg)
{
	(void)arg;
	while (!atomic_load(&spin.stop)) {
		unsigned before = atomic_load(&spin.generation), after;
		uint64_t first = *(volatile uint64_t *)spin.page;
		uint64_t last = *(volatile uint64_t *)(spin.page + PAGE - 8);

		after = atomic_load(&spin.generation);
		if (before != after)
			continue;
		if (before & 1)
			atomic_fetch_add(&spin.early, 1);
		/* In generation g every word is g. */
		if (first != before || last != before)
			atomic_fetch_add(&spin.torn, 1);
		atomic_fetch_add(&spin.looks, 1);
	}
	return NULL;
}

START_TEST(no_thread_sees_a_page_partly_placed_or_while_it_is_read)
{
	struct sigaction act = { .sa_handler = try_again };
	uint64_t buf[PAGE / 8], out[PAGE / 8];
	pthread_t thread[3];
	char *mem;

	if (!use(_i) || way == &lm_place_inplace)
		return;
	mem = area(3 * PAGE) + PAGE;
	spin.page = (unsigned char *)mem;
	atomic_store(&spin.generation, 1);
	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, spinner, NULL), 0);
	for (unsigned g = 2; g < 3000; g += 2) {
		for (size_t i = 0; i < PAGE / 8; i++)
			buf[i] = g;
		ck_assert_int_eq(way->write((uintptr_t)mem, buf, PAGE), 0);
		atomic_store(&spin.generation, g);
		reveal(mem, PAGE);
		if (rand_r(&seed) % 2)
			sched_yield();
		hide(mem, PAGE);
		atomic_store(&spin.generation, g + 1);
		ck_assert_int_eq(way->read(out, (uintptr_t)mem, PAGE), 0);
		ck_assert_int_eq(memcmp(buf, out, PAGE), 0);
		madvise(mem, PAGE, MADV_DONTNEED);
	}
	atomic_store(&spin.stop, 1);
	for (size_t i = 0; i < PAGE / 8; i++)
		buf[i] = 3000;
	ck_assert_int_eq(way->write((uintptr_t)mem, buf, PAGE), 0);
	atomic_store(&spin.generation, 3000);
	reveal(mem, PAGE);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	printf("%s: %ld looks\n", way->name, atomic_load(&spin.looks));
	ck_assert_int_eq(atomic_load(&spin.torn), 0);
	ck_assert_int_eq(atomic_load(&spin.early), 0);
}
END_TEST

static char *shared_area;

static void *place_every_eighth(void *arg)
{
	uintptr_t first = (uintptr_t)arg;

	for (size_t i = first; i < 1024; i += 8)
		if (put(shared_area + i * PAGE, PAGE, (unsigned)i) ||
		    !holds(shared_area + i * PAGE, PAGE, (unsigned)i))
			return (void *)1;
	return NULL;
}

START_TEST(many_threads_place_different_pages_at_once)
{
	pthread_t thread[8];

	if (!use(_i) || way == &lm_place_inplace)
		return;
	shared_area = area(1024 * PAGE);
	for (uintptr_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
						place_every_eighth, (void *)i),
				 0);
	for (int i = 0; i < 8; i++) {
		void *bad;

		pthread_join(thread[i], &bad);
		ck_assert_ptr_null(bad);
	}
	reveal(shared_area, 1024 * PAGE);
	for (size_t i = 0; i < 1024; i++)
		ck_assert(is_pattern((void *)(shared_area + i * PAGE), PAGE,
				     (unsigned)i));
}
END_TEST

static void *wait_for_stop(void *arg)
{
	(void)arg;
	while (!atomic_load(&spin.stop))
		sched_yield();
	return NULL;
}

START_TEST(inplace_refuses_while_there_is_a_second_thread)
{
	pthread_t thread;
	char *mem;

	if (!use(WAYS - 1))
		return;
	ck_assert_ptr_eq(way, &lm_place_inplace);
	mem = area(PAGE);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_stop, NULL), 0);
	ck_assert_int_eq(put(mem, PAGE, 1), -EBUSY);
	ck_assert_int_eq(way->probe(), -EBUSY);
	atomic_store(&spin.stop, 1);
	pthread_join(thread, NULL);
}
END_TEST

/* -- fork ------------------------------------------------------------------ */

static int ended_well(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && status == 0;
}

static int child_places(char *mem)
{
	if (put(mem, PAGE, 50) || put(mem + PAGE, PAGE, 51))
		return 1;
	if (!holds(mem, PAGE, 50) || mprotect(mem, 3 * PAGE, PROT_READ))
		return 2;
	if (!is_pattern((void *)mem, PAGE, 50) ||
	    !is_pattern((void *)(mem + PAGE), PAGE, 51))
		return 3;
	return is_pattern((void *)(mem + 2 * PAGE), PAGE, 12) ? 0 : 4;
}

static void fork_and_check(int raw)
{
	char *mem = area(64 * PAGE);
	pid_t child;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(put(mem + i * PAGE, PAGE, 10 + i), 0);
	fflush(stdout);
	child = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	if (child == 0)
		_exit((!raw && way->forked()) || child_places(mem));
	ck_assert(ended_well(child));
	for (unsigned i = 0; i < 3; i++)
		ck_assert(holds(mem + i * PAGE, PAGE, 10 + i));
	reveal(mem, 3 * PAGE);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(is_pattern((void *)(mem + i * PAGE), PAGE, 10 + i));
}

START_TEST(forked_child_places_into_its_own_memory_only)
{
	if (use(_i))
		fork_and_check(0);
}
END_TEST

/* No atfork handler runs for it, so nobody calls forked(). */
START_TEST(child_of_a_raw_clone_places_into_its_own_memory_only)
{
	if (use(_i))
		fork_and_check(1);
}
END_TEST

/* noinline: not into a function that calls vfork */
static __attribute__((noinline)) int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* 0 when this child and all that come after it are well. */
static int generation(char *mem, int depth, int limit)
{
	pid_t child;

	if (way->forked() || put(mem, PAGE, 1) || descriptors() > limit)
		return 1;
	if (!depth)
		return 0;
	child = fork();
	if (child == 0)
		_exit(generation(mem, depth - 1, limit));
	return !ended_well(child);
}

/* The one that was inherited is closed where it can be told. */
START_TEST(generations_of_children_do_not_pile_up_descriptors)
{
	int limit;
	pid_t child;
	char *mem;

	if (!use(_i) || way == &lm_place_uffd)
		return;
	mem = area(PAGE);
	ck_assert_int_eq(put(mem, PAGE, 1), 0);
	limit = descriptors();
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(generation(mem, 5, limit));
	ck_assert(ended_well(child));
}
END_TEST

/* It shares our memory, has a table of its own, and does not return. */
START_TEST(vfork_child_without_descriptors_leaves_the_parent_its_own)
{
	volatile int err = -1;
	char *volatile mem;
	int before;
	pid_t child;

	if (!use(_i))
		return;
#ifdef __SANITIZE_THREAD__
	printf("skipped: ThreadSanitizer makes a fork of vfork\n");
	return;
#endif
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem, PAGE, 1), 0);
	before = descriptors();
	for (int i = 0; i < 5; i++) {
		child = vfork();
		if (child == 0) {
			syscall(SYS_close_range, 3, ~0u, 0);
			err = put(mem + PAGE, PAGE, 2);
			_exit(0);
		}
		ck_assert(ended_well(child));
		ck_assert_int_eq(err, 0);
	}
	ck_assert_int_eq(put(mem + 2 * PAGE, PAGE, 3), 0);
	ck_assert_int_eq(descriptors(), before);
	ck_assert(holds(mem + PAGE, PAGE, 2));
	ck_assert(holds(mem + 2 * PAGE, PAGE, 3));
}
END_TEST

/* -- the program's descriptors --------------------------------------------- */

/* Those that the test inherited, Check's among them: fd[i] is 1. */
static char inherited[32768];

static void note_inherited(void)
{
	for (int fd = 0; fd < 32768; fd++)
		inherited[fd] = fcntl(fd, F_GETFD) != -1;
}

/* The first number from `fd` on that has been opened since; -1: none. */
static int opened_since(int fd)
{
	for (; fd < 32768; fd++)
		if (!inherited[fd] && fcntl(fd, F_GETFD) != -1)
			return fd;
	return -1;
}

START_TEST(program_gets_the_descriptor_numbers_it_would_get)
{
	int fd;

	note_inherited();
	if (!use(_i))
		return;
	ck_assert_int_eq(put(area(PAGE), PAGE, 1), 0);
	fd = opened_since(0);
	ck_assert(fd == -1 || fd >= 900);
}
END_TEST

START_TEST(descriptor_is_beyond_the_limit_where_there_is_room)
{
	struct rlimit limit = { 512, 0 }, after;

	getrlimit(RLIMIT_NOFILE, &after);
	limit.rlim_max = after.rlim_max;
	if (after.rlim_max < 4096 || lm_place_inplace.probe()) {
		printf("skipped: a low hard limit, or a second thread\n");
		return;
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	note_inherited();
	if (!use(_i))
		return;
	ck_assert_int_eq(put(area(PAGE), PAGE, 1), 0);
	getrlimit(RLIMIT_NOFILE, &after);
	ck_assert_uint_eq(after.rlim_cur, 512);
	for (int fd = 0; (fd = opened_since(fd)) != -1; fd++) {
		ck_assert_int_ge(fd, 512);
		ck_assert_int_eq(dup2(0, fd), -1);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
}
END_TEST

START_TEST(program_that_closes_every_descriptor_goes_on)
{
	char *mem;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(put(mem + i * PAGE, PAGE, i), 0);
		ck_assert_int_eq(syscall(SYS_close_range, 3, ~0u, 0), 0);
		ck_assert(holds(mem + i * PAGE, PAGE, i));
		ck_assert_int_eq(syscall(SYS_close_range, 3, ~0u, 0), 0);
	}
	reveal(mem, 8 * PAGE);
	for (unsigned i = 0; i < 8; i++)
		ck_assert(is_pattern((void *)(mem + i * PAGE), PAGE, i));
}
END_TEST

START_TEST(program_file_on_our_number_is_not_written)
{
	/* Of those files that can be as long as an address is large. */
	int file = memfd_create("program's", 0), n = 0;
	struct stat st;
	char *mem;

	ck_assert_int_eq(write(file, "program", 7), 7);
	note_inherited();
	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem, PAGE, 1), 0);
	for (int fd = 0; (fd = opened_since(fd)) != -1; fd++, n++)
		ck_assert_int_eq(dup2(file, fd), fd);
	ck_assert(n || way == &lm_place_mremap || way == &lm_place_inplace);
	ck_assert_int_eq(put(mem + PAGE, PAGE, 2), 0);
	ck_assert(holds(mem, PAGE, 1));
	ck_assert(holds(mem + PAGE, PAGE, 2));
	ck_assert_int_eq(fstat(file, &st), 0);
	ck_assert_int_eq(st.st_size, 7);
	/* Nor closed: its number is the program's now. */
	for (int fd = 0; (fd = opened_since(fd)) != -1; fd++)
		n -= fcntl(fd, F_GETFD) == 0;
	ck_assert_int_eq(n, 0);
}
END_TEST

static void *race_for_the_number(void *arg)
{
	int file = *(int *)arg;

	while (!atomic_load(&spin.stop)) {
		syscall(SYS_close_range, 960, ~0u, 0);
		if (rand_r(&seed) % 2)
			fcntl(file, F_DUPFD, 1024);
	}
	return NULL;
}

START_TEST(placing_survives_a_thread_that_keeps_closing_descriptors)
{
	int file = open("/dev/null", O_RDWR);
	pthread_t thread;
	char *mem;

	if (!use(_i) || way == &lm_place_inplace)
		return;
	mem = area(512 * PAGE);
	ck_assert_int_eq(
		pthread_create(&thread, NULL, race_for_the_number, &file), 0);
	/* /dev/null swallows a write that falls into the instant between
	 * the check and the use: that is the window fd.h owns up to. */
	for (unsigned i = 0; i < 512; i++)
		ck_assert_int_eq(put(mem + i * PAGE, PAGE, i), 0);
	atomic_store(&spin.stop, 1);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(placing_goes_on_when_the_descriptor_cannot_be_had_again)
{
	struct rlimit none = { 3, 3 };
	char *mem;
	pid_t child;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem, PAGE, 1), 0);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		way->forked();
		syscall(SYS_close_range, 3, ~0u, 0);
		prctl(PR_SET_DUMPABLE, 0);
		if (setrlimit(RLIMIT_NOFILE, &none) ||
		    (getuid() == 0 && setuid(65534)))
			_exit(2);
		_exit(put(mem + PAGE, 2 * PAGE, 2) || !holds(mem, PAGE, 1) ||
		      !holds(mem + PAGE, 2 * PAGE, 2));
	}
	ck_assert(ended_well(child));
}
END_TEST

/* -- VM areas -------------------------------------------------------------- */

START_TEST(random_first_touches_end_in_few_vm_areas)
{
	enum { CLUSTERS = 1024, LEN = 4 * 4096 };
	static unsigned order[CLUSTERS];
	size_t n;
	char *mem;

	if (!use(_i))
		return;
	mem = area((size_t)CLUSTERS * LEN);
	for (unsigned i = 0; i < CLUSTERS; i++) {
		unsigned j = (unsigned)rand_r(&seed) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned i = 0; i < CLUSTERS; i++) {
		char *page = mem + (size_t)order[i] * LEN;

		ck_assert_int_eq(put(page, LEN, order[i]), 0);
		reveal(page, LEN);
	}
	n = vm_areas(mem, (size_t)CLUSTERS * LEN);
	printf("%s: %zu VM areas\n", way->name, n);
	ck_assert_uint_le(n, 32);
	for (unsigned i = 0; i < CLUSTERS; i++)
		ck_assert(is_pattern((void *)(mem + (size_t)i * LEN), LEN, i));
}
END_TEST

START_TEST(no_byte_is_lost_at_the_limit_of_vm_areas)
{
	enum { MANY = 40000 };
	char *mem, *fill;
	size_t last = 0;

	if (!use(_i))
		return;
	mem = area(64 * PAGE);
	ck_assert_int_eq(put(mem, 4 * PAGE, 1), 0);
	fill = mmap(NULL, 2 * MANY * PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 1; i < 2 * MANY; i += 2, last = i)
		if (mprotect(fill + i * PAGE, PAGE, PROT_READ))
			break;
	if (last + 2 >= 2 * MANY) {
		printf("skipped: vm.max_map_count is above %d\n", MANY);
		return;
	}
	/* From no room at all to a little, one VM area at a time. */
	for (size_t room = 0; room < 12; room++) {
		unsigned char buf[4 * PAGE];
		int err = way->read(buf, (uintptr_t)mem, 4 * PAGE);

		if (!err)
			ck_assert(is_pattern(buf, 4 * PAGE, 1));
		/* Refused is right, as long as nothing is lost. */
		way->write((uintptr_t)mem + 8 * PAGE, buf, 4 * PAGE);
		if (room)
			munmap(fill + (2 * room - 1) * PAGE, PAGE);
	}
	munmap(fill, 2 * MANY * PAGE);
	ck_assert(holds(mem, 4 * PAGE, 1));
	reveal(mem, 4 * PAGE);
	ck_assert(is_pattern((void *)mem, 4 * PAGE, 1));
}
END_TEST

/* -- choosing -------------------------------------------------------------- */

START_TEST(auto_takes_a_way_that_is_permitted)
{
	ck_assert_int_eq(lm_place_start(NULL), 0);
	ck_assert_ptr_nonnull(lm_place);
	ck_assert_int_eq(lm_place->probe(), 0);
	ck_assert_ptr_ne(lm_place, &lm_place_inplace);
	ck_assert_int_eq(lm_place_start("auto"), 0);
	ck_assert_int_eq(lm_place_start("mremap"), 0);
	ck_assert_ptr_eq(lm_place, &lm_place_mremap);
	if (lm_place_inplace.probe())
		return; /* ThreadSanitizer has a thread of its own */
	ck_assert_int_eq(lm_place_start("inplace"), 0);
	ck_assert_ptr_eq(lm_place, &lm_place_inplace);
}
END_TEST

/* As container profiles do. */
START_TEST(uffd_uses_the_device_where_the_call_is_forbidden)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };
	char *mem;

	if (access("/dev/userfaultfd", R_OK | W_OK)) {
		printf("skipped: no access to /dev/userfaultfd\n");
		return;
	}
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
		printf("skipped: seccomp is not permitted\n");
		return;
	}
	ck_assert_int_eq(syscall(SYS_userfaultfd, 0), -1);
	way = &lm_place_uffd;
	ck_assert_int_eq(way->probe(), 0);
	mem = area(4 * PAGE);
	ck_assert_int_eq(put(mem, 2 * PAGE, 1), 0);
	ck_assert(holds(mem, 2 * PAGE, 1));
}
END_TEST

START_TEST(unknown_name_is_einval_and_changes_nothing)
{
	ck_assert_int_eq(lm_place_start("magic"), -EINVAL);
	ck_assert_ptr_null(lm_place);
}
END_TEST

/* Want of descriptors passes, and what is chosen stays. */
START_TEST(refused_way_is_enosys_and_auto_waits_for_descriptors)
{
	struct rlimit none = { 0, 0 }, some;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &some), 0);
	none.rlim_max = some.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(lm_place_mem.probe(), -EMFILE);
	ck_assert_int_lt(lm_place_uffd.probe(), 0);
	ck_assert_int_eq(lm_place_start("mem"), -ENOSYS);
	ck_assert_ptr_null(lm_place);
	ck_assert_int_eq(lm_place_start("auto"), -EMFILE);
	ck_assert_ptr_null(lm_place);
	ck_assert_int_eq(lm_place_start("mremap"), 0);
	ck_assert_ptr_eq(lm_place, &lm_place_mremap);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &some), 0);
	ck_assert_int_eq(lm_place_start("auto"), 0);
	ck_assert_ptr_ne(lm_place, &lm_place_mremap);
}
END_TEST

int main(void)
{
	const char *env = getenv("LAZYMAP_SEED");
	Suite *suite = suite_create("place");
	TCase *each = tcase_create("each way"), *one = tcase_create("choice");
	SRunner *runner;
	int failures;

	seed = env ? (unsigned)strtoul(env, NULL, 0) : (unsigned)getpid();
	printf("LAZYMAP_SEED=%u\n", seed);
	tcase_set_timeout(each, 120);
#define EACH(test) tcase_add_loop_test(each, test, 0, WAYS)
	EACH(write_then_reveal_shows_exact_bytes);
	EACH(read_returns_the_bytes_and_leaves_the_page_hidden);
	EACH(write_replaces_what_the_page_held);
	EACH(page_revealed_without_placing_reads_as_zeros);
	EACH(range_of_several_vm_areas_is_written_and_read);
	EACH(no_thread_sees_a_page_partly_placed_or_while_it_is_read);
	EACH(many_threads_place_different_pages_at_once);
	EACH(forked_child_places_into_its_own_memory_only);
	EACH(child_of_a_raw_clone_places_into_its_own_memory_only);
	EACH(generations_of_children_do_not_pile_up_descriptors);
	EACH(vfork_child_without_descriptors_leaves_the_parent_its_own);
	EACH(program_gets_the_descriptor_numbers_it_would_get);
	EACH(descriptor_is_beyond_the_limit_where_there_is_room);
	EACH(program_that_closes_every_descriptor_goes_on);
	EACH(program_file_on_our_number_is_not_written);
	EACH(placing_survives_a_thread_that_keeps_closing_descriptors);
	EACH(placing_goes_on_when_the_descriptor_cannot_be_had_again);
	EACH(random_first_touches_end_in_few_vm_areas);
	EACH(no_byte_is_lost_at_the_limit_of_vm_areas);
#undef EACH
	tcase_add_test(one, inplace_refuses_while_there_is_a_second_thread);
	tcase_add_test(one, auto_takes_a_way_that_is_permitted);
	tcase_add_test(one, uffd_uses_the_device_where_the_call_is_forbidden);
	tcase_add_test(one, unknown_name_is_einval_and_changes_nothing);
	tcase_add_test(one,
		       refused_way_is_enosys_and_auto_waits_for_descriptors);
	suite_add_tcase(suite, each);
	suite_add_tcase(suite, one);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
