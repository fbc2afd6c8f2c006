/*
 * test_policy_once.c -- the policies against simulations of their own, written
 * the simplest way: frames as an array in order, no lists, no hashes. And OPT
 * (Belady), which no policy may beat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

#define PAGES 3000
#define LENGTH 60000
#define CAPACITY 200
#define PAGE 4096ul

static uint16_t trace[LENGTH];

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* -- Traces --------------------------------------------------------------------- */

static void trace_uniform(uint64_t seed)
{
	for (int i = 0; i < LENGTH; i++)
		trace[i] = (uint16_t)(random_next(&seed) % PAGES);
}

/* Few are used often: by multiplying, low numbers are likelier. */
static void trace_skewed(uint64_t seed)
{
	for (int i = 0; i < LENGTH; i++) {
		uint64_t a = random_next(&seed) % PAGES;
		uint64_t b = random_next(&seed) % PAGES;
		uint64_t c = random_next(&seed) % PAGES;

		trace[i] = (uint16_t)(a * b / PAGES * c / PAGES);
	}
}

static void trace_loop(uint64_t seed)
{
	(void)seed;
	for (int i = 0; i < LENGTH; i++)
		trace[i] = (uint16_t)(i % (CAPACITY + CAPACITY / 4));
}

/* A working set that fits, and one-time scans while it is used. */
static void trace_scans(uint64_t seed)
{
	uint16_t next = CAPACITY;

	for (int i = 0; i < LENGTH; i++) {
		if (i / 1000 % 3 == 2 && i % 2) {
			trace[i] = next++;
			if (next == PAGES)
				next = CAPACITY;
		} else {
			trace[i] =
				(uint16_t)(random_next(&seed) % (CAPACITY / 2));
		}
	}
}

static void (*const traces[])(uint64_t) = { trace_uniform, trace_skewed,
					    trace_loop, trace_scans };
static const char *const trace_names[] = { "uniform", "skewed", "loop",
					   "scans" };

/* -- What the library does --------------------------------------------------------- */

static uintptr_t address(unsigned page)
{
	return (page + 16) * PAGE;
}

static unsigned run(const struct lm_policy *policy)
{
	struct lm_frames frames;
	void *memory = calloc(1, lm_frames_size(CAPACITY));
	unsigned misses = 0;

	lm_frames_init(&frames, memory, CAPACITY);
	for (int i = 0; i < LENGTH; i++) {
		uint32_t id = lm_frames_find(&frames, address(trace[i]));
		struct lm_victim victim;

		if (id) {
			if (frames.frame[id].hidden)
				lm_frames_touched(&frames, policy, id);
			continue;
		}
		misses++;
		while (frames.count >= CAPACITY)
			ck_assert(lm_frames_next(&frames, policy, &victim));
		lm_frames_came(&frames, policy, address(trace[i]), 1, false);
	}
	free(memory);
	return misses;
}

/* -- What it should do ----------------------------------------------------------------- */

/* A frame of the simulation; a queue is an array of them, the oldest first. */
struct sim_frame {
	int page;
	bool hidden;
};

struct sim_queue {
	struct sim_frame frame[CAPACITY + 1];
	int count;
};

static int sim_find(const struct sim_queue *queue, int page)
{
	for (int i = 0; i < queue->count; i++)
		if (queue->frame[i].page == page)
			return i;
	return -1;
}

static struct sim_frame sim_remove(struct sim_queue *queue, int i)
{
	struct sim_frame frame = queue->frame[i];

	memmove(&queue->frame[i], &queue->frame[i + 1],
		(size_t)(--queue->count - i) * sizeof(frame));
	return frame;
}

static void sim_append(struct sim_queue *queue, int page, bool hidden)
{
	queue->frame[queue->count].page = page;
	queue->frame[queue->count++].hidden = hidden;
}

static unsigned sim_fifo(void)
{
	static struct sim_queue queue;
	unsigned misses = 0;

	queue.count = 0;
	for (int i = 0; i < LENGTH; i++) {
		if (sim_find(&queue, trace[i]) >= 0)
			continue;
		misses++;
		if (queue.count == CAPACITY)
			sim_remove(&queue, 0);
		sim_append(&queue, trace[i], false);
	}
	return misses;
}

/* One eviction from a queue that hides its oldest quarter first. */
static void sim_chance(struct sim_queue *shown, struct sim_queue *hidden)
{
	while (shown->count &&
	       hidden->count < (shown->count + hidden->count + 3) / 4)
		sim_append(hidden, sim_remove(shown, 0).page, true);
	sim_remove(hidden, 0);
}

