/*
 * fault.c -- the way of a fault: find the area, claim the pages, fill them,
 * reveal them, settle them. Runs inside the signal handler: nothing here may
 * allocate with malloc or take a lock that the handler can interrupt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fault.h"

#include "bounce.h"
#include "gate.h"
#include "guard.h"
#include "os_linux.h"
#include "place/place.h"
#include "resident.h"
#include "start.h"
#include "step.h"
#include "swap/swap.h"
#include "turn.h"
#include "widen.h"

/* What one claim holds: consecutive BUSY pages of one block and area, all of
 * which were in the state `from`, and what they are to become. */
struct claim {
	uintptr_t start, end; /* the BUSY pages */
	uintptr_t page;       /* the one that was touched */
	uintptr_t until;      /* the kernel will go on to here; 0: a fault */
	bool wide;            /* all pages around that are in the same state */
	bool alone;           /* no page around: one of them is damaged */
	bool guard;           /* they are hidden by markers: see guard.h */
	bool opened;          /* the block was, or could not be */
	bool heal;            /* a marker may be where none should be */
	enum lm_page_state from, to;
	enum lm_page_state rest; /* what its neighbours are to become */
	size_t cluster;          /* bytes: of the frames */
	bool sequential;
	bool adaptive, stream; /* the cluster is; and goes on a stream */
	uintptr_t ahead;       /* of a stream in a file: what comes next; 0 */
	bool prime;            /* the first write to a private area */
	int prot, rest_prot;   /* to reveal them with */
	int area_prot;
	enum lm_access access;
	struct lm_store *store; /* stays while there are BUSY pages */
	struct lm_quota *quota; /* the same; NULL: the area has none */
	uint64_t offset;        /* of start, in the store */
	struct lm_slot *slot;
};

/* What came of an attempt to claim. */
enum verdict { CLAIMED, OPEN, WAIT, FOREIGN, NO_MEMORY };

#define WIDE ((uintptr_t)1 << 30)

/* The kernel's own reading ahead does for less. */
#define AHEAD_MIN ((uintptr_t)256 * 1024)

int lm_fault_prot(const struct lm_area *area, enum lm_page_state state)
{
	bool kernel_tracks =
		lm_store_direct(area->store) && area->flags & LM_AREA_SHARED;
	int prot;

	if (state < LM_PAGE_CLEAN)
		return PROT_NONE;
	if (state == LM_PAGE_DIRTY || kernel_tracks)
		return area->prot;
	/* A write-only area must stay readable to be told from hidden. */
	prot = area->prot & ~PROT_WRITE;
	return prot || !area->prot ? prot : PROT_READ;
}

static bool allowed(int prot, enum lm_access access)
{
	switch (access) {
	case LM_WRITE:
		return prot & PROT_WRITE;
	case LM_EXEC:
		return prot & PROT_EXEC;
	case LM_READ:
	case LM_UNKNOWN:
		/* On every machine we know PROT_WRITE implies reading. */
		return prot != PROT_NONE;
	}
	return false;
}

/* To show a page of a private area without PROT_WRITE, among others that have
 * markers, makes VM areas again. What is won: it is known whether it changes.
 * Of zeros the pager finds that out by looking, and without a limit nobody asks. */
static bool not_tracked(const struct lm_area *area, const struct claim *claim)
{
	return claim->guard && !(area->flags & LM_AREA_SHARED) &&
	       (area->store == &lm_store_zero ||
		!lm_resident_bounded(area->quota));
}

/* What the page becomes by this access. Where the trap cannot tell, a fault on
 * a page that is readable already was a write. */
static enum lm_page_state next_state(const struct lm_area *area,
				     const struct claim *claim)
{
	enum lm_page_state from = claim->from;
	bool write = claim->access == LM_WRITE ||
		     (claim->access == LM_UNKNOWN && from == LM_PAGE_CLEAN) ||
		     not_tracked(area, claim);

	if (from == LM_PAGE_DIRTY || from == LM_PAGE_HIDDEN_DIRTY ||
	    (write && area->prot & PROT_WRITE))
		return LM_PAGE_DIRTY;
	return LM_PAGE_CLEAN;
}

/* Are a page's neighbours to stay clean when it is written? Not where that
 * would only cost: who knows whether they change matters for swap, and for
 * shared stores. */
