/*
 * permit.c -- see permit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "permit.h"

#include "gate.h"
#include "guard.h"
#include "place/place.h"
#include "resident.h"

/* Written with the map lock; atomic. */
static _Atomic unsigned asked;

unsigned lm_permit_for(const struct lm_area *area)
{
	bool direct = lm_store_direct(area->store);
	unsigned what = LM_PERMIT_HIDE;

	if (direct &&
	    (area->store != &lm_store_zero || area->flags & LM_AREA_SHARED))
		what |= LM_PERMIT_FILES;
	if (!direct || lm_resident_limited())
		what |= LM_PERMIT_OVER;
	if (!direct)
		what |= LM_PERMIT_COPY;
	return what;
}

static int ask(unsigned what)
{
	int ret = 0;

	if (!lm_place_mem_mine())
		return -ESTALE;
	if (what & LM_PERMIT_HIDE && !lm_place)
		ret = lm_place_start(NULL);
	if (ret < 0)
		return ret;
	if (what & LM_PERMIT_HIDE) {
		(void)lm_os_max_map_count(); /* it is known from then on */
		lm_guard_look();
	}
	if (what & LM_PERMIT_FILES)
		lm_guard_look_files();
	if (what & LM_PERMIT_OVER)
		lm_guard_look_over();
	if (what & LM_PERMIT_COPY)
		(void)lm_place_copies(); /* that is known from then on, too */
	return 0;
}

int lm_permit_ask(unsigned what)
{
	/* Acquire: pairs with the release below, for what was found. */
	unsigned known = atomic_load_explicit(&asked, memory_order_acquire);
	uint64_t mask;
	int ret = 0;

	what |= LM_PERMIT_HIDE;
	if ((known & what) == what)
		return 0;
	mask = lm_map_lock();
	known = atomic_load_explicit(&asked, memory_order_relaxed);
	if (what & ~known)
		ret = ask(what & ~known);
	if (!ret)
		atomic_store_explicit(&asked, known | what,
				      memory_order_release);
	lm_map_unlock(mask);
	return ret;
}
