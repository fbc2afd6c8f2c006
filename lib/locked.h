/*
 * locked.h -- memory that is present and stays so: mlock and mlockall.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_LOCKED_H
#define LM_LOCKED_H

#include "os.h"

/* The flags of the mlockall that holds for new mappings (MCL_FUTURE is among
 * them), or 0. */
int lm_locked_future(void);

/* In a forked child: locks are not inherited. */
void lm_locked_forked(void);

#endif
