/*
 * pager.h -- the thread that makes room before it is needed, and fetches what is
 * said to be.
 *
 * None before there is more mapped than the limit lets in. It makes room while no
 * fault comes, so that the first ones after a pause need not wait for an
 * eviction; those that come one after the other evict for themselves, and so do
 * all without it (options.threads -1). Only behind a stream in a file does it
 * make room beside the faults.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PAGER_H
#define LM_PAGER_H

#include "os.h"

/* At the start: this is the process that will have it. */
void lm_pager_begin(void);

/* In ordinary context, without locks: start it if there is reason to and it
 * does not run. Failure is none: faults do its work. */
void lm_pager_start(void);

/* End it, before what must hold for all threads of the process and is not asked
 * of the kernel for each (its credentials), and keep it away until that is
 * done. */
void lm_pager_stop(void);
void lm_pager_resume(void);
/* Or, in place of that: away for good, in children, too. The program has said
 * which calls may be made from now on, and clone may not be among them. */
void lm_pager_forgo(void);
bool lm_pager_forgone(void);

/* End it, and leave it so for a while: the program looks at its threads. In
 * ordinary context. */
void lm_pager_hide(void);

/* There is little room left. Async-signal-safe; costs a load when it has been
 * told already, or there is no pager. */
void lm_pager_wake(void);

/* Something that does not wait for a pause has come up (ahead.c), and can be
 * seen by now. Async-signal-safe. */
void lm_pager_call(void);

/* A stream of the thread that `who` stands for will want so many pages free.
 * Async-signal-safe; costs little where they are, or there is no pager. */
void lm_pager_stream(const void *who, size_t pages);

/* Is there one? */
bool lm_pager_runs(void);

/* In a forked child: it does not run here. */
void lm_pager_forked(void);

#endif
