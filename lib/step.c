/*
 * step.c -- the hook of step.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "step.h"

_Atomic(lm_step_fn) lm_step_hook;
