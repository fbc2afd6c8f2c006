/*
 * change.h -- the frame of every call that changes areas.
 *
 *	struct lm_change change;
 *	ret = lm_change_begin(&change, start, end);
 *	...the map lock is held, the gate shut, no page of the range BUSY,
 *	and the area array has room for one insert and two splits...
 *	lm_change_end(&change);
 *
 * The kernel's mappings are changed inside, together with the areas, so that
 * no fault ever sees one without the other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_CHANGE_H
#define LM_CHANGE_H

#include "area.h"
#include "page.h"

struct lm_change {
	uint64_t mask; /* the thread's signal mask, to be given back */
};

/* 0; or -ENOMEM, and nothing is held. */
int lm_change_begin(struct lm_change *change, uintptr_t start, uintptr_t end);
/* The same with no page BUSY anywhere, and nobody who still has to count what
 * he did with one. */
int lm_change_begin_drained(struct lm_change *change);
/* Wait for one more range; may open the gate for that time, so what was looked
 * up before has to be looked up again. */
void lm_change_also(uintptr_t start, uintptr_t end);
/* Lets go of everything, and closes stores that nobody uses any more. */
void lm_change_end(struct lm_change *change);

/* Inside a change, before an area is made or grows: reserve what faults in its
 * `more` bytes may need of metadata. 0 or -ENOMEM. */
int lm_change_promise(uintptr_t start, size_t more);

/* Inside a change: [start, end) has no content any more (unmapped, or advised
 * away): every page ABSENT, counted. */
void lm_change_forget(uintptr_t start, uintptr_t end);
/* The same, and no area either (unmapped, replaced). */
void lm_change_clear(uintptr_t start, uintptr_t end);

/* Inside a change: give the kernel's pages of [start, end) within `area` the
 * protection that their states call for. 0 or -errno. */
int lm_change_reprotect(const struct lm_area *area, uintptr_t start,
			uintptr_t end);

/* pkey_mprotect(2) of hidden pages: the key, and no protection yet. 0 or -errno.
 * From then on no pager reads pages in place: it may lack the right to. */
int lm_protect_key(uintptr_t start, size_t len, int key);

/* remap_file_pages(2): the pages of a shared area in another order. The call
 * that the library has no name for. 0 or -errno. */
int lm_remap_file_pages(uintptr_t start, size_t len, int prot, size_t page,
			int flags);

/* Pages and errno of public calls: -1 with errno = -ret, else 0. */
int lm_return(int ret);

/* The range of [start, start+len) in pages, as munmap and the others take it.
 * 0; -EINVAL: misaligned start, or (zero_ok false) length 0; `overflow`: the
 * range wraps or leaves user space. */
int lm_range(const void *start, size_t len, bool zero_ok, int overflow,
	     uintptr_t *first, uintptr_t *end);

#endif
