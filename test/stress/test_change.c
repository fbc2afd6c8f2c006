/*
 * test_change.c -- threads that fault, and beside them others that map, unmap,
 * protect, drop and fork.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "known.h"
#include "lazymap.h"
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 512
#define AREAS 3

static char *area[AREAS]; /* read by all: a file, and stores of both kinds */
static int file;
static atomic_ulong wrong, failed, laps;
static atomic_int stop;

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static char *map_store(unsigned flags, size_t pages, size_t first)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = flags,
		.read = read_known,
	};

	return lazymap_map_store(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, &ops, NULL,
				 (off_t)(first * PAGE));
}

static void begin(bool workers)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = 4 * PAGE };

	ck_assert_int_eq(lazymap_start(&options), 0);
	file = known_file("known", PAGES);
	area[0] = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE, file, 0);
	area[1] = map_store(LAZYMAP_STORE_IN_HANDLER, PAGES, 0);
	area[2] = map_store(workers ? 0 : LAZYMAP_STORE_IN_HANDLER, PAGES, 0);
	for (int i = 0; i < AREAS; i++)
		ck_assert_ptr_ne(area[i], LAZYMAP_FAILED);
}

static void *looks(void *salt)
{
	uint64_t random = program_seed() * 31 + (uint64_t)(uintptr_t)salt;

	while (!atomic_load(&stop)) {
		size_t page = program_random(&random) % PAGES;
		char *at = area[program_random(&random) % AREAS] + page * PAGE;

		atomic_fetch_add(&wrong, known_wrong(at, page));
	}
	return NULL;
}

/* What was touched is not there again until it is touched. */
static void *drops(void *salt)
{
	uint64_t random = program_seed() * 37 + (uint64_t)(uintptr_t)salt;

	while (!atomic_load(&stop)) {
		size_t page = program_random(&random) % PAGES;
		size_t n = program_random(&random) % 64 + 1;
		char *at = area[program_random(&random) % AREAS] + page * PAGE;

		n = n < PAGES - page ? n : PAGES - page;
		if (lazymap_advise(at, n * PAGE, MADV_DONTNEED))
			atomic_fetch_add(&failed, 1);
	}
	return NULL;
}

static void *protects(void *salt)
{
	uint64_t random = program_seed() * 41 + (uint64_t)(uintptr_t)salt;

	while (!atomic_load(&stop)) {
		size_t page = program_random(&random) % PAGES;
		size_t n = program_random(&random) % 64 + 1;
		char *at = area[program_random(&random) % AREAS] + page * PAGE;
		int prot = program_random(&random) & 1 ? PROT_READ
						       : PROT_READ | PROT_WRITE;

		n = n < PAGES - page ? n : PAGES - page;
		if (lazymap_protect(at, n * PAGE, prot))
			atomic_fetch_add(&failed, 1);
	}
	return NULL;
}

/* Maps of its own, at addresses that others have just given back. */
static void *maps(void *salt)
{
	uint64_t random = program_seed() * 43 + (uint64_t)(uintptr_t)salt;

	while (!atomic_load(&stop)) {
		size_t first = program_random(&random) % 256;
		size_t pages = program_random(&random) % 32 + 1, page;
		bool own = program_random(&random) & 1;
		char *at =
			own ? map_store(LAZYMAP_STORE_IN_HANDLER, pages, first)
			    : lazymap_map(NULL, pages * PAGE, PROT_READ,
					  MAP_SHARED, file,
					  (off_t)(first * PAGE));

		if (at == LAZYMAP_FAILED) {
			atomic_fetch_add(&failed, 1);
			continue;
		}
		for (int i = 0; i < 4; i++) {
			page = program_random(&random) % pages;
			atomic_fetch_add(&wrong, known_wrong(at + page * PAGE,
							     first + page));
		}
		if (lazymap_unmap(at, pages * PAGE))
			atomic_fetch_add(&failed, 1);
	}
	return NULL;
}

static void run(void *(*const bodies[])(void *), size_t count,
		void (*meanwhile)(void), unsigned times)
{
	pthread_t thread[16];

	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, bodies[i],
						(void *)(i + 1)),
				 0);
	while (times--)
		meanwhile();
	atomic_store(&stop, 1);
	for (size_t i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
	ck_assert_uint_eq(atomic_load(&failed), 0);
	for (size_t page = 0; page < PAGES; page++)
		for (int i = 0; i < AREAS; i++)
			ck_assert_uint_eq(
				known_wrong(area[i] + page * PAGE, page), 0);
}

static void moment(void)
{
	usleep(10000);
}

START_TEST(faults_are_right_beside_maps_unmaps_protects_and_drops)
{
	static void *(*const bodies[])(void *) = { looks, looks, looks,
						   looks, drops, protects,
						   maps,  maps };

	begin(true);
	run(bodies, 8, moment, 300);
}
END_TEST

/* -- fork ----------------------------------------------------------------------- */

static _Noreturn void child(void)
{
	uint64_t random = program_seed() * 47 + atomic_load(&laps);
	size_t n = 0;

	for (int i = 0; i < 60; i++) {
		size_t page = program_random(&random) % PAGES;
		char *at = area[program_random(&random) % AREAS] + page * PAGE;

		n += known_wrong(at, page);
	}
	n += lazymap_unmap(area[0], PAGES * PAGE) != 0;
	syscall(SYS_exit_group, n != 0);
	_exit(9);
}

static void fork_once(void)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	atomic_fetch_add(&laps, 1);
	if (!pid)
		child();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "child %lu ended with %x", atomic_load(&laps),
		      (unsigned)status);
}

START_TEST(forked_children_of_faulting_threads_see_every_byte)
{
	static void *(*const bodies[])(void *) = { looks, looks, looks, drops,
						   maps };

	/* A child's worker is a thread: ThreadSanitizer lets it start none, and
	 * AddressSanitizer may have its allocator's lock held for ever. */
	begin(!program_sanitized(""));
	run(bodies, 5, fork_once, program_scaled(250));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("change");
	TCase *changes = tcase_create("change");

	tcase_set_timeout(changes, 120);
	tcase_add_test(changes,
		       faults_are_right_beside_maps_unmaps_protects_and_drops);
	tcase_add_test(changes,
		       forked_children_of_faulting_threads_see_every_byte);
	suite_add_tcase(suite, changes);
	return program_run(suite);
}
