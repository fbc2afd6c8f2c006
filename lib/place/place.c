/*
 * place.c -- which way of placing is used.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "place/place.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "os_linux.h"
#include "syscall/raw.h"

/* In the order in which auto tries them; inplace is passed over. */
static const struct lm_place *const ways[] = {
	&lm_place_mem,
	&lm_place_uffd,
	&lm_place_mremap,
	&lm_place_inplace,
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

const struct lm_place *lm_place;

/* Immutable: may /proc/self/mem be used, if not otherwise then for areas that
 * are not copied? */
static int direct_mem;

/* Immutable after the start: another way than the kernel's copy is asked for. */
static bool not_copied;

const struct lm_place *lm_place_way(unsigned i)
{
	return i < WAYS ? ways[i] : NULL;
}

static int refused(int err)
{
	return err == -ENOMEM ? err : -ENOSYS;
}

/* A forked child in a sandbox may not be permitted to open it again. What mremap
 * puts in place of a file's page is no page of that file; and it does not fail
 * over a marker of the program's, so what mem has refused it must not do. */
static bool by_mem(int err, int file)
{
	return !err || file || (direct_mem && lm_place_mem_there());
}

int lm_place_direct_read(void *dst, uintptr_t src, size_t len, int file)
{
	int err = direct_mem ? lm_place_mem_read(dst, src, len) : -EOPNOTSUPP;

	return by_mem(err, file) ? err : lm_place_mremap.read(dst, src, len);
}

int lm_place_direct_write(uintptr_t dst, const void *src, size_t len, int file)
{
	int err = direct_mem ? lm_place_mem_write(dst, src, len) : -EOPNOTSUPP;

	return by_mem(err, file) ? err : lm_place_mremap.write(dst, src, len);
}

int lm_place_begin(void)
{
	int err = lm_place_mem_begin();

	err = err ? err : lm_place_over_begin();
	return err ? err : lm_place_unwritten_begin();
}

int lm_place_start(const char *name)
{
	int any = !name || !*name || !strcmp(name, "auto");
	int err = lm_place_begin();

	if (err)
		return err;
	err = -EINVAL;
	for (unsigned i = 0; i < WAYS; i++) {
		if (any ? ways[i] == &lm_place_inplace
			: strcmp(name, ways[i]->name) != 0)
			continue;
		err = ways[i]->probe();
		if (!err) {
			lm_place = ways[i];
			not_copied = !any && lm_place != &lm_place_uffd;
			direct_mem = lm_place == &lm_place_mem ||
				     !lm_place_mem.probe();
			return 0;
		}
		/* Says nothing of what is permitted. */
		if (any && (err == -EMFILE || err == -ENFILE))
			return err;
		err = refused(err);
	}
	return err;
}

bool lm_place_copies(void)
{
	return !not_copied && !lm_place_hidden_probe();
}

void lm_place_open(void)
{
	if (direct_mem)
		lm_place_mem_there();
	lm_place_over_open();
	lm_place_unwritten_open();
}

void lm_place_forked(void)
{
	if (lm_place && lm_place->forked)
		lm_place->forked();
	if (lm_place != &lm_place_mem)
		lm_place_mem.forked();
	if (lm_place != &lm_place_uffd)
		lm_place_over_forked();
	lm_place_unwritten_forked();
}

int lm_place_try(int (*write)(uintptr_t dst, const void *src, size_t len),
		 int (*read)(void *dst, uintptr_t src, size_t len))
{
	size_t len = getauxval(AT_PAGESZ);
	unsigned char *mem, *src, *dst, *out;
	long ret;

	mem = (unsigned char *)lm_sys(SYS_mmap, NULL, 3 * len,
				      PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((long)mem < 0 && (long)mem > -4096)
		return (int)(long)mem;
	src = mem;
	dst = mem + len;
	out = mem + 2 * len;
	for (size_t i = 0; i < len; i++)
		src[i] = (unsigned char)(i * 31 + 7);
	ret = lm_sys(SYS_mprotect, dst, len, PROT_NONE);
	if (!ret)
		ret = write((uintptr_t)dst, src, len);
	if (!ret)
		ret = read(out, (uintptr_t)dst, len);
	if (!ret && memcmp(src, out, len) != 0)
		ret = -EIO;
	if (!ret)
		ret = lm_sys(SYS_mprotect, dst, len, PROT_READ);
	if (!ret && memcmp(src, dst, len) != 0)
		ret = -EIO;
	/* Cannot fail but for lack of memory, which is then not this page's
	 * fault; nothing depends on it. */
	lm_sys(SYS_munmap, mem, 3 * len);
	return (int)ret;
}
