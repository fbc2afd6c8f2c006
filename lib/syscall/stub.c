/*
 * stub.c -- making stubs, and the jumps to them. See stub.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "stub.h"

#include "../os.h"
#include "../os_linux.h"
#include "aio.h"
#include "clone.h"
#include "hook.h"
#include "made.h"
#include "table.h"

#if LM_HOOKS

#include <string.h>

#define JUMP 0xe9
/* A jump reaches 2 GiB; the text of no object is nearly as large. */
#define REACH ((uintptr_t)1 << 30)
#define STEP ((uintptr_t)1 << 20)

/* Executable memory near an object: this, then a stub for each site. */
struct block {
	uintptr_t enter[LM_SITE_KINDS];
};

static const struct block block_start = { {
	[LM_SITE_NUMBER] = (uintptr_t)lm_made_enter,
	[LM_SITE_ANY] = (uintptr_t)lm_made_enter_any,
	[LM_SITE_CLONE] = (uintptr_t)lm_clone_enter,
	[LM_SITE_READ] = (uintptr_t)lm_made_enter_read,
	[LM_SITE_LOADED] = (uintptr_t)lm_hook_enter_loaded,
} };

/* The assembly of hook.c knows the offsets. */
struct stub {
	uint8_t code[32]; /* copies; lea stub(%rip), %r11; jmp *enter(%rip) */
	uintptr_t back;   /* 32: the syscall */
	int32_t nr;       /* 40: at an LM_SITE_NUMBER or _CLONE */
	int32_t flags;    /* 44: LM_STUB_... */
};

_Static_assert(sizeof(struct stub) == 48, "known to the assembly");

/* Below the object: above the program lies the heap, which grows. */
static uintptr_t near(uintptr_t below, size_t len)
{
	for (uintptr_t down = STEP; down < REACH && down + len < below;
	     down += STEP) {
		uintptr_t at = lm_page_down(below - down - len);
		uintptr_t got = lm_os_mmap(at, len, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS |
						   MAP_FIXED_NOREPLACE,
					   -1, 0);

		if (got == at)
			return got;
		if (!lm_os_failed(got)) /* before 4.17 */
			lm_os_munmap(got, len);
		else if (got != (uintptr_t)-EEXIST)
			return got;
	}
	return (uintptr_t)-ENOMEM;
}

static uint8_t *put(uint8_t *at, const void *code, size_t len)
{
	memcpy(at, code, len);
	return at + len;
}

/* An instruction that ends in the distance to `target`. */
static uint8_t *put_relative(uint8_t *at, const void *code, size_t len,
			     const void *target)
{
	int32_t distance =
		(int32_t)((intptr_t)target - (intptr_t)(at + len + 4));

	return put(put(at, code, len), &distance, sizeof(distance));
}

static int32_t flags_of(const struct lm_site *site)
{
	int32_t flags = 0;

	if (site->shims)
		flags |= LM_STUB_SHIMS;
	if (site->small)
		flags |= LM_STUB_SMALL;
	if (site->kind != LM_SITE_NUMBER)
		return flags;
	if (site->shims || site->nr == SYS_execve || site->nr == SYS_execveat)
		flags |= LM_STUB_ALWAYS;
	if (site->own)
		flags |= LM_STUB_ALWAYS | LM_STUB_OWN;
	if (lm_table_nested(site->nr) || lm_aio_wanted(site->nr))
		flags |= LM_STUB_NESTED;
	return flags;
}

static void make_stub(struct block *block, struct stub *stub,
		      const struct lm_site *site)
{
	static const uint8_t lea[3] = { 0x4c, 0x8d, 0x1d };
	static const uint8_t jump[2] = { 0xff, 0x25 };
	uint8_t *at = stub->code;
	int32_t distance;

	memset(stub->code, 0xcc, sizeof(stub->code));
	if (site->kind == LM_SITE_ANY)
		at = put(at, site->at, site->copy);
	else if (site->kind == LM_SITE_NUMBER || site->kind == LM_SITE_CLONE)
		at = put(at, site->at + site->skip, site->copy);
	at = put_relative(at, lea, sizeof(lea), stub);
	at = put_relative(at, jump, sizeof(jump), &block->enter[site->kind]);
	if (site->kind == LM_SITE_READ) {
		/* cmpb $0, ... which is five bytes, and a zero. */
		memcpy(&distance, site->at + 2, sizeof(distance));
		distance += (int32_t)((intptr_t)site->at - (intptr_t)at);
		put(put(put(at, site->at, 2), &distance, 4), "", 1);
		put_relative(at + 7, jump, sizeof(jump), &stub->back);
	}
	stub->back = (uintptr_t)site->at + site->skip + site->copy;
	stub->nr = (int32_t)site->nr;
	stub->flags = flags_of(site);
}

static int32_t jump_to(const uint8_t *at, const struct stub *stub)
{
	return (int32_t)((intptr_t)stub->code - (intptr_t)(at + 5));
}

/* -- Writing the jumps, where the text may be made writable ------------------------ */

/* Fewer do not repay the two calls that it takes. */
#define MANY 16

