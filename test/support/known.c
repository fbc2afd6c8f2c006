/*
 * known.c -- see known.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known.h"

#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORDS (PAGE / sizeof(uint64_t))

PROGRAM_UNWATCHED void known_fill(void *buf, size_t len, uint64_t page)
{
	uint64_t *word = buf;

	for (size_t n = 0; n < len / PAGE; n++, page++)
		for (size_t i = 0; i < WORDS; i++)
			*word++ = known_word(page, i);
}

PROGRAM_UNWATCHED static size_t rest_wrong(const volatile uint64_t *word,
					   uint64_t page)
{
	size_t wrong = 0;

	for (size_t i = 1; i < WORDS; i++)
		wrong += word[i] != known_word(page, i);
	return wrong;
}

/* The first is watched: is the page filled before it is read? */
size_t known_wrong(const volatile void *mem, uint64_t page)
{
	const volatile uint64_t *word = mem;

	return (word[0] != known_word(page, 0)) + rest_wrong(word, page);
}

PROGRAM_UNWATCHED size_t known_not_zero(const volatile void *mem)
{
	const volatile uint64_t *word = mem;
	size_t wrong = 0;

	for (size_t i = 0; i < WORDS; i++)
		wrong += word[i] != 0;
	return wrong;
}

const char *known_path(const char *name)
{
	static char path[4][4096];
	static unsigned turn;
	const char *dir = getenv("TESTDIR");
	char *at = path[turn++ % 4];

	snprintf(at, sizeof(path[0]), "%s/%s", dir ? dir : "/var/tmp", name);
	return at;
}

int known_file(const char *name, size_t pages)
{
	static uint64_t buf[16 * WORDS];
	int fd = open(known_path(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	for (size_t done = 0, n; done < pages; done += n) {
		n = pages - done < 16 ? pages - done : 16;
		known_fill(buf, n * PAGE, done);
		ck_assert_int_eq(write(fd, buf, n * PAGE), (ssize_t)(n * PAGE));
	}
	return fd;
}
