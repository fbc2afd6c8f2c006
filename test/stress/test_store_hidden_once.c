/*
 * test_store_hidden_once.c -- stores of one's own without guard regions, as before
 * Linux 6.13: their bytes come into hidden pages by the kernel's copy, where that is
 * permitted. With threads held at each step, children, unmapping, failures, evictions,
 * filters, and nothing to place with.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "enclose.h"
#include "guard.h"
#include "guarded.h"
#include "held.h"
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "place/ladder.h"
#include "place/place.h"
#include "program.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES ((size_t)2048)
#define LEN (PAGES * PAGE)
#define LIMIT ((size_t)2 << 20)

static char *area;
static atomic_int reads, fail_at; /* the read that fails, counted from 1; 0 */
static _Atomic uint64_t
	edition; /* what all words of the store are changed by */

PROGRAM_UNWATCHED static int read_known(void *data, void *buf, size_t len,
					off_t offset)
{
	uint64_t *word = buf, change = atomic_load(&edition);

	(void)data;
	if (atomic_fetch_add(&reads, 1) + 1 == atomic_load(&fail_at))
		return -EIO;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	for (size_t i = 0; change && i < len / sizeof(*word); i++)
		word[i] ^= change;
	return 0;
}

static char *page_at(size_t page)
{
	return area + page * PAGE;
}

static uint64_t *word_at(size_t page, size_t i)
{
	return (uint64_t *)page_at(page) + i;
}

static size_t wrong_all(void)
{
	size_t wrong = 0;

	for (size_t page = 0; page < PAGES; page++)
		wrong += known_wrong(page_at(page), page);
	return wrong;
}

static char *map(int prot)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};

	return lazymap_map_store(NULL, LEN, prot, MAP_PRIVATE, &ops, NULL, 0);
}

/* The kernel's copy is told to be the faster one: what is measured is another test's
 * affair. */
static uint64_t tell(enum lm_ladder_way way)
{
	return way == LM_LADDER_COPY ? 1000 : 2000;
}

static void start(size_t cluster)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = cluster,
					   .guard = -1 };

	caught_install();
	atomic_store(&lm_ladder_hook, tell);
	ck_assert_int_eq(lazymap_start(&options), 0);
}

static void begin(int prot, size_t cluster, size_t limit)
{
	start(cluster);
	if (limit)
		ck_assert_int_eq(lazymap_limit(limit), 0);
	area = map(prot);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	ck_assert(!lm_guard_stores());
}

/* Is the area registered with a userfaultfd? So the kernel says. */
static bool registered(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];
	uintptr_t start = 0, end = 0, from, to;
	bool found = false;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			start = from;
			end = to;
		}
		if (!strncmp(line, "VmFlags:", 8) && strstr(line, " uw") &&
		    start < (uintptr_t)area + LEN && end > (uintptr_t)area)
			found = true;
	}
	fclose(file);
	return found;
}

static bool copies(void)
{
	if (!lm_place_copies())
		puts("skipped: no UFFDIO_COPY into hidden pages here");
	return lm_place_copies();
}

/* -- What is used ------------------------------------------------------------------ */

START_TEST(bytes_come_by_the_copy_into_hidden_pages)
{
	begin(_i ? PROT_READ | PROT_WRITE : PROT_READ, 0, 0);
	ck_assert(!registered());
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_int_eq(registered(), copies());
	for (size_t page = 0; page < PAGES; page++)
		ck_assert(!guarded_hidden(page_at(page)));
}
END_TEST

START_TEST(who_asks_for_another_way_gets_that)
{
	static const char *const ways[] = { "mem", "mremap" };

	setenv("LAZYMAP_PLACE", ways[_i], 1);
	begin(PROT_READ, 0, 0);
	ck_assert(!lm_place_copies());
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert(!registered());
}
END_TEST

/* -- Met at each step -------------------------------------------------------------- */

static const enum lm_step steps[] = {
	LM_STEP_CLAIM,  LM_STEP_CLAIMED,  LM_STEP_READ,
	LM_STEP_FILLED, LM_STEP_REVEALED, LM_STEP_SETTLED,
};
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))
#define HELD ((size_t)700)

static void *touch(void *unused)
{
	(void)unused;
	return (void *)known_wrong(page_at(HELD), HELD);
}

/* Some is in place; a thread stands at the step in a page of the rest. */
static pthread_t hold(enum lm_step step, enum lm_step releases)
{
	pthread_t thread;

	begin(PROT_READ | PROT_WRITE, 16 * PAGE, 0);
	for (size_t page = 0; page < PAGES; page += 32)
		*word_at(page, 3) += 1;
	held_at(step, NULL, releases);
	ck_assert_int_eq(pthread_create(&thread, NULL, touch, NULL), 0);
	held_wait();
	return thread;
}

static void let_go(pthread_t thread)
{
	void *wrong;

	held_release();
	ck_assert_int_eq(pthread_join(thread, &wrong), 0);
	ck_assert_ptr_null(wrong);
	atomic_store(&lm_step_hook, NULL);
}

