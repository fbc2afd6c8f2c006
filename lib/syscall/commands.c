/*
 * commands.c -- the commands of calls that are many calls. See commands.h.
 *
 * Numbers and places, and not the names and structs of the headers: these are
 * older than the kernel, and spread over a hundred files. A test compares them
 * with the headers that are there. A number of an ioctl that carries a size needs
 * no row for its struct; many have no more than a size here.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "commands.h"
#include "table.h"

#include "../os_linux.h"

#define IN LM_ARG_IN
#define OUT LM_ARG_OUT
#define INOUT LM_ARG_INOUT
#define KEEP LM_ARG_KEEP

/* One at argument `arg`; as long as argument n says. */
#define C(command, name, arg, dir, size)                                       \
	{                                                                      \
		name, command, size, arg, dir, 0                               \
	}
#define CN(command, name, arg, dir, n)                                         \
	{                                                                      \
		name, command, 0, arg, dir, n                                  \
	}

/* clang-format off */
static const struct lm_command fcntl_commands[] = {
	C(5, "F_GETLK", 2, INOUT, 32),
	C(6, "F_SETLK", 2, IN, 32),
	C(7, "F_SETLKW", 2, IN, 32),
	C(36, "F_OFD_GETLK", 2, INOUT, 32),
	C(37, "F_OFD_SETLK", 2, IN, 32),
	C(38, "F_OFD_SETLKW", 2, IN, 32),
	C(15, "F_SETOWN_EX", 2, IN, 8),
	C(16, "F_GETOWN_EX", 2, OUT, 8),
	C(17, "F_GETOWNER_UIDS", 2, OUT, 8),
	C(1035, "F_GET_RW_HINT", 2, OUT, 8),
	C(1036, "F_SET_RW_HINT", 2, IN, 8),
	C(1037, "F_GET_FILE_RW_HINT", 2, OUT, 8),
	C(1038, "F_SET_FILE_RW_HINT", 2, IN, 8),
};

/* Those from before sizes were part of the number: the kernel's structs. */
static const struct lm_command ioctl_commands[] = {
	C(0x5401, "TCGETS", 2, OUT, 60),
	C(0x5402, "TCSETS", 2, IN, 60),
	C(0x5403, "TCSETSW", 2, IN, 60),
	C(0x5404, "TCSETSF", 2, IN, 60),
	C(0x5405, "TCGETA", 2, OUT, 18),
	C(0x5406, "TCSETA", 2, IN, 18),
	C(0x5407, "TCSETAW", 2, IN, 18),
	C(0x5408, "TCSETAF", 2, IN, 18),
	C(0x540f, "TIOCGPGRP", 2, OUT, 4),
	C(0x5410, "TIOCSPGRP", 2, IN, 4),
	C(0x5411, "TIOCOUTQ", 2, OUT, 4),
	C(0x5412, "TIOCSTI", 2, IN, 1),
	C(0x5413, "TIOCGWINSZ", 2, OUT, 8),
	C(0x5414, "TIOCSWINSZ", 2, IN, 8),
	C(0x5415, "TIOCMGET", 2, OUT, 4),
	C(0x5416, "TIOCMBIS", 2, IN, 4),
	C(0x5417, "TIOCMBIC", 2, IN, 4),
	C(0x5418, "TIOCMSET", 2, IN, 4),
	C(0x541b, "FIONREAD", 2, OUT, 4),
	C(0x541e, "TIOCGSERIAL", 2, OUT, 72),
	C(0x5420, "TIOCPKT", 2, IN, 4),
	C(0x5421, "FIONBIO", 2, IN, 4),
	C(0x5423, "TIOCSETD", 2, IN, 4),
	C(0x5424, "TIOCGETD", 2, OUT, 4),
	C(0x5429, "TIOCGSID", 2, OUT, 4),
	C(0x5452, "FIOASYNC", 2, IN, 4),
	C(0x5460, "FIOQSIZE", 2, OUT, 8),
	C(0x8905, "SIOCATMARK", 2, OUT, 4),
	C(0x8912, "SIOCGIFCONF", 2, INOUT, 16),
	/* Those that are larger than what is taken for the unknown. */
	C(0x030d, "HDIO_GET_IDENTITY", 2, OUT, 512),
	C(0x4b48, "KDGKBSENT", 2, INOUT, 513),
	C(0x4b49, "KDSKBSENT", 2, IN, 513),
	C(0x4b4a, "KDGKBDIACR", 2, OUT, 772),
	C(0x4b4b, "KDSKBDIACR", 2, IN, 772),
	C(0x4bfa, "KDGKBDIACRUC", 2, OUT, 3076),
	C(0x4bfb, "KDSKBDIACRUC", 2, IN, 3076),
	C(0x4b60, "GIO_FONT", 2, OUT, 8192),
	C(0x4b61, "PIO_FONT", 2, IN, 8192),
	C(0x4b69, "GIO_UNISCRNMAP", 2, OUT, 512),
	C(0x4b6a, "PIO_UNISCRNMAP", 2, IN, 512),
	C(0x4c0a, "LOOP_CONFIGURE", 2, IN, 304),
	C(0x530c, "CDROMREADMODE2", 2, INOUT, 2336),
	C(0x530d, "CDROMREADMODE1", 2, INOUT, 2048),
	C(0x5314, "CDROMREADRAW", 2, INOUT, 2352),
	C(0x5315, "CDROMREADCOOKED", 2, INOUT, 2048),
	C(0x5390, "DVD_READ_STRUCT", 2, INOUT, 2056),
};

