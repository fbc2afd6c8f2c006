/*
 * object.c -- the objects whose system calls are hooked. See object.h.
 *
 * How dlopen is noticed: the dynamic linker calls an empty function, r_brk,
 * before and after it changes its list of objects, for debuggers to stop in.
 * Its `ret`, with the padding behind it, has room for a jump. So the new ones
 * are met whoever asks for them (the C library itself loads some), in every
 * namespace, mapped and before their constructors run: nobody is in their text.
 * An interposed dlopen() would be called by another object than the one that
 * asked, whose RUNPATH and namespace it is to look in.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "object.h"

#include "../meta.h"
#include "../os.h"
#include "../os_linux.h"
#include "decode.h"
#include "hook.h"
#include "image.h"
#include "kept.h"
#include "stub.h"

#if LM_HOOKS

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/* As many as an object's header may list. */
#define HEADERS 64

/* One that has been looked at. */
struct object {
	const struct link_map *map;
	uintptr_t base;
	struct lm_stubs stubs;
	unsigned pass; /* when it was last seen */
};

/* The linker's list: immutable after the start; what is in it, and all below:
 * guarded by the linker's lock. */
static const struct r_debug *debug;
static struct object *known;
static size_t count, room, cursor;
static unsigned pass;

static _Atomic unsigned hooked; /* sites */
static int failed;              /* why not, while starting */
/* The program runs: a filter of its own may end who makes code writable. */
static bool later;

/*
 * read() has its number, 0, from a xor of two bytes. Its first instruction asks
 * whether the process has one thread: cmpb $0, (%rip). The function is wrapped
 * whole. (The C library's own callers do not use a symbol that one could
 * interpose: stdio, for one.)
 */
