/*
 * test_sites_once.c -- which system calls of the C library can be hooked: all
 * that may be handed lazy memory, but for a few that are named here. And that
 * the instructions before them are understood.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall/decode.h"
#include "syscall/hook.h"
#include "syscall/kept.h"
#include "syscall/site.h"
#include "syscall/table.h"

#if defined(__x86_64__)

struct found {
	struct lm_text text;
	const int32_t *row; /* .eh_frame_hdr's table: two words each */
	size_t rows;
};

static int find_libc(struct dl_phdr_info *info, size_t size, void *data)
{
	struct found *found = data;

	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const void *at = (const void *)(info->dlpi_addr + ph->p_vaddr);

		if (ph->p_type == PT_GNU_EH_FRAME) {
			found->text.frames = at;
			found->text.frames_len = ph->p_memsz;
		} else if (ph->p_type == PT_LOAD && ph->p_flags & PF_X) {
			found->text.at = at;
			found->text.len = ph->p_filesz;
		}
	}
	found->row = (const int32_t *)found->text.frames + 3;
	found->rows = ((const uint32_t *)found->text.frames)[2];
	return 1;
}

static struct found libc(void)
{
	struct found found = { .rows = 0 };

	ck_assert(dl_iterate_phdr(find_libc, &found));
	ck_assert_ptr_nonnull(found.text.at);
	ck_assert_uint_gt(found.rows, 1000);
	return found;
}

static const uint8_t *function(const struct found *found, size_t n)
{
	if (n == found->rows)
		return found->text.at + found->text.len;
	return (const uint8_t *)found->text.frames + found->row[2 * n];
}

static bool is_syscall(const uint8_t *at, const struct lm_insn *insn)
{
	return insn->len == 2 && at[0] == 0x0f && at[1] == 0x05;
}

static const uint8_t *call_of(const struct lm_site *site)
{
	return site->at + site->skip + site->copy;
}

static bool covered(const struct lm_sites *sites, const uint8_t *call)
{
	for (size_t i = 0; i < sites->count; i++)
		if (call_of(&sites->site[i]) == call)
			return true;
	return false;
}

