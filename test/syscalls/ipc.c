/*
 * ipc.c -- futexes, System V queues and semaphores.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "os_linux.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/shm.h>
#include <time.h>

static long c_futex_wait(char *p[PARAMS], bool raw)
{
	(void)raw;
	/* Equal: times out; what p[0] holds is 5. */
	return RAW(SYS_futex, p[0], FUTEX_WAIT, 5, p[1], NULL, 0);
}

static long c_futex_wake(char *p[PARAMS], bool raw)
{
	(void)raw;
	return RAW(SYS_futex, p[0], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long c_futex_requeue(char *p[PARAMS], bool raw)
{
	(void)raw;
	return RAW(SYS_futex, p[0], FUTEX_CMP_REQUEUE, 1, 1L, p[1], 5);
}

static long c_msg(char *p[PARAMS], bool raw)
{
	int id = msgget(IPC_PRIVATE, 0600);
	long ret =
		CALL(msgsnd(id, p[0], 5000, 0), SYS_msgsnd, id, p[0], 5000L, 0);

	extra[0] = ret;
	ret = CALL(msgrcv(id, p[1], 5000, 0, IPC_NOWAIT), SYS_msgrcv, id, p[1],
		   5000L, 0L, IPC_NOWAIT);
	extra[1] = msgrcv(id, bytes, 5000, 0, IPC_NOWAIT);
	msgctl(id, IPC_RMID, NULL);
	return ret;
}

static void prepare_msgbuf(char *c[PARAMS], char *p[PARAMS])
{
	long type = 1;

	(void)p;
	memcpy(c[0], &type, sizeof(type));
}

static long c_semop(char *p[PARAMS], bool raw)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	long ret = CALL(semop(id, (struct sembuf *)p[0], 2), SYS_semop, id,
			p[0], 2L);

	extra[0] = semctl(id, 1, GETVAL);
	semctl(id, 0, IPC_RMID);
	return ret;
}

static const struct sembuf ups[2] = { { 0, 1, 0 }, { 1, 3, 0 } };

/* struct futex_waitv, that holds 5 when 6 is expected: EAGAIN when read. */
#define FUTEX_32 2
static void prepare_waiters(char *c[PARAMS], char *p[PARAMS])
{
	uint64_t waiter[6] = { 5, (uintptr_t)p[1], FUTEX_32,
			       5, (uintptr_t)p[2], FUTEX_32 };

	memcpy(c[0], waiter, sizeof(waiter));
}

static void prepare_deadline(char *c[PARAMS], char *p[PARAMS])
{
	prepare_waiters(c, p);
	memset(c[3], 0, 16); /* is over */
}

CASE_RAW(futex_waitv, SYS_futex_waitv, p[0], 2, 0, p[3], CLOCK_MONOTONIC)
CASE_RAW(futex2_requeue, SYS_futex_requeue, p[0], 0, 1, 1)
CASE_RAW(futex2_wake, SYS_futex_wake, p[0], UINT32_MAX, 1, FUTEX_32)
CASE_RAW(futex2_wait, SYS_futex_wait, p[0], 5, UINT32_MAX, FUTEX_32, p[1],
	 CLOCK_MONOTONIC)
CASE_RAW(futex_lock_pi, SYS_futex, p[0], FUTEX_LOCK_PI, 0, p[1])
CASE_RAW(futex_wake_op, SYS_futex, p[0], FUTEX_WAKE_OP, 1, 1, p[1],
	 FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0))
static const int unlocked;

static const struct sembuf up = { 0, 1, 0 };
static long c_semtimedop(char *p[PARAMS], bool raw)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	long ret = CALL(semtimedop(id, (struct sembuf *)p[0], 1,
				   (struct timespec *)p[1]),
			SYS_semtimedop, id, p[0], 1, p[1]);

	semctl(id, 0, IPC_RMID);
	return ret;
}

#define CASE_SEMCTL(name, command)                                             \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		int id = semget(IPC_PRIVATE, 2, 0600);                         \
		long ret = CALL(semctl(id, 0, command, p[0]), SYS_semctl, id,  \
				0, command, p[0]);                             \
                                                                               \
		extra[0] = semctl(id, 1, GETVAL);                              \
		semctl(id, 0, IPC_RMID);                                       \
		return ret;                                                    \
	}
CASE_SEMCTL(sem_stat, IPC_STAT)
CASE_SEMCTL(sem_getall, GETALL)
CASE_SEMCTL(sem_setall, SETALL)
static const short levels[2] = { 3, 7 };

static long c_msgctl(char *p[PARAMS], bool raw)
{
	int id = msgget(IPC_PRIVATE, 0600);
	long ret = CALL(msgctl(id, IPC_STAT, (struct msqid_ds *)p[0]),
			SYS_msgctl, id, IPC_STAT, p[0]);

	msgctl(id, IPC_RMID, NULL);
	return ret;
}

static long c_shmctl(char *p[PARAMS], bool raw)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);
	long ret = CALL(shmctl(id, IPC_STAT, (struct shmid_ds *)p[0]),
			SYS_shmctl, id, IPC_STAT, p[0]);

	shmctl(id, IPC_RMID, NULL);
	return ret;
}

