/*
 * hooks.c -- what a hooked system call must leave as it was: every register
 * but those that the call itself changes, the red zone, a thread's way out by
 * cancellation, and the process as its children see it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE ((size_t)1 << 20)

static int failures;

#define EXPECT(what)                                                           \
	do {                                                                   \
		if (!(what)) {                                                 \
			printf("FAILED: %s (line %d)\n", #what, __LINE__);     \
			failures++;                                            \
		}                                                              \
	} while (0)

static char *fresh(void)
{
	char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

#if defined(__x86_64__)
/* uname(at), as a compiler might have it, with all that it may count on. What
 * is in %xmm0-15 and the red zone: `in`; afterwards: `out`. */
long bare_uname(char *at, const char in[384], char out[384]);
__asm__(".text\n.globl bare_uname\n.type bare_uname,@function\n"
	"bare_uname:\n"
	"push %rbx\n"
	"push %r12\n"
	"mov %rsi, %rbx\n"
	"mov %rdx, %r12\n"
#define LOAD(n) "movups " #n "*16(%rbx), %xmm" #n "\n"
#define SAVE(n) "movups %xmm" #n ", " #n "*16(%r12)\n"
#define ALL(x)                                                                 \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12)    \
		x(13) x(14) x(15)
	/* The red zone first, by way of a register that is loaded later. */
	"lea -128(%rsp), %r8\n"
	"xor %ecx, %ecx\n"
	"1: mov 256(%rbx,%rcx), %rax\n"
	"mov %rax, (%r8,%rcx)\n"
	"add $8, %ecx\n"
	"cmp $128, %ecx\n"
	"jne 1b\n"
	/* clang-format off */
	ALL(LOAD)
	/* clang-format on */
	"mov $0x1111, %esi\n"
	"mov $0x2222, %edx\n"
	"mov $0x3333, %r10d\n"
	"mov $0x4444, %r9d\n"
	"mov $63, %eax\n"
	"syscall\n"
	"cmp $0x1111, %esi\n"
	"jne 3f\n"
	"cmp $0x2222, %edx\n"
	"jne 3f\n"
	"cmp $0x3333, %r10d\n"
	"jne 3f\n"
	"cmp $0x4444, %r9d\n"
	"jne 3f\n"
	/* clang-format off */
	ALL(SAVE)
	/* clang-format on */
	"lea -128(%rsp), %r8\n"
	"xor %ecx, %ecx\n"
	"2: mov (%r8,%rcx), %rdx\n"
	"mov %rdx, 256(%r12,%rcx)\n"
	"add $8, %ecx\n"
	"cmp $128, %ecx\n"
	"jne 2b\n"
	"4: pop %r12\n"
	"pop %rbx\n"
	"ret\n"
	"3: mov $-1000, %rax\n"
	"jmp 4b\n"
	".size bare_uname, .-bare_uname\n");

/* uname(at), with the number in a register: several instructions have to give
 * way. And getpid(), where a jump leads between them, so that they may not. */
long window_uname(char *at, long nr);
long jumped_getpid(long nr, long way);
__asm__(".text\n.balign 16\n.globl window_uname\n"
	".type window_uname,@function\n"
	"window_uname:\n"
	".cfi_startproc\n"
	"mov %rsi, %r8\n"
	"push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	"mov $0x1111, %ebx\n"
	"xor %esi, %esi\n"
	"xor %r10d, %r10d\n"
	"mov %r8d, %eax\n"
	"syscall\n"
	"cmp $0x1111, %ebx\n"
	"jne 1f\n"
	"cmp $63, %r8d\n"
	"jne 1f\n"
	"or %r10d, %esi\n"
	"jne 1f\n"
	"pop %rbx\n"
	"ret\n"
	"1: ud2\n"
	".cfi_endproc\n"
	".size window_uname, .-window_uname\n"
	".balign 16\n.globl jumped_getpid\n"
	".type jumped_getpid,@function\n"
	"jumped_getpid:\n"
	".cfi_startproc\n"
	"mov %edi, %r8d\n"
	"test %esi, %esi\n"
	"jne 1f\n"
	"xor %esi, %esi\n"
	"xor %edx, %edx\n"
	"1: mov %r8d, %eax\n"
	"syscall\n"
	"ret\n"
	".cfi_endproc\n"
	".size jumped_getpid, .-jumped_getpid\n");

static void windows(void)
{
	char *at = fresh();

	EXPECT(window_uname(at + 5000, 63) == 0);
	EXPECT(!strcmp(at + 5000, "Linux"));
	EXPECT(window_uname(at + 5000, 63) == 0);
	EXPECT(window_uname((char *)8, 63) == -EFAULT);
	EXPECT(jumped_getpid(39, 0) == getpid());
	EXPECT(jumped_getpid(39, 1) == getpid());
	munmap(at, SIZE);
}

static void registers(void)
{
	char in[384], out[384], *at = fresh();

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 5 + 1);
	/* Absent, then resident, then not lazy. */
	for (int i = 0; i < 3; i++) {
		char ordinary[512];

		memset(out, 0, sizeof(out));
		EXPECT(bare_uname(i < 2 ? at + 5000 : ordinary, in, out) == 0);
		EXPECT(!memcmp(in, out, sizeof(in)));
	}
	EXPECT(!strcmp(at + 5000, "Linux"));
	EXPECT(bare_uname((char *)8, in, out) == -EFAULT);
	munmap(at, SIZE);
}
#else
static void windows(void)
{
}

