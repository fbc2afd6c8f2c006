/*
 * remap.c -- mremap of lazy areas.
 *
 * An area's pages are many VM areas to the kernel (hidden, readable, writable
 * ones), and mremap moves one at a time before Linux 6.17: so a move hides the
 * pages, goes piece by piece into reserved room, and shows them again.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "change.h"
#include "fault.h"
#include "limit.h"
#include "os_linux.h"
#include "place/place.h"
#include "resident.h"
#include "start.h"
#include "sync.h"

struct move {
	uintptr_t old, new;
	size_t old_len, new_len;
	int flags;
};

static long kernel_remap(uintptr_t old, size_t old_len, size_t new_len,
			 int flags, uintptr_t new)
{
	return lm_sys(SYS_mremap, old, old_len, new_len, flags, new);
}

static bool mapped(uintptr_t page)
{
	unsigned char vec;

	return lm_sys(SYS_mincore, page, LM_PAGE, &vec) != -ENOMEM;
}

/* How much of what was mapped without holes has gone, from its beginning on. */
static size_t gone(uintptr_t at, size_t len)
{
	size_t low = 0, high = len >> LM_PAGE_SHIFT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mapped(at + (middle << LM_PAGE_SHIFT)))
			high = middle;
		else
			low = middle + 1;
	}
	return low << LM_PAGE_SHIFT;
}

/*
 * Move pages that may be several VM areas: halves, until the kernel takes
 * them. Linux 6.17 and later move several, up to the first that is registered
 * with userfaultfd, and then fail: the rest is still to be moved. On failure
 * *moved tells how far it got.
 */
static int move_pieces(uintptr_t old, uintptr_t new, size_t len, int flags,
		       size_t *moved)
{
	long ret = kernel_remap(old, len, len,
				MREMAP_MAYMOVE | MREMAP_FIXED | flags, new);
	size_t half, went;
	int error;

	if (ret >= 0 || !lm_os_failed((uintptr_t)ret)) {
		*moved += len;
		return 0;
	}
	went = gone(old, len);
	*moved += went;
	old += went;
	new += went;
	len -= went;
	half = lm_page_down(len / 2);
	if (went && len && ret == -EFAULT)
		return move_pieces(old, new, len, flags, moved);
	if (ret != -EFAULT || !half)
		return len ? (int)ret : 0;
	error = move_pieces(old, new, half, flags, moved);
	if (!error)
		error = move_pieces(old + half, new + half, len - half, flags,
				    moved);
	return error;
}

/* The area continues at its new end, by its last page's VM area. */
static int grow_in_place(uintptr_t end, size_t more)
{
	long ret = kernel_remap(end - LM_PAGE, LM_PAGE, LM_PAGE + more, 0, 0);

	if (lm_os_failed((uintptr_t)ret))
		return (int)ret;
	return lm_os_mprotect(end, more, PROT_NONE);
}

static void extend_area(uintptr_t at, size_t more)
{
	struct lm_area area = *lm_area_find(at);

	area.offset += area.end - area.start;
	area.start = area.end;
	area.end += more;
	lm_area_hold(&area);
	lm_area_insert(&area);
}

/* An address range for a move: the caller's, or one of our choosing. */
static uintptr_t reserve_room(const struct move *move, uint64_t phase)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uintptr_t at;

	if (move->flags & MREMAP_FIXED)
		return lm_os_mmap(move->new, move->new_len, PROT_NONE,
				  flags | MAP_FIXED, -1, 0);
	at = lm_area_pick(move->new_len, LM_BLOCK, phase & (LM_BLOCK - 1), 0);
	if (at) {
		uintptr_t got = lm_os_mmap(at, move->new_len, PROT_NONE,
					   flags | MAP_FIXED_NOREPLACE, -1, 0);

		if (!lm_os_failed(got))
			return got;
	}
	return lm_os_mmap(0, move->new_len, PROT_NONE, flags, -1, 0);
}

