/*
 * aio.h -- Linux AIO: the kernel uses a request's buffers after the call that
 * makes it, until another one tells of its end.
 *
 * Async-signal-safe. Around the calls that lm_aio_wanted() tells of.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_AIO_H
#define LM_SYSCALL_AIO_H

#include <stdbool.h>

/* io_submit, io_getevents and io_pgetevents, io_destroy. Quick. */
bool lm_aio_wanted(long nr);

/* Before the call: what is to be given to lm_aio_after() with the call's result. */
long lm_aio_before(long nr, const long args[6]);
void lm_aio_after(long nr, const long args[6], long turn, long result);

/* In a forked child, which has none of its parent's requests. */
void lm_aio_forked(void);

#endif
