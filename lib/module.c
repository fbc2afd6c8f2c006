/*
 * module.c -- finding and loading modules. See module.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void *load(const char *dir, int len, const char *sub, const char *name)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%.*s%s/lazymap-%s.so", len, dir,
			 sub, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

void *lm_module_load(const char *name, const char *symbol)
{
	static const char here;
	void *module = NULL;
	const char *slash;
	Dl_info info;

	if (dladdr(&here, &info) && info.dli_fname &&
	    (slash = strrchr(info.dli_fname, '/'))) {
		int len = (int)(slash - info.dli_fname);

		module = load(info.dli_fname, len, "", name);
		if (!module)
			module = load(info.dli_fname, len, "/lazymap", name);
	}
	if (!module)
		module = load(LM_LIBDIR, (int)strlen(LM_LIBDIR), "/lazymap",
			      name);
	return module ? dlsym(module, symbol) : NULL;
}
