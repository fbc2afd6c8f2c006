/*
 * uffd.c -- see uffd.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers are older than kernels. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int uffd;
static void (*serve_fault)(void *addr);

static int open_uffd(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	int device;

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd,
				  O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd >= 0)
		return fd;
	device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -1;
	fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	close(device);
	return fd;
}

static void *handler(void *data)
{
	struct uffd_msg msg;

	(void)data;
	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg))
		if (msg.event == UFFD_EVENT_PAGEFAULT)
			serve_fault(
				(void *)(uintptr_t)msg.arg.pagefault.address);
	return NULL;
}

int uffd_start(void *base, size_t len, bool sigbus, void (*serve)(void *addr))
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features =
					  sigbus ? UFFD_FEATURE_SIGBUS : 0 };
	struct uffdio_register range = {
		.range = { (uintptr_t)base, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	pthread_t thread;

	uffd = open_uffd();
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0 ||
	    ioctl(uffd, UFFDIO_REGISTER, &range) < 0)
		return -1;
	serve_fault = serve;
	if (!sigbus && (errno = pthread_create(&thread, NULL, handler, NULL)))
		return -1;
	return 0;
}

void uffd_copy(void *to, const void *from, size_t len)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)to,
				    .src = (uintptr_t)from,
				    .len = len };

	if (ioctl(uffd, UFFDIO_COPY, &copy) < 0 && errno != EEXIST)
		abort();
}

void uffd_zero(void *at, size_t len)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)at, len } };

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero) < 0 && errno != EEXIST)
		abort();
}
