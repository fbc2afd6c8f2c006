/*
 * test_commands_once.c -- what the structs of ioctls, socket options and bpf name
 * is present when the call is made: by the kernel's headers, and without the
 * devices, which most machines do not have.
 *
 * Each case is a struct of a header with one pointer to lazy memory in it, or one
 * that lazy memory goes on behind, and a count that takes it over several pages.
 * Every row of lib/syscall/commands.c that names other memory has a case.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/android/binder.h>
#include <linux/blkpg.h>
#include <linux/blkzoned.h>
#include <linux/bpf.h>
#include <linux/btrfs.h>
#include <linux/cdrom.h>
#include <linux/fb.h>
#include <linux/dqblk_xfs.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsmap.h>
#include <linux/fsverity.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <linux/input.h>
#include <linux/kd.h>
#include <linux/kvm.h>
#include <linux/netfilter_arp/arp_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/nvme_ioctl.h>
#include <linux/perf_event.h>
#include <linux/ppp-ioctl.h>
#include <linux/quota.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/spi/spidev.h>
#include <linux/tcp.h>
#include <linux/usbdevice_fs.h>
#include <linux/userfaultfd.h>
#include <linux/vhost.h>
#include <linux/videodev2.h>
#include <scsi/sg.h>
#include <sound/asound.h>

#include "lazymap.h"
#include "syscall/call.h"
#include "syscall/commands.h"

#define PAGE ((size_t)4096)
#define PAGES 40

struct case_ {
	const char *name;
	long nr;
	uint32_t command;
	size_t size;         /* of the struct */
	size_t at;           /* of the pointer, or the array */
	size_t count, width; /* width 0: there is no count */
	size_t times;        /* 0: none */
	size_t unit;
	bool behind;
};

#define SIZE_OF(type, field) sizeof(((type *)NULL)->field)
#define NAMES_(nr, command, type, pointer, field, unit)                        \
	{                                                                      \
#command, nr, (uint32_t)(command), sizeof(type),               \
			offsetof(type, pointer), offsetof(type, field),        \
			SIZE_OF(type, field), 0, unit, false                   \
	}
/* Behind `array`, which may be nothing; `name` of so many of `unit`. */
#define NAMES(command, type, pointer, field, unit)                             \
	NAMES_(SYS_ioctl, command, type, pointer, field, unit)
#define NAMES_ONE(command, type, pointer, unit)                                \
	{                                                                      \
#command, SYS_ioctl, (uint32_t)(command), sizeof(type),        \
			offsetof(type, pointer), 0, 0, 0, unit, false          \
	}
#define GOES_ON(command, type, array, field, unit)                             \
	{                                                                      \
#command, SYS_ioctl, (uint32_t)(command), sizeof(type),        \
			offsetof(type, array), offsetof(type, field),          \
			SIZE_OF(type, field), 0, unit, true                    \
	}
/* So many bytes, whatever the number says. */
#define IS_LONG(command, unit)                                                 \
	{                                                                      \
#command, SYS_ioctl, (uint32_t)(command), 0, 0, 0, 0, 0, unit, \
			true                                                   \
	}
#define BPF(command, pointer, field, unit)                                     \
	NAMES_(SYS_bpf, command, union bpf_attr, pointer, field, unit)
#define BPF_TIMES(command, pointer, field, size)                               \
	{                                                                      \
#command, SYS_bpf, command, sizeof(union bpf_attr),            \
			offsetof(union bpf_attr, pointer),                     \
			offsetof(union bpf_attr, field),                       \
			SIZE_OF(union bpf_attr, field),                        \
			offsetof(union bpf_attr, size), 12, false              \
	}
#define BPF_ONE(command, pointer, unit)                                        \
	{                                                                      \
#command, SYS_bpf, command, sizeof(union bpf_attr),            \
			offsetof(union bpf_attr, pointer), 0, 0, 0, unit,      \
			false                                                  \
	}
