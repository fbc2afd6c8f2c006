/*
 * policy.c -- the policies. See policy.h.
 *
 * fifo    the oldest goes.
 * clock   second chance: the oldest is hidden and waits in a second queue, a
 *         quarter of all; touched there it is as new, else it goes.
 * sieve   a hand goes from old to new; what it finds in sight it hides, what
 *         it finds hidden goes, a touch shows a frame where it stands (Zhang
 *         et al., "SIEVE is simpler than LRU", NSDI 2024). At most 16 frames
 *         are hidden for one that goes.
 * s3fifo  a small queue for what is new, a tenth of all; what is touched while
 *         it waits hidden at that queue's end, or comes back soon after it
 *         went, lives in the main queue, which is a clock; what is touched
 *         once never gets there (Yang et al., "FIFO queues are all you need
 *         for cache eviction", SOSP 2023).
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy/policy.h"

#include <string.h>

/* -- fifo -------------------------------------------------------------------- */

static void queue_came(struct lm_frames *frames, uint32_t id, bool again)
{
	(void)again;
	lm_frames_move(frames, id, LM_LIST_NEW);
}

static void fifo_touched(struct lm_frames *frames, uint32_t id)
{
	(void)frames;
	(void)id;
}

static uint32_t fifo_next(struct lm_frames *frames,
			  enum lm_policy_verdict *verdict)
{
	*verdict = LM_POLICY_EVICT;
	return frames->list[LM_LIST_NEW].oldest;
}

const struct lm_policy lm_policy_fifo = { "fifo", queue_came, fifo_touched,
					  fifo_next };

/* -- clock ------------------------------------------------------------------- */

static void clock_touched(struct lm_frames *frames, uint32_t id)
{
	if (frames->frame[id].hidden)
		lm_frames_move(frames, id, LM_LIST_NEW);
}

/* A hidden frame may be two VM areas of the kernel's, which has some 65,000. */
#define HIDDEN_MAX 2048

static bool enough_wait(uint32_t waiting, uint32_t share)
{
	return waiting >= (share < HIDDEN_MAX ? share : HIDDEN_MAX);
}

/* Of `shown` and `hidden`, one queue in two: hide, or name the oldest. */
static uint32_t chance(struct lm_frames *frames, enum lm_frame_list shown,
		       enum lm_frame_list hidden,
		       enum lm_policy_verdict *verdict)
{
	uint32_t id = frames->list[shown].oldest;
	uint32_t waiting = frames->list[hidden].count;

	*verdict = LM_POLICY_EVICT;
	if (!id ||
	    enough_wait(waiting, (frames->list[shown].count + waiting + 3) / 4))
		return frames->list[hidden].oldest;
	*verdict = LM_POLICY_HIDE;
	lm_frames_move(frames, id, hidden);
	return id;
}

static uint32_t clock_next(struct lm_frames *frames,
			   enum lm_policy_verdict *verdict)
{
	return chance(frames, LM_LIST_NEW, LM_LIST_TRIAL, verdict);
}

const struct lm_policy lm_policy_clock = { "clock", queue_came, clock_touched,
					   clock_next };

/* -- sieve ------------------------------------------------------------------- */

#define SIEVE_HIDES 16

static uint32_t sieve_next(struct lm_frames *frames,
			   enum lm_policy_verdict *verdict)
{
	uint32_t id = frames->hand;

	if (!id)
		id = frames->list[LM_LIST_NEW].oldest;
	if (!id)
		return 0;
	frames->hand = frames->frame[id].next;
	if (!frames->frame[id].hidden && frames->hides < SIEVE_HIDES) {
		frames->hides++;
		*verdict = LM_POLICY_HIDE;
		return id;
	}
	frames->hides = 0;
	*verdict = LM_POLICY_EVICT;
	return id;
}

const struct lm_policy lm_policy_sieve = { "sieve", queue_came, fifo_touched,
					   sieve_next };

/* -- s3fifo ------------------------------------------------------------------ */

static void s3fifo_came(struct lm_frames *frames, uint32_t id, bool again)
{
	lm_frames_move(frames, id, again ? LM_LIST_MAIN : LM_LIST_NEW);
}

static void s3fifo_touched(struct lm_frames *frames, uint32_t id)
{
	struct lm_frame *frame = &frames->frame[id];

	if (frame->hidden)
		lm_frames_move(frames, id, LM_LIST_MAIN);
}

static uint32_t s3fifo_next(struct lm_frames *frames,
			    enum lm_policy_verdict *verdict)
{
	uint32_t fresh = frames->list[LM_LIST_NEW].count;
	uint32_t trial = frames->list[LM_LIST_TRIAL].count;
	uint32_t main = frames->list[LM_LIST_MAIN].count +
			frames->list[LM_LIST_HIDDEN].count;

	if (fresh + trial &&
	    (!main || fresh + trial > (fresh + trial + main) / 10)) {
		uint32_t id = frames->list[LM_LIST_NEW].oldest;

		*verdict = LM_POLICY_EVICT;
		if (!id || enough_wait(trial, (fresh + trial + 1) / 2))
			return frames->list[LM_LIST_TRIAL].oldest;
		*verdict = LM_POLICY_HIDE;
		lm_frames_move(frames, id, LM_LIST_TRIAL);
		return id;
	}
	return chance(frames, LM_LIST_MAIN, LM_LIST_HIDDEN, verdict);
}

const struct lm_policy lm_policy_s3fifo = { "s3fifo", s3fifo_came,
					    s3fifo_touched, s3fifo_next };

/* -- By name ------------------------------------------------------------------ */

static const struct lm_policy *const all[] = {
	&lm_policy_s3fifo, &lm_policy_clock, &lm_policy_sieve, &lm_policy_fifo
};

const struct lm_policy *lm_policy_at(unsigned i)
{
	return i < sizeof(all) / sizeof(*all) ? all[i] : NULL;
}

const struct lm_policy *lm_policy_by_name(const char *name)
{
	if (!name || !*name || !strcmp(name, "auto"))
		return all[0];
	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}
