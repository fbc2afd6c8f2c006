/*
 * outside.c -- see outside.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "outside.h"

#include "known.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t outside_count(const void *start, size_t len)
{
	static uint64_t entry[4096];
	size_t present = 0, pages = len / PAGE, n;
	off_t at = (off_t)((uintptr_t)start / PAGE * sizeof(entry[0]));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (; pages; pages -= n) {
		n = pages < 4096 ? pages : 4096;
		ck_assert_int_eq(pread(fd, entry, n * sizeof(entry[0]), at),
				 (ssize_t)(n * sizeof(entry[0])));
		at += (off_t)(n * sizeof(entry[0]));
		for (size_t i = 0; i < n; i++)
			present += outside_frame(entry[i]);
	}
	close(fd);
	return present;
}

bool outside_present(const void *page)
{
	return outside_count(page, PAGE) != 0;
}

size_t outside_status(const char *field)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t len = strlen(field), value = 0;
	char line[256];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, len) && line[len] == ':')
			sscanf(line + len + 1, "%zu", &value);
	fclose(file);
	return value;
}

size_t outside_vm_areas(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t lines = 0;
	int c;

	ck_assert_ptr_nonnull(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

size_t outside_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