static int32_t word(const uint8_t *at)
{
	int32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/*
 * The number of the call that ends [at, call): from the last mov to %eax, by
 * way of %edx or %esi if need be. -1: it is not to be seen.
 */
static long number_of(const uint8_t *at, const uint8_t *call)
{
	long eax = -1, edx = -1, esi = -1;
	struct lm_insn insn;

	for (; at < call; at += insn.len) {
		if (lm_decode(at, call, &insn) < 0)
			return -1;
		if (at[0] == 0xb8)
			eax = word(at + 1);
		else if (at[0] == 0xba)
			edx = word(at + 1);
		else if (at[0] == 0xbe)
			esi = word(at + 1);
		else if (!memcmp(at, "\x48\xc7\xc0", 3))
			eax = word(at + 3);
		else if (!memcmp(at, "\x89\xd0", 2))
			eax = edx;
		else if (!memcmp(at, "\x89\xf0", 2))
			eax = esi;
		else if (!memcmp(at, "\x31\xc0", 2))
			eax = 0;
	}
	return eax;
}

/* Why it may be left: NULL, it may not. */
static const char *excuse(long nr, const uint8_t *start, const uint8_t *call)
{
	if (nr == SYS_clone || nr == SYS_clone3)
		return "comes back on another stack";
	/* Its function is said to begin a byte early. */
	if (!memcmp(call - 7, "\x48\xc7\xc0\x0f\0\0\0", 7))
		return "the return from a handler";
	if (nr >= 0 && !lm_table_row(nr))
		return "has no memory to look at";
	if (nr == SYS_read && call - start < 64)
		return "read() is wrapped whole; and the C library's own, "
		       "which reads to its own memory";
	/* lea ...(%rip), %rsi */
	if (nr == SYS_rt_sigprocmask)
		for (int i = 7; i < 20; i++)
			if (!memcmp(call - i, "\x48\x8d\x35", 3))
				return "a constant mask of the C library, the "
				       "old one to its stack";
	return NULL;
}

START_TEST(no_call_of_the_c_library_is_left_that_may_be_handed_lazy_memory)
{
	struct lm_sites *sites = calloc(1, sizeof(*sites));
	struct found found = libc();
	size_t calls = 0, hooked = 0, left = 0;
	const uint8_t *at, *end;
	struct lm_insn insn;

	lm_site_scan(&found.text, sites);
	for (size_t i = 0; i < found.rows; i++) {
		end = function(&found, i + 1);
		for (at = function(&found, i); at < end; at += insn.len) {
			const char *why;
			long nr;

			if (lm_decode(at, end, &insn) < 0)
				break;
			if (!is_syscall(at, &insn))
				continue;
			calls++;
			if (covered(sites, at)) {
				hooked++;
				continue;
			}
			nr = number_of(function(&found, i), at);
			why = excuse(nr, function(&found, i), at);
			if (!why) {
				printf("call %ld at %#zx is left\n", nr,
				       (size_t)(at - found.text.at));
				left++;
			} else if (nr >= 0 && lm_table_row(nr)) {
				printf("%s at %#zx: %s\n",
				       lm_table_row(nr)->name,
				       (size_t)(at - found.text.at), why);
			}
		}
	}
	printf("%zu calls, %zu hooked\n", calls, hooked);
	ck_assert_uint_gt(hooked, 200);
	ck_assert_uint_eq(left, 0);
	free(sites);
}
END_TEST

/* Decoding a function from its first instruction leads to the next one's. */
START_TEST(instructions_of_the_c_library_are_understood)
{
	struct found found = libc();
	size_t missed = 0;

	for (size_t i = 0; i + 1 < found.rows; i++) {
		const uint8_t *at = function(&found, i);
		const uint8_t *end = function(&found, i + 1);
		struct lm_insn insn;

		while (at < end && lm_decode(at, found.text.at + found.text.len,
					     &insn) == 0)
			at += insn.len;
		missed += at != end;
	}
	printf("%zu of %zu are not\n", missed, found.rows);
	/* A handler's return begins a byte early, and so on. */
	ck_assert_uint_lt(missed * 200, found.rows);
}
END_TEST

static struct lm_insn decoded(const char *bytes, size_t len)
{
	struct lm_insn insn;

	ck_assert_int_eq(lm_decode((const uint8_t *)bytes,
				   (const uint8_t *)bytes + len, &insn),
			 0);
	ck_assert_uint_eq(insn.len, len);
	return insn;
}

#define KIND(bytes) decoded(bytes, sizeof(bytes) - 1).kind

START_TEST(kinds_of_instructions_are_told_apart)
{
	static const uint8_t loop[2] = { 0x75, 0xfe }, none[3] = { 0x06, 1, 2 };
	struct lm_insn insn;

	ck_assert_int_eq(KIND("\x44\x89\xc0"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xb8\x01\0\0\0"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\x48\xb8\1\2\3\4\5\6\7\10"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\x40\x80\xf6\x81"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xf7\xd6"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xf7\xc6\1\2\3\4"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\x66\xc7\x04\x24\1\2"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xc7\x84\x24\1\2\3\4\1\2\3\4"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\x62\xf1\x7d\x48\x6f\x47\x01"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xc4\xe3\x7d\x38\xc1\x01"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\x48\x8d\x35\1\2\3\4"), LM_INSN_RELATIVE);
	ck_assert_int_eq(KIND("\x80\x3d\1\2\3\4\0"), LM_INSN_RELATIVE);
	ck_assert_int_eq(KIND("\x3e\xff\xe0"), LM_INSN_INDIRECT);
	ck_assert_int_eq(KIND("\xff\xd0"), LM_INSN_OTHER);
	ck_assert_int_eq(KIND("\x0f\x05"), LM_INSN_OTHER);
	ck_assert_int_eq(KIND("\xc3"), LM_INSN_OTHER);
	ck_assert_int_eq(KIND("\x66\x2e\x0f\x1f\x84\0\0\0\0\0"), LM_INSN_FILL);
	ck_assert_int_eq(KIND("\x41\x90"), LM_INSN_PLAIN);
	ck_assert_int_eq(KIND("\xe9\1\0\0\0"), LM_INSN_BRANCH);
	ck_assert_int_eq(KIND("\x0f\x84\1\0\0\0"), LM_INSN_BRANCH);
	ck_assert_int_eq(KIND("\xeb\x10"), LM_INSN_BRANCH);
	ck_assert_int_eq(lm_decode(loop, loop + 2, &insn), 0);
	ck_assert_ptr_eq(insn.target, loop);
	/* It ends too early; there is none. */
	ck_assert_int_lt(lm_decode(loop, loop + 1, &insn), 0);
	ck_assert_int_lt(lm_decode(none, none + 3, &insn), 0);
}
END_TEST

/* A text of one function before another: nops, then a call whose number comes
 * from a register. */
struct made {
	uint8_t code[1 << 20];
	struct {
		uint8_t kinds[4];
		int32_t at;
		uint32_t count;
		int32_t row[4];
	} frames;
};

static size_t sites_in(size_t length)
{
	static const uint8_t call[] = { 0x49, 0x89, 0xf2, 0x44, 0x89,
					0xc0, 0x0f, 0x05, 0xc3 };
	struct lm_sites *sites = calloc(1, sizeof(*sites));
	struct made *made = calloc(1, sizeof(*made));
	struct lm_text text = { .at = made->code,
				.len = length + 64,
				.frames = &made->frames,
				.frames_len = sizeof(made->frames) };
	int32_t start = -(int32_t)offsetof(struct made, frames);
	size_t count;

	memset(made->code, 0x90, sizeof(made->code));
	memcpy(made->code + length - sizeof(call), call, sizeof(call));
	memcpy(made->frames.kinds, "\x01\x1b\x03\x3b", 4);
	made->frames.count = 2;
	made->frames.row[0] = start;
	made->frames.row[2] = start + (int32_t)length;
	lm_site_scan(&text, sites);
	count = sites->count;
	free(made);
	free(sites);
	return count;
}

START_TEST(what_is_too_long_for_a_function_is_not_decoded)
{
	ck_assert_uint_eq(sites_in(1 << 10), 1);
	ck_assert_uint_eq(sites_in(250 << 10), 1);
	ck_assert_uint_eq(sites_in(260 << 10), 0);
}
END_TEST

/* Of a text of any length, at any place in it: mov $1, %eax; syscall. */
START_TEST(a_call_is_found_wherever_it_stands)
{
	static const uint8_t call[] = { 0xb8, 1, 0, 0, 0, 0x0f, 0x05 };
	struct lm_sites *sites = calloc(1, sizeof(*sites));
	uint8_t code[200];

	for (size_t len = sizeof(call); len <= sizeof(code); len++)
		for (size_t at = 0; at + sizeof(call) <= len; at++) {
			struct lm_text text = { .at = code, .len = len };

			memset(code, 0x90, sizeof(code));
			memcpy(code + at, call, sizeof(call));
			sites->count = 0;
			lm_site_scan(&text, sites);
			if (sites->count != 1 || sites->site[0].at != code + at)
				ck_abort_msg("at %zu of %zu: %zu found", at,
					     len, sites->count);
		}
	free(sites);
}
END_TEST

/* -- Kept ------------------------------------------------------------------------ */

/* What a file of `len` bytes gives: -errno, or how many sites. */
static int read_back(const uint8_t *bytes, size_t len,
		     const struct lm_text *text, struct lm_sites *sites)
{
	int fd = memfd_create("kept", MFD_CLOEXEC), ret;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	sites->count = 0;
	ret = lm_kept_read(fd, text, sites);
	close(fd);
	if (ret < 0)
		ck_assert_uint_eq(sites->count, 0);
	return ret < 0 ? ret : (int)sites->count;
}

/* The file's bytes: malloc's. */
static uint8_t *keep(const struct lm_text *text, const struct lm_sites *sites,
		     size_t *len)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);
	uint8_t *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lm_kept_write(fd, text, sites), 0);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*len);
	ck_assert_int_eq(pread(fd, bytes, *len, 0), (ssize_t)*len);
	close(fd);
	return bytes;
}

