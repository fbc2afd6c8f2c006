/*
 * save.h -- the third phase of an eviction (evict.h): what nobody can write any
 * more, and only memory has, is put where it can be found again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SAVE_H
#define LM_SAVE_H

#include "prey.h"

/* Private dirty pages go to swap, and their words name what is there; shared
 * ones of a store are written to it. What cannot be saved is kept. 0, or why
 * the first of these could not, -errno. */
int lm_save(struct lm_prey *prey);

#endif
