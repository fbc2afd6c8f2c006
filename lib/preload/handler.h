/*
 * handler.h -- how the program's signal handlers are entered: by way of ours,
 * which see to their frames.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_PRELOAD_HANDLER_H
#define LM_PRELOAD_HANDLER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does it move frames to where the program wants them? Then every action with a
 * function is lm_handler_kernel()'s, else only the stand-in's. */
#ifdef __x86_64__
#define LM_HANDLER_MOVES 1
#else
#define LM_HANDLER_MOVES 0
#endif

/* The kernel's action in place of the program's: another function, and the flags
 * that it needs. */
void lm_handler_kernel(struct sigaction *act);

/* Was this one, which the kernel has for sig, made so? */
bool lm_handler_entered(int sig, const struct sigaction *act);

/* The program's action behind it. Writers have the lock of the actions; readers
 * need none. Async-signal-safe. */
struct sigaction lm_handler_kept(int sig);
void lm_handler_keep(int sig, const struct sigaction *act);

/*
 * Where the frame of a handler belongs that interrupted code at stack pointer
 * sp: its end, and in *bottom the end of the stack, where that is the program's
 * alternate one, else 0. Returns 0 if it is to stay where it is.
 */
uintptr_t lm_stack_for(uintptr_t sp, uintptr_t red_zone, bool alternate,
		       uintptr_t *bottom);

/* The end of lazymap's stack, and in *bottom where it begins, for the frame at
 * `at` to return from; 0: there is none, or the frame is there already. */
uintptr_t lm_stack_for_return(uintptr_t at, uintptr_t *bottom);

/* In a frame: the kernel's alternate stack, which is ours, becomes the one that
 * the program has asked for, and back. False: it is not ours. */
bool lm_stack_show(stack_t *stack);
void lm_stack_back(stack_t *stack);

#endif