static int move_back(const struct move *move, size_t moved)
{
	size_t back = 0;

	/* The room it came from is still free: nobody else maps meanwhile
	 * but the kernel itself, which does not use MAP_FIXED. */
	return moved ? move_pieces(move->new, move->old, moved, 0, &back) : 0;
}

/* Inside a change: the whole range lies in one area. */
static uintptr_t do_move(struct move *move)
{
	struct lm_area area = *lm_area_find(move->old);
	size_t len = lm_min(move->old_len, move->new_len), moved = 0;
	int keep = move->flags & MREMAP_DONTUNMAP, ret;
	uintptr_t room =
		reserve_room(move, area.offset + (move->old - area.start));

	if (lm_os_failed(room))
		return room;
	move->new = room;
	if (move->flags & MREMAP_FIXED)
		lm_change_clear(room, room + move->new_len);
	ret = lm_change_promise(room, move->new_len);
	if (!ret)
		ret = lm_page_make_for_move(move->old, room, len);
	if (!ret)
		ret = lm_os_mprotect(move->old, len, PROT_NONE);
	/* What stays mapped behind it does not tell what has moved. */
	lm_place_over_end(move->old, move->old + len);
	if (!ret)
		ret = move_pieces(move->old, room, len, keep, &moved);
	if (!ret && move->new_len > len) {
		/* The reservation's rest makes room for the growth. */
		ret = lm_os_munmap(room + len, move->new_len - len);
		if (!ret)
			ret = grow_in_place(room + len, move->new_len - len);
	}
	if (ret < 0) {
		move_back(move, moved);
		lm_change_reprotect(&area, move->old, move->old + len);
		lm_os_munmap(room, move->new_len);
		return (uintptr_t)ret;
	}
	area.offset += move->old - area.start;
	area.start = room;
	area.end = room + move->new_len;
	lm_resident_forget(area.quota, move->old, move->old + len);
	lm_page_move(move->old, room, len);
	lm_resident_moved(&area, room, room + len);
	/* Before it goes: it may be the last that its quota has. */
	lm_area_hold(&area);
	if (!keep) {
		if (move->old_len > len)
			lm_os_munmap(move->old + len, move->old_len - len);
		lm_change_clear(move->old, move->old + move->old_len);
	}
	lm_area_insert(&area);
	lm_change_reprotect(&area, room, room + len);
	return room;
}

/* old_len 0: a second mapping of the same shared pages. */
static uintptr_t duplicate(struct move *move)
{
	struct lm_area area = *lm_area_find(move->old);
	long at;

	if (!(area.flags & LM_AREA_SHARED) || !lm_store_direct(area.store))
		return (uintptr_t)-EINVAL;
	at = kernel_remap(move->old, 0, move->new_len, move->flags, move->new);
	if (lm_os_failed((uintptr_t)at))
		return (uintptr_t)at;
	if (move->flags & MREMAP_FIXED)
		lm_change_clear((uintptr_t)at, (uintptr_t)at + move->new_len);
	if (lm_os_mprotect((uintptr_t)at, move->new_len, PROT_NONE) < 0)
		return (uintptr_t)at; /* then it is the kernel's, and visible */
	area.offset += move->old - area.start;
	area.start = (uintptr_t)at;
	area.end = area.start + move->new_len;
	lm_area_hold(&area);
	lm_area_insert(&area);
	return (uintptr_t)at;
}

static bool empty(uintptr_t at, size_t len)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uintptr_t got = lm_os_mmap(at, len, PROT_NONE,
				   flags | MAP_FIXED_NOREPLACE, -1, 0);

	if (lm_os_failed(got))
		/* No room to ask with, or something is there. */
		return len == LM_PAGE && !mapped(at);
	lm_os_munmap(at, len);
	return true;
}

/* Where a hole ends. */
static uintptr_t hole_end(uintptr_t at, uintptr_t end)
{
	size_t len = end - at;

	while (at < end) {
		len = lm_min(len, end - at);
		if (empty(at, len))
			at += len;
		else if (len > LM_PAGE)
			len = lm_page_up(len / 2);
		else
			break;
	}
	return at;
}

