/*
 * guarded.h -- areas of every kind that has markers, whose blocks are opened by touches
 * of isolated pages, and a note of what each of their pages is to hold.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GUARDED_H
#define GUARDED_H

#include "known.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guarded_kind {
	GUARDED_ANONYMOUS,
	GUARDED_FILE_READ,  /* private, PROT_READ */
	GUARDED_FILE_WRITE, /* private */
	GUARDED_FILE_SHARED,
	GUARDED_ANONYMOUS_SHARED,
	GUARDED_STORE, /* private; the store has a file's known pages */
	GUARDED_KINDS
};

/* Loop tests: every kind, with guard regions and without. */
#define GUARDED_ALL (2 * GUARDED_KINDS)

#define GUARDED_PAGES 4096 /* 8 blocks */

struct guarded {
	enum guarded_kind kind;
	bool on; /* pages are hidden by guard regions */
	int fd;  /* the file's; -1 */
	int prot;
	char *at;
	size_t pages;
	bool *zero;     /* of each page: zeros, not the file's bytes */
	uint64_t *mark; /* what was written to it, or 0 */
};

/* The library starts with or without guard regions, by i's lowest bit; the rest
 * of i is the kind. Clusters are single pages. */
void guarded_start(struct guarded *area, int i);
/* And so many pages are mapped; a file has known ones. */
void guarded_begin(struct guarded *area, int i, size_t pages);

/* Map these pages of what the area is of at `at`, with more flags; the address. */
char *guarded_map(const struct guarded *area, char *at, size_t from, size_t to,
		  int flags);

bool guarded_file(const struct guarded *area);
bool guarded_store(const struct guarded *area);
bool guarded_writable(const struct guarded *area);
bool guarded_shared(const struct guarded *area);

/* The page hidden by a marker? So lazymap says. */
bool guarded_hidden(const char *page);

/* Wrong words of a page, which is touched; and of each, in random order. */
size_t guarded_wrong(const struct guarded *area, size_t page);
size_t guarded_wrong_all(const struct guarded *area);
/* Write to a page (a file's read-only one: read it), which must be right before
 * and after. */
void guarded_write(struct guarded *area, size_t page);

/* Touch each `step`-th page, in random order, every second one by a write; and
 * fail the test if blocks are not opened, or are though they should not be. */
void guarded_open(struct guarded *area, size_t step);

/* A touch of each of the pages [from, to) raises this signal, or none (0). */
void guarded_expect(const struct guarded *area, size_t from, size_t to,
		    bool write, int sig);

/* Every byte is right, and so is the file. */
void guarded_check(const struct guarded *area);
/* Of the pages [from, to) these many have a frame. */
size_t guarded_frames(const struct guarded *area, size_t from, size_t to);

/* The pages [from, to) are zeros, or the file's, again: after a drop. */
void guarded_dropped(struct guarded *area, size_t from, size_t to, bool zero);

/* 0 .. n-1 in random order; valid until the next call. */
const uint32_t *guarded_order(size_t n);

#endif
