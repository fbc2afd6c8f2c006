/*
 * served.h -- ranges whose faults the program serves itself, with a userfaultfd
 * (LM_AREA_SERVED): since when, and until when.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SERVED_H
#define LM_SERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Around an UFFDIO_REGISTER: `done`, and it has succeeded. */
void lm_served_begin(void);
void lm_served_end(uintptr_t start, size_t len, bool done);
/* After an UFFDIO_UNREGISTER. */
void lm_served_no_more(uintptr_t start, size_t len);

/* May closing this descriptor end it? -1: some of many. Async-signal-safe. */
bool lm_served_by(int fd);

/* What the kernel says is served no more is not. After such a descriptor was
 * closed, and in a forked child. Async-signal-safe. */
void lm_served_look(void);
void lm_served_forked(void);

#endif
