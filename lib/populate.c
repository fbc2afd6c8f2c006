/*
 * populate.c -- see populate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "populate.h"

#include "guard.h"
#include "os_linux.h"
#include "pager.h"
#include "place/place.h"

/* What the kernel maps around one page of a file that is touched: its
 * fault_around_bytes, as it is unless somebody changed it. */
#define AROUND ((uintptr_t)64 * 1024)

/* Less than this is not worth another thread. */
#define MUCH ((uintptr_t)256 * 1024)

static void ask(uintptr_t start, uintptr_t end, int how)
{
	/* A hint: see populate.h. */
	lm_os_madvise(start, end - start, how);
}

/* So many blocks are taken to be as the one before them was found. */
#define ALIKE 8

/* How many blocks in a row came whole. Atomic. */
static _Atomic uint32_t whole;

/*
 * The kernel maps a block with one entry if its cache has it in one piece: then
 * what is far from the page that was asked for is there, too. Files are not mixed
 * much, and to look costs two system calls: after one that was whole the next are
 * not looked at. Where that is wrong their touches map them.
 */
static bool map_block(uintptr_t at)
{
	uint32_t n = atomic_load_explicit(&whole, memory_order_relaxed);
	bool all;

	ask(at, at + LM_PAGE, MADV_POPULATE_READ);
	all = n % ALIKE || lm_place_present(at + LM_BLOCK - LM_PAGE);
	atomic_store_explicit(&whole, all ? n + 1 : 0, memory_order_relaxed);
	return all;
}

/*
 * Pages of a file: asked for one, the kernel maps those around it that are in
 * its cache, in one go; asked for all, it looks each up again (Linux 6.18: a
 * fifth more time). The page that was touched is surely wanted; of those that
 * come from the disk the kernel maps one, and the others around it at the next
 * touch.
 */
static void map_around(const struct lm_claim *claim, uintptr_t end)
{
	uintptr_t at = claim->start;

	if (end - at == LM_BLOCK && map_block(at))
		return;
	while (at < end) {
		uintptr_t next = lm_min((at | (AROUND - 1)) + 1, end);

		if (claim->page > at && claim->page < next)
			at = claim->page;
		ask(at, at + LM_PAGE, MADV_POPULATE_READ);
		at = next;
	}
}

/* What will be wanted next is made room for while this is mapped: that much is
 * free then when the next fault comes, and as much is being made. Where it costs
 * few changes of the address space: clean pages of files, and blocks; what comes
 * in small clusters goes in blocks, too, some of which are to be free. */
static void go_on(const struct lm_claim *claim)
{
	uintptr_t size = claim->end - claim->start;
	/* What was asked for (permit.h): of files where any is mapped. */
	bool marked = claim->store->kind == LM_STORE_ZERO ? lm_guard_anonymous()
							  : lm_guard_files();

	if (claim->stream && claim->fixed)
		size = LM_BLOCK;
	if ((claim->stream || claim->until) && size >= MUCH && !claim->quota &&
	    (claim->huge || marked))
		lm_pager_stream(claim->slot, 2 * size >> LM_PAGE_SHIFT);
}

void lm_populate(const struct lm_claim *claim)
{
	bool zeros = claim->store->kind == LM_STORE_ZERO;
	bool write = claim->access == LM_WRITE;
	int how = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

	/* Whoever touches it waits for the program, and not this thread. */
	if (claim->served)
		return;
	if (claim->follows && claim->to == LM_PAGE_DIRTY) {
		/* A page is the file's until it is written, and who knows
		 * how far the kernel will write. */
		if (claim->access != LM_WRITE)
			map_around(claim, claim->end);
		else if (!claim->until)
			ask(claim->page, claim->page + LM_PAGE, how);
	} else if (claim->until && (zeros || claim->to == LM_PAGE_DIRTY))
		ask(claim->page, lm_min(claim->until, claim->end), how);
	else if (claim->stream && claim->rest == LM_PAGE_DIRTY &&
		 (zeros || write)) {
		if (claim->huge || claim->fixed)
			go_on(claim);
		/* The touches that follow find their pages. */
		ask(claim->start, claim->end, how);
	} else if (zeros)
		return; /* an exception for the touched page costs less */
	else if (claim->to == LM_PAGE_DIRTY)
		ask(claim->page, claim->page + LM_PAGE, how);
	else {
		go_on(claim);
		map_around(claim, claim->end);
	}
}
