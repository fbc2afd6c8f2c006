/*
 * test_meet.c -- two threads meet at one page, the first held at each step of
 * its way in turn: another touch, an unmap, a protect, a drop, a fork, a
 * write-back.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "held.h"
#include "known.h"
#include "lazymap.h"
#include "program.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64
#define MARK UINT64_C(0x6d61726b)

static char *area;
static atomic_uint reads;
static char kept[PAGES * PAGE]; /* what the store was given */
static atomic_uint writes;

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	atomic_fetch_add(&reads, 1);
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static int keep(void *data, const void *buf, size_t len, off_t offset)
{
	(void)data;
	atomic_fetch_add(&writes, 1);
	memcpy(kept + offset, buf, len);
	return 0;
}

/* 0: a store in the handler, 1: by a worker, 2: a private file. */
#define KINDS 3

static char *map_kind(int kind, int flags)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = kind == 0 ? LAZYMAP_STORE_IN_HANDLER : 0,
		.read = read_known,
		.write = keep,
	};
	int prot = PROT_READ | PROT_WRITE, fd;
	char *at;

	if (kind < 2) {
		at = lazymap_map_store(NULL, PAGES * PAGE, prot, flags, &ops,
				       NULL, 0);
	} else {
		fd = known_file("known", PAGES);
		at = lazymap_map(NULL, PAGES * PAGE, prot, flags, fd, 0);
		close(fd);
	}
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static void begin(int kind, int flags)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = PAGE };

	ck_assert_int_eq(lazymap_start(&options), 0);
	area = map_kind(kind, flags);
}

/* -- Threads ------------------------------------------------------------------ */

/* The steps at which the first one is held, and the kinds that come there. */
static const enum lm_step steps[] = { LM_STEP_CLAIM, LM_STEP_CLAIMED,
				      LM_STEP_READ, LM_STEP_FILLED,
				      LM_STEP_REVEALED };
#define STEPS 5
#define EACH_STEP_AND_KIND (STEPS * KINDS)

static enum lm_step step_of(int i)
{
	return steps[i % STEPS];
}

static int kind_of(int i)
{
	return i / STEPS;
}

/* A direct area reads nothing. */
static bool never(int i)
{
	return kind_of(i) == 2 && step_of(i) == LM_STEP_READ;
}

static __thread sigjmp_buf *escape;

static void on_segv(int sig)
{
	if (!escape) {
		signal(sig, SIG_DFL);
		return;
	}
	siglongjmp(*escape, 1);
}

/* Wrong words of the page, or -1: SIGSEGV. */
static long look(size_t page)
{
	sigjmp_buf here;
	volatile long n = -1;

	escape = &here;
	if (!sigsetjmp(here, 1))
		n = (long)known_wrong(area + page * PAGE, page);
	escape = NULL;
	return n;
}

static void catch_segv(void)
{
	struct sigaction act = { .sa_handler = on_segv };

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
}

static void *looker(void *page)
{
	return (void *)look((size_t)page);
}

static void *marker(void *page)
{
	*(volatile uint64_t *)(area + (size_t)page * PAGE) = MARK;
	return NULL;
}

static pthread_t thread(void *(*body)(void *), size_t page)
{
	pthread_t made;

	ck_assert_int_eq(pthread_create(&made, NULL, body, (void *)page), 0);
	return made;
}

static long result(pthread_t of)
{
	void *value;

	ck_assert_int_eq(pthread_join(of, &value), 0);
	return (long)value;
}

/* -- Two touches --------------------------------------------------------------- */

START_TEST(second_toucher_waits_until_the_page_is_whole)
{
	struct lazymap_stats stats;
	pthread_t first, second;

	if (never(_i) || step_of(_i) == LM_STEP_CLAIM)
		return;
	begin(kind_of(_i), MAP_PRIVATE);
	held_at(step_of(_i), area + 5 * PAGE, LM_STEP_MAX);
	first = thread(looker, 5);
	held_wait();
	second = thread(looker, 5);
	if (step_of(_i) != LM_STEP_REVEALED) {
		held_wait_passed(LM_STEP_WAIT);
		usleep(2000);
	} else { /* then there is nothing left to wait for */
		ck_assert_int_eq(result(second), 0);
	}
	held_release();
	if (step_of(_i) != LM_STEP_REVEALED)
		ck_assert_int_eq(result(second), 0);
	ck_assert_int_eq(result(first), 0);
	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.pages_filled, 1);
	ck_assert_uint_eq(atomic_load(&reads), kind_of(_i) < 2);
}
END_TEST