START_TEST(what_is_kept_is_what_was_found)
{
	struct lm_sites *found = calloc(1, sizeof(*found));
	struct lm_sites *back = calloc(1, sizeof(*back));
	struct found of = libc();
	uint8_t *bytes;
	size_t len;

	lm_site_scan(&of.text, found);
	bytes = keep(&of.text, found, &len);
	ck_assert_int_eq(read_back(bytes, len, &of.text, back),
			 (int)found->count);
	for (size_t i = 0; i < found->count; i++) {
		const struct lm_site *a = &found->site[i], *b = &back->site[i];

		if (a->at != b->at || a->skip != b->skip ||
		    a->copy != b->copy || a->kind != b->kind ||
		    a->inner != b->inner || a->nr != b->nr)
			ck_abort_msg("site %zu is another one", i);
	}
	free(bytes);
	free(found);
	free(back);
}
END_TEST

START_TEST(a_kept_file_that_is_not_right_is_not_used)
{
	struct lm_sites *found = calloc(1, sizeof(*found));
	struct lm_sites *back = calloc(1, sizeof(*back));
	struct found of = libc();
	struct lm_text other;
	uint8_t *bytes, *text;
	size_t len;

	lm_site_scan(&of.text, found);
	bytes = keep(&of.text, found, &len);
	for (size_t i = 0; i < len; i += i < 64 ? 1 : 61) {
		bytes[i] ^= 0x40;
		ck_assert_int_eq(read_back(bytes, len, &of.text, back),
				 -EINVAL);
		bytes[i] ^= 0x40;
	}
	for (size_t cut = 0; cut < len; cut += 31)
		ck_assert_int_eq(read_back(bytes, cut, &of.text, back),
				 -EINVAL);
	other = of.text;
	other.len -= 16;
	ck_assert_int_eq(read_back(bytes, len, &other, back), -EINVAL);
	/* Somebody else's jump at one of them. */
	text = malloc(of.text.len);
	memcpy(text, of.text.at, of.text.len);
	other = of.text;
	other.at = text;
	text[found->site[3].at - of.text.at] = 0xe9;
	ck_assert_int_eq(read_back(bytes, len, &other, back),
			 (int)found->count - 1);
	ck_assert_ptr_eq(back->site[2].at,
			 text + (found->site[2].at - of.text.at));
	ck_assert_ptr_eq(back->site[3].at,
			 text + (found->site[4].at - of.text.at));
	free(text);
	free(bytes);
	free(found);
	free(back);
}
END_TEST

