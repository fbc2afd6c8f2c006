/*
 * locale.c -- the global locale, which the C library looks at in every thread
 * that it starts while all signals are blocked: a fault there would be fatal.
 * What it looks at has been allocated; where the program's allocator is not the
 * C library's own, in lazy memory. So it stays.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "preload.h"

#include "../area.h"

#include <locale.h>

/* What begins a category's data, and points to its tables. */
#define BEGIN 256

/* For good: threads start at any time, and nobody tells when the data is freed.
 * The tables are mapped files, or the C library's. */
static void keep(void)
{
#ifdef __GLIBC__
	int saved = errno;
	locale_t copy = duplocale(LC_GLOBAL_LOCALE);

	if (copy) {
		lm_access_keep((uintptr_t)copy->__locales[LC_CTYPE], BEGIN, 0);
		freelocale(copy);
	}
	errno = saved;
#endif
}

LM_EXPORT char *setlocale(int category, const char *name)
{
	char *ret = REAL(setlocale)(category, name);

	if (ret && name && (category == LC_CTYPE || category == LC_ALL) &&
	    !lm_shim_off() && lm_area_ever())
		keep();
	return ret;
}
