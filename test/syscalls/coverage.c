/*
 * coverage.c -- does the matrix have every row of the table of system calls?
 *
 * An argument of a call is covered when some case made the call with it in one
 * of the case's pieces of memory, and that piece made a difference: on ordinary
 * memory that may not be touched the case did not end as it did on memory that
 * may. So a case that the kernel refuses before it looks covers nothing, unless
 * this kernel does not have the call, or this user may not make it.
 *
 * So it is with each command of the calls that are many calls: the rows of
 * lib/syscall/commands.c.
 *
 * What is not covered has to be in not_run[] or not_commanded[], with a reason;
 * and what is there must not be covered.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "syscall/commands.h"
#include "syscall/table.h"

#include "os_linux.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALL 0x3f
#define CALLS 512
/* Calls that one run makes. */
#define MADE 64

/* Rows, or the arguments of a mask, that no test can run. */
static const struct {
	int nr, args;
	const char *why;
} not_run[] = {
	{ SYS_reboot, ALL, "it reboots" },
	{ SYS_kexec_load, ALL, "it replaces the kernel" },
	{ SYS_kexec_file_load, ALL, "it replaces the kernel" },
	{ SYS_mseal, ALL, "lazy memory cannot be sealed: ENOSYS" },
	{ SYS_clone, ALL, "its addresses are the C library's to give" },
	{ SYS_quotactl, 1 << 3, "read only where there are quotas" },
	{ SYS_quotactl_fd, 1 << 3, "read only where there are quotas" },
	{ SYS_finit_module, 1 << 1, "read only when a module was loaded" },
	{ SYS_init_module, 1 << 2, "read only when a module was loaded" },
	{ SYS_io_cancel, 1 << 2, "the kernel does not write it" },
};

/* Commands of a call, from one number to another. */
static const struct {
	int nr;
	uint32_t from, to;
	const char *why;
} not_commanded[] = {
	{ SYS_fcntl, 1037, 1038, "not in Linux since 5.17" },
	{ SYS_prctl, 5, 11, "not of x86-64" },
	{ SYS_prctl, 19, 19, "not of x86-64" },
	{ SYS_prctl, 74, 74, "not of x86-64, which has arch_prctl for it" },
	{ SYS_ioctl, 0x5415, 0x5418, "for a serial line" },
	{ SYS_ioctl, 0x541e, 0x541e, "for a serial line" },
	{ SYS_ioctl, 0x030d, 0x030d, "for a disk of its own kind" },
	{ SYS_ioctl, 0x4b48, 0x4bfb, "for a console" },
	{ SYS_ioctl, 0x4c0a, 0x4c0a, "it takes a device of all" },
	{ SYS_ioctl, 0x530c, 0x5390, "for a disc" },
};
/* As many as commands.c has calls, and any of them rows. */
#define COMMANDED 16
#define COMMANDS 64

/* Of what children do, too. */
static struct shared {
	/* By call: masks of arguments. */
	uint8_t used[CALLS], refused[CALLS];
	/* By call and row of commands.c. */
	bool command_used[COMMANDED][COMMANDS];
	bool command_refused[COMMANDED][COMMANDS];
	/* The run that was last. */
	int made;
	struct {
		long nr;
		uint32_t command;
		int8_t piece[LM_ARGS]; /* -1: none */
	} calls[MADE];
} * shared;

static char *maps[PARAMS];
static size_t sizes[PARAMS];

void cover_start(void)
{
	/* Not lazy: MAP_STACK. */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (shared == MAP_FAILED)
		abort();
}

void cover_run(char *const map[PARAMS], const size_t size[PARAMS])
{
	for (int i = 0; i < PARAMS; i++) {
		maps[i] = map[i];
		sizes[i] = size[i];
	}
	shared->made = 0;
}

static int piece_of(uintptr_t at)
{
	for (int i = 0; i < PARAMS; i++)
		if (maps[i] && at - (uintptr_t)maps[i] < sizes[i])
			return i;
	return -1;
}

void cover_call(long nr, const long args[6])
{
	int n = shared->made;

	if (n == MADE)
		abort();
	shared->calls[n].nr = nr;
	shared->calls[n].command = lm_commands_number(nr, args);
	for (int i = 0; i < LM_ARGS; i++)
		shared->calls[n].piece[i] =
			(int8_t)piece_of((uintptr_t)args[i]);
	shared->made = n + 1;
}