/* Are all of them in that text? Nothing else is made executable, or read-only. */
static bool holds_all(const struct lm_text *text, const struct lm_sites *sites)
{
	for (size_t i = 0; text->len >= 5 && i < sites->count; i++)
		if ((size_t)(sites->site[i].at - text->at) > text->len - 5)
			return false;
	return text->len >= 5;
}

/* Copied by one call for those that lie side by side, not by a fault each. Where the
 * kernel does not know it (before 5.14) the writes do that. */
static void copy_pages(const struct lm_sites *sites)
{
	uintptr_t start = 0, end = 0;

	for (size_t i = 0; i < sites->count; i++) {
		uintptr_t at = lm_page_down((uintptr_t)sites->site[i].at);
		uintptr_t to = lm_page_up((uintptr_t)sites->site[i].at + 5);

		if (at < start || at > end) {
			if (start)
				lm_os_madvise(start, end - start,
					      MADV_POPULATE_WRITE);
			start = at;
			end = at;
		}
		end = lm_max(end, to);
	}
	lm_os_madvise(start, end - start, MADV_POPULATE_WRITE);
}

/* It stays executable throughout, for this very process runs in it; and where that
 * is forbidden with being writable, nothing has happened. 0 or -errno. */
static int write_in_place(const struct lm_text *text,
			  const struct lm_sites *sites,
			  const struct stub *stubs)
{
	uintptr_t at;
	size_t len;
	int ret;

	if (!text || sites->count < MANY || !holds_all(text, sites))
		return -EINVAL;
	at = lm_page_down((uintptr_t)text->at);
	len = lm_page_up((uintptr_t)text->at + text->len) - at;
	ret = lm_os_mprotect(at, len, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (ret < 0)
		return ret;
	copy_pages(sites);
	for (size_t i = 0; i < sites->count; i++) {
		uint8_t *jump = (uint8_t *)(uintptr_t)sites->site[i].at;
		int32_t to = jump_to(jump, &stubs[i]);

		jump[0] = JUMP;
		memcpy(&jump[1], &to, sizeof(to));
	}
	return lm_os_mprotect(at, len, PROT_READ | PROT_EXEC);
}

/* -- And where it may not ------------------------------------------------------ */

/* What is written in one go: some sites, and the text between them. */
struct writing {
	const uint8_t *start;
	size_t len, sites;
	int memory; /* descriptor of /proc/self/mem */
	unsigned done;
	int error;
	uint8_t text[LM_PAGE];
};

/* The kernel writes: the text never is writable. */
static void write_out(struct writing *writing)
{
	long ret;

	if (!writing->len)
		return;
	ret = lm_sys(SYS_pwrite64, writing->memory, writing->text, writing->len,
		     writing->start);
	if (ret == (long)writing->len)
		writing->done += (unsigned)writing->sites;
	else
		writing->error = ret < 0 ? (int)ret : -EIO;
	writing->len = 0;
}

static void write_jump(struct writing *writing, const uint8_t *at,
		       const struct stub *stub)
{
	int32_t to = jump_to(at, stub);
	size_t offset;

	/* A write a page, for its price is the page's copy. */
	if (writing->len &&
	    (at < writing->start || at + 5 > writing->start + LM_PAGE))
		write_out(writing);
	if (!writing->len) {
		writing->start = at;
		writing->sites = 0;
	}
	offset = (size_t)(at - writing->start);
	memcpy(writing->text + writing->len, writing->start + writing->len,
	       offset - writing->len);
	writing->text[offset] = JUMP;
	memcpy(&writing->text[offset + 1], &to, sizeof(to));
	writing->len = offset + 5;
	writing->sites++;
}

int lm_stub_make(uintptr_t object, const struct lm_text *text,
		 const struct lm_sites *sites, int memory,
		 struct lm_stubs *made)
{
	size_t size = lm_page_up(sizeof(struct block) +
				 sites->count * sizeof(struct stub));
	uintptr_t block = near(object, size);
	struct stub *stubs = (struct stub *)(block + sizeof(struct block));
	struct writing writing = { .memory = memory };
	int ret;

	*made = (struct lm_stubs){ 0 };
	if (lm_os_failed(block))
		return (int)(intptr_t)block;
	memcpy((void *)block, &block_start, sizeof(block_start));
	for (size_t i = 0; i < sites->count; i++)
		make_stub((struct block *)block, &stubs[i], &sites->site[i]);
	ret = lm_os_mprotect(block, size, PROT_READ | PROT_EXEC);
	if (ret < 0) {
		lm_os_munmap(block, size);
		return ret;
	}
	*made = (struct lm_stubs){ block, size };
	if (!write_in_place(text, sites, stubs))
		return (int)sites->count;
	for (size_t i = 0; i < sites->count; i++)
		write_jump(&writing, sites->site[i].at, &stubs[i]);
	write_out(&writing);
	return writing.done ? (int)writing.done : writing.error;
}

void lm_stub_free(const struct lm_stubs *stubs)
{
	if (stubs->size)
		lm_os_munmap(stubs->block, stubs->size);
}

#endif
