/*
 * watched.c -- see watched.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "watched.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

char *watched_base;
_Atomic unsigned watched_reads[WATCHED_MAX];
_Atomic size_t watched_stop_at = WATCHED_NONE, watched_bad_from = WATCHED_NONE;
_Atomic bool watched_stopped;
_Atomic unsigned watched_reports, watched_closed;

static _Atomic unsigned reading;

void watched_nap(void)
{
	struct timespec moment = { .tv_nsec = 100000 };

	nanosleep(&moment, NULL);
}

void watched_wait_for(_Atomic bool *what)
{
	for (int i = 0; i < 300000 && !*what; i++)
		watched_nap();
	ck_assert(*what);
}

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	size_t first = (size_t)offset / PAGE, n = len / PAGE;

	(void)data;
	reading++;
	while (first <= watched_stop_at && watched_stop_at < first + n) {
		watched_stopped = true;
		watched_nap();
	}
	for (size_t i = first; i < first + n; i++)
		watched_reads[i]++;
	known_fill(buf, len, first);
	reading--;
	return first + n > watched_bad_from ? -EIO : 0;
}

static void close_known(void *data)
{
	(void)data;
	watched_closed = 1 + reading;
}

struct lazymap_store_ops watched_ops = {
	.size = sizeof(watched_ops),
	.version = LAZYMAP_STORE_VERSION,
	.read = read_known,
	.close = close_known,
};

static int report(const struct lazymap_error *error, void *data)
{
	(void)data;
	(void)error;
	watched_reports++;
	return 0;
}

void watched_begin(const struct lazymap_options *wanted, size_t pages)
{
	struct lazymap_options options = *wanted;

	ck_assert_uint_le(pages, WATCHED_MAX);
	options.size = sizeof(options);
	lazymap_on_error(report, NULL);
	ck_assert_int_eq(lazymap_start(&options), 0);
	watched_base =
		lazymap_map_store(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE, &watched_ops, NULL, 0);
	ck_assert_ptr_ne(watched_base, LAZYMAP_FAILED);
}

struct lazymap_stats watched_stats(void)
{
	struct lazymap_stats now;

	ck_assert_int_eq(lazymap_stats(&now, sizeof(now)), 0);
	return now;
}

static void *let_go(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		watched_nap();
	ck_assert_uint_eq(watched_closed, 0);
	watched_stop_at = WATCHED_NONE;
	return NULL;
}

void watched_unmap_while_reading(size_t pages)
{
	pthread_t thread;

	watched_wait_for(&watched_stopped);
	ck_assert_int_eq(pthread_create(&thread, NULL, let_go, NULL), 0);
	ck_assert_int_eq(lazymap_unmap(watched_base, pages * PAGE), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(watched_closed, 1);
}
