/*
 * permit.h -- what the kernel permits, found out when the first area needs it: many a
 * process under the shim maps nothing that is lazy, and to ask takes some fifty calls.
 *
 * Asked before areas are changed, and never in a fault; and all of it before the
 * program gives up what it may do (enclose.h), for a filter may end who asks later.
 * A forked child goes on with what was found.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PERMIT_H
#define LM_PERMIT_H

#include "area.h"

enum lm_permit {
	LM_PERMIT_HIDE = 1 << 0,  /* ways of placing, markers: any area */
	LM_PERMIT_FILES = 1 << 1, /* markers in what is shared or a file's */
	LM_PERMIT_OVER = 1 << 2,  /* and what is placed over them */
	LM_PERMIT_COPY = 1 << 3,  /* the kernel's copy into hidden pages */
	LM_PERMIT_ALL = (1 << 4) - 1,
};

/*
 * Have these asked, unless they were. 0; or -errno: there is no way to place pages;
 * -EMFILE, -ENFILE: there may be one when there are descriptors again; -ESTALE: this
 * is a vfork child of a process that has not asked, whose memory it shares and whose
 * descriptors it does not. Takes the map lock; async-signal-safe.
 */
int lm_permit_ask(unsigned what);

/* What an area that is about to be mapped needs. */
unsigned lm_permit_for(const struct lm_area *area);

#endif
