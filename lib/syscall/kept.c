/*
 * kept.c -- see kept.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "kept.h"

#if defined(__x86_64__)

#include "../lazymap.h"
#include "../module.h"
#include "../os.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* What another version finds is not what this one would. */
#define VERSION                                                                \
	(LAZYMAP_VERSION_MAJOR << 16 | LAZYMAP_VERSION_MINOR << 8 |            \
	 LAZYMAP_VERSION_PATCH)

/* The file: this, and so many records. */
struct header {
	char magic[8];
	uint32_t version, count;
	uint64_t text; /* bytes that it has */
	uint64_t sum;  /* of the records, and all of this but the sum */
};

struct record {
	uint32_t at;   /* from where the text begins */
	uint32_t code; /* the sum of its bytes, to the syscall's end */
	uint16_t nr;
	uint8_t skip, copy, kind, inner;
	uint8_t zero[2];
};

_Static_assert(sizeof(struct header) == 32 && sizeof(struct record) == 16,
	       "without holes: what is written is summed up");

static const char magic[8] = "lmsites";

bool lm_kept_name(const uint8_t *id, size_t len, struct lm_kept_name *name)
{
	static const char digits[] = "0123456789abcdef";

	if (!len || len > LM_KEPT_ID)
		return false;
	for (size_t i = 0; i < len; i++) {
		name->text[2 * i] = digits[id[i] >> 4];
		name->text[2 * i + 1] = digits[id[i] & 15];
	}
	name->text[2 * len] = '\0';
	return true;
}

static size_t length(const struct lm_site *site)
{
	return site->skip + site->copy + 2;
}

static uint64_t sum_of(struct header header, const struct record *records)
{
	header.sum = 0;
	return XXH3_64bits_withSeed(records, header.count * sizeof(*records),
				    XXH3_64bits(&header, sizeof(header)));
}

/* -- Reading ------------------------------------------------------------------- */

/* Beside this code, if it is known by its whole path: what is relative may be
 * another directory by now. */
int lm_kept_open(const struct lm_kept_name *name)
{
	const char *dir;
	char path[4096];
	size_t len = lm_module_dir(&dir);

	if (!len || *dir != '/' ||
	    snprintf(path, sizeof(path), "%.*s/" LM_KEPT_DIR "/%s", (int)len,
		     dir, name->text) >= (int)sizeof(path))
		return -ENOENT;
	return (int)lm_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

static int read_all(int fd, void *to, size_t len)
{
	long ret = lm_sys(SYS_read, fd, to, len);

	return ret < 0 ? (int)ret : (size_t)ret == len ? 0 : -EINVAL;
}

/* The code may have been changed since. */
static bool take(const struct record *record, const struct lm_text *text,
		 struct lm_site *site)
{
	*site = (struct lm_site){ .at = text->at + record->at,
				  .skip = record->skip,
				  .copy = record->copy,
				  .kind = record->kind,
				  .inner = record->inner,
				  .nr = record->nr };
	return site->kind <= LM_SITE_ANY && site->skip <= 7 &&
	       site->copy <= LM_SITE_COPY && record->at <= text->len &&
	       length(site) <= text->len - record->at &&
	       (uint32_t)XXH3_64bits(site->at, length(site)) == record->code;
}

/* Of a file that is right. One whose code was changed is not hooked. */
static int read_records(int fd, const struct header *header,
			const struct lm_text *text, struct lm_sites *sites)
{
	/* At the end of where they are going to be, and never before what is
	 * made of them. */
	struct record *records =
		(struct record *)(sites->site + LM_SITES) - header->count;
	int ret = read_all(fd, records, header->count * sizeof(*records));

	if (!ret && header->sum != sum_of(*header, records))
		ret = -EINVAL;
	for (size_t i = 0; !ret && i < header->count; i++) {
		struct record record = records[i];

		sites->count += take(&record, text, &sites->site[sites->count]);
	}
	return ret;
}

int lm_kept_read(int fd, const struct lm_text *text, struct lm_sites *sites)
{
	struct header header;
	int ret = read_all(fd, &header, sizeof(header));

	if (ret < 0)
		return ret;
	if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
	    header.version != VERSION || header.text != text->len ||
	    header.count >= LM_SITES - sites->count)
		return -EINVAL;
	return read_records(fd, &header, text, sites);
}

/* -- Writing ------------------------------------------------------------------- */

static struct record record_of(const struct lm_text *text,
			       const struct lm_site *site)
{
	return (struct record){ .at = (uint32_t)(site->at - text->at),
				.code = (uint32_t)XXH3_64bits(site->at,
							      length(site)),
				.nr = (uint16_t)site->nr,
				.skip = (uint8_t)site->skip,
				.copy = (uint8_t)site->copy,
				.kind = (uint8_t)site->kind,
				.inner = site->inner };
}

int lm_kept_write(int fd, const struct lm_text *text,
		  const struct lm_sites *sites)
{
	static struct record records[LM_SITES];
	struct header header = { .version = VERSION,
				 .count = (uint32_t)sites->count,
				 .text = text->len };
	size_t len = sites->count * sizeof(*records);
	long ret;

	if (text->len > UINT32_MAX)
		return -EFBIG;
	memcpy(header.magic, magic, sizeof(magic));
	for (size_t i = 0; i < sites->count; i++)
		records[i] = record_of(text, &sites->site[i]);
	header.sum = sum_of(header, records);
	ret = lm_sys(SYS_write, fd, &header, sizeof(header));
	if (ret == sizeof(header))
		ret = lm_sys(SYS_write, fd, records, len);
	if (ret < 0)
		return (int)ret;
	return (size_t)ret == len ? 0 : -ENOSPC;
}

#endif
