/*
 * heap.c -- run by test_heap_once.sh: what malloc's family promises, for
 * allocations that are large, small, and change from one to the other.
 * Prints what has to be the same with lazymap and without.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static void must(int ok, const char *what)
{
	if (ok)
		return;
	printf("wrong: %s\n", what);
	exit(1);
}

static int all(const char *p, size_t n, int byte)
{
	return !n || (p[0] == byte && !memcmp(p, p + 1, n - 1));
}

static void resizing(void)
{
	static const size_t sizes[] = { 100,     5 * MIB, 20 * MIB, 3 * MIB,
					100,     MIB,     MIB - 1,  MIB + 1,
					7 * MIB, 16,      0 };
	char *p = malloc(5000);
	size_t have = 5000;

	memset(p, 'x', have);
	for (int i = 0; sizes[i]; i++) {
		p = realloc(p, sizes[i]);
		must(p != NULL, "realloc");
		must(malloc_usable_size(p) >= sizes[i], "usable size");
		if (sizes[i] < have)
			have = sizes[i];
		must(all(p, have, 'x'), "contents after realloc");
		have = sizes[i];
		memset(p, 'x', have);
	}
	free(p);
}

static void zeros(void)
{
	for (int i = 0; i < 3; i++) {
		char *p = calloc(MIB, 7);

		must(p && all(p, 7 * MIB, 0), "calloc is zeros");
		memset(p, 'y', 7 * MIB);
		free(p);
	}
}

static void alignment(void)
{
	for (size_t align = sizeof(void *); align <= 16 * MIB; align *= 2) {
		void *p = NULL;

		must(!posix_memalign(&p, align, 3 * MIB) &&
			     !((uintptr_t)p & (align - 1)),
		     "posix_memalign");
		memset(p, 3, 3 * MIB);
		free(p);
		p = aligned_alloc(align, 2 * MIB);
		must(p && !((uintptr_t)p & (align - 1)), "aligned_alloc");
		free(p);
		p = memalign(align, 100);
		must(p && !((uintptr_t)p & (align - 1)), "memalign");
		free(p);
	}
	must(posix_memalign(&(void *){ NULL }, 3, 2 * MIB) == EINVAL,
	     "posix_memalign of 3");
	for (int i = 0; i < 2; i++) {
		char *p = i ? pvalloc(2 * MIB + 1) : valloc(2 * MIB + 1);

		must(p && !((uintptr_t)p & 4095), "valloc");
		must(malloc_usable_size(p) >= 2 * MIB + (i ? 4096 : 1),
		     "usable size of valloc");
		memset(p, 4, malloc_usable_size(p));
		free(p);
	}
}

static void errors(void)
{
	/* The compiler must not know. */
	volatile size_t huge = (size_t)1 << 62, over = SIZE_MAX - 100;
	char *p = malloc(2 * MIB);

	p[0] = 'z';
	errno = 0;
	must(!malloc(huge) && errno == ENOMEM, "malloc of too much");
	errno = 0;
	must(!malloc(over) && errno == ENOMEM, "malloc of more");
	errno = 0;
	must(!calloc(huge, 16) && errno == ENOMEM, "calloc that overflows");
	errno = 0;
	must(!realloc(p, huge) && errno == ENOMEM && p[0] == 'z',
	     "realloc of too much leaves the old");
	errno = 0;
	must(!reallocarray(p, huge, 16) && errno == ENOMEM && p[0] == 'z',
	     "reallocarray that overflows");
	errno = 77;
	free(p);
	must(errno == 77, "free keeps errno");
	free(NULL);
}

/* What was freed comes back for the next of its size, and is no memory that was
 * never asked for: zeros where those are promised. */
static void again(void)
{
	static const size_t sizes[] = { 70000, 100000, 300000, MIB - 5000 };
	char *p, *other;

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < 4; i++) {
			p = malloc(sizes[i]);
			other = malloc(sizes[i] - 100);
			must(p && other, "malloc again");
			memset(p, 'p', malloc_usable_size(p));
			memset(other, 'o', malloc_usable_size(other));
			must(all(p, sizes[i], 'p'), "two are apart");
			free(p);
			free(other);
			p = calloc(1, sizes[i]);
			must(p && all(p, sizes[i], 0), "calloc again");
			memset(p, 'z', malloc_usable_size(p));
			p = realloc(p, 2 * sizes[i]);
			must(p && all(p, sizes[i], 'z'), "realloc again");
			free(p);
		}
	malloc_trim(0);
	p = calloc(1, 100000);
	must(p && all(p, 100000, 0), "calloc after malloc_trim");
	free(p);
}

