/*
 * frames.c -- the table and lists of frames that policies order. See policy.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/policy.h"

#include <assert.h>
#include <string.h>

/* Fewer cold frames than this are kept: one instruction may need several. */
#define COLD_MIN 64

/* Victims between two of those that stayed when they were asked. */
#define PATIENCE 8

/* How many evictions are remembered, in capacities. */
#define GHOSTS 2

static uint32_t mix(uintptr_t start)
{
	uint64_t n = (uint64_t)(start >> 12) * 0x9E3779B97F4A7C15u;

	return (uint32_t)(n >> 32);
}

static uint32_t power_above(uint32_t n)
{
	uint32_t power = 64;

	while (power < n)
		power *= 2;
	return power;
}

size_t lm_frames_size(uint32_t capacity)
{
	size_t power = power_above(capacity);

	return (capacity + 1) * sizeof(struct lm_frame) +
	       (1 + GHOSTS) * power * sizeof(uint32_t);
}

void lm_frames_init(struct lm_frames *frames, void *memory, uint32_t capacity)
{
	uint32_t power = power_above(capacity);

	memset(frames, 0, sizeof(*frames));
	frames->frame = memory;
	frames->capacity = capacity;
	frames->cut = 1;
	frames->hash = (uint32_t *)(frames->frame + capacity + 1);
	frames->hash_mask = power - 1;
	frames->ghost = frames->hash + power;
	frames->ghost_mask = GHOSTS * power - 1;
}

uint32_t lm_frames_find(const struct lm_frames *frames, uintptr_t start)
{
	uint32_t id = frames->hash[mix(start) & frames->hash_mask];

	while (id && frames->frame[id].start != start)
		id = frames->frame[id].chain;
	return id;
}

uint32_t lm_frames_add(struct lm_frames *frames, uintptr_t start, size_t pages)
{
	uint32_t id = frames->free;
	uint32_t *head = &frames->hash[mix(start) & frames->hash_mask];
	struct lm_frame *frame;

	if (id)
		frames->free = frames->frame[id].chain;
	else if (frames->cut <= frames->capacity)
		id = frames->cut++;
	else
		return 0;
	frame = &frames->frame[id];
	memset(frame, 0, sizeof(*frame));
	frame->start = start;
	frame->pages = (uint16_t)pages;
	frame->list = LM_LISTS;
	frame->chain = *head;
	*head = id;
	frames->count++;
	return id;
}

static void unlink_frame(struct lm_frames *frames, uint32_t id)
{
	struct lm_frame *frame = &frames->frame[id];
	struct lm_list *list;

	if (frames->hand == id)
		frames->hand = frame->next;
	if (frame->list == LM_LISTS)
		return;
	list = &frames->list[frame->list];
	if (frame->next)
		frames->frame[frame->next].prev = frame->prev;
	else
		list->newest = frame->prev;
	if (frame->prev)
		frames->frame[frame->prev].next = frame->next;
	else
		list->oldest = frame->next;
	list->count--;
	frame->next = frame->prev = 0;
	frame->list = LM_LISTS;
}

void lm_frames_move(struct lm_frames *frames, uint32_t id,
		    enum lm_frame_list to)
{
	struct lm_frame *frame = &frames->frame[id];
	struct lm_list *list = &frames->list[to];

	unlink_frame(frames, id);
	frame->list = (uint8_t)to;
	frame->prev = list->newest;
	if (list->newest)
		frames->frame[list->newest].next = id;
	else
		list->oldest = id;
	list->newest = id;
	list->count++;
}

/* A place for each hash would forget by chance; in order of time, by age. The
 * table is searched by its hash's bucket of eight. */
#define BUCKET 8

static uint32_t *bucket_of(const struct lm_frames *frames, uintptr_t start)
{
	return &frames->ghost[mix(start) & frames->ghost_mask &
			      ~(uint32_t)(BUCKET - 1)];
}

static uint32_t print_of(uintptr_t start)
{
	return (uint32_t)(start >> 12) | 1u << 31;
}

bool lm_frames_ghost(const struct lm_frames *frames, uintptr_t start)
{
	const uint32_t *bucket = bucket_of(frames, start);

	for (int i = 0; i < BUCKET; i++)
		if (bucket[i] == print_of(start))
			return true;
	return false;
}

static void remember(struct lm_frames *frames, uintptr_t start)
{
	uint32_t *bucket = bucket_of(frames, start);
	int i = 0;

	/* Newest first; what falls out at the end is forgotten. */
	while (i < BUCKET - 1 && bucket[i] != print_of(start))
		i++;
	memmove(bucket + 1, bucket, (size_t)i * sizeof(*bucket));
	bucket[0] = print_of(start);
}

void lm_frames_remove(struct lm_frames *frames, uint32_t id, bool ghost)
{
	struct lm_frame *frame = &frames->frame[id];
	uint32_t *link = &frames->hash[mix(frame->start) & frames->hash_mask];

	unlink_frame(frames, id);
	while (*link != id)
		link = &frames->frame[*link].chain;
	*link = frame->chain;
	if (ghost)
		remember(frames, frame->start);
	frame->start = 0;
	frame->chain = frames->free;
	frames->free = id;
	frames->count--;
}

