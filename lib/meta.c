/*
 * meta.c -- pages and runs for lazymap's own tables. See meta.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "meta.h"

#include "lock.h"
#include "tsan.h"

#include <string.h>

#define CHUNK ((size_t)256 * 1024)

/* A free page's first word links to the next one. */
struct free_page {
	struct free_page *next;
};

static struct lm_lock lock;
static struct free_page *free_pages; /* guarded by lock */
static uintptr_t fresh, fresh_end;   /* guarded by lock */

void *lm_meta_run(size_t len)
{
	uintptr_t run =
		lm_os_mmap(0, lm_page_up(len), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	lm_tsan_acquire(&lock);
	return lm_os_failed(run) ? NULL : (void *)run;
}

void lm_meta_free_run(void *run, size_t len)
{
	/* Unmapping a whole mapping of ours cannot fail for want of areas. */
	lm_tsan_release(&lock);
	if (run)
		lm_os_munmap((uintptr_t)run, lm_page_up(len));
}

void *lm_meta_page(void)
{
	struct free_page *page;

	lm_lock_take(&lock);
	page = free_pages;
	if (page) {
		free_pages = page->next;
		page->next = NULL;
	} else {
		if (fresh == fresh_end) {
			fresh = (uintptr_t)lm_meta_run(CHUNK);
			fresh_end = fresh ? fresh + CHUNK : 0;
		}
		if (fresh) {
			page = (struct free_page *)fresh;
			fresh += LM_PAGE;
		}
	}
	lm_lock_drop(&lock);
	return page;
}

void lm_meta_free_page(void *memory)
{
	struct free_page *page = memory;

	memset(page, 0, LM_PAGE);
	lm_lock_take(&lock);
	page->next = free_pages;
	free_pages = page;
	lm_lock_drop(&lock);
}

void lm_meta_forked(void)
{
	atomic_store_explicit(&lock.word, 0, memory_order_relaxed);
}
