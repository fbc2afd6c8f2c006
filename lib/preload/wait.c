/*
 * wait.c -- calls that wait, for descriptors, children or time, and tell what
 * came into lazy memory.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "call.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
LM_CALL(int, poll, SYS_poll, (struct pollfd *fds, nfds_t count, int timeout), fds, count, timeout)
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
LM_CALL(int, __poll_chk, SYS_poll, (struct pollfd *fds, nfds_t count, int timeout, size_t size), fds, count, timeout, size)
LM_CALL(int, select, SYS_select, (int count, fd_set *in, fd_set *out, fd_set *bad, struct timeval *timeout), count, in, out, bad, timeout)
LM_CALL(int, epoll_wait, SYS_epoll_wait, (int fd, struct epoll_event *events, int max, int timeout), fd, events, max, timeout)
LM_CALL(int, epoll_ctl, SYS_epoll_ctl, (int fd, int how, int on, struct epoll_event *event), fd, how, on, event)
LM_CALL_AS(int, eventfd_read, SYS_read, (int fd, eventfd_t *value), (fd, value), fd, value, sizeof(*value))
LM_CALL(int, timerfd_settime, SYS_timerfd_settime, (int fd, int flags, const struct itimerspec *new, struct itimerspec *old), fd, flags, new, old)
LM_CALL(int, timerfd_gettime, SYS_timerfd_gettime, (int fd, struct itimerspec *now), fd, now)

LM_CALL_AS(pid_t, wait, SYS_wait4, (int *status), (status), -1, status)
LM_CALL(pid_t, waitpid, SYS_wait4, (pid_t pid, int *status, int flags), pid, status, flags)
LM_CALL_AS(pid_t, wait3, SYS_wait4, (int *status, int flags, struct rusage *usage), (status, flags, usage), -1, status, flags, usage)
LM_CALL(pid_t, wait4, SYS_wait4, (pid_t pid, int *status, int flags, struct rusage *usage), pid, status, flags, usage)
LM_CALL(int, waitid, SYS_waitid, (idtype_t type, id_t id, siginfo_t *info, int flags), type, id, info, flags)

LM_CALL(int, nanosleep, SYS_nanosleep, (const struct timespec *time, struct timespec *left), time, left)
LM_CALL(int, clock_nanosleep, SYS_clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left), clock, flags, time, left)
