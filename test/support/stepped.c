/*
 * stepped.c -- see stepped.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "stepped.h"

#include <check.h>
#include <signal.h>
#include <stddef.h>

static volatile unsigned left;
static void (*other)(void);

#ifdef __x86_64__
#include <ucontext.h>

#define TRAP_FLAG 0x100

bool stepped_can(void)
{
	return true;
}

static void step(int signo, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signo;
	(void)info;
	if (left && --left)
		return;
	/* The rest at once. */
	registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
	if (other)
		other();
	other = NULL;
}

static void begin(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::"i"(TRAP_FLAG)
			 : "memory", "cc");
}

static void end(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::"i"(~TRAP_FLAG)
			 : "memory", "cc");
}
#else
bool stepped_can(void)
{
	return false;
}

static void step(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
}

static void begin(void)
{
}

static void end(void)
{
}
#endif

bool stepped_run(void (*run)(void), unsigned instructions,
		 void (*meanwhile)(void))
{
	struct sigaction action = { .sa_sigaction = step,
				    .sa_flags = SA_SIGINFO };

	ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
	left = instructions;
	other = meanwhile;
	begin();
	run();
	end();
	if (!other)
		return true;
	other = NULL;
	return false;
}