static void registers(void)
{
}
#endif

/* -- Cancellation ------------------------------------------------------------- */

static int pair[2];
static int cleaned;

static void clean(void *argument)
{
	(void)argument;
	cleaned++;
}

static void wait_here(int how, char *at)
{
	struct pollfd *fds = (struct pollfd *)at;
	FILE *file;

	switch (how) {
	case 0:
		EXPECT(read(pair[0], at, 10) == 0);
		break;
	case 1:
		EXPECT(recv(pair[0], at, 10, 0) == 0);
		break;
	case 2:
		fds->fd = pair[0];
		fds->events = POLLIN;
		EXPECT(poll(fds, 1, -1) == 0);
		break;
	case 3: /* libc's own call */
		file = fdopen(pair[0], "r");
		setvbuf(file, at, _IOFBF, 4096);
		EXPECT(getc(file) == 0);
		break;
	}
}

static void *waiter(void *argument)
{
	int how = (int)(intptr_t)argument;

	pthread_cleanup_push(clean, NULL);
	wait_here(how, fresh());
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancellation(void)
{
	for (int how = 0; how < 4; how++) {
		pthread_t thread;
		void *result = NULL;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			abort();
		cleaned = 0;
		pthread_create(&thread, NULL, waiter, (void *)(intptr_t)how);
		usleep(20000); /* in the call, or else on its way there */
		pthread_cancel(thread);
		pthread_join(thread, &result);
		EXPECT(result == PTHREAD_CANCELED);
		EXPECT(cleaned == 1);
		if (how < 3)
			close(pair[0]);
		close(pair[1]);
	}
}

/* -- Threads that all do system calls on lazy memory that comes and goes ------ */

static void *worker(void *argument)
{
	unsigned seed = (unsigned)(intptr_t)argument;
	char *at = fresh(), *expected = malloc(70000);
	int fd = memfd_create("hooks", 0);

	for (int i = 0; i < 300; i++) {
		size_t where = rand_r(&seed) % (SIZE - 70000);
		size_t len = 1 + rand_r(&seed) % 70000;
		struct stat *st = (struct stat *)(at + (where & ~(size_t)15));

		memset(expected, i, len);
		EXPECT(syscall(SYS_pwrite64, fd, expected, len, 0L) ==
		       (long)len);
		EXPECT(syscall(SYS_pread64, fd, at + where, len, 0L) ==
		       (long)len);
		EXPECT(!memcmp(at + where, expected, len));
		EXPECT(fstat(fd, st) == 0 && st->st_size >= (off_t)len);
		if (i % 8 == 0)
			madvise(at, SIZE, MADV_DONTNEED);
	}
	close(fd);
	free(expected);
	munmap(at, SIZE);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, worker, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* -- Transfers larger than the resident limit that the script sets ------------ */

#define LARGE ((size_t)32 << 20)

static char *large_fresh(void)
{
	char *at = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static void *drain(void *argument)
{
	static char buffer[100000];
	size_t total = 0;
	ssize_t n;

	while ((n = read(*(int *)argument, buffer, sizeof(buffer))) > 0)
		total += (size_t)n;
	return (void *)total;
}

static void large(void)
{
	char *from = large_fresh(), *to = large_fresh();
	int fd = memfd_create("large", 0), fds[2];
	void *drained = NULL;
	pthread_t thread;

	for (size_t i = 0; i < LARGE; i += 4096)
		memcpy(from + i, &i, sizeof(i));
	EXPECT(write(fd, from, LARGE) == (ssize_t)LARGE);
	EXPECT(lseek(fd, 0, SEEK_CUR) == (off_t)LARGE);
	EXPECT(pread(fd, to, LARGE, 4096) == (ssize_t)LARGE - 4096);
	for (size_t i = 4096; i < LARGE; i += 4096)
		EXPECT(!memcmp(to + i - 4096, &i, sizeof(i)));
	lseek(fd, 0, SEEK_SET);
	EXPECT(syscall(SYS_read, fd, to, LARGE) == (long)LARGE);
	for (size_t i = 0; i < LARGE; i += 4096)
		EXPECT(!memcmp(to + i, &i, sizeof(i)));
	if (pipe(fds) < 0)
		abort();
	pthread_create(&thread, NULL, drain, &fds[0]);
	EXPECT(write(fds[1], from, LARGE) == (ssize_t)LARGE);
	close(fds[1]);
	pthread_join(thread, &drained);
	EXPECT((size_t)drained == LARGE);
	/* What is there, and no waiting for more. */
	if (pipe(fds) < 0 || write(fds[1], "few", 3) != 3)
		abort();
	EXPECT(read(fds[0], to, LARGE) == 3);
	close(fd);
	munmap(from, LARGE);
	munmap(to, LARGE);
}

/* -- Children ----------------------------------------------------------------- */

static long status_of(const char *name)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");
	long value = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(200);
	registers();
	windows();
	cancellation();
	threads();
	large();
	/* What a setuid program would lose its privileges by, or a static one
	 * be killed by: as without lazymap. */
	printf("%d failed; no_new_privs %ld, seccomp %ld\n", failures,
	       status_of("NoNewPrivs:"), status_of("Seccomp:"));
	return failures > 0;
}
