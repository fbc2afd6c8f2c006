/*
 * pool.c -- chunks of 64 KiB, each cut into objects of one size. See pool.h.
 *
 * Sizes are multiples of 64 bytes, so that a compressed page wastes 32 on
 * average. A chunk whose objects are all free can take any size again. Address
 * space is taken for 2 MiB of chunks at a time, a piece; where the pool is large
 * these are huge pages, since one exception a page would cost more than to
 * compress it. Memory goes back to the kernel by the chunk, or by the huge page.
 *
 * Age is a chunk's: when something was last put there. The hand goes over the
 * objects of the oldest chunks, and never round to the youngest but by way of
 * all others.
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
#define SIZE_OF(len) (((len) + sizeof(struct header) + STEP - 1) / STEP)
#define CLASSES (SIZE_OF(LM_POOL_MAX) + 1)
#define OBJECTS (CHUNK / (2 * STEP)) /* at most, in a chunk */
#define OBJECT_BITS 10
#define CHUNKS_MAX (1u << 24)    /* 34 bits name an object */
#define PIECE (LM_BLOCK / CHUNK) /* chunks */
#define HUGE_MIN (16 * LM_BLOCK) /* bytes: of a pool with huge pages */

struct header {
	uint32_t sum;
	uint16_t len;
	uint16_t owner_high; /* these two guarded by lock */
	uint32_t owner_low;
};

struct chunk {
	uint32_t next, prev;   /* in its list; id, 0: none */
	uint32_t newer, older; /* of all that hold objects */
	_Atomic uint32_t put;  /* `went_in` when something was last put there */
	uint16_t size;         /* of each object, in STEPs */
	uint16_t total, taken; /* objects */
	uint64_t map[OBJECTS / 64];
};

/* What is mapped at once; chunk number id is the (id - 1) % PIECEth there. */
struct piece {
	char (*data)
		[CHUNK]; /* PIECE of them; a block, if they are huge pages */
	uint32_t in_use; /* chunks that hold objects */
	struct chunk chunk[PIECE];
};

static struct lm_lock lock;
/* All guarded by lock; pieces is set once, before, and so is each of them. */
static struct piece **pieces;
static _Atomic uint32_t chunks_max;
static uint32_t chunks_cut;       /* [1, cut] were used at some time */
static uint32_t empty;            /* list of chunks without objects */
static uint32_t partial[CLASSES]; /* lists by size: not all of it is taken */
static uint32_t newest, oldest;
static uint32_t went_in;         /* objects put in, ever */
static _Atomic uint32_t old_put; /* what was put in before that is old */
static uint32_t hand;            /* a chunk; 0: the oldest */
static unsigned hand_at;         /* the next of its objects */
static _Atomic uint32_t in_use;  /* chunks that hold objects */
static bool frozen;              /* set while there is one thread */
static bool huge;                /* immutable */

static struct piece *piece_of(uint32_t id)
{
	return pieces[(id - 1) / PIECE];
}

static struct chunk *chunk_at(uint32_t id)
{
	return &piece_of(id)->chunk[(id - 1) % PIECE];
}

static char *data_of(uint32_t id)
{
	return piece_of(id)->data[(id - 1) % PIECE];
}

void lm_pool_freeze(void)
{
	frozen = true;
}

void lm_pool_fork(void)
{
	lm_lock_take(&lock);
}

void lm_pool_fork_end(void)
{
	lm_lock_drop(&lock);
}

