/*
 * bpf.c -- bpf(2): maps, programs, and what is told of them.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>

#define SIZE sizeof(union bpf_attr)
#define VALUE 5000

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, SIZE);
}

/* A map, descriptor 3, with the value of key 5 in it: 5000 bytes. */
static void a_map(void)
{
	static char value[VALUE];
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_HASH,
				.key_size = 4,
				.value_size = VALUE,
				.max_entries = 4 };

	if (bpf(BPF_MAP_CREATE, &attr) < 0)
		return;
	memset(value, 11, sizeof(value));
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = 3;
	attr.key = (uintptr_t)&five;
	attr.value = (uintptr_t)value;
	bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* With a value for each processor. */
static void a_map_each(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_PERCPU_ARRAY,
				.key_size = 4,
				.value_size = 12,
				.max_entries = 6 };

	bpf(BPF_MAP_CREATE, &attr);
}

static const struct bpf_insn insns[2] = {
	{ .code = 0xb7, .imm = 1 }, /* r0 = 1 */
	{ .code = 0x95 },           /* return it */
};

/* A program, descriptor 3. */
static void a_program(void)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				.insns = (uintptr_t)insns,
				.insn_cnt = 2,
				.license = (uintptr_t) "MIT" };

	bpf(BPF_PROG_LOAD, &attr);
}

/* What of the map is there. */
static void note_map(void)
{
	static char value[VALUE];
	union bpf_attr attr = { .map_fd = 3,
				.key = (uintptr_t)&five,
				.value = (uintptr_t)value };

	extra[0] = bpf(BPF_MAP_LOOKUP_ELEM, &attr);
	extra[1] = extra[0] ? 0 : value[VALUE - 1];
}

#define CASE_BPF(name, before, after, command)                                 \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		long ret;                                                      \
		int error;                                                     \
                                                                               \
		(void)raw;                                                     \
		before;                                                        \
		ret = RAW(SYS_bpf, command, p[0], SIZE);                       \
		error = errno;                                                 \
		after;                                                         \
		errno = error;                                                 \
		return ret;                                                    \
	}

CASE_BPF(map_lookup, a_map(), (void)0, BPF_MAP_LOOKUP_ELEM)
CASE_BPF(map_update, a_map(), note_map(), BPF_MAP_UPDATE_ELEM)
CASE_BPF(map_delete, a_map(), note_map(), BPF_MAP_DELETE_ELEM)
CASE_BPF(map_next, a_map(), (void)0, BPF_MAP_GET_NEXT_KEY)
CASE_BPF(map_take, a_map(), note_map(), BPF_MAP_LOOKUP_AND_DELETE_ELEM)
CASE_BPF(map_each, a_map_each(), (void)0, BPF_MAP_LOOKUP_ELEM)
CASE_BPF(map_batch, a_map(), (void)0, BPF_MAP_LOOKUP_BATCH)
CASE_BPF(map_update_batch, a_map(), note_map(), BPF_MAP_UPDATE_BATCH)
CASE_BPF(program_load, (void)0, (void)0, BPF_PROG_LOAD)
CASE_BPF(program_run, a_program(), (void)0, BPF_PROG_TEST_RUN)
CASE_BPF(program_info, a_program(), (void)0, BPF_OBJ_GET_INFO_BY_FD)
CASE_BPF(object_get, (void)0, (void)0, BPF_OBJ_GET)
CASE_BPF(tracepoint, (void)0, (void)0, BPF_RAW_TRACEPOINT_OPEN)
CASE_BPF(types_load, (void)0, (void)0, BPF_BTF_LOAD)
CASE_BPF(programs_of, open("/proc/self/ns/net", O_RDONLY), (void)0,
	 BPF_PROG_QUERY)

static void put(char *c, const union bpf_attr *attr)
{
	memcpy(c, attr, sizeof(*attr));
}

/* p: the attributes, a key, a value */
static void prepare_element(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.map_fd = 3;
	attr.key = (uintptr_t)p[1];
	attr.value = (uintptr_t)p[2];
	put(c[0], &attr);
	memcpy(c[1], &five, 4);
}

