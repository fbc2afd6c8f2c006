/*
 * test_guard_meet_once.c -- blocks that are opened while another thread, or a
 * child that is born in that moment, has to do with their pages.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guarded.h"
#include "held.h"
#include "lazymap.h"
#include "program.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct guarded area;

static char *page_at(size_t page)
{
	return area.at + page * PAGE;
}

/* -- A child, born while a thread is held ------------------------------------- */

static const enum lm_step steps[] = { LM_STEP_GUARDED, LM_STEP_CLAIMED,
				      LM_STEP_FILLED, LM_STEP_REVEALED };
#define STEPS 4
#define EACH_STEP (GUARDED_ALL * STEPS)

#define LAST (GUARDED_PAGES - 512) /* of this block nothing is touched */

/* The page that the thread touches, by a write that changes nothing. */
static size_t touched;

static void *toucher(void *unused)
{
	volatile uint64_t *word = (uint64_t *)page_at(touched);

	(void)unused;
	if (guarded_writable(&area))
		*word = area.zero[touched] ? 0 : known_word(touched, 0);
	else
		(void)*word;
	return NULL;
}

/* Every block but the last is open; the last will be by the held thread. */
static bool begin(int i)
{
	enum lm_step step = steps[i / GUARDED_ALL];

	guarded_begin(&area, i % GUARDED_ALL, GUARDED_PAGES);
	if (step == LM_STEP_GUARDED && !area.on)
		return false;
	for (size_t page = 0; page < LAST; page += 3)
		guarded_write(&area, page);
	guarded_write(&area, LAST);
	touched = step == LM_STEP_GUARDED ? LAST + 100 : LAST - 100;
	held_at(step, step == LM_STEP_GUARDED ? NULL : page_at(touched),
		LM_STEP_FORK);
	return true;
}

/* The kernel finds every page, and so does the child; what it writes to private
 * pages is its own. */
static int child(void)
{
	size_t from = LAST - 512, len = 1024 * PAGE, wrong;
	int fd = known_file("out", 0);

	wrong = lazymap_pin(page_at(from), len, LAZYMAP_READ) != 0;
	wrong += write(fd, page_at(from), len) != (ssize_t)len;
	wrong += lazymap_unpin(page_at(from), len) != 0;
	wrong += guarded_wrong_all(&area);
	for (size_t page = 1; page < area.pages; page += 5)
		if (!guarded_shared(&area))
			guarded_write(&area, page);
	wrong += guarded_wrong_all(&area);
	close(fd);
	return wrong != 0;
}

static void after(pthread_t thread)
{
	held_release();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	guarded_check(&area);
	for (size_t page = 2; page < area.pages; page += 3)
		guarded_write(&area, page);
	guarded_check(&area);
}

START_TEST(child_of_clone_finds_every_byte)
{
	pthread_t thread;

	if (program_sanitized("") || !begin(_i))
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, toucher, NULL), 0);
	held_wait();
	ck_assert_int_eq(caught_clone(child), 0);
	after(thread);
}
END_TEST

/* Its first touch is in the block that was half done. */
static int child_touches_first(void)
{
	size_t wrong = 0;

	for (size_t page = LAST - 512; page < area.pages; page += 2)
		if (!guarded_shared(&area))
			guarded_write(&area, page);
	wrong += guarded_wrong_all(&area);
	return wrong || child();
}

START_TEST(child_of_clone_opens_the_block_itself)
{
	pthread_t thread;

	if (program_sanitized("") || !begin(_i))
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, toucher, NULL), 0);
	held_wait();
	ck_assert_int_eq(caught_clone(child_touches_first), 0);
	after(thread);
}
END_TEST

START_TEST(child_of_fork_finds_every_byte)
{
	pthread_t thread;

	if (!begin(_i))
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, toucher, NULL), 0);
	held_wait();
	ck_assert_int_eq(caught_child(child), 0);
	after(thread);
}
END_TEST

/* -- A call, while a block is being opened ------------------------------------- */

static atomic_int called;

static void *caller(void *call)
{
	long ret = -1;

	switch ((long)call) {
	case 0:
		ret = lazymap_advise(page_at(LAST), 512 * PAGE, MADV_DONTNEED);
		break;
	case 1:
		/* Never less than the thread needs, which may come between. */
		ret = lazymap_protect(page_at(LAST), 512 * PAGE,
				      area.prot | PROT_EXEC);
		ret += lazymap_protect(page_at(LAST), 512 * PAGE, area.prot);
		break;
	case 2:
		ret = lazymap_pin(page_at(LAST), 512 * PAGE, LAZYMAP_READ);
		ret += lazymap_unpin(page_at(LAST), 512 * PAGE);
		break;
	}
	atomic_store(&called, ret ? -1 : 1);
	return NULL;
}

START_TEST(call_waits_for_the_block_that_is_being_opened)
{
	pthread_t thread, other;
	long call = _i / GUARDED_ALL;

	if (!begin(_i % GUARDED_ALL))
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, toucher, NULL), 0);
	held_wait();
	ck_assert_int_eq(pthread_create(&other, NULL, caller, (void *)call), 0);
	usleep(20000);
	ck_assert_int_eq(atomic_load(&called), 0);
	held_release();
	ck_assert_int_eq(pthread_join(other, NULL), 0);
	ck_assert_int_eq(atomic_load(&called), 1);
	if (!call)
		guarded_dropped(&area, LAST, area.pages, false);
	after(thread);
}
END_TEST

/* -- Many ---------------------------------------------------------------------- */

#define THREADS 8

static atomic_size_t wrong;
static size_t crowd_pages;

