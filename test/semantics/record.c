/*
 * record.c -- what cases write into their record, and what they are made of.
 * See semantics.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "semantics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#define RECORD_FD 900

void note(const char *format, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* By the kernel itself: nothing is between a case and its record. */
	if (syscall(SYS_write, RECORD_FD, line, n) != n)
		_exit(98);
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

long ret(const char *what, long value)
{
	int saved = errno;

	if (value == -1)
		note("%s=-1 %s", what, error_name(errno));
	else
		note("%s=%ld", what, value);
	errno = saved;
	return value;
}

void *got(const char *what, void *addr)
{
	if (addr == MAP_FAILED)
		note("%s: %s", what, error_name(errno));
	else
		note("%s: mapped", what);
	return addr;
}

void skip(const char *why)
{
	note("skipped: %s", why);
	_exit(0);
}

bool kernel_is(int major, int minor)
{
	struct utsname name;
	int here[2];

	need(uname(&name) == 0 &&
	     sscanf(name.release, "%d.%d", &here[0], &here[1]) == 2);
	return here[0] > major || (here[0] == major && here[1] >= minor);
}

/* -- Touching ------------------------------------------------------------------- */

static sigjmp_buf back;
static volatile sig_atomic_t touching;
static volatile int raised, raised_code;
static void *volatile raised_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!touching) {
		signal(sig, SIG_DFL);
		return;
	}
	raised = sig;
	raised_code = info->si_code;
	raised_addr = info->si_addr;
	siglongjmp(back, 1);
}

static const char *code_name(int sig, int code)
{
	if (sig == SIGSEGV && code == SEGV_MAPERR)
		return "SEGV_MAPERR";
	if (sig == SIGSEGV && code == SEGV_ACCERR)
		return "SEGV_ACCERR";
	if (sig == SIGBUS && code == BUS_ADRERR)
		return "BUS_ADRERR";
	return "another code";
}

/* Installed when the program begins: the library passes on to what was there
 * before it. */
