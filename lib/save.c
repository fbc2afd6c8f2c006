/*
 * save.c -- see save.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "save.h"

#include "bounce.h"
#include "cut.h"
#include "fault.h"
#include "place/place.h"
#include "stats.h"
#include "swap/swap.h"

/* Write n pages to the store that they are shared through. */
static int save_to_store(const struct lm_prey *prey, uintptr_t at, char *buffer,
			 size_t n)
{
	int ret = lm_store_write_elsewhere(prey->store, buffer,
					   n << LM_PAGE_SHIFT,
					   prey->offset + (at - prey->start));

	if (ret < 0)
		lm_error_report(LAZYMAP_ERROR_WRITE, -ret, at,
				"a dirty page could not be written to its "
				"store; it stays in memory");
	else
		lm_stats_add(LM_COUNT_pages_written, n);
	return ret;
}

static int save_to_swap(struct lm_prey *prey, uintptr_t at, char *buffer,
			size_t n)
{
	uint64_t handles[LM_SWAP_BATCH];
	int ret = lm_swap_out(buffer, n, at, handles);
	size_t out = 0;

	if (prey->store == &lm_store_file)
		lm_cut_swapped();
	for (size_t i = 0; i < n; i++, at += LM_PAGE) {
		if (!handles[i]) {
			lm_prey_keep(prey, at);
			continue;
		}
		/* Zeros over nothing are nothing. */
		if (prey->zero && handles[i] == LM_SWAP_ZEROS)
			handles[i] = 0;
		lm_prey_set_swap(prey, at, handles[i]);
		out++;
	}
	lm_stats_add(LM_COUNT_pages_swapped_out, out);
	return ret;
}

static int read_out(const struct lm_prey *prey, uintptr_t at, char *buffer,
		    size_t len)
{
	if (!lm_store_direct(prey->store))
		return lm_place->read(buffer, at, len);
	for (uintptr_t page = at; page < at + len; page += LM_PAGE) {
		if (!lm_prey_is(prey, &prey->frozen, page))
			return lm_place_direct_read(buffer, at, len,
						    !prey->zero);
	}
	lm_os_copy(buffer, (const void *)at, len);
	return 0;
}

static int save_run(struct lm_prey *prey, uintptr_t at, uintptr_t end,
		    char *buffer)
{
	int first = 0;

	while (at < end) {
		size_t n = lm_min((end - at) >> LM_PAGE_SHIFT, LM_SWAP_BATCH);
		int ret = read_out(prey, at, buffer, n << LM_PAGE_SHIFT);

		if (!ret && prey->shared)
			ret = save_to_store(prey, at, buffer, n);
		else if (!ret)
			ret = save_to_swap(prey, at, buffer, n);
		if (ret < 0 && !first)
			first = ret;
		/* Swap keeps by the page itself. */
		for (size_t i = 0; ret < 0 && i < n; i++)
			if (!lm_prey_is(prey, &prey->swapped, at + i * LM_PAGE))
				lm_prey_keep(prey, at + i * LM_PAGE);
		at += n << LM_PAGE_SHIFT;
	}
	return first;
}

int lm_save(struct lm_prey *prey)
{
	struct lm_set set = lm_prey_to_save(prey);
	uintptr_t end;
	size_t size;
	char *buffer = NULL;
	int first = 0, ret;

	if (prey->shared && lm_store_direct(prey->store))
		return 0; /* the kernel has it all */
	for (uintptr_t at = prey->start; lm_prey_run(prey, &set, &at, &end);
	     at = end) {
		if (!buffer)
			buffer = lm_bounce_take(&size);
		ret = buffer ? save_run(prey, at, end, buffer) : -ENOMEM;
		for (uintptr_t page = at; !buffer && page < end;
		     page += LM_PAGE)
			lm_prey_keep(prey, page);
		if (ret < 0 && !first)
			first = ret;
	}
	if (buffer)
		lm_bounce_give(buffer);
	return first;
}