START_TEST(write_that_meets_a_fill_is_kept)
{
	pthread_t first, second;

	if (never(_i) || step_of(_i) == LM_STEP_CLAIM)
		return;
	begin(kind_of(_i), MAP_PRIVATE);
	held_at(step_of(_i), area + 5 * PAGE, LM_STEP_MAX);
	first = thread(looker, 5);
	held_wait();
	second = thread(marker, 5);
	held_wait_passed(LM_STEP_WAIT);
	held_release();
	result(second);
	result(first); /* before the write or after it */
	ck_assert_uint_eq(*(uint64_t *)(area + 5 * PAGE), MARK);
	*(uint64_t *)(area + 5 * PAGE) = known_word(5, 0);
	ck_assert_int_eq(look(5), 0);
}
END_TEST

/* -- A touch and a change ------------------------------------------------------- */

static atomic_int changed; /* 0 not yet, 1 done, else -errno */
static int (*change)(void);

static void *changer(void *unused)
{
	(void)unused;
	atomic_store(&changed, change() ? -errno : 1);
	return NULL;
}

static int unmap_all(void)
{
	return lazymap_unmap(area, PAGES * PAGE);
}

static int protect_all(void)
{
	return lazymap_protect(area, PAGES * PAGE, PROT_NONE);
}

static int drop_all(void)
{
	return lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED);
}

/* Page 5's toucher is held at the step, the change has come and waits, the
 * toucher goes on. Returns what it saw. */
static long meet(int i, int (*with)(void))
{
	pthread_t first, second;
	long saw;

	catch_segv();
	begin(kind_of(i), MAP_PRIVATE);
	/* Something to change before and after it. */
	ck_assert_int_eq(look(4) + look(6), 0);
	change = with;
	held_at(step_of(i), area + 5 * PAGE, LM_STEP_MAX);
	first = thread(looker, 5);
	held_wait();
	second = thread(changer, 0);
	held_wait_passed(LM_STEP_CHANGE);
	usleep(2000);
	ck_assert_int_eq(atomic_load(&changed), 0);
	held_release();
	saw = result(first);
	result(second);
	ck_assert_int_eq(atomic_load(&changed), 1);
	return saw;
}

START_TEST(unmap_waits_for_the_fill_under_way)
{
	long saw;

	if (never(_i))
		return;
	saw = meet(_i, unmap_all);
	ck_assert_msg(saw == 0 || saw == -1, "%ld wrong words", saw);
	ck_assert_int_eq(look(5), -1);
	/* Nothing of it comes late into what is there next. */
	ck_assert_ptr_eq(mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			      -1, 0),
			 area);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(known_not_zero(area + i * PAGE), 0);
}
END_TEST

START_TEST(protect_waits_for_the_fill_under_way)
{
	long saw;

	if (never(_i))
		return;
	saw = meet(_i, protect_all);
	ck_assert_msg(saw == 0 || saw == -1, "%ld wrong words", saw);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(look(i), -1);
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_READ), 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(look(i), 0);
}
END_TEST

START_TEST(drop_waits_for_the_fill_under_way)
{
	struct lazymap_stats stats;

	if (never(_i))
		return;
	ck_assert_int_eq(meet(_i, drop_all), 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(look(i), 0);
	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.resident, PAGES * PAGE);
}
END_TEST

static atomic_int stop;
static atomic_ulong zeros;

static void *stare(void *unused)
{
	volatile uint64_t *word = (uint64_t *)(area + 5 * PAGE);

	(void)unused;
	while (!atomic_load(&stop))
		for (int i = 0; i < 100; i++)
			if (*word != known_word(5, 0))
				atomic_fetch_add(&zeros, 1);
	return NULL;
}

START_TEST(drop_never_shows_anything_but_the_content)
{
	pthread_t reader;

	begin(_i, MAP_PRIVATE);
	reader = thread(stare, 0);
	for (unsigned i = 0; i < program_scaled(3000); i++)
		ck_assert_int_eq(drop_all(), 0);
	atomic_store(&stop, 1);
	result(reader);
	ck_assert_uint_eq(atomic_load(&zeros), 0);
}
END_TEST

/* -- A touch and a fork ---------------------------------------------------------- */

static void check_child(pid_t child)
{
	int status;

	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child ended with %x", (unsigned)status);
}

static _Noreturn void look_and_exit(void)
{
	int wrong = 0;

	atomic_store(&lm_step_hook, NULL);
	for (size_t i = 0; i < PAGES; i++)
		wrong |= known_wrong(area + i * PAGE, i) != 0;
	for (size_t i = 0; i < PAGES; i++) {
		*(volatile uint64_t *)(area + i * PAGE) = MARK;
		wrong |= *(volatile uint64_t *)(area + i * PAGE) != MARK;
	}
	wrong |= (lazymap_unmap(area, PAGES * PAGE) != 0) << 1;
	/* Past ThreadSanitizer, which misses the parent's threads. */
	syscall(SYS_exit_group, wrong);
	abort();
}

