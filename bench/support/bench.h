/*
 * bench.h -- what all measurements share: ways of doing one piece of work, run
 * side by side, and what is reported of them.
 *
 * A row is one piece of work; a way is one contender. Each run of a way is a
 * child process of its own, so that no way finds another's mappings, handlers
 * or threads. In every round all ways run once, one after the other; reported
 * are medians, and ratios are taken within a round before their median is, so
 * that a machine that is slow for a while is slow for both sides of a ratio.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PAGE ((size_t)4096)
#define BENCH_MIB ((size_t)1 << 20)
#define BENCH_MORE 4
#define BENCH_AIMS 6
#define BENCH_WAYS_MAX 16

enum bench_state { BENCH_DONE, BENCH_SKIPPED, BENCH_WRONG };

/* What one run hands back. */
struct bench_result {
	double value;            /* in the row's unit */
	double more[BENCH_MORE]; /* as named by the row */
	enum bench_state state;
	char why[120]; /* skipped, or what is wrong */
};

struct bench_way {
	const char *name;
	void (*run)(const struct bench_way *way, struct bench_result *result);
	/* One of those doing the work without any bookkeeping: the fastest of
	 * them is the row's floor. */
	bool floor;
	/* What these mean is the program's affair. */
	int how;
	size_t cluster; /* 0: the default */
	int threads;    /* 0: one */
	int pattern;
	const char *text;
};

/* The figure of `of`, or of its further figure `more`, against that of `to`
 * ("floor": the fastest of the floors; NULL: taken by itself). */
struct bench_aim {
	const char *of, *to, *more;
	enum { BENCH_AT_MOST, BENCH_AT_LEAST, BENCH_SHOWN } bound;
	double target; /* but for BENCH_SHOWN, which is only to be seen */
};

struct bench_row {
	const char *name, *unit;
	bool rate;                    /* more is better */
	size_t rounds_max;            /* 0: no fewer than usual */
	const struct bench_way *ways; /* the last has no name */
	const char *more[BENCH_MORE];
	struct bench_aim aims[BENCH_AIMS];
	/* Before each run, in the parent, not timed. May be NULL. Returns 0,
	 * or -1: the row is skipped, and why. */
	int (*before)(char *why, size_t len);
};

/* BENCH_QUICK=1: small parameters, few rounds; to see that all works. */
bool bench_quick(void);
/* `full`, or with BENCH_QUICK `quick`. */
size_t bench_size(size_t full, size_t quick);
/* True in one run of each way: it is to look at every byte, after timing. */
extern bool bench_verify;

/*
 * Run these rows (BENCH_ROWS=TEXT, BENCH_WAYS=TEXT: only those, and only ways,
 * whose name contains it), print a table for each and one line of JSON at the end. Returns the exit status: 0
 * unless bytes were wrong or a run crashed.
 */
int bench_run(const char *bench, const struct bench_row *rows, size_t n);

/* For runs: give up on this way, in the words of printf. */
__attribute__((format(printf, 2, 3))) void
bench_skip(struct bench_result *result, const char *format, ...);
__attribute__((format(printf, 2, 3))) void
bench_wrong(struct bench_result *result, const char *format, ...);

double bench_now(void); /* seconds */
double bench_median(double *values, size_t n);

/* Run fn(data, i) in n threads (n 1: in this one) and return the seconds from
 * when the first of them began to when the last was done. */
double bench_threads(int n, void (*fn)(void *data, int i), void *data);

#endif
