/*
 * run.c -- `lazymap run`: put the shim and its options into the environment
 * and become CMD. There is no fork, so the exit status and the signal are the
 * program's own. What the shim cannot reach is said, and run all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/preload/program.h"
#include "tool.h"

#define CLUSTER_MAX (2UL << 20)

/* -- Values: 0 and the value for the library in out, or -EINVAL and why ----- */

static int names_check(const char *value, const char *const *names, char *out,
		       size_t outlen)
{
	size_t n;
	int i;

	for (i = 0; names[i]; i++)
		if (!strcmp(value, names[i]))
			return snprintf(out, outlen, "%s", value) < 0;
	n = (size_t)snprintf(out, outlen, "it is one of");
	for (i = 0; names[i] && n < outlen; i++)
		n += (size_t)snprintf(out + n, outlen - n, "%s %s",
				      i ? "," : "", names[i]);
	return -EINVAL;
}

static int trap_check(const char *value, char *out, size_t outlen)
{
	static const char *const names[] = { "native", "libsigsegv", NULL };

	if (!strcmp(value, "none")) {
		snprintf(out, outlen,
			 "that is for programs that call lazymap_fault()");
		return -EINVAL;
	}
	return names_check(value, names, out, outlen);
}

static int place_check(const char *value, char *out, size_t outlen)
{
	static const char *const names[] = { "auto",    "mem",    "uffd",
					     "inplace", "mremap", NULL };

	return names_check(value, names, out, outlen);
}

/* "64K" and the like, to bytes. */
static int size_parse(const char *value, uint64_t *bytes, char *out,
		      size_t outlen)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)*value))
		goto bad;
	errno = 0;
	*bytes = strtoull(value, &end, 10);
	if (errno)
		goto large;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			goto bad;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (*bytes > ((uint64_t)SIZE_MAX >> 1) >> shift)
		goto large;
	*bytes <<= shift;
	return 0;
bad:
	snprintf(out, outlen, "a size is a number, or one with K, M, G or T");
	return -EINVAL;
large:
	snprintf(out, outlen, "no address space is that large");
	return -EINVAL;
}

static int cluster_check(const char *value, char *out, size_t outlen)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bytes;
	int err = size_parse(value, &bytes, out, outlen);

	if (err)
		return err;
	if (bytes < page || bytes > CLUSTER_MAX || (bytes & (bytes - 1))) {
		snprintf(out, outlen, "it is a power of two from %u to 2M",
			 (unsigned)page);
		return -EINVAL;
	}
	snprintf(out, outlen, "%llu", (unsigned long long)bytes);
	return 0;
}

/* A size of at least `least`. */
static int at_least(const char *value, uint64_t least, char *out, size_t outlen)
{
	uint64_t bytes;
	int err = size_parse(value, &bytes, out, outlen);

	if (err)
		return err;
	if (bytes < least) {
		snprintf(out, outlen, "the least is %lluK",
			 (unsigned long long)least >> 10);
		return -EINVAL;
	}
	snprintf(out, outlen, "%llu", (unsigned long long)bytes);
	return 0;
}

static int resident_check(const char *value, char *out, size_t outlen)
{
	return at_least(value, 256 << 10, out, outlen);
}

static int heap_min_check(const char *value, char *out, size_t outlen)
{
	return at_least(value, 64 << 10, out, outlen);
}

static int swap_check(const char *value, char *out, size_t outlen)
{
	if (!strcmp(value, "none")) {
		snprintf(out, outlen, "none");
		return 0;
	}
	return at_least(value, 64 << 10, out, outlen);
}

static int policy_check(const char *value, char *out, size_t outlen)
{
	static const char *const names[] = { "auto",  "s3fifo", "clock",
					     "sieve", "fifo",   NULL };

	return names_check(value, names, out, outlen);
}

static int min_size_check(const char *value, char *out, size_t outlen)
{
	uint64_t bytes;
	int err = size_parse(value, &bytes, out, outlen);

	if (err)
		return err;
	if (!bytes) {
		snprintf(out, outlen, "the least is 1, for every mapping");
		return -EINVAL;
	}
	snprintf(out, outlen, "%llu", (unsigned long long)bytes);
	return 0;
}

/*
 * The file is emptied now, and each process adds to it as it ends. It is named
 * from the root, for the program may change its directory.
 */