static bool find_read(struct lm_site *site)
{
	const uint8_t *at = dlsym(RTLD_DEFAULT, "__read");
	static const uint8_t endbr[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (!at)
		return false;
	if (!memcmp(at, endbr, sizeof(endbr)))
		at += sizeof(endbr);
	*site = (struct lm_site){ .at = at,
				  .skip = 5,
				  .copy = 2,
				  .kind = LM_SITE_READ,
				  .nr = SYS_read };
	return at[0] == 0x80 && at[1] == 0x3d && at[6] == 0;
}

/* Something of each of the C library's files: before glibc 2.34 it was several.
 * Immutable after the start. */
#define LIBRARY 3
static uintptr_t library[LIBRARY];

/* Behind this object: the program may have a name's address in its own text. */
static void find_library(void)
{
	static const char *const names[LIBRARY] = { "__libc_start_main",
						    "pthread_kill",
						    "timer_create" };

	for (size_t i = 0; i < LIBRARY; i++)
		library[i] = (uintptr_t)dlsym(RTLD_NEXT, names[i]);
}

/* Does it know what it does with signals? The C library's functions are
 * interposed: what these do inside is not the program's wish. */
static bool knows(const struct lm_image *image)
{
	const char *file = strrchr(image->name, '/');

	for (size_t i = 0; i < LIBRARY; i++)
		if (library[i] && lm_image_holds(image, library[i]))
			return true;
	return strstr(file ? file : image->name, "lazymap-") != NULL;
}

/* What is kept of it. */
static int find_kept(const struct lm_image *image, const struct lm_text *text,
		     struct lm_sites *sites)
{
	struct lm_kept_name name;
	size_t len;
	const uint8_t *id = lm_image_id(image, &len);
	int fd, ret;

	if (!id || !lm_kept_name(id, len, &name))
		return -ENOENT;
	fd = lm_kept_open(&name);
	if (fd < 0)
		return fd;
	ret = lm_kept_read(fd, text, sites);
	lm_sys(SYS_close, fd);
	return ret;
}

static void find_in_text(const struct lm_image *image,
			 const struct lm_text *text, struct lm_sites *sites)
{
	size_t first = sites->count;

	if (find_kept(image, text, sites) < 0)
		lm_site_scan(text, sites);
	lm_site_mark(text, sites, first);
}

/* And the text that has them, if it is one. */
static void find_sites(const struct lm_image *image, const struct lm_site *read,
		       struct lm_sites *sites, struct lm_text *text)
{
	for (size_t next = 0; lm_image_text(image, &next, text);) {
		text->knows = knows(image);
		find_in_text(image, text, sites);
	}
	if (read && lm_image_holds(image, (uintptr_t)read->at))
		sites->site[sites->count++] = *read;
}

/*
 * 0 or -errno. Not lazymap itself, whose own calls must not come back to it;
 * not the dynamic linker, which copies what it is given; and not Go that is
 * without the C library, for there is no thread-local storage of ours in the
 * threads that it makes, nor any lazy memory.
 */
static int hook(const struct lm_image *image, const struct lm_site *read,
		int memory, struct lm_sites *sites, struct lm_stubs *stubs)
{
	struct lm_text text = { 0 };
	int ret = 0;

	if (lm_image_holds(image, (uintptr_t)lm_hook_start) ||
	    (debug && lm_image_holds(image, debug->r_brk)) ||
	    (lm_image_small_stacks(image) && !lm_image_needs_others(image)))
		return 0;
	sites->count = 0;
	find_sites(image, read, sites, &text);
	if (sites->count)
		ret = lm_stub_make(lm_image_first(image), later ? NULL : &text,
				   sites, memory, stubs);
	if (ret > 0)
		atomic_fetch_add_explicit(&hooked, (unsigned)ret,
					  memory_order_relaxed);
	return lm_min(ret, 0);
}

/* -- What is loaded later ------------------------------------------------------ */

/* By its own header: the linker has not told anybody of its tables yet. */
static void hook_new(struct object *object, int memory)
{
	ElfW(Phdr) ph[HEADERS];
	ElfW(Ehdr) elf;
	struct lm_image image = { object->base, ph, 0, object->map->l_name };
	struct lm_sites *sites;
	long len;

	if (lm_sys(SYS_pread64, memory, &elf, sizeof(elf), object->base) !=
		    sizeof(elf) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf.e_phentsize != sizeof(*ph) || elf.e_phnum > HEADERS)
		return;
	len = elf.e_phnum * (long)sizeof(*ph);
	if (lm_sys(SYS_pread64, memory, ph, len, object->base + elf.e_phoff) !=
	    len)
		return;
	image.headers = elf.e_phnum;
	sites = lm_meta_run(sizeof(*sites));
	if (!sites)
		return;
	/* What cannot be hooked runs as it is. */
	(void)hook(&image, NULL, memory, sites, &object->stubs);
	lm_meta_free_run(sites, sizeof(*sites));
}

/* They come in the order of last time. */
static struct object *find(const struct link_map *map)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = (cursor + i) % count;

		if (known[n].map == map && known[n].base == map->l_addr) {
			cursor = n + 1;
			return &known[n];
		}
	}
	return NULL;
}

static struct object *add(const struct link_map *map)
{
	size_t more = room ? room * 2 : LM_PAGE / sizeof(*known);
	struct object *grown;

	if (count == room) {
		grown = lm_meta_run(more * sizeof(*known));
		if (!grown)
			return NULL;
		memcpy(grown, known, count * sizeof(*known));
		lm_meta_free_run(known, room * sizeof(*known));
		known = grown;
		room = more;
	}
	known[count] = (struct object){ .map = map, .base = map->l_addr };
	return &known[count++];
}

/* The next namespace, where the linker (glibc 2.35) knows of them. */
static const struct r_debug *next_space(const struct r_debug *space)
{
	struct extended {
		struct r_debug base;
		const struct r_debug *next;
	};

	if (debug->r_version < 2)
		return NULL;
	return ((const struct extended *)space)->next;
}

