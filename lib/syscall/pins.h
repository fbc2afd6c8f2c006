/*
 * pins.h -- what the files of lib/syscall/ share: adding to what one call pins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_PINS_H
#define LM_SYSCALL_PINS_H

#include "call.h"
#include "table.h"

/* Buffers of an iovec array; of a msghdr; of a string; of an array of them. */
void lm_pins_iovec(struct lm_call_pins *pins, uintptr_t iov, size_t count,
		   int dir);
void lm_pins_msg(struct lm_call_pins *pins, uintptr_t msg, int dir);
void lm_pins_string(struct lm_call_pins *pins, uintptr_t string, size_t most);
void lm_pins_strings(struct lm_call_pins *pins, uintptr_t list);

/* A struct of `least` bytes or more: 32 bits in it say how many. */
void lm_pins_own(struct lm_call_pins *pins, uintptr_t at, size_t least,
		 size_t where, int dir);

/* Argument i of a call whose memory depends on more than the table. */
void lm_pins_special(struct lm_call_pins *pins, long nr, const long args[6],
		     int i);

/* What argument i points to, by the rows of commands.h; false: there is none.
 * What the struct of `len` bytes at `at` names, by its rows. */
bool lm_pins_command(struct lm_call_pins *pins, long nr, const long args[6],
		     int i);
void lm_pins_nested(struct lm_call_pins *pins, long nr, uint32_t command,
		    uintptr_t at, size_t len);

/* Calls that are more than that: ioctl.c, bpf.c, command.c. */
void lm_pins_ioctl(struct lm_call_pins *pins, const long args[6]);
void lm_pins_bpf(struct lm_call_pins *pins, const long args[6]);
void lm_pins_prctl(struct lm_call_pins *pins, const long args[6], int i);
void lm_pins_key(struct lm_call_pins *pins, const long args[6], int i);
void lm_pins_trace(struct lm_call_pins *pins, const long args[6], int i);
void lm_pins_ring(struct lm_call_pins *pins, long nr, const long args[6]);
/* struct sock_fprog, and the filter. */
void lm_pins_filter(struct lm_call_pins *pins, uintptr_t at);

/* Read a struct of the program's, which is pinned first. 0 or -EFAULT. */
int lm_pins_read(struct lm_call_pins *pins, void *to, uintptr_t from,
		 size_t len, int dir);

/* What the kernel writes to memory whatever its protection is: /proc/self/mem.
 * Pages that the program may not write are a copy then of which nothing else
 * tells, and stay. */
void lm_pins_forced(struct lm_call_pins *pins, uintptr_t start, uintptr_t end);

/* A transfer of one buffer that is no longer is never made in pieces. */
#define LM_PIECES_LEAST ((size_t)64 * 1024)

/* Is it too large to be pinned at once? Then, made in pieces: true and the
 * sum; or false, it has to be one call. */
bool lm_pieces_wanted(long nr, const long args[6]);
bool lm_pieces_call(long nr, const long args[6], long *result);

/* Pin, make the call, unpin. */
long lm_call_once(long nr, const long args[6]);

/* The calls about memory itself: is this one; true if lazymap has done it. */
bool lm_memory_wanted(long nr);
bool lm_memory_call(long nr, const long args[6], long *result);

#endif