/* Where the next hole begins: msync, so, looks for holes and does nothing. */
static uintptr_t hole_start(uintptr_t at, uintptr_t end)
{
	size_t len = end - at;

	while (at < end) {
		len = lm_min(len, end - at);
		if (!lm_sys(SYS_msync, at, len, MS_ASYNC))
			at += len;
		else if (len > LM_PAGE)
			len = lm_page_up(len / 2);
		else
			break;
	}
	return at;
}

/*
 * Inside a change: no area is in it. What is mapped moves, and what lies at the
 * place of a hole stays, so each stretch goes by itself (of two that were one
 * VM area, or may move together, the kernel makes the same). A hole at the
 * beginning is an error unless something has moved before.
 */
static uintptr_t move_kernel(const struct move *move, bool moved)
{
	uintptr_t at = move->old, end = at + move->old_len, to = move->new, ret;

	while (at < end) {
		uintptr_t start = moved ? hole_end(at, end) : at;
		uintptr_t stop = hole_start(start, end);

		to += start - at;
		if (stop == start)
			return moved ? move->new : (uintptr_t)-EFAULT;
		ret = (uintptr_t)kernel_remap(start, stop - start, stop - start,
					      move->flags, to);
		if (lm_os_failed(ret))
			return ret;
		lm_change_clear(to, to + (stop - start));
		moved = true;
		to += stop - start;
		at = stop;
	}
	return move->new;
}

/* Inside a change: the range begins in no area, or ends in another one. Each
 * area moves by itself, what is between them too, and holes stay holes (Linux
 * 6.17; a kernel before that moves no two of its own). */
static uintptr_t move_several(const struct move *all)
{
	uintptr_t at = all->old, end = all->old + all->old_len, ret;
	bool moved = false;

	while (at < end) {
		struct lm_area *area = lm_area_at_or_after(at);
		bool lazy = area && area->start <= at;
		struct move move = *all;

		move.old = at;
		move.new = all->new + (at - all->old);
		at = !area ? end : lm_min(end, lazy ? area->end : area->start);
		move.old_len = move.new_len = at - move.old;
		if (lazy) {
			ret = (uintptr_t)lm_area_reserve_inside();
			if (!ret)
				ret = do_move(&move);
		} else {
			ret = move_kernel(&move, moved);
		}
		if (lm_os_failed(ret))
			return ret;
		moved = true;
	}
	return all->new;
}

/* Inside a change. */
static uintptr_t grow(struct move *move, const struct lm_area *area)
{
	size_t more = move->new_len - move->old_len;
	int ret = -ENOMEM;

	if (area->prot & PROT_WRITE && !(area->flags & LM_AREA_SHARED) &&
	    lm_limit_data(more) < 0)
		return (uintptr_t)-ENOMEM;
	if (move->old + move->old_len == area->end &&
	    !lm_change_promise(area->end, more))
		ret = grow_in_place(area->end, more);
	if (!ret) {
		extend_area(move->old, more);
		return move->old;
	}
	if (move->flags & MREMAP_MAYMOVE)
		return do_move(move);
	return (uintptr_t)ret;
}

/* Inside a change. */
static uintptr_t remap(struct move *move)
{
	struct lm_area *area = lm_area_find(move->old);
	uintptr_t end = move->old + move->old_len, at;
	bool stays = !(move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP));

	if (area && !move->old_len)
		return duplicate(move);
	if (stays && move->new_len <= move->old_len) {
		/* Whatever it is that is cut off. */
		at = (uintptr_t)kernel_remap(move->old, move->old_len,
					     move->new_len, move->flags, 0);
		if (!lm_os_failed(at))
			lm_change_clear(move->old + move->new_len, end);
		return at;
	}
	/* What is cut off may be anything. */
	if (area &&
	    move->old + lm_min(move->old_len, move->new_len) <= area->end)
		return stays ? grow(move, area) : do_move(move);
	if (move->flags & MREMAP_FIXED && move->old_len == move->new_len)
		return move_several(move);
	return (uintptr_t)-EFAULT;
}