static bool neighbours_differ(const struct lm_area *area,
			      const struct claim *claim)
{
	if (claim->from == LM_PAGE_HIDDEN_DIRTY)
		return false;
	if (claim->from == LM_PAGE_SWAPPED || !lm_store_direct(area->store))
		return true;
	return area->store == &lm_store_file &&
	       lm_resident_bounded(area->quota);
}

/* How far around the page a claim may reach. */
static void reach(struct lm_area *area, struct claim *claim)
{
	uintptr_t cluster = claim->cluster, end;

	if (claim->adaptive)
		cluster = lm_stream_cluster(&claim->slot->streams, claim->page,
					    lm_resident_reach(area->quota),
					    &claim->stream);
	if (area->flags & LM_AREA_RANDOM || claim->from == claim->to ||
	    claim->alone)
		cluster = LM_PAGE;
	/* A page that is not written must not become dirty. */
	if (claim->from == LM_PAGE_CLEAN && neighbours_differ(area, claim))
		cluster = LM_PAGE;
	claim->start = lm_max(claim->page & ~(cluster - 1), area->start);
	claim->end =
		lm_min((claim->page & ~(cluster - 1)) + cluster, area->end);
	if (claim->wide && !lm_resident_bounded(area->quota)) {
		claim->start = lm_max(claim->page - lm_min(claim->page, WIDE),
				      area->start);
		claim->end = lm_min(claim->page + WIDE, area->end);
	}
	if (!claim->until || claim->alone)
		return;
	end = lm_min(area->end, claim->until);
	/* The kernel's range is known: no guess around copied pages. */
	if (!lm_store_direct(area->store)) {
		claim->start = claim->page;
		claim->end = claim->page + LM_PAGE;
	}
	if (lm_resident_bounded(area->quota))
		end = lm_min(end,
			     claim->page + lm_resident_cluster(area->quota));
	claim->end = lm_max(claim->end, end);
}

static bool claim_one(const struct claim *claim, uintptr_t addr)
{
	enum lm_page_state from = claim->from;
	lm_page_word *word = lm_page_make(addr);
	uint64_t seen;

	if (!word)
		return false;
	seen = atomic_load_explicit(word, memory_order_relaxed);
	/* A clean page that is not going to be written keeps its swap. */
	while (LM_PAGE_STATE(seen) == from &&
	       !(seen & LM_PAGE_GUARD) == !claim->guard &&
	       !(from == LM_PAGE_CLEAN && LM_PAGE_SWAP(seen)))
		if (lm_page_claim(word, &seen))
			return true;
	return false;
}

/* The page itself is BUSY: claim the neighbours that are as it was. */
static void claim_neighbours(struct claim *claim)
{
	uintptr_t low = claim->page, high = claim->page + LM_PAGE;

	while (low > claim->start && claim_one(claim, low - LM_PAGE))
		low -= LM_PAGE;
	while (high < claim->end && claim_one(claim, high))
		high += LM_PAGE;
	claim->start = low;
	claim->end = high;
}

/* A stream that is worth it has the kernel read what comes next from its file,
 * as much as this time, in whichever direction it goes; 0: there is no more. */
static uintptr_t ahead(const struct lm_area *area, const struct claim *claim)
{
	uintptr_t size = claim->end - claim->start;

	if (size < AHEAD_MIN)
		return 0;
	if (claim->page - claim->start < claim->end - claim->page)
		return area->end - claim->end >= size ? claim->end : 0;
	return claim->start - area->start >= size ? claim->start - size : 0;
}

/* Keep what is needed of the area once the gate is left. */
static void remember(struct lm_area *area, struct claim *claim)
{
	claim->rest = claim->to;
	if (!claim->until && neighbours_differ(area, claim))
		claim->rest = LM_PAGE_CLEAN;
	claim->heal =
		claim->from == claim->to && !(area->flags & LM_AREA_GUARDS);
	claim->area_prot = area->prot;
	claim->prot = lm_fault_prot(area, claim->to);
	claim->rest_prot = lm_fault_prot(area, claim->rest);
	claim->store = area->store;
	claim->ahead = 0;
	if (claim->stream && area->store == &lm_store_file)
		claim->ahead = ahead(area, claim);
	claim->prime =
		claim->to == LM_PAGE_DIRTY && lm_store_direct(area->store) &&
		!(area->flags & LM_AREA_SHARED) &&
		area->end - area->start > LM_BLOCK && lm_area_prime(area);
	claim->sequential = area->flags & LM_AREA_SEQUENTIAL;
	claim->offset = area->offset + (claim->start - area->start);
}

