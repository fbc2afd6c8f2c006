/*
 * frame.c -- see frame.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "frame.h"

#include "gate.h"
#include "os_linux.h"
#include "prey.h"
#include "resident.h"
#include "step.h"
#include "tsan.h"
#include "turn.h"

#include <sys/mman.h>

/* So many streams can be filling one at a time. */
#define WINDOWS 8
/* What is kept for the next one. */
#define SPARE_MAX 1

/* What else stays with a mapping, or forbids to move what is in it. */
#define KEPT                                                                   \
	((unsigned)(LM_AREA_LOCKED | LM_AREA_DONTFORK | LM_AREA_GUARDS |       \
		    LM_AREA_HUGE_ADVISED | LM_AREA_WIPEONFORK |                \
		    LM_AREA_SERVED | LM_AREA_ADVISED))

enum state { FREE, USED, SPARE, LOST };

struct window {
	_Atomic uint32_t state;
	_Atomic(struct lm_quota *) quota; /* a spare one's; NULL: none */
};

static struct window windows[WINDOWS];
static _Atomic uintptr_t base; /* of the first window; 0: there are none yet */
static _Atomic bool refused;
static _Atomic bool wished;
static _Atomic uint32_t spares;

bool lm_frame_fits(const struct lm_area *area)
{
	return !lm_store_direct(area->store) && !(area->flags & KEPT) &&
	       !atomic_load_explicit(&refused, memory_order_relaxed) &&
	       !lm_prey_keys() && lm_resident_bounded(area->quota);
}

void lm_frame_refuse(void)
{
	atomic_store_explicit(&refused, true, memory_order_relaxed);
}

/* -- Windows -------------------------------------------------------------------- */

static uintptr_t address(const struct window *window)
{
	return atomic_load_explicit(&base, memory_order_relaxed) +
	       (uintptr_t)(window - windows) * LM_BLOCK;
}

static struct window *at(uintptr_t addr)
{
	return &windows[(addr -
			 atomic_load_explicit(&base, memory_order_relaxed)) /
			LM_BLOCK];
}

/* Acquire, and release where one is left: what who had it did to its memory comes
 * before what the next one does. */
static bool turn_into(struct window *window, uint32_t from, uint32_t to)
{
	return atomic_load_explicit(&window->state, memory_order_relaxed) ==
		       from &&
	       atomic_compare_exchange_strong_explicit(&window->state, &from,
						       to, memory_order_acquire,
						       memory_order_relaxed);
}

static void leave(struct window *window, uint32_t state)
{
	atomic_store_explicit(&window->state, state, memory_order_release);
}

/* The source stays mapped, and what was at `to` is replaced. */
static int move(uintptr_t from, uintptr_t to)
{
	long ret = lm_sys(SYS_mremap, from, LM_BLOCK, LM_BLOCK,
			  MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);

	return ret < 0 && ret > -4096 ? (int)ret : 0;
}

/* A move that failed may have unmapped where it was to go. If somebody else has
 * it now there is nothing to be done. */
static int mend(uintptr_t start)
{
	uintptr_t got = lm_os_mmap(start, LM_BLOCK, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					   MAP_FIXED_NOREPLACE,
				   -1, 0);

	if (!lm_os_failed(got) && got != start) /* older than 4.17 */
		lm_os_munmap(got, LM_BLOCK);
	return lm_os_failed(got) || got == start ? 0 : -ENOMEM;
}

/* Memory that the kernel accounts for may be refused in the middle of a move. */
static bool accounted(void)
{
	char text[8];

	return lm_os_read_file("/proc/sys/vm/overcommit_memory", text,
			       sizeof(text)) <= 0 ||
	       text[0] == '2';
}