/* Every object in the list; new ones are hooked unless memory is < 0. */
static void look(int memory)
{
	const struct r_debug *space;
	struct object *object;
	size_t left = 0;

	pass++;
	cursor = 0;
	for (space = debug; space; space = next_space(space))
		for (struct link_map *map = space->r_map; map;
		     map = map->l_next) {
			object = find(map);
			/* A list that is being changed may have some that are
			 * not mapped yet. */
			if (!object && space->r_state == RT_CONSISTENT) {
				object = add(map);
				if (object && memory >= 0)
					hook_new(object, memory);
			}
			if (object)
				object->pass = pass;
		}
	for (size_t i = 0; i < count; i++)
		if (known[i].pass == pass)
			known[left++] = known[i];
		else
			lm_stub_free(&known[i].stubs);
	count = left;
}

static int open_memory(void)
{
	return (int)lm_sys(SYS_openat, AT_FDCWD, "/proc/self/mem",
			   O_RDWR | O_CLOEXEC);
}

long lm_object_changed(long a, long b, long c)
{
	int saved = errno, memory;

	(void)a, (void)b, (void)c;
	memory = open_memory();
	look(memory);
	if (memory >= 0)
		lm_sys(SYS_close, memory);
	errno = saved;
	return 0;
}

/* The length of what stands between functions, or 0. */
static size_t padding(const uint8_t *at)
{
	struct lm_insn insn;

	if (*at == 0xcc)
		return 1;
	if (lm_decode(at, at + 15, &insn) < 0 || insn.kind != LM_INSN_FILL)
		return 0;
	return insn.len;
}

static int watch(int memory, struct lm_sites *sites)
{
	static const uint8_t endbr[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	struct lm_stubs stubs;
	const uint8_t *at;
	size_t room_here = 1, len;

	if (!debug || !debug->r_brk)
		return -ENOSYS;
	at = (const uint8_t *)debug->r_brk;
	if (!memcmp(at, endbr, sizeof(endbr)))
		at += sizeof(endbr);
	if (*at != 0xc3)
		return -ENOSYS;
	while (room_here < 5 && (len = padding(at + room_here)))
		room_here += len;
	if (room_here < 5)
		return -ENOSYS;
	sites->count = 1;
	sites->site[0] =
		(struct lm_site){ .at = at, .skip = 5, .kind = LM_SITE_LOADED };
	return lm_stub_make(lm_page_down((uintptr_t)at), NULL, sites, memory,
			    &stubs);
}

/* -- The start ----------------------------------------------------------------- */

struct start {
	struct lm_site read; /* at: NULL where it is not known */
	int memory;
	struct lm_sites *sites; /* of one object after the other */
};

/* Not what lies above the stack, since memory near it would be where the stack
 * grows: older kernels put the vDSO there, which makes the calls for the clocks
 * that it cannot read. */
static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
	struct lm_image image = { info->dlpi_addr, info->dlpi_phdr,
				  info->dlpi_phnum, info->dlpi_name };
	struct start *start = data;
	struct lm_stubs stubs;
	int ret;

	(void)size;
	if (lm_image_first(&image) > (uintptr_t)__builtin_frame_address(0))
		return 0;
	ret = hook(&image, start->read.at ? &start->read : NULL, start->memory,
		   start->sites, &stubs);
	if (ret < 0)
		failed = ret;
	return 0; /* another object may do */
}

int lm_object_start(void)
{
	struct start start = { .memory = open_memory() };

	if (start.memory < 0)
		return start.memory;
	start.sites = lm_meta_run(sizeof(*start.sites));
	if (!start.sites) {
		lm_sys(SYS_close, start.memory);
		return -ENOMEM;
	}
	debug = dlsym(RTLD_DEFAULT, "_r_debug");
	find_library();
	if (!find_read(&start.read))
		start.read.at = NULL;
	failed = 0;
	dl_iterate_phdr(visit, &start);
	/* Where the linker cannot tell us, what comes later runs as it is. */
	if (hooked && debug) {
		look(-1);
		(void)watch(start.memory, start.sites);
	}
	later = true;
	lm_meta_free_run(start.sites, sizeof(*start.sites));
	lm_sys(SYS_close, start.memory);
	return hooked ? 0 : failed;
}

unsigned lm_object_hooked(void)
{
	return atomic_load_explicit(&hooked, memory_order_relaxed);
}

#endif
