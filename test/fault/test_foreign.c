/*
 * test_foreign.c -- faults that are not lazymap's go where they would go
 * without it; and what becomes of a file after it was mapped.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "known.h"
#include "lazymap.h"
#include "program.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64

static char *area;

static void begin(int prot)
{
	int fd = known_file("known", PAGES);

	area = lazymap_map(NULL, PAGES * PAGE, prot, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	close(fd);
}

static void check_lazy(size_t page)
{
	ck_assert_uint_eq(known_wrong(area + page * PAGE, page), 0);
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

/* Where nothing is mapped, until something is. */
static char *nowhere(void)
{
	char *at =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_int_eq(munmap(at, PAGE), 0);
	return at;
}

/* -- With a handler -------------------------------------------------------------------- */

START_TEST(handler_from_before_the_start_gets_foreign_faults)
{
	uint64_t word;
	char *hole;

	caught_install();
	begin(PROT_READ);
	check_lazy(3);
	hole = nowhere();
	ck_assert_int_eq(caught_read((void *)8, &word), SIGSEGV);
	ck_assert_ptr_eq(caught.si_addr, (void *)8);
	ck_assert_int_eq(caught.si_code, SEGV_MAPERR);
	ck_assert_int_eq(caught_read(hole + 24, &word), SIGSEGV);
	ck_assert_ptr_eq(caught.si_addr, hole + 24);
	check_lazy(40);
	/* libsigsegv's trap knows by itself that zero is nobody's. */
	ck_assert_uint_eq(stats().faults_foreign, 1 + program_trap_knows());
	ck_assert_uint_eq(stats().faults_read, 2);
}
END_TEST

START_TEST(access_that_the_protection_forbids_reaches_the_handler)
{
	uint64_t word;

	caught_install();
	begin(PROT_READ);
	/* Absent and present. */
	for (int i = 0; i < 2; i++) {
		char *at = area + 3 * PAGE + 40;

		if (program_trap_knows() || i) {
			ck_assert_int_eq(caught_write(at, 1), SIGSEGV);
			ck_assert_ptr_eq(caught.si_addr, at);
			ck_assert_int_eq(caught.si_code, SEGV_ACCERR);
		}
		check_lazy(3);
	}
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_NONE), 0);
	ck_assert_int_eq(caught_read(area + 3 * PAGE, &word), SIGSEGV);
	ck_assert_int_eq(caught_read(area + 30 * PAGE, &word), SIGSEGV);
	ck_assert_int_eq(caught.si_code, SEGV_ACCERR);
	ck_assert_int_eq(lazymap_protect(area, PAGES * PAGE, PROT_READ), 0);
	check_lazy(3);
	check_lazy(30);
}
END_TEST

/* A trap that cannot tell takes the first one for a read, the next ones for
 * writes: in the end it is the program's all the same. */
START_TEST(forbidden_write_to_an_absent_page_ends_in_the_handler)
{
	caught_install();
	begin(PROT_READ);
	ck_assert_int_eq(caught_write(area + 5 * PAGE, 1), SIGSEGV);
	ck_assert_ptr_eq(caught.si_addr, area + 5 * PAGE);
	check_lazy(5);
}
END_TEST

static _Atomic(void *) inner;

static void touches_lazy(int sig, siginfo_t *info, void *context)
{
	uint64_t word = *(volatile uint64_t *)(area + 9 * PAGE);
	struct sigaction act = { .sa_handler = SIG_DFL };

	(void)context;
	atomic_store(&inner, info->si_addr);
	mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE - 1)), PAGE,
		 PROT_READ);
	if (word != known_word(9, 0))
		sigaction(sig, &act, NULL);
}

START_TEST(foreign_handler_may_touch_lazy_memory_and_return)
{
	struct sigaction act = { .sa_sigaction = touches_lazy,
				 .sa_flags = SA_SIGINFO };
	char *page =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
	begin(PROT_READ);
	ck_assert_int_eq(*(volatile char *)(page + 100), 0);
	ck_assert_ptr_eq(atomic_load(&inner), page + 100);
	check_lazy(9);
}
END_TEST

