/*
 * crowd.h -- eight threads that touch every page of one area, each in an order
 * of its own, and look at every byte.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CROWD_H
#define CROWD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CROWD 8

/* What is mapped, and what the threads do with it. */
struct scene {
	const char *name;
	/* Map so many pages. */
	char *(*map)(size_t pages);
	int zeros;  /* the pages begin as zeros, not as known ones */
	int writes; /* each thread writes a word of its own into each page */
	int shared; /* what was written is in the file, too */
	int store;  /* the area is a store's: its reads are counted */
};

extern const struct scene scenes[];
extern const int scene_count;

/* Start the library with this cluster, map, touch, compare, count; fails the
 * test at the first wrong byte or the second fill of a page. */
void crowd_run(const struct scene *scene, size_t pages, size_t cluster);

#endif
