/*
 * table.h -- what every system call does with the memory that it is given.
 *
 * One row a call, one entry an argument. Immutable, no code runs to make it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_TABLE_H
#define LM_SYSCALL_TABLE_H

#include "old.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an argument points to. */
enum lm_arg_kind {
	LM_ARG_VALUE = 0, /* nothing: a number, or an address not followed */
	LM_ARG_RANGE,     /* the address of memory, not of its content: mmap's
			   * family; and pointers that the kernel only keeps */
	LM_ARG_SIZED,     /* `size` bytes */
	LM_ARG_BYTES,     /* as many bytes as argument n says */
	LM_ARG_ARRAY,     /* as many times `size` as argument n says */
	LM_ARG_LENGTH,    /* as many bytes as the int at argument n says, which
			   * is read before the call and written by it */
	LM_ARG_OWN,       /* as many bytes as the 32 bits at byte n of it say;
			   * `size` at least */
	LM_ARG_STRING,    /* up to its zero byte; `size` is the most */
	LM_ARG_STRINGS,   /* pointers to strings, up to a null pointer */
	LM_ARG_BITS,      /* as many bits as argument n says, in whole longs */
	LM_ARG_IOVEC,     /* struct iovec, argument n many; dir: the buffers */
	LM_ARG_MSG,       /* struct msghdr; dir: the buffers */
	LM_ARG_MMSG,      /* struct mmsghdr, argument n many */
	LM_ARG_SPECIAL,   /* depends on a command: see special.c */
};

enum lm_arg_dir {
	LM_ARG_IN = 1,  /* the kernel reads */
	LM_ARG_OUT = 2, /* the kernel writes */
	LM_ARG_INOUT = 3,
	LM_ARG_KEEP = 4, /* it goes on writing after the call: stays pinned */
};

struct lm_arg {
	uint8_t kind; /* enum lm_arg_kind */
	uint8_t dir;  /* enum lm_arg_dir */
	uint8_t n; /* the argument that has the length or count; OWN's byte */
	uint8_t unused;
	uint32_t size;
};

#define LM_ARGS 6

struct lm_row {
	const char *name; /* NULL: no such call here */
	struct lm_arg arg[LM_ARGS];
};

/* The row of a call, or NULL: not known, or it has no memory to look at. */
const struct lm_row *lm_table_row(long nr);

/* Does its memory name other memory? The arguments alone do not tell then. */
bool lm_table_nested(long nr);

/* Is it one that a shim may want to make: does it set or tell the program's
 * signals, some of which it keeps; end the process, make one, or have its calls
 * filtered; cut a file off, or seek in it? */
bool lm_table_shims(long nr);

/* Every number below this is worth asking for. */
long lm_table_end(void);

#endif
