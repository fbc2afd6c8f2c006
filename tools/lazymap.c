/*
 * lazymap.c -- the `lazymap` command: its subcommands and what they share.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lazymap.h"
#include "tool.h"

#ifndef LM_LIBDIR
#define LM_LIBDIR "/usr/local/lib"
#endif
#define MODULES LM_LIBDIR "/lazymap"

#define STR_(x) #x
#define STR(x) STR_(x)
#define VERSION                                                                \
	STR(LAZYMAP_VERSION_MAJOR)                                             \
	"." STR(LAZYMAP_VERSION_MINOR) "." STR(LAZYMAP_VERSION_PATCH)

void lm_tool_say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("lazymap: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
}

/* The directory of this executable, with no slash at its end; "" if unknown. */
static const char *own_dir(void)
{
	static char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return dir;
}

static int found(const char *dir, const char *name, char *path)
{
	int n;

	if (!*dir)
		return 0;
	n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return n > 0 && n < PATH_MAX && access(path, R_OK) == 0;
}

int lm_tool_find(const char *name, char *path)
{
	if (found(own_dir(), name, path) || found(MODULES, name, path))
		return 0;
	return -ENOENT;
}

const char *lm_tool_where(void)
{
	static char where[PATH_MAX + sizeof(MODULES) + 8];

	snprintf(where, sizeof(where), "%s or %s", own_dir(), MODULES);
	return where;
}

static void help(void)
{
	puts("lazymap: demand paging inside an ordinary process\n"
	     "\n"
	     "  lazymap run [OPTION]... [--] CMD [ARG]...\n"
	     "      run CMD with its mappings made lazy\n"
	     "  lazymap doctor [--json]\n"
	     "      try what this kernel and container permit\n"
	     "  lazymap sites [--keep DIR] OBJECT...\n"
	     "      count the system calls of a program or library that can be\n"
	     "      caught where they are made; keep where they are\n"
	     "  lazymap --help | --version\n"
	     "\n"
	     "Options of run:");
	lm_run_help();
	puts("\n"
	     "SIZE is a number of bytes, or one with K, M or G after it.\n"
	     "The exit status is CMD's own; 2 for wrong usage, 125 if lazymap\n"
	     "fails, 126 if CMD cannot be run, 127 if it is not found.\n"
	     "More: man lazymap");
}

/* Standard output may be a full disk: then all was not said. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		lm_tool_say("cannot write: %s", strerror(errno));
		return LM_TOOL_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	static char run[] = "lazymap run", doctor[] = "lazymap doctor";
	static char sites[] = "lazymap sites";
	const char *what = argc > 1 ? argv[1] : NULL;

	if (!what) {
		lm_tool_say("no subcommand given: run, doctor, sites or "
			    "--help");
		return LM_TOOL_USAGE;
	}
	if (!strcmp(what, "run")) {
		argv[1] = run;
		return finish(lm_run_main(argc - 1, argv + 1));
	}
	if (!strcmp(what, "doctor")) {
		argv[1] = doctor;
		return finish(lm_doctor_main(argc - 1, argv + 1));
	}
	if (!strcmp(what, "sites")) {
		argv[1] = sites;
		return finish(lm_sites_main(argc - 1, argv + 1));
	}
	if (!strcmp(what, "--help") || !strcmp(what, "-h") ||
	    !strcmp(what, "help")) {
		help();
		return finish(0);
	}
	if (!strcmp(what, "--version") || !strcmp(what, "-V")) {
		puts("lazymap " VERSION);
		return finish(0);
	}
	lm_tool_say("'%s' is neither run, doctor, sites, --help nor --version",
		    what);
	return LM_TOOL_USAGE;
}
