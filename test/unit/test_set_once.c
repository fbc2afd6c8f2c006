/*
 * test_set_once.c -- sets of a block's pages (set.h), held against one flag for
 * each page.
 *
 * SPDX-License-Identifier: MIT
 */
#include "set.h"
#include "program.h"

#include <string.h>

#define ROUNDS 200

struct flags {
	bool has[LM_BLOCK_PAGES];
};

static uint64_t seed;

/* Runs of members and of others, of any length up to `longest`. */
static struct lm_set some(struct flags *flags, size_t longest)
{
	struct lm_set set = { { 0 } };
	bool in = program_random(&seed) & 1;

	memset(flags, 0, sizeof(*flags));
	for (size_t i = 0; i < LM_BLOCK_PAGES; in = !in) {
		size_t end = i + 1 + program_random(&seed) % longest;

		for (; i < LM_BLOCK_PAGES && i < end; i++)
			if (in) {
				flags->has[i] = true;
				lm_set_add(&set, i);
			}
	}
	return set;
}

static size_t next(const struct flags *flags, size_t i, bool in)
{
	while (i < LM_BLOCK_PAGES && flags->has[i] != in)
		i++;
	return i;
}

static void check(const struct lm_set *set, const struct flags *flags)
{
	for (size_t i = 0; i < LM_BLOCK_PAGES; i++)
		if (lm_set_has(set, i) != flags->has[i] ||
		    lm_set_next(set, i, true) != next(flags, i, true) ||
		    lm_set_next(set, i, false) != next(flags, i, false))
			ck_abort_msg("page %zu", i);
	ck_assert_uint_eq(lm_set_next(set, LM_BLOCK_PAGES, true),
			  LM_BLOCK_PAGES);
	ck_assert_uint_eq(lm_set_next(set, LM_BLOCK_PAGES, false),
			  LM_BLOCK_PAGES);
}

START_TEST(set_has_what_was_added_and_finds_runs_in_any_place)
{
	struct flags flags;

	for (int i = 0; i < ROUNDS; i++) {
		struct lm_set set =
			some(&flags, (size_t[]){ 1, 3, 64, 512, 2000 }[i % 5]);
		size_t gone = program_random(&seed) % LM_BLOCK_PAGES;

		check(&set, &flags);
		lm_set_remove(&set, gone);
		flags.has[gone] = false;
		check(&set, &flags);
	}
}
END_TEST

START_TEST(and_and_less_are_those_of_both_and_those_of_one_alone)
{
	struct flags a, b, both, rest;

	for (int i = 0; i < ROUNDS; i++) {
		struct lm_set with = some(&a, 100), without = some(&b, 30);
		struct lm_set of_both = lm_set_and(with, without);
		struct lm_set of_one = lm_set_less(with, without);

		for (size_t k = 0; k < LM_BLOCK_PAGES; k++) {
			both.has[k] = a.has[k] && b.has[k];
			rest.has[k] = a.has[k] && !b.has[k];
		}
		check(&of_both, &both);
		check(&of_one, &rest);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("set");
	TCase *tcase = tcase_create("set");

	seed = program_seed() | 1;
	tcase_add_test(tcase,
		       set_has_what_was_added_and_finds_runs_in_any_place);
	tcase_add_test(tcase,
		       and_and_less_are_those_of_both_and_those_of_one_alone);
	suite_add_tcase(suite, tcase);
	return program_run(suite);
}
