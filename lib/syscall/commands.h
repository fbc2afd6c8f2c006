/*
 * commands.h -- calls that are many calls: what each of their commands does with
 * the memory that it is given, and what that memory names.
 *
 * Rows, as in table.h. Immutable, no code runs to make them. Commands that are
 * more than a row can say are in special.c, command.c, ioctl.c and bpf.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_COMMANDS_H
#define LM_SYSCALL_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

/* A command, and what one of its arguments points to. */
struct lm_command {
	const char *name;
	uint32_t command, size; /* 0: as many bytes as argument n says */
	uint8_t arg, dir, n;    /* dir: enum lm_arg_dir */
};

/* Memory that a struct names, or that goes on behind it. */
enum lm_nested_kind {
	LM_NESTED_POINTER, /* its address is at `at` */
	LM_NESTED_BEHIND,  /* it begins at `at` */
};

struct lm_nested {
	const char *name;
	uint32_t command, unit; /* so many bytes each */
	uint16_t at, count;     /* where it is said how many */
	uint8_t width;          /* in so many bytes; 0: one */
	uint8_t times; /* where 32 bits are that are the unit; 0: none */
	uint8_t kind, dir;
};

struct lm_commands {
	long nr;
	int which; /* the argument with the command */
	const struct lm_command *command;
	size_t commands;
	const struct lm_nested *nested;
	size_t nesteds;
};

/* Of call nr; NULL: it has none. */
const struct lm_commands *lm_commands_of(long nr);
/* The i-th; NULL: no more. */
const struct lm_commands *lm_commands_at(size_t i);

/* What stands for a call's command in its rows: of a socket option, the level
 * and the name. */
#define LM_COMMAND_OPTION(level, name)                                         \
	((uint32_t)(level) << 16 | ((uint32_t)(name)&0xffff))
uint32_t lm_commands_number(long nr, const long args[6]);

#endif
