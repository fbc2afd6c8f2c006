/*
 * area.c -- the sorted array of areas. See area.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "area.h"

#include "gate.h"
#include "meta.h"

#include <string.h>
#include <sys/auxv.h>

/* An insert in the middle of an area adds it and the area's second half; an
 * operation splits at two borders. */
#define SPARE 4
#define WINDOW_MAX ((uintptr_t)1 << 44)
#define WINDOW_MIN ((uintptr_t)1 << 30)

/* guarded by the gate */
static struct lm_area **areas;
static size_t count, capacity;
_Atomic uint8_t lm_area_marks[LM_NEAR], lm_area_marked;
static _Atomic uint64_t bytes;
/* What has changed since it was looked at: lm_area_sound(). Guarded by the
 * gate. */
static uintptr_t changed_low = UINTPTR_MAX, changed_high;
/* guarded by the map lock */
static struct free_area {
	struct free_area *next;
} * free_areas;
static size_t free_count;
static uintptr_t lowest_gap;
/* immutable after the start */
static uintptr_t window_start, window_end;

/* Index of the first area whose end is above addr. */
static size_t index_after(uintptr_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (areas[middle]->end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct lm_area *lm_area_at_or_after(uintptr_t addr)
{
	size_t i = index_after(addr);

	return i < count ? areas[i] : NULL;
}

int lm_area_prot(const struct lm_area *area, enum lm_page_state state)
{
	bool kernel_tracks =
		lm_store_direct(area->store) && area->flags & LM_AREA_SHARED;
	int prot;

	if (state < LM_PAGE_CLEAN)
		return PROT_NONE;
	if (state == LM_PAGE_DIRTY || kernel_tracks)
		return area->prot;
	/* A write-only area must stay readable to be told from hidden. */
	prot = area->prot & ~PROT_WRITE;
	return prot || !area->prot ? prot : PROT_READ;
}

struct lm_area *lm_area_find(uintptr_t addr)
{
	struct lm_area *area = lm_area_at_or_after(addr);

	return area && area->start <= addr ? area : NULL;
}

static void mark(uintptr_t start, uintptr_t end)
{
	uintptr_t i = start >> LM_NEAR_SHIFT;

	for (i -= i > 0; i <= (end - 1) >> LM_NEAR_SHIFT; i++)
		atomic_store_explicit(&lm_area_marks[i], 1,
				      memory_order_relaxed);
	atomic_store_explicit(&lm_area_marked, 1, memory_order_relaxed);
}

bool lm_area_overlaps(uintptr_t start, uintptr_t end)
{
	struct lm_area *area;
	struct lm_slot *slot;
	uint64_t mask;
	bool found;

	/* Most buffers of most programs are nowhere near. */
	if (start >= end || !lm_area_near(start, end))
		return false;
	mask = lm_os_block_signals();
	slot = lm_gate_enter();
	area = lm_area_at_or_after(start);
	found = area && area->start < end;
	lm_gate_leave(slot);
	lm_os_restore_signals(mask);
	return found;
}

static int reserve_slots(bool inside)
{
	size_t size = lm_page_up((count + SPARE) * sizeof(areas[0]));
	struct lm_area **grown;

	if (count + SPARE <= capacity)
		return 0;
	size = lm_max(size, 2 * capacity * sizeof(areas[0]));
	grown = lm_meta_run(size);
	if (!grown)
		return -ENOMEM;
	/* Readers may be looking at the old array. */
	if (!inside)
		lm_gate_shut();
	if (areas) {
		memcpy(grown, areas, count * sizeof(areas[0]));
		lm_meta_free_run(areas, capacity * sizeof(areas[0]));
	}
	areas = grown;
	capacity = size / sizeof(areas[0]);
	if (!inside)
		lm_gate_open();
	return 0;
}

static void area_free(struct lm_area *area)
{
	struct free_area *item = (struct free_area *)area;

	item->next = free_areas;
	free_areas = item;
	free_count++;
}

/* Never NULL after lm_area_reserve(). */
static struct lm_area *area_alloc(void)
{
	struct free_area *item = free_areas;

	free_areas = item->next;
	free_count--;
	return (struct lm_area *)item;
}

static int reserve(bool inside)
{
	while (free_count < SPARE) {
		/* Never a page that held page words: see lm_page_pin(). */
		struct lm_area *page = lm_meta_run(LM_PAGE);

		if (!page)
			return -ENOMEM;
		for (size_t i = 0; i < LM_PAGE / sizeof(*page); i++)
			area_free(&page[i]);
	}
	return reserve_slots(inside);
}

int lm_area_reserve(void)
{
	return reserve(false);
}

bool lm_area_full(void)
{
	return count >= lm_os_max_map_count();
}

int lm_area_reserve_inside(void)
{
	return reserve(true);
}

static void note_change(const struct lm_area *area)
{
	changed_low = lm_min(changed_low, area->start);
	changed_high = lm_max(changed_high, area->end);
}

static void insert_at(size_t i, struct lm_area *area)
{
	note_change(area);
	memmove(&areas[i + 1], &areas[i], (count - i) * sizeof(areas[0]));
	areas[i] = area;
	count++;
}

static void remove_at(size_t i)
{
	note_change(areas[i]);
	area_free(areas[i]);
	count--;
	memmove(&areas[i], &areas[i + 1], (count - i) * sizeof(areas[0]));
}

void lm_area_hold(const struct lm_area *area)
{
	lm_store_hold(area->store);
	lm_quota_hold(area->quota);
}

static void drop(const struct lm_area *area)
{
	lm_store_drop(area->store);
	lm_quota_drop(area->quota);
}

void lm_area_split(uintptr_t addr)
{
	size_t i = index_after(addr);
	struct lm_area *low, *high;

	if (i == count || areas[i]->start >= addr)
		return;
	low = areas[i];
	high = area_alloc();
	*high = *low;
	high->start = addr;
	high->offset += addr - low->start;
	low->end = addr;
	lm_area_hold(high);
	insert_at(i + 1, high);
}

static bool could_be_one(const struct lm_area *a, const struct lm_area *b)
{
	if (a->end != b->start || a->store != b->store || a->prot != b->prot ||
	    a->flags != b->flags || a->cluster != b->cluster ||
	    a->quota != b->quota)
		return false;
	/* Two shared anonymous mappings are two objects, and so may be two
	 * file mappings: the file store does not say of which file. */
	if (a->store->kind == LM_STORE_ZERO && !(a->flags & LM_AREA_SHARED))
		return true;
	return a->object == b->object &&
	       a->offset + (a->end - a->start) == b->offset;
}

void lm_area_merge(uintptr_t start, uintptr_t end)
{
	size_t i = index_after(start ? start - 1 : 0);

	while (i + 1 < count && areas[i]->start < end) {
		if (!could_be_one(areas[i], areas[i + 1])) {
			i++;
			continue;
		}
		areas[i]->end = areas[i + 1]->end;
		drop(areas[i + 1]);
		remove_at(i + 1);
	}
}

void lm_area_insert(const struct lm_area *new)
{
	struct lm_area *area = area_alloc();

	*area = *new;
	mark(area->start, area->end);
	insert_at(index_after(area->start), area);
	bytes += area->end - area->start;
	lm_area_merge(area->start, area->end);
}

void lm_area_carve(uintptr_t start, uintptr_t end)
{
	size_t i;

	lm_area_split(start);
	lm_area_split(end);
	i = index_after(start);
	while (i < count && areas[i]->start < end) {
		bytes -= areas[i]->end - areas[i]->start;
		drop(areas[i]);
		remove_at(i);
	}
	if (start < lowest_gap)
		lowest_gap = start;
}

/* The first address >= addr that is phase (mod align). */
static uintptr_t align_up(uintptr_t addr, uintptr_t align, uintptr_t phase)
{
	return addr + ((phase - addr) & (align - 1));
}

uintptr_t lm_area_pick(size_t len, uintptr_t align, uintptr_t phase,
		       uintptr_t above)
{
	uintptr_t at = lm_max(lm_max(window_start, lowest_gap), above);
	bool first = above <= lowest_gap;
	size_t i = index_after(at);

	if (i < count && areas[i]->start <= at)
		at = areas[i++]->end;
	if (first)
		lowest_gap = at;
	for (;; i++) {
		uintptr_t start = align_up(at, align, phase);

		if (start < at || start >= window_end ||
		    len > window_end - start)
			return 0;
		if (i == count || areas[i]->start >= start + len)
			return start;
		/* Full up to here: the next search begins further on. */
		if (first && areas[i]->start == lowest_gap)
			lowest_gap = areas[i]->end;
		at = areas[i]->end;
	}
}

bool lm_area_sound(void)
{
	size_t i = index_after(changed_low - (changed_low > 0));

	for (; i < count; i++) {
		if (areas[i]->start >= areas[i]->end ||
		    (i && areas[i - 1]->end > areas[i]->start))
			return false;
		if (areas[i]->start > changed_high)
			break;
	}
	changed_low = UINTPTR_MAX;
	changed_high = 0;
	return true;
}

size_t lm_area_count(void)
{
	return count;
}

uint64_t lm_area_bytes(void)
{
	return bytes;
}

/*
 * The window: an aligned range of addresses, free now, in which areas are
 * kept. The kernel says where (sanitizers own large parts of the address
 * space); it is not kept reserved, so that limits on address space count
 * what the program mapped and nothing else.
 *
 * No vDSO: no kernel, but an emulator such as qemu-user, which notes something
 * of each page of what is mapped, for as little as a moment. To ask for terabytes
 * there takes all memory that there is.
 */
int lm_area_start(void)
{
	if (!getauxval(AT_SYSINFO_EHDR))
		return 0;
	for (uintptr_t size = WINDOW_MAX; size >= WINDOW_MIN; size /= 2) {
		uintptr_t at = lm_os_mmap(
			0, 2 * size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (lm_os_failed(at))
			continue;
		lm_os_munmap(at, 2 * size);
		window_start = (at + size - 1) & ~(size - 1);
		window_end = window_start + size;
		return 0;
	}
	/* RLIMIT_AS or a crowded address space: areas go where the kernel
	 * puts them (lm_area_pick() finds nothing). */
	return 0;
}
