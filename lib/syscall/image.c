/*
 * image.c -- see image.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "image.h"

#if defined(__x86_64__)

#include "../os.h"

#include <string.h>

bool lm_image_holds(const struct lm_image *image, uintptr_t addr)
{
	for (size_t i = 0; i < image->headers; i++) {
		const ElfW(Phdr) *ph = &image->header[i];

		if (ph->p_type == PT_LOAD &&
		    addr - (image->base + ph->p_vaddr) < ph->p_memsz)
			return true;
	}
	return false;
}

uintptr_t lm_image_first(const struct lm_image *image)
{
	uintptr_t first = UINTPTR_MAX;

	for (size_t i = 0; i < image->headers; i++)
		if (image->header[i].p_type == PT_LOAD)
			first = lm_min(first,
				       image->base + image->header[i].p_vaddr);
	return lm_page_down(first);
}

const uint8_t *lm_image_note(const struct lm_image *image, const char *name,
			     uint32_t type, size_t *len)
{
	const uint8_t *at, *end;
	uint32_t note[3]; /* the lengths of name and content, the type */

	for (size_t i = 0; i < image->headers; i++) {
		at = (const uint8_t *)(image->base + image->header[i].p_vaddr);
		end = at + image->header[i].p_memsz;
		/* Not all notes are loaded. */
		if (image->header[i].p_type != PT_NOTE || at == end ||
		    !lm_image_holds(image, (uintptr_t)at) ||
		    !lm_image_holds(image, (uintptr_t)end - 1))
			continue;
		while ((size_t)(end - at) > sizeof(note)) {
			size_t left = (size_t)(end - at) - sizeof(note), whole;

			memcpy(note, at, sizeof(note));
			at += sizeof(note);
			whole = (((size_t)note[0] + 3) & ~(size_t)3) + note[1];
			if (whole > left)
				break;
			if (note[0] == 4 && (!type || note[2] == type) &&
			    !memcmp(at, name, 4)) {
				*len = note[1];
				return at + 4;
			}
			at += lm_min((whole + 3) & ~(size_t)3, left);
		}
	}
	return NULL;
}

const uint8_t *lm_image_id(const struct lm_image *image, size_t *len)
{
	return lm_image_note(image, "GNU", NT_GNU_BUILD_ID, len);
}

bool lm_image_small_stacks(const struct lm_image *image)
{
	size_t len;

	return lm_image_note(image, "Go\0", 0, &len) != NULL;
}

bool lm_image_needs_others(const struct lm_image *image)
{
	const ElfW(Dyn) *entry = NULL;

	for (size_t i = 0; i < image->headers; i++)
		if (image->header[i].p_type == PT_DYNAMIC)
			entry = (const void *)(image->base +
					       image->header[i].p_vaddr);
	for (; entry && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_NEEDED)
			return true;
	return false;
}

static void find_frames(const struct lm_image *image, struct lm_text *text)
{
	for (size_t i = 0; i < image->headers; i++)
		if (image->header[i].p_type == PT_GNU_EH_FRAME) {
			text->frames = (const void *)(image->base +
						      image->header[i].p_vaddr);
			text->frames_len = image->header[i].p_memsz;
		}
}

bool lm_image_text(const struct lm_image *image, size_t *next,
		   struct lm_text *text)
{
	while (*next < image->headers) {
		const ElfW(Phdr) *ph = &image->header[(*next)++];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) ||
		    !(ph->p_flags & PF_R) || ph->p_flags & PF_W)
			continue;
		*text = (struct lm_text){
			.at = (const uint8_t *)(image->base + ph->p_vaddr),
			.len = ph->p_filesz,
			.small = lm_image_small_stacks(image)
		};
		find_frames(image, text);
		return true;
	}
	return false;
}

#endif