/* Would this fault make VM areas of its own beside those of others? But what an
 * eviction has to hide first is hidden by its protection, and stays so. */
static bool worth_opening(const struct lm_area *area, const struct claim *claim)
{
	return !claim->opened && claim->from == LM_PAGE_ABSENT &&
	       !claim->guard && !claim->stream && !claim->until &&
	       claim->end - claim->start < LM_BLOCK && lm_guard_can(area) &&
	       (!lm_resident_bounded(area->quota) ||
		lm_fault_prot(area, LM_PAGE_CLEAN) == area->prot);
}

/* Inside the gate: claim the page and its neighbours. */
static enum verdict claim_page(struct lm_area *area, struct claim *claim,
			       lm_page_word **word, uint32_t *ticket)
{
	bool first = !lm_page_word_of(claim->page); /* in its block */
	uint64_t seen;

	*word = lm_page_make(claim->page);
	if (!*word)
		return NO_MEMORY;
	seen = atomic_load_explicit(*word, memory_order_relaxed);
	do {
		while (LM_PAGE_STATE(seen) == LM_PAGE_BUSY) {
			if (lm_page_will_wait(*word, ticket))
				return WAIT;
			seen = atomic_load_explicit(*word,
						    memory_order_relaxed);
		}
	} while (!lm_page_claim(*word, &seen));
	claim->from = LM_PAGE_STATE(seen);
	claim->guard = seen & LM_PAGE_GUARD;
	claim->to = next_state(area, claim);
	claim->quota = area->quota;
	claim->cluster =
		lm_min(area->cluster, lm_resident_cluster(area->quota));
	claim->adaptive = area->flags & LM_AREA_ADAPTIVE && !claim->until &&
			  !lm_page_resident(claim->from);
	claim->stream = false;
	reach(area, claim);
	if (!first && worth_opening(area, claim)) {
		lm_page_settle(*word, LM_PAGE_ABSENT);
		return OPEN;
	}
	claim_neighbours(claim);
	if (claim->adaptive)
		lm_stream_claimed(&claim->slot->streams, claim->page,
				  claim->start, claim->end);
	remember(area, claim);
	lm_gate_filling(claim->slot);
	return CLAIMED;
}

/*
 * The same instruction faults again and again on a page that is there: the
 * kernel forbids what the area allows (guard pages, protection keys, or a write
 * that the trap could not tell from a read). Then the fault is not ours.
 */
static bool stuck(struct lm_slot *slot, uintptr_t addr)
{
	return atomic_load_explicit(&slot->idle_addr, memory_order_relaxed) ==
		       addr &&
	       atomic_load_explicit(&slot->idle, memory_order_relaxed) > 64;
}

static void note_progress(const struct claim *claim, uintptr_t addr)
{
	struct lm_slot *slot = claim->slot;

	if (claim->from != claim->to) {
		atomic_store_explicit(&slot->idle_addr, 0,
				      memory_order_relaxed);
		return;
	}
	if (atomic_exchange_explicit(&slot->idle_addr, addr,
				     memory_order_relaxed) != addr)
		atomic_store_explicit(&slot->idle, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&slot->idle, 1, memory_order_relaxed);
}

/*
 * Look the address up and claim. A page that is there already and faults all
 * the same was revealed between the trap and here, or lost its protection to
 * a failure: revealing it again is right in both cases.
 */
static enum verdict enter_and_claim(struct claim *claim, uintptr_t addr,
				    enum lm_access access)
{
	lm_page_word *word = NULL;
	struct lm_area *area;
	enum verdict verdict = FOREIGN;
	uint32_t ticket = 0;

	claim->page = lm_page_down(addr);
	claim->access = access;
	claim->slot = lm_gate_enter();
	area = lm_area_find(addr);
	if (area && allowed(area->prot, access) &&
	    (claim->until || !stuck(claim->slot, addr))) {
		lm_step(LM_STEP_CLAIM, claim->page);
		verdict = claim_page(area, claim, &word, &ticket);
	}
	lm_gate_leave(claim->slot);
	if (verdict == WAIT) {
		lm_step(LM_STEP_WAIT, claim->page);
		lm_page_wait(word, ticket);
	}
	return verdict;
}

