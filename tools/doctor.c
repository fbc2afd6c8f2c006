/*
 * doctor.c -- `lazymap doctor`: shows what probe.c found, the kernel's
 * settings and the process's limits, and what lazymap will therefore use. The
 * rows are gathered first and then printed, as a table or as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guard.h"
#include "lazymap.h"
#include "place/ladder.h"
#include "place/place.h"
#include "probe.h"
#include "tool.h"

enum verdict { NO, YES, FACT };

struct row {
	const char *group, *name;
	enum verdict verdict;
	char text[2 * PATH_MAX];
};

#define ROWS_MAX 40
static struct row rows[ROWS_MAX];
static size_t row_count;

__attribute__((format(printf, 4, 5))) static void add(const char *group,
						      const char *name,
						      enum verdict verdict,
						      const char *format, ...)
{
	struct row *row = &rows[row_count];
	va_list ap;

	if (row_count == ROWS_MAX)
		return;
	row_count++;
	row->group = group;
	row->name = name;
	row->verdict = verdict;
	va_start(ap, format);
	vsnprintf(row->text, sizeof(row->text), format, ap);
	va_end(ap);
}

/* A probe's answer; `text` says what it is good for. */
static int add_probe(const char *group, const char *name, int err,
		     const char *text)
{
	if (err)
		add(group, name, NO, "%s (%s)", text, strerror(-err));
	else
		add(group, name, YES, "%s", text);
	return err;
}

/* -- What is looked at -------------------------------------------------------- */

/* The first line of a file of the kernel's, or NULL. */
static const char *setting(const char *path)
{
	static char line[128];
	FILE *f = fopen(path, "re");

	if (!f)
		return NULL;
	line[0] = '\0';
	if (fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	fclose(f);
	return line;
}

static void add_setting(const char *group, const char *name, const char *path)
{
	const char *value = setting(path);

	add(group, name, FACT, "%s", value ? value : "cannot be read");
}

static void add_limit(const char *name, int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit))
		add("limits", name, FACT, "%s", strerror(errno));
	else if (limit.rlim_cur == RLIM_INFINITY)
		add("limits", name, FACT, "unlimited");
	else
		add("limits", name, FACT, "%llu",
		    (unsigned long long)limit.rlim_cur);
}

static void look_kernel(void)
{
	struct utsname u;

	if (uname(&u) == 0)
		add("kernel", "release", FACT, "%s %s %s", u.sysname, u.release,
		    u.machine);
	add("kernel", "page size", FACT, "%ld", sysconf(_SC_PAGESIZE));
	add("kernel", "processors", FACT, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	add_setting("kernel", "vm.max_map_count", "/proc/sys/vm/max_map_count");
	add_setting("kernel", "vm.overcommit_memory",
		    "/proc/sys/vm/overcommit_memory");
	add_limit("RLIMIT_AS", RLIMIT_AS);
	add_limit("RLIMIT_NOFILE", RLIMIT_NOFILE);
	add_limit("RLIMIT_MEMLOCK", RLIMIT_MEMLOCK);
	add_limit("RLIMIT_FSIZE", RLIMIT_FSIZE);
}

static void look_huge(void)
{
	static const char thp[] = "/sys/kernel/mm/transparent_hugepage";
	static const char *const names[] = { "enabled", "defrag",
					     "shmem_enabled" };
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", thp, names[i]);
		add_setting("huge pages", names[i], path);
	}
	add_probe("huge pages", "MADV_HUGEPAGE", lm_probe_huge(),
		  "a 2 MiB page at the first touch");
}

/* -- What permits what -------------------------------------------------------- */

static int look_traps(void)
{
	char path[PATH_MAX];
	int err;

	err = add_probe("traps", "SIGSEGV", lm_probe_fault(),
			"a handler repairs a fault");
	if (lm_tool_find(LM_TOOL_SIGSEGV, path))
		add("traps", "libsigsegv", NO, "no %s in %s", LM_TOOL_SIGSEGV,
		    lm_tool_where());
	else
		add_probe("traps", "libsigsegv", lm_probe_load(path), path);
	add_probe("traps", "seccomp", lm_probe_seccomp(),
		  "a filter turns a system call into SIGSYS");
	return err;
}

