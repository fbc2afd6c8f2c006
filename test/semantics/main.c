/*
 * main.c -- runs the cases of the table, each in a process of its own, and
 * prints their records.
 *
 *	semantics [-m kernel|lazymap] [TEXT...]   cases whose name holds a TEXT
 *	semantics -d                              the manual's page
 *
 * With -m a case that is known to differ prints one line, the same in both
 * modes, if its record is the one that the table says; so the outputs of the
 * kernel and of lazymap are to be equal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <poll.h>

#define SECONDS 120

static struct sem_case *cases;
static const char *mode;

/* The order of the manual's page. */
static const char *const groups[] = {
	"mmap",          "MAP_FIXED",       "not lazy",
	"MAP_PRIVATE",   "MAP_SHARED file", "MAP_SHARED anonymous",
	"end of file",   "munmap",          "mprotect",
	"mremap",        "msync",           "madvise",
	"posix_madvise", "mincore",         "mlock",
	"fork",          "process",         "files",
	"limits",        "rare calls",      "seen from outside",
};

static size_t rank(const struct sem_case *one)
{
	size_t i = 0;

	while (i < sizeof(groups) / sizeof(groups[0]) &&
	       strcmp(groups[i], one->group))
		i++;
	return i;
}

static bool before(const struct sem_case *a, const struct sem_case *b)
{
	int files = strcmp(a->file, b->file);

	if (rank(a) != rank(b))
		return rank(a) < rank(b);
	return files ? files < 0 : a->line < b->line;
}

void sem_register(struct sem_case *one)
{
	struct sem_case **at = &cases;

	while (*at && before(*at, one))
		at = &(*at)->next;
	one->next = *at;
	*at = one;
}

static void run_child(const struct sem_case *one, int to)
{
	dup2(to, 900);
	close(to);
	alarm(SECONDS);
	one->run();
	_exit(0);
}

static void ending(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "ends: SIG%s\n",
			 sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(text, size, "ends: exit %d\n", WEXITSTATUS(status));
	else
		*text = '\0';
}

/* Until the case itself has ended: a stray grandchild may keep the pipe. */
static size_t collect(int from, pid_t pid, char *record, size_t size)
{
	size_t len = 0;
	int status = 0;
	bool ended = false;

	for (;;) {
		struct pollfd poll_fd = { from, POLLIN, 0 };
		ssize_t n = 0;

		if (poll(&poll_fd, 1, ended ? 0 : 20) > 0)
			n = read(from, record + len, size - len - 64);
		if (n > 0)
			len += (size_t)n;
		else if (ended)
			break;
		if (!ended)
			ended = waitpid(pid, &status, WNOHANG) == pid;
	}
	ending(status, record + len, 64);
	return len + strlen(record + len);
}

#define OR "` or `"

/* Is it what is wanted, or one of several? */
static bool one_of(const char *want, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = want; at; at = strstr(at, OR)) {
		if (at != want)
			at += strlen(OR);
		if (!strncmp(at, line, len) &&
		    (!at[len] || !strncmp(at + len, OR, strlen(OR))))
			return true;
	}
	return false;
}

static bool as_documented(const struct sem_case *one, const char *record)
{
	const char *want =
		mode && !strcmp(mode, "lazymap") ? one->lazymap : one->kernel;
	char line[16384];
	size_t n = 0;

	if (!mode || !one->why || !strncmp(record, "skipped:", 8))
		return false;
	if (!want)
		return true;
	for (; *record && n < sizeof(line) - 3; record++) {
		if (*record == '\n' && record[1]) {
			line[n++] = ';';
			line[n++] = ' ';
		} else if (*record != '\n') {
			line[n++] = *record;
		}
	}
	line[n] = '\0';
	return one_of(want, line);
}

static void print(const struct sem_case *one, char *record)
{
	char *line, *save;

	printf("%s: %s\n", one->group, one->title);
	if (as_documented(one, record)) {
		printf("\tdiffers as documented\n");
		return;
	}
	for (line = strtok_r(record, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		printf("\t%s\n", line);
}

static void run(const struct sem_case *one)
{
	static char record[65536];
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(ends) < 0 || (pid = fork()) < 0) {
		perror("semantics");
		exit(1);
	}
	if (!pid) {
		close(ends[0]);
		run_child(one, ends[1]);
	}
	close(ends[1]);
	record[collect(ends[0], pid, record, sizeof(record))] = '\0';
	close(ends[0]);
	print(one, record);
}

/* -- The manual's page --------------------------------------------------------- */

static void document_differences(const char *group)
{
	for (const struct sem_case *one = cases; one; one = one->next) {
		if (!one->why || strcmp(one->group, group))
			continue;
		printf("\nDiffers: **%s**. %s\n\n", one->title, one->why);
		if (one->kernel)
			printf("- the kernel: `%s`\n", one->kernel);
		printf("- lazymap: `%s`\n", one->lazymap);
	}
}

static void document(void)
{
	const char *group = NULL;

	printf("# mmap, call by call\n\n"
	       "What a program sees of a lazy area is what it sees of the "
	       "kernel's own\nmapping, through the library and under `lazymap "
	       "run`. Each line is a case of\n`test/semantics/`, which "
	       "`make check` runs on the kernel, under the shim and\nwith the "
	       "library, and compares: results, errno, bytes, signals and "
	       "their\ncodes. Where lazymap differs, the line says so, and "
	       "below it stand the reason\nand both outcomes.\n\n"
	       "This page is printed by `semantics -d`, and a test compares "
	       "it.\n");
	for (const struct sem_case *one = cases; one; one = one->next) {
		if (!group || strcmp(group, one->group)) {
			if (group)
				document_differences(group);
			group = one->group;
			printf("\n## %s\n\n| case | on lazymap |\n|---|---|\n",
			       group);
		}
		printf("| %s | %s |\n", one->title,
		       one->why ? "**differs**" : "the same");
	}
	if (group)
		document_differences(group);
}

static bool wanted(const struct sem_case *one, char **texts)
{
	char name[512];

	if (!*texts)
		return true;
	snprintf(name, sizeof(name), "%s: %s", one->group, one->title);
	for (; *texts; texts++)
		if (strstr(name, *texts))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "dm:")) != -1) {
		switch (option) {
		case 'd':
			document();
			return fflush(stdout) != 0;
		case 'm':
			mode = optarg;
			break;
		default:
			return 2;
		}
	}
	for (const struct sem_case *one = cases; one; one = one->next)
		if (wanted(one, argv + optind))
			run(one);
	return fflush(stdout) != 0;
}