/* Their mapping, aligned; what is left over at the ends stays unused. */
static uintptr_t map_windows(void)
{
	size_t len = WINDOWS * LM_BLOCK;
	uintptr_t got =
		lm_os_mmap(0, len + LM_BLOCK, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t first = (got + LM_BLOCK - 1) & ~(LM_BLOCK - 1);

	if (lm_os_failed(got))
		return 0;
	/* A wish; and does the kernel move so? Linux before 5.7 does not. */
	lm_os_madvise(first, len, MADV_HUGEPAGE);
	if (move(first, first + LM_BLOCK) < 0) {
		lm_os_munmap(got, len + LM_BLOCK);
		return 0;
	}
	lm_tsan_given((const char *)first, len);
	return first;
}

static bool make_windows(void)
{
	uintptr_t none = 0, first;

	if (atomic_load_explicit(&base, memory_order_acquire))
		return true;
	if (atomic_load_explicit(&refused, memory_order_relaxed))
		return false;
	first = accounted() ? 0 : map_windows();
	if (!first) {
		lm_frame_refuse();
		return false;
	}
	/* Where two make them at once the second's are left over: addresses. */
	atomic_compare_exchange_strong_explicit(&base, &none, first,
						memory_order_acq_rel,
						memory_order_acquire);
	return true;
}

void lm_frame_end(void)
{
	lm_frame_refuse();
	while (lm_frame_drop(&lm_quota_process))
		;
	for (struct window *window = windows;
	     atomic_load(&base) && window < windows + WINDOWS; window++)
		if (atomic_load(&window->state) == FREE)
			lm_os_munmap(address(window), LM_BLOCK);
	atomic_store(&base, 0);
}

static void count_spare(struct lm_quota *quota, bool more)
{
	size_t pages = more ? LM_BLOCK_PAGES : (size_t)0 - LM_BLOCK_PAGES;

	if (quota)
		atomic_fetch_add_explicit(&quota->spare, pages,
					  memory_order_relaxed);
	atomic_fetch_add_explicit(&lm_quota_process.spare, pages,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&spares, more ? 1u : ~0u,
				  memory_order_relaxed);
}

void lm_frame_wish(void)
{
	atomic_store_explicit(&wished, true, memory_order_relaxed);
}

bool lm_frame_wanted(void)
{
	return atomic_load_explicit(&wished, memory_order_relaxed) &&
	       atomic_load_explicit(&spares, memory_order_relaxed) < SPARE_MAX;
}

/* A spare one, of this quota; or (any) of whichever. NULL: none. */
static struct window *take_spare(const struct lm_quota *quota, bool any)
{
	struct lm_quota *whose;

	for (struct window *window = windows;
	     atomic_load_explicit(&spares, memory_order_relaxed) &&
	     window < windows + WINDOWS;
	     window++) {
		whose = atomic_load_explicit(&window->quota,
					     memory_order_relaxed);
		if ((any || whose == quota) && turn_into(window, SPARE, USED))
			return window;
	}
	return NULL;
}

static struct window *take_free(void)
{
	for (struct window *window = windows;
	     make_windows() && window < windows + WINDOWS; window++)
		if (turn_into(window, FREE, USED))
			return window;
	return NULL;
}

/* What it is of may have changed between the look and the exchange. */
static struct lm_quota *no_longer_spare(struct window *window)
{
	struct lm_quota *quota =
		atomic_load_explicit(&window->quota, memory_order_relaxed);

	count_spare(quota, false);
	return quota;
}

uintptr_t lm_frame_take(const struct lm_quota *quota, bool any,
			struct lm_quota **counts)
{
	struct window *window = take_spare(quota, false);

	if (!window && any)
		window = take_spare(NULL, true);
	if (!window)
		return 0;
	*counts = no_longer_spare(window);
	return address(window);
}

uintptr_t lm_frame_take_empty(void)
{
	struct window *window = take_free();

	if (window &&
	    lm_os_mprotect(address(window), LM_BLOCK, PROT_READ | PROT_WRITE)) {
		leave(window, FREE);
		return 0;
	}
	return window ? address(window) : 0;
}

void lm_frame_spare(uintptr_t addr, struct lm_quota *quota)
{
	struct window *window = at(addr);

	atomic_store_explicit(&window->quota, quota, memory_order_relaxed);
	count_spare(quota, true);
	leave(window, SPARE);
	lm_resident_tell();
}

bool lm_frame_drop(const struct lm_quota *quota)
{
	struct window *window = take_spare(quota, quota == &lm_quota_process);
	struct lm_quota *counts;

	if (!window)
		return false;
	/* Who takes others' room for it has no use for it. */
	atomic_store_explicit(&wished, false, memory_order_relaxed);
	lm_os_madvise(address(window), LM_BLOCK, MADV_DONTNEED);
	counts = no_longer_spare(window);
	leave(window, FREE);
	lm_resident_give(counts, LM_BLOCK_PAGES);
	return true;
}

/* -- Moving ---------------------------------------------------------------------- */

int lm_frame_show(uintptr_t addr, uintptr_t block, int prot)
{
	int ret = lm_os_mprotect(addr, LM_BLOCK, prot);

	if (!ret) {
		ret = move(addr, block);
		if (ret < 0)
			mend(block);
	}
	if (ret < 0) {
		lm_os_mprotect(addr, LM_BLOCK, PROT_READ | PROT_WRITE);
		return ret;
	}
	/* Relaxed: who reads them has claimed pages of the block after us. */
	atomic_fetch_or_explicit(lm_page_word_of(block),
				 LM_PAGE_HUGE | LM_PAGE_MOVED,
				 memory_order_relaxed);
	leave(at(addr), FREE);
	return 0;
}

int lm_frame_take_out(uintptr_t block, uintptr_t *addr)
{
	struct window *window = take_free();
	int ret;

	*addr = 0;
	if (!window)
		return -EAGAIN;
	ret = move(block, address(window));
	if (ret < 0) {
		leave(window, mend(address(window)) < 0 ? LOST : FREE);
		return ret;
	}
	lm_step(LM_STEP_TAKEN, block);
	/* Where it fails there is a VM area more. */
	lm_frame_level(block);
	ret = lm_os_mprotect(address(window), LM_BLOCK, PROT_READ | PROT_WRITE);
	if (ret < 0) {
		lm_os_madvise(address(window), LM_BLOCK, MADV_DONTNEED);
		leave(window, FREE);
		return 0;
	}
	*addr = address(window);
	return 0;
}

int lm_frame_level(uintptr_t block)
{
	uintptr_t got = lm_os_mmap(
		block, LM_BLOCK, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (lm_os_failed(got))
		return (int)got;
	atomic_fetch_and_explicit(lm_page_word_of(block),
				  ~(LM_PAGE_HUGE | LM_PAGE_MOVED),
				  memory_order_relaxed);
	return 0;
}

bool lm_frame_moved(uintptr_t addr)
{
	lm_page_word *word = lm_page_word_of(addr & ~(LM_BLOCK - 1));

	return word &&
	       atomic_load_explicit(word, memory_order_relaxed) & LM_PAGE_MOVED;
}

/* -- Closing -------------------------------------------------------------------- */

void lm_frame_close(uintptr_t addr)
{
	uintptr_t block = addr & ~(LM_BLOCK - 1);
	struct lm_slot *slot = lm_gate_enter();
	const struct lm_area *area = lm_area_find(block);
	lm_page_word *word = lm_page_word_of(block);
	bool claimed = area && block + LM_BLOCK <= area->end &&
		       lm_frame_fits(area) && lm_frame_moved(block) &&
		       lm_page_claim_block(word);

	if (claimed)
		lm_gate_filling(slot);
	lm_gate_leave(slot);
	if (!claimed)
		return;
	lm_turn_wait();
	lm_frame_level(block);
	lm_turn_done();
	for (size_t i = 0; i < LM_BLOCK_PAGES; i++)
		lm_page_settle(&word[i], LM_PAGE_ABSENT);
	lm_gate_filled(slot);
}

/* What was in use when nobody announced the fork is counted anew. */
void lm_frame_forked(void)
{
	for (struct window *window = windows; window < windows + WINDOWS;
	     window++) {
		uint32_t state = atomic_load(&window->state);

		if (state != USED && state != SPARE)
			continue;
		lm_os_madvise(address(window), LM_BLOCK, MADV_DONTNEED);
		if (state == SPARE)
			lm_resident_give(no_longer_spare(window),
					 LM_BLOCK_PAGES);
		leave(window, FREE);
	}
	atomic_store(&spares, 0);
}