START_TEST(signal_that_was_sent_reaches_the_handler_as_it_was_sent)
{
	uint64_t word = 0;

	caught_install();
	begin(PROT_READ);
	check_lazy(3);
	/* Not by an access: the handler then sets the default action, once. */
	ck_assert_int_eq(caught_read(&word, &word), 0);
	raise(SIGSEGV);
	ck_assert_int_eq(caught.si_signo, SIGSEGV);
	ck_assert_int_le(caught.si_code, 0);
	ck_assert_int_eq(caught.si_pid, getpid());
}
END_TEST

/* -- Without one ------------------------------------------------------------------------ */

static volatile uintptr_t null = 8;

static int null_pointer(void)
{
	caught_dump_here();
	return *(volatile char *)null;
}

static int null_pointer_with_lazymap(void)
{
	begin(PROT_READ);
	check_lazy(3);
	return null_pointer();
}

static int forbidden(void)
{
	begin(PROT_READ);
	check_lazy(3);
	caught_dump_here();
	*(volatile char *)(area + 3 * PAGE) = 1;
	return 0;
}

static int ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	return null_pointer_with_lazymap();
}

static int sent(void)
{
	begin(PROT_READ);
	check_lazy(3);
	caught_dump_here();
	kill(getpid(), SIGSEGV);
	pause();
	return 0;
}

static int unmapped(void)
{
	begin(PROT_READ);
	check_lazy(3);
	lazymap_unmap(area, PAGES * PAGE);
	caught_dump_here();
	return *(volatile char *)(area + 3 * PAGE);
}

START_TEST(foreign_fault_without_a_handler_dumps_core_as_ever)
{
	int (*const bodies[])(void) = { null_pointer_with_lazymap, forbidden,
					ignored, sent, unmapped };
	int without = caught_child(null_pointer);
	int with = caught_child(bodies[_i]);

	ck_assert(WIFSIGNALED(without) && WTERMSIG(without) == SIGSEGV);
	ck_assert_msg(with == without, "%x, and %x without lazymap",
		      (unsigned)with, (unsigned)without);
	if (!WCOREDUMP(without))
		puts("no core is dumped here, with lazymap or without");
}
END_TEST

/* -- A handler of the program's own ------------------------------------------------------ */

static atomic_int asked, answers[3];

static void own_handler(int sig, siginfo_t *info, void *context)
{
	int served = lazymap_fault(info->si_addr, -1);

	(void)context;
	atomic_fetch_add(&asked, 1);
	atomic_fetch_add(&answers[served + 1], 1);
	if (served != 1)
		signal(sig, SIG_DFL);
}

START_TEST(program_with_its_own_handler_asks_lazymap)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .trap = "none",
					   .cluster = PAGE };
	struct sigaction act = { .sa_sigaction = own_handler,
				 .sa_flags = SA_SIGINFO },
			 now;
	int status;

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
	ck_assert_int_eq(lazymap_start(&options), 0);
	begin(PROT_READ | PROT_WRITE);
	ck_assert_int_eq(sigaction(SIGSEGV, NULL, &now), 0);
	ck_assert(now.sa_sigaction == own_handler);
	check_lazy(3);
	*(volatile uint64_t *)(area + 3 * PAGE) = 1;
	ck_assert_uint_eq(*(volatile uint64_t *)(area + 3 * PAGE), 1);
	ck_assert_int_eq(atomic_load(&asked), 2);
	ck_assert_int_eq(atomic_load(&answers[2]), 2);
	ck_assert_int_eq(lazymap_fault((void *)8, LAZYMAP_READ), 0);
	status = caught_child(null_pointer);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
END_TEST

/* -- The file --------------------------------------------------------------------------- */

