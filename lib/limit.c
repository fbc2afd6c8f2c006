/*
 * limit.c -- see limit.h.
 *
 * RLIMIT_DATA: the kernel counts private writable VM areas. Pages that are
 * hidden, or readable only until the first write, are none; were they not
 * counted here, mmap would succeed and the touch would fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "limit.h"

#include "area.h"
#include "page.h"

#include <string.h>
#include <sys/resource.h>

/* The kernel's count, in bytes. */
static uint64_t visible_data(void)
{
	char text[4096], *at = text;
	uint64_t kib = 0;

	if (lm_os_read_file("/proc/self/status", text, sizeof(text)) <= 0)
		return 0;
	while (*at && strncmp(at, "\nVmData:", 8))
		at++;
	for (at += *at ? 8 : 0; *at == ' ' || *at == '\t'; at++)
		;
	for (; *at >= '0' && *at <= '9'; at++)
		kib = kib * 10 + (uint64_t)(*at - '0');
	return kib << 10;
}

static uint64_t written(uintptr_t start, uintptr_t end)
{
	struct lm_run run = { .end = start };
	uint64_t sum = 0;

	while (lm_page_run(run.end, end, &run))
		if (run.state == LM_PAGE_DIRTY || run.guard)
			sum += run.end - run.start;
	return sum;
}

/* Private writable memory of areas that the kernel does not count. */
static uint64_t hidden_data(void)
{
	uint64_t sum = 0;
	uintptr_t at = 0;
	struct lm_area *area;

	for (; (area = lm_area_at_or_after(at)); at = area->end)
		if (area->prot & PROT_WRITE && !(area->flags & LM_AREA_SHARED))
			sum += area->end - area->start -
			       written(area->start, area->end);
	return sum;
}

int lm_limit_data(size_t more)
{
	struct rlimit limit;

	if (lm_sys(SYS_prlimit64, 0, RLIMIT_DATA, NULL, &limit) < 0)
		return 0;
	/* So the kernel has it, for Valgrind's sake (4.6 and later). */
	if (!limit.rlim_cur)
		limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_cur == RLIM_INFINITY)
		return 0;
	if (more > limit.rlim_cur ||
	    visible_data() + hidden_data() > limit.rlim_cur - more)
		return -ENOMEM;
	return 0;
}