static unsigned sim_clock(void)
{
	static struct sim_queue shown, hidden;
	unsigned misses = 0;
	int at;

	shown.count = hidden.count = 0;
	for (int i = 0; i < LENGTH; i++) {
		if (sim_find(&shown, trace[i]) >= 0)
			continue;
		at = sim_find(&hidden, trace[i]);
		if (at >= 0) {
			sim_remove(&hidden, at);
		} else {
			misses++;
			if (shown.count + hidden.count == CAPACITY)
				sim_chance(&shown, &hidden);
		}
		sim_append(&shown, trace[i], false);
	}
	return misses;
}

static unsigned sim_sieve(void)
{
	static struct sim_queue queue;
	unsigned misses = 0;
	int hand = 0, at, hides;

	queue.count = 0;
	for (int i = 0; i < LENGTH; i++) {
		at = sim_find(&queue, trace[i]);
		if (at >= 0) {
			queue.frame[at].hidden = false;
			continue;
		}
		misses++;
		for (hides = 0; queue.count == CAPACITY;) {
			if (hand == queue.count)
				hand = 0;
			if (!queue.frame[hand].hidden && hides++ < 16)
				queue.frame[hand++].hidden = true;
			else
				sim_remove(&queue, hand);
		}
		/* A hand that has come to the end begins anew, whatever is
		 * appended meanwhile. */
		if (hand == queue.count)
			hand = 0;
		sim_append(&queue, trace[i], false);
	}
	return misses;
}

/* Evicted, and how long ago: enough of them to hold what the library does. */
static bool sim_ghosts[PAGES];

static unsigned sim_s3fifo(void)
{
	static struct sim_queue fresh, trial, shown, hidden;
	unsigned misses = 0;
	int at;

	fresh.count = trial.count = shown.count = hidden.count = 0;
	for (int i = 0; i < LENGTH; i++) {
		int page = trace[i];

		if (sim_find(&fresh, page) >= 0 || sim_find(&shown, page) >= 0)
			continue;
		if ((at = sim_find(&trial, page)) >= 0) {
			sim_remove(&trial, at);
			sim_append(&shown, page, false);
			continue;
		}
		if ((at = sim_find(&hidden, page)) >= 0) {
			sim_remove(&hidden, at);
			sim_append(&shown, page, false);
			continue;
		}
		misses++;
		while (fresh.count + trial.count + shown.count + hidden.count ==
		       CAPACITY) {
			int small = fresh.count + trial.count;

			if (small && (shown.count + hidden.count == 0 ||
				      small > CAPACITY / 10)) {
				if (fresh.count &&
				    trial.count < (small + 1) / 2) {
					sim_append(&trial,
						   sim_remove(&fresh, 0).page,
						   true);
					continue;
				}
				sim_ghosts[sim_remove(&trial, 0).page] = true;
			} else if (shown.count &&
				   hidden.count < (shown.count + hidden.count +
						   3) / 4) {
				sim_append(&hidden, sim_remove(&shown, 0).page,
					   true);
			} else {
				sim_ghosts[sim_remove(&hidden, 0).page] = true;
			}
		}
		sim_append(sim_ghosts[page] ? &shown : &fresh, page, false);
	}
	return misses;
}

/* Belady's: the one that is needed last, or never again, goes. */
static unsigned sim_opt(void)
{
	static int next[LENGTH], last[PAGES], when[CAPACITY], page[CAPACITY];
	unsigned misses = 0;
	int count = 0, at, k;

	for (int i = 0; i < PAGES; i++)
		last[i] = LENGTH;
	for (int i = LENGTH - 1; i >= 0; i--) {
		next[i] = last[trace[i]];
		last[trace[i]] = i;
	}
	for (int i = 0; i < LENGTH; i++) {
		for (k = 0; k < count && page[k] != trace[i]; k++)
			;
		if (k == count) {
			misses++;
			if (count < CAPACITY) {
				count++;
			} else {
				for (k = 0, at = 1; at < count; at++)
					if (when[at] > when[k])
						k = at;
			}
		}
		page[k] = trace[i];
		when[k] = next[i];
	}
	return misses;
}

/* -- Tests --------------------------------------------------------------------------- */

static void compare(const struct lm_policy *policy, unsigned (*simulate)(void))
{
	for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++) {
		unsigned real, simulated, best;

		traces[i](88172645463325252u + i);
		real = run(policy);
		simulated = simulate();
		best = sim_opt();
		printf("%-8s %-8s %6u misses, OPT %6u of %u\n", policy->name,
		       trace_names[i], real, best, LENGTH);
		ck_assert_uint_eq(real, simulated);
		ck_assert_uint_ge(real, best);
	}
}

