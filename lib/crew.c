/*
 * crew.c -- see crew.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crew.h"

#include "bounce.h"
#include "claim.h"
#include "frame.h"
#include "readahead.h"
#include "resident.h"
#include "stats.h"
#include "step.h"
#include "turn.h"
#include "worker.h"

#include <sys/mman.h>

/* As many as there are workers that read ahead: each is in one at most. */
#define CREWS 4
#define PIECE ((size_t)LM_BOUNCE_SIZE)
#define PIECES ((uint32_t)(LM_BLOCK / PIECE))
/* To call another worker takes about as long. */
#define CALL_NS 40000

struct crew {
	struct lm_job job;
	_Atomic bool taken;
	/* The piece to be read next; from PIECES on there is none. Stored, with
	 * release, when all below is as it is to be. */
	_Atomic uint32_t next;
	_Atomic uint32_t left; /* pieces that are not read yet */
	_Atomic int error;
	_Atomic bool calls;
	struct lm_claim claim; /* immutable while there are pieces left */
	uintptr_t window;      /* the same */
};

static struct crew crews[CREWS];

static struct crew *take_crew(void)
{
	for (struct crew *crew = crews; crew < crews + CREWS; crew++) {
		bool taken = false;

		/* Acquire: pairs with the release in leave(). */
		if (atomic_compare_exchange_strong_explicit(
			    &crew->taken, &taken, true, memory_order_acquire,
			    memory_order_relaxed))
			return crew;
	}
	return NULL;
}

static void leave(struct crew *crew)
{
	atomic_store_explicit(&crew->taken, false, memory_order_release);
}

static void show(struct crew *crew)
{
	struct lm_claim *claim = &crew->claim;
	int ret = atomic_load_explicit(&crew->error, memory_order_relaxed);

	lm_step(LM_STEP_FILLED, claim->page);
	if (!ret) {
		/* A fault goes first. */
		lm_turn_wait();
		ret = lm_frame_show(crew->window, claim->start, PROT_NONE);
		lm_turn_done();
		lm_step(LM_STEP_REVEALED, claim->page);
	}
	if (ret < 0) {
		lm_frame_spare(crew->window, claim->quota);
		lm_claim_undo(claim);
		return;
	}
	lm_stats_add(LM_COUNT_pages_ahead, LM_BLOCK_PAGES);
	lm_claim_settle_block(claim);
}

static int read_one(struct crew *crew, size_t at)
{
	const struct lm_claim *claim = &crew->claim;
	uint64_t then = lm_os_now_ns();
	int ret = lm_store_read_ahead(claim->store, (char *)crew->window + at,
				      PIECE, claim->offset + at);

	if (lm_os_now_ns() - then > CALL_NS)
		atomic_store_explicit(&crew->calls, true, memory_order_relaxed);
	lm_step(LM_STEP_READ, claim->start + at);
	return ret;
}

/* Read a piece, if there is one left. The claim is not to be looked at by who has
 * none. */
static bool read_piece(struct crew *crew)
{
	uint32_t piece;
	int ret;

	if (atomic_load_explicit(&crew->next, memory_order_relaxed) >= PIECES)
		return false;
	/* Acquire: pairs with the release in lm_crew_begin(). */
	piece = atomic_fetch_add_explicit(&crew->next, 1, memory_order_acquire);
	if (piece >= PIECES)
		return false;
	if (lm_crew_calls() && lm_readahead_waiting())
		lm_worker_call();
	/* One that cannot be read is enough. */
	if (!atomic_load_explicit(&crew->error, memory_order_relaxed)) {
		ret = read_one(crew, piece * PIECE);
		if (ret < 0)
			atomic_store_explicit(&crew->error, ret,
					      memory_order_relaxed);
	}
	/* Acquire and release: who is last has what all others have read. */
	if (atomic_fetch_sub_explicit(&crew->left, 1, memory_order_acq_rel) ==
	    1) {
		show(crew);
		leave(crew);
	}
	return true;
}

/* The block is claimed, and stays so for as long as it takes. */
static struct crew *claim(uintptr_t block, const struct lm_store *store)
{
	struct crew *crew = take_crew();

	if (!crew || lm_claim_block(&crew->claim, block, store))
		return crew;
	leave(crew);
	return NULL;
}

static void give_up(struct crew *crew)
{
	lm_claim_undo(&crew->claim);
	leave(crew);
}

static bool begin(struct crew *crew)
{
	if (lm_resident_take_frame(crew->claim.quota, &crew->window) < 0) {
		give_up(crew);
		return false;
	}
	lm_step(LM_STEP_CLAIMED, crew->claim.page);
	atomic_store_explicit(&crew->error, 0, memory_order_relaxed);
	atomic_store_explicit(&crew->calls, false, memory_order_relaxed);
	atomic_store_explicit(&crew->left, PIECES, memory_order_relaxed);
	atomic_store_explicit(&crew->next, 0, memory_order_release);
	while (read_piece(crew))
		;
	return true;
}

bool lm_crew_begin(uintptr_t block, const struct lm_store *store)
{
	struct crew *crew = claim(block, store);

	return crew && begin(crew);
}

static void begin_job(struct lm_job *job)
{
	begin((struct crew *)job);
}

bool lm_crew_order(uintptr_t block, const struct lm_store *store)
{
	struct crew *crew = claim(block, store);

	if (!crew)
		return false;
	crew->job.run = begin_job;
	if (lm_worker_run(&crew->job))
		return true;
	give_up(crew);
	return false;
}

static bool wants_help(struct crew *crew)
{
	return atomic_load_explicit(&crew->calls, memory_order_relaxed) &&
	       atomic_load_explicit(&crew->next, memory_order_relaxed) < PIECES;
}

bool lm_crew_calls(void)
{
	for (struct crew *crew = crews; crew < crews + CREWS; crew++)
		if (wants_help(crew))
			return true;
	return false;
}

bool lm_crew_help(void)
{
	for (struct crew *crew = crews; crew < crews + CREWS; crew++)
		if (wants_help(crew) && read_piece(crew))
			return true;
	return false;
}

void lm_crew_forked(void)
{
	for (struct crew *crew = crews; crew < crews + CREWS; crew++) {
		LM_PUT(&crew->calls, false);
		LM_PUT(&crew->taken, false);
	}
}
