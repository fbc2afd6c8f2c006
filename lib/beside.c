/*
 * beside.c -- see beside.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "beside.h"

#include "os.h"

#include <string.h>

/* Of so many of the latest faults the threads are counted. */
#define RECENT 8
/* For 8192 processors; the kernel refuses less than it has. */
#define WORDS 128
#define BITS (8 * sizeof(unsigned long))
#define NOWHERE UINT32_MAX

struct set {
	unsigned long word[WORDS];
	size_t bytes; /* that the kernel has */
};

static _Atomic uintptr_t recent[RECENT];
static _Atomic uint32_t turn;
static _Atomic uint32_t stream_cpu; /* where the last of them was */
static _Atomic uint32_t processors; /* that the pager may run on */

/* The pager's own. */
static struct set all, kept;
static uint32_t away_from;

static uint32_t cpu_here(void)
{
	unsigned cpu = 0;

	lm_sys(SYS_getcpu, &cpu, NULL, NULL);
	return cpu;
}

static bool get(struct set *set)
{
	long n = lm_sys(SYS_sched_getaffinity, 0, sizeof(set->word), set->word);

	set->bytes = n > 0 ? (size_t)n : 0;
	return set->bytes;
}

static bool same(const struct set *a, const struct set *b)
{
	return a->bytes == b->bytes && !memcmp(a->word, b->word, a->bytes);
}

static uint32_t count(const struct set *set)
{
	uint32_t n = 0;

	for (size_t i = 0; i < set->bytes / sizeof(set->word[0]); i++)
		for (unsigned long left = set->word[i]; left; left &= left - 1)
			n++;
	return n;
}

void lm_beside_start(void)
{
	away_from = NOWHERE;
	get(&all);
	/* Where that is not known there is another one. */
	atomic_store_explicit(&processors, all.bytes ? count(&all) : NOWHERE,
			      memory_order_relaxed);
}

static uint32_t streaming(void)
{
	uint32_t n = 0;

	for (int i = 0; i < RECENT; i++) {
		uintptr_t who =
			atomic_load_explicit(&recent[i], memory_order_relaxed);
		int k = 0;

		while (k < i &&
		       atomic_load_explicit(&recent[k], memory_order_relaxed) !=
			       who)
			k++;
		n += who && k == i;
	}
	return n;
}

bool lm_beside_stream(const void *who)
{
	uint32_t i = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);

	atomic_store_explicit(&recent[i % RECENT], (uintptr_t)who,
			      memory_order_relaxed);
	atomic_store_explicit(&stream_cpu, cpu_here(), memory_order_relaxed);
	return streaming() <
	       atomic_load_explicit(&processors, memory_order_relaxed);
}

/* What the program sets meanwhile, for all its threads, stands. */
static bool set_by_us(void)
{
	struct set now;

	return away_from != NOWHERE && get(&now) && same(&now, &kept);
}

void lm_beside_away(void)
{
	uint32_t cpu = atomic_load_explicit(&stream_cpu, memory_order_relaxed);

	if (cpu != cpu_here() || cpu / BITS >= WORDS)
		return;
	if (!set_by_us() && !get(&all))
		return;
	kept = all;
	kept.word[cpu / BITS] &= ~(1ul << cpu % BITS);
	/* None other is left, or it is forbidden: so be it. */
	lm_sys(SYS_sched_setaffinity, 0, kept.bytes, kept.word);
	away_from = cpu;
}

void lm_beside_anywhere(void)
{
	if (set_by_us())
		lm_sys(SYS_sched_setaffinity, 0, all.bytes, all.word);
	away_from = NOWHERE;
}
