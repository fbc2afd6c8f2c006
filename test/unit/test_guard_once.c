/*
 * test_guard_once.c -- pages that are hidden by guard regions hold what pages
 * hidden by their protection hold, through every call that changes areas: each
 * test runs with both, for every kind of area that can have guard regions.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "caught.h"
#include "guarded.h"
#include "lazymap.h"
#include "others.h"
#include "outside.h"
#include "program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static struct guarded area;

static char *page_at(size_t page)
{
	return area.at + page * PAGE;
}

static void begin(int i)
{
	caught_install();
	guarded_begin(&area, i, GUARDED_PAGES);
	guarded_open(&area, 3);
}

/* -- Touches ------------------------------------------------------------------ */

static size_t vm_areas_max(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	size_t max = 0;

	ck_assert_int_eq(fscanf(file, "%zu", &max), 1);
	fclose(file);
	return max;
}

static size_t sparse_stride;

static int read_sparse(void *data, void *buf, size_t len, off_t offset)
{
	(void)data;
	memset(buf, 0, len);
	for (size_t at = 0; at < len; at += PAGE) {
		uint64_t page = ((uint64_t)offset + at) / sparse_stride;

		if (((uint64_t)offset + at) % sparse_stride == 0 &&
		    page % 64 == 0)
			memcpy((char *)buf + at, &page, sizeof(page));
	}
	return 0;
}

/* Without markers a store's isolated pages need two VM areas each. */
static size_t isolated(int i, unsigned pages)
{
	if (i / 2 == GUARDED_STORE && pages > 20000)
		pages = 20000;
	return program_scaled(pages);
}

static char *map_sparse_store(size_t len)
{
	struct lazymap_store_ops ops = {
		.size = sizeof(ops),
		.version = LAZYMAP_STORE_VERSION,
		.flags = LAZYMAP_STORE_IN_HANDLER,
		.read = read_sparse,
	};

	return lazymap_map_store(NULL, len, area.prot, MAP_PRIVATE, &ops, NULL,
				 0);
}

/* Of a sparse file, each 64th of n pages at this stride has its number. */
static void map_sparse(int i, size_t n, size_t stride)
{
	int flags;

	guarded_start(&area, i);
	flags = guarded_shared(&area) ? MAP_SHARED : MAP_PRIVATE;
	area.prot = PROT_READ | (guarded_writable(&area) ? PROT_WRITE : 0);
	if (guarded_file(&area)) {
		area.fd = known_file("sparse", 0);
		ck_assert_int_eq(ftruncate(area.fd, (off_t)(n * stride)), 0);
		for (uint64_t page = 0; page < n; page += 64)
			ck_assert_int_eq(pwrite(area.fd, &page, sizeof(page),
						(off_t)(page * stride)),
					 sizeof(page));
	} else {
		flags |= MAP_ANONYMOUS;
	}
	sparse_stride = stride;
	area.at = guarded_store(&area)
			  ? map_sparse_store(n * stride)
			  : lazymap_map(NULL, n * stride, area.prot, flags,
					area.fd, 0);
	ck_assert_ptr_ne(area.at, LAZYMAP_FAILED);
	/* No more of the file than what is touched. */
	ck_assert_int_eq(lazymap_advise(area.at, n * stride, MADV_RANDOM), 0);
}

static uint64_t sparse_word(size_t page)
{
	return (guarded_file(&area) || guarded_store(&area)) && page % 64 == 0
		       ? page
		       : 0;
}

static bool sparse_written(size_t page)
{
	return guarded_writable(&area) &&
	       page % (area.kind == GUARDED_ANONYMOUS ? 2 : 16) == 1;
}