static const struct lm_command prctl_commands[] = {
	C(2, "PR_GET_PDEATHSIG", 1, OUT, 4),
	C(5, "PR_GET_UNALIGN", 1, OUT, 4),
	C(9, "PR_GET_FPEMU", 1, OUT, 4),
	C(11, "PR_GET_FPEXC", 1, OUT, 4),
	C(15, "PR_SET_NAME", 1, IN, 16),
	C(16, "PR_GET_NAME", 1, OUT, 16),
	C(19, "PR_GET_ENDIAN", 1, OUT, 4),
	C(25, "PR_GET_TSC", 1, OUT, 4),
	C(37, "PR_GET_CHILD_SUBREAPER", 1, OUT, 4),
	C(40, "PR_GET_TID_ADDRESS", 1, OUT, 8),
	/* Read at each call, since 5.11. */
	C(59, "PR_SET_SYSCALL_USER_DISPATCH", 4, KEEP, 1),
	C(62, "PR_SCHED_CORE", 4, OUT, 8), /* 5.14 */
	C(74, "PR_GET_SHADOW_STACK_STATUS", 1, OUT, 8), /* 6.16 */
	C(0x53564d41, "PR_SET_VMA", 4, IN, 80), /* 5.17 */
	CN(0x41555856, "PR_GET_AUXV", 1, OUT, 2), /* 6.4 */
};