START_TEST(child_of_a_fork_during_a_fill_sees_every_byte)
{
	pthread_t first;
	pid_t child;

	if (never(_i))
		return;
	if (program_sanitized("thread") && kind_of(_i) == 1) {
		puts("skipped: ThreadSanitizer lets no child start a worker");
		return;
	}
	begin(kind_of(_i), MAP_PRIVATE);
	ck_assert_int_eq(look(4) + look(6), 0);
	held_at(step_of(_i), area + 5 * PAGE, LM_STEP_FORK);
	first = thread(looker, 5);
	held_wait();
	fflush(NULL);
	child = fork();
	if (!child)
		look_and_exit();
	check_child(child);
	ck_assert_int_eq(result(first), 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(look(i), 0);
}
END_TEST

/* A clone runs no handlers of fork: the page is between two states in the
 * child, for good. */
START_TEST(child_of_a_raw_clone_during_a_fill_sees_every_byte)
{
	pthread_t first;
	pid_t child;

	if (never(_i))
		return;
	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer has to know of each fork");
		return;
	}
	begin(kind_of(_i), MAP_PRIVATE);
	ck_assert_int_eq(look(4) + look(6), 0);
	held_at(step_of(_i), area + 5 * PAGE, LM_STEP_MAX);
	first = thread(looker, 5);
	held_wait();
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child)
		look_and_exit();
	check_child(child);
	held_release();
	ck_assert_int_eq(result(first), 0);
}
END_TEST

static _Noreturn void pin_and_exit(void)
{
	int wrong = 0;

	atomic_store(&lm_step_hook, NULL);
	wrong |= lazymap_pin(area + 5 * PAGE, PAGE, LAZYMAP_READ) != 0;
	wrong |= (((volatile uint64_t *)(area + 5 * PAGE))[1] != MARK) << 1;
	syscall(SYS_exit_group, wrong);
	abort();
}

/* The page is writable before it is settled: what others write to it then is
 * not to be lost to a second fill in the child; be it a page that comes, or one
 * that was there for reading. */
START_TEST(child_of_a_raw_clone_keeps_writes_to_a_page_just_revealed)
{
	pthread_t first;
	pid_t child;

	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer has to know of each fork");
		return;
	}
	if (!program_trap_knows())
		return; /* the page would be revealed for reading only */
	begin(_i % KINDS, MAP_PRIVATE);
	if (_i >= KINDS)
		ck_assert_int_eq(look(5), 0);
	held_at(LM_STEP_REVEALED, area + 5 * PAGE, LM_STEP_MAX);
	first = thread(marker, 5);
	held_wait();
	((volatile uint64_t *)(area + 5 * PAGE))[1] = MARK;
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child)
		pin_and_exit();
	check_child(child);
	held_release();
	result(first);
}
END_TEST

/* A store may touch other lazy memory, and fork waits for fills. */
static atomic_int reading;
static char *other;

static int read_after_fork_began(void *data, void *buf, size_t len,
				 off_t offset)
{
	atomic_store(&reading, 1);
	for (int i = 0; i < 20000 && !held_passed(LM_STEP_FORK); i++)
		usleep(100);
	usleep(20000); /* now it waits for us */
	if (known_wrong(other + 3 * PAGE, 3))
		return -EIO;
	return read_known(data, buf, len, offset);
}

START_TEST(fork_waits_for_a_store_that_touches_other_lazy_memory)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = _i ? LAZYMAP_STORE_IN_HANDLER : 0,
		.read = read_after_fork_began,
	};
	pthread_t first;
	pid_t child;

	if (program_sanitized("thread")) {
		puts("skipped: ThreadSanitizer lets no child start a worker");
		return;
	}
	begin(0, MAP_PRIVATE);
	other = area;
	area = lazymap_map_store(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE,
				 &ops, NULL, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	held_at(LM_STEP_MAX, NULL, LM_STEP_MAX);
	first = thread(looker, 5);
	while (!atomic_load(&reading))
		usleep(100);
	fflush(NULL);
	child = fork();
	if (!child)
		_exit(known_wrong(area + 5 * PAGE, 5) != 0);
	check_child(child);
	ck_assert_int_eq(result(first), 0);
}
END_TEST

/* -- A write and a write-back ------------------------------------------------------ */

static int sync_all(void)
{
	return lazymap_sync(area, PAGES * PAGE, MS_SYNC);
}

