/*
 * ipc.c -- futexes, System V queues and semaphores.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>

static long c_futex_wait(char *p[PARAMS], bool raw)
{
	(void)raw;
	/* Equal: times out; what p[0] holds is 5. */
	return syscall(SYS_futex, p[0], FUTEX_WAIT, 5, p[1], NULL, 0);
}

static long c_futex_wake(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_futex, p[0], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long c_futex_requeue(char *p[PARAMS], bool raw)
{
	(void)raw;
	return syscall(SYS_futex, p[0], FUTEX_CMP_REQUEUE, 1, 1L, p[1], 5);
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

/* clang-format off */
const struct test ipc_tests[] = {
	TR(futex_wait, STRUCT(five), STRUCT(moment)),
	TR(futex_wake, STRUCT(five)),
	TR(futex_requeue, STRUCT(five), STRUCT(five)),
	TP(msg, msgbuf, OUT(5008), OUT(5008)),
	T(semop, STRUCT(ups)),
	END_OF_TESTS,
};
/* clang-format on */