/* Wrong words of n pages in random order, which are written on the way. */
static size_t touch_sparse(size_t n, size_t stride, bool again)
{
	const uint32_t *order = guarded_order(n);
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		size_t page = order[i];
		volatile uint64_t *word = (uint64_t *)(area.at + page * stride);
		bool written = sparse_written(page);

		wrong += word[0] != sparse_word(page);
		wrong += word[9] != (again && written ? page : 0);
		if (written)
			word[9] = page;
	}
	return wrong;
}

/* Without markers blocks may be shown whole, and the kernel maps what is around
 * a file's page. */
static bool exact(void)
{
	return area.on || !guarded_file(&area);
}

static void touch_isolated(int i, size_t stride, unsigned pages)
{
	size_t n = isolated(i, pages), before, counted, frames;

	before = outside_vm_areas();
	map_sparse(i, n, stride);
	ck_assert_uint_eq(touch_sparse(n, stride, false), 0);
	counted = outside_vm_areas() - before;
	frames = outside_count(area.at, n * stride);
	printf("kind %d, stride %zu, %s: %zu pages, %zu frames, %zu VM areas\n",
	       area.kind, stride, area.on ? "guards" : "protection", n, frames,
	       counted);
	if (area.on)
		ck_assert_uint_lt(counted, 1000);
	if (exact())
		ck_assert_uint_eq(frames, n);
	ck_assert_uint_eq(touch_sparse(n, stride, true), 0);
	ck_assert_int_eq(lazymap_unmap(area.at, n * stride), 0);
	unlink(known_path("sparse"));
}

START_TEST(isolated_pages_at_8_kib_are_all_that_is_there)
{
	touch_isolated(_i, 2 * PAGE, _i % 2 ? 40000 : 200000);
}
END_TEST

START_TEST(isolated_pages_at_64_kib_are_all_that_is_there)
{
	touch_isolated(_i, 16 * PAGE, 40000);
}
END_TEST

START_TEST(reads_then_writes_are_kept_and_neighbours_untouched)
{
	guarded_begin(&area, _i, GUARDED_PAGES);
	guarded_open(&area, 5);
	for (size_t page = 1; page < area.pages; page += 5) {
		ck_assert_uint_eq(guarded_wrong(&area, page), 0);
		ck_assert(!exact() || !outside_present(page_at(page + 1)));
		guarded_write(&area, page);
		guarded_write(&area, page - 1);
	}
	if (exact())
		ck_assert_uint_eq(guarded_frames(&area, 0, area.pages),
				  area.pages / 5 * 2);
	guarded_check(&area);
}
END_TEST

START_TEST(nothing_is_lost_where_vm_areas_are_nearly_used_up)
{
	size_t n = program_scaled(20000), stride = 2 * PAGE;

	others_map(vm_areas_max() - 2000);
	map_sparse(_i, n, stride);
	if (guarded_store(&area) && !area.on)
		return; /* nothing of it can be shown unfilled */
	ck_assert_uint_eq(touch_sparse(n, stride, false), 0);
	others_map(8);
	ck_assert_uint_eq(touch_sparse(n, stride, true), 0);
}
END_TEST

/* -- Protection --------------------------------------------------------------- */

START_TEST(protection_of_part_of_a_block_is_the_programs)
{
	size_t from = 100, to = 2000, frames;

	begin(_i);
	frames = guarded_frames(&area, 0, area.pages);
	ck_assert_int_eq(
		lazymap_protect(page_at(from), (to - from) * PAGE, PROT_NONE),
		0);
	guarded_expect(&area, from, to, false, SIGSEGV);
	guarded_expect(&area, from, to, true, SIGSEGV);
	ck_assert_uint_eq(guarded_wrong(&area, from - 1), 0);
	ck_assert_uint_eq(guarded_wrong(&area, to), 0);
	ck_assert_int_eq(
		lazymap_protect(page_at(from), (to - from) * PAGE, area.prot),
		0);
	/* Of 99 and 2000 one was touched before. */
	ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), frames + 1);
	guarded_check(&area);
}
END_TEST