static const struct lm_command key_commands[] = {
	C(1, "KEYCTL_JOIN_SESSION_KEYRING", 1, IN, 4096),
	CN(2, "KEYCTL_UPDATE", 2, IN, 3),
	CN(6, "KEYCTL_DESCRIBE", 2, OUT, 3),
	C(10, "KEYCTL_SEARCH", 2, IN, 32),
	C(10, "KEYCTL_SEARCH", 3, IN, 4096),
	CN(11, "KEYCTL_READ", 2, OUT, 3),
	CN(12, "KEYCTL_INSTANTIATE", 2, IN, 3),
	CN(17, "KEYCTL_GET_SECURITY", 2, OUT, 3),
	C(23, "KEYCTL_DH_COMPUTE", 1, IN, 12),
	CN(23, "KEYCTL_DH_COMPUTE", 2, OUT, 3),
	C(24, "KEYCTL_PKEY_QUERY", 3, IN, 4096), /* 4.20 */
	C(24, "KEYCTL_PKEY_QUERY", 4, OUT, 48),
	C(25, "KEYCTL_PKEY_ENCRYPT", 1, IN, 32),
	C(26, "KEYCTL_PKEY_DECRYPT", 1, IN, 32),
	C(27, "KEYCTL_PKEY_SIGN", 1, IN, 32),
	C(28, "KEYCTL_PKEY_VERIFY", 1, IN, 32),
	C(29, "KEYCTL_RESTRICT_KEYRING", 2, IN, 32), /* 4.12 */
	C(29, "KEYCTL_RESTRICT_KEYRING", 3, IN, 4096),
	CN(31, "KEYCTL_CAPABILITIES", 1, OUT, 2), /* 5.2 */
};

/* What the tracer's own memory is used for; the other process's is looked at by
 * the kernel, which faults nothing in. */
static const struct lm_command trace_commands[] = {
	C(1, "PTRACE_PEEKTEXT", 3, OUT, 8),
	C(2, "PTRACE_PEEKDATA", 3, OUT, 8),
	C(3, "PTRACE_PEEKUSER", 3, OUT, 8),
	C(12, "PTRACE_GETREGS", 3, OUT, 512), /* larger on no architecture */
	C(13, "PTRACE_SETREGS", 3, IN, 512),
	C(14, "PTRACE_GETFPREGS", 3, OUT, 1024),
	C(15, "PTRACE_SETFPREGS", 3, IN, 1024),
	C(25, "PTRACE_GET_THREAD_AREA", 3, OUT, 16),
	C(26, "PTRACE_SET_THREAD_AREA", 3, IN, 16),
	C(0x4201, "PTRACE_GETEVENTMSG", 3, OUT, 8),
	C(0x4202, "PTRACE_GETSIGINFO", 3, OUT, 128),
	C(0x4203, "PTRACE_SETSIGINFO", 3, IN, 128),
	C(0x4209, "PTRACE_PEEKSIGINFO", 2, IN, 16),
	CN(0x420a, "PTRACE_GETSIGMASK", 3, OUT, 2),
	CN(0x420b, "PTRACE_SETSIGMASK", 3, IN, 2),
	CN(0x420d, "PTRACE_SECCOMP_GET_METADATA", 3, INOUT, 2),
	CN(0x420e, "PTRACE_GET_SYSCALL_INFO", 3, OUT, 2),
	CN(0x420f, "PTRACE_GET_RSEQ_CONFIGURATION", 3, OUT, 2),
	CN(0x4210, "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG", 3, IN, 2),
	CN(0x4211, "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", 3, OUT, 2),
	CN(0x4212, "PTRACE_SET_SYSCALL_INFO", 3, IN, 2), /* 6.16 */
};

/* An address at `at`, of `unit` bytes; of as many units as `width` bytes at
 * `count` say; of as many bytes each as the number at `times` says. */
#define A1(command, name, at, dir, unit)                                       \
	{ name, command, unit, at, 0, 0, 0, LM_NESTED_POINTER, dir }
#define A(command, name, at, dir, unit, count, width)                          \
	{ name, command, unit, at, count, width, 0, LM_NESTED_POINTER, dir }
#define AT(command, name, at, dir, times, count)                               \
	{ name, command, 0, at, count, 4, times, LM_NESTED_POINTER, dir }
/* The same, beginning there. */
#define B1(command, name, at, dir, unit)                                       \
	{ name, command, unit, at, 0, 0, 0, LM_NESTED_BEHIND, dir }
#define B(command, name, at, dir, unit, count, width)                          \
	{ name, command, unit, at, count, width, 0, LM_NESTED_BEHIND, dir }

