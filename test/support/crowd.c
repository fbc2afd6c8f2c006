/*
 * crowd.c -- see crowd.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "crowd.h"

#include "known.h"
#include "lazymap.h"
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS (PAGE / sizeof(uint64_t))
#define PAGES_MAX 65536

static const struct scene *scene;
static char *area;
static size_t page_count;
static int file = -1;
static pthread_barrier_t start_line;
/* How often the store was asked for each page. */
static atomic_uchar reads[PAGES_MAX];
static atomic_ulong wrong;

/* -- What is mapped ----------------------------------------------------------- */

static char *mapped(void *at)
{
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	return at;
}

static char *map_file(size_t pages, int prot, int flags)
{
	char *at;

	file = known_file("known", pages);
	at = mapped(lazymap_map(NULL, pages * PAGE, prot, flags, file, 0));
	if (flags == MAP_PRIVATE) {
		close(file);
		unlink(known_path("known"));
	}
	return at;
}

static char *file_private(size_t pages)
{
	return map_file(pages, PROT_READ, MAP_PRIVATE);
}

static char *file_private_written(size_t pages)
{
	return map_file(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static char *file_shared(size_t pages)
{
	return map_file(pages, PROT_READ, MAP_SHARED);
}

static char *file_shared_written(size_t pages)
{
	return map_file(pages, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static char *anonymous_written(size_t pages)
{
	return mapped(lazymap_map(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	size_t first = (size_t)offset / PAGE;

	(void)data;
	for (size_t i = 0; i < len / PAGE; i++)
		atomic_fetch_add_explicit(&reads[first + i], 1,
					  memory_order_relaxed);
	known_fill(buf, len, first);
	return 0;
}

static char *store(size_t pages, int prot, unsigned flags)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = flags,
		.read = read_known,
	};

	return mapped(lazymap_map_store(NULL, pages * PAGE, prot, MAP_PRIVATE,
					&ops, NULL, 0));
}

static char *store_in_handler(size_t pages)
{
	return store(pages, PROT_READ, LAZYMAP_STORE_IN_HANDLER);
}

static char *store_in_handler_written(size_t pages)
{
	return store(pages, PROT_READ | PROT_WRITE, LAZYMAP_STORE_IN_HANDLER);
}

static char *store_by_worker(size_t pages)
{
	return store(pages, PROT_READ, 0);
}

const struct scene scenes[] = {
	{ "a private file", file_private, 0, 0, 0, 0 },
	{ "a private file, written", file_private_written, 0, 1, 0, 0 },
	{ "a shared file", file_shared, 0, 0, 0, 0 },
	{ "a shared file, written", file_shared_written, 0, 1, 1, 0 },
	{ "anonymous memory, written", anonymous_written, 1, 1, 0, 0 },
	{ "a store in the handler", store_in_handler, 0, 0, 0, 1 },
	{ "a store in the handler, written", store_in_handler_written, 0, 1, 0,
	  1 },
	{ "a store by a worker", store_by_worker, 0, 0, 0, 1 },
};
const int scene_count = sizeof(scenes) / sizeof(scenes[0]);

/* -- What is done with it ----------------------------------------------------- */

static uint64_t initial(size_t page, size_t word)
{
	return scene->zeros ? 0 : known_word(page, word);
}

static uint64_t mark_of(size_t page, size_t thread)
{
	return ~known_word(page, thread) * 2 + 1;
}

/* Every word that no thread writes. */
static size_t wrong_words(const volatile uint64_t *word, size_t page)
{
	size_t n = 0;

	for (size_t i = scene->writes ? CROWD : 0; i < WORDS; i++)
		n += word[i] != initial(page, i);
	return n;
}

static size_t visit(size_t page, size_t thread)
{
	volatile uint64_t *word = (uint64_t *)(area + page * PAGE);
	size_t n = 0;

	/* Half of the threads look first, half write first. */
	if (!scene->writes || thread & 1)
		n += wrong_words(word, page);
	if (scene->writes) {
		if (thread & 1)
			n += word[thread] != initial(page, thread);
		word[thread] = mark_of(page, thread);
		n += word[thread] != mark_of(page, thread);
		n += wrong_words(word, page);
	}
	return n;
}

static void shuffle(uint32_t *order, size_t n, uint64_t random)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = program_random(&random) % (i + 1);
		uint32_t was = order[i];

		order[i] = order[j];
		order[j] = was;
	}
}

static void *walk(void *argument)
{
	size_t thread = (size_t)argument, n = 0;
	uint32_t *order = malloc(page_count * sizeof(*order));

	/* In pairs: two threads in the same order are at the same pages at
	 * the same time. */
	shuffle(order, page_count, program_seed() + thread / 2 + 1);
	pthread_barrier_wait(&start_line);
	for (size_t i = 0; i < page_count; i++)
		n += visit(order[i], thread);
	atomic_fetch_add(&wrong, n);
	free(order);
	return NULL;
}

static void check_end(void)
{
	static uint64_t buf[WORDS];
	size_t n = 0;

	for (size_t page = 0; page < page_count; page++) {
		const uint64_t *word = (uint64_t *)(area + page * PAGE);

		for (size_t i = 0; scene->writes && i < CROWD; i++)
			n += word[i] != mark_of(page, i);
		n += wrong_words(word, page);
		if (!scene->shared)
			continue;
		ck_assert_int_eq(pread(file, buf, PAGE, (off_t)(page * PAGE)),
				 (ssize_t)PAGE);
		n += memcmp(buf, word, PAGE) != 0;
	}
	ck_assert_msg(n == 0, "%s: %zu words are wrong at the end", scene->name,
		      n);
}

static void check_counts(size_t cluster)
{
	struct lazymap_stats stats;
	size_t often = 0;

	for (size_t page = 0; page < page_count; page++)
		often += scene->store && atomic_load(&reads[page]) != 1;
	ck_assert_msg(!often, "%s: %zu pages were not read once", scene->name,
		      often);
	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.pages_filled, page_count);
	ck_assert_uint_eq(stats.bytes_filled, page_count * PAGE);
	ck_assert_uint_eq(stats.resident, page_count * PAGE);
	ck_assert_uint_eq(stats.pages_dropped, 0);
	ck_assert_uint_eq(stats.faults_failed, 0);
	ck_assert_uint_eq(stats.faults_foreign, 0);
	if (cluster == PAGE)
		ck_assert_uint_eq(stats.faults_read + stats.faults_write,
				  page_count);
	printf("%s, clusters of %zu: %zu touches, %llu faults, %llu more for "
	       "writing, %llu waited\n",
	       scene->name, cluster, page_count * CROWD,
	       (unsigned long long)(stats.faults_read + stats.faults_write),
	       (unsigned long long)stats.faults_upgrade,
	       (unsigned long long)stats.faults_waited);
}

void crowd_run(const struct scene *the_scene, size_t pages, size_t cluster)
{
	struct lazymap_options options = { .size = sizeof(options),
					   .cluster = cluster };
	pthread_t thread[CROWD];

	ck_assert_uint_le(pages, PAGES_MAX);
	ck_assert_int_eq(lazymap_start(&options), 0);
	scene = the_scene;
	page_count = pages;
	area = scene->map(pages);
	ck_assert_int_eq(pthread_barrier_init(&start_line, NULL, CROWD), 0);
	for (size_t i = 0; i < CROWD; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, walk, (void *)i), 0);
	for (size_t i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	ck_assert_msg(!atomic_load(&wrong), "%s: %lu words were wrong",
		      scene->name, atomic_load(&wrong));
	check_end();
	check_counts(cluster);
	ck_assert_int_eq(lazymap_unmap(area, pages * PAGE), 0);
}
