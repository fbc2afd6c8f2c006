/*
 * heap.c -- large allocations as mappings of their own, so that the shim makes
 * them lazy: `lazymap run --heap`. Preloaded beside the shim; knows nothing of
 * the library, and calls mmap like any program.
 *
 * malloc and its family, from LAZYMAP_HEAP_MIN bytes on (default 1 MiB). What
 * is smaller stays with the program's own allocator, whichever it is. Ours are
 * page-aligned, which others' seldom are, and found by where they begin: no two
 * of them begin in the same stretch of HEAP_MIN bytes, so a table by stretch
 * tells, without a lock or a search, whether a pointer is one of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "heap/kept.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define PAGE ((size_t)4096)
#define PAGE_SHIFT 12
#define ADDRESS_BITS 47
#define KEPT ((size_t)32 << 20)
#define CLEARED ((size_t)1 << 20)

/* The stretch: a power of two, never above the smallest allocation. */
#define STRETCH_SHIFT_MIN 16 /* LAZYMAP_HEAP_MIN is at least this: 64 KiB */
#define LEAF_SHIFT 34        /* a leaf of the table is for 16 GiB */
#define LEAVES ((size_t)1 << (ADDRESS_BITS - LEAF_SHIFT))

/* An allocation's size in pages << 20 | its first page in the stretch; 0: no
 * allocation begins here. */
typedef _Atomic uint64_t entry;
#define ENTRY(pages, first) ((uint64_t)(pages) << 20 | (first))
#define ENTRY_PAGES(value) ((size_t)((value) >> 20))
#define ENTRY_FIRST(value) ((size_t)((value)&0xfffff))

static _Atomic(entry *) leaves[LEAVES];

/* Set by the constructor; before it, all is left to others. */
static size_t least = SIZE_MAX;
static unsigned stretch_shift = 20;

/* -- The program's own allocator ----------------------------------------------- */

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	size_t (*usable)(void *);
	int (*trim)(size_t);
} next;
static _Atomic bool ready;

/* dlsym may allocate while it looks for malloc: a little, for ever. */
static char early[8192] __attribute__((aligned(16)));
static _Atomic size_t early_used;
static _Thread_local bool looking __attribute__((tls_model("initial-exec")));

static void *early_alloc(size_t n)
{
	size_t at = atomic_fetch_add(&early_used, (n + 15) & ~(size_t)15);

	return at + n <= sizeof(early) ? early + at : NULL;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early &&
	       (const char *)p < early + sizeof(early);
}

