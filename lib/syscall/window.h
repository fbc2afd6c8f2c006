/*
 * window.h -- sites of more than one instruction, where the call's number is
 * in no mov of five bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_WINDOW_H
#define LM_SYSCALL_WINDOW_H

#include "site.h"

/*
 * The instructions right before the syscall at `call` have to be whole, to do
 * the same elsewhere, and to be five bytes together; nothing in their function
 * may jump to behind the first. 0, or -1: not so, or the call is known to be
 * one that has no memory to look at.
 */
int lm_window_find(const struct lm_text *text, const uint8_t *call,
		   struct lm_site *site);

/* Drop those of the sites from number `first` on that something outside their
 * functions might jump into. */
void lm_window_check(const struct lm_text *text, struct lm_sites *sites,
		     size_t first);

#endif