/* -- Filling ---------------------------------------------------------------- */

/* A page that is going to be written needs its swap no more. */
static void settle_one(lm_page_word *word, enum lm_page_state state)
{
	uint64_t handle = lm_page_swap(word);

	if (handle && state == LM_PAGE_DIRTY) {
		lm_page_set_swap(word, 0);
		lm_swap_free(handle);
	}
	lm_page_settle(word, state);
}

static void count_in(const struct claim *claim, size_t pages)
{
	lm_stats_add(LM_COUNT_pages_made_present, pages);
	lm_stats_add(LM_COUNT_pages_filled, pages);
	lm_stats_add(LM_COUNT_bytes_filled, pages * LM_PAGE);
	if (claim->from == LM_PAGE_SWAPPED)
		lm_stats_add(LM_COUNT_pages_swapped_in, pages);
	if (claim->until)
		lm_stats_add(LM_COUNT_pages_kernel, pages);
}

static void settle(const struct claim *claim, enum lm_page_state page,
		   enum lm_page_state rest)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;

	for (uintptr_t at = claim->start; at < claim->end; at += LM_PAGE)
		settle_one(lm_page_word_of(at),
			   at == claim->page ? page : rest);
	if (!lm_page_resident(claim->from) && page >= LM_PAGE_CLEAN)
		count_in(claim, pages);
	if (page >= LM_PAGE_CLEAN && claim->from != claim->to)
		lm_resident_came(claim->quota, claim->start, claim->end,
				 claim->cluster, claim->sequential);
	lm_gate_filled(claim->slot);
}

static int place(const struct claim *claim, uintptr_t at, const void *buffer,
		 size_t len)
{
	if (!lm_store_direct(claim->store))
		return lm_place->write(at, buffer, len);
	return lm_place_direct_write(at, buffer, len,
				     claim->store == &lm_store_file);
}

static int swap_in(uintptr_t at, void *buffer, size_t len)
{
	uint64_t handles[LM_SWAP_BATCH];
	size_t n = len >> LM_PAGE_SHIFT;

	for (size_t i = 0; i < n; i++)
		handles[i] = lm_page_swap(lm_page_word_of(at + i * LM_PAGE));
	return lm_swap_in(handles, n, buffer);
}

/* Copy the bytes into the claimed pages, which nobody can see. */
static int fill(const struct claim *claim)
{
	bool swapped = claim->from == LM_PAGE_SWAPPED;
	size_t size, len;
	char *buffer = lm_bounce_take(&size);
	int ret = buffer ? 0 : -ENOMEM;

	if (swapped)
		size = lm_min(size, LM_SWAP_BATCH * LM_PAGE);
	for (uintptr_t at = claim->start; !ret && at < claim->end; at += len) {
		len = lm_min(size, claim->end - at);
		ret = swapped ? swap_in(at, buffer, len)
			      : lm_store_read(claim->store, buffer, len,
					      claim->offset +
						      (at - claim->start));
		lm_step(LM_STEP_READ, at);
		if (!ret)
			ret = place(claim, at, buffer, len);
	}
	if (buffer)
		lm_bounce_give(buffer);
	return ret;
}

static bool to_fill(const struct claim *claim)
{
	return claim->from == LM_PAGE_SWAPPED ||
	       (claim->from == LM_PAGE_ABSENT &&
		!lm_store_direct(claim->store));
}

/*
 * Have the kernel map its pages now, in one call, instead of one exception a
 * page (Linux 5.14; earlier it fails, and the touch does it). What it cannot
 * map, past the end of a file, it will tell the toucher itself.
 */