/* A piece whose address is all that counts, or that is used later. */
static bool kept(long nr, int arg)
{
	const struct lm_row *row = lm_table_row(nr);

	return row && (row->arg[arg].kind == LM_ARG_RANGE ||
		       row->arg[arg].dir == LM_ARG_KEEP);
}

/* The rows of a call's command, of one argument. */
static void cover_command(int n, int arg, bool used, bool refused)
{
	const struct lm_commands *of;

	for (size_t i = 0; (of = lm_commands_at(i)); i++)
		for (size_t k = 0; k < of->commands; k++) {
			if (of->nr != shared->calls[n].nr ||
			    of->command[k].command !=
				    shared->calls[n].command ||
			    of->command[k].arg != arg)
				continue;
			if (i >= COMMANDED || k >= COMMANDS)
				abort();
			shared->command_used[i][k] |=
				used || of->command[k].dir == LM_ARG_KEEP;
			shared->command_refused[i][k] |= refused;
		}
}

void cover_piece(int piece, bool used, bool refused)
{
	for (int n = 0; n < shared->made; n++) {
		long nr = shared->calls[n].nr;

		if (nr < 0 || nr >= CALLS)
			abort();
		for (int i = 0; i < LM_ARGS; i++) {
			if (shared->calls[n].piece[i] != piece)
				continue;
			cover_command(n, i, used, refused);
			if (used || kept(nr, i))
				shared->used[nr] |= (uint8_t)(1 << i);
			else if (refused)
				shared->refused[nr] |= (uint8_t)(1 << i);
		}
	}
}

static int excused(long nr, bool *listed)
{
	int args = 0;

	*listed = false;
	for (size_t i = 0; i < sizeof(not_run) / sizeof(not_run[0]); i++)
		if (not_run[i].nr == nr) {
			*listed = true;
			args |= not_run[i].args;
		}
	return args;
}

static int report_row(long nr, const struct lm_row *row, bool *listed)
{
	int wanted = 0, used = shared->used[nr], missing;
	int excuse = excused(nr, listed);

	for (int i = 0; i < LM_ARGS; i++)
		if (row->arg[i].kind != LM_ARG_VALUE)
			wanted |= 1 << i;
	if (wanted & ~(used | excuse) & shared->refused[nr])
		printf("refused here: %s\n", row->name);
	missing = wanted & ~(used | excuse | shared->refused[nr]);
	for (int i = 0; i < LM_ARGS; i++) {
		if (missing & 1 << i)
			printf("FAILED: %s: no case for argument %d\n",
			       row->name, i);
		if (*listed && wanted & used & excuse & 1 << i)
			printf("FAILED: %s: argument %d is run, and listed\n",
			       row->name, i);
	}
	return missing || (*listed && wanted & used & excuse);
}

static const char *no_command(long nr, uint32_t command)
{
	for (size_t i = 0; i < sizeof(not_commanded) / sizeof(not_commanded[0]);
	     i++)
		if (not_commanded[i].nr == nr &&
		    command >= not_commanded[i].from &&
		    command <= not_commanded[i].to)
			return not_commanded[i].why;
	return NULL;
}

static int report_commands(void)
{
	int failures = 0, rows = 0, excuses = 0;
	const struct lm_commands *of;

	for (size_t i = 0; (of = lm_commands_at(i)); i++)
		for (size_t k = 0; k < of->commands; k++) {
			const struct lm_command *row = &of->command[k];
			const char *why = no_command(of->nr, row->command);
			bool used = shared->command_used[i][k];

			rows++;
			excuses += why != NULL;
			if (!used && shared->command_refused[i][k])
				printf("refused here: %s\n", row->name);
			else if (used == (why != NULL)) {
				printf("FAILED: %s: %s\n", row->name,
				       used ? "is run, and listed" : "no case");
				failures++;
			}
		}
	printf("%d rows of commands, %d of them not run, with a reason\n", rows,
	       excuses);
	return failures;
}

int cover_report(void)
{
	int failures = 0, rows = 0, excuses = 0;
	bool listed;

	for (long nr = 0; nr < lm_table_end(); nr++) {
		const struct lm_row *row = lm_table_row(nr);

		if (!row)
			continue;
		rows++;
		failures += report_row(nr, row, &listed);
		excuses += listed;
	}
	printf("%d rows of the table, %d of them not run, with a reason\n",
	       rows, excuses);
	return failures + report_commands();
}
