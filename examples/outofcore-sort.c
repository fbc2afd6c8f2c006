/*
 * outofcore-sort -- sort more integers than there is memory for.
 *
 *	outofcore-sort [MIB [RESIDENT-MIB]]
 *
 * Sorts MIB (1024) mebibytes of random integers in anonymous memory while at
 * most RESIDENT-MIB (128) of it are resident: runs that fit are sorted in
 * place, then merged as streams into a second area. The program does no I/O;
 * what does not fit goes to lazymap's swap and comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <lazymap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((size_t)1 << 20)
#define RUNS_MAX 256

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t *map_numbers(size_t bytes)
{
	void *at = lazymap_map(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == LAZYMAP_FAILED) {
		perror("lazymap_map");
		exit(1);
	}
	return at;
}

/* The run whose next number is the smallest, at heap[0]. */
struct run {
	const uint64_t *next, *end;
};

static void sift_down(struct run *heap, size_t n, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;
		struct run run = heap[i];

		for (size_t c = child; c < child + 2 && c < n; c++)
			if (*heap[c].next < *heap[least].next)
				least = c;
		if (least == i)
			return;
		heap[i] = heap[least];
		heap[least] = run;
		i = least;
	}
}

static void merge(struct run *heap, size_t n, uint64_t *out)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(heap, n, i);
	while (n) {
		*out++ = *heap[0].next++;
		if (heap[0].next == heap[0].end)
			heap[0] = heap[--n];
		sift_down(heap, n, 0);
	}
}

static void show(const char *what)
{
	struct lazymap_stats stats;

	lazymap_stats(&stats, sizeof(stats));
	printf("%-8s resident %4zu MiB; evicted %7llu pages, swapped out %7llu, "
	       "in %7llu\n",
	       what, (size_t)(stats.resident / MIB),
	       (unsigned long long)stats.pages_evicted,
	       (unsigned long long)stats.pages_swapped_out,
	       (unsigned long long)stats.pages_swapped_in);
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 1024) * MIB;
	size_t limit = (argc > 2 ? strtoul(argv[2], NULL, 10) : 128) * MIB;
	size_t count = bytes / sizeof(uint64_t), n = 0;
	size_t step = limit / 4 / sizeof(uint64_t);
	uint64_t state = 88172645463325252u, sum = 0, *numbers, *sorted;
	static struct run runs[RUNS_MAX];

	if (!bytes || lazymap_limit(limit)) {
		fprintf(stderr, "usage: outofcore-sort [MIB [RESIDENT-MIB]]\n");
		return 2;
	}
	if (count / RUNS_MAX > step)
		step = count / RUNS_MAX + 1;
	numbers = map_numbers(bytes);
	for (size_t i = 0; i < count; i++)
		sum += numbers[i] = next_random(&state);
	show("filled:");

	for (size_t at = 0; at < count; at += step, n++) {
		size_t len = count - at < step ? count - at : step;

		qsort(numbers + at, len, sizeof(*numbers), compare);
		runs[n].next = numbers + at;
		runs[n].end = numbers + at + len;
	}
	show("runs:");

	sorted = map_numbers(bytes);
	merge(runs, n, sorted);
	show("merged:");

	for (size_t i = 0; i < count; i++) {
		sum -= sorted[i];
		if (i && sorted[i - 1] > sorted[i]) {
			printf("NOT sorted at %zu\n", i);
			return 1;
		}
	}
	printf("%zu MiB sorted in %zu MiB: %s\n", bytes / MIB, limit / MIB,
	       sum ? "NOT the same numbers" : "in order, none lost");
	return sum != 0;
}