__attribute__((constructor)) static void take_faults(void)
{
	struct sigaction act = { .sa_sigaction = on_fault,
				 .sa_flags = SA_SIGINFO };

	sigemptyset(&act.sa_mask);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

/* True when `touch` came to its end. */
static bool guarded(const char *what, const volatile void *base,
		    void (*touch)(void *), void *argument)
{
	if (sigsetjmp(back, 1)) {
		touching = 0;
		note("%s: SIG%s %s at +%ld", what, sigabbrev_np(raised),
		     code_name(raised, raised_code),
		     (long)((char *)raised_addr - (const volatile char *)base));
		return false;
	}
	touching = 1;
	touch(argument);
	touching = 0;
	return true;
}

struct byte {
	volatile unsigned char *addr;
	unsigned char value;
};

static void load(void *argument)
{
	struct byte *byte = argument;

	byte->value = *byte->addr;
}

static void store(void *argument)
{
	struct byte *byte = argument;

	*byte->addr = byte->value;
}

void see(const char *what, const volatile void *addr)
{
	struct byte byte = { (volatile unsigned char *)(uintptr_t)addr, 0 };

	if (guarded(what, addr, load, &byte))
		note("%s=%d", what, byte.value);
}

void put(const char *what, volatile void *addr, int value)
{
	struct byte byte = { addr, (unsigned char)value };

	if (guarded(what, addr, store, &byte))
		note("%s: written", what);
}

struct steps {
	volatile char *addr;
	size_t len, step;
	volatile size_t done;
};

static void store_each(void *argument)
{
	struct steps *steps = argument;

	for (size_t at = 0; at < steps->len; at += steps->step, steps->done++)
		steps->addr[at] = 1;
}

void put_each(const char *what, void *addr, size_t len, size_t step)
{
	struct steps steps = { addr, len, step, 0 };

	guarded(what, addr, store_each, &steps);
	note("%s: %zu", what, steps.done);
}

struct bytes {
	const volatile unsigned char *addr;
	size_t len, offset;
	uint64_t result;
};

static void hash(void *argument)
{
	struct bytes *bytes = argument;

	bytes->result = 14695981039346656037u;
	for (size_t i = 0; i < bytes->len; i++)
		bytes->result =
			(bytes->result ^ bytes->addr[i]) * 1099511628211u;
}

void see_all(const char *what, const void *addr, size_t len)
{
	struct bytes bytes = { addr, len, 0, 0 };

	if (guarded(what, addr, hash, &bytes))
		note("%s: hash %016llx", what,
		     (unsigned long long)bytes.result);
}

static void compare(void *argument)
{
	struct bytes *bytes = argument;

	while (bytes->result < bytes->len &&
	       bytes->addr[bytes->result] ==
		       pattern(bytes->offset + bytes->result))
		bytes->result++;
}

void see_pattern(const char *what, const void *addr, size_t len, size_t offset)
{
	struct bytes bytes = { addr, len, offset, 0 };

	if (guarded(what, addr, compare, &bytes))
		note("%s: %llu of %zu bytes as expected", what,
		     (unsigned long long)bytes.result, len);
}

struct code {
	int (*function)(void);
	int result;
};

static void call(void *argument)
{
	struct code *code = argument;

	code->result = code->function();
}

void execute(const char *what, void *addr)
{
	struct code code = { (int (*)(void))(uintptr_t)addr, 0 };

	if (guarded(what, addr, call, &code))
		note("%s=%d", what, code.result);
}

void see_core(const char *what, void *addr, size_t pages)
{
	unsigned char vec[512];
	char text[513];

	if (mincore(addr, pages * PAGE, vec) < 0) {
		ret(what, -1);
		return;
	}
	for (size_t i = 0; i < pages; i++)
		text[i] = vec[i] & 1 ? '1' : '0';
	text[pages] = '\0';
	note("%s: %s", what, text);
}

static long number_in(const char *path, const char *name)
{
	static char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *at;

	need(n > 0);
	close(fd);
	text[n] = '\0';
	at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

long status_kib(const char *name)
{
	return number_in("/proc/self/status", name);
}

long resident_kib(void)
{
	return number_in("/proc/self/smaps_rollup", "\nAnonymous:");
}

/* -- Files, memory, processes ----------------------------------------------------- */

unsigned char pattern(size_t offset)
{
	/* Differs from page to page, and is never zero. */
	return (unsigned char)(1 + (offset * 7 + offset / PAGE * 13) % 251);
}

const char *name_of(const char *suffix)
{
	static char names[8][512];
	static unsigned next;
	char *name = names[next++ % 8];
	const char *dir = getenv("TESTDIR");

	snprintf(name, sizeof(names[0]), "%s/semantics.%d.%s",
		 dir ? dir : "/var/tmp", (int)getpid(), suffix);
	return name;
}

int file_of(size_t size)
{
	static unsigned char bytes[65536];
	const char *name = name_of("file");
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0);
	unlink(name);
	for (size_t at = 0; at < size;) {
		size_t n =
			size - at < sizeof(bytes) ? size - at : sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = pattern(at + i);
		need(write(fd, bytes, n) == (ssize_t)n);
		at += n;
	}
	return fd;
}

void file_put(int fd, off_t at, int byte)
{
	char c = (char)byte;

	need(pwrite(fd, &c, 1, at) == 1);
}

void file_see(const char *what, int fd, off_t at)
{
	unsigned char c = 0;
	ssize_t n = pread(fd, &c, 1, at);

	if (n == 1)
		note("%s=%d", what, c);
	else
		note("%s: end of file", what);
}

void *map(void *start, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *addr = mmap(start, len, prot, flags, fd, offset);

	need(addr != MAP_FAILED);
	return addr;
}

char *letters(size_t pages)
{
	char *mem = map(NULL, pages * PAGE, RW, ANON, -1, 0);

	for (size_t i = 0; i < pages; i++)
		memset(mem + i * PAGE, 'a' + (int)i, PAGE);
	return mem;
}

char *room(size_t pages)
{
	/* With a margin, which keeps what is mapped there alone. */
	char *mem = map(NULL, (pages + 512) * PAGE, PROT_NONE,
			ANON | MAP_NORESERVE, -1, 0);

	need(munmap(mem, (pages + 512) * PAGE) == 0);
	return mem + 256 * PAGE;
}

pid_t start_child(void (*run)(void *), void *argument)
{
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(argument);
		_exit(0);
	}
	return pid;
}

void end_child(const char *what, pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		note("%s: SIG%s", what, sigabbrev_np(WTERMSIG(status)));
	else
		note("%s: exit %d", what, WEXITSTATUS(status));
}

void child(const char *what, void (*run)(void *), void *argument)
{
	end_child(what, start_child(run, argument));
}

void be_nobody(void)
{
	if (geteuid() == 0)
		need(setresgid(65534, 65534, 65534) == 0 &&
		     setresuid(65534, 65534, 65534) == 0);
}

void send_go(const int *pipe_ends)
{
	need(write(pipe_ends[1], "g", 1) == 1);
}

void wait_go(const int *pipe_ends)
{
	char c;

	need(read(pipe_ends[0], &c, 1) == 1);
}
