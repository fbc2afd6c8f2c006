/*
 * robust.c -- mutexes that a thread holds when it ends: the kernel looks at
 * those that are robust, to tell their next owner, and does not fault them in.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../area.h"

#include <linux/futex.h>

/* As many as the kernel follows. */
#define MOST 2048

static void pin_entry(const struct robust_list_head *head, uintptr_t entry)
{
	/* For good: nobody comes back to undo it. */
	lm_access_pin(entry, sizeof(struct robust_list), 0);
	lm_access_pin(entry + (uintptr_t)head->futex_offset, 4, 1);
}

void lm_robust_pin(void)
{
	struct robust_list_head *head = NULL;
	size_t len;
	uintptr_t entry;

	if (!lm_area_ever() ||
	    lm_sys(SYS_get_robust_list, 0, &head, &len) < 0 || !head)
		return;
	entry = (uintptr_t)head->list.next;
	for (int i = 0; i < MOST; i++) {
		entry &= ~(uintptr_t)1; /* it inherits priority */
		if (!entry || entry == (uintptr_t)&head->list)
			break;
		pin_entry(head, entry);
		entry = (uintptr_t)((struct robust_list *)entry)->next;
	}
}
