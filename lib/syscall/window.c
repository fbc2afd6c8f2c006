/*
 * window.c -- sites that take the place of several instructions. See window.h.
 *
 * What one must know of the code: where instructions begin, which takes
 * decoding from a function's first one on (the table for unwinding says where
 * functions are); and that nobody comes to the middle. A function that jumps by
 * a table is left alone, for one would have to find the table.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "window.h"

#if defined(__x86_64__)

#include "../os.h"
#include "decode.h"

#include <emmintrin.h>
#include <string.h>

#define JUMP 5
#define KEPT 8 /* instructions, at most, that are looked at */
/* No function is longer. What the table gives to one may be: text of an object
 * that has no entries for most of it (mold's: 12 MiB), in which the bytes of a
 * call are found by chance every 64 KiB, and decoded from its start each time. */
#define FUNCTION_MAX ((ptrdiff_t)256 << 10)

/* .eh_frame_hdr: where functions begin, and their entries, sorted. */
struct frames {
	uint8_t version, frame, number, table;
	int32_t at;
	uint32_t count;
	struct {
		int32_t function, entry; /* relative to the whole */
	} row[];
};

/* *before: the function before it, or itself. */
static int function_of(const struct lm_text *text, const uint8_t *call,
		       const uint8_t **before, const uint8_t **start,
		       const uint8_t **end)
{
	const struct frames *frames = text->frames;
	size_t low = 0, high, middle;
	intptr_t where;

	/* As all linkers write it. */
	if (!frames || frames->version != 1 || frames->frame != 0x1b ||
	    frames->number != 0x03 || frames->table != 0x3b)
		return -1;
	where = call - (const uint8_t *)frames;
	high = frames->count;
	if (high > text->frames_len / sizeof(frames->row[0]) || !high ||
	    frames->row[0].function > where)
		return -1;
	while (low + 1 < high) {
		middle = (low + high) / 2;
		if (frames->row[middle].function <= where)
			low = middle;
		else
			high = middle;
	}
	*start = (const uint8_t *)frames + frames->row[low].function;
	*before = (const uint8_t *)frames +
		  frames->row[low ? low - 1 : 0].function;
	*end = text->at + text->len;
	if (high < frames->count &&
	    (const uint8_t *)frames + frames->row[high].function < *end)
		*end = (const uint8_t *)frames + frames->row[high].function;
	return *before >= text->at && *end > call &&
			       *end - *before <= FUNCTION_MAX
		       ? 0
		       : -1;
}

/* mov $nr, %eax or %rax */
static long number_at(const uint8_t *at)
{
	static const uint8_t rax[3] = { 0x48, 0xc7, 0xc0 };
	int32_t nr;

	if (*at == 0xb8)
		at += 1;
	else if (!memcmp(at, rax, sizeof(rax)))
		at += sizeof(rax);
	else
		return -1;
	memcpy(&nr, at, sizeof(nr));
	return nr;
}

/* Does the function lead to the middle of it? */
static bool led_into(const uint8_t *at, const uint8_t *end,
		     const uint8_t *window)
{
	struct lm_insn insn;

	for (; at < end; at += insn.len) {
		if (lm_decode(at, end, &insn) < 0)
			return true;
		if (insn.kind == LM_INSN_INDIRECT ||
		    (insn.kind == LM_INSN_BRANCH && insn.target > window &&
		     insn.target < window + JUMP))
			return true;
	}
	return false;
}

int lm_window_find(const struct lm_text *text, const uint8_t *call,
		   struct lm_site *site)
{
	const uint8_t *before, *start, *end, *at, *kept[KEPT];
	const uint8_t *window = NULL;
	struct lm_insn insn = { 0 };
	size_t n = 0;
	long nr;

	if (function_of(text, call, &before, &start, &end) < 0)
		return -1;
	/* The entry of a signal's return begins a byte early, for unwinders:
	 * the function before it tells. */
	for (at = before; at < call; at += insn.len) {
		if ((at > start && at - insn.len < start) ||
		    lm_decode(at, end, &insn) < 0)
			return -1;
		if (at == start)
			n = 0;
		kept[n++ % KEPT] = at;
		if (insn.kind != LM_INSN_PLAIN)
			n = 0;
	}
	if (at != call)
		return -1;
	for (size_t i = 1; i <= lm_min(n, KEPT); i++) {
		at = kept[(n - i) % KEPT];
		nr = number_at(at);
		if (nr >= 0 && !lm_site_wanted(nr))
			return -1;
		if (!window && call - at >= JUMP)
			window = at;
	}
	if (!window || lm_decode(window, end, &insn) < 0)
		return -1;
	*site = (struct lm_site){ .at = window,
				  .copy = (size_t)(call - window),
				  .kind = LM_SITE_ANY,
				  .inner = insn.len < JUMP };
	return site->inner && led_into(start, end, window) ? -1 : 0;
}