/* All as it was, and what it writes is its own. */
static int child(void)
{
	size_t n = 0;

	atomic_store(&lm_step_hook, NULL);
	for (size_t page = 0; page < PAGES; page++) {
		n += *word_at(page, 3) != known_word(page, 3) + !(page % 32);
		*word_at(page, 3) = known_word(page, 3);
	}
	return n || wrong_all();
}

static void check_and_put_back(void)
{
	for (size_t page = 0; page < PAGES; page += 32) {
		ck_assert_uint_eq(*word_at(page, 3), known_word(page, 3) + 1);
		*word_at(page, 3) -= 1;
	}
	ck_assert_uint_eq(wrong_all(), 0);
}

START_TEST(child_has_its_own_bytes_at_each_step)
{
	pthread_t thread = hold(steps[_i], LM_STEP_FORK);

	ck_assert_int_eq(caught_child(child), 0);
	let_go(thread);
	check_and_put_back();
}
END_TEST

/* Nothing was prepared for it, and the thread is not in it. */
START_TEST(child_of_a_clone_has_its_own_bytes_at_each_step)
{
	pthread_t thread;

	if (program_sanitized(""))
		return;
	thread = hold(steps[_i], LM_STEP_MAX);
	ck_assert_int_eq(caught_clone(child), 0);
	let_go(thread);
	check_and_put_back();
}
END_TEST

/* Nothing of it is seen in what comes to its place. */
START_TEST(unmapping_waits_for_the_copy_at_each_step)
{
	pthread_t thread = hold(steps[_i], LM_STEP_CHANGE);
	char *at = page_at(HELD - HELD % 16 + 16);

	/* Not the page that is being touched. */
	ck_assert_int_eq(lazymap_unmap(at, 64 * PAGE), 0);
	ck_assert_ptr_eq(mmap(at, 64 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 at);
	let_go(thread);
	for (size_t page = 0; page < 64; page++)
		ck_assert_uint_eq(known_not_zero(at + page * PAGE), 0);
	ck_assert_uint_eq(known_wrong(page_at(HELD), HELD), 0);
	for (size_t page = 1000; page < PAGES; page += 7)
		ck_assert_uint_eq(*word_at(page, 5), known_word(page, 5));
}
END_TEST

/* Its last page goes while the first ones come. */
START_TEST(half_of_a_cluster_can_be_unmapped_at_each_step)
{
	pthread_t thread = hold(steps[_i], LM_STEP_CHANGE);
	char *at = page_at((HELD | 15) - 1);

	ck_assert_int_eq(lazymap_unmap(at, 2 * PAGE), 0);
	let_go(thread);
	for (size_t page = HELD - HELD % 16; page < (HELD | 15) - 1; page++)
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
}
END_TEST

/* -- Many threads, and evictions ----------------------------------------------------- */

#define THREADS 4

static void *walk(void *argument)
{
	size_t thread = (size_t)argument, n = 0;
	uint64_t random = program_seed() + thread + 1;

	for (size_t left = program_scaled(PAGES); left; left--) {
		size_t page = program_random(&random) % PAGES;

		n += *word_at(page, 7) != known_word(page, 7);
		n += *word_at(page, 511) != known_word(page, 511);
		/* A word for each thread. */
		if (page % 2)
			*word_at(page, 100 + thread) += 1;
	}
	return (void *)n;
}

/* But for what they count with. */
static int child_of_threads(void)
{
	size_t n = 0;

	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = 0; i < 512; i++)
			n += *word_at(page, i) != known_word(page, i) &&
			     (page % 2 == 0 || i < 100 || i >= 100 + THREADS);
	return n != 0;
}

START_TEST(threads_find_all_and_lose_nothing)
{
	size_t times = 0, found = 0;
	pthread_t thread[THREADS];
	void *n;

	begin(PROT_READ | PROT_WRITE, _i & 1 ? 0 : 4 * PAGE,
	      _i & 2 ? LIMIT : 0);
	for (size_t i = 0; i < THREADS; i++) {
		uint64_t random = program_seed() + i + 1;

		for (size_t left = program_scaled(PAGES); left; left--)
			times += program_random(&random) % PAGES % 2;
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, walk, (void *)i), 0);
	}
	ck_assert_int_eq(caught_child(child_of_threads), 0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &n), 0);
		ck_assert_ptr_null(n);
	}
	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = 100; i < 100 + THREADS; i++) {
			found += *word_at(page, i) - known_word(page, i);
			*word_at(page, i) = known_word(page, i);
		}
	ck_assert_uint_eq(found, times);
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

/* -- Failures ------------------------------------------------------------------------ */

/* A block is read in pieces: those that came before the one that failed are in place,
 * hidden, and are not what the store has when it is read again. */