static void populate(const struct claim *claim)
{
	int how = claim->access == LM_WRITE ? MADV_POPULATE_WRITE
					    : MADV_POPULATE_READ;

	if (claim->ahead)
		/* Advice: nobody minds if it is not taken. */
		lm_os_madvise(claim->ahead, claim->end - claim->start,
			      MADV_WILLNEED);
	if (claim->until)
		lm_os_madvise(claim->page,
			      lm_min(claim->until, claim->end) - claim->page,
			      how);
	else if (claim->stream && claim->rest == LM_PAGE_DIRTY)
		/* The writes that follow find their pages. */
		lm_os_madvise(claim->start, claim->end - claim->start,
			      MADV_POPULATE_WRITE);
	else if (claim->guard && claim->store->kind == LM_STORE_ZERO)
		return; /* one exception for the touched page costs less */
	else if (claim->store->kind == LM_STORE_ZERO ||
		 claim->to == LM_PAGE_DIRTY)
		lm_os_madvise(claim->page, LM_PAGE, how);
	else
		lm_os_madvise(claim->start, claim->end - claim->start,
			      MADV_POPULATE_READ);
}

static int protect(const struct claim *claim)
{
	int ret = 0;

	/* Where there are markers the protection is the area's. */
	if (!claim->guard || claim->rest_prot != claim->area_prot)
		ret = lm_os_mprotect(claim->start, claim->end - claim->start,
				     claim->rest_prot);
	if (!ret && claim->prot != claim->rest_prot)
		ret = lm_os_mprotect(claim->page, LM_PAGE, claim->prot);
	return ret;
}

static int reveal(const struct claim *claim)
{
	int ret = protect(claim);

	if (!ret && claim->guard)
		return lm_guard_remove(claim->start, claim->end);
	/* There may be one all the same; a kernel that has none refuses. */
	if (!ret && claim->heal)
		lm_guard_remove(claim->start, claim->end);
	return ret;
}

/*
 * VM areas that were split before they had an anon_vma each get one of their
 * own, and never join again; those split after share it. So the first page of
 * a private area that is to be written is written, with what it holds, while it
 * and the area are one.
 */
static void prime(const struct claim *claim)
{
	char byte;

	/* Where it cannot be done there are more VM areas, and that is all. */
	if (claim->prime && !lm_place_mem_read(&byte, claim->page, 1))
		lm_place_mem_write(claim->page, &byte, 1);
}

/* The pages that will be writable before they are settled. */
static void say_filled(const struct claim *claim)
{
	for (uintptr_t at = claim->start; at < claim->end; at += LM_PAGE)
		if (at == claim->page || claim->rest == LM_PAGE_DIRTY)
			lm_page_set_filled(lm_page_word_of(at));
}

/* Pages that are not in place get frames, which count from here on. */
static int bring(const struct claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	bool resident = lm_page_resident(claim->from);
	int ret = resident ? 0 : lm_resident_take(claim->quota, pages);

	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	if (to_fill(claim))
		ret = fill(claim);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		bool turn = lm_turn_begin();

		prime(claim);
		if (!resident && claim->to == LM_PAGE_DIRTY)
			say_filled(claim);
		ret = reveal(claim);
		lm_turn_end(turn);
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0 && !resident)
		lm_resident_give(claim->quota, pages);
	return ret;
}

static void count_fault(const struct claim *claim)
{
	if (claim->from == LM_PAGE_HIDDEN_CLEAN ||
	    claim->from == LM_PAGE_HIDDEN_DIRTY)
		lm_stats_add(LM_COUNT_faults_soft, 1);
	else if (lm_page_resident(claim->from))
		lm_stats_add(LM_COUNT_faults_upgrade, claim->from != claim->to);
	else if (claim->access == LM_WRITE)
		lm_stats_add(LM_COUNT_faults_write, 1);
	else
		lm_stats_add(LM_COUNT_faults_read, 1);
}

static enum lm_served fail(const struct claim *claim, int error)
{
	const char *what = "the kernel refused to reveal a page";

	if (error == -ENOMEM && lm_options.strict > 0 &&
	    lm_resident_bounded(claim->quota))
		what = "a page finds no room under the resident limit";
	else if (claim->from == LM_PAGE_SWAPPED)
		what = "a page could not be brought back from swap";
	else if (to_fill(claim))
		what = "a page could not be read from its store";
	settle(claim, claim->from, claim->from);
	if (lm_error_report(LAZYMAP_ERROR_READ, -error, claim->page, what))
		return LM_SERVED; /* dealt with: touch again */
	lm_stats_add(LM_COUNT_faults_failed, 1);
	return LM_FAILED;
}

/* At the limit of VM areas the kernel can split none: can there be fewer? By
 * evicting, or by revealing the pages around, up to where it did. */