static size_t resident(void)
{
	unsigned long all_of_it, here = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &all_of_it, &here) != 2)
		here = 0;
	if (f)
		fclose(f);
	return here * 4096;
}

/* heap freed SIZE: 64 of them, touched and freed. How many KiB of that are still
 * in memory, and after malloc_trim. */
static int freed(size_t size)
{
	static char *kept[64];
	size_t before = resident(), now[2];

	for (int i = 0; i < 64; i++) {
		kept[i] = malloc(size);
		memset(kept[i], i, size);
	}
	for (int i = 0; i < 64; i++)
		free(kept[i]);
	for (int i = 0; i < 2; i++) {
		now[i] = resident();
		now[i] = now[i] < before ? 0 : now[i] - before;
		malloc_trim(0);
	}
	printf("%zu %zu\n", now[0] >> 10, now[1] >> 10);
	return 0;
}

/* heap often SIZE: one after the other, each touched and freed. */
static int often(size_t size)
{
	for (int i = 0; i < 1000; i++) {
		char *p = malloc(size);

		must(p != NULL, "often");
		memset(p, i, size);
		must(all(p, size, (char)i), "contents of often");
		free(p);
	}
	return 0;
}

static void *churn(void *which)
{
	unsigned seed = (unsigned)(uintptr_t)which;
	char *kept[16] = { NULL };
	size_t size[16] = { 0 };

	for (int n = 0; n < 1500; n++) {
		int i = rand_r(&seed) % 16;

		if (kept[i]) {
			must(all(kept[i], 4096, i) && kept[i][size[i] - 1] == i,
			     "contents under threads");
			free(kept[i]);
			kept[i] = NULL;
			continue;
		}
		size[i] = 4096 + (size_t)rand_r(&seed) % (3 * MIB);
		kept[i] = malloc(size[i]);
		must(kept[i] != NULL, "malloc under threads");
		memset(kept[i], i, 4096);
		kept[i][size[i] - 1] = (char)i;
	}
	for (int i = 0; i < 16; i++)
		free(kept[i]);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (size_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, churn, (void *)(i + 1));
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void forks(void)
{
	char *p = malloc(8 * MIB);
	int status;

	memset(p, 'f', 8 * MIB);
	for (int i = 0; i < 3; i++) {
		if (!fork()) {
			must(all(p, 8 * MIB, 'f'), "contents in a child");
			p = realloc(p, 12 * MIB);
			memset(p, 'c', 12 * MIB);
			free(p);
			churn((void *)9);
			_exit(0);
		}
		must(wait(&status) > 0 && !status, "child");
	}
	must(all(p, 8 * MIB, 'f'), "contents after children");
	free(p);
}

static void *get(const char *function, size_t size)
{
	void *p = NULL;

	if (!strcmp(function, "malloc"))
		return malloc(size);
	if (!strcmp(function, "calloc"))
		return calloc(size / 16, 16);
	if (!strcmp(function, "realloc"))
		return realloc(malloc(100), size);
	if (!strcmp(function, "reallocarray"))
		return reallocarray(NULL, size / 16, 16);
	if (!strcmp(function, "aligned_alloc"))
		return aligned_alloc(64, size);
	if (!strcmp(function, "memalign"))
		return memalign(64, size);
	if (!strcmp(function, "valloc"))
		return valloc(size);
	if (!strcmp(function, "pvalloc"))
		return pvalloc(size);
	must(!posix_memalign(&p, 64, size), function);
	return p;
}

static unsigned word(size_t k, int i)
{
	return (unsigned)k * 2654435761u + (unsigned)i;
}

/* heap FUNCTION SIZE: 64 of them, written and read. Or none can be had. */
static int use(const char *function, size_t size)
{
	static unsigned *kept[64];

	for (int i = 0; i < 64; i++) {
		kept[i] = get(function, size);
		if (!kept[i]) {
			printf("%d allocations, %s\n", i, strerror(errno));
			return 3;
		}
		for (size_t k = 0; k < size / sizeof(unsigned); k++)
			kept[i][k] = word(k, i);
	}
	for (int i = 0; i < 64; i++) {
		for (size_t k = 0; k < size / sizeof(unsigned); k++)
			must(kept[i][k] == word(k, i), function);
		free(kept[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (size && !strcmp(argv[1], "freed"))
		return freed(size);
	if (size && !strcmp(argv[1], "often"))
		return often(size);
	if (size)
		return use(argv[1], size);
	resizing();
	zeros();
	again();
	alignment();
	errors();
	threads();
	forks();
	puts("all as it should be");
	return 0;
}
