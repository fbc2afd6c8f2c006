/*
 * process.c -- children of every kind, and the ends of a process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/syscall.h>

extern char **environ;

static char *more;
static char *shared;
static int errno_of_main;

static void fill(char *at, size_t pages, int with)
{
	for (size_t i = 0; i < pages; i++)
		memset(at + i * PAGE, with + (int)(i % 100), PAGE);
}

/* How many bytes are not what fill() wrote. */
static size_t wrong(const char *at, size_t pages, int with)
{
	size_t n = 0;

	for (size_t i = 0; i < pages * PAGE; i++)
		n += at[i] != (char)(with + (int)(i / PAGE % 100));
	return n;
}

static void ended(const char *what, pid_t child)
{
	int status = 0;

	if (child < 0 || waitpid(child, &status, 0) != child)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %x\n", what, (unsigned)status);
}

static void errno_is_zero_as_main_begins(void)
{
	printf("%s\n", strerror(errno_of_main));
}

static void child_sees_its_parent_s_memory(void)
{
	pid_t child;

	fill(more, 20, 1);
	child = fork();
	if (!child) {
		printf("wrong bytes: %zu\n", wrong(more, 20, 1));
		fill(more, 40, 50);
		printf("wrong bytes: %zu\n", wrong(more, 40, 50));
		_exit(wrong(more + 60 * PAGE, 1, 0) ? 0 : 1);
	}
	ended("child", child);
	printf("wrong bytes: %zu, %d\n", wrong(more, 20, 1), more[30 * PAGE]);
}

#define CHURNED 2048

/* Pages that no compression makes smaller, read and written at random: how many
 * did not hold what they should. */
static size_t churn(uint64_t *at, uint64_t *seed, int visits)
{
	static uint64_t value[CHURNED];
	size_t n = 0;

	for (int i = 0; i < visits; i++) {
		uint64_t *page;
		size_t which;

		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		which = (*seed >> 33) % CHURNED;
		page = at + which * PAGE / sizeof(*at);
		n += *page != value[which];
		if (!value[which])
			for (size_t k = 1; k < 256; k++)
				page[k] = *seed * k * (*seed >> 7 | 1);
		*page = value[which] = *seed;
	}
	return n;
}

static uint64_t *churned, churn_seed = 1;

static int churn_in_child(void *unused)
{
	(void)unused;
	return churn(churned, &churn_seed, 8000) != 0;
}

static pid_t by_instruction(void)
{
#if defined(__x86_64__)
	long ret;

	__asm__ volatile("mov $57, %%eax\n\tsyscall"
			 : "=a"(ret)
			 :
			 : "rcx", "r11", "memory");
	return (pid_t)ret;
#else
	return _Fork();
#endif
}

static pid_t bare_fork(int way)
{
	static uint64_t clone3[8];

	switch (way) {
	case 0:
		return _Fork();
	case 1:
		return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	case 2:
		clone3[4] = SIGCHLD;
		return (pid_t)syscall(SYS_clone3, clone3, sizeof(clone3));
	case 3:
		return by_instruction();
	default: /* on a stack that is lazy itself */
		return clone(churn_in_child, lazy(64) + 64 * PAGE, SIGCHLD,
			     NULL);
	}
}

/* No atfork handler runs: while the child reads what was in swap at the fork its
 * parent goes on to use it. */
static void children_of_bare_forks_see_their_parent_s_memory(void)
{
	churned = mmap(NULL, CHURNED * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int way = 0; way < 5; way++) {
		pid_t child;

		printf("wrong: %zu\n", churn(churned, &churn_seed, 8000));
		fflush(stdout);
		child = bare_fork(way);
		if (!child)
			_exit(churn_in_child(NULL));
		printf("wrong: %zu\n", churn(churned, &churn_seed, 8000));
		ended("child", child);
	}
	munmap(churned, CHURNED * PAGE);
}

static _Atomic int stop;

static void *toucher(void *argument)
{
	for (size_t i = 0; !stop; i = (i + 1) % 300)
		touch((char *)argument + i * PAGE);
	return NULL;
}

