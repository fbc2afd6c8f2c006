/*
 * os_linux.h -- constants of the kernel that the C library's headers may lack.
 *
 * Headers are older than kernels (Debian 12 builds against 6.1's), and what is
 * here is probed at run time anyway. The one place for such constants; each
 * says since which kernel it means something.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LM_OS_LINUX_H
#define LM_OS_LINUX_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE /* 4.17 */
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP /* 5.7; shared mappings too since 5.13 */
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_WIPEONFORK /* 4.14; private anonymous memory only */
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_KEEPONFORK /* 4.14 */
#define MADV_KEEPONFORK 19
#endif
#ifndef MADV_COLD /* 5.4 */
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT /* 5.4 */
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ /* 5.14 */
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE /* 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED /* 5.18 */
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE /* 6.1 */
#define MADV_COLLAPSE 25
#endif

#ifndef MADV_GUARD_INSTALL /* 6.13; of files 6.15 */
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_GUARD_REMOVE /* 6.13; of files 6.15 */
#define MADV_GUARD_REMOVE 103
#endif

#ifndef MLOCK_ONFAULT /* 4.4 */
#define MLOCK_ONFAULT 1
#endif
#ifndef MCL_ONFAULT /* 4.4 */
#define MCL_ONFAULT 4
#endif

#ifndef SYS_process_madvise /* 5.10 */
#define SYS_process_madvise 440
#endif

#ifndef UFFD_FEATURE_SIGBUS /* 4.14 */
#define UFFD_FEATURE_SIGBUS (1 << 7)
#endif
#ifndef UFFDIO_REGISTER_MODE_WP /* 5.7 */
#define UFFDIO_REGISTER_MODE_WP ((__u64)1 << 1)
#endif
#ifndef UFFDIO_COPY_MODE_WP /* 5.7 */
#define UFFDIO_COPY_MODE_WP ((__u64)1 << 1)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC /* 6.7 */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif
#ifndef UFFD_USER_MODE_ONLY /* 5.11 */
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW /* 6.1: ioctl of /dev/userfaultfd */
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

/* Numbers that are the same on every architecture. */
#ifndef SYS_set_mempolicy_home_node /* 5.17 */
#define SYS_set_mempolicy_home_node 450
#endif
#ifndef SYS_cachestat /* 6.5 */
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2 /* 6.6 */
#define SYS_fchmodat2 452
#endif
#ifndef SYS_map_shadow_stack /* 6.6 */
#define SYS_map_shadow_stack 453
#endif
#ifndef SYS_futex_wake /* 6.7 */
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif
#ifndef SYS_statmount /* 6.8 */
#define SYS_statmount 457
#define SYS_listmount 458
#define SYS_lsm_get_self_attr 459
#define SYS_lsm_set_self_attr 460
#define SYS_lsm_list_modules 461
#endif
#ifndef SYS_mseal /* 6.10 */
#define SYS_mseal 462
#endif
#ifndef SYS_setxattrat /* 6.13 */
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif
#ifndef SYS_open_tree_attr /* 6.15 */
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_file_getattr /* 6.17 */
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

#endif
