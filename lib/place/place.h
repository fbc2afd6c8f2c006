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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Preconditions of write and read: dst (src) is page-aligned, len a multiple
 * of the page size, the pages are private anonymous memory with PROT_NONE and
 * BUSY (claimed) by the caller. Both leave them PROT_NONE. 0 or -errno.
 * Async-signal-safe, called by several threads at once for different pages.
 *
 * What the page held before a write is lost. A way whose descriptor is gone
 * and cannot be had again (no privilege after setuid, no /proc after chroot, a
 * full table) goes on as `mremap` does: only the probe is allowed to refuse.
 *
 * uffd and mremap read a page out by moving it aside for that time: no fork
 * may copy the address space meanwhile, or the child misses the page. A write
 * that such a fork cuts through leaves the child's page absent or stale, and
 * BUSY: the child has to make it ABSENT (or SWAPPED) again.
 *
 * The memory should be MAP_NORESERVE: memory that the kernel accounts for is
 * marked so when it first becomes writable, and no longer merges with what is
 * not.
 */
struct lm_place {
	const char *name;
	/* Can this be used here? Tries it on a page of its own. 0, -errno. */
	int (*probe)(void);
	/* A new area's memory [start, start+len) will be placed into: mapped,
	 * private, anonymous, PROT_NONE, nothing in it, known to no thread
	 * yet. May be NULL. Only makes later writes cheaper; munmap is all
	 * that undoes it. 0 or -errno. */
	int (*attach)(uintptr_t start, size_t len);
	int (*write)(uintptr_t dst, const void *src, size_t len);
	int (*read)(void *dst, uintptr_t src, size_t len);
	/* In a forked child, before any other call: what was bound to the
	 * parent's memory is bound anew. Returns 0 or -errno. */
	int (*forked)(void);
};

/*
 * Pages of an area whose store is not copied (direct) go through these when
 * they are swapped. `file`: the memory is a private mapping of a file. As read
 * and write above; -EOPNOTSUPP: no way that is permitted here can do it.
 */
int lm_place_direct_read(void *dst, uintptr_t src, size_t len, int file);
int lm_place_direct_write(uintptr_t dst, const void *src, size_t len, int file);

/*
 * By userfaultfd, whatever way is in use: into pages that are hidden by their
 * protection, and over guard markers (guard.h); the pages appear one by one, whole,
 * with the protection that they have. [low, high): the memory around in the same
 * mapping, which is registered with them where they are not yet. The bytes placed,
 * which may be fewer than len; or -errno. Over markers only where
 * lm_place_over_probe() has returned 0, and into hidden pages where
 * lm_place_hidden_probe() has.
 */
long lm_place_over(uintptr_t dst, const void *src, size_t len, uintptr_t low,
		   uintptr_t high);
int lm_place_over_probe(void);
/* Needs no guard regions. Tried once in a process and its children; may be called
 * in a handler, by several threads at once. */
int lm_place_hidden_probe(void);
/* Is it permitted, and no other way asked for than this one? */
bool lm_place_copies(void);
/* Open what it needs, where it is permitted and not open yet. */
void lm_place_over_open(void);
int lm_place_over_begin(void); /* at the start: lm_fd_begin() */
/* Before [start, end) moves: nothing of it is registered for that any more. */
void lm_place_over_end(uintptr_t start, uintptr_t end);
/*
 * The same, and the kernel notes which of them are written from then on. To be
 * used where lm_place_tracked_probe() has returned 0: where it has not, a write
 * would not be served.
 */
long lm_place_over_tracked(uintptr_t dst, const void *src, size_t len,
			   uintptr_t low, uintptr_t high);
int lm_place_tracked_probe(void); /* answers lm_place_over_probe(), too, by 0 */
/* Of n (at most 64) pages placed so, none of which can be written now: bit i,
 * page i was not since. 0 as well where it cannot be known; and, for the pages of
 * a forked child or those that mremap moved, because nobody noted it. */
uint64_t lm_place_unwritten(uintptr_t at, size_t n);
/* Which of n (at most 64) pages of a private mapping of a file, that nobody can
 * write any more, are the file's? None where it cannot be known. */
uint64_t lm_place_of_file(uintptr_t at, size_t n);
/* Has the kernel mapped a page there? False where it cannot be known. */
bool lm_place_present(uintptr_t at);
/* May any of n (at most 64) pages without a frame have a guard marker? True where
 * it cannot be known. */
bool lm_place_marked(uintptr_t at, size_t n);
int lm_place_unwritten_begin(void);
/* Close what these need; opened again by the next use, or now. */
void lm_place_unwritten_drop(void);
void lm_place_unwritten_open(void);
/* In a forked child. */
void lm_place_over_forked(void);
void lm_place_unwritten_forked(void);

/* The way `mem` without another to fall back to, for these. */
int lm_place_mem_read(void *dst, uintptr_t src, size_t len);
int lm_place_mem_write(uintptr_t dst, const void *src, size_t len);
bool lm_place_mem_there(void); /* can it be opened? */
int lm_place_mem_begin(void);
bool lm_place_mem_mine(void); /* no vfork child? */

extern const struct lm_place lm_place_mem;     /* /proc/self/mem, FOLL_FORCE */
extern const struct lm_place lm_place_uffd;    /* UFFDIO_COPY */
extern const struct lm_place lm_place_inplace; /* while there is one thread */
extern const struct lm_place lm_place_mremap;  /* a twin, moved into place */

/*
 * Choose by name, or ("auto", NULL) the first that its probe permits, in the
 * order above but for inplace, which is never chosen by itself. 0; -EINVAL: no
 * way has this name; -ENOSYS: the way asked for (with auto: every way) is not
 * permitted here, its probe says why; -ENOMEM; with auto -EMFILE, -ENFILE. May be
 * called again.
 */
int lm_place_start(const char *name);
/* Before: the descriptors that ways need will be this process's. 0, or -ENOMEM. */
int lm_place_begin(void);
/* In a forked child: whatever the ways in use have to do. */
void lm_place_forked(void);
/* Open what the ways in use need, as far as it can be: with all signals blocked,
 * and not in a child of vfork. */
void lm_place_open(void);

/* The way that is in use; NULL until it is chosen, and then immutable (permit.h). */
extern const struct lm_place *lm_place;
/* The i-th way, or NULL: for lists of what is permitted. */
const struct lm_place *lm_place_way(unsigned i);

/* For probes: write, read back and reveal one page with these two. 0 if its
 * bytes were right each time, -EIO if not, or what failed, -errno. */
int lm_place_try(int (*write)(uintptr_t dst, const void *src, size_t len),
		 int (*read)(void *dst, uintptr_t src, size_t len));

#endif