static void fork_while_threads_touch(void)
{
	pthread_t threads[3];
	int bad = 0;

	fill(more, 100, 3);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, toucher,
			       more + (200 + 300 * (size_t)i) * PAGE);
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();
		int status;

		madvise(more + 200 * PAGE, 900 * PAGE, MADV_DONTNEED);
		if (!child) {
			bad = wrong(more, 100, 3) != 0;
			for (int j = 0; j < 300; j++)
				touch(more + (size_t)(200 + j * 3) * PAGE);
			_exit(bad);
		}
		waitpid(child, &status, 0);
		bad += status != 0;
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("bad %d\n", bad);
}

static void raw_clone_is_a_fork(void)
{
	long child;

	fill(more, 5, 7);
	child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		touch(more + 400 * PAGE);
		_exit(wrong(more, 5, 7) ? 1 : 5);
	}
	ended("clone", (pid_t)child);
}

/* More than the limit is, and then the thread ends, by itself or by its maker. */
static int end_thread(void *by_number)
{
	size_t len = 2048 * PAGE;
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(at, 1, len);
	if (by_number)
		syscall(SYS_exit, 5);
	return 6;
}

static int map_much(void *unused)
{
	char *memory = lazy(4096);

	(void)unused;
	for (size_t page = 0; page < 64; page++)
		touch(memory + page * PAGE);
	return 3;
}

/* The memory is the parent's, and so is what works on it. */
static void child_that_shares_memory_ends(void)
{
	static char stack[256 * 1024];
	int status = -1;
	pid_t child = clone(map_much, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			    NULL);

	waitpid(child, &status, 0);
	printf("child: %d\n", WEXITSTATUS(status));
	touch(lazy(4096));
}

/* One that uses lazy memory has a stream, another one waits for that with the
 * list of streams, and fork for the list. */
static sem_t stream_is_held;

static void *hold_a_stream(void *page)
{
	FILE *stream = tmpfile();

	flockfile(stream);
	sem_post(&stream_is_held);
	usleep(200000);
	touch(page);
	funlockfile(stream);
	fclose(stream);
	return NULL;
}

static void *flush_all_streams(void *unused)
{
	(void)unused;
	fflush(NULL);
	return NULL;
}

static void fork_takes_streams_before_lazy_memory(void)
{
	char *memory = lazy(64);
	pthread_t holder, flusher;
	int status = -1;
	pid_t child;

	sem_init(&stream_is_held, 0, 0);
	pthread_create(&holder, NULL, hold_a_stream, memory + 40 * PAGE);
	sem_wait(&stream_is_held);
	pthread_create(&flusher, NULL, flush_all_streams, NULL);
	usleep(100000);
	child = fork();
	if (!child) {
		touch(memory);
		exit(fflush(NULL) + 5);
	}
	waitpid(child, &status, 0);
	pthread_join(holder, NULL);
	pthread_join(flusher, NULL);
	printf("child: %d; then %d\n", WEXITSTATUS(status), fflush(NULL));
}

static void child_ends_with_its_first_thread(void)
{
	static char stack[65536] __attribute__((aligned(64)));
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		_exit(end_thread(stack));
	ended("exit by number", child);
	for (int way = 0; way < 2; way++) {
		child = clone(end_thread, stack + sizeof(stack), SIGCHLD,
			      way ? stack : NULL);
		ended("clone", child);
	}
}

static void vfork_child_shares_memory(void)
{
	pid_t child = vfork();

	if (!child) {
		touch(more + 20 * PAGE);
		touch(more + 600 * PAGE);
		_exit(3);
	}
	ended("vfork", child);
	printf("%d %d\n", more[20 * PAGE], more[600 * PAGE]);
	touch(more + 700 * PAGE);
}

static char *self;

static char *copy(char *to, const char *text)
{
	return strcpy(to, text);
}

