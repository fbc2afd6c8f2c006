/*
 * kept.h -- the sites of objects that were looked through before.
 *
 * To look through a text for system calls (site.h) takes some 0.7 us a KiB, which
 * is most of what a short process pays for lazymap when the text is the C
 * library's, and finds the same each time. So it is kept: a file for each
 * object, named by its build id, in lazymap-sites/ beside the library. The build
 * of lazymap makes the C library's, and `lazymap sites --keep` those of any
 * other object.
 *
 * Such a file is believed as the library itself is, which lies beside it; but
 * the code of each site is compared with what was seen then, since another
 * library may have changed it in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_KEPT_H
#define LM_SYSCALL_KEPT_H

#include "site.h"

#define LM_KEPT_DIR "lazymap-sites"

/* The most bytes of a build id that are used; it has 20, as a rule. */
#define LM_KEPT_ID 32

/* The file's name: the id, two digits a byte. */
struct lm_kept_name {
	char text[2 * LM_KEPT_ID + 1];
};

/* False: it has no such name, for its id is empty or too long. */
bool lm_kept_name(const uint8_t *id, size_t len, struct lm_kept_name *name);

/* Open the object's file for reading. A descriptor, or -errno: ENOENT, nothing is
 * kept of it, or this library was loaded by a path that is not absolute. */
int lm_kept_open(const struct lm_kept_name *name);

/*
 * Add what lm_site_scan() found in this text then, but for sites whose code is not
 * what it was. 0, or -errno and nothing is added: EINVAL, the file is of another
 * version of lazymap, of another text, or damaged; or what read(2) returns.
 */
int lm_kept_read(int fd, const struct lm_text *text, struct lm_sites *sites);

/* Write to `fd` what a scan found of the text. 0 or -errno. */
int lm_kept_write(int fd, const struct lm_text *text,
		  const struct lm_sites *sites);

#endif
