/*
 * process.c -- the ends of a process that run no destructors, and children.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../os.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* The process whose memory this is. In a page that the kernel wipes in a forked
 * child, but not in a vfork child, whose memory it is not. */
static _Atomic int *owner; /* the pointer: immutable after the start */

static void own(void)
{
	atomic_store(owner, (int)lm_sys(SYS_getpid));
}

void lm_process_start(void)
{
	uintptr_t page = lm_os_mmap(0, LM_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (lm_os_failed(page))
		return;
	/* The core did not start if the kernel cannot do this. */
	lm_os_madvise(page, LM_PAGE, MADV_WIPEONFORK);
	owner = (_Atomic int *)page;
	own();
	/* At once: a vfork child of the child would take it for its own. */
	pthread_atfork(NULL, NULL, own);
}

int lm_shim_vforked(void)
{
	int self = (int)lm_sys(SYS_getpid), none = 0;

	return owner && !atomic_compare_exchange_strong(owner, &none, self) &&
	       none != self;
}

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
