/*
 * kept.c -- freed allocations that wait for the next of their size, as they are:
 * in place, with what was written to them. A new mapping is a change of areas,
 * faults, and the clearing of each page; malloc(100000), memset and free cost
 * 60 times what they cost with memory that is there already, and programs do
 * that a hundred thousand times. The C library's malloc keeps as much.
 *
 * A ring of slots, each one atomic word: no lock, so that a child of fork finds
 * none held. What another thread of its parent's was about to put there is lost
 * to the child, and still mapped. Calls mmap's family only.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "heap/kept.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE_SHIFT 12
#define PAGES_BITS 20
#define SLOTS 32u

/* First page << PAGES_BITS | pages; 0: nothing. What is taken was given with a
 * release, so all that was written to it comes before. */
static _Atomic uint64_t slots[SLOTS];
/* Where the next one goes: what lies there is the oldest. Atomic; orders nothing. */
static _Atomic unsigned hand;
/* Bytes in the slots, and of those that are on the way. Atomic; orders nothing. */
static _Atomic size_t held;
/* Immutable after the constructor. */
static size_t most;

static size_t bytes_of(uint64_t value)
{
	return (size_t)(value & (((uint64_t)1 << PAGES_BITS) - 1))
	       << PAGE_SHIFT;
}

static void *start_of(uint64_t value)
{
	return (void *)(uintptr_t)(value >> PAGES_BITS << PAGE_SHIFT);
}

static size_t unmap(uint64_t value)
{
	size_t bytes = bytes_of(value);

	if (!value)
		return 0;
	atomic_fetch_sub_explicit(&held, bytes, memory_order_relaxed);
	/* It fails where a hole would be one VM area too many: as free does. */
	munmap(start_of(value), bytes);
	return bytes;
}

void lm_kept_bound(size_t bytes)
{
	size_t room = ((size_t)1 << PAGES_BITS) - 1;

	most = bytes >> PAGE_SHIFT > room ? room << PAGE_SHIFT : bytes;
}

/* The newest that fits, whose pages are most likely in place. */
void *lm_kept_take(size_t *bytes)
{
	unsigned from = atomic_load_explicit(&hand, memory_order_relaxed);
	uint64_t value;
	size_t have;

	if (!atomic_load_explicit(&held, memory_order_relaxed))
		return NULL;
	for (unsigned i = 1; i <= SLOTS; i++) {
		_Atomic uint64_t *slot = &slots[(from - i) % SLOTS];

		value = atomic_load_explicit(slot, memory_order_relaxed);
		have = bytes_of(value);
		if (have < *bytes || have - *bytes > *bytes / 8)
			continue;
		if (!atomic_compare_exchange_strong_explicit(
			    slot, &value, 0, memory_order_acquire,
			    memory_order_relaxed))
			continue;
		atomic_fetch_sub_explicit(&held, have, memory_order_relaxed);
		*bytes = have;
		return start_of(value);
	}
	return NULL;
}

static void put(unsigned at, uint64_t value)
{
	unmap(atomic_exchange_explicit(&slots[at % SLOTS], value,
				       memory_order_acq_rel));
}

void lm_kept_give(void *p, size_t bytes)
{
	unsigned at;

	if (bytes > most) {
		munmap(p, bytes);
		return;
	}
	atomic_fetch_add_explicit(&held, bytes, memory_order_relaxed);
	at = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed);
	put(at, (uint64_t)(uintptr_t)p >> PAGE_SHIFT << PAGES_BITS |
			bytes >> PAGE_SHIFT);
	for (unsigned i = 1; i < SLOTS; i++) {
		if (atomic_load_explicit(&held, memory_order_relaxed) <= most)
			break;
		put(at + i, 0);
	}
}

size_t lm_kept_drop(void)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		bytes += unmap(atomic_exchange_explicit(&slots[i], 0,
							memory_order_acquire));
	return bytes;
}