static void look_uffd(void)
{
	uint64_t features;

	add_probe("userfaultfd", "system call", lm_probe_uffd_call(),
		  "userfaultfd(2)");
	add_probe("userfaultfd", "device", lm_probe_uffd_device(),
		  "/dev/userfaultfd");
	add_setting("userfaultfd", "vm.unprivileged_userfaultfd",
		    "/proc/sys/vm/unprivileged_userfaultfd");
	if (lm_probe_uffd_features(&features) == 0)
		add("userfaultfd", "features", FACT, "%#llx:%s%s%s",
		    (unsigned long long)features,
		    features & LM_PROBE_UFFD_SIGBUS ? " SIGBUS" : "",
		    features & LM_PROBE_UFFD_WP ? " WP" : "",
		    features & LM_PROBE_UFFD_MOVE ? " MOVE" : "");
}

/* What a way of placing is, for those that read no source. */
static const char *place_text(const char *name)
{
	static const char *const texts[][2] = {
		{ "mem", "a write through /proc/self/mem" },
		{ "uffd", "userfaultfd's UFFDIO_COPY" },
		{ "mremap", "a twin page, moved there" },
		{ "inplace", "access first, for a single thread; never auto" },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!strcmp(texts[i][0], name))
			return texts[i][1];
	return "";
}

/* What a single page takes; what is chosen by is another thing: see ladder.h. */
static void look_place(const struct lm_place *way)
{
	int err = way->probe();
	long ns = err ? err : lm_probe_place_ns(way);
	char text[160];

	if (ns < 0) {
		add_probe("places", way->name, (int)ns, place_text(way->name));
		return;
	}
	snprintf(text, sizeof(text), "%s; %.1f us a page",
		 place_text(way->name), (double)ns / 1000);
	add_probe("places", way->name, 0, text);
}

/* Returns 0, or -errno if no page of a file can be revealed. */
static int look_places(void)
{
	const struct lm_place *way;
	unsigned i;
	int err;

	err = add_probe("places", "direct", lm_probe_direct(),
			"the kernel's own page, revealed by mprotect");
	for (i = 0; (way = lm_place_way(i)); i++)
		look_place(way);
	add_probe("places", "MADV_POPULATE_READ", lm_probe_populate(0),
		  "many pages present in one call");
	add_probe("places", "MADV_POPULATE_WRITE", lm_probe_populate(1),
		  "many pages present and writable in one call");
	return err;
}

/* Also where the environment has them off. */
static void look_guards(void)
{
	static const char text[] = "a page hidden without a VM area of its own";

	lm_guard_look();
	lm_guard_look_files();
	lm_guard_look_over();
	add("guard regions", "anonymous memory", lm_guard_anonymous(), "%s",
	    text);
	add("guard regions", "files", lm_guard_files(), "%s", text);
	add("guard regions", "stores", lm_guard_stores(),
	    "a store's page placed by one call");
}

/* -- What will be used -------------------------------------------------------- */

static int permitted(const char *name)
{
	size_t i;

	for (i = 0; i < row_count; i++)
		if (!strcmp(rows[i].name, name) && rows[i].verdict == YES)
			return 1;
	return 0;
}

/* The environment's choice, else `otherwise`. 1 if the choice is wrong. */
static int chosen(const char *variable, const char *otherwise, char *out,
		  size_t outlen)
{
	const char *value = getenv(variable);

	if (!value || !*value) {
		snprintf(out, outlen, "%s", otherwise);
		return 0;
	}
	return lm_run_check(variable, value, out, outlen) != 0;
}

static int use_trap(void)
{
	char value[256];

	if (chosen("LAZYMAP_TRAP", "native", value, sizeof(value))) {
		add("in use", "trap", NO, "LAZYMAP_TRAP: %s", value);
		return -EINVAL;
	}
	if (!permitted("SIGSEGV") ||
	    (!strcmp(value, "libsigsegv") && !permitted(value))) {
		add("in use", "trap", NO, "%s is not to be had here", value);
		return -ENOENT;
	}
	add("in use", "trap", YES, "%s", value);
	return 0;
}

static bool guards_off(void)
{
	const char *value = getenv("LAZYMAP_GUARD");

	return value && !strcmp(value, "0");
}

