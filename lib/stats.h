/*
 * stats.h -- counters, spread over slots so that threads share no cache line.
 *
 * Async-signal-safe; a relaxed add each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_STATS_H
#define LM_STATS_H

#include "os.h"

/* X(name): each is a member of struct lazymap_stats and a column here. */
#define LM_COUNTERS(X)                                                         \
	X(faults_read)                                                         \
	X(faults_write)                                                        \
	X(faults_upgrade)                                                      \
	X(faults_waited)                                                       \
	X(faults_foreign)                                                      \
	X(faults_failed)                                                       \
	X(pages_filled)                                                        \
	X(bytes_filled)                                                        \
	X(pages_kernel)                                                        \
	X(bytes_bypassed)                                                      \
	X(pages_written)                                                       \
	X(pages_dropped)                                                       \
	X(faults_soft)                                                         \
	X(pages_evicted)                                                       \
	X(pages_swapped_out)                                                   \
	X(pages_swapped_in)                                                    \
	X(pages_same)                                                          \
	X(pages_to_pool)                                                       \
	X(pages_to_file)                                                       \
	X(pages_over_limit)                                                    \
	X(pages_widened)                                                       \
	X(pages_demoted)                                                       \
	X(pages_ahead)                                                         \
	X(pages_ahead_unused)                                                  \
	X(blocks_moved)                                                        \
	X(fault_ns)                                                            \
	X(pages_made_present)                                                  \
	X(pages_made_absent)

enum lm_counter {
#define LM_COUNTER_ENUM(name) LM_COUNT_##name,
	LM_COUNTERS(LM_COUNTER_ENUM)
#undef LM_COUNTER_ENUM
		LM_COUNTER_MAX
};

void lm_stats_add(enum lm_counter counter, uint64_t n);

/* Pages resident now. */
uint64_t lm_stats_resident(void);

/* In a forked child: all counters but those of what is resident begin anew. */
void lm_stats_forked(void);

/* A short table for people, to descriptor fd. */
void lm_stats_print(int fd);

#endif