static bool may_join(const struct claim *claim)
{
	if (lm_resident_bounded(claim->quota))
		return lm_options.strict <= 0;
	return lm_store_direct(claim->store);
}

/* It may have failed for a neighbour that nobody asked for. */
static bool unlucky(const struct claim *claim)
{
	return claim->from == LM_PAGE_SWAPPED &&
	       claim->end - claim->start > LM_PAGE;
}

/*
 * `until`: 0 for a fault; for the kernel's access, how far it goes, which is
 * worth claiming beyond the cluster.
 */
static enum lm_served serve(uintptr_t addr, enum lm_access access,
			    uintptr_t until)
{
	struct claim claim;
	int ret;

	claim.wide = claim.alone = claim.opened = false;
	for (;;) {
		claim.until = until;
		switch (enter_and_claim(&claim, addr, access)) {
		case CLAIMED:
			ret = bring(&claim);
			if (ret == -ENOMEM && !claim.wide && may_join(&claim)) {
				settle(&claim, claim.from, claim.from);
				claim.wide = true;
				if (lm_resident_bounded(claim.quota))
					lm_resident_shed(claim.quota,
							 LM_BLOCK_PAGES);
				continue;
			}
			if (ret < 0 && unlucky(&claim)) {
				settle(&claim, claim.from, claim.from);
				claim.alone = true;
				continue;
			}
			if (ret < 0)
				return fail(&claim, ret);
			if (lm_store_direct(claim.store) &&
			    claim.from == LM_PAGE_ABSENT)
				populate(&claim);
			if (!until) {
				count_fault(&claim);
				note_progress(&claim, addr);
			}
			settle(&claim, claim.to, claim.rest);
			lm_step(LM_STEP_SETTLED, claim.page);
			if (claim.from != claim.to)
				lm_widen_note(claim.slot, claim.page,
					      claim.quota);
			return LM_SERVED;
		case OPEN:
			lm_guard_open(claim.page);
			claim.opened = true;
			continue;
		case WAIT:
			lm_stats_add(LM_COUNT_faults_waited, 1);
			continue;
		case FOREIGN:
			atomic_store_explicit(&claim.slot->idle_addr, 0,
					      memory_order_relaxed);
			lm_stats_add(LM_COUNT_faults_foreign, 1);
			return LM_FOREIGN;
		case NO_MEMORY:
			return LM_FAILED;
		}
	}
}

enum lm_served lm_fault(uintptr_t addr, enum lm_access access)
{
	uint64_t from = lm_options.time > 0 ? lm_os_now_ns() : 0;
	enum lm_served served;

	if (lm_os_forked())
		lm_forked();
	served = serve(addr, access, 0);
	if (from)
		lm_stats_add(LM_COUNT_fault_ns, lm_os_now_ns() - from);
	return served;
}

/* -- A range, for the kernel, for pins, for populating ---------------------- */

/* Claim and bring in at `addr` unless it is there as wanted. The next address
 * to go on with, or addr itself to try again; *error when it cannot go on. */
static uintptr_t bring_range(uintptr_t addr, uintptr_t end,
			     enum lm_access access, bool pin, int *error)
{
	struct lm_slot *slot = lm_gate_enter();
	struct lm_area *area = lm_area_at_or_after(addr);
	enum lm_page_state good =
		access == LM_WRITE ? LM_PAGE_DIRTY : LM_PAGE_CLEAN;
	lm_page_word *word;
	uint64_t seen;

	if (!area || area->start >= end) {
		addr = end;
		goto out;
	}
	addr = lm_max(addr, area->start);
	end = lm_min(end, area->end);
	if (!allowed(area->prot, access)) {
		*error = -EFAULT;
		goto out;
	}
	/* Shared direct pages are revealed for writing whatever they are. */
	if (lm_store_direct(area->store) && area->flags & LM_AREA_SHARED)
		good = LM_PAGE_CLEAN;
	for (; addr < end; addr += LM_PAGE) {
		word = lm_page_word_of(addr);
		seen = word ? atomic_load_explicit(word, memory_order_relaxed)
			    : 0;
		while (lm_page_present(seen) && LM_PAGE_STATE(seen) >= good) {
			if (!pin)
				break;
			if (LM_PAGE_PINS(seen) == LM_PAGE_PINS_MAX) {
				*error = -EAGAIN;
				goto out;
			}
			/* Acquire: pairs with the settle that filled it. */
			if (atomic_compare_exchange_weak_explicit(
				    word, &seen, seen + LM_PAGE_PIN,
				    memory_order_acquire, memory_order_relaxed))
				break;
		}
		if (!lm_page_present(seen) || LM_PAGE_STATE(seen) < good)
			break;
	}
out:
	lm_gate_leave(slot);
	return addr;
}