#if LM_HOOKS
/* The build id of the C library: its note is among the first bytes. */
static struct lm_kept_name name_of_libc(void)
{
	static const char note[] = "\4\0\0\0\24\0\0\0\3\0\0\0GNU";
	struct lm_kept_name name;
	Dl_info info;
	const uint8_t *id;

	ck_assert(dladdr((void *)getppid, &info));
	id = memmem(info.dli_fbase, 4096, note, sizeof(note));
	ck_assert_ptr_nonnull(id);
	ck_assert(lm_kept_name(id + sizeof(note), 20, &name));
	return name;
}

static int hooks_of_a_child(void)
{
	int pipes[2], count = -1;

	ck_assert_int_eq(pipe(pipes), 0);
	if (fork() == 0) {
		lm_hook_start();
		count = (int)lm_hook_count();
		_exit(write(pipes[1], &count, sizeof(count)) < 0);
	}
	close(pipes[1]);
	ck_assert_int_eq(read(pipes[0], &count, sizeof(count)), sizeof(count));
	close(pipes[0]);
	return count;
}

/* One that says that the C library has none is believed. */
START_TEST(what_is_kept_beside_the_library_is_used)
{
	struct lm_kept_name name = name_of_libc();
	struct lm_sites *none = calloc(1, sizeof(*none));
	struct found of = libc();
	char dir[PATH_MAX], path[PATH_MAX + 100];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	int fd, all = hooks_of_a_child(), left;

	ck_assert_int_gt(n, 0);
	dir[n] = '\0';
	strcpy(strrchr(dir, '/') + 1, LM_KEPT_DIR);
	mkdir(dir, 0755);
	snprintf(path, sizeof(path), "%s/%s", dir, name.text);
	unlink(path);
	ck_assert_int_eq(lm_kept_open(&name), -ENOENT);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(lm_kept_write(fd, &of.text, none), 0);
	close(fd);
	left = hooks_of_a_child();
	unlink(path);
	rmdir(dir);
	printf("%d hooks, %d without the C library's\n", all, left);
	ck_assert_int_gt(all, left + 200);
	ck_assert_int_eq(hooks_of_a_child(), all);
	free(none);
}
END_TEST
#endif

static Suite *sites_suite(void)
{
	Suite *suite = suite_create("sites");
	TCase *tcase = tcase_create("sites");

	tcase_add_test(
		tcase,
		no_call_of_the_c_library_is_left_that_may_be_handed_lazy_memory);
	tcase_add_test(tcase, instructions_of_the_c_library_are_understood);
	tcase_add_test(tcase, kinds_of_instructions_are_told_apart);
	tcase_add_test(tcase, what_is_too_long_for_a_function_is_not_decoded);
	tcase_add_test(tcase, a_call_is_found_wherever_it_stands);
	tcase_add_test(tcase, what_is_kept_is_what_was_found);
	tcase_add_test(tcase, a_kept_file_that_is_not_right_is_not_used);
#if LM_HOOKS
	tcase_add_test(tcase, what_is_kept_beside_the_library_is_used);
#endif
	suite_add_tcase(suite, tcase);
	return suite;
}

/* By its whole path: what is kept is looked for beside it. */
static void run_by_path(char **argv)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (argv[0][0] == '/' || n < 0)
		return;
	path[n] = '\0';
	argv[0] = path;
	execv(path, argv);
}

int main(int argc, char **argv)
{
	SRunner *runner;
	int failed;

	(void)argc;
	run_by_path(argv);
	runner = srunner_create(sites_suite());
	setvbuf(stdout, NULL, _IOLBF, 0);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}

#else

int main(void)
{
	printf("skipped: sites are looked for in x86-64's code\n");
	return 0;
}

#endif
