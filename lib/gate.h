/*
 * gate.h -- who may look at areas and claim pages, and who may change areas.
 *
 * Faults pass the gate as readers: a counter of their own (one of many slots,
 * chosen by stack address, so threads share no cache line), held only while an
 * area is looked up and pages are claimed; never while a page is filled. Who
 * changes areas takes the map lock (one at a time, all signals blocked) and
 * then shuts the gate: readers are drained and new ones wait.
 *
 * Lock order: map lock, gate, meta lock. A reader takes only the meta lock.
 * The thread that has shut the gate must not touch lazy memory, and must not
 * wait for a fill but by lm_gate_drain().
 *
 * Filling: a claim (BUSY page) outlives the reader's section; it is counted so
 * that fork can wait until no page is between two states.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_GATE_H
#define LM_GATE_H

#include "os.h"
#include "own.h"
#include "stats.h"
#include "stream.h"
#include "stride.h"

#define LM_SLOTS 64

struct lm_slot {
	_Alignas(128) _Atomic uint32_t readers;
	_Atomic uint32_t filling;
	/* The last fault that changed nothing, and how often in a row. */
	_Atomic uintptr_t idle_addr;
	_Atomic uint32_t idle;
	_Atomic uint32_t shown; /* faults, for widen.c */
	struct lm_streams streams;
	struct lm_strides strides;
	_Atomic uint64_t counter[LM_COUNTER_MAX];
};

extern struct lm_slot lm_slots[LM_SLOTS];

/* This thread's slot; any slot is right, another thread's is only slower. */
static inline struct lm_slot *lm_slot(void)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

	/* Stacks are at least some pages apart: mix the bits above that. */
	sp = (sp >> 14) * (uintptr_t)0x9E3779B97F4A7C15u;
	return &lm_slots[sp >> (8 * sizeof(sp) - 6)];
}

/* Enter and leave as a reader; leave with what enter returned. Signals are
 * blocked (by the handler or by the caller) in between. */
struct lm_slot *lm_gate_enter(void);
void lm_gate_leave(struct lm_slot *slot);

/* A claim was made / was settled. */
void lm_gate_filling(struct lm_slot *slot);
void lm_gate_filled(struct lm_slot *slot);

/* How often it was taken: while this is the same, no area and no page of one
 * was given up. Atomic. */
extern _Atomic uint64_t lm_map_changes;

/* The map lock: blocks all signals and returns the mask to give back. */
uint64_t lm_map_lock(void);
void lm_map_unlock(uint64_t mask);

/* With the map lock: shut the gate, and open it. */
void lm_gate_shut(void);
void lm_gate_open(void);

/*
 * With the map lock: shut the gate and wait until no page is being filled. A
 * store may touch other lazy memory, and the fill that it is part of ends only
 * when it got that: such nested touches pass.
 */
void lm_gate_drain(void);

/* How many operations of stores this thread is in: by LM_OWN(). Initial-exec: any
 * other model may call malloc, in the handler. */
extern __thread unsigned lm_gate_nested
	__attribute__((tls_model("initial-exec")));

/* In a forked child: nobody else is here. */
void lm_gate_forked(void);

#endif
