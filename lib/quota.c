/*
 * quota.c -- the tables of frames, one for each quota. See quota.h.
 *
 * Lock order: after all others. One lock guards all tables and which there are.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "quota.h"

#include "frame.h"
#include "lock.h"
#include "meta.h"
#include "page.h"
#include "resident.h"

#include <sys/mman.h>

struct lm_quota lm_quota_process; /* the first of those in force */

static struct lm_lock lock;
static struct lm_quota *unused;        /* guarded by lock */
static uint32_t turn;                  /* the same */
static const struct lm_policy *policy; /* immutable after the start */

static struct lm_quota *table_of(struct lm_quota *quota)
{
	return quota ? quota : &lm_quota_process;
}

/* -- The frames ------------------------------------------------------------------ */

void lm_quota_came(struct lm_quota *quota, uintptr_t start, uintptr_t end,
		   size_t cluster, bool cold)
{
	quota = table_of(quota);
	lm_lock_take(&lock);
	start &= ~(cluster - 1);
	for (; quota->memory && start < end; start += cluster)
		lm_frames_came(&quota->frames, policy, start,
			       cluster >> LM_PAGE_SHIFT, cold);
	lm_lock_drop(&lock);
}

void lm_quota_stayed(struct lm_quota *from, const struct lm_victim *victim)
{
	uintptr_t start = victim->start;
	uintptr_t end = start + (victim->pages << LM_PAGE_SHIFT);

	lm_lock_take(&lock);
	for (; from->memory && start < end;
	     start += victim->cluster << LM_PAGE_SHIFT)
		lm_frames_stayed(&from->frames, start, victim->cluster);
	lm_lock_drop(&lock);
}

/* With the lock: the next frame in [*at, end). 0: none. */
static uint32_t next_frame(const struct lm_quota *quota, uintptr_t *at,
			   uintptr_t end)
{
	uint32_t id = 0;

	while (quota->memory && (*at = lm_page_next_block(*at, end)) < end) {
		id = lm_frames_find(&quota->frames, *at);
		if (id)
			break;
		*at += LM_PAGE;
	}
	return id;
}

void lm_quota_forget(struct lm_quota *quota, uintptr_t start, uintptr_t end)
{
	uint32_t id;

	quota = table_of(quota);
	lm_lock_take(&lock);
	for (; (id = next_frame(quota, &start, end)); start += LM_PAGE)
		lm_frames_remove(&quota->frames, id, false);
	lm_lock_drop(&lock);
}

void lm_quota_cool(struct lm_quota *quota, uintptr_t start, uintptr_t end)
{
	uint32_t id;

	quota = table_of(quota);
	lm_lock_take(&lock);
	for (; (id = next_frame(quota, &start, end)); start += LM_PAGE)
		lm_frames_move(&quota->frames, id, LM_LIST_COLD);
	lm_lock_drop(&lock);
}

/* -- Which goes next ------------------------------------------------------------ */

/* Frames that could not go count for less. */
static uint32_t share_of(const struct lm_quota *quota)
{
	uint32_t stayed = quota->frames.list[LM_LIST_STAYED].count;

	return quota->frames.count - stayed + (stayed + 7) / 8;
}

/* One of all tables for the process, each as often as it has frames: as the
 * kernel goes round its control groups. *count: the frames of all. */
static struct lm_quota *whose_turn(uint32_t *count)
{
	struct lm_quota *quota = &lm_quota_process;
	uint32_t at, shares = 0;

	*count = 0;
	for (struct lm_quota *q = quota; q; q = q->next) {
		shares += share_of(q);
		*count += q->frames.count;
	}
	/* Multiples of the golden ratio lie evenly. */
	turn += 0x9E3779B9u;
	at = (uint32_t)((uint64_t)turn * shares >> 32);
	for (; quota->next && at >= share_of(quota); quota = quota->next)
		at -= share_of(quota);
	return quota;
}

bool lm_quota_next(struct lm_quota *quota, struct lm_quota **from,
		   struct lm_victim *victim, uint32_t *count)
{
	bool any;

	quota = table_of(quota);
	lm_lock_take(&lock);
	*count = quota->frames.count;
	if (quota == &lm_quota_process && quota->next)
		quota = whose_turn(count);
	*from = quota;
	any = quota->memory && lm_frames_next(&quota->frames, policy, victim);
	lm_lock_drop(&lock);
	return any;
}

/* Is the frame that begins where the victim ends the next in its list, too, and
 * of the same block? */
static bool has_neighbour(const struct lm_victim *victim, uintptr_t end)
{
	return victim->neighbour == end && end & (LM_BLOCK - 1);
}

/* With the lock. */
static bool join_one(struct lm_frames *frames, struct lm_victim *victim,
		     uintptr_t end)
{
	uint32_t id = lm_frames_find(frames, end);

	if (!id || frames->frame[id].pages != victim->cluster)
		return false;
	victim->pages += victim->cluster;
	victim->neighbour = frames->frame[frames->frame[id].next].start;
	lm_frames_remove(frames, id, true);
	return true;
}

