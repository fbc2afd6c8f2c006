/*
 * test_permit_once.c -- what the kernel permits is asked when the first area needs it,
 * and by who may: not by a vfork child, and not behind a filter.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "enclose.h"
#include "guard.h"
#include "known.h"
#include "lazymap.h"
#include "permit.h"
#include "place/place.h"
#include "program.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES ((size_t)64)
#define LEN (PAGES * PAGE)

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static char *map_store(void)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_known,
	};

	return lazymap_map_store(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				 &ops, NULL, 0);
}

static char *map_zeros(void)
{
	return lazymap_map(NULL, LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool store_is_right(void)
{
	char *at = map_store();
	size_t wrong = at == LAZYMAP_FAILED;

	for (size_t page = 0; !wrong && page < PAGES; page++)
		wrong += known_wrong(at + page * PAGE, page);
	return !wrong;
}

static bool is_lazy(const char *at)
{
	return lm_area_find((uintptr_t)at) != NULL;
}

static void start(void)
{
	ck_assert_int_eq(lazymap_start(NULL), 0);
	ck_assert_ptr_null(lm_place);
}

START_TEST(each_is_asked_by_the_first_area_that_needs_it)
{
	bool anonymous, swap;
	int fd;

	start();
	ck_assert(!lm_guard_anonymous());
	ck_assert_ptr_ne(map_zeros(), LAZYMAP_FAILED);
	ck_assert_ptr_nonnull(lm_place);
	anonymous = lm_guard_anonymous();
	ck_assert(!lm_guard_files() && !lm_guard_swap());
	fd = known_file("file", PAGES);
	ck_assert_ptr_ne(lazymap_map(NULL, LEN, PROT_READ, MAP_PRIVATE, fd, 0),
			 LAZYMAP_FAILED);
	ck_assert(anonymous || !lm_guard_files());
	ck_assert(!lm_guard_swap());
	/* Where there is a limit, what is placed over markers is, too. */
	ck_assert_int_eq(lazymap_limit((size_t)64 << 20), 0);
	swap = lm_guard_swap();
	ck_assert_int_eq(lm_permit_ask(LM_PERMIT_ALL), 0);
	ck_assert_int_eq(lm_guard_anonymous(), anonymous);
	ck_assert_int_eq(lm_guard_swap(), swap);
	if (!anonymous || !lm_guard_files() || !swap)
		puts("skipped: this kernel has no guard regions, or not all");
}
END_TEST

static pthread_barrier_t barrier;

static void *map_first(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&barrier);
	return (void *)store_is_right();
}

START_TEST(threads_that_come_at_once_find_the_same)
{
	pthread_t thread[4];
	void *right;

	start();
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, map_first, NULL), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &right), 0);
		ck_assert_ptr_nonnull(right);
	}
	ck_assert_ptr_nonnull(lm_place);
}
END_TEST

static int ask_here(void)
{
	if (lm_place || !store_is_right() || !lm_place)
		return 1;
	return lm_place == lm_place_way(0) ? 2 : 3;
}

START_TEST(forked_children_ask_for_themselves)
{
	int forked, cloned = 0;

	start();
	forked = caught_child(ask_here) >> 8;
	if (!program_sanitized(""))
		cloned = caught_clone(ask_here) >> 8;
	ck_assert_int_gt(forked, 1);
	ck_assert(!cloned || cloned == forked);
	ck_assert_ptr_null(lm_place);
	ck_assert_int_eq(ask_here(), forked);
}
END_TEST

/* What it would find is what its own table of descriptors permits. */
START_TEST(a_vfork_child_has_the_kernels_mapping)
{
	char *volatile zeros = NULL, *volatile store = NULL;
	volatile int error = 0;
	pid_t pid;
	int status;

	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer makes a fork of vfork");
		return;
	}
	start();
	pid = vfork();
	if (pid == 0) {
		zeros = map_zeros();
		store = map_store();
		error = errno;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_ne(zeros, LAZYMAP_FAILED);
	ck_assert(!is_lazy(zeros));
	zeros[5] = 1;
	ck_assert_ptr_eq(store, LAZYMAP_FAILED);
	ck_assert_int_eq(error, ESTALE);
	ck_assert_ptr_null(lm_place);
	ck_assert(store_is_right());
	ck_assert(is_lazy(map_zeros()));
}
END_TEST

#define KILL(nr)                                                               \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),                         \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static int confined(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILL(SYS_userfaultfd),
		KILL(SYS_memfd_create),
		KILL(SYS_openat),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]),
				      filter };
	bool right;

	lm_enclose();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 77;
	right = store_is_right() && is_lazy(map_zeros());
	return right ? 0 : 1;
}

START_TEST(nothing_is_asked_behind_a_filter)
{
	if (program_sanitized(""))
		return;
	start();
	ck_assert_int_eq(caught_child(confined), 0);
	ck_assert_ptr_null(lm_place);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("permit");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, each_is_asked_by_the_first_area_that_needs_it);
	tcase_add_test(tests, threads_that_come_at_once_find_the_same);
	tcase_add_test(tests, forked_children_ask_for_themselves);
	tcase_add_test(tests, a_vfork_child_has_the_kernels_mapping);
	tcase_add_test(tests, nothing_is_asked_behind_a_filter);
	suite_add_tcase(suite, tests);
	return program_run(suite);
}
