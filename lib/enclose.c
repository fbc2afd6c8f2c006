/*
 * enclose.c -- see enclose.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "enclose.h"

#include "pager.h"
#include "permit.h"
#include "place/place.h"
#include "resident.h"
#include "start.h"
#include "swap/swap.h"

void lm_enclose(void)
{
	uint64_t mask;

	if (lm_pager_forgone())
		return;
	mask = lm_os_block_signals();
	if (lm_os_forked())
		lm_forked();
	/* Later it may not be asked any more. */
	(void)lm_permit_ask(LM_PERMIT_ALL);
	lm_place_open();
	if (lm_resident_limited())
		lm_swap_open();
	lm_os_restore_signals(mask);
}