START_TEST(fifo_misses_as_its_simulation)
{
	compare(&lm_policy_fifo, sim_fifo);
}
END_TEST

START_TEST(clock_misses_as_its_simulation)
{
	compare(&lm_policy_clock, sim_clock);
}
END_TEST

START_TEST(sieve_misses_as_its_simulation)
{
	compare(&lm_policy_sieve, sim_sieve);
}
END_TEST

/* The library forgets what went long ago, by chance a little sooner; with
 * fewer pages than it remembers the two agree exactly. */
START_TEST(s3fifo_misses_as_its_simulation)
{
	for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++) {
		unsigned real, simulated, best;

		traces[i](88172645463325252u + i);
		for (int k = 0; k < LENGTH; k++)
			trace[k] %= CAPACITY + 60;
		memset(sim_ghosts, 0, sizeof(sim_ghosts));
		real = run(&lm_policy_s3fifo);
		simulated = sim_s3fifo();
		best = sim_opt();
		printf("s3fifo   %-8s %6u misses, simulated %6u, OPT %6u\n",
		       trace_names[i], real, simulated, best);
		ck_assert_uint_eq(real, simulated);
		ck_assert_uint_ge(real, best);
	}
}
END_TEST

START_TEST(default_keeps_a_working_set_through_scans)
{
	const struct lm_policy *policy = lm_policy_by_name("auto");
	unsigned real, fifo;

	trace_scans(1);
	real = run(policy);
	fifo = run(&lm_policy_fifo);
	printf("%s %u misses, fifo %u, OPT %u\n", policy->name, real, fifo,
	       sim_opt());
	/* The scans themselves miss whatever one does. */
	ck_assert_uint_lt(real - LENGTH / 6, (fifo - LENGTH / 6) / 4);
}
END_TEST

START_TEST(cold_frames_go_before_all_others)
{
	struct lm_frames frames;
	struct lm_victim victim;
	void *memory = calloc(1, lm_frames_size(CAPACITY));

	lm_frames_init(&frames, memory, CAPACITY);
	for (unsigned i = 0; i < CAPACITY; i++)
		lm_frames_came(&frames, &lm_policy_fifo, address(i), 1,
			       i >= CAPACITY / 2);
	for (unsigned i = CAPACITY / 2; i < CAPACITY - 64; i++) {
		ck_assert(lm_frames_next(&frames, &lm_policy_fifo, &victim));
		ck_assert_uint_eq(victim.start, address(i));
	}
	/* The last cold ones stay: an instruction may be using them. */
	ck_assert(lm_frames_next(&frames, &lm_policy_fifo, &victim));
	ck_assert_uint_eq(victim.start, address(0));
	free(memory);
}
END_TEST

/* Of the frames these pages cannot go, as long as there are any. */
static unsigned staying, in_vain;

/* Until one has gone: the page. */
static unsigned evict_one(struct lm_frames *frames,
			  const struct lm_policy *policy)
{
	struct lm_victim victim;

	for (;;) {
		ck_assert(lm_frames_next(frames, policy, &victim));
		if (victim.hide)
			continue;
		if (victim.start >= address(staying))
			return (unsigned)(victim.start / PAGE - 16);
		lm_frames_stayed(frames, victim.start, victim.pages);
		in_vain++;
	}
}

/* n others go, and as many new ones come. */
static unsigned go_round(struct lm_frames *frames,
			 const struct lm_policy *policy, unsigned n,
			 unsigned below)
{
	static unsigned fresh = CAPACITY;
	unsigned gone = 0;

	for (unsigned i = 0; i < n; i++) {
		gone += evict_one(frames, policy) < below;
		lm_frames_came(frames, policy, address(fresh++), 1, false);
	}
	return gone;
}

/* Or pages would be in place that no frame stands for, and never go. */
START_TEST(frame_is_as_large_as_the_largest_cluster_that_came)
{
	const struct lm_policy *policy = lm_policy_at((unsigned)_i);
	struct lm_frames frames;
	struct lm_victim victim;
	void *memory = calloc(1, lm_frames_size(8));

	lm_frames_init(&frames, memory, 8);
	lm_frames_came(&frames, policy, address(16), 4, true);
	lm_frames_came(&frames, policy, address(16), 16, false);
	lm_frames_came(&frames, policy, address(16), 4, true);
	do
		ck_assert(lm_frames_next(&frames, policy, &victim));
	while (victim.hide);
	ck_assert_uint_eq(victim.start, address(16));
	ck_assert_uint_eq(victim.pages, 16);
	free(memory);
}
END_TEST