static void exec_takes_lazy_arguments(void)
{
	char *at = lazy(400);
	char **argv = (char **)(at + PAGE - 16);
	char **env = (char **)(at + 10 * PAGE - 8);
	char *long_one = at + 40 * PAGE - 100;

	memset(long_one, 'y', 50 * 1000);
	memcpy(long_one, "LONG=", 5);
	argv[0] = copy(at + 3 * PAGE - 2, "self");
	argv[1] = copy(at + 5 * PAGE - 3, "arguments");
	argv[2] = copy(at + 7 * PAGE - 1, "two words");
	argv[3] = NULL;
	env[0] = copy(at + 20 * PAGE - 4, "HERE=there");
	env[1] = long_one;
	env[2] = NULL;
	/* They are what they were, and absent again. */
	madvise(at + 200 * PAGE, PAGE, MADV_DONTNEED);
	execve(copy(at + 30 * PAGE - 5, self), argv, env);
	perror("execve");
}

static void arguments(int argc, char **argv)
{
	char *text = getenv("LONG");

	for (int i = 0; i < argc; i++)
		printf("%s|", argv[i]);
	printf("%s|%zu\n", getenv("HERE"), text ? strlen(text) : 0);
}

static void run_ways(char *const *env)
{
	char *argv[] = { self, "arguments", "x", NULL };
	pid_t child;

	fflush(stdout);
	for (int way = 0; way < 8; way++) {
		child = way < 7 ? fork() : vfork();
		if (!child) {
			switch (way) {
			case 0:
				execl(self, self, "arguments", "l", NULL);
				break;
			case 1:
				execle(self, self, "arguments", "le", NULL,
				       env);
				break;
			case 2:
				execlp(self, self, "arguments", "lp", NULL);
				break;
			case 3:
				execv(self, argv);
				break;
			case 4:
				execvp(self, argv);
				break;
			case 5:
				execvpe(self, argv, env);
				break;
			case 6:
				fexecve(open(self, O_RDONLY), argv, env);
				break;
			case 7:
				execve(self, argv, env);
			}
			_exit(99);
		}
		ended("exec", child);
	}
	if (posix_spawn(&child, self, NULL, NULL, argv, env))
		child = -1;
	ended("posix_spawn", child);
	if (posix_spawnp(&child, self, NULL, NULL, argv, env))
		child = -1;
	ended("posix_spawnp", child);
	if (posix_spawn(&child, "/no/such/program", NULL, NULL, argv, env))
		child = -1;
	errno = 0;
	ended("nothing", child);
	printf("system %x\n", (unsigned)system("echo system"));
	fflush(stdout);
	FILE *pipe = popen("echo popen", "r");
	char line[100];

	if (pipe && fgets(line, sizeof(line), pipe))
		printf("%s%x\n", line, (unsigned)pclose(pipe));
}

static void programs_start_in_every_way(void)
{
	run_ways(environ);
}

static void programs_start_with_environments_of_their_own(void)
{
	char *env[] = { "HERE=own", NULL };

	run_ways(env);
	clearenv();
	run_ways(env);
}

static void failed_exec_changes_nothing(void)
{
	char *argv[] = { self, NULL };

	errno = 0;
	printf("%d", execv("/no/such/program", argv));
	printf(" %s\n", strerror(errno));
	printf("%d", execvp("no-such-program", argv));
	printf(" %s\n", strerror(errno));
	printf("%d", execl("/", "/", NULL));
	printf(" %s\n", strerror(errno));
	touch(more);
}

static void *end_with(void *next)
{
	static __thread struct robust_list_head head;

	touch(more);
	head.list.next = next ? next : &head.list;
	head.futex_offset = 8;
	printf("set %ld\n", syscall(SYS_set_robust_list, &head, sizeof(head)));
	return NULL;
}

/* The kernel does without a list of mutexes that it cannot read, or that has no
 * end. */
static void threads_end_with_lists_that_are_none(void)
{
	static struct robust_list loop = { &loop };
	void *next[] = { NULL, &loop, (void *)64, (void *)-64 };
	pthread_t thread;

	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++)
		if (!pthread_create(&thread, NULL, end_with, next[i]))
			pthread_join(thread, NULL);
	printf("ended\n");
}

