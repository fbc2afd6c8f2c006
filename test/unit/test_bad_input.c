/*
 * test_bad_input.c -- wrong arguments get mmap's own errno, and change nothing:
 * no area, no kernel mapping, no descriptor, no byte.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PAGES 16
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define HUGE_LEN ((size_t)1 << 62)
#define LAST_PAGE ((off_t)(INT64_MAX - 4095))

/* Which descriptor, and which address. */
enum file { NONE, BAD, READ, WRITE, BOTH, DIRECTORY, PIPE, APPEND, FILES };
enum where { ANYWHERE, ODD, TAKEN, TOP, WHERES };

static int fd[FILES];
static char *area; /* lazy, and touched in part */
static void *address[WHERES];

static const struct row {
	const char *name;
	enum where where;
	size_t len;
	int prot, flags;
	enum file file;
	off_t offset;
	int error;
} rows[] = {
	{ "length 0", ANYWHERE, 0, PROT_READ, MAP_PRIVATE, READ, 0, EINVAL },
	{ "length 0, anonymous", ANYWHERE, 0, RW, ANON, NONE, 0, EINVAL },
	{ "length that wraps", ANYWHERE, SIZE_MAX, RW, ANON, NONE, 0, ENOMEM },
	{ "length that has no room", ANYWHERE, HUGE_LEN, RW, ANON, NONE, 0,
	  ENOMEM },
	{ "a file's, too", ANYWHERE, HUGE_LEN, PROT_READ, MAP_PRIVATE, READ, 0,
	  ENOMEM },
	{ "fixed, at the end of all", TOP, 2 * PAGE, RW, ANON | MAP_FIXED, NONE,
	  0, ENOMEM },
	{ "offset misaligned", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, READ, 1,
	  EINVAL },
	{ "offset misaligned, shared", ANYWHERE, PAGE, PROT_READ, MAP_SHARED,
	  READ, 2048, EINVAL },
	{ "offset beyond all files", ANYWHERE, 2 * PAGE, PROT_READ, MAP_PRIVATE,
	  READ, LAST_PAGE, EOVERFLOW },
	{ "address misaligned", ODD, PAGE, RW, ANON | MAP_FIXED, NONE, 0,
	  EINVAL },
	{ "the same, not to replace", ODD, PAGE, RW, ANON | MAP_FIXED_NOREPLACE,
	  NONE, 0, EINVAL },
	{ "taken, not to replace", TAKEN, PAGE, RW, ANON | MAP_FIXED_NOREPLACE,
	  NONE, 0, EEXIST },
	{ "no descriptor", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, NONE, 0,
	  EBADF },
	{ "a closed descriptor", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, BAD, 0,
	  EBADF },
	{ "a closed descriptor, fixed", TAKEN, PAGE, PROT_READ,
	  MAP_PRIVATE | MAP_FIXED, BAD, 0, EBADF },
	{ "a write-only file", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, WRITE, 0,
	  EACCES },
	{ "a write-only file, shared", ANYWHERE, PAGE, PROT_WRITE, MAP_SHARED,
	  WRITE, 0, EACCES },
	{ "a write-only file, fixed", TAKEN, PAGE, PROT_READ,
	  MAP_PRIVATE | MAP_FIXED, WRITE, 0, EACCES },
	{ "a read-only file, written", ANYWHERE, PAGE, RW, MAP_SHARED, READ, 0,
	  EACCES },
	{ "a directory", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, DIRECTORY, 0,
	  ENODEV },
	{ "a pipe", ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, PIPE, 0, ENODEV },
	{ "no kind", ANYWHERE, PAGE, PROT_READ, 0, READ, 0, EINVAL },
	{ "no kind, anonymous", ANYWHERE, PAGE, RW, MAP_ANONYMOUS, NONE, 0,
	  EINVAL },
	{ "validated, and unknown flags", ANYWHERE, PAGE, PROT_READ,
	  MAP_SHARED_VALIDATE | 0x200, READ, 0, EOPNOTSUPP },
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static int pipes[2];

static void begin(void)
{
	char *path = strdup(known_path("known"));

	fd[NONE] = -1;
	fd[BAD] = 1000;
	fd[BOTH] = known_file("known", PAGES);
	fd[READ] = open(path, O_RDONLY);
	fd[WRITE] = open(path, O_WRONLY);
	fd[APPEND] = open(path, O_RDWR | O_APPEND);
	fd[DIRECTORY] = open("/", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(pipe(pipes), 0);
	fd[PIPE] = pipes[0];
	free(path);
	area = lazymap_map(NULL, PAGES * PAGE, RW, MAP_PRIVATE, fd[BOTH], 0);
	ck_assert_ptr_ne(area, LAZYMAP_FAILED);
	ck_assert_uint_eq(known_wrong(area + 3 * PAGE, 3), 0);
	area[PAGE] ^= 1;
	address[ODD] = area + 100;
	address[TAKEN] = area;
	address[TOP] = (void *)(UINTPTR_MAX - PAGE + 1);
}

/* All that could be changed. */
struct state {
	struct lazymap_stats stats;
	size_t vm_areas, descriptors, size;
};

static struct state state(void)
{
	struct state now = { .vm_areas = outside_vm_areas(),
			     .descriptors = outside_descriptors(),
			     .size = outside_status("VmSize") };

	ck_assert_int_eq(lazymap_stats(&now.stats, sizeof(now.stats)), 0);
	return now;
}

static void check_same(const char *name, const struct state *before)
{
	struct state now = state();

	ck_assert_msg(!memcmp(&now.stats, &before->stats, sizeof(now.stats)),
		      "%s: the counters have changed", name);
	/* A sanitizer maps memory of its own. */
	ck_assert_msg(program_sanitized("") ||
			      (now.vm_areas == before->vm_areas &&
			       now.size == before->size),
		      "%s: %zu kernel areas, %zu KiB; were %zu, %zu", name,
		      now.vm_areas, now.size, before->vm_areas, before->size);
	ck_assert_msg(now.descriptors == before->descriptors,
		      "%s: %zu descriptors were %zu", name, now.descriptors,
		      before->descriptors);
}

static void check_content(void)
{
	ck_assert_uint_eq(known_wrong(area + PAGE, 1), 1);
	area[PAGE] ^= 1;
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(known_wrong(area + i * PAGE, i), 0);
}

START_TEST(bad_arguments_of_map_get_the_errno_of_mmap_and_change_nothing)
{
	const struct row *row = &rows[_i];
	struct state before;
	void *got;

	begin();
	/* The table is right, and lazymap as the kernel. */
	got = mmap(address[row->where == TAKEN && row->error != EEXIST
				   ? ANYWHERE
				   : row->where],
		   row->len, row->prot,
		   row->where == TAKEN && row->error != EEXIST
			   ? row->flags & ~MAP_FIXED
			   : row->flags,
		   fd[row->file], row->offset);
	if (program_sanitized("thread") && got == MAP_FAILED &&
	    errno == EINVAL && row->error == ENOMEM) {
		printf("skipped: %s: ThreadSanitizer answers for the kernel\n",
		       row->name);
		return;
	}
	ck_assert_msg(got == MAP_FAILED && errno == row->error,
		      "%s: the kernel says %s", row->name, strerror(errno));
	outside_vm_areas();
	before = state();
	errno = 0;
	got = lazymap_map(address[row->where], row->len, row->prot, row->flags,
			  fd[row->file], row->offset);
	ck_assert_msg(got == LAZYMAP_FAILED && errno == row->error,
		      "%s: %p, %s, not %s", row->name, got, strerror(errno),
		      strerror(row->error));
	check_same(row->name, &before);
	check_content();
}
END_TEST

START_TEST(bad_options_of_an_area_are_einval_and_change_nothing)
{
	static const size_t clusters[] = { 1, 4095, 6 * 4096, 1 << 22, 2048 };
	struct lazymap_area_options options = { .size = sizeof(options) };
	struct state before;
	void *got;

	begin();
	before = state();
	options.cluster = clusters[_i];
	got = lazymap_map_with(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd[READ], 0,
			       &options);
	ck_assert_ptr_eq(got, LAZYMAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	check_same("cluster", &before);
	check_content();
}
END_TEST

/* -- Stores ------------------------------------------------------------------------ */

static int read_known(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	known_fill(buf, len, (uint64_t)offset / PAGE);
	return 0;
}

static void never_closed(void *data)
{
	(void)data;
	ck_abort_msg("close of a store that was never mapped");
}

#define SIZE sizeof(struct lazymap_store_ops)

static const struct store_row {
	const char *name;
	size_t size;
	unsigned version, flags;
	int no_ops, no_read;
	enum where where;
	size_t len;
	int prot, how;
	off_t offset;
	int error;
} store_rows[] = {
	{ "no table", SIZE, 1, 0, 1, 0, ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE,
	  0, EINVAL },
	{ "no read", SIZE, 1, 0, 0, 1, ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE,
	  0, EINVAL },
	{ "size 0", 0, 1, 0, 0, 0, ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE, 0,
	  EINVAL },
	{ "size too small", SIZE - 1, 1, 0, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE, 0, EINVAL },
	{ "version 0", SIZE, 0, 0, 0, 0, ANYWHERE, PAGE, PROT_READ, MAP_PRIVATE,
	  0, EINVAL },
	{ "a later version", SIZE, 2, 0, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE, 0, EINVAL },
	{ "an unknown flag", SIZE, 1, 0x80, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE, 0, EINVAL },
	{ "length 0", SIZE, 1, 1, 0, 0, ANYWHERE, 0, PROT_READ, MAP_PRIVATE, 0,
	  EINVAL },
	{ "a length that wraps", SIZE, 1, 1, 0, 0, ANYWHERE, SIZE_MAX,
	  PROT_READ, MAP_PRIVATE, 0, ENOMEM },
	{ "no room", SIZE, 1, 1, 0, 0, ANYWHERE, HUGE_LEN, PROT_READ,
	  MAP_PRIVATE, 0, ENOMEM },
	{ "a negative offset", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE, -4096, EINVAL },
	{ "offset misaligned", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE, 17, EINVAL },
	{ "offset beyond all", SIZE, 1, 1, 0, 0, ANYWHERE, 2 * PAGE, PROT_READ,
	  MAP_PRIVATE, LAST_PAGE, EOVERFLOW },
	{ "address misaligned", SIZE, 1, 1, 0, 0, ODD, PAGE, PROT_READ,
	  MAP_PRIVATE | MAP_FIXED, 0, EINVAL },
	{ "taken", SIZE, 1, 1, 0, 0, TAKEN, PAGE, PROT_READ,
	  MAP_PRIVATE | MAP_FIXED_NOREPLACE, 0, EEXIST },
	{ "shared and writable without write", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE,
	  RW, MAP_SHARED, 0, EACCES },
	{ "no kind", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, PROT_READ, 0, 0,
	  EINVAL },
	{ "execution", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, PROT_READ | PROT_EXEC,
	  MAP_PRIVATE, 0, EINVAL },
	{ "an unknown protection", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, 0x100,
	  MAP_PRIVATE, 0, EINVAL },
	{ "huge pages", SIZE, 1, 1, 0, 0, ANYWHERE, PAGE, PROT_READ,
	  MAP_PRIVATE | MAP_HUGETLB, 0, EINVAL },
};
#define STORE_ROWS ((int)(sizeof(store_rows) / sizeof(store_rows[0])))

START_TEST(bad_stores_get_an_errno_and_change_nothing)
{
	const struct store_row *row = &store_rows[_i];
	struct lazymap_store_ops ops = {
		.size = row->size,
		.version = row->version,
		.flags = row->flags,
		.read = row->no_read ? NULL : read_known,
		.close = never_closed,
	};
	struct lazymap_store_ops good = { .size = sizeof(good),
					  .version = LAZYMAP_STORE_VERSION,
					  .read = read_known };
	struct state before;
	void *got;

	begin();
	/* The first of all finds out what the kernel permits, and has a descriptor
	 * from then on. */
	got = lazymap_map_store(NULL, PAGE, PROT_READ, MAP_PRIVATE, &good, NULL,
				0);
	ck_assert_ptr_ne(got, LAZYMAP_FAILED);
	ck_assert_int_eq(lazymap_unmap(got, PAGE), 0);
	before = state();
	errno = 0;
	got = lazymap_map_store(address[row->where], row->len, row->prot,
				row->how, row->no_ops ? NULL : &ops, NULL,
				row->offset);
	ck_assert_msg(got == LAZYMAP_FAILED && errno == row->error,
		      "%s: %p, %s, not %s", row->name, got, strerror(errno),
		      strerror(row->error));
	check_same(row->name, &before);
	check_content();
}
END_TEST

/* -- The other calls ------------------------------------------------------------------- */

START_TEST(bad_arguments_of_other_calls_change_nothing)
{
	struct lazymap_stats all;
	unsigned char vec[PAGES];
	struct state before;

	begin();
	before = state();
#define BAD_CALL(call, number)                                                 \
	do {                                                                   \
		errno = 0;                                                     \
		ck_assert_int_eq(call, -1);                                    \
		ck_assert_msg(errno == (number), "%s: %s", #call,              \
			      strerror(errno));                                \
		check_same(#call, &before);                                    \
	} while (0)
	BAD_CALL(lazymap_unmap(area + 1, PAGE), EINVAL);
	BAD_CALL(lazymap_unmap(area, 0), EINVAL);
	BAD_CALL(lazymap_unmap(area, SIZE_MAX), EINVAL);
	BAD_CALL(lazymap_protect(area + 1, PAGE, PROT_READ), EINVAL);
	BAD_CALL(lazymap_protect(area, PAGE, 0x100), EINVAL);
	BAD_CALL(lazymap_protect(area, SIZE_MAX, PROT_READ), ENOMEM);
	BAD_CALL(lazymap_sync(area + 1, PAGE, MS_SYNC), EINVAL);
	BAD_CALL(lazymap_sync(area, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	BAD_CALL(lazymap_sync(area, PAGE, 0x100), EINVAL);
	BAD_CALL(lazymap_advise(area + 1, PAGE, MADV_DONTNEED), EINVAL);
	BAD_CALL(lazymap_advise(area, PAGE, 12345), EINVAL);
	BAD_CALL(lazymap_resident(area + 1, PAGE, vec), EINVAL);
	BAD_CALL(lazymap_lock(area, PAGE, 0x100), EINVAL);
	BAD_CALL(lazymap_pin(area, PAGE, 2), EINVAL);
	BAD_CALL(lazymap_pin(area, SIZE_MAX, LAZYMAP_READ), EFAULT);
	BAD_CALL(lazymap_stats(NULL, sizeof(all)), EINVAL);
	BAD_CALL(lazymap_stats(&all, 0), EINVAL);
	BAD_CALL(lazymap_start(NULL), EBUSY);
#undef BAD_CALL
	ck_assert_ptr_eq(lazymap_remap(area, PAGE, 0, 0, NULL), LAZYMAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_eq(lazymap_remap(area + 1, PAGE, PAGE, 0, NULL),
			 LAZYMAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_eq(lazymap_remap(area, PAGE, PAGE, 0x100, NULL),
			 LAZYMAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	check_same("remap", &before);
	check_content();
}
END_TEST

/* -- Starting ----------------------------------------------------------------------------- */

static const struct start_row {
	const char *variable, *value;
	struct lazymap_options options;
	int error;
} start_rows[] = {
	{ "LAZYMAP_TRAP", "magic", { 0 }, EINVAL },
	{ "LAZYMAP_PLACE", "magic", { 0 }, EINVAL },
	{ "LAZYMAP_CLUSTER", "3000", { 0 }, EINVAL },
	{ "LAZYMAP_CLUSTER", "4M", { 0 }, EINVAL },
	{ "LAZYMAP_CLUSTER", "64KB", { 0 }, EINVAL },
	{ "LAZYMAP_CLUSTER", "-4096", { 0 }, EINVAL },
	{ "LAZYMAP_CLUSTER", "x", { 0 }, EINVAL },
	{ NULL, NULL, { .trap = "magic" }, EINVAL },
	{ NULL, NULL, { .place = "magic" }, EINVAL },
	{ NULL, NULL, { .cluster = 5000 }, EINVAL },
	{ NULL, NULL, { .cluster = (size_t)1 << 22 }, EINVAL },
	/* What the call says wins. */
	{ "LAZYMAP_TRAP", "magic", { .trap = "native" }, 0 },
	{ "LAZYMAP_PLACE", "magic", { .place = "auto" }, 0 },
	{ "LAZYMAP_CLUSTER", "1", { .cluster = 4096 }, 0 },
	{ "LAZYMAP_CLUSTER", "2M", { 0 }, 0 },
	{ "LAZYMAP_CLUSTER", "", { 0 }, 0 },
};
#define START_ROWS ((int)(sizeof(start_rows) / sizeof(start_rows[0])))

static char told[256];

static int on_error(const struct lazymap_error *error, void *data)
{
	(void)data;
	if (error->kind == LAZYMAP_ERROR_START)
		snprintf(told, sizeof(told), "%s", error->what);
	return 1;
}

START_TEST(bad_options_are_named_and_a_right_start_may_follow)
{
	const struct start_row *row = &start_rows[_i];
	struct lazymap_options options = row->options;
	struct sigaction before, after;

	options.size = sizeof(options);
	lazymap_on_error(on_error, NULL);
	if (row->variable)
		setenv(row->variable, row->value, 1);
	sigaction(SIGSEGV, NULL, &before);
	if (!row->error) {
		ck_assert_int_eq(lazymap_start(&options), 0);
		return;
	}
	ck_assert_int_eq(lazymap_start(&options), -1);
	ck_assert_int_eq(errno, row->error);
	ck_assert_msg(told[0], "nothing was said");
	if (row->variable)
		ck_assert_msg(strstr(told, row->variable), "%s", told);
	sigaction(SIGSEGV, NULL, &after);
	ck_assert(before.sa_handler == after.sa_handler);
	if (row->variable)
		unsetenv(row->variable);
	ck_assert_int_eq(lazymap_start(NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bad_input");
	TCase *bad = tcase_create("bad input");

	tcase_add_loop_test(
		bad,
		bad_arguments_of_map_get_the_errno_of_mmap_and_change_nothing,
		0, ROWS);
	tcase_add_loop_test(
		bad, bad_options_of_an_area_are_einval_and_change_nothing, 0,
		5);
	tcase_add_loop_test(bad, bad_stores_get_an_errno_and_change_nothing, 0,
			    STORE_ROWS);
	tcase_add_test(bad, bad_arguments_of_other_calls_change_nothing);
	tcase_add_loop_test(bad,
			    bad_options_are_named_and_a_right_start_may_follow,
			    0, START_ROWS);
	suite_add_tcase(suite, bad);
	return program_run(suite);
}
