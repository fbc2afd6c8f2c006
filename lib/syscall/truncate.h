/*
 * truncate.h -- calls that cut files off, and what swap has of their private pages
 * (cut.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_TRUNCATE_H
#define LM_SYSCALL_TRUNCATE_H

#include <stdbool.h>

/* If this call may cut off what is in swap, it is made here: true and the
 * kernel's result. */
bool lm_truncate_call(long nr, const long args[6], long *result);

/* All of the file was cut off when this descriptor was opened. */
void lm_truncate_done(int fd);

#endif
