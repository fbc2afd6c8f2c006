/*
 * stats.c -- adding up what the slots counted. See stats.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stats.h"

#include "area.h"
#include "bound.h"
#include "gate.h"
#include "lazymap.h"
#include "resident.h"
#include "swap/swap.h"

#include <stdio.h>
#include <string.h>

void lm_stats_add(enum lm_counter counter, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(&lm_slot()->counter[counter], n,
					  memory_order_relaxed);
}

static uint64_t sum(enum lm_counter counter)
{
	uint64_t total = 0;

	for (int i = 0; i < LM_SLOTS; i++)
		total += atomic_load_explicit(&lm_slots[i].counter[counter],
					      memory_order_relaxed);
	return total;
}

void lm_stats_forked(void)
{
	for (int i = 0; i < LM_SLOTS; i++)
		for (int c = 0; c < LM_COUNT_pages_made_present; c++)
			LM_PUT(&lm_slots[i].counter[c], 0);
}

uint64_t lm_stats_resident(void)
{
	return sum(LM_COUNT_pages_made_present) -
	       sum(LM_COUNT_pages_made_absent);
}

static void collect(struct lazymap_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->areas = lm_area_count();
	stats->mapped = lm_area_bytes();
	stats->resident = lm_stats_resident() * LM_PAGE;
	stats->resident_limit = atomic_load_explicit(&lm_quota_process.max,
						     memory_order_relaxed) *
				LM_PAGE;
	lm_swap_used(&stats->swap_pool, &stats->swap_file);
	stats->faults_read = sum(LM_COUNT_faults_read);
	stats->faults_write = sum(LM_COUNT_faults_write);
	stats->faults_upgrade = sum(LM_COUNT_faults_upgrade);
	stats->faults_waited = sum(LM_COUNT_faults_waited);
	stats->faults_foreign = sum(LM_COUNT_faults_foreign);
	stats->faults_failed = sum(LM_COUNT_faults_failed);
	stats->pages_filled = sum(LM_COUNT_pages_filled);
	stats->bytes_filled = sum(LM_COUNT_bytes_filled);
	stats->pages_kernel = sum(LM_COUNT_pages_kernel);
	stats->bytes_bypassed = sum(LM_COUNT_bytes_bypassed);
	stats->pages_written = sum(LM_COUNT_pages_written);
	stats->pages_dropped = sum(LM_COUNT_pages_dropped);
	stats->faults_soft = sum(LM_COUNT_faults_soft);
	stats->pages_evicted = sum(LM_COUNT_pages_evicted);
	stats->pages_swapped_out = sum(LM_COUNT_pages_swapped_out);
	stats->pages_swapped_in = sum(LM_COUNT_pages_swapped_in);
	stats->pages_same = sum(LM_COUNT_pages_same);
	stats->pages_to_pool = sum(LM_COUNT_pages_to_pool);
	stats->pages_to_file = sum(LM_COUNT_pages_to_file);
	stats->pages_demoted = sum(LM_COUNT_pages_demoted);
	stats->pages_over_limit = sum(LM_COUNT_pages_over_limit);
	stats->pages_widened = sum(LM_COUNT_pages_widened);
	stats->pages_ahead = sum(LM_COUNT_pages_ahead);
	stats->pages_ahead_unused = sum(LM_COUNT_pages_ahead_unused);
	stats->blocks_moved = sum(LM_COUNT_blocks_moved);
	stats->fault_ns = sum(LM_COUNT_fault_ns);
}

int lazymap_stats(struct lazymap_stats *stats, size_t size)
{
	struct lazymap_stats all;

	if (!stats || !size) {
		errno = EINVAL;
		return -1;
	}
	collect(&all);
	memset(stats, 0, size);
	memcpy(stats, &all, size < sizeof(all) ? size : sizeof(all));
	return 0;
}

static void row(int fd, const char *name, uint64_t value)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "  %-28s %16llu\n", name,
			   (unsigned long long)value);

	/* A table that cannot be written is not worth more than trying. */
	lm_sys(SYS_write, fd, line, len);
}

void lm_stats_print(int fd)
{
	struct lazymap_stats stats;

	collect(&stats);
	row(fd, "areas at exit", stats.areas);
	row(fd, "bytes mapped at exit", stats.mapped);
	row(fd, "bytes resident at exit", stats.resident);
	row(fd, "faults by a read", stats.faults_read);
	row(fd, "faults by a write", stats.faults_write);
	row(fd, "faults by a first write", stats.faults_upgrade);
	row(fd, "faults that waited", stats.faults_waited);
	row(fd, "faults passed on", stats.faults_foreign);
	row(fd, "faults that failed", stats.faults_failed);
	row(fd, "pages filled", stats.pages_filled);
	row(fd, "  of them for system calls", stats.pages_kernel);
	if (stats.pages_ahead) {
		row(fd, "  of them ahead of a stream", stats.pages_ahead);
		row(fd, "  and driven out untouched", stats.pages_ahead_unused);
	}
	row(fd, "bytes filled", stats.bytes_filled);
	row(fd, "bytes bypassed", stats.bytes_bypassed);
	row(fd, "pages written back", stats.pages_written);
	row(fd, "pages dropped", stats.pages_dropped);
	if (stats.resident_limit) {
		row(fd, "resident limit, bytes", stats.resident_limit);
		row(fd, "pages over the limit", stats.pages_over_limit);
		if (lm_bound_crowd())
			row(fd, "threads, more than it is for",
			    lm_bound_crowd());
		row(fd, "faults on hidden pages", stats.faults_soft);
		row(fd, "pages evicted", stats.pages_evicted);
		if (stats.blocks_moved)
			row(fd, "  of them by whole blocks, moved",
			    stats.blocks_moved * LM_BLOCK_PAGES);
		row(fd, "pages swapped out", stats.pages_swapped_out);
		row(fd, "  of them of one byte", stats.pages_same);
		row(fd, "  of them compressed", stats.pages_to_pool);
		row(fd, "  of them to the file", stats.pages_to_file);
		row(fd, "pages moved to the file", stats.pages_demoted);
		row(fd, "pages swapped in", stats.pages_swapped_in);
		row(fd, "bytes in the pool at exit", stats.swap_pool);
		row(fd, "bytes in the file at exit", stats.swap_file);
	}
	row(fd, "microseconds in faults", stats.fault_ns / 1000);
}