START_TEST(what_came_before_a_failed_read_is_not_seen_later)
{
	const size_t cluster = 256 * 1024 / PAGE;
	uint64_t word;

	begin(PROT_READ | PROT_WRITE, cluster * PAGE, 0);
	atomic_store(&edition, ~UINT64_C(0));
	atomic_store(&fail_at, _i);
	ck_assert_int_eq(caught_read(page_at(5), &word), SIGBUS);
	atomic_store(&edition, 0);
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_int_eq(registered(), copies());
}
END_TEST

/* The program closes it, and so the registration is gone; or puts a file there. */
START_TEST(a_descriptor_that_is_lost_is_had_again)
{
	int file = known_file("mine", 4);

	begin(PROT_READ, 16 * PAGE, 0);
	for (size_t page = 0; page < PAGES; page += 64) {
		ck_assert_uint_eq(known_wrong(page_at(page), page), 0);
		for (int fd = file + 1; fd < 4096; fd++)
			if (_i)
				dup2(file, fd);
			else
				close(fd);
	}
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_int_eq(registered(), copies());
	for (size_t page = 0; page < 4; page++) {
		char bytes[PAGE];

		ck_assert_int_eq(pread(file, bytes, PAGE, (off_t)(page * PAGE)),
				 PAGE);
		ck_assert_uint_eq(known_wrong(bytes, page), 0);
	}
}
END_TEST

static int child_that_copies(void)
{
	area = map(PROT_READ);
	return lm_place_copies();
}

/* None is left when it is asked for the first time: that says nothing for good. */
START_TEST(without_descriptors_it_is_asked_again)
{
	struct rlimit before, none = { 3, 3 };
	int error;
	bool can;

	if (program_sanitized(""))
		return;
	start(16 * PAGE);
	can = caught_child(child_that_copies) != 0;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
	/* At 3 and above there is none to be had. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	area = map(PROT_READ);
	error = errno; /* Check's own is closed, too */
	ck_assert_ptr_eq(area, LAZYMAP_FAILED);
	ck_assert_int_eq(error, EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	area = map(PROT_READ);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_int_eq(registered(), can);
}
END_TEST

/* It shares the memory, and has a table of its own: what it opens is not ours. */
START_TEST(a_vfork_child_that_is_first_does_not_take_it)
{
	volatile size_t wrong = 1;
	pid_t pid;
	int status;

	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer makes a fork of vfork");
		return;
	}
	begin(PROT_READ, 16 * PAGE, 0);
	pid = vfork();
	if (pid == 0) {
		wrong = known_wrong(page_at(100), 100);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(wrong_all(), 0);
	ck_assert_int_eq(registered(), copies());
}
END_TEST

/* -- A filter that comes later ------------------------------------------------------- */

#define ANSWER(nr, answer)                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),                         \
		BPF_STMT(BPF_RET | BPF_K, answer)
#define KILL(nr) ANSWER(nr, SECCOMP_RET_KILL_PROCESS)

/* What trying needs, and placing does not. VM areas are counted by reading a file. */
static void forbid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILL(SYS_userfaultfd),
		KILL(SYS_memfd_create),
		KILL(SYS_munmap),
		KILL(SYS_fcntl),
		KILL(SYS_prlimit64),
		ANSWER(SYS_openat, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]),
				      filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static int confined(void)
{
	lm_enclose();
	forbid();
	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = 0; i < 512; i += 73)
			if (*word_at(page, i) != known_word(page, i))
				return 1;
	return 0;
}

START_TEST(nothing_is_tried_behind_a_filter)
{
	if (program_sanitized(""))
		return;
	begin(PROT_READ, 16 * PAGE, 0);
	ck_assert_int_eq(caught_child(confined), 0);
	ck_assert_uint_eq(wrong_all(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_hidden");
	TCase *tcase = tcase_create("store_hidden");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, bytes_come_by_the_copy_into_hidden_pages, 0,
			    2);
	tcase_add_loop_test(tcase, who_asks_for_another_way_gets_that, 0, 2);
	tcase_add_loop_test(tcase, child_has_its_own_bytes_at_each_step, 0,
			    STEPS);
	tcase_add_loop_test(tcase,
			    child_of_a_clone_has_its_own_bytes_at_each_step, 0,
			    STEPS);
	tcase_add_loop_test(tcase, unmapping_waits_for_the_copy_at_each_step, 0,
			    STEPS);
	tcase_add_loop_test(tcase,
			    half_of_a_cluster_can_be_unmapped_at_each_step, 0,
			    STEPS);
	tcase_add_loop_test(tcase, threads_find_all_and_lose_nothing, 0, 4);
	tcase_add_loop_test(
		tcase, what_came_before_a_failed_read_is_not_seen_later, 1, 5);
	tcase_add_loop_test(tcase, a_descriptor_that_is_lost_is_had_again, 0,
			    2);
	tcase_add_test(tcase, without_descriptors_it_is_asked_again);
	tcase_add_test(tcase, a_vfork_child_that_is_first_does_not_take_it);
	tcase_add_test(tcase, nothing_is_tried_behind_a_filter);
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
