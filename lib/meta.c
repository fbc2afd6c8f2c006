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

/* At the beginning of a run that waits for its turn. */
struct fresh_run {
	struct fresh_run *next;
	uintptr_t end;
};

/* guarded by lock */
static struct lm_lock lock;
static struct free_page *free_pages;
static uintptr_t fresh, fresh_end;
static struct fresh_run *fresh_runs;
static size_t total; /* pages in all runs */

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

/* With the lock held: `pages` more. */
static int more_runs(size_t pages)
{
	size_t len = lm_max(pages << LM_PAGE_SHIFT, CHUNK);
	struct fresh_run *run = lm_meta_run(len);

	if (!run)
		return -ENOMEM;
	run->next = fresh_runs;
	run->end = (uintptr_t)run + len;
	fresh_runs = run;
	total += len >> LM_PAGE_SHIFT;
	return 0;
}

/* With the lock held. */
static void *fresh_page(void)
{
	struct fresh_run *run;

	if (fresh == fresh_end) {
		if (!fresh_runs && more_runs(1) < 0)
			return NULL;
		run = fresh_runs;
		fresh_runs = run->next;
		fresh = (uintptr_t)run;
		fresh_end = run->end;
		memset(run, 0, sizeof(*run));
	}
	fresh += LM_PAGE;
	return (void *)(fresh - LM_PAGE);
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
		page = fresh_page();
	}
	lm_lock_drop(&lock);
	return page;
}

int lm_meta_promise(size_t pages)
{
	int ret = 0;

	lm_lock_take(&lock);
	if (pages > total)
		ret = more_runs(pages - total);
	lm_lock_drop(&lock);
	return ret;
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
	LM_PUT(&lock.word, 0);
}
