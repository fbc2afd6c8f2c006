/*
 * image.h -- an object of the dynamic linker's in memory, by its program headers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_IMAGE_H
#define LM_SYSCALL_IMAGE_H

#include "site.h"

#include <link.h>

struct lm_image {
	uintptr_t base;
	const ElfW(Phdr) * header;
	size_t headers;
	const char *name; /* its file's; may be empty */
};

/* Is that in one of its segments? */
bool lm_image_holds(const struct lm_image *image, uintptr_t addr);

/* The page that it begins at. */
uintptr_t lm_image_first(const struct lm_image *image);

/* What a note of this name (of 4 bytes, with its zero) says, of the type or, for
 * 0, of any; or NULL. */
const uint8_t *lm_image_note(const struct lm_image *image, const char *name,
			     uint32_t type, size_t *len);

/* Its build id; NULL: it has none. */
const uint8_t *lm_image_id(const struct lm_image *image, size_t *len);

/* Is it Go's? Its stacks are small and lie in its heap. Its linker says so in a
 * note. */
bool lm_image_small_stacks(const struct lm_image *image);

/* Does it need other objects, the C library first of all? */
bool lm_image_needs_others(const struct lm_image *image);

/* The next text of it, from program header *next on, which is 0 before the first.
 * What is `knows` is left to the caller. False: there is none. */
bool lm_image_text(const struct lm_image *image, size_t *next,
		   struct lm_text *text);

#endif
