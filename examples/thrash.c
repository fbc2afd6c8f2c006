/*
 * thrash -- why the order in which memory is used matters.
 *
 *	thrash [N [RESIDENT-KIB]]
 *
 * Adds up an N by N (512) matrix of doubles by rows and then by columns, with
 * RESIDENT-KIB (512) of its 2 MiB resident. By rows each page comes in once; by
 * columns every step is on another page, and has pushed it out again before
 * the next column needs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct lazymap_stats stats(void)
{
	struct lazymap_stats now;

	lazymap_stats(&now, sizeof(now));
	return now;
}

static unsigned long long faults(const struct lazymap_stats *s)
{
	return s->faults_read + s->faults_write;
}

/* Add up all elements, `inner` apart within a pass and `outer` between. */
static double add_up(const double *matrix, size_t n, size_t outer, size_t inner)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			sum += matrix[i * outer + k * inner];
	return sum;
}

static double timed(const char *how, const double *matrix, size_t n,
		    size_t outer, size_t inner)
{
	struct lazymap_stats before = stats(), after;
	double from = seconds(), sum = add_up(matrix, n, outer, inner);

	after = stats();
	printf("by %-8s %9.0f ms  %8llu faults  %8llu pages swapped in\n", how,
	       (seconds() - from) * 1e3, faults(&after) - faults(&before),
	       (unsigned long long)(after.pages_swapped_in -
				    before.pages_swapped_in));
	return sum;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 512;
	size_t limit = argc > 2 ? strtoul(argv[2], NULL, 10) : 512;
	double *matrix, rows, columns;

	if (!n || lazymap_limit(limit << 10)) {
		fprintf(stderr, "usage: thrash [N [RESIDENT-KIB]]\n");
		return 2;
	}
	matrix = lazymap_map(NULL, n * n * sizeof(*matrix),
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (matrix == LAZYMAP_FAILED) {
		perror("lazymap_map");
		return 1;
	}
	for (size_t i = 0; i < n * n; i++)
		matrix[i] = (double)(i % 1000);
	printf("%zu x %zu, %zu KiB, of which %zu KiB resident\n", n, n,
	       n * n * sizeof(*matrix) >> 10, limit);
	rows = timed("rows:", matrix, n, n, 1);
	columns = timed("columns:", matrix, n, 1, n);
	if (rows == columns)
		return 0;
	printf("the sums differ\n");
	return 1;
}