START_TEST(frames_that_stay_keep_no_others_from_going)
{
	const struct lm_policy *policy = lm_policy_at((unsigned)_i);
	const unsigned stay = CAPACITY - 10;
	struct lm_frames frames;
	void *memory = calloc(1, lm_frames_size(CAPACITY));

	lm_frames_init(&frames, memory, CAPACITY);
	for (unsigned i = 0; i < CAPACITY; i++)
		lm_frames_came(&frames, policy, address(i), 1, false);
	staying = stay;
	go_round(&frames, policy, 1000, 0);
	ck_assert_uint_eq(frames.count, CAPACITY);
	/* Each once, and then one beside eight that go. */
	ck_assert_uint_le(in_vain, stay + 1000 / 8 + 1);
	/* They go again when they can. */
	staying = 0;
	ck_assert_uint_ge(go_round(&frames, policy, CAPACITY, stay), stay - 10);
	free(memory);
}
END_TEST

/* Four frames that make a block: what is named, and what goes with it. */
START_TEST(frames_of_a_block_go_together_if_they_are_alike)
{
	enum { ALIKE, HIDDEN_ONE, COLD_ONE, STAYED_ONE, CASES };
	const struct lm_policy *policy = lm_policy_at((unsigned)_i / CASES);
	struct lm_frames frames;
	struct lm_victim victim;
	void *memory = calloc(1, lm_frames_size(CAPACITY));
	int which = _i % CASES;
	bool together = which == ALIKE;

	lm_frames_init(&frames, memory, CAPACITY);
	for (uint64_t i = 0; i < 16; i += 4)
		lm_frames_came(&frames, policy, address(i), 4, false);
	if (which == HIDDEN_ONE)
		frames.frame[lm_frames_find(&frames, address(8))].hidden = true;
	if (which == COLD_ONE)
		lm_frames_move(&frames, lm_frames_find(&frames, address(8)),
			       LM_LIST_COLD);
	if (which == STAYED_ONE)
		lm_frames_move(&frames, lm_frames_find(&frames, address(8)),
			       LM_LIST_STAYED);
	ck_assert(lm_frames_next(&frames, policy, &victim));
	lm_frames_join(&frames, &victim, address(0), address(16));
	ck_assert_uint_eq(victim.pages, together ? 16 : 4);
	if (!together) {
		free(memory);
		return;
	}
	ck_assert_uint_eq(victim.start, address(0));
	for (uint64_t i = 0; i < 16; i += 4) {
		uint32_t id = lm_frames_find(&frames, address(i));

		ck_assert(!id == !victim.hide);
		ck_assert(!id || frames.frame[id].hidden);
	}
	/* Nothing else is left to be hidden. */
	if (victim.hide) {
		ck_assert(lm_frames_next(&frames, policy, &victim));
		ck_assert(!victim.hide);
		lm_frames_join(&frames, &victim, address(0), address(16));
	}
	ck_assert_uint_eq(frames.count, 0);
	free(memory);
}
END_TEST

START_TEST(unknown_name_is_no_policy)
{
	ck_assert_ptr_null(lm_policy_by_name("lru"));
	ck_assert_ptr_eq(lm_policy_by_name("clock"), &lm_policy_clock);
	ck_assert_ptr_eq(lm_policy_by_name(NULL), lm_policy_by_name("auto"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");
	SRunner *runner;
	int failures;

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, fifo_misses_as_its_simulation);
	tcase_add_test(tcase, clock_misses_as_its_simulation);
	tcase_add_test(tcase, sieve_misses_as_its_simulation);
	tcase_add_test(tcase, s3fifo_misses_as_its_simulation);
	tcase_add_test(tcase, default_keeps_a_working_set_through_scans);
	tcase_add_test(tcase, cold_frames_go_before_all_others);
	tcase_add_loop_test(tcase,
			    frame_is_as_large_as_the_largest_cluster_that_came,
			    0, 4);
	tcase_add_loop_test(tcase, frames_that_stay_keep_no_others_from_going,
			    0, 4);
	tcase_add_loop_test(
		tcase, frames_of_a_block_go_together_if_they_are_alike, 0, 16);
	tcase_add_test(tcase, unknown_name_is_no_policy);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures != 0;
}
