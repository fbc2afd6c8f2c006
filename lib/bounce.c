/*
 * bounce.c -- buffers for filling. See bounce.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bounce.h"

#include "meta.h"
#include "os.h"

#define KEPT 16

/* A kept buffer is taken out of its place by exchange, and put back the same
 * way; each is owned by one thread in between. */
static _Atomic(void *) kept[KEPT];

void *lm_bounce_take(size_t *size)
{
	*size = LM_BOUNCE_SIZE;
	for (int i = 0; i < KEPT; i++) {
		void *buffer;

		if (!atomic_load_explicit(&kept[i], memory_order_relaxed))
			continue;
		buffer = atomic_exchange_explicit(&kept[i], NULL,
						  memory_order_acquire);
		if (buffer)
			return buffer;
	}
	return lm_meta_run(LM_BOUNCE_SIZE);
}

void lm_bounce_give(void *buffer)
{
	for (int i = 0; i < KEPT; i++) {
		void *none = NULL;

		if (atomic_compare_exchange_strong_explicit(
			    &kept[i], &none, buffer, memory_order_release,
			    memory_order_relaxed))
			return;
	}
	lm_meta_free_run(buffer, LM_BOUNCE_SIZE);
}