static const struct lm_nested ioctl_nested[] = {
	/* Files and file systems */
	B(0xc020660b, "FS_IOC_FIEMAP", 32, INOUT, 56, 24, 4),
	B(0xc0189436, "FIDEDUPERANGE", 24, INOUT, 32, 16, 2),
	B(0xc0c0583b, "FS_IOC_GETFSMAP", 192, OUT, 64, 8, 4),
	B(0xc0506617, "FS_IOC_ADD_ENCRYPTION_KEY", 80, IN, 1, 40, 4),
	B1(0xc0096616, "FS_IOC_GET_ENCRYPTION_POLICY_EX", 0, INOUT, 32),
	A(0x40806685, "FS_IOC_ENABLE_VERITY", 16, IN, 1, 12, 4),
	A(0x40806685, "FS_IOC_ENABLE_VERITY", 32, IN, 1, 24, 4),
	B(0xc0046686, "FS_IOC_MEASURE_VERITY", 4, OUT, 1, 2, 2),
	A(0xc0286687, "FS_IOC_READ_VERITY_METADATA", 24, OUT, 1, 16, 8),
	B(0xc0709411, "BTRFS_IOC_TREE_SEARCH_V2", 112, OUT, 1, 104, 8),
	A(0xc0389424, "BTRFS_IOC_LOGICAL_INO", 48, OUT, 1, 8, 8),
	A(0xc038943b, "BTRFS_IOC_LOGICAL_INO_V2", 48, OUT, 1, 8, 8),
	A(0xc0389423, "BTRFS_IOC_INO_PATHS", 48, OUT, 1, 8, 8),
	B(0xc0109414, "BTRFS_IOC_SPACE_INFO", 16, OUT, 24, 0, 8),
	A(0x40489426, "BTRFS_IOC_SEND", 16, IN, 8, 8, 8),
	/* Memory, and who asks about it */
	A(0xc028aa03, "UFFDIO_COPY", 0, OUT, 1, 16, 8),
	A(0xc028aa03, "UFFDIO_COPY", 8, IN, 1, 16, 8),
	A(0xc020aa04, "UFFDIO_ZEROPAGE", 0, OUT, 1, 8, 8),
	A(0xc028aa05, "UFFDIO_MOVE", 0, OUT, 1, 16, 8), /* 6.8 */
	A(0xc028aa05, "UFFDIO_MOVE", 8, INOUT, 1, 16, 8),
	A(0xc020aa07, "UFFDIO_CONTINUE", 0, OUT, 1, 8, 8),
	A(0xc020aa08, "UFFDIO_POISON", 0, OUT, 1, 8, 8), /* 6.6 */
	A(0xc0606610, "PAGEMAP_SCAN", 40, OUT, 24, 48, 8), /* 6.7 */
	A(0xc0686611, "PROCMAP_QUERY", 88, OUT, 1, 80, 4), /* 6.11 */
	A(0xc0686611, "PROCMAP_QUERY", 96, OUT, 1, 84, 4),
	/* Events: a string; ids; the struct that is pointed to */
	B1(0x40082406, "PERF_EVENT_IOC_SET_FILTER", 0, IN, 4096),
	B(0xc008240a, "PERF_EVENT_IOC_QUERY_BPF", 8, OUT, 4, 0, 4),
	B(0x4008240b, "PERF_EVENT_IOC_MODIFY_ATTRIBUTES", 0, IN, 1, 4, 4),
	/* Networks */
	A(0x401054d5, "TUNATTACHFILTER", 8, IN, 8, 0, 2),
	B(0x400454d1, "TUNSETTXFILTER", 4, IN, 6, 2, 2),
	A(0x40107447, "PPPIOCSPASS", 8, IN, 8, 0, 2),
	A(0x40107446, "PPPIOCSACTIVE", 8, IN, 8, 0, 2),
	A(0x4010744d, "PPPIOCSCOMPRESS", 0, IN, 1, 8, 4),
	/* Disks and the like */
	A(0x2285, "SG_IO", 16, INOUT, 1, 12, 4),
	A(0x2285, "SG_IO", 24, IN, 1, 8, 1),
	A(0x2285, "SG_IO", 32, OUT, 1, 9, 1),
	A(0x1269, "BLKPG", 16, IN, 1, 8, 4),
	B(0xc0101282, "BLKREPORTZONE", 16, OUT, 64, 8, 4),
	A(0x5393, "CDROM_SEND_PACKET", 16, INOUT, 1, 24, 4),
	A1(0x5393, "CDROM_SEND_PACKET", 32, OUT, 64),
	A(0x530e, "CDROMREADAUDIO", 16, OUT, 2352, 8, 4),
	A(0xc0484e41, "NVME_IOCTL_ADMIN_CMD", 16, INOUT, 1, 32, 4),
	A(0xc0484e41, "NVME_IOCTL_ADMIN_CMD", 24, INOUT, 1, 36, 4),
	A(0xc0484e43, "NVME_IOCTL_IO_CMD", 16, INOUT, 1, 32, 4),
	A(0xc0484e43, "NVME_IOCTL_IO_CMD", 24, INOUT, 1, 36, 4),
	A(0xc0504e47, "NVME_IOCTL_ADMIN64_CMD", 16, INOUT, 1, 32, 4),
	A(0xc0504e47, "NVME_IOCTL_ADMIN64_CMD", 24, INOUT, 1, 36, 4),
	A(0xc0504e48, "NVME_IOCTL_IO64_CMD", 16, INOUT, 1, 32, 4),
	A(0xc0504e48, "NVME_IOCTL_IO64_CMD", 24, INOUT, 1, 36, 4),
	/* Other devices */
	B(0x40085203, "RNDADDENTROPY", 8, IN, 1, 4, 4),
	A(0x80104592, "EVIOCGMASK", 8, OUT, 1, 4, 4),
	A(0x40104593, "EVIOCSMASK", 8, IN, 1, 4, 4),
	A(0xc0185500, "USBDEVFS_CONTROL", 16, INOUT, 1, 6, 2),
	A(0xc0185502, "USBDEVFS_BULK", 16, INOUT, 1, 4, 4),
	A1(0x0720, "I2C_SMBUS", 8, INOUT, 34),
	A(0xc0306201, "BINDER_WRITE_READ", 16, IN, 1, 0, 8),
	A(0xc0306201, "BINDER_WRITE_READ", 40, OUT, 1, 24, 8),
	A(0xc0505510, "SNDRV_CTL_IOCTL_ELEM_LIST", 16, OUT, 64, 4, 4),
	B(0xc008551a, "SNDRV_CTL_IOCTL_TLV_READ", 8, OUT, 1, 4, 4),
	B(0xc008551b, "SNDRV_CTL_IOCTL_TLV_WRITE", 8, IN, 1, 4, 4),
	/* Consoles */
	A(0x4b66, "GIO_UNIMAP", 8, OUT, 4, 0, 2),
	A(0x4b67, "PIO_UNIMAP", 8, IN, 4, 0, 2),
	A1(0x4b6b, "GIO_FONTX", 8, OUT, 16384),
	A1(0x4b6c, "PIO_FONTX", 8, IN, 16384),
	A1(0x4b72, "KDFONTOP", 24, INOUT, 65536),
	A(0x4604, "FBIOGETCMAP", 8, OUT, 2, 4, 4),
	A(0x4604, "FBIOGETCMAP", 16, OUT, 2, 4, 4),
	A(0x4604, "FBIOGETCMAP", 24, OUT, 2, 4, 4),
	A(0x4604, "FBIOGETCMAP", 32, OUT, 2, 4, 4),
	A(0x4605, "FBIOPUTCMAP", 8, IN, 2, 4, 4),
	A(0x4605, "FBIOPUTCMAP", 16, IN, 2, 4, 4),
	A(0x4605, "FBIOPUTCMAP", 24, IN, 2, 4, 4),
	A(0x4605, "FBIOPUTCMAP", 32, IN, 2, 4, 4),
	/* Virtual machines */
	B(0xc004ae02, "KVM_GET_MSR_INDEX_LIST", 4, OUT, 4, 0, 4),
	B(0xc004ae0a, "KVM_GET_MSR_FEATURE_INDEX_LIST", 4, OUT, 4, 0, 4),
	B(0xc008ae05, "KVM_GET_SUPPORTED_CPUID", 8, OUT, 40, 0, 4),
	B(0xc008ae09, "KVM_GET_EMULATED_CPUID", 8, OUT, 40, 0, 4),
	B(0x4008ae90, "KVM_SET_CPUID2", 8, IN, 40, 0, 4),
	B(0xc008ae91, "KVM_GET_CPUID2", 8, OUT, 40, 0, 4),
	B(0xc008ae88, "KVM_GET_MSRS", 8, INOUT, 16, 0, 4),
	B(0x4008ae89, "KVM_SET_MSRS", 8, IN, 16, 0, 4),
	B(0x4008ae6a, "KVM_SET_GSI_ROUTING", 8, IN, 48, 0, 4),
	B(0x4004ae8b, "KVM_SET_SIGNAL_MASK", 4, IN, 1, 0, 4),
	B(0xc008aeb0, "KVM_GET_REG_LIST", 8, OUT, 8, 0, 8),
	A1(0x4010aeab, "KVM_GET_ONE_REG", 8, OUT, 256),
	A1(0x4010aeac, "KVM_SET_ONE_REG", 8, IN, 256),
	A1(0x4018aee1, "KVM_SET_DEVICE_ATTR", 16, IN, 64),
	A1(0x4018aee2, "KVM_GET_DEVICE_ATTR", 16, OUT, 64),
	B(0x4008af03, "VHOST_SET_MEM_TABLE", 8, IN, 32, 0, 4),
};

