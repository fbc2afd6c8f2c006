/*
 * fault.c -- the way of a fault: claim the pages (claim.h), bring them (fill.h),
 * settle them. Runs inside the signal handler: nothing here may allocate with
 * malloc or take a lock that the handler can interrupt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fault.h"

#include "crew.h"
#include "fill.h"
#include "guard.h"
#include "populate.h"
#include "readahead.h"
#include "resident.h"
#include "start.h"
#include "stats.h"
#include "step.h"
#include "widen.h"

/* How often a block's worth of frames is evicted for want of a VM area. */
#define SHEDS 16

static void count_fault(const struct lm_claim *claim)
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

static enum lm_served fail(const struct lm_claim *claim, int error)
{
	const char *what = "the kernel refused to reveal a page";

	if (error == -ENOMEM && lm_options.strict > 0 &&
	    lm_resident_bounded(claim->quota))
		what = "a page finds no room under the resident limit";
	else if (claim->from == LM_PAGE_SWAPPED)
		what = "a page could not be brought back from swap";
	else if (lm_fill_needed(claim))
		what = "a page could not be read from its store";
	lm_claim_undo(claim);
	if (lm_error_report(LAZYMAP_ERROR_READ, -error, claim->page, what))
		return LM_SERVED; /* dealt with: touch again */
	lm_stats_add(LM_COUNT_faults_failed, 1);
	return LM_FAILED;
}

/* At the limit of VM areas the kernel can split none: can there be fewer? By
 * evicting, or by revealing the pages around, up to where it did. */
static bool may_join(const struct lm_claim *claim, unsigned refused)
{
	/* What goes joins only what lies beside it: perhaps not enough. */
	if (lm_resident_bounded(claim->quota))
		return lm_options.strict <= 0 && refused < SHEDS;
	return lm_store_direct(claim->store) && !refused;
}

/* It may have failed for neighbours that nobody asked for. */
static bool unlucky(const struct lm_claim *claim, int error)
{
	bool guessed = !claim->fixed && !lm_store_direct(claim->store);

	return (guessed || claim->from == LM_PAGE_SWAPPED || error == -EAGAIN ||
		error == -EFAULT) &&
	       claim->end - claim->start > LM_PAGE;
}

/* A page of a store that cannot be placed: the program has a guard region
 * there. */
static bool is_theirs(const struct lm_claim *claim, int error)
{
	return error == -EFAULT && claim->theirs &&
	       !lm_store_direct(claim->store);
}

/* A stream has come to a block that workers were to read. */
static void order(const struct lm_claim *claim)
{
	const struct lm_store *store = claim->store;
	uintptr_t block = claim->page & ~(LM_BLOCK - 1);

	lm_readahead(claim);
	lm_claim_undo(claim);
	lm_crew_order(block, store);
}

enum lm_served lm_fault_serve(uintptr_t addr, enum lm_access access,
			      uintptr_t until)
{
	struct lm_claim claim;
	unsigned refused = 0;
	bool ordered = false, show;
	int ret;

	claim.wide = claim.alone = claim.opened = claim.here = false;
	claim.apart = false;
	claim.marker = 0;
	for (;;) {
		claim.until = until;
		switch (lm_claim(&claim, addr, access)) {
		case LM_CLAIM_DONE:
			if (claim.late && !ordered) {
				ordered = true;
				order(&claim);
				continue;
			}
			ret = lm_fill(&claim);
			if (ret == -ENOMEM && may_join(&claim, refused++)) {
				lm_claim_undo(&claim);
				claim.wide = true;
				lm_widen_refused();
				if (lm_resident_bounded(claim.quota))
					lm_resident_shed(claim.quota,
							 LM_BLOCK_PAGES);
				continue;
			}
			if (ret < 0 && unlucky(&claim, ret)) {
				lm_claim_undo(&claim);
				claim.alone = true;
				continue;
			}
			if (ret < 0 && is_theirs(&claim, ret)) {
				lm_claim_undo(&claim);
				lm_stats_add(LM_COUNT_faults_foreign, 1);
				return LM_FOREIGN;
			}
			if (ret < 0)
				return fail(&claim, ret);
			if (lm_store_direct(claim.store) &&
			    claim.from == LM_PAGE_ABSENT)
				lm_populate(&claim);
			if (!until) {
				count_fault(&claim);
				lm_claim_progress(&claim, addr);
				lm_readahead(&claim);
			}
			show = claim.steps.count &&
			       lm_store_direct(claim.store);
			lm_claim_settle(&claim, claim.to, claim.rest);
			lm_step(LM_STEP_SETTLED, claim.page);
			if (claim.from != claim.to)
				lm_widen_note(claim.slot, claim.page,
					      claim.quota);
			if (show)
				lm_fault_show(&claim.steps, claim.store,
					      access);
			return LM_SERVED;
		case LM_CLAIM_OPEN:
			lm_guard_open(claim.page);
			claim.opened = true;
			continue;
		case LM_CLAIM_WAIT:
			lm_stats_add(LM_COUNT_faults_waited, 1);
			continue;
		case LM_CLAIM_FOREIGN:
			atomic_store_explicit(&claim.slot->idle_addr, 0,
					      memory_order_relaxed);
			lm_stats_add(LM_COUNT_faults_foreign, 1);
			return LM_FOREIGN;
		case LM_CLAIM_NO_MEMORY:
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
	served = lm_fault_serve(addr, access, 0);
	if (from)
		lm_stats_add(LM_COUNT_fault_ns, lm_os_now_ns() - from);
	return served;
}
