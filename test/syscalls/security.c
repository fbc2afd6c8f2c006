/*
 * security.c -- keys, filters, and what else is asked for permission.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "syscalls.h"

#include "os_linux.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define RING (-2) /* KEY_SPEC_PROCESS_KEYRING */

static long key(const char *content)
{
	return syscall(SYS_add_key, "user", "lazymap-matrix", content,
		       strlen(content), RING);
}

/* Whether it is there. */
static long positive(long ret)
{
	return ret > 0 ? 1 : ret;
}

static long c_add_key(char *p[PARAMS], bool raw)
{
	(void)raw;
	return positive(RAW(SYS_add_key, p[0], p[1], p[2], 20, RING));
}

static long c_request_key(char *p[PARAMS], bool raw)
{
	(void)raw;
	key("content");
	return positive(RAW(SYS_request_key, p[0], p[1], p[2], 0));
}

#define CASE_KEY(name, ...)                                                    \
	static long c_##name(char *p[PARAMS], bool raw)                        \
	{                                                                      \
		long id = key("content");                                      \
                                                                               \
		(void)raw;                                                     \
		(void)id;                                                      \
		return positive(RAW(SYS_keyctl, __VA_ARGS__));                 \
	}

CASE_KEY(key_update, 2, id, p[0], 20)
CASE_KEY(key_describe, 6, id, p[0], 64)
CASE_KEY(key_search, 10, RING, p[0], p[1], 0)
CASE_KEY(key_read, 11, id, p[0], 64)
CASE_KEY(key_security, 17, id, p[0], 64)
CASE_KEY(key_capabilities, 31, p[0], 2)
/* Not a key's: refused when the names have been read. */
CASE_KEY(key_restrict, 29, id, p[0], p[1])
CASE_KEY(key_dh, 23, p[0], NULL, 0, p[1])
CASE_KEY(key_dh_buffer, 23, p[0], p[1], 100, NULL)
CASE_KEY(key_query, 24, id, 0, p[0], p[1])
/* These are not for this kind of key; which is seen when all has been read. */
CASE_KEY(key_encrypt, 25, p[0], p[1], p[2], p[3])
CASE_KEY(key_decrypt, 26, p[0], p[1], p[2], p[3])
CASE_KEY(key_sign, 27, p[0], p[1], p[2], p[3])
CASE_KEY(key_verify, 28, p[0], p[1], p[2], p[3])

static void prepare_pkey(char *c[PARAMS], char *p[PARAMS])
{
	int32_t params[3] = { (int32_t)key("content"), 100, 100 };

	(void)p;
	memset(c[0], 0, 32);
	memcpy(c[0], params, sizeof(params));
}

/* Nobody has asked for one. */
CASE_KEY(key_instantiate, 12, id, p[0], 20, RING)