static void ends_in_every_way(void)
{
	pid_t child;

	for (int way = 0; way < 7; way++) {
		fflush(stdout);
		child = fork();
		if (!child) {
			touch(more);
			touch(shared + (size_t)way * PAGE);
			switch (way) {
			case 0:
				exit(4);
			case 1:
				_exit(4);
			case 2:
				quick_exit(4);
			case 3:
				abort();
			case 4:
				syscall(SYS_exit_group, 4);
				break;
			case 5:
				_Exit(4);
			case 6:
				pthread_exit(NULL);
			}
		}
		ended("end", child);
	}
	for (int way = 0; way < 7; way++)
		printf("%d", shared[(size_t)way * PAGE]);
	printf("\n");
}

static void daemons_live_on(void)
{
	int pair[2];
	char text[200];
	ssize_t n;
	pid_t child;

	if (pipe(pair))
		return;
	fill(more, 3, 9);
	child = fork();
	if (!child) {
		if (daemon(0, 0) == 0)
			dprintf(pair[1], "daemon: %zu wrong, %d\n",
				wrong(more, 3, 9), more[90 * PAGE]);
		_exit(0);
	}
	ended("parent", child);
	close(pair[1]);
	n = read(pair[0], text, sizeof(text));
	printf("%.*s", (int)(n > 0 ? n : 0), text);
}

static void show_ignored(void)
{
	struct sigaction now;

	sigaction(SIGSEGV, NULL, &now);
	printf("ignored: %d\n", now.sa_handler == SIG_IGN);
}

static void spawn(const posix_spawnattr_t *attr)
{
	char *argv[] = { self, "ignored", NULL };
	pid_t child;

	fflush(stdout);
	if (posix_spawn(&child, self, NULL, attr, argv, environ) ||
	    posix_spawnp(&child, self, NULL, attr, argv, environ))
		perror("posix_spawn");
	while (wait(NULL) > 0)
		;
}

static void on_nothing(int sig)
{
	(void)sig;
}

static void ignored_fault_is_handed_down(void)
{
	static void (*const handlers[])(int) = { SIG_IGN, SIG_DFL, on_nothing };
	posix_spawnattr_t attr;
	char line[200];
	sigset_t set;

	snprintf(line, sizeof(line), "'%s' ignored", self);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	for (unsigned i = 0; i < 3; i++) {
		char text[80] = "";
		FILE *from;

		signal(SIGSEGV, handlers[i]);
		spawn(NULL);
		sigemptyset(&set);
		posix_spawnattr_setsigdefault(&attr, &set);
		spawn(&attr);
		sigaddset(&set, SIGSEGV);
		posix_spawnattr_setsigdefault(&attr, &set);
		spawn(&attr);
		fflush(stdout);
		if (system(line))
			perror("system");
		from = popen(line, "r");
		if (from && fgets(text, sizeof(text), from))
			printf("popen: %s", text);
		if (from)
			pclose(from);
		touch(more + i * PAGE);
		show_ignored();
	}
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(errno_is_zero_as_main_begins),
		CASE(child_sees_its_parent_s_memory),
		CASE(fork_while_threads_touch),
		CASE(raw_clone_is_a_fork),
		CASE(children_of_bare_forks_see_their_parent_s_memory),
		CASE(child_that_shares_memory_ends),
		CASE(fork_takes_streams_before_lazy_memory),
		CASE(child_ends_with_its_first_thread),
		CASE(vfork_child_shares_memory),
		CASE(exec_takes_lazy_arguments),
		CASE(programs_start_in_every_way),
		CASE(programs_start_with_environments_of_their_own),
		CASE(failed_exec_changes_nothing),
		CASE(threads_end_with_lists_that_are_none),
		CASE(ends_in_every_way),
		CASE(daemons_live_on),
		CASE(ignored_fault_is_handed_down),
		{ NULL, NULL },
	};

	errno_of_main = errno;
	more = lazy(2048);
	shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "ignored")) {
		show_ignored();
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "arguments")) {
		touch(more);
		arguments(argc, argv);
		return 0;
	}
	return run_cases(cases, argc, argv);
}