static const struct lm_nested setsockopt_nested[] = {
	A(LM_COMMAND_OPTION(1, 26), "SO_ATTACH_FILTER", 8, IN, 8, 0, 2),
	A(LM_COMMAND_OPTION(1, 51), "SO_ATTACH_REUSEPORT_CBPF", 8, IN, 8, 0, 2),
	A(LM_COMMAND_OPTION(263, 22), "PACKET_FANOUT_DATA", 8, IN, 8, 0, 2),
	A(LM_COMMAND_OPTION(0, 64), "IPT_SO_SET_REPLACE", 88, OUT, 16, 84, 4),
	A(LM_COMMAND_OPTION(41, 64), "IP6T_SO_SET_REPLACE", 88, OUT, 16, 84, 4),
	A(LM_COMMAND_OPTION(0, 96), "ARPT_SO_SET_REPLACE", 72, OUT, 16, 68, 4),
	/* The kernel receives to it from now on. */
	A(LM_COMMAND_OPTION(283, 4), "XDP_UMEM_REG", 0, KEEP, 1, 8, 8),
};

static const struct lm_nested getsockopt_nested[] = {
	A(LM_COMMAND_OPTION(6, 35), "TCP_ZEROCOPY_RECEIVE", 24, OUT, 1, 32, 4),
	A(LM_COMMAND_OPTION(6, 35), "TCP_ZEROCOPY_RECEIVE", 40, OUT, 1, 48, 8),
};

