/*
 * served.c -- see served.h.
 *
 * A range is served until it is unregistered, or the last descriptor of its
 * userfaultfd is closed, whoever has one; and not in a forked child, unless the
 * userfaultfd is told of forks. The kernel knows: it says so of each VM area, in
 * /proc/self/smaps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "served.h"

#include "advise.h"
#include "area.h"
#include "os.h"

#include <fcntl.h>
#include <string.h>

/* Was anything registered, that is not known to be over? And how many calls that
 * register are under way, and ever were. Atomic. */
static _Atomic bool any;
static _Atomic uint32_t under_way, begun;

void lm_served_begin(void)
{
	atomic_fetch_add(&under_way, 1);
	atomic_fetch_add(&begun, 1);
	atomic_store(&any, true);
}

/* It is asked for what is touched alone, from now on and later. */
void lm_served_end(uintptr_t start, size_t len, bool done)
{
	if (done)
		lm_advise_flags(start, start + len,
				LM_AREA_SERVED | LM_AREA_RANDOM);
	atomic_fetch_sub(&under_way, 1);
}

void lm_served_no_more(uintptr_t start, size_t len)
{
	lm_advise_flags(start, start + len, ~LM_AREA_SERVED);
}

bool lm_served_by(int fd)
{
	static const char what[] = "anon_inode:[userfaultfd]";
	char path[32] = "/proc/self/fd/", name[32], *at = path + 14;
	unsigned power = 1;

	if (!atomic_load_explicit(&any, memory_order_relaxed))
		return false;
	if (fd < 0)
		return true;
	while (power <= (unsigned)fd / 10)
		power *= 10;
	for (; power; power /= 10)
		*at++ = (char)('0' + (unsigned)fd / power % 10);
	*at = '\0';
	return lm_sys(SYS_readlinkat, AT_FDCWD, path, name, sizeof(name)) ==
		       (long)sizeof(what) - 1 &&
	       !memcmp(name, what, sizeof(what) - 1);
}

/* -- /proc/self/smaps ------------------------------------------------------------ */

/* What has been read of it, a line at a time. */
struct reader {
	int fd;
	size_t len, at;
	char text[1024];
};

/* Its first bytes, for those of flags are long enough: NULL at the end. */
static const char *next_line(struct reader *reader, char line[128])
{
	size_t len = 0;

	for (;;) {
		if (reader->at == reader->len) {
			long n = lm_sys(SYS_read, reader->fd, reader->text,
					sizeof(reader->text));

			if (n <= 0)
				return NULL;
			reader->len = (size_t)n;
			reader->at = 0;
		}
		if (reader->text[reader->at++] == '\n')
			break;
		if (len < 127)
			line[len++] = reader->text[reader->at - 1];
	}
	line[len] = '\0';
	return line;
}

static const char *number(const char *text, uintptr_t *value)
{
	*value = 0;
	for (;; text++) {
		if (*text >= '0' && *text <= '9')
			*value = *value * 16 + (uintptr_t)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			*value = *value * 16 + (uintptr_t)(*text - 'a' + 10);
		else
			return text;
	}
}

/* Missing pages, writes, or minor faults. */
static bool registered(const char *flags)
{
	return strstr(flags, " um") || strstr(flags, " uw") ||
	       strstr(flags, " ui");
}

/* Has nobody registered anything since? With the map lock: who does so later
 * marks it later. */
static bool still(uint32_t before)
{
	return !atomic_load(&under_way) && atomic_load(&begun) == before;
}

/* False: it has not been read to its end, or somebody has come in between. */
static bool look(struct reader *reader, uint32_t before, bool *left)
{
	static const char flags[] = "VmFlags:";
	uintptr_t start = 0, end = 0, to;
	char line[128];
	const char *at;

	while (next_line(reader, line)) {
		at = number(line, &to);
		if (at != line && *at == '-') {
			start = to;
			number(at + 1, &end);
			continue;
		}
		if (memcmp(line, flags, sizeof(flags) - 1) != 0)
			continue;
		if (registered(line))
			*left = true;
		else if (lm_area_overlaps(start, end) &&
			 !lm_advise_flags_while(start, end, ~LM_AREA_SERVED,
						still, before))
			return false;
		start = end;
	}
	return end; /* it has been read, with what is last of all */
}

void lm_served_look(void)
{
	struct reader reader = { .len = 0 };
	uint32_t before = atomic_load(&begun);
	bool left = false, whole;

	if (!atomic_load(&any) || atomic_load(&under_way))
		return;
	reader.fd = (int)lm_sys(SYS_openat, AT_FDCWD, "/proc/self/smaps",
				O_RDONLY | O_CLOEXEC);
	if (reader.fd < 0)
		return; /* it stays as if it were served */
	whole = look(&reader, before, &left);
	lm_sys(SYS_close, reader.fd);
	/* Who begins now says so again after it. */
	if (whole && !left) {
		atomic_store(&any, false);
		if (!still(before))
			atomic_store(&any, true);
	}
}

void lm_served_forked(void)
{
	LM_PUT(&under_way, 0);
}
