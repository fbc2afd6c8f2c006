/*
 * pool.c -- chunks of 64 KiB, each cut into objects of one size. See pool.h.
 *
 * Sizes are multiples of 64 bytes, so that a compressed page wastes 32 on
 * average. A chunk whose objects are all free can take any size again, and
 * its memory goes back to the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "swap/pool.h"

#include "lock.h"
#include "meta.h"
#include "os.h"

#include <string.h>
#include <sys/mman.h>

#define CHUNK ((size_t)64 * 1024)
#define STEP 64
#define CLASSES ((LM_POOL_MAX + sizeof(struct header)) / STEP + 1)
#define OBJECTS (CHUNK / STEP) /* at most, in a chunk */
#define OBJECT_BITS 10

struct header {
	uint32_t sum;
	uint32_t len;
};

/* Doubly linked in the list of its class while some of it is free. */
struct chunk {
	uint32_t next, prev;   /* index + 1; 0: none */
	uint16_t size;         /* of each object, in STEPs */
	uint16_t total, taken; /* objects */
	uint64_t map[OBJECTS / 64];
};

static struct lm_lock lock;
/* All guarded by lock; base and table are set once, before. */
static char *base;
static struct chunk *chunks;
static uint32_t chunks_max, chunks_cut; /* [0, cut) were used at some time */
static uint32_t empty;                  /* list of chunks without objects */
static uint32_t partial[CLASSES];       /* lists by size */
static _Atomic uint32_t in_use;         /* chunks that hold objects */
static bool frozen;                     /* set while there is one thread */

void lm_pool_freeze(void)
{
	frozen = true;
}

int lm_pool_start(size_t bytes)
{
	uint32_t n = (uint32_t)(bytes / CHUNK);

	if (!n)
		return 0;
	base = lm_meta_run(n * CHUNK);
	chunks = lm_meta_run(n * sizeof(*chunks));
	if (!base || !chunks)
		return -ENOMEM;
	chunks_max = n;
	return 0;
}

bool lm_pool_full(void)
{
	return frozen || atomic_load_explicit(&in_use, memory_order_relaxed) >=
				 chunks_max;
}

static void unlink_chunk(uint32_t *list, uint32_t id)
{
	struct chunk *chunk = &chunks[id - 1];

	if (chunk->next)
		chunks[chunk->next - 1].prev = chunk->prev;
	if (chunk->prev)
		chunks[chunk->prev - 1].next = chunk->next;
	else
		*list = chunk->next;
	chunk->next = chunk->prev = 0;
}

static void link_chunk(uint32_t *list, uint32_t id)
{
	struct chunk *chunk = &chunks[id - 1];

	chunk->prev = 0;
	chunk->next = *list;
	if (*list)
		chunks[*list - 1].prev = id;
	*list = id;
}

static uint32_t new_chunk(size_t size)
{
	uint32_t id = empty;
	struct chunk *chunk;

	if (id)
		unlink_chunk(&empty, id);
	else if (chunks_cut < chunks_max)
		id = ++chunks_cut;
	else
		return 0;
	chunk = &chunks[id - 1];
	chunk->size = (uint16_t)size;
	chunk->total = (uint16_t)(CHUNK / (size * STEP));
	chunk->taken = 0;
	memset(chunk->map, 0, sizeof(chunk->map));
	link_chunk(&partial[size], id);
	atomic_fetch_add_explicit(&in_use, 1, memory_order_relaxed);
	return id;
}

static unsigned take_free(struct chunk *chunk)
{
	for (unsigned i = 0;; i++) {
		if (chunk->map[i] != ~(uint64_t)0) {
			unsigned bit =
				(unsigned)__builtin_ctzll(~chunk->map[i]);

			chunk->map[i] |= (uint64_t)1 << bit;
			return i * 64 + bit;
		}
	}
}

static struct header *object_at(uint64_t object)
{
	uint64_t id = object >> OBJECT_BITS;
	size_t index = object & ((1 << OBJECT_BITS) - 1);

	return (struct header *)(base + (id - 1) * CHUNK +
				 index * chunks[id - 1].size * STEP);
}

int lm_pool_put(const void *data, size_t len, uint32_t sum, uint64_t *object)
{
	size_t size = (len + sizeof(struct header) + STEP - 1) / STEP;
	struct header *header;
	struct chunk *chunk;
	uint32_t id;

	if (frozen)
		return -ENOSPC;
	lm_lock_take(&lock);
	id = partial[size];
	if (!id)
		id = new_chunk(size);
	if (!id) {
		lm_lock_drop(&lock);
		return -ENOSPC;
	}
	chunk = &chunks[id - 1];
	*object = (uint64_t)id << OBJECT_BITS | take_free(chunk);
	if (++chunk->taken == chunk->total)
		unlink_chunk(&partial[size], id);
	lm_lock_drop(&lock);
	/* The object is ours alone, and its chunk stays what it is. */
	header = object_at(*object);
	header->sum = sum;
	header->len = (uint32_t)len;
	memcpy(header + 1, data, len);
	return 0;
}

size_t lm_pool_get(uint64_t object, const char **data, uint32_t *sum)
{
	const struct header *header = object_at(object);

	*data = (const char *)(header + 1);
	*sum = header->sum;
	/* Damaged memory must not make the reader leave the object. */
	return lm_min(header->len, LM_POOL_MAX);
}

void lm_pool_free(uint64_t object)
{
	uint32_t id = (uint32_t)(object >> OBJECT_BITS);
	size_t index = object & ((1 << OBJECT_BITS) - 1);
	struct chunk *chunk = &chunks[id - 1];

	if (frozen)
		return;
	lm_lock_take(&lock);
	chunk->map[index / 64] &= ~((uint64_t)1 << (index % 64));
	if (chunk->taken-- == chunk->total)
		link_chunk(&partial[chunk->size], id);
	if (!chunk->taken) {
		unlink_chunk(&partial[chunk->size], id);
		link_chunk(&empty, id);
		/* If it fails the memory only stays for the next object. */
		lm_os_madvise((uintptr_t)base + (id - 1) * CHUNK, CHUNK,
			      MADV_DONTNEED);
		atomic_fetch_sub_explicit(&in_use, 1, memory_order_relaxed);
	}
	lm_lock_drop(&lock);
}

uint64_t lm_pool_used(void)
{
	return (uint64_t)atomic_load_explicit(&in_use, memory_order_relaxed) *
	       CHUNK;
}