int lm_pool_start(size_t bytes)
{
	uint32_t n = (uint32_t)lm_min(bytes / CHUNK, CHUNKS_MAX - 1);

	if (!n)
		return 0;
	pieces = lm_meta_run((n + PIECE - 1) / PIECE * sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	chunks_max = n;
	huge = bytes >= HUGE_MIN;
	return 0;
}

static uint32_t chunks_left(void)
{
	uint32_t used = atomic_load_explicit(&in_use, memory_order_relaxed);
	uint32_t max = atomic_load_explicit(&chunks_max, memory_order_relaxed);

	return max - lm_min(used, max);
}

bool lm_pool_full(void)
{
	return frozen || !chunks_left();
}

bool lm_pool_low(void)
{
	uint32_t max = atomic_load_explicit(&chunks_max, memory_order_relaxed);

	return max && !frozen && chunks_left() < lm_min(max / 16 + 1, PIECE);
}

/* -- Lists ------------------------------------------------------------------- */

static void unlink_chunk(uint32_t *list, uint32_t id)
{
	struct chunk *chunk = chunk_at(id);

	if (chunk->next)
		chunk_at(chunk->next)->prev = chunk->prev;
	if (chunk->prev)
		chunk_at(chunk->prev)->next = chunk->next;
	else
		*list = chunk->next;
	chunk->next = chunk->prev = 0;
}

static void link_chunk(uint32_t *list, uint32_t id)
{
	struct chunk *chunk = chunk_at(id);

	chunk->prev = 0;
	chunk->next = *list;
	if (*list)
		chunk_at(*list)->prev = id;
	*list = id;
}

/* Out of the order of age; the hand passes on to the next one. */
static void forget_age(uint32_t id)
{
	struct chunk *chunk = chunk_at(id);

	if (hand == id) {
		hand = chunk->newer;
		hand_at = 0;
	}
	if (chunk->newer)
		chunk_at(chunk->newer)->older = chunk->older;
	else
		newest = chunk->older;
	if (chunk->older)
		chunk_at(chunk->older)->newer = chunk->newer;
	else
		oldest = chunk->newer;
	chunk->newer = chunk->older = 0;
}

static void make_newest(uint32_t id)
{
	struct chunk *chunk = chunk_at(id);

	chunk->newer = 0;
	chunk->older = newest;
	if (newest)
		chunk_at(newest)->newer = id;
	else
		oldest = id;
	newest = id;
}

/* -- Chunks ------------------------------------------------------------------- */

/* Room for its data, and where that is to be huge pages around them. */
static void *map_data(void)
{
	uintptr_t at = (uintptr_t)lm_meta_run((huge ? 2 : 1) * LM_BLOCK), data;

	if (!at || !huge)
		return (void *)at;
	data = (at + LM_BLOCK - 1) & ~(LM_BLOCK - 1);
	/* What lies around stays mapped if this fails: it is never touched. And
	 * a kernel may have no huge pages. */
	lm_os_munmap(at, data - at);
	lm_os_munmap(data + LM_BLOCK, at + LM_BLOCK - data);
	lm_os_madvise(data, LM_BLOCK, MADV_HUGEPAGE);
	return (void *)data;
}

static struct piece *map_piece(void)
{
	struct piece *piece = lm_meta_run(sizeof(*piece));

	if (!piece)
		return NULL;
	piece->data = map_data();
	if (piece->data)
		return piece;
	lm_meta_free_run(piece, sizeof(*piece));
	return NULL;
}

/* One that was never used; 0: there is no room for it. */
static uint32_t cut_chunk(void)
{
	struct piece **piece = &pieces[chunks_cut / PIECE];

	if (chunks_cut >= chunks_max)
		return 0;
	if (!*piece)
		*piece = map_piece();
	if (!*piece) {
		/* The pool is as large as this process lets it be. */
		chunks_max = chunks_cut;
		return 0;
	}
	return ++chunks_cut;
}

static uint32_t new_chunk(size_t size)
{
	uint32_t id = empty;
	struct chunk *chunk;

	if (id)
		unlink_chunk(&empty, id);
	else
		id = cut_chunk();
	if (!id)
		return 0;
	chunk = chunk_at(id);
	chunk->size = (uint16_t)size;
	chunk->total = (uint16_t)(CHUNK / (size * STEP));
	chunk->taken = 0;
	memset(chunk->map, 0, sizeof(chunk->map));
	link_chunk(&partial[size], id);
	make_newest(id);
	piece_of(id)->in_use++;
	atomic_fetch_add_explicit(&in_use, 1, memory_order_relaxed);
	return id;
}

static void free_chunk(uint32_t id)
{
	struct chunk *chunk = chunk_at(id);
	struct piece *piece = piece_of(id);

	unlink_chunk(&partial[chunk->size], id);
	forget_age(id);
	link_chunk(&empty, id);
	piece->in_use--;
	/* If it fails the memory only stays for the next object. */
	if (!huge)
		lm_os_madvise((uintptr_t)data_of(id), CHUNK, MADV_DONTNEED);
	else if (!piece->in_use)
		lm_os_madvise((uintptr_t)piece->data, LM_BLOCK, MADV_DONTNEED);
	atomic_fetch_sub_explicit(&in_use, 1, memory_order_relaxed);
}

/* -- Objects ------------------------------------------------------------------ */

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

static uint32_t id_of(uint64_t object)
{
	return (uint32_t)(object >> OBJECT_BITS);
}

static size_t index_of(uint64_t object)
{
	return object & ((1 << OBJECT_BITS) - 1);
}

static struct header *object_at(uint64_t object)
{
	uint32_t id = id_of(object);

	return (struct header *)(data_of(id) +
				 index_of(object) * chunk_at(id)->size * STEP);
}

static void set_owner(struct header *header, uint64_t owner)
{
	header->owner_high = (uint16_t)(owner >> 32);
	header->owner_low = (uint32_t)owner;
}

int lm_pool_put(const void *data, size_t len, uint32_t sum, uint64_t owner,
		uint64_t *object)
{
	size_t size = lm_max(SIZE_OF(len), (size_t)2);
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
	chunk = chunk_at(id);
	*object = (uint64_t)id << OBJECT_BITS | take_free(chunk);
	if (++chunk->taken == chunk->total)
		unlink_chunk(&partial[size], id);
	if (newest != id) {
		forget_age(id);
		make_newest(id);
	}
	atomic_store_explicit(&chunk->put, ++went_in, memory_order_relaxed);
	header = object_at(*object);
	set_owner(header, owner);
	lm_lock_drop(&lock);
	/* The object is ours alone, and its chunk stays what it is. */
	header->sum = sum;
	header->len = (uint16_t)len;
	memcpy(header + 1, data, len);
	return 0;
}

void lm_pool_own(uint64_t object, uint64_t owner)
{
	if (frozen)
		return;
	lm_lock_take(&lock);
	set_owner(object_at(object), owner);
	lm_lock_drop(&lock);
}

/* The next object at the hand, or no object: with the lock. */
static bool at_hand(uint64_t *object)
{
	for (; hand; hand = chunk_at(hand)->newer, hand_at = 0) {
		const struct chunk *chunk = chunk_at(hand);

		for (; hand_at < chunk->total; hand_at++) {
			if (!(chunk->map[hand_at / 64] >> (hand_at % 64) & 1))
				continue;
			*object = (uint64_t)hand << OBJECT_BITS | hand_at++;
			return true;
		}
	}
	return false;
}

bool lm_pool_old(uint64_t object)
{
	const struct chunk *chunk = chunk_at(id_of(object));

	/* Relaxed: it decides nothing that has to be right. */
	return (int32_t)(atomic_load_explicit(&old_put, memory_order_relaxed) -
			 atomic_load_explicit(&chunk->put,
					      memory_order_relaxed)) >= 0;
}

bool lm_pool_oldest(uint64_t *object, uint64_t *owner)
{
	const struct header *header;
	bool found;

	if (frozen)
		return false;
	lm_lock_take(&lock);
	if (!hand) {
		hand = oldest;
		hand_at = 0;
	}
	found = at_hand(object);
	if (found) {
		uint32_t put = atomic_load_explicit(&chunk_at(oldest)->put,
						    memory_order_relaxed);

		atomic_store_explicit(&old_put, put + (went_in - put) / 2,
				      memory_order_relaxed);
		header = object_at(*object);
		*owner = (uint64_t)header->owner_high << 32 | header->owner_low;
	}
	lm_lock_drop(&lock);
	return found;
}

size_t lm_pool_get(uint64_t object, const char **data, uint32_t *sum)
{
	const struct header *header = object_at(object);

	*data = (const char *)(header + 1);
	*sum = header->sum;
	/* Damaged memory must not make the reader leave the object. */
	return lm_min((size_t)header->len, (size_t)LM_POOL_MAX);
}

void lm_pool_free(uint64_t object)
{
	uint32_t id = id_of(object);
	size_t index = index_of(object);
	struct chunk *chunk = chunk_at(id);

	if (frozen)
		return;
	lm_lock_take(&lock);
	chunk->map[index / 64] &= ~((uint64_t)1 << (index % 64));
	if (chunk->taken-- == chunk->total)
		link_chunk(&partial[chunk->size], id);
	if (!chunk->taken)
		free_chunk(id);
	lm_lock_drop(&lock);
}

uint64_t lm_pool_used(void)
{
	return (uint64_t)atomic_load_explicit(&in_use, memory_order_relaxed) *
	       CHUNK;
}
