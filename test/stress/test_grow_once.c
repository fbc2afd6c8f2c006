/*
 * test_grow_once.c -- what was mapped and unmapped leaves nothing behind: no
 * memory, no address space, no kernel areas, no tables.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "known.h"
#include "lazymap.h"
#include "outside.h"
#include "program.h"

#include <sys/mman.h>

/* A sanitizer maps memory of its own. */
static size_t slack(void)
{
	return program_sanitized("") ? 64 : 4;
}

static void map_and_unmap(unsigned times, bool touch)
{
	for (unsigned i = 0; i < times; i++) {
		char *at = lazymap_map(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == LAZYMAP_FAILED)
			ck_abort_msg("map number %u failed", i);
		if (touch)
			at[3 * PAGE] = 1;
		if (lazymap_unmap(at, 16 * PAGE))
			ck_abort_msg("unmap number %u failed", i);
	}
}

START_TEST(a_million_maps_and_unmaps_leave_nothing_behind)
{
	struct lazymap_stats stats;
	size_t size, resident, vm_areas;

	map_and_unmap(1000, true);
	size = outside_status("VmSize");
	resident = outside_status("VmRSS");
	vm_areas = outside_vm_areas();
	map_and_unmap(program_scaled(1000000), false);
	map_and_unmap(program_scaled(20000), true);
	ck_assert_uint_le(outside_vm_areas(), vm_areas + slack());
	if (!program_sanitized("")) {
		ck_assert_uint_le(outside_status("VmSize"), size + 1024);
		ck_assert_uint_le(outside_status("VmRSS"), resident + 1024);
	}
	ck_assert_int_eq(lazymap_stats(&stats, sizeof(stats)), 0);
	ck_assert_uint_eq(stats.areas, 0);
	ck_assert_uint_eq(stats.mapped, 0);
	ck_assert_uint_eq(stats.resident, 0);
}
END_TEST

START_TEST(ten_thousand_areas_at_once_leave_nothing_behind)
{
	enum { MANY = 10000 };
	static char *at[MANY];
	size_t vm_areas;

	map_and_unmap(1, true);
	vm_areas = outside_vm_areas();
	for (int i = 0; i < MANY; i++) {
		at[i] = lazymap_map(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		ck_assert_ptr_ne(at[i], LAZYMAP_FAILED);
	}
	for (int i = 0; i < MANY; i += 7)
		*(int *)at[i] = i;
	for (int i = 0; i < MANY; i += 7)
		ck_assert_int_eq(*(int *)at[i], i);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(lazymap_unmap(at[i], 2 * PAGE), 0);
	ck_assert_uint_le(outside_vm_areas(), vm_areas + slack());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grow");
	TCase *grow = tcase_create("grow");

	tcase_set_timeout(grow, 120);
	tcase_add_test(grow, a_million_maps_and_unmaps_leave_nothing_behind);
	tcase_add_test(grow, ten_thousand_areas_at_once_leave_nothing_behind);
	suite_add_tcase(suite, grow);
	return program_run(suite);
}
