/*
 * limit.h -- limits that the kernel applies to what it can see, kept for what
 * is hidden from it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_LIMIT_H
#define LM_LIMIT_H

#include "os.h"

/* May the process have `more` bytes of private writable memory (RLIMIT_DATA)?
 * Inside a change. 0 or -ENOMEM. */
int lm_limit_data(size_t more);

#endif