/* Now and then, a moment at each step. */
static void dawdle(enum lm_step step, uintptr_t addr)
{
	static _Atomic uint64_t count;
	uint64_t random =
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) *
		UINT64_C(0x9e3779b97f4a7c15);
	struct timespec moment = { .tv_nsec = (long)(random >> 50) };

	(void)addr;
	if ((random >> 40) % 16 == (uint64_t)step % 16 ||
	    step == LM_STEP_GUARDED)
		lm_sys(SYS_nanosleep, &moment, NULL);
}

static uint64_t base(size_t page, size_t i)
{
	return area.zero[page] ? 0 : known_word(page, i);
}

static void *crowd(void *argument)
{
	size_t thread = (size_t)argument, n = 0;
	/* In pairs: two are at the same page at the same time. */
	uint64_t random = program_seed() + thread / 2 + 1;

	for (size_t i = 0; i < crowd_pages; i++) {
		size_t page = program_random(&random) % crowd_pages;
		volatile uint64_t *word = (uint64_t *)page_at(page);
		uint64_t before = word[100 + thread];

		n += word[0] != base(page, 0);
		if (!guarded_writable(&area))
			continue;
		word[100 + thread] = before + 1;
		n += word[100 + thread] != before + 1;
		n += word[511] != base(page, 511);
	}
	atomic_fetch_add(&wrong, n);
	return NULL;
}

START_TEST(threads_at_the_same_pages_lose_nothing)
{
	pthread_t thread[THREADS];
	uint64_t sum = 0;

	guarded_begin(&area, _i, GUARDED_PAGES);
	crowd_pages = program_scaled(GUARDED_PAGES);
	atomic_store(&lm_step_hook, dawdle);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, crowd, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	atomic_store(&lm_step_hook, NULL);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
	for (size_t page = 0; page < crowd_pages; page++)
		for (size_t i = 100; i < 100 + THREADS; i++)
			sum += ((uint64_t *)page_at(page))[i] - base(page, i);
	ck_assert_uint_eq(sum,
			  guarded_writable(&area) ? THREADS * crowd_pages : 0);
}
END_TEST

/* -- Users of what is evicted ------------------------------------------------- */

#define HOT 48 /* pages */
#define READERS 2

static size_t stride; /* of the hot pages: 2 among markers, 1 side by side */
static atomic_bool enough;
static atomic_size_t at_work, written[HOT];

/* What swap has may be read at any moment, and is never zeros. */
static void *reader(void *unused)
{
	size_t n = 0, count = 0;

	(void)unused;
	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		size_t page = count++ / 4096 % HOT * stride;

		n += *(volatile uint64_t *)page_at(page) != known_word(page, 0);
		if (count == 1)
			atomic_fetch_add(&at_work, 1);
	}
	atomic_fetch_add(&wrong, n);
	return NULL;
}

/* Each write is there when it is looked at next. */
static void *writer(void *unused)
{
	size_t n = 0;

	(void)unused;
	for (size_t count = 0;
	     !atomic_load_explicit(&enough, memory_order_relaxed); count++) {
		size_t page = count / 64 % HOT;
		volatile uint64_t *word = (uint64_t *)page_at(page * stride);

		n += word[511] != atomic_load(&written[page]);
		word[511]++;
		atomic_fetch_add(&written[page], 1);
		if (!count)
			atomic_fetch_add(&at_work, 1);
	}
	atomic_fetch_add(&wrong, n);
	return NULL;
}

START_TEST(who_uses_what_is_evicted_sees_its_content)
{
	pthread_t thread[READERS + 1];

	guarded_begin(&area, _i % 2, GUARDED_PAGES);
	stride = 1 + (size_t)_i / 2;
	ck_assert_int_eq(lazymap_limit(4 * GUARDED_PAGES * PAGE), 0);
	for (size_t page = 0; page < HOT * stride; page += stride)
		for (size_t i = 0; i < PAGE / 8 - 1; i++)
			((uint64_t *)page_at(page))[i] = known_word(page, i);
	for (size_t i = 0; i <= READERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
						i ? reader : writer, NULL),
				 0);
	while (atomic_load(&at_work) <= READERS)
		usleep(100);
	for (unsigned i = 0; i < program_scaled(3000); i++)
		ck_assert_int_eq(lazymap_advise(page_at(0), HOT * stride * PAGE,
						MADV_PAGEOUT),
				 0);
	atomic_store(&enough, true);
	for (size_t i = 0; i <= READERS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&wrong), 0);
	for (size_t page = 0; page < HOT; page++)
		ck_assert_uint_eq(
			((volatile uint64_t *)page_at(page * stride))[511],
			atomic_load(&written[page]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard_meet");
	TCase *forks = tcase_create("forks"), *meets = tcase_create("meets");

	tcase_set_timeout(forks, 60);
	tcase_add_loop_test(forks, child_of_clone_finds_every_byte, 0,
			    EACH_STEP);
	tcase_add_loop_test(forks, child_of_clone_opens_the_block_itself, 0,
			    EACH_STEP);
	tcase_add_loop_test(forks, child_of_fork_finds_every_byte, 0,
			    EACH_STEP);
	suite_add_tcase(suite, forks);
	tcase_set_timeout(meets, 60);
	tcase_add_loop_test(meets,
			    call_waits_for_the_block_that_is_being_opened, 0,
			    3 * GUARDED_ALL);
	tcase_add_loop_test(meets, threads_at_the_same_pages_lose_nothing, 0,
			    GUARDED_ALL);
	tcase_add_loop_test(meets, who_uses_what_is_evicted_sees_its_content, 0,
			    4);
	suite_add_tcase(suite, meets);
	return program_run(suite);
}
