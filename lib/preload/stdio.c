/*
 * stdio.c -- streams: the caller's buffer may go to the kernel as it is, and
 * the stream's own is the kernel's to fill and empty.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include "../syscall/self.h"
#include "../syscall/truncate.h"

#include <fcntl.h>
#include <stdio.h>

#undef fread_unlocked
#undef fwrite_unlocked

static size_t product(size_t size, size_t n)
{
	size_t len;

	return __builtin_mul_overflow(size, n, &len) ? 0 : len;
}

/* The C library's own call has cut the file off. */
static FILE *opened(FILE *file, const char *mode)
{
	if (file && *mode == 'w' && !lm_shim_off())
		lm_truncate_done(fileno(file));
	return file;
}

/* clang-format off */
/* What the stream does not copy goes to the kernel in one of these. */
#define OUT(buf, len) lm_call_pin(pins, SYS_read, LM_LONGS(0, buf, len))
#define IN(buf, len) lm_call_pin(pins, SYS_write, LM_LONGS(0, buf, len))

LM_EXPORT size_t fread(void *buf, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, OUT(buf, product(size, n)), REAL(fread)(buf, size, n, file));
}

LM_EXPORT size_t fwrite(const void *buf, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, IN(buf, product(size, n)), REAL(fwrite)(buf, size, n, file));
}

LM_EXPORT size_t fread_unlocked(void *buf, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, OUT(buf, product(size, n)), REAL(fread_unlocked)(buf, size, n, file));
}

LM_EXPORT size_t fwrite_unlocked(const void *buf, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, IN(buf, product(size, n)), REAL(fwrite_unlocked)(buf, size, n, file));
}

size_t __fread_chk(void *buf, size_t room, size_t size, size_t n, FILE *file);
LM_EXPORT size_t __fread_chk(void *buf, size_t room, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, OUT(buf, product(size, n)), REAL(__fread_chk)(buf, room, size, n, file));
}

size_t __fread_unlocked_chk(void *buf, size_t room, size_t size, size_t n, FILE *file);
LM_EXPORT size_t __fread_unlocked_chk(void *buf, size_t room, size_t size, size_t n, FILE *file)
{
	LM_PINNED(size_t, OUT(buf, product(size, n)), REAL(__fread_unlocked_chk)(buf, room, size, n, file));
}

LM_EXPORT int fputs(const char *text, FILE *file)
{
	LM_PINNED(int, IN(text, strlen(text)), REAL(fputs)(text, file));
}

LM_EXPORT int fputs_unlocked(const char *text, FILE *file)
{
	LM_PINNED(int, IN(text, strlen(text)), REAL(fputs_unlocked)(text, file));
}

LM_EXPORT int puts(const char *text)
{
	LM_PINNED(int, IN(text, strlen(text)), REAL(puts)(text));
}

/* It may be /proc/self/mem's. */
LM_EXPORT int fseek(FILE *file, long at, int from)
{
	lm_self_sought(at);
	return REAL(fseek)(file, at, from);
}

LM_EXPORT int fseeko(FILE *file, off_t at, int from)
{
	lm_self_sought(at);
	return REAL(fseeko)(file, at, from);
}

LM_EXPORT int fseeko64(FILE *file, off64_t at, int from)
{
	lm_self_sought(at);
	return REAL(fseeko64)(file, at, from);
}

/* A stream's buffer stays pinned: nobody says when the stream has done with
 * it, but that its memory is unmapped. */
LM_EXPORT int setvbuf(FILE *file, char *buf, int mode, size_t len)
{
	if (buf && mode != _IONBF)
		lm_access_keep((uintptr_t)buf, len, 1);
	return REAL(setvbuf)(file, buf, mode, len);
}

LM_EXPORT void setbuf(FILE *file, char *buf)
{
	if (buf)
		lm_access_keep((uintptr_t)buf, BUFSIZ, 1);
	REAL(setbuf)(file, buf);
}

LM_EXPORT void setbuffer(FILE *file, char *buf, size_t len)
{
	if (buf)
		lm_access_keep((uintptr_t)buf, len, 1);
	REAL(setbuffer)(file, buf, len);
}

LM_EXPORT FILE *fopen(const char *path, const char *mode)
{
	lm_process_look(AT_FDCWD, path);
	LM_PINNED(FILE *, lm_call_pin(pins, SYS_open, LM_LONGS(path)), opened(REAL(fopen)(path, mode), mode));
}
LM_EXPORT FILE *fopen64(const char *path, const char *mode)
{
	lm_process_look(AT_FDCWD, path);
	LM_PINNED(FILE *, lm_call_pin(pins, SYS_open, LM_LONGS(path)), opened(REAL(fopen64)(path, mode), mode));
}
LM_EXPORT FILE *freopen(const char *path, const char *mode, FILE *file)
{
	LM_PINNED(FILE *, lm_call_pin(pins, SYS_open, LM_LONGS(path)), opened(REAL(freopen)(path, mode, file), mode));
}
LM_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *file)
{
	LM_PINNED(FILE *, lm_call_pin(pins, SYS_open, LM_LONGS(path)), opened(REAL(freopen64)(path, mode, file), mode));
}
LM_CALL(int, remove, SYS_unlink, (const char *path), path)
