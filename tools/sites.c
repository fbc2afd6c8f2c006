/*
 * sites.c -- `lazymap sites`: which system calls of an object can be caught where
 * they are made, and keeping that, so that processes need not look each time.
 *
 * The object is mapped as the dynamic linker would, and nothing of it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscall/image.h"
#include "syscall/kept.h"
#include "tool.h"

#if defined(__x86_64__)

/* An object's file, mapped: only to be looked at. */
struct object {
	const char *path;
	uint8_t *file; /* as it is */
	size_t file_len;
	uint8_t *base; /* as the linker would have it */
	size_t len;
	const ElfW(Phdr) * header;
	size_t headers;
};

static int refuse(const struct object *object, const char *why)
{
	lm_tool_say("%s: %s", object->path, why);
	return -1;
}

static int open_file(struct object *object)
{
	int fd = open(object->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return refuse(object, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return refuse(object, "not a regular file");
	}
	object->file_len = (size_t)st.st_size;
	if (!object->file_len) {
		close(fd);
		return refuse(object, "not a program or library for x86-64");
	}
	object->file =
		mmap(NULL, object->file_len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (object->file == MAP_FAILED)
		return refuse(object, "cannot be mapped");
	return 0;
}

static bool in_file(const struct object *object, uint64_t at, uint64_t len)
{
	return at <= object->file_len && len <= object->file_len - at;
}

static int read_headers(struct object *object)
{
	const ElfW(Ehdr) *elf = (const void *)object->file;

	if (!in_file(object, 0, sizeof(*elf)) ||
	    memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_machine != EM_X86_64 ||
	    (elf->e_type != ET_DYN && elf->e_type != ET_EXEC))
		return refuse(object, "not a program or library for x86-64");
	if (elf->e_phentsize != sizeof(*object->header) ||
	    elf->e_phoff % _Alignof(ElfW(Phdr)) ||
	    !in_file(object, elf->e_phoff,
		     elf->e_phnum * sizeof(*object->header)))
		return refuse(object, "damaged: its program headers");
	object->header = (const void *)(object->file + elf->e_phoff);
	object->headers = elf->e_phnum;
	return 0;
}

/* How much address space it takes; and nothing that is read of it is outside. */
static int measure(struct object *object)
{
	const uint64_t most = (uint64_t)1 << 40;

	for (size_t i = 0; i < object->headers; i++) {
		const ElfW(Phdr) *ph = &object->header[i];

		if (ph->p_type == PT_GNU_EH_FRAME && ph->p_memsz < 12)
			return refuse(object, "damaged: its unwinding table");
		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_vaddr > most || ph->p_memsz > most ||
		    ph->p_filesz > ph->p_memsz ||
		    !in_file(object, ph->p_offset, ph->p_filesz))
			return refuse(object, "damaged: a segment of it");
		if (object->len < ph->p_vaddr + ph->p_memsz)
			object->len = ph->p_vaddr + ph->p_memsz;
	}
	for (size_t i = 0; i < object->headers; i++) {
		const ElfW(Phdr) *ph = &object->header[i];

		if (ph->p_type == PT_GNU_EH_FRAME &&
		    (ph->p_vaddr > object->len ||
		     ph->p_memsz > object->len - ph->p_vaddr))
			return refuse(object, "damaged: its unwinding table");
	}
	return 0;
}

/* The linker maps whole pages; here what the file has is copied. */
static int load(struct object *object)
{
	object->base =
		object->len ? mmap(NULL, object->len, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0)
			    : MAP_FAILED;
	if (object->base == MAP_FAILED)
		return refuse(object, "cannot be mapped");
	for (size_t i = 0; i < object->headers; i++)
		if (object->header[i].p_type == PT_LOAD)
			memcpy(object->base + object->header[i].p_vaddr,
			       object->file + object->header[i].p_offset,
			       object->header[i].p_filesz);
	return 0;
}

/* With another name first: a process may be reading it. */
static int keep(const struct object *object, const char *dir,
		const struct lm_kept_name *name, const struct lm_text *text,
		const struct lm_sites *sites)
{
	char path[PATH_MAX], made[PATH_MAX];
	int fd, ret;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name->text) >=
		    PATH_MAX ||
	    snprintf(made, sizeof(made), "%s/%s.XXXXXX", dir, name->text) >=
		    PATH_MAX)
		return refuse(object, "the directory's name is too long");
	fd = mkstemp(made);
	if (fd < 0) {
		lm_tool_say("%s: %s", dir, strerror(errno));
		return -1;
	}
	ret = lm_kept_write(fd, text, sites);
	if (!ret && (fchmod(fd, 0644) || close(fd) || rename(made, path)))
		ret = -errno;
	if (!ret)
		return 0;
	unlink(made);
	lm_tool_say("%s: %s", path, strerror(-ret));
	return -1;
}

/* There is one text in all that linkers make, and so in what is kept. */
static int look(struct object *object, const char *dir)
{
	static struct lm_sites sites;
	const struct lm_image image = { (uintptr_t)object->base, object->header,
					object->headers, object->path };
	struct lm_kept_name name;
	struct lm_text text, more;
	const uint8_t *id;
	size_t next = 0, len;

	if (!lm_image_text(&image, &next, &text))
		return refuse(object, "it has no code");
	if (lm_image_text(&image, &next, &more))
		return refuse(object, "it has code in more segments than one");
	sites.count = 0;
	lm_site_scan(&text, &sites);
	if (dir) {
		id = lm_image_id(&image, &len);
		if (!id || !lm_kept_name(id, len, &name))
			return refuse(object, "it has no build id");
		if (keep(object, dir, &name, &text, &sites) < 0)
			return -1;
	}
	printf("%s: %zu system calls\n", object->path, sites.count);
	return 0;
}

static int look_at(const char *path, const char *dir)
{
	struct object object = { .path = path };
	int ret = open_file(&object);

	if (ret < 0)
		return ret;
	ret = read_headers(&object);
	if (!ret)
		ret = measure(&object);
	if (!ret)
		ret = load(&object);
	if (!ret)
		ret = look(&object, dir);
	if (object.base && object.base != MAP_FAILED)
		munmap(object.base, object.len);
	munmap(object.file, object.file_len);
	return ret;
}

int lm_sites_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "keep", required_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *dir = NULL;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (c == 'h') {
			puts("lazymap sites [--keep DIR] OBJECT...");
			return 0;
		}
		if (c != 'k')
			return LM_TOOL_USAGE; /* getopt said what is wrong */
		dir = optarg;
	}
	if (optind == argc) {
		lm_tool_say("sites: no object given");
		return LM_TOOL_USAGE;
	}
	for (; optind < argc; optind++)
		if (look_at(argv[optind], dir) < 0)
			status = LM_TOOL_FAILED;
	return status;
}

#else

int lm_sites_main(int argc, char **argv)
{
	(void)argc, (void)argv;
	lm_tool_say("sites: only x86-64's code is looked through");
	return LM_TOOL_FAILED;
}

#endif