/* The next of each name after ours: false while that is being found out. */
static bool have_next(void)
{
	if (atomic_load_explicit(&ready, memory_order_acquire))
		return true;
	if (looking)
		return false;
	looking = true;
	*(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&next.free = dlsym(RTLD_NEXT, "free");
	*(void **)&next.memalign = dlsym(RTLD_NEXT, "memalign");
	*(void **)&next.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
	*(void **)&next.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	*(void **)&next.usable = dlsym(RTLD_NEXT, "malloc_usable_size");
	*(void **)&next.trim = dlsym(RTLD_NEXT, "malloc_trim");
	atomic_store_explicit(&ready, true, memory_order_release);
	looking = false;
	return true;
}

/* -- Which are ours ------------------------------------------------------------------ */

static entry *entry_of(uintptr_t at, bool make)
{
	size_t n = (size_t)1 << (LEAF_SHIFT - stretch_shift);
	entry *leaf, *none = NULL;

	if (at >> ADDRESS_BITS)
		return NULL;
	leaf = atomic_load_explicit(&leaves[at >> LEAF_SHIFT],
				    memory_order_acquire);
	if (!leaf && make) {
		leaf = mmap(NULL, n * sizeof(*leaf), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				    MAP_STACK, /* never lazy */
			    -1, 0);
		if (leaf == MAP_FAILED)
			return NULL;
		if (!atomic_compare_exchange_strong(&leaves[at >> LEAF_SHIFT],
						    &none, leaf)) {
			munmap(leaf, n * sizeof(*leaf));
			leaf = none;
		}
	}
	return leaf ? &leaf[at >> stretch_shift & (n - 1)] : NULL;
}

static size_t first_page(uintptr_t at)
{
	return (at & (((uintptr_t)1 << stretch_shift) - 1)) >> PAGE_SHIFT;
}

/* Its size in bytes if it is ours, else 0. Cheap for nearly all pointers. */
static size_t size_of(const void *p)
{
	uintptr_t at = (uintptr_t)p;
	uint64_t value;
	entry *own;

	if (at & (PAGE - 1) || !at)
		return 0;
	own = entry_of(at, false);
	value = own ? atomic_load_explicit(own, memory_order_acquire) : 0;
	if (!value || ENTRY_FIRST(value) != first_page(at))
		return 0;
	return ENTRY_PAGES(value) << PAGE_SHIFT;
}

static void note(void *p, size_t bytes)
{
	uintptr_t at = (uintptr_t)p;

	atomic_store_explicit(entry_of(at, false),
			      bytes ? ENTRY(bytes >> PAGE_SHIFT, first_page(at))
				    : 0,
			      memory_order_release);
}

/* -- Ours ------------------------------------------------------------------------------ */

static size_t round_up(size_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

/* One that was freed, with what was in it; or NULL. */
static void *reused(size_t n)
{
	size_t bytes = round_up(n);
	void *p = bytes < n ? NULL : lm_kept_take(&bytes);

	if (p)
		note(p, bytes);
	return p;
}

/* Zeros. `align`: a power of two, at least a page. */
static void *fresh(size_t n, size_t align)
{
	size_t bytes = round_up(n), extra = align > PAGE ? align : 0, head;
	char *p;

	if (bytes < n || bytes + extra < bytes || bytes > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	p = mmap(NULL, bytes + extra, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (extra) {
		head = -(uintptr_t)p & (align - 1);
		if (head)
			munmap(p, head);
		if (extra > head)
			munmap(p + head + bytes, extra - head);
		p += head;
	}
	if (!entry_of((uintptr_t)p, true)) {
		munmap(p, bytes);
		errno = ENOMEM;
		return NULL;
	}
	note(p, bytes);
	return p;
}

static void *large(size_t n, size_t align)
{
	void *p = align > PAGE ? NULL : reused(n);

	return p ? p : fresh(n, align);
}

/* Up to CLEARED a reused one is cheaper, even if little of it is touched. */
static void *large_zeros(size_t n)
{
	void *p = n > CLEARED ? NULL : reused(n);

	return p ? memset(p, 0, n) : fresh(n, PAGE);
}

static void large_free(void *p, size_t bytes)
{
	int saved = errno;

	note(p, 0);
	lm_kept_give(p, bytes);
	errno = saved;
}

static void *large_resize(void *p, size_t bytes, size_t n)
{
	size_t wanted = round_up(n);
	void *to;

	if (wanted < n || wanted > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	if (wanted == bytes)
		return p;
	/* Nobody else may find it where it was, nor lose what another thread
	 * allocates there meanwhile. */
	note(p, 0);
	to = mremap(p, bytes, wanted, MREMAP_MAYMOVE);
	if (to != MAP_FAILED && !entry_of((uintptr_t)to, true)) {
		/* No room for the table: as good as unmovable. */
		to = mremap(to, wanted, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			    p);
		to = MAP_FAILED;
	}
	if (to == MAP_FAILED) {
		note(p, bytes);
		errno = ENOMEM;
		return NULL;
	}
	note(to, wanted);
	return to;
}

/* -- The family ------------------------------------------------------------------------- */

EXPORT void *malloc(size_t n)
{
	if (n >= least)
		return large(n, PAGE);
	return have_next() ? next.malloc(n) : early_alloc(n);
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t n;

	if (!__builtin_mul_overflow(count, size, &n) && n >= least)
		return large_zeros(n);
	return have_next() ? next.calloc(count, size) : early_alloc(n);
}

EXPORT void free(void *p)
{
	size_t bytes = size_of(p);

	if (bytes)
		large_free(p, bytes);
	else if (!is_early(p) && have_next())
		next.free(p);
}

/* From one side to the other. */
static void *moved(void *p, size_t old, size_t n)
{
	void *to = malloc(n);

	if (to) {
		memcpy(to, p, old < n ? old : n);
		free(p);
	}
	return to;
}

EXPORT void *realloc(void *p, size_t n)
{
	size_t bytes = size_of(p);

	if (!p)
		return malloc(n);
	if (is_early(p))
		return moved(p, (size_t)(early + sizeof(early) - (char *)p), n);
	if (bytes && n >= least)
		return large_resize(p, bytes, n);
	if (bytes && n)
		return moved(p, bytes, n);
	if (bytes) {
		free(p);
		return NULL;
	}
	if (n >= least && have_next() && next.usable)
		return moved(p, next.usable(p), n);
	return have_next() ? next.realloc(p, n) : NULL;
}

EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n);
}

static bool power(size_t align)
{
	return align && !(align & (align - 1));
}

EXPORT void *memalign(size_t align, size_t n)
{
	if (n >= least && power(align))
		return large(n, align < PAGE ? PAGE : align);
	return have_next() ? next.memalign(align, n) : NULL;
}

EXPORT void *aligned_alloc(size_t align, size_t n)
{
	if (n >= least && power(align))
		return large(n, align < PAGE ? PAGE : align);
	return have_next() ? next.aligned_alloc(align, n) : NULL;
}

EXPORT int posix_memalign(void **out, size_t align, size_t n)
{
	int saved = errno;
	void *p;

	if (n < least || !power(align) || align % sizeof(void *))
		return have_next() ? next.posix_memalign(out, align, n)
				   : ENOMEM;
	p = large(n, align < PAGE ? PAGE : align);
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

EXPORT void *valloc(size_t n)
{
	return memalign(PAGE, n);
}

EXPORT void *pvalloc(size_t n)
{
	if (round_up(n) < n) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(PAGE, round_up(n));
}

EXPORT size_t malloc_usable_size(void *p)
{
	size_t bytes = size_of(p);

	if (bytes || is_early(p))
		return bytes;
	return have_next() ? next.usable(p) : 0;
}

EXPORT int malloc_trim(size_t pad)
{
	int given = lm_kept_drop() > 0;

	return (have_next() && next.trim && next.trim(pad)) || given;
}

/* -- Start --------------------------------------------------------------------------------- */

/* Digits, and at most one of K, M, G, T; 0: it is not that. */
static size_t parse(const char *text)
{
	static const char units[] = "kmgt";
	size_t bytes;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	bytes = strtoul(text, &end, 10);
	if (!*end)
		return bytes;
	unit = strchr(units, *end | 0x20);
	return unit && !end[1] ? bytes << 10 * (unit - units + 1) : 0;
}

/* Of a limit an eighth: it is memory that does nothing. */
static size_t kept(void)
{
	const char *text = getenv("LAZYMAP_RESIDENT");
	size_t limit = text && *text ? parse(text) : 0;

	return limit && limit / 8 < KEPT ? limit / 8 : KEPT;
}

/* `lazymap run` has checked it; set by hand it may be anything. */
__attribute__((constructor)) static void start(void)
{
	static const char wrong[] =
		"lazymap: LAZYMAP_HEAP_MIN is not a number of bytes from 64K "
		"on\nlazymap: the program is not run\n";
	const char *text = getenv("LAZYMAP_HEAP_MIN");
	size_t bytes = text && *text ? parse(text) : (size_t)1 << 20;

	if (bytes < (size_t)1 << STRETCH_SHIFT_MIN) {
		/* Of a message that fails nobody could be told. */
		(void)!write(2, wrong, sizeof(wrong) - 1);
		_exit(125);
	}
	stretch_shift = STRETCH_SHIFT_MIN;
	while (stretch_shift < 30 && (size_t)2 << stretch_shift <= bytes)
		stretch_shift++;
	lm_kept_bound(kept());
	least = bytes;
}
