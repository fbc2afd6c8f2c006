/*
 * error.c -- the error callback.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fault.h"

#include <string.h>

static _Atomic(lazymap_error_fn) callback;
static _Atomic(void *) callback_data;

void lazymap_on_error(lazymap_error_fn fn, void *data)
{
	/* The function last: who sees it sees its data, but for the instant
	 * in which one function replaces another. */
	atomic_store(&callback, NULL);
	atomic_store(&callback_data, data);
	atomic_store(&callback, fn);
}

int lm_error_report(int kind, int error, uintptr_t addr, const char *what)
{
	lazymap_error_fn fn = atomic_load(&callback);
	struct lazymap_error report = {
		.size = sizeof(report),
		.kind = kind,
		.error = error,
		.addr = (void *)addr,
		.what = what,
	};
	int ret = 0;

	if (fn)
		ret = fn(&report, atomic_load(&callback_data));
	/* A failed read speaks by SIGBUS. */
	if (!ret && kind != LAZYMAP_ERROR_READ)
		lm_os_say(what);
	return ret;
}
