/*
 * test_children_once.c -- what a forked child pays for lazymap that does nothing with
 * it, as most children of a shell: counted in page faults, for those are what it
 * pays.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "known.h"
#include "lazymap.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* 10 and 13 were seen; 71 when each slot was cleared, and all of the page table's
 * counts and the entries of one of its leaves were looked at. */
#define FAULTS_MOST 24

static long faults_of_a_child(void)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (!child)
		_exit(0);
	ck_assert_int_eq(wait4(child, &status, 0, &usage), child);
	ck_assert_int_eq(status, 0);
	return usage.ru_minflt;
}

/* The fewest: the kernel may have had to do with the others for its own reasons. */
static long faults_at_least(void)
{
	long least = faults_of_a_child();

	for (int i = 0; i < 10; i++) {
		long faults = faults_of_a_child();

		least = faults < least ? faults : least;
	}
	return least;
}

static void touch(char *memory, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE)
		memory[at] = 1;
}

/* Loop: without a limit, and with one. */
START_TEST(child_that_does_nothing_takes_few_faults)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .resident = _i ? 256 * PAGE : 0 };
	size_t len = (size_t)1024 * PAGE;
	long before = faults_at_least(), after;
	char *memory;

	if (program_sanitized("")) {
		puts("skipped: a sanitizer has memory of its own behind ours");
		return;
	}
	ck_assert_int_eq(lazymap_start(&options), 0);
	memory = lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(memory, LAZYMAP_FAILED);
	touch(memory, len);
	after = faults_at_least();
	printf("a child takes %ld faults, and %ld without lazymap\n", after,
	       before);
	ck_assert_int_le(after - before, FAULTS_MOST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("children");
	TCase *tcase = tcase_create("children");

	tcase_add_loop_test(tcase, child_that_does_nothing_takes_few_faults, 0,
			    2);
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
