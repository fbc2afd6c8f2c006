/*
 * bench.c -- rounds, medians, and running each way in a child. See bench.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

/* No run takes so long but one that hangs. */
#define RUN_SECONDS 900
#define THREADS_MAX 16

bool bench_verify;

bool bench_quick(void)
{
	const char *text = getenv("BENCH_QUICK");

	return text && *text && strcmp(text, "0");
}

size_t bench_size(size_t full, size_t quick)
{
	return bench_quick() ? quick : full;
}

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare);
	return n ? values[n / 2] : 0;
}

void bench_skip(struct bench_result *result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(result->why, sizeof(result->why), format, ap);
	va_end(ap);
	result->state = BENCH_SKIPPED;
}

void bench_wrong(struct bench_result *result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(result->why, sizeof(result->why), format, ap);
	va_end(ap);
	result->state = BENCH_WRONG;
}

/* -- Threads ------------------------------------------------------------------ */

struct job {
	void (*fn)(void *data, int i);
	void *data;
	int i;
	pthread_barrier_t *barrier;
	double from, to;
};

static void *job_run(void *data)
{
	struct job *job = data;

	pthread_barrier_wait(job->barrier);
	job->from = bench_now();
	job->fn(job->data, job->i);
	job->to = bench_now();
	return NULL;
}

double bench_threads(int n, void (*fn)(void *data, int i), void *data)
{
	struct job jobs[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	pthread_barrier_t barrier;
	double from, to;

	if (n <= 1) {
		from = bench_now();
		fn(data, 0);
		return bench_now() - from;
	}
	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		jobs[i] = (struct job){ fn, data, i, &barrier, 0, 0 };
		if (pthread_create(&threads[i], NULL, job_run, &jobs[i]))
			abort();
	}
	/* Each looks at the clock by itself: where there are fewer processors
	 * than threads, another may see the start too late. */
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	from = jobs[0].from;
	to = jobs[0].to;
	for (int i = 1; i < n; i++) {
		from = jobs[i].from < from ? jobs[i].from : from;
		to = jobs[i].to > to ? jobs[i].to : to;
	}
	return to - from;
}

/* -- One run ------------------------------------------------------------------- */

static void run_child(const struct bench_way *way, struct bench_result *shared)
{
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(RUN_SECONDS);
		way->run(way, shared);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		bench_wrong(shared, "fork: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		bench_wrong(shared, "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		bench_wrong(shared, "ended with %d", WEXITSTATUS(status));
}

/* -- Rounds -------------------------------------------------------------------- */

static size_t rounds_of(const struct bench_row *row)
{
	const char *text = getenv("BENCH_ROUNDS");
	size_t rounds = bench_size(5, 3);

	if (text && atoi(text) > 0)
		return (size_t)atoi(text) < BENCH_ROUNDS_MAX
			       ? (size_t)atoi(text)
			       : BENCH_ROUNDS_MAX;
	if (row->rounds_max && row->rounds_max < rounds)
		rounds = row->rounds_max;
	return rounds;
}

static bool run_once(struct measured *all, size_t way, size_t round,
		     struct bench_result *shared)
{
	const struct bench_row *row = all->row;

	if (row->before && row->before(all->skipped, sizeof(all->skipped)))
		return false;
	bench_verify = round == 0;
	run_child(&row->ways[way], shared);
	all->result[way][round] = *shared;
	if (shared->state > all->state[way]) {
		all->state[way] = shared->state;
		memcpy(all->why[way], shared->why, sizeof(all->why[way]));
	}
	return true;
}

/* Returns true if bytes were wrong. */
static bool measure(struct measured *all, struct bench_result *shared)
{
	const char *only = getenv("BENCH_WAYS");
	bool wrong = false;

	for (; all->row->ways[all->ways].name; all->ways++)
		if (only && !strstr(all->row->ways[all->ways].name, only)) {
			all->state[all->ways] = BENCH_SKIPPED;
			strcpy(all->why[all->ways], "not asked for");
		}
	all->rounds = rounds_of(all->row);
	for (size_t r = 0; r < all->rounds; r++)
		for (size_t w = 0; w < all->ways; w++)
			if (all->state[w] == BENCH_DONE &&
			    !run_once(all, w, r, shared))
				return false;
	for (size_t w = 0; w < all->ways; w++)
		wrong |= all->state[w] == BENCH_WRONG;
	return wrong;
}

static bool wanted(const struct bench_row *row)
{
	const char *text = getenv("BENCH_ROWS");

	return !text || strstr(row->name, text);
}

int bench_run(const char *bench, const struct bench_row *rows, size_t n)
{
	struct bench_result *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct measured *all = calloc(n, sizeof(*all));
	bool wrong = false;

	if (shared == MAP_FAILED || !all) {
		perror(bench);
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (!wanted(&rows[i]))
			continue;
		all[i].row = &rows[i];
		wrong |= measure(&all[i], shared);
		report_table(&all[i]);
	}
	report_json(bench, all, n);
	free(all);
	return wrong;
}
