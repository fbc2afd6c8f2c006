/*
 * test_ground_once.c -- calls that lazymap serves, made on a stack that is lazy
 * itself, while another thread evicts it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "held.h"
#include "known.h"
#include "lazymap.h"
#include "program.h"

#include "page.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES ((size_t)16)

static char *stack, *other;
static atomic_int done;

#if defined(__x86_64__)
/* fn(), on the stack that ends at `top`. */
void on_stack(void *top, void (*fn)(void));
__asm__(".text\n.type on_stack,@function\non_stack:\n"
	".cfi_startproc\n"
	"push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_offset %rbp, -16\n"
	"mov %rsp, %rbp\n.cfi_def_cfa_register %rbp\n"
	"mov %rdi, %rsp\n"
	"call *%rsi\n"
	"leave\n.cfi_def_cfa %rsp, 8\n"
	"ret\n"
	".cfi_endproc\n.size on_stack, .-on_stack\n");

static void protect(void)
{
	atomic_store(&done, lazymap_protect(other, PAGE, PROT_READ) ? -1 : 1);
}

static void run_on(char *top)
{
	/* The handler's own is not lazy. */
	stack_t alternate = { .ss_size = 1 << 16 };

	alternate.ss_sp = malloc(alternate.ss_size);
	ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
	on_stack(top, protect);
	alternate.ss_flags = SS_DISABLE;
	ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
	free(alternate.ss_sp);
}

static void *run(void *offset)
{
	run_on(stack + PAGES * PAGE - (size_t)(uintptr_t)offset);
	return NULL;
}

static void *map(size_t pages)
{
	void *at = lazymap_map(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static void begin(void)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = PAGE,
					   .resident = 4 << 20 };

	ck_assert_int_eq(lazymap_start(&options), 0);
	/* With room for others' beside. */
	stack = map(3 * PAGES);
	other = map(PAGES);
	memset(other, 1, PAGE);
}

/* Wherever in its page the stack pointer is: the caller may be at the area's
 * end, and need nothing above. */
START_TEST(stack_stays_while_signals_are_blocked)
{
	pthread_t thread;

	begin();
	held_at(LM_STEP_CHANGE, other, LM_STEP_MAX);
	ck_assert_int_eq(pthread_create(&thread, NULL, run,
					(void *)(uintptr_t)(_i * 512)),
			 0);
	held_wait();
	ck_assert_int_eq(lazymap_advise(stack, PAGES * PAGE, MADV_PAGEOUT), 0);
	held_release();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(atomic_load(&done), 1);
	/* And then it may go. */
	ck_assert(!lm_page_pinned((uintptr_t)stack,
				  (uintptr_t)stack + PAGES * PAGE));
}
END_TEST

static char *sealed;

static void mend(int sig)
{
	(void)sig;
	mprotect(sealed, PAGE, PROT_READ | PROT_WRITE);
}

/* A fault of the program's own leaves no mistake about what is blocked, wherever
 * in its page the next call begins. */
START_TEST(stack_is_there_after_a_fault_of_the_programs_own)
{
	struct sigaction act = { .sa_handler = mend };

	ck_assert_int_eq(sigaction(SIGSEGV, &act, NULL), 0);
	begin();
	sealed =
		mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(sealed, MAP_FAILED);
	*(volatile char *)sealed = 1;
	run((void *)(uintptr_t)(_i * 128));
	ck_assert_int_eq(atomic_load(&done), 1);
}
END_TEST

/* A write would make a private page a copy. */
START_TEST(pages_beyond_the_stack_are_not_touched)
{
	size_t len = PAGES * PAGE;
	int file = known_file("known", PAGES);
	unsigned char there[PAGES] = { 0 };

	begin();
	stack += len - 2 * PAGE;
	for (int i = -1; i < 2; i += 2)
		ck_assert_ptr_ne(
			lazymap_map(i < 0 ? stack - len : stack + 2 * PAGE, len,
				    PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_FIXED, file, 0),
			LAZYMAP_FAILED);
	run_on(stack + 2 * PAGE);
	ck_assert_int_eq(atomic_load(&done), 1);
	for (int i = -1; i < 2; i += 2) {
		ck_assert_int_eq(
			lazymap_resident(i < 0 ? stack - len : stack + 2 * PAGE,
					 len, there),
			0);
		for (size_t page = 0; page < PAGES; page++)
			ck_assert_int_eq(there[page] & 1, 0);
	}
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("ground");
	TCase *tcase = tcase_create("ground");

#if defined(__x86_64__)
	tcase_add_loop_test(tcase, stack_stays_while_signals_are_blocked, 0,
			    17);
	tcase_add_loop_test(
		tcase, stack_is_there_after_a_fault_of_the_programs_own, 0, 32);
	tcase_add_test(tcase, pages_beyond_the_stack_are_not_touched);
#endif
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
