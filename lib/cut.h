/*
 * cut.h -- files that are made shorter, or whose content is moved, by this process.
 *
 * The kernel drops the private pages that lie there with the file's: when it has
 * grown again they are the file's. What swap has of them the kernel does not know.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_CUT_H
#define LM_CUT_H

#include "change.h"

struct lm_cut {
	struct lm_change change;
	uint64_t dev, ino;
};

/* A page of a private file mapping goes to swap; and does none? In handlers. */
void lm_cut_swapped(void);
bool lm_cut_possible(void);

/* Before the call: is any page of that file in swap? Then nothing is filled or
 * brought until lm_cut_end(), which is told from which offset on its content is
 * gone (UINT64_MAX: none is, it failed). */
bool lm_cut_begin(struct lm_cut *cut, uint64_t dev, uint64_t ino);
void lm_cut_end(struct lm_cut *cut, uint64_t from);

#endif