START_TEST(absent_pages_stay_lazy_through_every_protection)
{
	const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	size_t from = 10, to = 1500, frames;

	begin(_i);
	frames = guarded_frames(&area, 0, area.pages);
	for (size_t i = 0; i < 12; i++) {
		int prot = prots[i * 7 % 3] & (area.prot | PROT_READ);

		ck_assert_int_eq(lazymap_protect(page_at(from),
						 (to - from) * PAGE, prot),
				 0);
		ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), frames);
		from += 37;
	}
	ck_assert_int_eq(lazymap_protect(area.at, area.pages * PAGE, area.prot),
			 0);
	ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), frames);
	guarded_open(&area, 3);
	guarded_check(&area);
}
END_TEST

START_TEST(write_to_what_was_made_read_only_is_the_programs_signal)
{
	size_t from = 100, to = 700;

	begin(_i);
	ck_assert_int_eq(
		lazymap_protect(page_at(from), (to - from) * PAGE, PROT_READ),
		0);
	guarded_expect(&area, from, to, true, SIGSEGV);
	for (size_t page = from; page < to; page += 2)
		ck_assert_uint_eq(guarded_wrong(&area, page), 0);
	guarded_expect(&area, from, to, true, SIGSEGV);
	ck_assert_int_eq(
		lazymap_protect(page_at(from), (to - from) * PAGE, area.prot),
		0);
	for (size_t page = from; page < to; page++)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

/* Read while nothing may be written, then made writable: the kernel needs no
 * VM areas for it, nor may lazymap. */
START_TEST(isolated_pages_that_become_writable_need_no_vm_areas)
{
	size_t n = isolated(_i, 50000), stride = 2 * PAGE, before;

	before = outside_vm_areas();
	map_sparse(_i, n, stride);
	if (!guarded_writable(&area))
		return;
	ck_assert_int_eq(lazymap_protect(area.at, n * stride, PROT_READ), 0);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(*(uint64_t *)(area.at + i * stride),
				  sparse_word(i));
	ck_assert_int_eq(lazymap_protect(area.at, n * stride, area.prot), 0);
	if (area.on)
		ck_assert_uint_lt(outside_vm_areas() - before, 1000);
	ck_assert_uint_eq(touch_sparse(n, stride, false), 0);
	ck_assert_uint_eq(touch_sparse(n, stride, true), 0);
}
END_TEST

/* -- Mapping ------------------------------------------------------------------ */

static void map_again(size_t from, size_t to)
{
	ck_assert_ptr_eq(guarded_map(&area, page_at(from), from, to, MAP_FIXED),
			 page_at(from));
	guarded_dropped(&area, from, to, area.kind == GUARDED_ANONYMOUS_SHARED);
}

START_TEST(hole_in_a_block_is_a_hole_and_can_be_mapped_anew)
{
	size_t from = 700, to = 1300, len = (to - from) * PAGE;
	char *own;

	begin(_i);
	ck_assert_int_eq(lazymap_unmap(page_at(from), len), 0);
	guarded_expect(&area, from, to, false, SIGSEGV);
	own = mmap(page_at(from), len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert_ptr_eq(own, page_at(from));
	for (size_t page = from; page < to; page++) {
		ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
		*page_at(page) = 1;
	}
	map_again(from - 100, to + 100);
	ck_assert_uint_eq(guarded_frames(&area, from - 100, to + 100), 0);
	for (size_t page = from - 100; page < to + 100; page += 4)
		guarded_write(&area, page);
	guarded_check(&area);
}
END_TEST

START_TEST(kernel_mapping_over_part_of_a_block_has_no_markers)
{
	size_t from = 515, to = 900, len = (to - from) * PAGE;

	begin(_i);
	ck_assert_ptr_eq(
		lazymap_map(page_at(from), len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_STACK,
			    -1, 0),
		page_at(from));
	/* No fault brings these. */
	ck_assert_int_eq(madvise(page_at(from), len, MADV_POPULATE_WRITE), 0);
	for (size_t page = from; page < to; page++)
		ck_assert_uint_eq(known_not_zero(page_at(page)), 0);
	map_again(from, to);
	guarded_check(&area);
}
END_TEST

static char *reserve(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(at, MAP_FAILED);
	return at;
}

START_TEST(block_that_grows_in_place_goes_on)
{
	size_t len = area.pages, cut = 3000;

	begin(_i);
	len = area.pages;
	ck_assert_int_eq(lazymap_unmap(page_at(cut), (len - cut) * PAGE), 0);
	guarded_dropped(&area, cut, len, false);
	ck_assert_ptr_eq(
		lazymap_remap(area.at, cut * PAGE, len * PAGE, 0, NULL),
		area.at);
	ck_assert_uint_eq(guarded_frames(&area, cut, len), 0);
	for (size_t page = cut; page < len; page += 3)
		guarded_write(&area, page);
	ck_assert_uint_eq(guarded_frames(&area, cut, len), (len - cut + 2) / 3);
	guarded_check(&area);
}
END_TEST

START_TEST(blocks_that_move_keep_pages_and_markers)
{
	size_t frames;
	char *to;

	begin(_i);
	frames = guarded_frames(&area, 0, area.pages);
	/* In and out of step with the blocks there are. */
	for (size_t i = 0; i < 4; i++) {
		to = reserve(area.pages + 777) + i * 111 * PAGE;
		ck_assert_ptr_eq(lazymap_remap(area.at, area.pages * PAGE,
					       area.pages * PAGE,
					       MREMAP_MAYMOVE | MREMAP_FIXED,
					       to),
				 to);
		area.at = to;
		ck_assert_uint_eq(guarded_frames(&area, 0, area.pages), frames);
		guarded_write(&area, 3 * i + 1);
		frames++;
	}
	guarded_check(&area);
}
END_TEST

START_TEST(blocks_that_move_and_stay_are_two)
{
	struct guarded old;
	char *to;

	begin(_i);
	to = lazymap_remap(area.at, area.pages * PAGE, area.pages * PAGE,
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ck_assert_ptr_ne(to, LAZYMAP_FAILED);
	old = area;
	old.mark = calloc(old.pages, sizeof(*old.mark));
	for (size_t page = 0; guarded_shared(&old) && page < old.pages; page++)
		old.mark[page] = area.mark[page];
	area.at = to;
	ck_assert_uint_eq(guarded_frames(&old, 0, old.pages), 0);
	guarded_check(&area);
	guarded_check(&old);
	if (!guarded_shared(&area))
		guarded_write(&old, 5);
	guarded_check(&area);
	guarded_check(&old);
}
END_TEST

/* What came back over markers is registered with userfaultfd, its neighbours are
 * not; and the kernel moves some VM areas before it refuses the rest. */
START_TEST(blocks_of_which_some_came_back_move_whole)
{
	size_t half = GUARDED_PAGES / 2;
	void *moved;

	if (_i >= 4)
		return;
	guarded_begin(&area, _i % 2, GUARDED_PAGES);
	ck_assert_int_eq(lazymap_limit(4 * GUARDED_PAGES * PAGE), 0);
	for (size_t page = 0; page < half; page++)
		guarded_write(&area, page);
	for (size_t page = half; page < GUARDED_PAGES; page += 2)
		guarded_write(&area, page);
	for (int n = 0; n < 3; n++) {
		ck_assert_int_eq(lazymap_advise(page_at(half), half * PAGE,
						MADV_PAGEOUT),
				 0);
		for (size_t page = half; page < GUARDED_PAGES - 512; page += 3)
			guarded_write(&area, page);
		moved = lazymap_map(NULL, GUARDED_PAGES * PAGE, PROT_READ,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ck_assert_ptr_ne(moved, LAZYMAP_FAILED);
		moved = lazymap_remap(area.at, GUARDED_PAGES * PAGE,
				      GUARDED_PAGES * PAGE,
				      MREMAP_MAYMOVE | MREMAP_FIXED |
					      (_i / 2 ? MREMAP_DONTUNMAP : 0),
				      moved);
		ck_assert_ptr_ne(moved, LAZYMAP_FAILED);
		area.at = moved;
		guarded_check(&area);
	}
}
END_TEST

START_TEST(block_that_shrinks_and_grows_by_moving_keeps_the_rest)
{
	size_t cut = 1000, len;
	char *to;

	begin(_i);
	len = area.pages;
	ck_assert_ptr_eq(
		lazymap_remap(area.at, len * PAGE, cut * PAGE, 0, NULL),
		area.at);
	guarded_dropped(&area, cut, len, false);
	guarded_expect(&area, cut, cut + 5, false, SIGSEGV);
	to = reserve(len);
	ck_assert_ptr_eq(lazymap_remap(area.at, cut * PAGE, len * PAGE,
				       MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	area.at = to;
	guarded_check(&area);
}
END_TEST

START_TEST(file_cut_short_under_a_block_raises_sigbus_until_it_grows)
{
	size_t cut = 1000;

	begin(_i);
	if (!guarded_file(&area))
		return;
	ck_assert_int_eq(ftruncate(area.fd, (off_t)(cut * PAGE)), 0);
	guarded_expect(&area, cut, cut + 700, false, SIGBUS);
	for (size_t page = 0; page < cut; page++)
		ck_assert_uint_eq(guarded_wrong(&area, page), 0);
	ck_assert_int_eq(ftruncate(area.fd, (off_t)(area.pages * PAGE)), 0);
	guarded_dropped(&area, cut, area.pages, true);
	ck_assert_uint_eq(guarded_wrong_all(&area), 0);
	if (guarded_writable(&area))
		for (size_t page = cut; page < area.pages; page += 2)
			guarded_write(&area, page);
	ck_assert_uint_eq(guarded_wrong_all(&area), 0);
}
END_TEST

/* -- What the kernel uses ------------------------------------------------------ */

static void kernel_reads(size_t from, size_t to)
{
	size_t len = (to - from) * PAGE;
	char *copy = malloc(len);
	int fd = known_file("out", 0);

	ck_assert_int_eq(lazymap_pin(page_at(from), len, LAZYMAP_READ), 0);
	ck_assert_int_eq(write(fd, page_at(from), len), (ssize_t)len);
	ck_assert_int_eq(lazymap_unpin(page_at(from), len), 0);
	ck_assert_int_eq(pread(fd, copy, len, 0), (ssize_t)len);
	ck_assert_int_eq(memcmp(copy, page_at(from), len), 0);
	close(fd);
	free(copy);
}

static void kernel_writes(size_t from, size_t to)
{
	size_t len = (to - from) * PAGE;
	int fd = known_file("in", to);

	ck_assert_int_eq(lazymap_pin(page_at(from), len, LAZYMAP_WRITE), 0);
	ck_assert_int_eq(pread(fd, page_at(from), len, (off_t)(from * PAGE)),
			 (ssize_t)len);
	ck_assert_int_eq(lazymap_unpin(page_at(from), len), 0);
	for (size_t page = from; page < to; page++) {
		area.mark[page] = 0;
		area.zero[page] = false;
	}
	close(fd);
}

START_TEST(system_calls_find_every_page_of_a_block)
{
	begin(_i);
	kernel_reads(0, 600);
	kernel_reads(1001, 1002);
	if (guarded_writable(&area)) {
		kernel_writes(500, 1100);
		kernel_writes(1301, 1302);
		kernel_reads(1000, 1400);
	}
	guarded_check(&area);
}
END_TEST

/* An area that has no markers of lazymap's uses VM areas up, until blocks are
 * shown whole, wherever the next touch is. */
static void use_vm_areas_up(void)
{
	struct lazymap_stats stats;
	size_t n = 40000, stride = 2 * PAGE;
	char *at;

	others_map(vm_areas_max() - 34000);
	at = lazymap_map(NULL, n * stride, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(at, LAZYMAP_FAILED);
	/* As if it had guard regions of its own. */
	ck_assert_int_eq(lazymap_advise(at, n * stride, MADV_WIPEONFORK), 0);
	for (size_t i = 0; i < n; i++) {
		at[i * stride] = 1;
		if (i % 64)
			continue;
		lazymap_stats(&stats, sizeof(stats));
		if (stats.pages_widened)
			return;
	}
	ck_abort_msg("no block is shown whole");
}

START_TEST(system_calls_find_every_page_of_a_block_shown_whole)
{
	begin(_i);
	use_vm_areas_up();
	for (size_t page = 1; page < area.pages; page += 512)
		guarded_write(&area, page);
	kernel_reads(0, area.pages);
	if (guarded_writable(&area))
		kernel_writes(500, 1100);
	guarded_check(&area);
}
END_TEST

START_TEST(limit_of_data_is_kept_and_no_touch_fails_for_it)
{
	struct rlimit limit;
	size_t len = GUARDED_PAGES * PAGE;

	guarded_start(&area, _i);
	if (area.kind != GUARDED_ANONYMOUS)
		return; /* the others are not counted, or as it */
	getrlimit(RLIMIT_DATA, &limit);
	limit.rlim_cur = outside_status("VmData") * 1024 + len * 3 / 2;
	ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	area.pages = GUARDED_PAGES;
	area.at = lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(area.at, LAZYMAP_FAILED);
	for (size_t round = 0; round < 3; round++) {
		for (size_t page = round; page < area.pages; page += 3)
			*page_at(page) = 1;
		ck_assert_ptr_eq(lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1,
					     0),
				 LAZYMAP_FAILED);
	}
	ck_assert_int_eq(lazymap_unmap(area.at, len), 0);
	ck_assert_ptr_ne(lazymap_map(NULL, len, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 LAZYMAP_FAILED);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const *tests)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 240);
	for (; *tests; tests++)
		tcase_add_loop_test(tcase, *tests, 0, GUARDED_ALL);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("guard");
	const TTest *const touches[] = {
		isolated_pages_at_8_kib_are_all_that_is_there,
		isolated_pages_at_64_kib_are_all_that_is_there,
		reads_then_writes_are_kept_and_neighbours_untouched,
		nothing_is_lost_where_vm_areas_are_nearly_used_up, NULL
	};
	const TTest *const protection[] = {
		protection_of_part_of_a_block_is_the_programs,
		absent_pages_stay_lazy_through_every_protection,
		write_to_what_was_made_read_only_is_the_programs_signal,
		isolated_pages_that_become_writable_need_no_vm_areas, NULL
	};
	const TTest *const mapping[] = {
		hole_in_a_block_is_a_hole_and_can_be_mapped_anew,
		kernel_mapping_over_part_of_a_block_has_no_markers,
		block_that_grows_in_place_goes_on,
		blocks_that_move_keep_pages_and_markers,
		blocks_that_move_and_stay_are_two,
		blocks_of_which_some_came_back_move_whole,
		block_that_shrinks_and_grows_by_moving_keeps_the_rest,
		file_cut_short_under_a_block_raises_sigbus_until_it_grows,
		NULL
	};
	const TTest *const kernel[] = {
		system_calls_find_every_page_of_a_block,
		system_calls_find_every_page_of_a_block_shown_whole,
		limit_of_data_is_kept_and_no_touch_fails_for_it, NULL
	};

	add(suite, "touches", touches);
	add(suite, "protection", protection);
	add(suite, "mapping", mapping);
	add(suite, "kernel", kernel);
	return program_run(suite);
}