/* -- POSIX queues ---------------------------------------------------------------- */

static const long queue_attr[8] = { 0, 4, 64, 0 };
#define QUEUE "lazymap-matrix"

static int queue(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 64 };

	/* What a case left that died. */
	syscall(SYS_mq_unlink, QUEUE);
	return (int)syscall(SYS_mq_open, QUEUE, O_RDWR | O_CREAT, 0600, &attr);
}

static long c_mq_open(char *p[PARAMS], bool raw)
{
	long ret;

	(void)raw;
	ret = RAW(SYS_mq_open, p[0], O_RDWR | O_CREAT, 0600, p[1]);
	syscall(SYS_mq_unlink, QUEUE);
	return ret;
}

static long c_mq_unlink(char *p[PARAMS], bool raw)
{
	long ret;

	(void)raw;
	queue();
	ret = RAW(SYS_mq_unlink, p[0]);
	syscall(SYS_mq_unlink, QUEUE);
	return ret;
}

/* One message is there for who receives. */
#define CASE_QUEUE(name, libc, nr, ...)                                        \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		char back[64] = { 0 };                                         \
		int fd = queue();                                              \
		long ret;                                                      \
                                                                               \
		mq_send(fd, "hello", 5, 3);                                    \
		ret = CALL(libc, nr, __VA_ARGS__);                             \
		fcntl(fd, F_SETFL, O_NONBLOCK);                                \
		extra[0] = mq_receive(fd, back, sizeof(back), NULL);           \
		extra[1] = back[0];                                            \
		extra[2] = mq_receive(fd, back, sizeof(back), NULL);           \
		syscall(SYS_mq_unlink, QUEUE);                                 \
		return ret;                                                    \
	}
CASE_QUEUE(mq_send, mq_timedsend(fd, p[0], 40, 9, (struct timespec *)p[1]),
	   SYS_mq_timedsend, fd, p[0], 40, 9, p[1])
CASE_QUEUE(mq_receive,
	   mq_timedreceive(fd, p[0], 64, (unsigned *)p[1],
			   (struct timespec *)p[2]),
	   SYS_mq_timedreceive, fd, p[0], 64, p[1], p[2])
CASE_QUEUE(mq_setattr,
	   mq_setattr(fd, (struct mq_attr *)p[0], (struct mq_attr *)p[1]),
	   SYS_mq_getsetattr, fd, p[0], p[1])
CASE_QUEUE(mq_notify, mq_notify(fd, (struct sigevent *)p[0]), SYS_mq_notify, fd,
	   p[0])
static const struct sigevent notify_usr1 = { .sigev_notify = SIGEV_SIGNAL,
					     .sigev_signo = SIGUSR1 };

/* What SIGEV_THREAD is inside the C library: a cookie comes by a socket. */
static void prepare_cookie(char *c[PARAMS], char *p[PARAMS])
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
				  .sigev_signo = 3,
				  .sigev_value = { .sival_ptr = p[1] } };

	memcpy(c[0], &event, sizeof(event));
}

static long c_mq_cookie(char *p[PARAMS], bool raw)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	/* 3, as the event says */
	int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
	int fd = queue();
	long ret;

	(void)raw;
	bind(netlink, (struct sockaddr *)&address, sizeof(address));
	ret = RAW(SYS_mq_notify, fd, p[0]);
	syscall(SYS_mq_unlink, QUEUE);
	return ret;
}

/* clang-format off */
const struct test ipc_tests[] = {
	TR(futex_wait, STRUCT(five), STRUCT(moment)),
	TR(futex_wake, STRUCT(five)),
	TR(futex_requeue, STRUCT(five), STRUCT(five)),
	TP(msg, msgbuf, OUT(5008), OUT(5008)),
	T(semop, STRUCT(ups)),
	T_(futex_waitv, prepare_deadline, RAW_ONLY, POINTERS(48), STRUCT(five), STRUCT(five), OUT(16)),
	T_(futex2_requeue, prepare_waiters, RAW_ONLY, POINTERS(48), STRUCT(five), STRUCT(five)),
	TR(futex2_wake, STRUCT(five)),
	TR(futex2_wait, STRUCT(five), STRUCT(moment)),
	TR(futex_lock_pi, { 4, &unlocked, CHANGED }, STRUCT(moment)),
	TR(futex_wake_op, STRUCT(five), STRUCT(five)),
	T(semtimedop, STRUCT(up), STRUCT(moment)), T(sem_stat, TIME(104)),
	T(sem_getall, OUT(4)), T(sem_setall, STRUCT(levels)),
	T(msgctl, TIME(120)), T(shmctl, TIME(112)),
	TR(mq_open, NAME(QUEUE), STRUCT(queue_attr)), TR(mq_unlink, NAME(QUEUE)),
	T(mq_send, OUT(40), STRUCT(moment)),
	T(mq_receive, OUT(64), OUT(4), STRUCT(moment)),
	T(mq_setattr, STRUCT(queue_attr), OUT(64)),
	T(mq_notify, STRUCT(notify_usr1)),
	T_(mq_cookie, prepare_cookie, RAW_ONLY, POINTERS(sizeof(struct sigevent)), OUT(32)),
	END_OF_TESTS,
};
/* clang-format on */
