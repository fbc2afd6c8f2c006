/*
 * set.h -- a set of pages within one block, by their distance from its first:
 * what is to be done with 512 of them is found 64 at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SET_H
#define LM_SET_H

#include "os.h"

#define LM_SET_WORDS (LM_BLOCK_PAGES / 64)

struct lm_set {
	uint64_t word[LM_SET_WORDS];
};

static inline bool lm_set_has(const struct lm_set *set, size_t i)
{
	return set->word[i / 64] >> (i % 64) & 1;
}

static inline void lm_set_add(struct lm_set *set, size_t i)
{
	set->word[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline void lm_set_remove(struct lm_set *set, size_t i)
{
	set->word[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* Those of both; and those of `set` that are not of `without`. */
static inline struct lm_set lm_set_and(struct lm_set set, struct lm_set with)
{
	for (size_t i = 0; i < LM_SET_WORDS; i++)
		set.word[i] &= with.word[i];
	return set;
}

static inline struct lm_set lm_set_less(struct lm_set set,
					struct lm_set without)
{
	for (size_t i = 0; i < LM_SET_WORDS; i++)
		set.word[i] &= ~without.word[i];
	return set;
}

/* The first page from `i` on that is in it (in == true), or is not; or
 * LM_BLOCK_PAGES. */
static inline size_t lm_set_next(const struct lm_set *set, size_t i, bool in)
{
	uint64_t flip = in ? 0 : ~(uint64_t)0;

	while (i < LM_BLOCK_PAGES) {
		uint64_t left = (set->word[i / 64] ^ flip) >> (i % 64);

		if (left)
			return i + (size_t)__builtin_ctzll(left);
		i = (i | 63) + 1;
	}
	return LM_BLOCK_PAGES;
}

#endif
