/*
 * slots.c -- the tables of a swap file. See slots.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "swap/slots.h"

#include "meta.h"
#include "os.h"

#define CHUNK_BITS 14
#define CHUNK ((uint64_t)1 << CHUNK_BITS)
#define MAP_WORDS (CHUNK / 64)

/* How often a slot was written, the part of its nonce that changes. Three bytes
 * are enough for years of writing; a slot that used them up is left alone. */
struct count {
	uint8_t byte[3];
};
#define COUNT_MAX 0xffffffu

struct lm_swap_chunk {
	uint32_t taken_count;
	uint64_t taken[MAP_WORDS], shared[MAP_WORDS], limbo[MAP_WORDS];
	uint32_t sums[CHUNK];
	struct count counts[]; /* CHUNK of them, with nonces */
};

static bool bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *map, uint64_t i)
{
	map[i / 64] |= (uint64_t)1 << (i % 64);
}

static void clear_bit(uint64_t *map, uint64_t i)
{
	map[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static struct lm_swap_chunk *chunk_of(const struct lm_swap_slots *slots,
				      uint64_t slot)
{
	return slots->chunks[slot >> CHUNK_BITS];
}

static uint64_t index_of(uint64_t slot)
{
	return slot & (CHUNK - 1);
}

int lm_swap_slots_make(struct lm_swap_slots *slots, uint64_t max, bool nonces)
{
	uint64_t chunks = (max + CHUNK - 1) >> CHUNK_BITS;

	slots->chunks = lm_meta_run(chunks * sizeof(struct lm_swap_chunk *));
	slots->max = max;
	slots->nonces = nonces;
	return slots->chunks ? 0 : -ENOMEM;
}

static int have_chunk(struct lm_swap_slots *slots, uint64_t slot)
{
	size_t size = sizeof(struct lm_swap_chunk);

	if (chunk_of(slots, slot))
		return 0;
	if (slots->nonces)
		size += CHUNK * sizeof(struct count);
	slots->chunks[slot >> CHUNK_BITS] = lm_meta_run(size);
	return chunk_of(slots, slot) ? 0 : -ENOMEM;
}

/* The first free one in the chunk from `i` on, below `to`; `to`: none. */
static uint64_t find_free(const struct lm_swap_chunk *chunk, uint64_t i,
			  uint64_t to)
{
	if (chunk->taken_count == CHUNK)
		return to;
	while (i < to && bit(chunk->taken, i)) {
		if (i % 64 == 0 && chunk->taken[i / 64] == ~(uint64_t)0)
			i += 64;
		else
			i++;
	}
	return lm_min(i, to);
}

/* A run of free slots in [from, to), at most n: its length, or 0. A run lies
 * within one chunk; one that has no table yet gets it. */
static size_t find_run(struct lm_swap_slots *slots, uint64_t from, uint64_t to,
		       size_t n, uint64_t *first, int *error)
{
	for (uint64_t end; from < to; from = end) {
		struct lm_swap_chunk *chunk;
		uint64_t base = from & ~(CHUNK - 1), i;
		size_t run = 0;
		int ret = have_chunk(slots, from);

		end = lm_min(base + CHUNK, to);
		if (ret < 0) {
			*error = ret;
			return 0;
		}
		chunk = chunk_of(slots, from);
		i = find_free(chunk, from - base, end - base);
		while (run < n && base + i + run < end &&
		       !bit(chunk->taken, i + run))
			run++;
		*first = base + i;
		if (run)
			return run;
	}
	return 0;
}

/* Upwards; from the beginning again once a quarter of the file is holes. */
int lm_swap_slots_take(struct lm_swap_slots *slots, size_t *n, uint64_t *first)
{
	struct lm_swap_chunk *chunk;
	int error = -ENOSPC;
	size_t run;

	if (slots->cursor >= slots->high && slots->high >= 1024 &&
	    slots->high - slots->in_use >= slots->high / 4)
		slots->cursor = 0;
	run = find_run(slots, slots->cursor, slots->max, *n, first, &error);
	if (!run)
		run = find_run(slots, 0, slots->high, *n, first, &error);
	if (!run)
		return error;
	chunk = chunk_of(slots, *first);
	for (size_t i = 0; i < run; i++)
		set_bit(chunk->taken, index_of(*first) + i);
	chunk->taken_count += (uint32_t)run;
	slots->in_use += run;
	slots->cursor = *first + run;
	slots->high = lm_max(slots->high, slots->cursor);
	*n = run;
	return 0;
}

static uint32_t count_of(const struct lm_swap_chunk *chunk, uint64_t i)
{
	const uint8_t *byte = chunk->counts[i].byte;

	return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16;
}

static void let_go(struct lm_swap_slots *slots, uint64_t slot)
{
	struct lm_swap_chunk *chunk = chunk_of(slots, slot);

	if (slots->nonces && count_of(chunk, index_of(slot)) == COUNT_MAX)
		return;
	clear_bit(chunk->taken, index_of(slot));
	chunk->taken_count--;
	slots->in_use--;
}

void lm_swap_slots_give(struct lm_swap_slots *slots, uint64_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		let_go(slots, first + i);
}

void lm_swap_slots_free(struct lm_swap_slots *slots, uint64_t slot)
{
	struct lm_swap_chunk *chunk = chunk_of(slots, slot);

	if (!bit(chunk->shared, index_of(slot))) {
		let_go(slots, slot);
		return;
	}
	set_bit(chunk->limbo, index_of(slot));
	slots->in_limbo++;
}

void lm_swap_slots_share(struct lm_swap_slots *slots)
{
	for (uint64_t at = 0; at < slots->high; at += CHUNK) {
		struct lm_swap_chunk *chunk = chunk_of(slots, at);

		for (size_t i = 0; i < MAP_WORDS; i++)
			chunk->shared[i] = chunk->taken[i];
	}
}

static void unshare(struct lm_swap_slots *slots, uint64_t at)
{
	struct lm_swap_chunk *chunk = chunk_of(slots, at);

	for (uint64_t i = 0; i < MAP_WORDS; i++) {
		uint64_t limbo = chunk->limbo[i];

		chunk->shared[i] = chunk->limbo[i] = 0;
		for (; limbo; limbo &= limbo - 1)
			let_go(slots,
			       at + i * 64 + (uint64_t)__builtin_ctzll(limbo));
	}
}

void lm_swap_slots_unshare(struct lm_swap_slots *slots)
{
	for (uint64_t at = 0; at < slots->high; at += CHUNK)
		unshare(slots, at);
	slots->in_limbo = 0;
	slots->cursor = 0;
}

uint32_t *lm_swap_slots_sum(const struct lm_swap_slots *slots, uint64_t slot)
{
	return &chunk_of(slots, slot)->sums[index_of(slot)];
}

uint64_t lm_swap_slots_nonce(const struct lm_swap_slots *slots, uint64_t slot)
{
	uint64_t count = count_of(chunk_of(slots, slot), index_of(slot));

	return count << LM_SWAP_SLOTS_BITS | slot;
}

uint64_t lm_swap_slots_next_nonce(struct lm_swap_slots *slots, uint64_t slot)
{
	struct lm_swap_chunk *chunk = chunk_of(slots, slot);
	uint32_t count = count_of(chunk, index_of(slot)) + 1;
	struct count next = { { (uint8_t)count, (uint8_t)(count >> 8),
				(uint8_t)(count >> 16) } };

	chunk->counts[index_of(slot)] = next;
	return lm_swap_slots_nonce(slots, slot);
}
