/*
 * swap.c -- which of the ways a page goes. See swap.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "swap/swap.h"

#include "bounce.h"
#include "os.h"
#include "stats.h"
#include "swap/file.h"
#include "swap/pool.h"

#include <lz4.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The top two bits of a handle's 36 say what the rest is. */
enum kind { SAME = 1, POOL, FILE_SLOT };
#define KIND_SHIFT 34
#define PAYLOAD(handle) ((handle) & (((uint64_t)1 << KIND_SHIFT) - 1))

/* Compressing a page to more than this gains too little for its time. */
#define WORTH_IT (LM_PAGE * 3 / 4)

static uint64_t handle_of(enum kind kind, uint64_t payload)
{
	return (uint64_t)kind << KIND_SHIFT | payload;
}

static enum kind kind_of(uint64_t handle)
{
	return (enum kind)(handle >> KIND_SHIFT);
}

static uint32_t sum_of(const void *page)
{
	return (uint32_t)XXH3_64bits(page, LM_PAGE);
}

/* One byte, over and over? */
static bool same(const unsigned char *page)
{
	return !memcmp(page, page + 1, LM_PAGE - 1);
}

/* -- Out --------------------------------------------------------------------- */

/* What compressing needs: LZ4's table, and room for the result. */
struct scratch {
	LZ4_stream_t state;
	char out[WORTH_IT];
};

static bool to_pool(const void *page, uintptr_t at, struct scratch *scratch,
		    uint64_t *handle)
{
	uint64_t object;
	int len;

	if (!scratch || lm_pool_full())
		return false;
	len = LZ4_compress_fast_extState(&scratch->state, page, scratch->out,
					 LM_PAGE, WORTH_IT, 1);
	if (len <= 0 || lm_pool_put(scratch->out, (size_t)len, sum_of(page),
				    at >> LM_PAGE_SHIFT, &object) < 0)
		return false;
	*handle = handle_of(POOL, object);
	return true;
}

/* The pages that are still without a handle, to the file, in runs. */
static int to_file(char *pages, size_t n, uint64_t *handles)
{
	uint32_t sums[LM_SWAP_BATCH];
	uint64_t slot;
	size_t run;
	int ret = 0;

	for (size_t i = 0; i < n; i += run) {
		for (run = 0; i + run < n && !handles[i + run]; run++)
			sums[run] = sum_of(pages + (i + run) * LM_PAGE);
		if (!run) {
			run = 1;
			continue;
		}
		ret = lm_swap_file_put(pages + i * LM_PAGE, sums, &run, &slot);
		if (ret < 0)
			break;
		for (size_t k = 0; k < run; k++)
			handles[i + k] = handle_of(FILE_SLOT, slot + k);
	}
	return ret;
}

int lm_swap_out(void *pages, size_t n, uintptr_t at, uint64_t *handles)
{
	const char *page = pages;
	size_t size, left = 0;
	struct scratch *scratch = lm_bounce_take(&size);
	int ret;

	for (size_t i = 0; i < n; i++, page += LM_PAGE, at += LM_PAGE) {
		handles[i] = 0;
		if (same((const unsigned char *)page)) {
			handles[i] = handle_of(SAME, (unsigned char)*page);
			lm_stats_add(LM_COUNT_pages_same, 1);
		} else if (to_pool(page, at, scratch, &handles[i])) {
			lm_stats_add(LM_COUNT_pages_to_pool, 1);
		} else {
			left++;
		}
	}
	if (scratch)
		lm_bounce_give(scratch);
	if (!left)
		return 0;
	ret = to_file(pages, n, handles);
	for (size_t i = 0; i < n; i++)
		lm_stats_add(LM_COUNT_pages_to_file,
			     kind_of(handles[i]) == FILE_SLOT);
	return ret;
}

/* -- In ---------------------------------------------------------------------- */

static int from_pool(uint64_t object, char *page)
{
	const char *data;
	uint32_t sum;
	size_t len = lm_pool_get(object, &data, &sum);

	if (LZ4_decompress_safe(data, page, (int)len, LM_PAGE) !=
		    (int)LM_PAGE ||
	    sum_of(page) != sum)
		return -EBADMSG;
	return 0;
}

