/*
 * test_widen_once.c -- the kernel's VM areas stay few, however isolated the
 * pages are that a program touches.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guard.h"
#include "os.h"
#include "others.h"
#include "program.h"
#include "step.h"

#include <check.h>
#include <fcntl.h>
#include <lazymap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

/* Twice as many VM areas as touches, and more than there may be. */
static size_t touches(size_t others)
{
	return program_sanitized("") ? 40000 : others ? 60000 : 200000;
}

static size_t vm_areas(void)
{
	static char buffer[65536];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t count = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			count += buffer[i] == '\n';
	close(fd);
	return count;
}

static size_t vm_areas_max(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	size_t max = 0;

	ck_assert_int_eq(fscanf(file, "%zu", &max), 1);
	fclose(file);
	return max;
}

static unsigned char *map_single_pages(size_t len)
{
	struct lazymap_area_options options = { .size = sizeof(options),
						.cluster = PAGE };
	unsigned char *at =
		lazymap_map_with(NULL, len, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &options);

	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static void touch_isolated(size_t stride, size_t others, bool read_first)
{
	/* Check writes to a pipe at each assertion: so few as can be. */
	size_t n = touches(others), max = vm_areas_max(), wrong = 0;
	unsigned char *at = map_single_pages(n * stride);
	struct lazymap_stats stats;

	others_map(others);
	for (size_t i = 0; i < n; i++) {
		if (read_first)
			wrong += at[i * stride] != 0;
		at[i * stride] = (unsigned char)(i % 255 + 1);
		if (i % 5000 == 0) {
			void *own = mmap(NULL, PAGE, PROT_READ,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			ck_assert_ptr_ne(own, MAP_FAILED);
			munmap(own, PAGE);
		}
	}
	ck_assert_uint_lt(vm_areas(), others + (max - others) * 3 / 4);
	for (size_t i = 0; i < n; i++) {
		wrong += at[i * stride] != i % 255 + 1;
		/* One that nobody touched, shown or not, is zeros. */
		wrong += i % 1000 == 0 && at[i * stride + PAGE];
	}
	ck_assert_uint_eq(wrong, 0);
	lazymap_stats(&stats, sizeof(stats));
	printf("stride %zu: %zu VM areas of %zu, %llu pages shown untouched\n",
	       stride, vm_areas(), max,
	       (unsigned long long)stats.pages_widened);
	ck_assert_int_eq(lazymap_unmap(at, n * stride), 0);
	lazymap_stats(&stats, sizeof(stats));
	ck_assert_uint_eq(stats.resident, 0);
}

START_TEST(isolated_pages_at_8_kib)
{
	touch_isolated(8192, 0, false);
}
END_TEST

START_TEST(isolated_pages_at_64_kib)
{
	touch_isolated(65536, 0, false);
}
END_TEST

START_TEST(isolated_pages_that_are_read_before_they_are_written)
{
	touch_isolated(8192, 0, true);
}
END_TEST

START_TEST(isolated_pages_beside_many_mappings_of_others)
{
	touch_isolated(8192, vm_areas_max() / 4, false);
}
END_TEST

START_TEST(isolated_pages_beside_mappings_of_others_that_leave_little)
{
	touch_isolated(8192, vm_areas_max() - 2000, false);
}
END_TEST

/* Of a limit that lets more VM areas be than there may be, and of one that
 * does not; others that are past any part of ours must not keep evicting what
 * has just come. */
START_TEST(isolated_pages_under_a_resident_limit)
{
	size_t max = vm_areas_max();
	const size_t others[] = { 0, max / 3, max - 2000 };

	/* The program's own mmap is not refused here, but ThreadSanitizer's
	 * was, beside so many VM areas: it ends the program then. */
	if (_i == 5 && program_sanitized("")) {
		printf("skipped: a sanitizer's runtime needs VM areas, too\n");
		return;
	}
	ck_assert_int_eq(
		lazymap_limit((size_t)(_i % 2 ? 64 : 1024) * 1024 * 1024), 0);
	touch_isolated(8192, others[_i / 2], false);
}
END_TEST

#define WRITERS 4
#define WRITTEN 8192 /* pages, eight times the limit */

static struct writer {
	unsigned char *at;
	uint64_t seed;
	uint32_t value[WRITTEN / WRITERS];
	unsigned lost;
} writers[WRITERS];

/* Each its own pages, many times a visit, so that some are written while they
 * are on their way out. */
static void *write_at_random(void *data)
{
	struct writer *me = data;
	size_t own = (size_t)(me - writers);

	for (unsigned i = 0; i < program_scaled(40000); i++) {
		size_t n;
		volatile uint32_t *word;

		me->seed =
			me->seed * 6364136223846793005u + 1442695040888963407u;
		n = (me->seed >> 33) % (WRITTEN / WRITERS);
		word = (uint32_t *)(me->at + (n * WRITERS + own) * PAGE);
		for (uint32_t k = 0; k < 20; k++) {
			me->lost += *word != me->value[n];
			*word = me->value[n] = (uint32_t)(me->seed >> 20) + k;
		}
	}
	return NULL;
}

/* So few VM areas are left that pages cannot be hidden: what is on its way out
 * and in sight all the same must not be taken for hidden. */
START_TEST(no_write_is_lost_where_pages_cannot_be_hidden)
{
	const size_t left[] = { 2000, 250, 80 };
	pthread_t thread[WRITERS];

	ck_assert_int_eq(lazymap_limit((size_t)WRITTEN / 8 * PAGE), 0);
	if (left[_i] < 2000 && (program_sanitized("") || !lm_guard_swap())) {
		printf("skipped: a sanitizer maps, too; or no userfaultfd\n");
		return;
	}
	writers[0].at = map_single_pages(WRITTEN * PAGE);
	writers[0].at[0] = 0;
	others_map(vm_areas_max() - vm_areas() - left[_i]);
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i].at = writers[0].at;
		writers[i].seed = i + 1;
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
						write_at_random, &writers[i]),
				 0);
	}
	for (size_t i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	for (size_t i = 0; i < WRITERS; i++)
		ck_assert_uint_eq(writers[i].lost, 0);
}
END_TEST