/* In a child, of which it is. */
static long c_key_session(char *p[PARAMS], bool raw)
{
	int status = 0;
	pid_t pid = fork();

	(void)raw;
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(RAW(SYS_keyctl, 1, p[0]) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static const int no_keys[3] = { -1, -1, -1 };

/* struct keyctl_kdf_params: a hash that there is none of. */
static void prepare_derivation(char *c[PARAMS], char *p[PARAMS])
{
	uintptr_t params[8] = { (uintptr_t)p[2], 0, 0 };

	memcpy(c[1], params, sizeof(params));
}

/* -- Filters --------------------------------------------------------------------- */

static const uint32_t kill_action;
CASE_RAW(seccomp_action, SYS_seccomp, 2, 0, p[0])
CASE_RAW(seccomp_sizes, SYS_seccomp, 3, 0, p[0])
/* With an instruction that there is none of. */
CASE_RAW(seccomp_filter, SYS_seccomp, 1, 0, p[0])
CASE_RAW(prctl_filter, SYS_prctl, 22, 2, p[0])
static const uint64_t bad_instruction = UINT64_MAX;

static void prepare_program(char *c[PARAMS], char *p[PARAMS])
{
	uintptr_t program[2] = { 1, (uintptr_t)p[1] };

	memcpy(c[0], program, sizeof(program));
}

static const uint64_t ruleset[2] = { 1, 0 };
CASE_RAW(landlock_ruleset, SYS_landlock_create_ruleset, p[0], 8, 0)

static long c_landlock_rule(char *p[PARAMS], bool raw)
{
	/* 3, and 4 below it, as the rule says */
	int fd = (int)syscall(SYS_landlock_create_ruleset, ruleset, 8, 0);

	(void)raw;
	open("/", O_PATH);
	return RAW(SYS_landlock_add_rule, fd, 1, p[0], 0);
}
static const uint32_t rule[3] = { 1, 0, 4 };

static const uint32_t size_512 = 512;
CASE_RAW(lsm_get, SYS_lsm_get_self_attr, 100, p[0], p[1], 0)
CASE_RAW(lsm_set, SYS_lsm_set_self_attr, 100, p[0], 32, 0)
CASE_RAW(lsm_modules, SYS_lsm_list_modules, p[0], p[1], 0)
static const uint64_t lsm_context[4] = { 1000, 0, 32, 0 };

/* -- Programs and events --------------------------------------------------------- */

/* A map of one element. */
static const uint32_t bpf_map[16] = { 2, 4, 4, 1 };
CASE_RAW(bpf, SYS_bpf, 0, p[0], 64)
/* A software event that counts nothing. */
static const uint64_t perf_attr[16] = { 1 | (uint64_t)112 << 32, 9 };
/* One that says that it is longer. */
static const uint64_t perf_long[100] = { 1 | (uint64_t)800 << 32, 9 };
CASE_RAW(perf_longer, SYS_perf_event_open, p[0], 0, -1, -1, 0)
CASE_RAW(perf, SYS_perf_event_open, p[0], 0, -1, -1, 0)

CASE_RAW(init_module, SYS_init_module, p[0], 100, p[1])
CASE_RAW(delete_module, SYS_delete_module, p[0], O_NONBLOCK)
CASE_RAW(lookup_dcookie, SYS_lookup_dcookie, 0, p[0], 64)

/* clang-format off */
const struct test security_tests[] = {
	TR(add_key, NAME("user"), NAME("lazymap-matrix"), OUT(20)),
	TR(request_key, NAME("user"), NAME("lazymap-matrix"), NAME("callout")),
	TR(key_update, OUT(20)), TR(key_describe, TIME(64)),
	TR(key_search, NAME("user"), NAME("lazymap-matrix")),
	TR(key_read, OUT(64)), TR(key_security, OUT(64)),
	TR(key_capabilities, OUT(2)),
	TR(key_restrict, NAME("user"), NAME("none")),
	T_(key_dh, prepare_derivation, RAW_ONLY, STRUCT(no_keys), POINTERS(64), NAME("none")),
	T_(key_encrypt, prepare_pkey, RAW_ONLY, OUT(32), NAME("enc=none"), OUT(100), OUT(100)),
	T_(key_decrypt, prepare_pkey, RAW_ONLY, OUT(32), NAME("enc=none"), OUT(100), OUT(100)),
	T_(key_sign, prepare_pkey, RAW_ONLY, OUT(32), NAME("enc=none"), OUT(100), OUT(100)),
	T_(key_verify, prepare_pkey, RAW_ONLY, OUT(32), NAME("enc=none"), OUT(100), OUT(100)),
	TR(key_instantiate, OUT(20)), TR(key_session, NAME("lazymap-session")),
	TR(key_dh_buffer, STRUCT(no_keys), OUT(100)),
	TR(key_query, NAME("enc=none"), OUT(48)),
	TR(seccomp_action, STRUCT(kill_action)), TR(seccomp_sizes, OUT(6)),
	T_(seccomp_filter, prepare_program, RAW_ONLY, POINTERS(16), STRUCT(bad_instruction)),
	T_(prctl_filter, prepare_program, RAW_ONLY, POINTERS(16), STRUCT(bad_instruction)),
	TR(landlock_ruleset, STRUCT(ruleset)), TR(landlock_rule, STRUCT(rule)),
	TR(lsm_get, OUT(512), STRUCT(size_512)), TR(lsm_set, STRUCT(lsm_context)),
	TR(lsm_modules, OUT(512), STRUCT(size_512)),
	TR(bpf, STRUCT(bpf_map)), TR(perf, STRUCT(perf_attr)),
	TR(perf_longer, STRUCT(perf_long)),
	TR(init_module, OUT(100), OUT(8)), TR(delete_module, MISSING),
	TR(lookup_dcookie, OUT(64)),
	END_OF_TESTS,
};
/* clang-format on */