/* What the kernel refuses whatever is mapped (mm/mremap.c). */
static int check(const struct move *move)
{
	int known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	bool may = move->flags & MREMAP_MAYMOVE;

	if (move->flags & ~known || move->old & (LM_PAGE - 1) || !move->new_len)
		return -EINVAL;
	if (move->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !may)
		return -EINVAL;
	if (move->flags & MREMAP_DONTUNMAP && move->old_len != move->new_len)
		return -EINVAL;
	if (move->new_len > LM_USER_END)
		return -EINVAL;
	if (!(move->flags & MREMAP_FIXED))
		return 0;
	if (move->new &(LM_PAGE - 1) ||
	    move->new > LM_USER_END - move->new_len ||
	    (move->new < move->old + move->old_len &&
	     move->old < move->new + move->new_len))
		return -EINVAL;
	return 0;
}

void *lazymap_remap(void *start, size_t old_len, size_t new_len, int flags,
		    void *new_start)
{
	struct move move = { (uintptr_t)start, (uintptr_t)new_start,
			     lm_page_up(old_len), lm_page_up(new_len), flags };
	uintptr_t new_end = flags & MREMAP_FIXED ? move.new + move.new_len : 0;
	uintptr_t at = (uintptr_t)check(&move);
	struct lm_change change;
	bool lazy;

	lazy = lm_area_overlaps(move.old, move.old + lm_max(old_len, 1));
	if (!lazy && !(new_end && lm_area_overlaps(move.new, new_end))) {
		at = (uintptr_t)kernel_remap(move.old, old_len, new_len, flags,
					     move.new);
		goto out;
	}
	if (lm_os_failed(at))
		goto out;
	if (new_end)
		at = (uintptr_t)lm_sync_stores(move.new, new_end);
	if (!at && new_len < old_len)
		at = (uintptr_t)lm_sync_stores(move.old + move.new_len,
					       move.old + move.old_len);
	if (!at)
		at = (uintptr_t)lm_change_begin(&change, move.old,
						move.old + move.old_len);
	if (lm_os_failed(at))
		goto out;
	if (new_end)
		lm_change_also(move.new, new_end);
	if (lazy) {
		at = remap(&move);
	} else if (new_end && move.old_len == move.new_len) {
		at = move_kernel(&move, false);
	} else {
		at = (uintptr_t)kernel_remap(move.old, old_len, new_len, flags,
					     move.new);
		if (!lm_os_failed(at))
			lm_change_clear(move.new, new_end);
	}
	lm_change_end(&change);
out:
	if (lm_os_failed(at)) {
		errno = -(int)(intptr_t)at;
		return LAZYMAP_FAILED;
	}
	return (void *)at;
}

/* Inside a change. The kernel wants one VM area, and takes the new mapping's
 * protection from it: all is hidden, and what was there is in the object. */
static int refile(uintptr_t start, uintptr_t end, const long args[5])
{
	struct lm_area *area = lm_area_find(start);
	int ret;

	if (area && end <= area->end && area->flags & LM_AREA_SHARED &&
	    lm_store_direct(area->store)) {
		ret = lm_os_mprotect(start, end - start, PROT_NONE);
		if (ret < 0)
			return ret;
		lm_change_forget(start, end);
	}
	return (int)lm_sys(SYS_remap_file_pages, args[0], args[1], args[2],
			   args[3], args[4]);
}

int lm_remap_file_pages(uintptr_t start, size_t len, int prot, size_t page,
			int flags)
{
	const long args[5] = { (long)start, (long)len, prot, (long)page,
			       flags };
	uintptr_t first = lm_page_down(start), end = first + lm_page_down(len);
	struct lm_change change;
	int ret;

	if (prot || end <= first || !lm_area_overlaps(first, end))
		return (int)lm_sys(SYS_remap_file_pages, args[0], args[1],
				   args[2], args[3], args[4]);
	ret = lm_change_begin(&change, first, end);
	if (ret < 0)
		return ret;
	ret = refile(first, end, args);
	lm_change_end(&change);
	return ret;
}