/* Maps' keys and values are in bpf.c, as what is asked about an object. */
static const struct lm_nested bpf_nested[] = {
	A(5, "BPF_PROG_LOAD", 8, IN, 8, 4, 4),
	A1(5, "BPF_PROG_LOAD", 16, IN, 128), /* the license */
	A(5, "BPF_PROG_LOAD", 32, OUT, 1, 28, 4), /* the log */
	AT(5, "BPF_PROG_LOAD", 80, IN, 76, 88), /* functions, lines */
	AT(5, "BPF_PROG_LOAD", 96, IN, 92, 104),
	A1(5, "BPF_PROG_LOAD", 120, IN, 4096), /* descriptors */
	AT(5, "BPF_PROG_LOAD", 128, IN, 136, 116), /* relocations, 5.17 */
	A(5, "BPF_PROG_LOAD", 152, IN, 1, 160, 4), /* a signature, 6.18 */
	A1(6, "BPF_OBJ_PIN", 0, IN, 4096),
	A1(7, "BPF_OBJ_GET", 0, IN, 4096),
	A(10, "BPF_PROG_TEST_RUN", 16, IN, 1, 8, 4),
	A(10, "BPF_PROG_TEST_RUN", 24, OUT, 1, 12, 4),
	A(10, "BPF_PROG_TEST_RUN", 48, IN, 1, 40, 4),
	A(10, "BPF_PROG_TEST_RUN", 56, OUT, 1, 44, 4),
	A(15, "BPF_OBJ_GET_INFO_BY_FD", 8, INOUT, 1, 4, 4),
	A(16, "BPF_PROG_QUERY", 16, OUT, 4, 24, 4),
	A(16, "BPF_PROG_QUERY", 32, OUT, 4, 24, 4),
	A(16, "BPF_PROG_QUERY", 40, OUT, 4, 24, 4),
	A(16, "BPF_PROG_QUERY", 48, OUT, 4, 24, 4),
	A1(17, "BPF_RAW_TRACEPOINT_OPEN", 0, IN, 128),
	A(18, "BPF_BTF_LOAD", 0, IN, 1, 16, 4),
	A(18, "BPF_BTF_LOAD", 8, OUT, 1, 20, 4),
	A(20, "BPF_TASK_FD_QUERY", 16, OUT, 1, 12, 4),
};

