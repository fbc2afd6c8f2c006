/*
 * blocks.h -- streams over a watched store (watched.h) of so many blocks that a limit
 * has room for less than half of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "program.h"
#include "watched.h"

#define BLOCK ((size_t)512)
#define BLOCKS ((size_t)36)
#define PAGES (BLOCKS * BLOCK)
/* The least under which a block comes at once. */
#define LIMIT ((size_t)32 << 20)
#define LIMIT_PAGES (LIMIT / PAGE)

/* Words that were not the store's; and how often more was counted than may be. */
extern _Atomic size_t blocks_wrong, blocks_over;

char *blocks_page(size_t page);
/* A word of it that no other test's content is in. */
uint64_t *blocks_own_word(size_t page);

/* Touch it, and compare: of most pages only some words. */
void blocks_look(size_t page);
/* The i-th that a stream comes to. */
size_t blocks_at(size_t i, bool down);
void blocks_scan(size_t from, size_t to, bool down);
/* All of them: 0, or 1 if any word was wrong. For children. */
int blocks_scan_all(void);
void blocks_count_over(void);

/* Half of them get LIMIT of their own, beside the process's of twice that (process)
 * or none: neither is ever exceeded, and nothing counts when they are unmapped. Where
 * no thread moves frames while they are counted (still), the kernel agrees. */
void blocks_hold_own_limit(bool process, bool still);

#endif
