/*
 * place.h -- copying bytes into pages that nobody can see yet, and out again.
 *
 * Between the claim of an absent page and its reveal (one mprotect, done by
 * the caller) the page has no access, so no thread can see it half filled.
 * A way of placing is a way to write there all the same. Direct stores need
 * none of this: their pages are the kernel's own, and revealing is enough.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PLACE_PLACE_H
#define LM_PLACE_PLACE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Preconditions of write and read: dst (src) is page-aligned, len a multiple
 * of the page size, the pages are private anonymous memory with PROT_NONE and
 * BUSY (claimed) by the caller. Both leave them PROT_NONE. 0 or -errno.
 * Async-signal-safe, called by several threads at once for different pages.
 */
struct lm_place {
	const char *name;
	/* Can this be used here? Tries it on a page of its own. 0, -errno. */
	int (*probe)(void);
	/* A new area's memory [start, start+len) will be placed into. May be
	 * NULL. 0 or -errno. */
	int (*attach)(uintptr_t start, size_t len);
	int (*write)(uintptr_t dst, const void *src, size_t len);
	int (*read)(void *dst, uintptr_t src, size_t len);
	/* In a forked child, before any other call: what was bound to the
	 * parent's memory is bound anew. Returns 0 or -errno. */
	int (*forked)(void);
};

extern const struct lm_place lm_place_mem;     /* /proc/self/mem, FOLL_FORCE */
extern const struct lm_place lm_place_uffd;    /* UFFDIO_COPY */
extern const struct lm_place lm_place_inplace; /* while there is one thread */
extern const struct lm_place lm_place_mremap;  /* a twin, moved into place */

/* Choose by name, or ("auto", NULL) the first that its probe permits, in the
 * order above but for inplace, which is never chosen by itself. 0, -errno. */
int lm_place_start(const char *name);
/* The way that is in use; immutable after the start. */
extern const struct lm_place *lm_place;

#endif
