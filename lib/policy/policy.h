/*
 * policy.h -- which frame goes next.
 *
 * A pager sees faults, not hits: a frame that can be touched tells nothing. So
 * a policy learns of use by having a frame hidden (its data stays, the next
 * touch is a cheap soft fault), and its answers are "take this one away" or
 * "hide this one". Policies keep no memory of their own and call nothing; they
 * order the frames of a struct lm_frames. Which lock guards it is the caller's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_POLICY_POLICY_H
#define LM_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cluster of which some pages are in place. */
struct lm_frame {
	uintptr_t start;     /* 0: this entry is free */
	uint32_t next, prev; /* in its list, newer and older; 0: none */
	uint32_t chain;      /* others with the same hash; free entries */
	uint16_t pages;      /* the cluster's size */
	uint8_t list;        /* enum lm_frame_list */
	uint8_t touched;     /* soft faults, and pages that came later; <= 3 */
	bool hidden;         /* since the last touch that was seen */
};

enum lm_frame_list {
	LM_LIST_COLD,   /* advised: goes before all others */
	LM_LIST_NEW,    /* the one queue of simple policies */
	LM_LIST_TRIAL,  /* hidden, to see whether it is touched */
	LM_LIST_MAIN,   /* known to be used again */
	LM_LIST_HIDDEN, /* of main, hidden */
	LM_LIST_STAYED, /* could not go: pinned, locked, busy; no policy's */
	LM_LISTS
};

struct lm_list {
	uint32_t newest, oldest;
	uint32_t count;
};

struct lm_frames {
	struct lm_frame *frame; /* [0] is not used */
	uint32_t capacity, free, cut;
	uint32_t *hash; /* heads of chains */
	uint32_t hash_mask;
	struct lm_list list[LM_LISTS];
	uint32_t count;       /* frames in all lists */
	uint32_t hand, hides; /* sieve's */
	uint32_t patience;    /* victims until one that stayed is asked again */
	/* Recently evicted: a fingerprint a place, newest overwrites. */
	uint32_t *ghost;
	uint32_t ghost_mask;
};

/* What is to be done with the frame that a policy names. */
enum lm_policy_verdict { LM_POLICY_EVICT, LM_POLICY_HIDE };

struct lm_policy {
	const char *name;
	/* The frame is new; `again`: it was evicted not long ago. */
	void (*came)(struct lm_frames *frames, uint32_t id, bool again);
	/* A soft fault, or another page of it came in. `hidden` tells which,
	 * and is cleared by the caller afterwards. */
	void (*touched)(struct lm_frames *frames, uint32_t id);
	/* The frame to deal with, 0 when there is none. It stays in its list
	 * for EVICT (the caller removes it) and is moved as the policy likes
	 * for HIDE (the caller sets `hidden`). */
	uint32_t (*next)(struct lm_frames *frames,
			 enum lm_policy_verdict *verdict);
};

extern const struct lm_policy lm_policy_fifo, lm_policy_clock, lm_policy_sieve,
	lm_policy_s3fifo;

/* By name; NULL: none has it. "auto": the default. */
const struct lm_policy *lm_policy_by_name(const char *name);
const struct lm_policy *lm_policy_at(unsigned i);

/* -- The frames, whatever the policy ------------------------------------------ */

/* Bytes of memory for `capacity` frames, and laying it out (zeroed). */
size_t lm_frames_size(uint32_t capacity);
void lm_frames_init(struct lm_frames *frames, void *memory, uint32_t capacity);

uint32_t lm_frames_find(const struct lm_frames *frames, uintptr_t start);
/* A new frame, in no list: 0 when there is no entry left. */
uint32_t lm_frames_add(struct lm_frames *frames, uintptr_t start, size_t pages);
/* Out of its list and the table. `ghost`: remember that it was here. */
void lm_frames_remove(struct lm_frames *frames, uint32_t id, bool ghost);
/* Was it evicted not long ago? */
bool lm_frames_ghost(const struct lm_frames *frames, uintptr_t start);

/* To the newest or oldest end of a list, out of the one it is in. */
void lm_frames_move(struct lm_frames *frames, uint32_t id,
		    enum lm_frame_list list);

/* One step of a policy over frames, as the pager takes it. */
void lm_frames_came(struct lm_frames *frames, const struct lm_policy *policy,
		    uintptr_t start, size_t pages, bool cold);
void lm_frames_touched(struct lm_frames *frames, const struct lm_policy *policy,
		       uint32_t id);
/* A victim, or some of it, could not go: it keeps no others from going, and is
 * asked again now and then, as long as it stays, and when there is no other. */
void lm_frames_stayed(struct lm_frames *frames, uintptr_t start, size_t pages);
/* Deal with cold frames first. The frame is removed when it is to be evicted,
 * marked hidden otherwise. False: nothing left. */
struct lm_victim {
	uintptr_t start;
	size_t pages;
	size_t cluster; /* pages; of each frame, where it is several */
	bool hide;
	enum lm_frame_list list; /* where it stands, or stood */
	bool hidden;             /* it was */
	uintptr_t neighbour;     /* what would probably come next; 0 */
};
bool lm_frames_next(struct lm_frames *frames, const struct lm_policy *policy,
		    struct lm_victim *victim);
/* All frames in [start, end), the victim's among them, are to be dealt with like
 * it, if no more is known of it than of them. */
void lm_frames_join(struct lm_frames *frames, struct lm_victim *victim,
		    uintptr_t start, uintptr_t end);

#endif