#define OPTION(nr, level, name, type, pointer, field, unit)                    \
	NAMES_(nr, LM_COMMAND_OPTION(level, name), type, pointer, field, unit)

/* Newer than some headers. */
struct page_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, most,
		masks[4];
};
struct map_query {
	uint64_t size, flags, addr, start, end, vm_flags, page, offset, inode;
	uint32_t major, minor, name_size, id_size;
	uint64_t name, id;
};
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN _IOWR('f', 16, struct page_scan)
#endif
#ifndef PROCMAP_QUERY
#define PROCMAP_QUERY _IOWR('f', 17, struct map_query)
#endif
struct moved_pages {
	uint64_t dst, src, len, mode, move;
};
struct poisoned_pages {
	uint64_t start, len, mode, updated;
};
#ifndef UFFDIO_MOVE
#define UFFDIO_MOVE _IOWR(UFFDIO, 5, struct moved_pages)
#endif
#ifndef UFFDIO_POISON
#define UFFDIO_POISON _IOWR(UFFDIO, 8, struct poisoned_pages)
#endif
/* A struct of 6.18: the one that is there may end before. */
struct signed_program {
	uint8_t before[152];
	uint64_t signature;
	uint32_t signature_size;
	int32_t key;
};

/* clang-format off */
static const struct case_ cases[] = {
	GOES_ON(FS_IOC_FIEMAP, struct fiemap, fm_extents, fm_extent_count, sizeof(struct fiemap_extent)),
	GOES_ON(FIDEDUPERANGE, struct file_dedupe_range, info, dest_count, sizeof(struct file_dedupe_range_info)),
	GOES_ON(FS_IOC_GETFSMAP, struct fsmap_head, fmh_recs, fmh_count, sizeof(struct fsmap)),
	GOES_ON(FS_IOC_ADD_ENCRYPTION_KEY, struct fscrypt_add_key_arg, raw, raw_size, 1),
	IS_LONG(FS_IOC_GET_ENCRYPTION_POLICY_EX, sizeof(struct fscrypt_get_policy_ex_arg)),
	NAMES(FS_IOC_ENABLE_VERITY, struct fsverity_enable_arg, salt_ptr, salt_size, 1),
	NAMES(FS_IOC_ENABLE_VERITY, struct fsverity_enable_arg, sig_ptr, sig_size, 1),
	GOES_ON(FS_IOC_MEASURE_VERITY, struct fsverity_digest, digest, digest_size, 1),
	NAMES(FS_IOC_READ_VERITY_METADATA, struct fsverity_read_metadata_arg, buf_ptr, length, 1),
	GOES_ON(BTRFS_IOC_TREE_SEARCH_V2, struct btrfs_ioctl_search_args_v2, buf, buf_size, 1),
	NAMES(BTRFS_IOC_LOGICAL_INO, struct btrfs_ioctl_logical_ino_args, inodes, size, 1),
	NAMES(BTRFS_IOC_LOGICAL_INO_V2, struct btrfs_ioctl_logical_ino_args, inodes, size, 1),
	NAMES(BTRFS_IOC_INO_PATHS, struct btrfs_ioctl_ino_path_args, fspath, size, 1),
	GOES_ON(BTRFS_IOC_SPACE_INFO, struct btrfs_ioctl_space_args, spaces, space_slots, sizeof(struct btrfs_ioctl_space_info)),
	NAMES(BTRFS_IOC_SEND, struct btrfs_ioctl_send_args, clone_sources, clone_sources_count, 8),
	NAMES(UFFDIO_COPY, struct uffdio_copy, dst, len, 1),
	NAMES(UFFDIO_COPY, struct uffdio_copy, src, len, 1),
	NAMES(UFFDIO_ZEROPAGE, struct uffdio_zeropage, range.start, range.len, 1),
	NAMES(UFFDIO_MOVE, struct moved_pages, dst, len, 1),
	NAMES(UFFDIO_MOVE, struct moved_pages, src, len, 1),
	NAMES(UFFDIO_CONTINUE, struct uffdio_continue, range.start, range.len, 1),
	NAMES(UFFDIO_POISON, struct poisoned_pages, start, len, 1),
	NAMES(PAGEMAP_SCAN, struct page_scan, vec, vec_len, 24),
	NAMES(PROCMAP_QUERY, struct map_query, name, name_size, 1),
	NAMES(PROCMAP_QUERY, struct map_query, id, id_size, 1),
	IS_LONG(PERF_EVENT_IOC_SET_FILTER, PAGE),
	GOES_ON(PERF_EVENT_IOC_QUERY_BPF, struct perf_event_query_bpf, ids, ids_len, 4),
	{ "PERF_EVENT_IOC_MODIFY_ATTRIBUTES", SYS_ioctl, (uint32_t)PERF_EVENT_IOC_MODIFY_ATTRIBUTES, sizeof(struct perf_event_attr), 0, offsetof(struct perf_event_attr, size), 4, 0, 1, true },
	NAMES(TUNATTACHFILTER, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	GOES_ON(TUNSETTXFILTER, struct tun_filter, addr, count, ETH_ALEN),
	NAMES(PPPIOCSPASS, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	NAMES(PPPIOCSACTIVE, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	NAMES(PPPIOCSCOMPRESS, struct ppp_option_data, ptr, length, 1),
	NAMES(SG_IO, struct sg_io_hdr, dxferp, dxfer_len, 1),
	NAMES(SG_IO, struct sg_io_hdr, cmdp, cmd_len, 1),
	NAMES(SG_IO, struct sg_io_hdr, sbp, mx_sb_len, 1),
	NAMES(BLKPG, struct blkpg_ioctl_arg, data, datalen, 1),
	GOES_ON(BLKREPORTZONE, struct blk_zone_report, zones, nr_zones, sizeof(struct blk_zone)),
	NAMES(CDROM_SEND_PACKET, struct cdrom_generic_command, buffer, buflen, 1),
	NAMES_ONE(CDROM_SEND_PACKET, struct cdrom_generic_command, sense, sizeof(struct request_sense)),
	NAMES(CDROMREADAUDIO, struct cdrom_read_audio, buf, nframes, CD_FRAMESIZE_RAW),
	NAMES(NVME_IOCTL_ADMIN_CMD, struct nvme_passthru_cmd, metadata, metadata_len, 1),
	NAMES(NVME_IOCTL_ADMIN_CMD, struct nvme_passthru_cmd, addr, data_len, 1),
	NAMES(NVME_IOCTL_IO_CMD, struct nvme_passthru_cmd, metadata, metadata_len, 1),
	NAMES(NVME_IOCTL_IO_CMD, struct nvme_passthru_cmd, addr, data_len, 1),
	NAMES(NVME_IOCTL_ADMIN64_CMD, struct nvme_passthru_cmd64, metadata, metadata_len, 1),
	NAMES(NVME_IOCTL_ADMIN64_CMD, struct nvme_passthru_cmd64, addr, data_len, 1),
	NAMES(NVME_IOCTL_IO64_CMD, struct nvme_passthru_cmd64, metadata, metadata_len, 1),
	NAMES(NVME_IOCTL_IO64_CMD, struct nvme_passthru_cmd64, addr, data_len, 1),
	GOES_ON(RNDADDENTROPY, struct rand_pool_info, buf, buf_size, 1),
	NAMES(EVIOCGMASK, struct input_mask, codes_ptr, codes_size, 1),
	NAMES(EVIOCSMASK, struct input_mask, codes_ptr, codes_size, 1),
	NAMES(USBDEVFS_CONTROL, struct usbdevfs_ctrltransfer, data, wLength, 1),
	NAMES(USBDEVFS_BULK, struct usbdevfs_bulktransfer, data, len, 1),
	NAMES_ONE(I2C_SMBUS, struct i2c_smbus_ioctl_data, data, sizeof(union i2c_smbus_data)),
	NAMES(BINDER_WRITE_READ, struct binder_write_read, write_buffer, write_size, 1),
	NAMES(BINDER_WRITE_READ, struct binder_write_read, read_buffer, read_size, 1),
	NAMES(SNDRV_CTL_IOCTL_ELEM_LIST, struct snd_ctl_elem_list, pids, space, sizeof(struct snd_ctl_elem_id)),
	GOES_ON(SNDRV_CTL_IOCTL_TLV_READ, struct snd_ctl_tlv, tlv, length, 1),
	GOES_ON(SNDRV_CTL_IOCTL_TLV_WRITE, struct snd_ctl_tlv, tlv, length, 1),
	NAMES(GIO_UNIMAP, struct unimapdesc, entries, entry_ct, sizeof(struct unipair)),
	NAMES(PIO_UNIMAP, struct unimapdesc, entries, entry_ct, sizeof(struct unipair)),
	/* 512 characters, of 32 lines. */
	NAMES_ONE(GIO_FONTX, struct consolefontdesc, chardata, 512 * 32),
	NAMES_ONE(PIO_FONTX, struct consolefontdesc, chardata, 512 * 32),
	NAMES_ONE(KDFONTOP, struct console_font_op, data, 65536),
	NAMES(FBIOGETCMAP, struct fb_cmap, red, len, 2),
	NAMES(FBIOGETCMAP, struct fb_cmap, green, len, 2),
	NAMES(FBIOGETCMAP, struct fb_cmap, blue, len, 2),
	NAMES(FBIOGETCMAP, struct fb_cmap, transp, len, 2),
	NAMES(FBIOPUTCMAP, struct fb_cmap, red, len, 2),
	NAMES(FBIOPUTCMAP, struct fb_cmap, green, len, 2),
	NAMES(FBIOPUTCMAP, struct fb_cmap, blue, len, 2),
	NAMES(FBIOPUTCMAP, struct fb_cmap, transp, len, 2),
	GOES_ON(KVM_GET_MSR_INDEX_LIST, struct kvm_msr_list, indices, nmsrs, 4),
	GOES_ON(KVM_GET_MSR_FEATURE_INDEX_LIST, struct kvm_msr_list, indices, nmsrs, 4),
	GOES_ON(KVM_GET_SUPPORTED_CPUID, struct kvm_cpuid2, entries, nent, sizeof(struct kvm_cpuid_entry2)),
	GOES_ON(KVM_GET_EMULATED_CPUID, struct kvm_cpuid2, entries, nent, sizeof(struct kvm_cpuid_entry2)),
	GOES_ON(KVM_SET_CPUID2, struct kvm_cpuid2, entries, nent, sizeof(struct kvm_cpuid_entry2)),
	GOES_ON(KVM_GET_CPUID2, struct kvm_cpuid2, entries, nent, sizeof(struct kvm_cpuid_entry2)),
	GOES_ON(KVM_GET_MSRS, struct kvm_msrs, entries, nmsrs, sizeof(struct kvm_msr_entry)),
	GOES_ON(KVM_SET_MSRS, struct kvm_msrs, entries, nmsrs, sizeof(struct kvm_msr_entry)),
	GOES_ON(KVM_SET_GSI_ROUTING, struct kvm_irq_routing, entries, nr, sizeof(struct kvm_irq_routing_entry)),
	GOES_ON(KVM_SET_SIGNAL_MASK, struct kvm_signal_mask, sigset, len, 1),
	GOES_ON(KVM_GET_REG_LIST, struct kvm_reg_list, reg, n, 8),
	NAMES_ONE(KVM_GET_ONE_REG, struct kvm_one_reg, addr, 256),
	NAMES_ONE(KVM_SET_ONE_REG, struct kvm_one_reg, addr, 256),
	NAMES_ONE(KVM_SET_DEVICE_ATTR, struct kvm_device_attr, addr, 64),
	NAMES_ONE(KVM_GET_DEVICE_ATTR, struct kvm_device_attr, addr, 64),
	GOES_ON(VHOST_SET_MEM_TABLE, struct vhost_memory, regions, nregions, sizeof(struct vhost_memory_region)),

	OPTION(SYS_setsockopt, SOL_SOCKET, SO_ATTACH_FILTER, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	OPTION(SYS_setsockopt, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	OPTION(SYS_setsockopt, SOL_PACKET, PACKET_FANOUT_DATA, struct sock_fprog, filter, len, sizeof(struct sock_filter)),
	OPTION(SYS_setsockopt, 0, IPT_SO_SET_REPLACE, struct ipt_replace, counters, num_counters, sizeof(struct xt_counters)),
	OPTION(SYS_setsockopt, 41, IP6T_SO_SET_REPLACE, struct ip6t_replace, counters, num_counters, sizeof(struct xt_counters)),
	OPTION(SYS_setsockopt, 0, ARPT_SO_SET_REPLACE, struct arpt_replace, counters, num_counters, sizeof(struct xt_counters)),
	OPTION(SYS_setsockopt, SOL_XDP, XDP_UMEM_REG, struct xdp_umem_reg, addr, len, 1),
	OPTION(SYS_getsockopt, 6, TCP_ZEROCOPY_RECEIVE, struct tcp_zerocopy_receive, copybuf_address, copybuf_len, 1),
	OPTION(SYS_getsockopt, 6, TCP_ZEROCOPY_RECEIVE, struct tcp_zerocopy_receive, msg_control, msg_controllen, 1),

	BPF(BPF_PROG_LOAD, insns, insn_cnt, sizeof(struct bpf_insn)),
	BPF_ONE(BPF_PROG_LOAD, license, 128),
	BPF(BPF_PROG_LOAD, log_buf, log_size, 1),
	BPF_TIMES(BPF_PROG_LOAD, func_info, func_info_cnt, func_info_rec_size),
	BPF_TIMES(BPF_PROG_LOAD, line_info, line_info_cnt, line_info_rec_size),
	BPF_ONE(BPF_PROG_LOAD, fd_array, PAGE),
	BPF_TIMES(BPF_PROG_LOAD, core_relos, core_relo_cnt, core_relo_rec_size),
	NAMES_(SYS_bpf, BPF_PROG_LOAD, struct signed_program, signature, signature_size, 1),
	BPF_ONE(BPF_OBJ_PIN, pathname, PAGE),
	BPF_ONE(BPF_OBJ_GET, pathname, PAGE),
	BPF(BPF_PROG_TEST_RUN, test.data_in, test.data_size_in, 1),
	BPF(BPF_PROG_TEST_RUN, test.data_out, test.data_size_out, 1),
	BPF(BPF_PROG_TEST_RUN, test.ctx_in, test.ctx_size_in, 1),
	BPF(BPF_PROG_TEST_RUN, test.ctx_out, test.ctx_size_out, 1),
	BPF(BPF_OBJ_GET_INFO_BY_FD, info.info, info.info_len, 1),
	BPF(BPF_PROG_QUERY, query.prog_ids, query.prog_cnt, 4),
	{ "BPF_PROG_QUERY", SYS_bpf, BPF_PROG_QUERY, 64, 32, offsetof(union bpf_attr, query.prog_cnt), 4, 0, 4, false },
	{ "BPF_PROG_QUERY", SYS_bpf, BPF_PROG_QUERY, 64, 40, offsetof(union bpf_attr, query.prog_cnt), 4, 0, 4, false },
	{ "BPF_PROG_QUERY", SYS_bpf, BPF_PROG_QUERY, 64, 48, offsetof(union bpf_attr, query.prog_cnt), 4, 0, 4, false },
	BPF_ONE(BPF_RAW_TRACEPOINT_OPEN, raw_tracepoint.name, 128),
	BPF(BPF_BTF_LOAD, btf, btf_size, 1),
	BPF(BPF_BTF_LOAD, btf_log_buf, btf_log_size, 1),
	BPF(BPF_TASK_FD_QUERY, task_fd_query.buf, task_fd_query.buf_len, 1),


	{ "clone_args.pidfd", SYS_clone3, 0, sizeof(struct clone_args), offsetof(struct clone_args, pidfd), 0, 0, 0, 4, false },
	{ "clone_args.child_tid", SYS_clone3, 0, sizeof(struct clone_args), offsetof(struct clone_args, child_tid), 0, 0, 0, 4, false },
	{ "clone_args.parent_tid", SYS_clone3, 0, sizeof(struct clone_args), offsetof(struct clone_args, parent_tid), 0, 0, 0, 4, false },
	NAMES_(SYS_clone3, 0, struct clone_args, set_tid, set_tid_size, 4),
};
/* clang-format on */

/* That comes a page at a time. */
static char *lazy_memory(void)
{
	char *at = lazymap_map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(at != LAZYMAP_FAILED);
	ck_assert_int_eq(lazymap_advise(at, PAGES * PAGE, MADV_RANDOM), 0);
	return at;
}

static bool present(const char *at)
{
	unsigned char there;

	ck_assert_int_eq(lazymap_resident((void *)((uintptr_t)at & ~(PAGE - 1)),
					  PAGE, &there),
			 0);
	return there & 1;
}

static void put(char *head, size_t at, const void *value, size_t len)
{
	memcpy(head + at, value, len);
}

/* How many of the units: of what reaches over three pages, if the field holds
 * that. */
static uint64_t count_of(const struct case_ *c)
{
	uint64_t count = 3 * PAGE / c->unit + 1;

	if (!c->width)
		return 1;
	if (c->width == 1)
		return 200;
	return count;
}

static void arguments(const struct case_ *c, char *head, uint32_t *option_len,
		      long args[6])
{
	memset(args, 0, 6 * sizeof(*args));
	args[0] = -1;
	switch (c->nr) {
	case SYS_ioctl:
		args[1] = c->command;
		args[2] = (long)head;
		break;
	case SYS_bpf:
		args[0] = c->command;
		args[1] = (long)head;
		args[2] = (long)c->size;
		break;
	case SYS_clone3:
		args[0] = (long)head;
		args[1] = (long)c->size;
		break;
	default:
		args[1] = c->command >> 16;
		args[2] = c->command & 0xffff;
		args[3] = (long)head;
		args[4] = c->nr == SYS_getsockopt ? (long)option_len
						  : (long)c->size;
	}
}

/* The struct is at the end of a page, so that what goes on behind it is on the
 * next one; what it names begins in the middle of one. */
START_TEST(what_a_struct_names_is_present_for_the_call)
{
	const struct case_ *c = &cases[_i];
	char *lazy = lazy_memory(), ordinary[512] = { 0 }, *head, *from;
	uint64_t count = count_of(c), address;
	uint32_t option_len = (uint32_t)c->size, each = (uint32_t)c->unit;
	struct lm_call_pins pins;
	size_t len = count * c->unit;
	long args[6];

	head = c->behind ? lazy + PAGE - (c->at + 1) / 8 * 8 : ordinary;
	from = c->behind ? head + c->at : lazy + PAGE - 8;
	address = (uintptr_t)from;
	if (c->width)
		put(head, c->count, &count, c->width);
	if (c->times)
		put(head, c->times, &each, sizeof(each));
	if (!c->behind)
		put(head, c->at, &address, sizeof(address));
	ck_assert(len <= 17 * PAGE);
	ck_assert_msg(!present(from + len - 1) || len < 8 || c->behind, "%s",
		      c->name);
	arguments(c, head, &option_len, args);
	lm_call_pin(&pins, c->nr, args);
	for (size_t i = 0; i < len; i += 64)
		ck_assert_msg(present(from + i), "%s: byte %zu", c->name, i);
	ck_assert_msg(present(from + len - 1), "%s: the last byte", c->name);
	/* No more than that, but for what ends with a struct of 256 bytes. */
	ck_assert_msg(!present(from + len + PAGE), "%s: too much", c->name);
	lm_call_unpin(&pins);
	lazymap_unmap(lazy, PAGES * PAGE);
}
END_TEST

static bool has_case(const struct lm_commands *of, const struct lm_nested *row)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cases[i].nr == of->nr && cases[i].command == row->command &&
		    cases[i].at == row->at)
			return true;
	return false;
}

START_TEST(every_row_that_names_memory_has_a_case)
{
	const struct lm_commands *of;
	size_t rows = 0;

	for (size_t i = 0; (of = lm_commands_at(i)); i++)
		for (size_t k = 0; k < of->nesteds; k++, rows++)
			ck_assert_msg(has_case(of, &of->nested[k]), "%s, %u",
				      of->nested[k].name, of->nested[k].at);
	ck_assert_uint_eq(rows, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

/* -- What takes code ------------------------------------------------------------- */

static void pin_and_look(uint32_t request, void *head, const char *const at[],
			 size_t count)
{
	const long args[6] = { -1, request, (long)head };
	struct lm_call_pins pins;

	for (size_t i = 0; i < count; i++)
		ck_assert_msg(!present(at[i]), "%#x: %zu", request, i);
	lm_call_pin(&pins, SYS_ioctl, args);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(present(at[i]), "%#x: %zu", request, i);
	lm_call_unpin(&pins);
}

#define FAR(i) (lazy[i] + 5 * PAGE)
static char *lazy[3];

static void three_memories(void)
{
	for (int i = 0; i < 3; i++)
		lazy[i] = lazy_memory();
}

START_TEST(each_message_of_a_bus_has_its_buffer)
{
	struct i2c_msg msgs[2] = {
		{ .len = 2, .buf = (unsigned char *)FAR(0) },
		{ .len = 5000, .buf = (unsigned char *)FAR(1) },
	};
	struct i2c_rdwr_ioctl_data list = { .msgs = msgs, .nmsgs = 2 };
	const char *const at[] = { FAR(0), FAR(1), FAR(1) + PAGE };

	pin_and_look(I2C_RDWR, &list, at, 3);
}
END_TEST

START_TEST(each_transfer_of_a_bus_has_two_buffers)
{
	struct spi_ioc_transfer transfers[2] = {
		{ .len = 4 },
		{ .tx_buf = (uintptr_t)FAR(0),
		  .rx_buf = (uintptr_t)FAR(1),
		  .len = 5000 },
	};
	const char *const at[] = { FAR(0), FAR(0) + PAGE, FAR(1),
				   FAR(1) + PAGE };

	pin_and_look(SPI_IOC_MESSAGE(2), transfers, at, 4);
}
END_TEST

START_TEST(a_disk_is_read_to_several_buffers)
{
	struct iovec iov[2] = { { FAR(0), 100 }, { FAR(1), 5000 } };
	struct sg_io_hdr hdr = { .iovec_count = 2,
				 .dxferp = iov,
				 .dxfer_len = 5100 };
	const char *const at[] = { FAR(0), FAR(1), FAR(1) + PAGE };

	pin_and_look(SG_IO, &hdr, at, 3);
}
END_TEST

START_TEST(controls_of_video_may_be_strings)
{
	struct v4l2_ext_control control[2] = {
		{ .id = 1, .value = 7 },
		{ .id = 2, .size = 5000, .string = FAR(0) },
	};
	struct v4l2_ext_controls list = { .count = 2, .controls = control };
	const char *const at[] = { FAR(0), FAR(0) + PAGE };

	pin_and_look(VIDIOC_G_EXT_CTRLS, &list, at, 2);
	pin_and_look(VIDIOC_S_EXT_CTRLS, &list, NULL, 0);
}
END_TEST

START_TEST(interfaces_have_data_behind_a_name)
{
	static const uint32_t requests[] = { SIOCETHTOOL, SIOCSHWTSTAMP,
					     SIOCDEVPRIVATE + 3 };

	for (int i = 0; i < 3; i++) {
		struct ifreq req = { .ifr_name = "lo", .ifr_data = FAR(i) };
		const char *const at[] = { FAR(i) };

		pin_and_look(requests[i], &req, at, 1);
	}
}
END_TEST

START_TEST(interfaces_are_listed)
{
	struct ifconf list = { .ifc_len = 5000, .ifc_buf = FAR(0) };
	const char *const at[] = { FAR(0), FAR(0) + PAGE };

	pin_and_look(SIOCGIFCONF, &list, at, 2);
}
END_TEST

/* As it is without a row: the number carries the size and the direction. */
START_TEST(an_unknown_request_is_as_large_as_its_number_says)
{
	const char *const two[] = { FAR(0), FAR(0) + PAGE };
	const char *const edge[] = { FAR(1) + PAGE - 200, FAR(1) + PAGE };

	pin_and_look(_IOC(_IOC_READ, 'q', 77, 2 * PAGE), FAR(0), two, 2);
	/* And without a size. */
	pin_and_look(_IO('q', 78), FAR(1) + PAGE - 200, edge, 2);
}
END_TEST

/* -- Of calls, not of commands ----------------------------------------------------- */

static void call_and_look(long nr, const long args[6], const char *at)
{
	struct lm_call_pins pins;

	ck_assert_msg(!present(at), "call %ld", nr);
	lm_call_pin(&pins, nr, args);
	ck_assert_msg(present(at), "call %ld", nr);
	lm_call_unpin(&pins);
}

START_TEST(quotas_are_told_in_the_largest_struct)
{
	char *at = FAR(0) - sizeof(struct fs_quota_statv) + 1;
	const long args[6] = { QCMD(Q_XGETQSTATV, USRQUOTA), 0, 0, (long)at };

	call_and_look(SYS_quotactl, args, FAR(0));
}
END_TEST

START_TEST(an_event_may_be_a_place_that_has_a_name)
{
	struct perf_event_attr attr = { .size = sizeof(attr),
					.config1 = (uintptr_t)FAR(0) };
	const long args[6] = { (long)&attr, 0, -1, -1, 0 };

	call_and_look(SYS_perf_event_open, args, FAR(0));
	attr.config1 = 0;
	attr.config2 = (uintptr_t)FAR(1);
	call_and_look(SYS_perf_event_open, args, FAR(1));
}
END_TEST

START_TEST(a_restartable_sequence_is_as_long_as_is_said)
{
	const long args[6] = { (long)(FAR(0) - 64), 65, 0, 0 };

	call_and_look(SYS_rseq, args, FAR(0));
}
END_TEST

START_TEST(names_are_read_to_their_end)
{
	const long args[6] = { (long)(FAR(0) - 300), 0 };
	const long session[6] = { 1, (long)(FAR(1) - 300) };

	call_and_look(SYS_mq_unlink, args, FAR(0));
	call_and_look(SYS_keyctl, session, FAR(1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("commands");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, three_memories, NULL);
	tcase_add_loop_test(tcase, what_a_struct_names_is_present_for_the_call,
			    0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, every_row_that_names_memory_has_a_case);
	tcase_add_test(tcase, each_message_of_a_bus_has_its_buffer);
	tcase_add_test(tcase, each_transfer_of_a_bus_has_two_buffers);
	tcase_add_test(tcase, a_disk_is_read_to_several_buffers);
	tcase_add_test(tcase, controls_of_video_may_be_strings);
	tcase_add_test(tcase, interfaces_have_data_behind_a_name);
	tcase_add_test(tcase, interfaces_are_listed);
	tcase_add_test(tcase,
		       an_unknown_request_is_as_large_as_its_number_says);
	tcase_add_test(tcase, quotas_are_told_in_the_largest_struct);
	tcase_add_test(tcase, an_event_may_be_a_place_that_has_a_name);
	tcase_add_test(tcase, a_restartable_sequence_is_as_long_as_is_said);
	tcase_add_test(tcase, names_are_read_to_their_end);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
