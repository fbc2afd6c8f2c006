/*
 * frame.h -- 2 MiB of memory that go from the block behind a stream to the one
 * before it.
 *
 * What a stream of a copied store leaves behind is memory of the size of what it
 * asks for next. The way of single pages gives it back to the kernel, gets other
 * in its place, and copies the bytes twice: into a buffer, and from there into
 * pages that nobody can see. A frame is taken out of its block whole (mremap), is
 * filled in a window, a place of lazymap's own that no other code knows of, and
 * put whole where it belongs, in sight from that moment on. It is a huge page
 * where the kernel has them, and is hidden, shown and taken out as one. As soon as
 * any page of the block is hidden or goes by itself, the block is split: its pages are
 * dealt with one by one (huge.h).
 *
 * A block whose frame came so is a VM area of its own, and stays one when it is
 * empty (memory remembers the address at which it was first touched), until a new
 * mapping is laid over it: LM_PAGE_MOVED in the word of its first page says so. The
 * kernel's mapping goes with the frame in both cases, and with it what the program
 * has set of its own: so areas with advice of the kinds that stay with a mapping,
 * locks, keys or a userfaultfd of the program's are left alone.
 *
 * A frame in a window is counted like any page (resident.h). It is in use, or it
 * is spare: then who wants a frame has it with its count, and who finds no room has
 * it dropped.
 *
 * Async-signal-safe with all signals blocked; takes no lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_FRAME_H
#define LM_FRAME_H

#include "area.h"

/* Inside the gate: may a block of the area be a frame, going in and out? */
bool lm_frame_fits(const struct lm_area *area);

/* -- Windows ------------------------------------------------------------------ */

/* A stream wants a frame soon: what is evicted may be kept for it. */
void lm_frame_wish(void);
/* Is one wanted, and none spare? */
bool lm_frame_wanted(void);

/* A window for the caller alone, writable, without a frame, whose pages the caller
 * has counted: 0 when there is none. */
uintptr_t lm_frame_take_empty(void);
/* The same with a spare frame of that quota, or (any) of whichever, and what it
 * counts: for *counts, and the process. */
uintptr_t lm_frame_take(const struct lm_quota *quota, bool any,
			struct lm_quota **counts);
/* It is spare now, and so is what the caller has counted for it, for the quota and
 * the process. */
void lm_frame_spare(uintptr_t window, struct lm_quota *quota);
/* The memory of a spare frame of the quota (the process's: of any) goes, and counts
 * no more. False: there is none. With pages BUSY, or the gate drained. */
bool lm_frame_drop(const struct lm_quota *quota);

/* -- Moving ------------------------------------------------------------------- */

/* The frame, filled, goes to where the BUSY, absent pages of `block` are, and is in
 * sight with that protection. 0; or -errno: nothing of it is there. The window is
 * no longer the caller's if that went well. */
int lm_frame_show(uintptr_t window, uintptr_t block, int prot);
/* The frame of a block all of whose pages are BUSY, clean and hidden is taken out.
 * 0: it is gone, to *window, writable and the caller's, or (0) to nowhere; or
 * -errno: the block is as before. */
int lm_frame_take_out(uintptr_t block, uintptr_t *window);
/* A new mapping, hidden, over a block of which nothing is needed any more, all of
 * it BUSY, or inside a change. 0 or -errno. */
int lm_frame_level(uintptr_t block);
/* Has a frame come to addr's block so, and has it not been levelled since? As for
 * lm_page_word_of(). */
bool lm_frame_moved(uintptr_t addr);
/* Levels addr's block, if a frame came there and no page of it is in place any
 * more. Outside the gate. */
void lm_frame_close(uintptr_t addr);

/* The program has asked for what moving frames would not keep: none are from here
 * on. */
void lm_frame_refuse(void);
/* The same with the gate drained, and the windows go. */
void lm_frame_end(void);
/* In a forked child: none is spare. */
void lm_frame_forked(void);

#endif