START_TEST(file_may_be_closed_renamed_replaced_and_unlinked)
{
	int how = _i ? MAP_SHARED : MAP_PRIVATE;
	int fd = known_file("known", PAGES), other;

	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ, how, fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	check_lazy(1);
	ck_assert_int_eq(close(fd), 0);
	check_lazy(20);
	ck_assert_int_eq(rename(known_path("known"), known_path("moved")), 0);
	other = open(known_path("known"), O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(other, fd); /* nothing of ours keeps the number */
	ck_assert_int_eq(ftruncate(other, PAGES * PAGE), 0);
	check_lazy(40);
	ck_assert_int_eq(unlink(known_path("moved")), 0);
	for (size_t i = 0; i < PAGES; i++)
		check_lazy(i);
}
END_TEST

START_TEST(file_cut_under_the_mapping_is_sigbus_past_its_end)
{
	int how = _i ? MAP_SHARED : MAP_PRIVATE;
	int fd = known_file("known", PAGES);
	uint64_t word;

	caught_install();
	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ, how, fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	check_lazy(30); /* and its neighbours: present when it is cut */
	ck_assert_int_eq(ftruncate(fd, 10 * PAGE + 80), 0);
	check_lazy(9);
	ck_assert_int_eq(caught_read(area + 10 * PAGE + 72, &word), 0);
	ck_assert_uint_eq(word, known_word(10, 9));
	ck_assert_int_eq(caught_read(area + 10 * PAGE + 80, &word), 0);
	ck_assert_uint_eq(word, 0);
	for (size_t i = 11; i < PAGES; i++) {
		char *at = area + i * PAGE + 16;

		ck_assert_int_eq(caught_read(at, &word), SIGBUS);
		ck_assert_int_eq(caught.si_code, BUS_ADRERR);
		ck_assert_ptr_eq(caught.si_addr, at);
	}
	/* It grows again: what is there then is read. */
	ck_assert_int_eq(ftruncate(fd, PAGES * PAGE), 0);
	ck_assert_int_eq(caught_read(area + 50 * PAGE, &word), 0);
	ck_assert_uint_eq(word, 0);
}
END_TEST

START_TEST(shared_file_is_coherent_with_read_and_write)
{
	int fd = known_file("known", PAGES);
	uint64_t word = 77;

	area = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	check_lazy(4);
	ck_assert_int_eq(pwrite(fd, &word, 8, 4 * PAGE), 8);
	ck_assert_uint_eq(*(volatile uint64_t *)(area + 4 * PAGE), 77);
	*(volatile uint64_t *)(area + 30 * PAGE) = 78;
	ck_assert_int_eq(pread(fd, &word, 8, 30 * PAGE), 8);
	ck_assert_uint_eq(word, 78);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foreign");
	TCase *foreign = tcase_create("foreign");

	tcase_set_timeout(foreign, 60);
#define ONE(test) tcase_add_test(foreign, test)
	ONE(handler_from_before_the_start_gets_foreign_faults);
	ONE(access_that_the_protection_forbids_reaches_the_handler);
	ONE(forbidden_write_to_an_absent_page_ends_in_the_handler);
	ONE(foreign_handler_may_touch_lazy_memory_and_return);
	ONE(signal_that_was_sent_reaches_the_handler_as_it_was_sent);
	ONE(program_with_its_own_handler_asks_lazymap);
	ONE(shared_file_is_coherent_with_read_and_write);
#undef ONE
	tcase_add_loop_test(foreign,
			    foreign_fault_without_a_handler_dumps_core_as_ever,
			    0, 5);
	tcase_add_loop_test(foreign,
			    file_may_be_closed_renamed_replaced_and_unlinked, 0,
			    2);
	tcase_add_loop_test(foreign,
			    file_cut_under_the_mapping_is_sigbus_past_its_end,
			    0, 2);
	suite_add_tcase(suite, foreign);
	return program_run(suite);
}