void lm_frames_touched(struct lm_frames *frames, const struct lm_policy *policy,
		       uint32_t id)
{
	struct lm_frame *frame = &frames->frame[id];

	if (frame->touched < 3)
		frame->touched++;
	if (frame->list != LM_LIST_COLD)
		policy->touched(frames, id);
	frame->hidden = false;
}

void lm_frames_came(struct lm_frames *frames, const struct lm_policy *policy,
		    uintptr_t start, size_t pages, bool cold)
{
	uint32_t id = lm_frames_find(frames, start);
	bool again;

	if (id) {
		/* It came as part of a smaller cluster (advice may change). */
		if (frames->frame[id].pages < pages)
			frames->frame[id].pages = (uint16_t)pages;
		/* Its other pages went: what is in use is the policy's. */
		if (frames->frame[id].list == LM_LIST_STAYED)
			policy->came(frames, id, true);
		if (!frames->frame[id].hidden)
			return; /* its other pages: the same visit */
		lm_frames_touched(frames, policy, id);
		return;
	}
	again = lm_frames_ghost(frames, start);
	id = lm_frames_add(frames, start, pages);
	if (!id)
		return;
	if (cold)
		lm_frames_move(frames, id, LM_LIST_COLD);
	else
		policy->came(frames, id, again);
}

void lm_frames_stayed(struct lm_frames *frames, uintptr_t start, size_t pages)
{
	uint32_t id = lm_frames_find(frames, start);

	if (!frames->patience)
		frames->patience = PATIENCE;
	if (id)
		return; /* it came again meanwhile */
	id = lm_frames_add(frames, start, pages);
	if (id)
		lm_frames_move(frames, id, LM_LIST_STAYED);
}

/* What stayed is asked when there is nothing else, or it is its turn; and when
 * one of them could go, so may the next. */
static bool stayed_next(struct lm_frames *frames, uint32_t *id)
{
	const struct lm_list *stayed = &frames->list[LM_LIST_STAYED];

	*id = stayed->oldest;
	return *id && (stayed->count == frames->count || !frames->patience);
}

static bool cold_next(struct lm_frames *frames, uint32_t *id)
{
	const struct lm_list *cold = &frames->list[LM_LIST_COLD];
	uint32_t stayed = frames->list[LM_LIST_STAYED].count;

	*id = cold->oldest;
	return cold->count > COLD_MIN || cold->count + stayed == frames->count;
}

bool lm_frames_next(struct lm_frames *frames, const struct lm_policy *policy,
		    struct lm_victim *victim)
{
	enum lm_policy_verdict verdict = LM_POLICY_EVICT;
	const struct lm_frame *frame;
	uint32_t id;

	if (!stayed_next(frames, &id) && !cold_next(frames, &id))
		id = policy->next(frames, &verdict);
	if (!id)
		return false;
	frame = &frames->frame[id];
	victim->start = frame->start;
	victim->pages = victim->cluster = frame->pages;
	victim->hide = verdict == LM_POLICY_HIDE;
	victim->list = frame->list;
	victim->hidden = frame->hidden;
	victim->neighbour = frames->frame[frame->next].start;
	if (victim->hide) {
		frames->frame[id].hidden = true;
		return true;
	}
	if (frames->patience)
		frames->patience--;
	lm_frames_remove(frames, id, true);
	return true;
}

/* What the policy names to be hidden it has moved; the others are where it may
 * have come from. */
static bool is_like(const struct lm_frame *frame,
		    const struct lm_victim *victim)
{
	if (frame->pages != victim->cluster)
		return false;
	if (victim->hide)
		return !frame->hidden && frame->list != LM_LIST_COLD &&
		       frame->list != LM_LIST_STAYED;
	return frame->list == victim->list && frame->hidden == victim->hidden;
}

static bool are_like(const struct lm_frames *frames,
		     const struct lm_victim *victim, uintptr_t start,
		     uintptr_t end)
{
	for (; start < end; start += victim->cluster << 12) {
		uint32_t id = lm_frames_find(frames, start);

		if (id && start != victim->start &&
		    !is_like(&frames->frame[id], victim))
			return false;
	}
	return victim->list != LM_LIST_STAYED;
}

static void hide_too(struct lm_frames *frames, uint32_t id,
		     enum lm_frame_list list)
{
	struct lm_frame *frame = &frames->frame[id];

	frame->hidden = true;
	/* It is dealt with, this time. */
	if (frames->hand == id)
		frames->hand = frame->next;
	if (frame->list != list)
		lm_frames_move(frames, id, list);
}

void lm_frames_join(struct lm_frames *frames, struct lm_victim *victim,
		    uintptr_t start, uintptr_t end)
{
	if (!are_like(frames, victim, start, end))
		return;
	for (uintptr_t at = start; at < end; at += victim->cluster << 12) {
		uint32_t id = lm_frames_find(frames, at);

		if (id && victim->hide)
			hide_too(frames, id, victim->list);
		else if (id)
			lm_frames_remove(frames, id, true);
	}
	victim->start = start;
	victim->pages = (end - start) >> 12;
	victim->neighbour = 0;
}
