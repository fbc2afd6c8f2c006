/*
 * guard.h -- hiding pages by markers of the kernel's in place of protection.
 *
 * mprotect of a page makes VM areas, and takes the address space's lock for
 * writing. A guard region (MADV_GUARD_INSTALL, Linux 6.13; in file mappings
 * 6.15) is a marker in the page table: a touch raises SIGSEGV as PROT_NONE does,
 * no VM area is split, and the lock is only read. Markers stay over fork,
 * mprotect, mremap, MADV_DONTNEED and the truncation of the file; what was there
 * is dropped when one is put, and a marker that is taken away leaves nothing:
 * the touch then has the kernel bring the page, zeros or the file's.
 *
 * So this is for pages that are the kernel's own, in a mapping that has the area's
 * protection. What is written and has to go to swap is hidden by its protection
 * until it is saved, gets its marker then, and comes back over the marker by
 * userfaultfd, in one call; without that it is hidden by protection throughout.
 * The pages of a store that is copied come the same way. Where they can be written
 * and have to be written back (shared ones) they have no markers, for a write
 * must be seen; under a limit they have, where the kernel notes what is written.
 * A block (2 MiB) gets its markers, and that
 * protection, at its second fault that goes on no stream: a block of which only
 * one page is touched costs less without, and a stream shows more at once.
 *
 * LM_PAGE_GUARD in a page's word says that it is hidden so. A page that has it
 * in its word and no marker would be touched unseen; the other way round the
 * touch faults, and the marker is taken away then.
 *
 * Async-signal-safe with all signals blocked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_GUARD_H
#define LM_GUARD_H

#include "area.h"
#include "page.h"

/* Inside the gate: can pages of the area be hidden so? */
bool lm_guard_can(const struct lm_area *area);

/* The same for what is placed, from swap or from a store that is copied: the
 * memory is anonymous and private, and userfaultfd places over markers here. */
bool lm_guard_can_swap(const struct lm_area *area);

/* Inside the gate: what is placed there over markers can be written at once, for
 * the kernel knows whether it was (lm_place_over_tracked()). */
bool lm_guard_tracks(const struct lm_area *area);

/* Is any page of addr's block hidden by a marker? As for lm_page_word_of(). */
bool lm_guard_opened(uintptr_t addr);

/* Put and take away markers. 0 or -errno: EINVAL, the mapping takes none. */
int lm_guard_install(uintptr_t start, uintptr_t end);
int lm_guard_remove(uintptr_t start, uintptr_t end);

/* The absent pages of addr's block and area get markers, and the area's
 * protection. Outside the gate. If it cannot be done the pages are as before,
 * and where its mapping takes no markers it is not asked for again. */
void lm_guard_open(uintptr_t addr);

/* When VM areas are short: a block of which nothing is in place is hidden by its
 * protection again, as is what lies around it. Outside the gate. */
void lm_guard_shut(uintptr_t addr);

/* Inside a change: no page of [start, end) has a marker of ours any more. They
 * are shown, untouched, which makes no VM areas; or hidden by protection where
 * there is a limit that they would escape. 0 or -errno: some have theirs. */
int lm_guard_close(uintptr_t start, uintptr_t end);

/* Inside a change, of pages [start, end) in one state whose content the kernel
 * has dropped: those among others with markers are hidden by them as well, for
 * protection would make VM areas. False: nothing was done. */
bool lm_guard_drop(const struct lm_area *area, const struct lm_run *run);

/* In a forked child: a page that another thread was changing is hidden or shown
 * by its protection alone, as this state is. */
void lm_guard_forked(uintptr_t page, enum lm_page_state state);

/* Find out what the kernel has of it, the first before the others: permit.h. */
void lm_guard_look(void);
void lm_guard_look_files(void);
void lm_guard_look_over(void);

/* What was found. */
bool lm_guard_anonymous(void);
bool lm_guard_files(void);
bool lm_guard_swap(void);
/* So is what a store has copied: by lm_place_over(). */
bool lm_guard_stores(void);

#endif