static int file_check(const char *value, char *out, size_t outlen)
{
	char cwd[PATH_MAX] = "";
	struct stat st;
	int fd, n;

	if (!*value) {
		snprintf(out, outlen, "a file has a name");
		return -EINVAL;
	}
	if (stat(value, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = S_ISDIR(st.st_mode) ? -1 : access(value, W_OK);
		errno = S_ISDIR(st.st_mode) ? EISDIR : errno;
	} else {
		fd = open(value, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0666);
		if (fd >= 0)
			close(fd);
	}
	if (fd < 0) {
		snprintf(out, outlen, "%s", strerror(errno));
		return -EINVAL;
	}
	if (*value != '/' && !getcwd(cwd, sizeof(cwd))) {
		snprintf(out, outlen, "where is it? %s", strerror(errno));
		return -EINVAL;
	}
	n = snprintf(out, outlen, "%s%s%s", cwd, *cwd ? "/" : "", value);
	if (n < 0 || (size_t)n >= outlen) {
		snprintf(out, outlen, "%s", strerror(ENAMETOOLONG));
		return -EINVAL;
	}
	return 0;
}

/* -- The options: one line each ---------------------------------------------- */

struct row {
	const char *name;
	const char *arg; /* its name in the help; "[FILE]": may be missing;
			  * NULL: none */
	const char *variable;
	const char *plain; /* the variable's value without an argument */
	int (*check)(const char *value, char *out, size_t outlen);
	const char *help;
};

static const struct row rows[] = {
	{ "stats", "[FILE]", "LAZYMAP_STATS", "1", file_check,
	  "print what happened at exit, to stderr or FILE" },
	{ "trap", "NAME", "LAZYMAP_TRAP", NULL, trap_check,
	  "how faults arrive: native, libsigsegv" },
	{ "place", "NAME", "LAZYMAP_PLACE", NULL, place_check,
	  "how copied pages appear: auto, mem, uffd, inplace, mremap" },
	{ "cluster", "SIZE", "LAZYMAP_CLUSTER", NULL, cluster_check,
	  "bytes that one fault brings in, 4K to 2M [64K]" },
	{ "min-size", "SIZE", "LAZYMAP_MIN_SIZE", NULL, min_size_check,
	  "smallest mapping to make lazy; 1: all [64K]" },
	{ "resident", "SIZE", "LAZYMAP_RESIDENT", NULL, resident_check,
	  "limit of memory in lazy mappings; the rest is evicted" },
	{ "heap", NULL, "LAZYMAP_HEAP", "1", NULL,
	  "make large allocations of malloc lazy, too" },
	{ "heap-min", "SIZE", "LAZYMAP_HEAP_MIN", NULL, heap_min_check,
	  "smallest allocation to make lazy [1M]" },
	{ "policy", "NAME", "LAZYMAP_POLICY", NULL, policy_check,
	  "what goes first: auto, s3fifo, clock, sieve, fifo" },
	{ "swap-pool", "SIZE", "LAZYMAP_SWAP_POOL", NULL, swap_check,
	  "memory for compressed pages, or none [a quarter of the limit]" },
	{ "swap-max", "SIZE", "LAZYMAP_SWAP_MAX", NULL, swap_check,
	  "bytes of swap file, or none [64G]" },
	{ "swap-encrypt", NULL, "LAZYMAP_SWAP_ENCRYPT", "1", NULL,
	  "encrypt the swap file, with a random key" },
	{ "strict", NULL, "LAZYMAP_STRICT", "1", NULL,
	  "with swap full, fail instead of exceeding the limit" },
	{ "no-guard", NULL, "LAZYMAP_GUARD", "0", NULL,
	  "hide pages by their protection only, not by guard regions" },
	{ "io-uring", NULL, "LAZYMAP_IO_URING", "1", NULL,
	  "let the program use io_uring: it pins its buffers" },
	{ "no-syscall-trap", NULL, "LAZYMAP_SYSCALL_TRAP", "0", NULL,
	  "leave system calls made without libc's functions alone" },
	{ "no-follow", NULL, "LAZYMAP_FOLLOW", "0", NULL,
	  "programs that CMD starts run without lazymap" },
};
#define ROWS (sizeof(rows) / sizeof(*rows))

void lm_run_help(void)
{
	char left[64];
	size_t i;

	for (i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		const char *arg = row->arg ? row->arg : "";

		if (*arg == '[')
			snprintf(left, sizeof(left), "--%s[=%s", row->name,
				 arg + 1);
		else
			snprintf(left, sizeof(left), "--%s %s", row->name, arg);
		printf("  %-18s %s\n", left, row->help);
	}
}

int lm_run_check(const char *variable, const char *value, char *out,
		 size_t outlen)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].variable, variable) && rows[i].check)
			return rows[i].check(value, out, outlen);
	snprintf(out, outlen, "%s", value);
	return 0;
}

static int set(const char *variable, const char *value)
{
	if (setenv(variable, value, 1) == 0)
		return 0;
	lm_tool_say("cannot set %s: %s", variable, strerror(errno));
	return LM_TOOL_FAILED;
}

/* One option of the command line, into the environment. 0 or exit's status. */
static int apply(const struct row *row, const char *value)
{
	char out[2 * PATH_MAX];

	if (!value)
		return set(row->variable, row->plain);
	if (row->check(value, out, sizeof(out))) {
		lm_tool_say("--%s '%s': %s", row->name, value, out);
		return LM_TOOL_USAGE;
	}
	return set(row->variable, out);
}