void lm_quota_join(struct lm_quota *from, struct lm_victim *victim, size_t most)
{
	uintptr_t end = victim->start + (victim->pages << LM_PAGE_SHIFT);

	if (!has_neighbour(victim, end))
		return;
	lm_lock_take(&lock);
	while (has_neighbour(victim, end) && end - victim->start < most &&
	       from->memory && join_one(&from->frames, victim, end))
		end = victim->start + (victim->pages << LM_PAGE_SHIFT);
	lm_lock_drop(&lock);
}

void lm_quota_whole(struct lm_quota *from, struct lm_victim *victim)
{
	uintptr_t block = victim->start & ~(LM_BLOCK - 1);

	lm_lock_take(&lock);
	if (from->memory)
		lm_frames_join(&from->frames, victim, block, block + LM_BLOCK);
	lm_lock_drop(&lock);
}

/* -- Their lives -------------------------------------------------------------------- */

int lm_quota_table(struct lm_quota_table *table, size_t pages)
{
	*table = (struct lm_quota_table){ 0 };
	if (!pages)
		return 0;
	table->capacity = (uint32_t)lm_min(pages + 1024, UINT32_MAX / 4);
	table->size = lm_frames_size(table->capacity);
	table->memory = lm_meta_run(table->size);
	return table->memory ? 0 : -ENOMEM;
}

/* With the lock. */
static void find_least(void)
{
	size_t least = 0;

	for (struct lm_quota *q = &lm_quota_process; q; q = q->next) {
		size_t max = atomic_load(&q->max);

		if (max && (!least || max < least))
			least = max;
	}
	atomic_store(&lm_resident_max, least);
}

/* With the lock. */
static void set(struct lm_quota *quota, size_t pages,
		const struct lm_quota_table *table)
{
	lm_meta_free_run(quota->memory, quota->memory_size);
	quota->memory = table->memory;
	quota->memory_size = table->size;
	quota->frames = (struct lm_frames){ 0 };
	if (table->memory)
		lm_frames_init(&quota->frames, table->memory, table->capacity);
	atomic_store(&quota->pause_to, 0);
	atomic_store(&quota->alone_to, 0);
	atomic_store(&quota->said_over, 0);
	atomic_store(&quota->max, pages);
	find_least();
}

void lm_quota_set(struct lm_quota *quota, size_t pages,
		  const struct lm_quota_table *table)
{
	lm_lock_take(&lock);
	set(quota, pages, table);
	lm_lock_drop(&lock);
}

/* With the lock: have some that are unused. */
static bool more_unused(void)
{
	/* Never a page that held page words: see lm_page_pin(). */
	struct lm_quota *page = unused ? NULL : lm_meta_run(LM_PAGE);

	for (size_t i = 0; page && i < LM_PAGE / sizeof(*page); i++) {
		page[i].next = unused;
		unused = &page[i];
	}
	return unused;
}

struct lm_quota *lm_quota_new(size_t pages)
{
	struct lm_quota_table table;
	struct lm_quota *quota = NULL;

	if (lm_quota_table(&table, pages) < 0)
		return NULL;
	lm_lock_take(&lock);
	if (more_unused()) {
		quota = unused;
		unused = quota->next;
		quota->next = lm_quota_process.next;
		lm_quota_process.next = quota;
		quota->holders = 1;
		atomic_store(&quota->used, 0);
		set(quota, pages, &table);
	} else {
		lm_meta_free_run(table.memory, table.size);
	}
	lm_lock_drop(&lock);
	return quota;
}

void lm_quota_hold(struct lm_quota *quota)
{
	if (quota)
		quota->holders++;
}

void lm_quota_drop(struct lm_quota *quota)
{
	struct lm_quota **link = &lm_quota_process.next;

	if (!quota || --quota->holders)
		return;
	while (lm_frame_drop(quota))
		;
	lm_lock_take(&lock);
	while (*link != quota)
		link = &(*link)->next;
	*link = quota->next;
	quota->next = unused;
	unused = quota;
	set(quota, 0, &(struct lm_quota_table){ 0 });
	lm_lock_drop(&lock);
}

void lm_quota_start(const char *name)
{
	policy = lm_policy_by_name(name);
}

/* -- Forks ------------------------------------------------------------------------------ */

void lm_quota_fork(void)
{
	lm_lock_take(&lock);
}

void lm_quota_fork_parent(void)
{
	lm_lock_drop(&lock);
}

void lm_quota_count_anew(void)
{
	for (struct lm_quota *q = &lm_quota_process; q; q = q->next)
		atomic_store(&q->used, 0);
}

void lm_quota_forked(bool anew)
{
	atomic_store(&lock.word, 0);
	for (struct lm_quota *q = &lm_quota_process; q; q = q->next) {
		atomic_store(&q->spare, 0);
		if (!anew || !q->memory)
			continue;
		/* Private memory that is dropped is zeros again. */
		lm_os_madvise((uintptr_t)q->memory, q->memory_size,
			      MADV_DONTNEED);
		lm_frames_init(&q->frames, q->memory, q->frames.capacity);
	}
}
