/*
 * crash.c -- a program that knows nothing of lazymap: maps a file, reads it,
 * and then faults where nothing is mapped. Run by test_crash_under_shim.sh.
 *
 *	crash FILE default|ignore|handler|late-handler|sent
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile uintptr_t nowhere = 24;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	siglongjmp(back, info->si_addr == (void *)24 ? 1 : 2);
}

static void install(void)
{
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_sigaction = on_segv;
	act.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &act, NULL);
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[2] : "";
	int fd = argc == 3 ? open(argv[1], O_RDONLY) : -1;
	volatile unsigned sum = 0;
	struct stat st;
	char *file;

	if (fd < 0 || fstat(fd, &st))
		return 2;
	if (!strcmp(how, "handler"))
		install();
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return 2;
	for (off_t i = 0; i < st.st_size; i += 4096)
		sum += (unsigned char)file[i];
	if (!strcmp(how, "late-handler"))
		install();
	if (!strcmp(how, "ignore"))
		signal(SIGSEGV, SIG_IGN);
	if (!strcmp(how, "sent"))
		return kill(getpid(), SIGSEGV);
	switch (sigsetjmp(back, 1)) {
	case 0:
		return *(volatile char *)nowhere;
	case 1:
		printf("caught, %u\n", sum);
		return 0;
	}
	return 3;
}
