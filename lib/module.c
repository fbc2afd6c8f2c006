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

size_t lm_module_dir(const char **dir)
{
	static const char here;
	const char *slash;
	Dl_info info;

	if (!dladdr(&here, &info) || !info.dli_fname)
		return 0;
	*dir = info.dli_fname;
	slash = strrchr(info.dli_fname, '/');
	return slash ? (size_t)(slash - info.dli_fname) : 0;
}

void *lm_module_load(const char *name, const char *symbol)
{
	void *module = NULL;
	const char *dir;
	int len = (int)lm_module_dir(&dir);

	if (len)
		module = load(dir, len, "", name);
	if (len && !module)
		module = load(dir, len, "/lazymap", name);
	if (!module)
		module = load(LM_LIBDIR, (int)strlen(LM_LIBDIR), "/lazymap",
			      name);
	return module ? dlsym(module, symbol) : NULL;
}