/* Before the first. */
static void prepare_first(char *c[PARAMS], char *p[PARAMS])
{
	prepare_element(c, p);
	c[1][0] = 0;
}

/* p: the attributes, where to go on, keys, values */
static void prepare_batch(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.batch.out_batch = (uintptr_t)p[1];
	attr.batch.keys = (uintptr_t)p[2];
	attr.batch.values = (uintptr_t)p[3];
	attr.batch.count = 2;
	attr.batch.map_fd = 3;
	put(c[0], &attr);
}

/* p: the attributes, instructions, a license, the log */
static void prepare_load(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER };

	attr.insns = (uintptr_t)p[1];
	attr.insn_cnt = 2;
	attr.license = (uintptr_t)p[2];
	attr.log_level = 1;
	attr.log_buf = (uintptr_t)p[3];
	attr.log_size = 9000;
	put(c[0], &attr);
}

/* p: the attributes, what it is given, what comes back */
static void prepare_run(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.test.prog_fd = 3;
	attr.test.data_in = (uintptr_t)p[1];
	attr.test.data_size_in = 1000;
	attr.test.data_out = (uintptr_t)p[2];
	attr.test.data_size_out = 1000;
	put(c[0], &attr);
}

/* p: the attributes, what is told, the instructions */
static void prepare_info(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };
	struct bpf_prog_info info = { .xlated_prog_len = 64,
				      .xlated_prog_insns = (uintptr_t)p[2] };

	attr.info.bpf_fd = 3;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)p[1];
	put(c[0], &attr);
	memcpy(c[1], &info, sizeof(info));
}

static void prepare_path(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.pathname = (uintptr_t)p[1];
	put(c[0], &attr);
}

static void prepare_tracepoint(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.raw_tracepoint.name = (uintptr_t)p[1];
	attr.raw_tracepoint.prog_fd = 3;
	put(c[0], &attr);
}

/* Which are no types. p: the attributes, types, the log */
static void prepare_types(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.btf = (uintptr_t)p[1];
	attr.btf_size = 100;
	attr.btf_log_buf = (uintptr_t)p[2];
	attr.btf_log_size = 1000;
	attr.btf_log_level = 1;
	put(c[0], &attr);
}

static void prepare_query(char *c[PARAMS], char *p[PARAMS])
{
	union bpf_attr attr = { 0 };

	attr.query.target_fd = 3;
	attr.query.attach_type = BPF_FLOW_DISSECTOR;
	attr.query.prog_ids = (uintptr_t)p[1];
	attr.query.prog_cnt = 10;
	put(c[0], &attr);
}

/* clang-format off */
#define TB(call, prepare, ...) T_(call, prepare_##prepare, RAW_ONLY, POINTERS(SIZE), __VA_ARGS__)
const struct test bpf_tests[] = {
	TB(map_lookup, element, OUT(4), OUT(VALUE)),
	TB(map_update, element, OUT(4), OUT(VALUE)),
	TB(map_delete, element, OUT(4)), TB(map_next, first, OUT(4), OUT(4)),
	TB(map_take, element, OUT(4), OUT(VALUE)),
	TB(map_each, element, OUT(4), OUT(16 * 64)),
	TB(map_batch, batch, TIME(4), OUT(8), OUT(2 * VALUE)),
	TB(map_update_batch, batch, OUT(4), OUT(8), OUT(2 * VALUE)),
	TB(program_load, load, STRUCT(insns), NAME("MIT"), TIME(9000)),
	TB(program_run, run, OUT(1000), OUT(1000)),
	TB(program_info, info, TIME(sizeof(struct bpf_prog_info)), OUT(64)),
	TB(object_get, path, MISSING), TB(tracepoint, tracepoint, NAME("none")),
	TB(types_load, types, OUT(100), OUT(1000)),
	TB(programs_of, query, OUT(40)),
	END_OF_TESTS,
};
/* clang-format on */
