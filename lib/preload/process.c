/*
 * process.c -- the ends of a process that run no destructors.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include <stdlib.h>
#include <unistd.h>

LM_EXPORT __attribute__((noreturn)) void _exit(int status)
{
	lm_shim_end();
	for (;;)
		lm_sys(SYS_exit_group, status);
}

LM_EXPORT __attribute__((noreturn)) void _Exit(int status)
{
	_exit(status);
}