static uintptr_t range_steps(uintptr_t start, uintptr_t end,
			     enum lm_access access, bool pin, int *error)
{
	while (start < end) {
		uintptr_t at = bring_range(start, end, access, pin, error);

		start = at;
		if (*error || at >= end)
			break;
		switch (serve(at, access, end)) {
		case LM_SERVED:
			break;
		case LM_FOREIGN: /* changed meanwhile: bring_range tells */
			break;
		case LM_FAILED:
			*error = -EIO;
			return at;
		}
	}
	return start;
}

uintptr_t lm_fault_range(uintptr_t start, uintptr_t end, enum lm_access access,
			 bool pin, int *error)
{
	uint64_t mask = lm_os_block_signals();
	uintptr_t reached;

	*error = 0;
	if (lm_os_forked())
		lm_forked();
	reached = range_steps(lm_page_down(start), end, access, pin, error);
	lm_os_restore_signals(mask);
	return reached < end ? reached : end;
}

void lm_fault_unpin(uintptr_t start, uintptr_t end)
{
	uint64_t mask = lm_os_block_signals();
	struct lm_slot *slot = lm_gate_enter();

	for (start = lm_page_down(start);
	     (start = lm_page_next_block(start, end)) < end; start += LM_PAGE) {
		lm_page_word *word = lm_page_word_of(start);

		/* Release: pairs with the claim that takes the page. */
		if (LM_PAGE_PINS(atomic_load(word)))
			atomic_fetch_sub_explicit(word, LM_PAGE_PIN,
						  memory_order_release);
	}
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
}

/* -- Ahead of a touch -------------------------------------------------------- */

static uintptr_t next_swapped(uintptr_t at, uintptr_t end)
{
	struct lm_slot *slot = lm_gate_enter();

	for (; (at = lm_page_next_block(at, end)) < end; at += LM_PAGE)
		if (LM_PAGE_STATE(atomic_load_explicit(lm_page_word_of(at),
						       memory_order_relaxed)) ==
		    LM_PAGE_SWAPPED)
			break;
	lm_gate_leave(slot);
	return lm_min(at, end);
}

/* 0; -ENOMEM: no room; or why these pages cannot be read. */
static int bring_back(struct claim *claim)
{
	size_t pages = (claim->end - claim->start) >> LM_PAGE_SHIFT;
	int ret = lm_resident_try(claim->quota, pages);

	lm_step(LM_STEP_CLAIMED, claim->page);
	if (ret < 0)
		return ret;
	ret = fill(claim);
	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		/* A fault goes first. */
		lm_turn_wait();
		ret = reveal(claim);
		lm_turn_done();
	}
	lm_step(LM_STEP_REVEALED, claim->page);
	if (ret < 0)
		lm_resident_give(claim->quota, pages);
	return ret == -ENOMEM ? -EAGAIN : ret;
}

size_t lm_fault_ahead(uintptr_t *at, uintptr_t end, size_t most)
{
	struct claim claim = { .opened = true };
	int ret;

	*at = next_swapped(*at, end);
	if (*at == end)
		return 0;
	if (most < (end - *at) >> LM_PAGE_SHIFT)
		end = *at + (most << LM_PAGE_SHIFT);
	claim.until = end;
	/* Another thread came for it meanwhile, or it is gone. */
	if (enter_and_claim(&claim, *at, LM_READ) != CLAIMED) {
		*at += LM_PAGE;
		return 0;
	}
	claim.until = 0;
	ret = claim.from == LM_PAGE_SWAPPED ? bring_back(&claim) : -EAGAIN;
	if (ret < 0)
		settle(&claim, claim.from, claim.from);
	else
		settle(&claim, claim.to, claim.rest);
	*at = ret == -ENOMEM ? UINTPTR_MAX : claim.end;
	return ret < 0 ? 0 : (claim.end - claim.start) >> LM_PAGE_SHIFT;
}