/* handles[0..*run) are neighbours in the file. */
static size_t file_run(const uint64_t *handles, size_t n)
{
	size_t run = 1;

	while (run < n && handles[run] == handles[0] + run)
		run++;
	return run;
}

static int from_file(uint64_t slot, size_t n, char *buf)
{
	int ret = lm_swap_file_read(slot, n, buf);

	for (size_t i = 0; !ret && i < n; i++)
		if (sum_of(buf + i * LM_PAGE) != lm_swap_file_sum(slot + i))
			ret = -EBADMSG;
	return ret;
}

int lm_swap_in(const uint64_t *handles, size_t n, void *buf)
{
	char *page = buf;
	size_t run = 1;
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i += run, page += run * LM_PAGE) {
		uint64_t payload = PAYLOAD(handles[i]);

		run = 1;
		switch (kind_of(handles[i])) {
		case SAME:
			memset(page, (int)payload, LM_PAGE);
			break;
		case POOL:
			ret = from_pool(payload, page);
			break;
		case FILE_SLOT:
			run = file_run(handles + i, n - i);
			ret = from_file(payload, run, page);
			break;
		}
	}
	return ret;
}

/* -- From the pool to the file -------------------------------------------------- */

bool lm_swap_crowded(void)
{
	return lm_pool_low() && lm_swap_file_wanted();
}

bool lm_swap_oldest(uint64_t *handle, uintptr_t *at)
{
	uint64_t object, owner;

	if (!lm_pool_oldest(&object, &owner))
		return false;
	*handle = handle_of(POOL, object);
	*at = owner << LM_PAGE_SHIFT;
	return true;
}

bool lm_swap_old(uint64_t handle)
{
	return kind_of(handle) == POOL && lm_pool_old(PAYLOAD(handle));
}

/* A page that turns out to be damaged stays, for its reader to find out: the
 * others close up. */
static size_t collect(const uint64_t *handles, size_t n, char *buffer,
		      size_t *which)
{
	size_t good = 0;

	for (size_t i = 0; i < n; i++)
		if (!from_pool(PAYLOAD(handles[i]), buffer + good * LM_PAGE))
			which[good++] = i;
	return good;
}

int lm_swap_demote(const uint64_t *handles, size_t n, uint64_t *moved)
{
	uint64_t out[LM_SWAP_BATCH] = { 0 };
	size_t size, good, which[LM_SWAP_BATCH];
	char *buffer = lm_bounce_take(&size);
	int ret;

	memset(moved, 0, n * sizeof(*moved));
	if (!buffer)
		return -ENOMEM;
	good = collect(handles, n, buffer, which);
	ret = to_file(buffer, good, out);
	for (size_t i = 0; i < good; i++)
		moved[which[i]] = out[i];
	lm_bounce_give(buffer);
	return ret;
}

/* -- The rest ------------------------------------------------------------------ */

void lm_swap_moved(uint64_t handle, uintptr_t to)
{
	if (kind_of(handle) == POOL)
		lm_pool_own(PAYLOAD(handle), to >> LM_PAGE_SHIFT);
}

void lm_swap_free(uint64_t handle)
{
	if (kind_of(handle) == POOL)
		lm_pool_free(PAYLOAD(handle));
	else if (kind_of(handle) == FILE_SLOT)
		lm_swap_file_free(PAYLOAD(handle));
}

int lm_swap_start(const struct lm_swap_limits *limits)
{
	int ret = lm_swap_file_start(limits->file, limits->encrypt);

	return ret ? ret : lm_pool_start(limits->pool);
}

void lm_swap_open(void)
{
	lm_swap_file_open();
}

void lm_swap_used(uint64_t *pool, uint64_t *file)
{
	*pool = lm_pool_used();
	*file = lm_swap_file_used();
}

void lm_swap_fork(void)
{
	lm_swap_file_fork();
	lm_pool_fork();
}

void lm_swap_fork_parent(void)
{
	lm_pool_fork_end();
	lm_swap_file_fork_parent();
}

void lm_swap_forked(bool surprise)
{
	if (surprise)
		lm_pool_freeze();
	else
		lm_pool_fork_end();
	lm_swap_file_forked();
}
