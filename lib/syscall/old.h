/*
 * old.h -- numbers for the calls that newer architectures never had, aarch64 among
 * them: the C library has functions of their names, which take the same arguments,
 * and the table says by these numbers what is in their memory. No kernel call has
 * them, and none is made with them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_SYSCALL_OLD_H
#define LM_SYSCALL_OLD_H

#include <sys/syscall.h>

#ifndef SYS_open
#define SYS_open 600
#define SYS_creat 601
#define SYS_stat 602
#define SYS_lstat 603
#define SYS_access 604
#define SYS_chmod 605
#define SYS_chown 606
#define SYS_lchown 607
#define SYS_mkdir 608
#define SYS_rmdir 609
#define SYS_mknod 610
#define SYS_unlink 611
#define SYS_rename 612
#define SYS_link 613
#define SYS_symlink 614
#define SYS_readlink 615
#define SYS_utime 616
#define SYS_utimes 617
#define SYS_futimesat 618
#define SYS_getdents 619
#define SYS_ustat 620
#define SYS_pipe 621
#define SYS_poll 622
#define SYS_select 623
#define SYS_epoll_wait 624
#define SYS_signalfd 625
#define SYS_time 626
#define SYS_sysfs 627
#define SYS_uselib 628
#endif

#endif
