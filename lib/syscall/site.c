/*
 * site.c -- finding system calls in x86-64 code. See site.h.
 *
 * Most sites need no knowledge of the code around them: a short run of bytes
 * decodes, from a mov of a known call's number to the syscall instruction, as
 * instructions of a few kinds. For others see window.c; what is not understood
 * is not a site.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "site.h"

#if defined(__x86_64__)

#include "../os.h"
#include "aio.h"
#include "clone.h"
#include "table.h"
#include "window.h"

#include <emmintrin.h>
#include <string.h>

/*
 * The length of an instruction that may be copied: moves and sums of registers
 * and memory. It must not depend on where it is, nor use %eax, where the number
 * is to be, nor change %ecx or %esp. 0: any other one.
 */
static size_t simple(const uint8_t *from)
{
	const uint8_t *at = from;
	uint8_t rex = (*at & 0xf0) == 0x40 ? *at++ : 0;
	uint8_t op = *at == 0x0f && (at[1] & 0xf0) == 0x40 ? 0x0f : *at;
	uint8_t mod, reg, rm;
	size_t immediate = 0;
	bool to_rm = true, number = false;

	at += op == 0x0f ? 2 : 1;
	mod = *at >> 6;
	reg = (*at >> 3 & 7) | (rex & 4) << 1;
	rm = (*at & 7) | (rex & 1) << 3;
	if (op >= 0xba && op <= 0xbf && op != 0xbc && !(rex & 8))
		return (size_t)(at - from) + 4; /* mov $n, %reg */
	switch (op) {
	case 0x0f: /* cmov..., mov, lea */
	case 0x8b:
	case 0x8d:
		to_rm = false;
		break;
	case 0x80: /* and, xor, ... with a number */
	case 0x83:
		immediate = 1;
		number = true;
		break;
	case 0x81:
	case 0xc7:
		immediate = 4;
		number = true;
		break;
	case 0x01: /* add, sub, xor, cmp, test, mov */
	case 0x29:
	case 0x31:
	case 0x39:
	case 0x85:
	case 0x89:
		break;
	default:
		return 0;
	}
	if (!number && (reg == 0 || (!to_rm && (reg == 1 || reg == 4))))
		return 0;
	if (rm == 0 || (mod == 3 && to_rm && (rm == 1 || rm == 4)))
		return 0;
	if (mod == 0 && (rm & 7) == 5)
		return 0; /* relative to the code */
	at++;
	if (mod != 3 && (rm & 7) == 4) {
		uint8_t base = (*at & 7) | (rex & 1) << 3;
		uint8_t index = (*at++ >> 3 & 7) | (rex & 2) << 2;

		if (base == 0 || index == 0)
			return 0;
		if (mod == 0 && (base & 7) == 5)
			mod = 2;
	}
	at += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	return (size_t)(at - from) + immediate;
}

bool lm_site_wanted(long nr)
{
	/* What comes back on another stack is not for a function to make. */
	return nr != SYS_clone && nr != SYS_clone3 &&
	       (lm_table_row(nr) || lm_table_shims(nr) || lm_aio_wanted(nr));
}

/* mov $nr, %eax, of five bytes, or mov $nr, %rax, of seven. */
static bool number(const uint8_t *at, size_t len, long *nr)
{
	static const uint8_t rax[3] = { 0x48, 0xc7, 0xc0 };
	uint32_t n;

	if (len == 5 ? *at != 0xb8 : memcmp(at, rax, sizeof(rax)) != 0)
		return false;
	memcpy(&n, at + len - sizeof(n), sizeof(n));
	*nr = n;
	return n <= 4095 && (lm_site_wanted(n) || lm_clone_wanted(n));
}

/* Do simple instructions lead from at to end? */
static bool leads(const uint8_t *at, const uint8_t *end)
{
	size_t len;

	while (at < end) {
		len = simple(at);
		if (!len)
			return false;
		at += len;
	}
	return at == end;
}

/* With `skip` bytes of mov, the nearest. */
static bool find_number(const uint8_t *at, size_t before, size_t skip,
			struct lm_site *site)
{
	for (size_t copy = 0; copy <= LM_SITE_COPY && copy + skip <= before;
	     copy++) {
		*site = (struct lm_site){ .at = at - copy - skip,
					  .skip = skip,
					  .copy = copy,
					  .kind = LM_SITE_NUMBER };
		if (number(site->at, skip, &site->nr) &&
		    leads(site->at + skip, at))
			return true;
	}
	return false;
}

/*
 * Endings that are known, where the number is in %rax. What syscall() ends in,
 * mov n(%rsp), %r9; what all calls do that a thread can be cancelled in since
 * glibc 2.41, where they are one function, mov %r11, 8(%rsp). Go's, which has
 * no unwind table: mov n(%rsp), %rax up to 1.18, then moves from its registers
 * to the kernel's.
 */