/* -- From afar ------------------------------------------------------------------ */

/* What may be the opcode of a jump or call: e9, e8, or 0f 80 - 0f 8f, with a
 * distance below 16 MiB behind. A bit for each of 16 positions where one
 * ends. */
static uint64_t jumps_16(const uint8_t *at)
{
	__m128i opcode = _mm_loadu_si128((const __m128i *)at);
	__m128i before = _mm_loadu_si128((const __m128i *)(at - 1));
	__m128i high = _mm_loadu_si128((const __m128i *)(at + 4));
	__m128i near = _mm_cmpeq_epi8(_mm_or_si128(opcode, _mm_set1_epi8(1)),
				      _mm_set1_epi8((char)0xe9));
	__m128i when = _mm_cmpeq_epi8(before, _mm_set1_epi8(0x0f));

	opcode = _mm_and_si128(opcode, _mm_set1_epi8((char)0xf0));
	opcode = _mm_cmpeq_epi8(opcode, _mm_set1_epi8((char)0x80));
	near = _mm_or_si128(near, _mm_and_si128(when, opcode));
	/* 0 or -1 */
	high = _mm_add_epi8(high, _mm_set1_epi8(1));
	high = _mm_cmpeq_epi8(_mm_min_epu8(high, _mm_set1_epi8(1)), high);
	return (unsigned)_mm_movemask_epi8(_mm_and_si128(near, high));
}

static uint64_t jumps(const uint8_t *at)
{
	return jumps_16(at) | jumps_16(at + 16) << 16 |
	       jumps_16(at + 32) << 32 | jumps_16(at + 48) << 48;
}

/* Where the middles of the sites are, by the last bits of their addresses: most
 * targets are none of them. */
#define FILTER ((size_t)1 << 16)

struct filter {
	uint64_t bits[FILTER / 64];
};

static uint64_t *filter_word(struct filter *filter, uintptr_t at, uint64_t *bit)
{
	*bit = (uint64_t)1 << at % 64;
	return &filter->bits[at % FILTER / 64];
}

static bool make_filter(const struct lm_sites *sites, size_t first,
			struct filter *filter)
{
	bool any = false;
	uint64_t bit, *word;

	for (size_t i = first; i < sites->count; i++)
		for (uintptr_t k = 1; sites->site[i].inner && k < JUMP; k++) {
			word = filter_word(
				filter, (uintptr_t)sites->site[i].at + k, &bit);
			*word |= bit;
			any = true;
		}
	return any;
}

static struct lm_site *site_around(struct lm_sites *sites, size_t first,
				   const uint8_t *target)
{
	for (size_t i = first; i < sites->count; i++)
		if (sites->site[i].inner && target > sites->site[i].at &&
		    target < sites->site[i].at + JUMP)
			return &sites->site[i];
	return NULL;
}

static void drop(struct lm_sites *sites, size_t first)
{
	size_t left = first;

	for (size_t i = first; i < sites->count; i++)
		if (sites->site[i].copy)
			sites->site[left++] = sites->site[i];
	sites->count = left;
}

void lm_window_check(const struct lm_text *text, struct lm_sites *sites,
		     size_t first)
{
	struct filter filter = { { 0 } };
	bool dropped = false;
	struct lm_site *site;
	const uint8_t *target;
	uint64_t bit, *word;
	int32_t far;

	if (!make_filter(sites, first, &filter))
		return;
	for (size_t i = 1; i + 68 <= text->len; i += 64)
		for (uint64_t bits = jumps(text->at + i); bits;
		     bits &= bits - 1) {
			const uint8_t *at =
				text->at + i + __builtin_ctzl(bits) + 1;

			memcpy(&far, at, sizeof(far));
			target = at + sizeof(far) + far;
			word = filter_word(&filter, (uintptr_t)target, &bit);
			if (!(*word & bit))
				continue;
			site = site_around(sites, first, target);
			if (site) {
				site->copy = 0;
				dropped = true;
			}
		}
	if (dropped)
		drop(sites, first);
}

#endif
