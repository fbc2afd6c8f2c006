/*
 * report.h -- what was measured, as a table and as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"

#define BENCH_ROUNDS_MAX 32

struct measured {
	const struct bench_row *row; /* NULL: not wanted */
	size_t ways, rounds;
	struct bench_result result[BENCH_WAYS_MAX][BENCH_ROUNDS_MAX];
	enum bench_state state[BENCH_WAYS_MAX];
	char why[BENCH_WAYS_MAX][120];
	char skipped[120]; /* the whole row, and why */
};

void report_table(const struct measured *all);
void report_json(const char *bench, const struct measured *all, size_t n);

#endif