/* Parse until CMD. 0 with optind at CMD, -1: help was asked for and given. */
static int parse(int argc, char **argv)
{
	struct option options[ROWS + 2];
	size_t i;
	int c, err, index;

	memset(options, 0, sizeof(options));
	for (i = 0; i < ROWS; i++) {
		const char *arg = rows[i].arg;

		options[i].name = rows[i].name;
		options[i].has_arg = !arg          ? no_argument
				     : *arg == '[' ? optional_argument
						   : required_argument;
	}
	options[ROWS].name = "help";
	options[ROWS].val = 'h';

	while ((c = getopt_long(argc, argv, "+h", options, &index)) != -1) {
		if (c == 'h') {
			puts("lazymap run [OPTION]... [--] CMD [ARG]...");
			lm_run_help();
			return -1;
		}
		if (c != 0)
			return LM_TOOL_USAGE; /* getopt said what is wrong */
		err = apply(&rows[index], optarg);
		if (err)
			return err;
	}
	if (optind < argc && *argv[optind])
		return 0;
	lm_tool_say("run: no command is given: lazymap run [OPTION]... CMD");
	return LM_TOOL_USAGE;
}

/* -- Running ------------------------------------------------------------------ */

/* The module of the trap that is asked for must be here. */
static int trap_present(void)
{
	const char *trap = getenv("LAZYMAP_TRAP");
	char path[PATH_MAX];

	if (!trap || strcmp(trap, "libsigsegv") != 0 ||
	    lm_tool_find(LM_TOOL_SIGSEGV, path) == 0)
		return 0;
	lm_tool_say("the trap libsigsegv is not installed: no %s in %s",
		    LM_TOOL_SIGSEGV, lm_tool_where());
	return LM_TOOL_FAILED;
}

/* And the cipher's. */
static int cipher_present(void)
{
	const char *encrypt = getenv("LAZYMAP_SWAP_ENCRYPT");
	char path[PATH_MAX];

	if (!encrypt || !*encrypt || !strcmp(encrypt, "0") ||
	    lm_tool_find(LM_TOOL_SODIUM, path) == 0)
		return 0;
	lm_tool_say("swap cannot be encrypted: no %s in %s", LM_TOOL_SODIUM,
		    lm_tool_where());
	return LM_TOOL_FAILED;
}

/* The library goes before what is preloaded already. 0 or exit's status. */
static int preload(const char *name)
{
	const char *old = getenv("LD_PRELOAD");
	char shim[PATH_MAX], *list;
	int err;

	if (lm_tool_find(name, shim)) {
		lm_tool_say("cannot find %s in %s", name, lm_tool_where());
		return LM_TOOL_FAILED;
	}
	/* ld.so separates names by both, and knows no way to quote them. */
	if (strpbrk(shim, ": \t\n")) {
		lm_tool_say("LD_PRELOAD cannot name %s: it has a space or a "
			    "colon",
			    shim);
		return LM_TOOL_FAILED;
	}
	if (!old || !*old)
		return set("LD_PRELOAD", shim);
	if (asprintf(&list, "%s:%s", shim, old) < 0) {
		lm_tool_say("%s", strerror(ENOMEM));
		return LM_TOOL_FAILED;
	}
	err = set("LD_PRELOAD", list);
	free(list);
	return err;
}

int lm_run_main(int argc, char **argv)
{
	struct lm_program program;
	int err;

	err = parse(argc, argv);
	if (err)
		return err < 0 ? 0 : err;
	argv += optind;
	/* The table has a line for the time, which costs little beside it. */
	if (getenv("LAZYMAP_STATS"))
		setenv("LAZYMAP_TIME", "1", 0);
	err = trap_present();
	if (!err)
		err = cipher_present();
	if (err)
		return err;

	err = lm_program_look(argv[0], 1, &program);
	if (err == 0 && program.why)
		lm_tool_say("warning: %s %s: it runs untouched", program.path,
			    program.why);
	/* The C library of such a program would refuse the shim and end. */
	if (err != 0 || !program.refuses) {
		err = getenv("LAZYMAP_HEAP") ? preload(LM_TOOL_HEAP) : 0;
		if (!err)
			err = preload(LM_TOOL_SHIM);
		if (err)
			return err;
	}

	fflush(stdout);
	execvp(argv[0], argv);
	err = errno;
	if (err == ENOENT && !program.found) {
		lm_tool_say("%s: not found", argv[0]);
		return LM_TOOL_NOTFOUND;
	}
	lm_tool_say("cannot run %s: %s", argv[0],
		    err == ENOENT ? "its interpreter is not found"
				  : strerror(err));
	return LM_TOOL_NOEXEC;
}