/* An area with a limit of its own, and room for all in it, shows no page that
 * is not counted; others need not be evicted. */
START_TEST(isolated_pages_of_areas_with_and_without_a_limit)
{
	size_t n = touches(0) / 2, stride = 2 * PAGE, shown = 0, wrong = 0;
	unsigned char *limited, *other, vec[1];

	/* With guard regions there is nothing to widen. */
	setenv("LAZYMAP_GUARD", "0", 1);
	limited = map_single_pages(n * stride);
	other = map_single_pages(n * stride);
	ck_assert_int_eq(
		lazymap_limit_area(limited, n * stride, (size_t)1 << 30), 0);
	for (size_t i = 0; i < n; i++) {
		limited[i * stride] = (unsigned char)(i % 255 + 1);
		other[i * stride] = (unsigned char)(i % 253 + 1);
	}
	ck_assert_uint_lt(vm_areas(), vm_areas_max() * 3 / 4);
	for (size_t i = 0; i < n; i++) {
		lazymap_resident(limited + i * stride + PAGE, PAGE, vec);
		wrong += vec[0] != 0;
		lazymap_resident(other + i * stride, PAGE, vec);
		wrong += vec[0] != 1;
		lazymap_resident(other + i * stride + PAGE, PAGE, vec);
		shown += vec[0];
	}
	ck_assert_uint_gt(shown, 0);
	for (size_t i = 0; i < n; i++) {
		wrong += limited[i * stride] != i % 255 + 1;
		wrong += other[i * stride] != i % 253 + 1;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Once shown, always right: protection, and what a fork copies. */
START_TEST(widened_areas_keep_their_protection)
{
	size_t n = 60000, stride = 2 * PAGE, shown = 0;
	unsigned char *at, vec[64];
	struct lazymap_stats stats;

	setenv("LAZYMAP_CLUSTER", "4K", 1);
	setenv("LAZYMAP_GUARD", "0", 1);
	at = lazymap_map(NULL, n * stride, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	for (size_t i = 0; i < n; i++)
		at[i * stride] = 1;
	lazymap_stats(&stats, sizeof(stats));
	ck_assert_uint_gt(stats.pages_widened, 0);
	ck_assert_int_eq(lazymap_protect(at, n * stride, PROT_READ), 0);
	/* /proc/self/maps: no piece of it may be writable. */
	{
		FILE *file = fopen("/proc/self/maps", "r");
		unsigned long from, to;
		char flags[8], line[512];

		while (fgets(line, sizeof(line), file)) {
			ck_assert_int_eq(
				sscanf(line, "%lx-%lx %7s", &from, &to, flags),
				3);
			if (from < (uintptr_t)at + n * stride &&
			    to > (uintptr_t)at) {
				ck_assert_int_eq(flags[1], '-');
				shown += flags[0] == 'r';
			}
		}
		fclose(file);
	}
	ck_assert_uint_gt(shown, 0);
	ck_assert_int_eq(lazymap_advise(at, n * stride, MADV_DONTNEED), 0);
	ck_assert_int_eq(lazymap_resident(at, 64 * PAGE, vec), 0);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(vec[i] & 1, 0);
	for (size_t i = 0; i < n; i += 100)
		ck_assert_uint_eq(at[i * stride], 0);
}
END_TEST

static _Atomic uintptr_t widening; /* a block; 1: let it go on */
static _Atomic(unsigned char *) last;

/* Hold who is going to show a block of which the first page is in place. */
static void hold(enum lm_step step, uintptr_t addr)
{
	struct timespec moment = { .tv_nsec = 100000 };
	uintptr_t none = 0;

	if (step != LM_STEP_WIDEN || addr >= (uintptr_t)atomic_load(&last) ||
	    !atomic_compare_exchange_strong(&widening, &none, addr))
		return;
	while (atomic_load(&widening) == addr)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

static void *touch_until_held(void *data)
{
	for (unsigned char *at = data; !atomic_load(&widening);
	     at += 2 * PAGE) {
		*(volatile unsigned char *)at = 1;
		atomic_store(&last, at);
	}
	return NULL;
}

static void *protect_page(void *page)
{
	ck_assert_int_eq(lazymap_protect(page, PAGE, PROT_NONE), 0);
	return NULL;
}

/* What another thread forbids while a block is being shown stays forbidden. */
START_TEST(page_protected_while_its_block_is_shown_is_protected)
{
	pthread_t toucher, protector;
	unsigned char *at;
	uint64_t word;

	setenv("LAZYMAP_GUARD", "0", 1);
	caught_install();
	at = map_single_pages(64ul << 20);
	others_map(vm_areas_max() - 2000);
	atomic_store(&lm_step_hook, hold);
	ck_assert_int_eq(pthread_create(&toucher, NULL, touch_until_held, at),
			 0);
	while (!atomic_load(&widening))
		usleep(1000);
	at = (unsigned char *)lm_max(atomic_load(&widening), (uintptr_t)at);
	ck_assert_int_eq(pthread_create(&protector, NULL, protect_page, at), 0);
	/* Long enough for it to be done, if it does not wait. */
	usleep(200000);
	atomic_store(&widening, 1);
	ck_assert_int_eq(pthread_join(toucher, NULL), 0);
	ck_assert_int_eq(pthread_join(protector, NULL), 0);
	atomic_store(&lm_step_hook, NULL);
	ck_assert_int_eq(caught_read((char *)at, &word), SIGSEGV);
	ck_assert_int_eq(lazymap_protect(at, PAGE, PROT_READ), 0);
	ck_assert_int_eq(*at, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("widen");
	TCase *tcase = tcase_create("widen"), *meets = tcase_create("meets");
	SRunner *runner;
	int failures;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
	tcase_set_timeout(meets, 60);
	tcase_add_test(tcase, isolated_pages_at_8_kib);
	tcase_add_test(tcase, isolated_pages_at_64_kib);
	tcase_add_test(tcase,
		       isolated_pages_that_are_read_before_they_are_written);
	tcase_add_test(tcase, isolated_pages_beside_many_mappings_of_others);
	tcase_add_test(
		tcase,
		isolated_pages_beside_mappings_of_others_that_leave_little);
	tcase_add_loop_test(tcase, isolated_pages_under_a_resident_limit, 0, 6);
	tcase_add_loop_test(
		tcase, no_write_is_lost_where_pages_cannot_be_hidden, 0, 3);
	tcase_add_test(tcase, isolated_pages_of_areas_with_and_without_a_limit);
	tcase_add_test(tcase, widened_areas_keep_their_protection);
	tcase_add_test(meets,
		       page_protected_while_its_block_is_shown_is_protected);
	suite_add_tcase(suite, meets);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