/* Of what a store has read into hidden pages: timed here as the core does it. */
static void use_ladder(bool asked)
{
	static const char *const names[] = { "UFFDIO_COPY", "mem" };
	enum lm_ladder_way way, other;
	const char *why = NULL;
	int err;

	if (asked)
		why = "LAZYMAP_PLACE";
	else if (!lm_place_copies())
		why = "no UFFDIO_COPY into hidden pages";
	else if (lm_place != &lm_place_mem)
		why = "mem is not permitted";
	if (why) {
		add("in use", "placing", YES, "%s: %s", lm_place->name, why);
		return;
	}
	err = lm_probe_ladder();
	way = lm_ladder_choice();
	other = way == LM_LADDER_COPY ? LM_LADDER_MEM : LM_LADDER_COPY;
	if (err)
		add("in use", "placing", YES, "%s: not timed (%s)", names[way],
		    strerror(-err));
	else
		add("in use", "placing", YES,
		    "%s: %.2f us a page of 64 KiB, by %s %.2f%s", names[way],
		    lm_ladder_ns(way) / 1000.0, names[other],
		    lm_ladder_ns(other) / 1000.0,
		    way == LM_LADDER_COPY ? "; left for less than 3/4 of it"
					  : "");
}

/* The core's own choice. */
static int use_place(void)
{
	char value[256];
	int err;

	if (chosen("LAZYMAP_PLACE", "auto", value, sizeof(value))) {
		add("in use", "place", NO, "LAZYMAP_PLACE: %s", value);
		return -EINVAL;
	}
	err = lm_place_start(value);
	if (err)
		add("in use", "place", NO, "%s: %s", value, strerror(-err));
	else
		add("in use", "place", YES, "%s", lm_place->name);
	if (!err)
		use_ladder(strcmp(value, "auto") != 0);
	return err;
}

static void use_guards(void)
{
	const char *text = "protection";

	if (guards_off())
		text = "protection: LAZYMAP_GUARD is 0";
	else if (lm_guard_files())
		text = "guard regions";
	else if (lm_guard_anonymous())
		text = "guard regions; of files, protection";
	add("in use", "hiding", YES, "%s", text);
}

static int use_cluster(void)
{
	char value[256];

	if (chosen("LAZYMAP_CLUSTER", "65536", value, sizeof(value))) {
		add("in use", "cluster", NO, "LAZYMAP_CLUSTER: %s", value);
		return -EINVAL;
	}
	add("in use", "cluster", YES, "%s", value);
	return 0;
}

static int use_shim(void)
{
	char path[PATH_MAX];

	if (lm_tool_find(LM_TOOL_SHIM, path)) {
		add("in use", "shim", NO, "no %s in %s", LM_TOOL_SHIM,
		    lm_tool_where());
		return -ENOENT;
	}
	return add_probe("in use", "shim", lm_probe_load(path), path);
}

/* -- Printing ----------------------------------------------------------------- */

static const char *const words[] = { "no", "yes", "" };

static void print_table(void)
{
	size_t i;

	for (i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];

		if (!i || strcmp(row->group, rows[i - 1].group) != 0)
			printf("%s%s\n", i ? "\n" : "", row->group);
		printf("  %-28s%-5s%s\n", row->name, words[row->verdict],
		       row->text);
	}
}

static void print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* {"GROUP": {"NAME": {"ok": true, "text": "..."}, ...}, ...} */
static void print_json(int healthy)
{
	size_t i;

	printf("{\"ok\": %s", healthy ? "true" : "false");
	for (i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];
		int first = !i || strcmp(row->group, rows[i - 1].group) != 0;

		if (first) {
			fputs(i ? "\n},\n" : ",\n", stdout);
			print_string(row->group);
			fputs(": {\n  ", stdout);
		} else
			fputs(",\n  ", stdout);
		print_string(row->name);
		fputs(": {", stdout);
		if (row->verdict != FACT)
			printf("\"ok\": %s, ", row->verdict ? "true" : "false");
		fputs("\"text\": ", stdout);
		print_string(row->text);
		putchar('}');
	}
	puts("\n}}");
}

int lm_doctor_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, json = 0, bad = 0;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (c == 'h') {
			puts("lazymap doctor [--json]");
			return 0;
		}
		if (c != 'j')
			return LM_TOOL_USAGE; /* getopt said what is wrong */
		json = 1;
	}
	if (optind < argc) {
		lm_tool_say("doctor: '%s' is one word too many", argv[optind]);
		return LM_TOOL_USAGE;
	}

	look_kernel();
	look_huge();
	bad |= look_traps();
	look_uffd();
	bad |= look_places();
	look_guards();
	bad |= use_trap();
	bad |= use_place();
	use_guards();
	bad |= use_cluster();
	bad |= use_shim();
	if (json)
		print_json(!bad);
	else
		print_table();
	return bad ? 1 : 0;
}
