/*
 * descriptors.c -- the table of descriptors as a program sees it: which numbers
 * it is given, which are open, and that closing all of them does no harm to
 * lazy memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char *more;
static size_t used;

static void touch_next(void)
{
	for (int i = 0; i < 40; i++)
		touch(more + PAGE * used++);
}

static void numbers_are_those_without(void)
{
	int fd = open("/dev/null", O_RDONLY), pair[2];

	printf("open %d, dup %d\n", fd, dup(fd));
	if (pipe(pair) == 0)
		printf("pipe %d %d\n", pair[0], pair[1]);
	printf("above 500: %d\n", fcntl(fd, F_DUPFD, 500));
	touch_next();
	close(fd);
	printf("again %d\n", open("/dev/null", O_RDONLY));
}

static void none_is_open_but_the_programs_own(void)
{
	struct stat st;

	touch_next();
	for (int fd = 0; fd < 5000; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d is open\n", fd);
		if (fstat(fd, &st) == 0)
			printf("%d has a status\n", fd);
	}
	touch_next();
}

static void loop_of_close_does_no_harm(void)
{
	int closed = 0;

	touch_next();
	for (int fd = 3; fd < 5000; fd++)
		closed += close(fd) == 0;
	printf("closed %d\n", closed);
	touch_next();
}

static void close_range_does_no_harm(void)
{
	int a = open("/dev/null", O_RDONLY), b = fcntl(a, F_DUPFD, 1000);

	touch_next();
	printf("%d\n", close_range(3, ~0U, 0));
	printf("%d", close(a));
	printf(" %d\n", close(b));
	printf("%d", close_range(9, 8, 0));
	printf(" %s\n", strerror(errno));
	a = open("/dev/null", O_RDONLY);
	b = fcntl(a, F_DUPFD, 1010);
	printf("%d", close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
	printf(" %d %d\n", close(a), close(b));
	touch_next();
}

static void closefrom_does_no_harm(void)
{
	int a = open("/dev/null", O_RDONLY), b = fcntl(a, F_DUPFD, 1000);

	closefrom(3);
	printf("%d %d\n", close(a), close(b));
	touch_next();
}

static void raw_close_does_no_harm(void)
{
	int a = open("/dev/null", O_RDONLY);

	syscall(SYS_close_range, 3, ~0U, 0);
	printf("%d\n", close(a));
	for (int fd = 3; fd < 2000; fd++)
		syscall(SYS_close, fd);
	touch_next();
}

static void dup2_onto_any_number_is_the_program_s(void)
{
	int fds[2];
	char byte;

	if (pipe(fds))
		return;
	for (int number = 900; number < 1024; number++) {
		touch_next();
		if (dup2(fds[1], number) != number ||
		    write(number, "x", 1) != 1 || read(fds[0], &byte, 1) != 1 ||
		    byte != 'x')
			printf("wrong: %d\n", number);
		used -= 40;
	}
	for (int number = 900; number < 1024; number++)
		if (close(number))
			printf("wrong: close %d\n", number);
	printf("done\n");
}

/* How many pages are not what they were filled with. */
static int wrong_pages(void)
{
	int n = 0;

	for (size_t i = 0; i < 2000; i++)
		n += more[i * PAGE] != (char)(i % 120 + 1) ||
		     more[i * PAGE + 4095] != (char)(i % 50);
	return n;
}

static void fill_more(void)
{
	for (size_t i = 0; i < 2000; i++) {
		for (size_t j = 0; j < PAGE; j++)
			more[i * PAGE + j] = (char)rand();
		more[i * PAGE] = (char)(i % 120 + 1);
		more[i * PAGE + 4095] = (char)(i % 50);
	}
}

/* Pages that came back from swap have opened more than those that only went. */
static void none_is_open_in_a_child(void)
{
	pid_t child;
	int status;

	fill_more();
	printf("%d\n", wrong_pages());
	fflush(stdout);
	child = fork();
	if (!child) {
		for (int fd = 0; fd < 5000; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				printf("%d is open\n", fd);
		fflush(stdout);
		_exit(wrong_pages() != 0);
	}
	waitpid(child, &status, 0);
	printf("child %d\n", status);
}

static void memory_survives_what_is_closed(void)
{
	pid_t child;
	int status;

	fill_more();
	printf("%d\n", close_range(3, ~0U, 0));
	for (int fd = 3; fd < 3000; fd++)
		close(fd);
	printf("%d", wrong_pages());
	for (int number = 1000; number < 1100; number++)
		dup2(0, number);
	printf(" %d", wrong_pages());
	fflush(stdout);
	child = fork();
	if (!child) {
		closefrom(3);
		_exit(wrong_pages() != 0);
	}
	waitpid(child, &status, 0);
	for (size_t i = 0; i < 2000; i++)
		more[i * PAGE + 77]++;
	printf(" %d, child %d\n", wrong_pages(), status);
}

static void limit_may_be_small(void)
{
	struct rlimit small = { 8, 8 };
	int fd, n = 0;

	touch_next();
	setrlimit(RLIMIT_NOFILE, &small);
	touch_next();
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	printf("%d, %s\n", n, strerror(errno));
	touch_next();
}

static void every_number_may_be_in_use(void)
{
	int fd, last = -1;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	printf("%d, %s\n", last, strerror(errno));
	touch_next();
	printf("%d\n", open("/dev/null", O_RDONLY));
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(numbers_are_those_without),
		CASE(none_is_open_but_the_programs_own),
		CASE(none_is_open_in_a_child),
		CASE(loop_of_close_does_no_harm),
		CASE(close_range_does_no_harm),
		CASE(closefrom_does_no_harm),
		CASE(raw_close_does_no_harm),
		CASE(dup2_onto_any_number_is_the_program_s),
		CASE(memory_survives_what_is_closed),
		CASE(limit_may_be_small),
		CASE(every_number_may_be_in_use),
		{ NULL, NULL },
	};

	more = lazy(4096);
	/* Whoever starts this test may have more open. */
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	return run_cases(cases, argc, argv);
}