static size_t known_ending(const uint8_t *at, size_t before)
{
	static const uint8_t cancelled[5] = { 0x4c, 0x89, 0x5c, 0x24, 0x08 };
	static const uint8_t to_r9[4] = { 0x4c, 0x8b, 0x4c, 0x24 };
	static const uint8_t to_rax[4] = { 0x48, 0x8b, 0x44, 0x24 };
	static const uint8_t go[12] = { 0x49, 0x89, 0xf2, 0x48, 0x89, 0xfa,
					0x48, 0x89, 0xce, 0x48, 0x89, 0xdf };

	if (!memcmp(at - 5, cancelled, sizeof(cancelled)) ||
	    !memcmp(at - 5, to_r9, sizeof(to_r9)) ||
	    !memcmp(at - 5, to_rax, sizeof(to_rax)))
		return 5;
	if (before >= sizeof(go) && !memcmp(at - sizeof(go), go, sizeof(go)))
		return 6;
	return 0;
}

/* The site of the syscall instruction at `at`, with `before` bytes of text in
 * front of it: the nearest. */
static bool find_site(const struct lm_text *text, size_t before,
		      struct lm_site *site)
{
	const uint8_t *at = text->at + before;
	size_t ending;

	if (before < 5)
		return false;
	ending = known_ending(at, before);
	if (ending) {
		*site = (struct lm_site){ .at = at - ending,
					  .copy = ending,
					  .kind = LM_SITE_ANY };
		return true;
	}
	if (find_number(at, before, 5, site) ||
	    find_number(at, before, 7, site))
		return true;
	/* Most of the others have a number without memory. */
	if (at[-5] == 0xb8 && !at[-2] && !at[-1])
		return false;
	return lm_window_find(text, at, site) == 0;
}

/* The two bytes of `syscall` among 16 positions: -1 for each, else 0. */
static __m128i syscalls_16(const uint8_t *at)
{
	__m128i first = _mm_loadu_si128((const __m128i *)at);
	__m128i second = _mm_loadu_si128((const __m128i *)(at + 1));

	return _mm_and_si128(_mm_cmpeq_epi8(first, _mm_set1_epi8(0x0f)),
			     _mm_cmpeq_epi8(second, _mm_set1_epi8(0x05)));
}

/* A bit for each of 64: hardly any, so they are asked for together first. */
static uint64_t syscalls(const uint8_t *at)
{
	__m128i a = syscalls_16(at), b = syscalls_16(at + 16);
	__m128i c = syscalls_16(at + 32), d = syscalls_16(at + 48);
	__m128i any = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));

	if (!_mm_movemask_epi8(any))
		return 0;
	return (uint64_t)(unsigned)_mm_movemask_epi8(a) |
	       (uint64_t)(unsigned)_mm_movemask_epi8(b) << 16 |
	       (uint64_t)(unsigned)_mm_movemask_epi8(c) << 32 |
	       (uint64_t)(unsigned)_mm_movemask_epi8(d) << 48;
}

/* Is it syscall()? mov n(%rsp), %r9 */
static bool is_syscall(const struct lm_site *site)
{
	return site->copy == 5 && site->at[0] == 0x4c && site->at[1] == 0x8b;
}

/* The C library's functions see to theirs. */
static bool is_clone(const struct lm_site *site)
{
	return site->kind == LM_SITE_NUMBER && lm_clone_wanted(site->nr);
}

/* Whose call is it, and what does it run on? Of the C library's calls only
 * those of syscall() are the program's. */
static void mark(const struct lm_text *text, struct lm_site *site)
{
	site->small = text->small;
	if (is_clone(site)) {
		site->kind = LM_SITE_CLONE;
	} else if (site->kind == LM_SITE_NUMBER) {
		site->shims = !text->knows && lm_table_shims(site->nr);
		site->own = text->knows && (site->nr == SYS_rt_sigprocmask ||
					    site->nr == SYS_rt_sigaction);
	} else
		site->shims = !text->knows || is_syscall(site);
}

/* The syscall instruction at [at + before], if it is one that can be hooked. */
static void consider(const struct lm_text *text, size_t before,
		     struct lm_sites *sites)
{
	if (sites->count < LM_SITES - 1 &&
	    find_site(text, before, &sites->site[sites->count]))
		sites->count++;
}

void lm_site_scan(const struct lm_text *text, struct lm_sites *sites)
{
	size_t first = sites->count, i = 5;

	for (; i + 65 <= text->len; i += 64)
		for (uint64_t bits = syscalls(text->at + i); bits;
		     bits &= bits - 1)
			consider(text, i + (size_t)__builtin_ctzl(bits), sites);
	for (; i + 2 <= text->len; i++)
		if (text->at[i] == 0x0f && text->at[i + 1] == 0x05)
			consider(text, i, sites);
	lm_window_check(text, sites, first);
}

void lm_site_mark(const struct lm_text *text, struct lm_sites *sites,
		  size_t first)
{
	size_t left = first;

	for (size_t i = first; i < sites->count; i++) {
		struct lm_site *site = &sites->site[i];

		if (text->knows && is_clone(site))
			continue;
		mark(text, site);
		sites->site[left++] = *site;
	}
	sites->count = left;
}

#endif
