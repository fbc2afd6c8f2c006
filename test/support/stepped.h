/*
 * stepped.h -- what happens between any two instructions of a function.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STEPPED_H
#define STEPPED_H

#include <stdbool.h>

/* Can this processor stop after each instruction? */
bool stepped_can(void);

/* `run`, and, when so many of its instructions are done, `meanwhile` once, in a
 * signal's handler. False: it had fewer, and meanwhile was not called. `run` must
 * not block SIGTRAP there. */
bool stepped_run(void (*run)(void), unsigned instructions,
		 void (*meanwhile)(void));

#endif