START_TEST(write_that_meets_its_write_back_is_not_lost)
{
	enum lm_step step = _i ? LM_STEP_WRITTEN : LM_STEP_WRITE_BACK;
	pthread_t first, second;

	begin(0, MAP_SHARED);
	*(uint64_t *)(area + 5 * PAGE + 8) = MARK; /* dirty */
	change = sync_all;
	held_at(step, area + 5 * PAGE, LM_STEP_MAX);
	first = thread(changer, 0);
	held_wait();
	second = thread(marker, 5);
	if (step == LM_STEP_WRITTEN) /* no longer writable: it waits */
		held_wait_passed(LM_STEP_WAIT);
	else
		result(second);
	held_release();
	result(first);
	if (step == LM_STEP_WRITTEN)
		result(second);
	ck_assert_int_eq(atomic_load(&changed), 1);
	ck_assert_int_eq(sync_all(), 0);
	ck_assert_uint_eq(*(uint64_t *)(kept + 5 * PAGE), MARK);
	ck_assert_uint_eq(*(uint64_t *)(kept + 5 * PAGE + 8), MARK);
	/* Before: one write held both. After: it took a second one. */
	ck_assert_uint_eq(atomic_load(&writes), _i ? 2 : 1);
}
END_TEST

/* What a system call, or a device, is writing to cannot wait for its write-back,
 * and is written again. */
START_TEST(pinned_page_stays_writable_and_dirty_when_it_is_written_back)
{
	char *page = area;
	int ends[2];

	begin(0, MAP_SHARED);
	page = area + 5 * PAGE;
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "later on", 8), 8);
	ck_assert_int_eq(lazymap_pin(page, PAGE, LAZYMAP_WRITE), 0);
	*(uint64_t *)(page + 8) = MARK;
	ck_assert_int_eq(sync_all(), 0);
	ck_assert_uint_eq(*(uint64_t *)(kept + 5 * PAGE + 8), MARK);
	/* Not by the C library, which would be asked for the page first. */
	ck_assert_int_eq(lm_sys(SYS_read, ends[0], page + 16, 8), 8);
	ck_assert_int_eq(lazymap_unpin(page, PAGE), 0);
	ck_assert_int_eq(sync_all(), 0);
	ck_assert_mem_eq(kept + 5 * PAGE + 16, "later on", 8);
	ck_assert_uint_eq(atomic_load(&writes), 2);
	ck_assert_int_eq(sync_all(), 0);
	ck_assert_uint_eq(atomic_load(&writes), 2);
}
END_TEST

static int drop_shared(void)
{
	return lazymap_advise(area, PAGES * PAGE, MADV_DONTNEED);
}

/* Written to a shared store after the drop has written back what was, and before
 * it drops: it is no less in the store for that. */
START_TEST(write_that_meets_a_drop_of_its_shared_page_is_not_lost)
{
	pthread_t first;

	begin(0, MAP_SHARED);
	ck_assert_int_eq(look(5) + look(6), 0);
	change = drop_shared;
	held_at(LM_STEP_CHANGE, area, LM_STEP_MAX);
	first = thread(changer, 0);
	held_wait();
	*(volatile uint64_t *)(area + 5 * PAGE) = MARK;
	held_release();
	result(first);
	ck_assert_uint_eq(*(volatile uint64_t *)(area + 5 * PAGE), MARK);
	ck_assert_int_eq(sync_all(), 0);
	ck_assert_uint_eq(*(uint64_t *)(kept + 5 * PAGE), MARK);
	ck_assert_int_eq(look(6), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meet");
	TCase *meets = tcase_create("meet");

	tcase_set_timeout(meets, 40);
#define EACH(test) tcase_add_loop_test(meets, test, 0, EACH_STEP_AND_KIND)
	EACH(second_toucher_waits_until_the_page_is_whole);
	EACH(write_that_meets_a_fill_is_kept);
	EACH(unmap_waits_for_the_fill_under_way);
	EACH(protect_waits_for_the_fill_under_way);
	EACH(drop_waits_for_the_fill_under_way);
	EACH(child_of_a_fork_during_a_fill_sees_every_byte);
	EACH(child_of_a_raw_clone_during_a_fill_sees_every_byte);
#undef EACH
	tcase_add_loop_test(
		meets,
		child_of_a_raw_clone_keeps_writes_to_a_page_just_revealed, 0,
		2 * KINDS);
	tcase_add_loop_test(meets, drop_never_shows_anything_but_the_content, 0,
			    KINDS);
	tcase_add_loop_test(
		meets, fork_waits_for_a_store_that_touches_other_lazy_memory, 0,
		2);
	tcase_add_test(meets,
		       write_that_meets_a_drop_of_its_shared_page_is_not_lost);
	tcase_add_test(
		meets,
		pinned_page_stays_writable_and_dirty_when_it_is_written_back);
	tcase_add_loop_test(meets, write_that_meets_its_write_back_is_not_lost,
			    0, 2);
	suite_add_tcase(suite, meets);
	return program_run(suite);
}