/* One struct, whatever the flags. */
static const struct lm_nested clone_nested[] = {
	A1(0, "clone_args", 8, OUT, 4), /* pidfd */
	A1(0, "clone_args", 16, KEEP, 4), /* child_tid */
	A1(0, "clone_args", 24, OUT, 4), /* parent_tid */
	A(0, "clone_args", 64, IN, 4, 72, 8), /* set_tid, 5.5 */
};

#define ROWS(table) table, sizeof(table) / sizeof(table[0])
static const struct lm_commands all[] = {
	{ SYS_ioctl, 1, ROWS(ioctl_commands), ROWS(ioctl_nested) },
	{ SYS_fcntl, 1, ROWS(fcntl_commands), NULL, 0 },
	{ SYS_setsockopt, -1, NULL, 0, ROWS(setsockopt_nested) },
	{ SYS_getsockopt, -1, NULL, 0, ROWS(getsockopt_nested) },
	{ SYS_prctl, 0, ROWS(prctl_commands), NULL, 0 },
	{ SYS_keyctl, 0, ROWS(key_commands), NULL, 0 },
	{ SYS_ptrace, 0, ROWS(trace_commands), NULL, 0 },
	{ SYS_bpf, 0, NULL, 0, ROWS(bpf_nested) },
	{ SYS_clone3, -1, NULL, 0, ROWS(clone_nested) },
};
/* clang-format on */

const struct lm_commands *lm_commands_at(size_t i)
{
	return i < sizeof(all) / sizeof(all[0]) ? &all[i] : NULL;
}

const struct lm_commands *lm_commands_of(long nr)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].nr == nr)
			return &all[i];
	return NULL;
}

uint32_t lm_commands_number(long nr, const long args[6])
{
	const struct lm_commands *of = lm_commands_of(nr);

	if (nr == SYS_setsockopt || nr == SYS_getsockopt)
		return LM_COMMAND_OPTION(args[1], args[2]);
	return of && of->which >= 0 ? (uint32_t)args[of->which] : 0;
}
