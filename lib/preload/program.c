/*
 * program.c -- what a program's file says about whether the loader will take
 * the shim into it: ELF header, #! line, mode. Reads files, changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "program.h"

#define RAISES "raises its privileges (setuid, setgid or capabilities)"
#define SCRIPTS_MAX 5 /* the kernel's own limit on #! lines in a chain */
#define HEAD 256      /* and on such a line: BINPRM_BUF_SIZE */

static int is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* execvp's search: an empty element is the current directory. */
static int find(const char *name, int search, char *path)
{
	const char *dirs = getenv("PATH"), *end;
	int n;

	if (!search || strchr(name, '/')) {
		n = snprintf(path, PATH_MAX, "%s", name);
		return n < PATH_MAX && is_program(path) ? 0 : -ENOENT;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin";; dirs = end + 1) {
		end = strchrnul(dirs, ':');
		n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - dirs),
			     dirs, end == dirs ? "" : "/", name);
		if (n > 0 && n < PATH_MAX && is_program(path))
			return 0;
		if (!*end)
			return -ENOENT;
	}
}

/* "#! /bin/sh -e": the interpreter, in path. 1 if it is such a line. */
static int script(const char *head, char *path)
{
	size_t n;

	if (head[0] != '#' || head[1] != '!')
		return 0;
	head += 2;
	head += strspn(head, " \t");
	n = strcspn(head, " \t\n");
	if (!n || n >= PATH_MAX)
		return 0;
	memcpy(path, head, n);
	path[n] = '\0';
	return 1;
}

/* PT_INTERP of an ELF file of our own class. 1: found, 0: none, or -errno. */
static int interpreter(int fd, const ElfW(Ehdr) * eh, char *interp, size_t len)
{
	ElfW(Phdr) ph;
	int i;

	for (i = 0; i < eh->e_phnum; i++) {
		off_t at = (off_t)eh->e_phoff + (off_t)i * eh->e_phentsize;

		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return -ENOEXEC;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz >= len)
			return -ENOEXEC;
		memset(interp, 0, len);
		return pread(fd, interp, ph.p_filesz, (off_t)ph.p_offset) > 0
			       ? 1
			       : -ENOEXEC;
	}
	return 0;
}

/* Does running it raise privileges, so that ld.so leaves the shim out? */
static int raises(const struct stat *st, const char *path)
{
	char cap[64];

	if ((st->st_mode & S_ISUID) && st->st_uid != getuid())
		return 1;
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    st->st_gid != getgid())
		return 1;
	return getuid() != 0 &&
	       getxattr(path, "security.capability", cap, sizeof(cap)) > 0;
}

/* The ELF machine that this command, and so the shim, was built for. */
static unsigned machine(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) eh = { .e_machine = EM_NONE };

	if (fd < 0)
		return EM_NONE;
	if (read(fd, &eh, sizeof(eh)) != sizeof(eh))
		eh.e_machine = EM_NONE;
	close(fd);
	return eh.e_machine;
}

static void look_elf(int fd, const ElfW(Ehdr) * eh, struct lm_program *program)
{
	unsigned char bits = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	unsigned own = machine();
	const char *base = strrchr(program->path, '/');
	char interp[256];
	int has;

	base = base ? base + 1 : program->path;
	if (eh->e_ident[EI_CLASS] != bits ||
	    (own != EM_NONE && eh->e_machine != own)) {
		program->why = "is built for another machine";
		program->refuses = 1;
		return;
	}
	has = interpreter(fd, eh, interp, sizeof(interp));
	/* The loader itself has no loader, and does preload. */
	if (has == 0 && strncmp(base, "ld-", 3) != 0 &&
	    strncmp(base, "ld.so", 5) != 0)
		program->why = "is statically linked";
	if (has == 1 && strstr(interp, "ld-musl")) {
		program->why = "has another C library";
		program->refuses = 1;
	}
}

/* The start of a file. 1: a script, whose interpreter is now path; 0; -errno. */
static int look_one(struct lm_program *program)
{
	union {
		char text[HEAD];
		ElfW(Ehdr) elf;
	} head;
	struct stat st;
	int fd, err = 0;
	ssize_t n;

	if (stat(program->path, &st))
		return -errno;
	fd = open(program->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err = -errno;
		if (raises(&st, program->path)) /* sudo may not be read */
			program->why = RAISES;
		return program->why ? 0 : err;
	}
	memset(&head, 0, sizeof(head));
	n = read(fd, &head, sizeof(head) - 1);
	if (n < 0)
		err = -errno;
	else if (script(head.text, program->path))
		err = 1; /* the kernel takes no privileges from a script */
	else if (raises(&st, program->path))
		program->why = RAISES;
	else if ((size_t)n >= sizeof(head.elf) &&
		 !memcmp(head.elf.e_ident, ELFMAG, SELFMAG))
		look_elf(fd, &head.elf, program);
	close(fd);
	return err;
}

int lm_program_look(const char *name, int search, struct lm_program *program)
{
	int depth, err;

	memset(program, 0, sizeof(*program));
	err = find(name, search, program->path);
	program->found = !err;
	for (depth = 0; !err && depth < SCRIPTS_MAX; depth++) {
		err = look_one(program);
		if (err <= 0)
			break;
		err = 0;
	}
	return err;
}
