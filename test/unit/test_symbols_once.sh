#!/bin/bash
# The check of the handler's calls finds an unsafe call: direct, at the end of a
# chain through a static function of another file, or through a table.
#
# SPDX-License-Identifier: MIT
set -u

cd "$TESTDIR" || exit 1
if ! echo 'int x;' | ${CC:-cc} -fcallgraph-info -x c -c -o probe.o - 2>/dev/null
then
	echo "this compiler writes no call graph"
	exit 77
fi

# A library of the header's one call, and the rules for it.
mkdir -p lib test
cp "$SRCDIR/test/symbols" test/
echo 'const char *lazymap_version(void);' >lib/lazymap.h
cat >lib/fault.c <<'END'
#include <string.h>
void lm_helper(int);
__attribute__((noinline)) static void fill(int x) { lm_helper(x); }
void lm_fault(char *p) { memset(p, 0, strlen(p)); fill(*p); }
void (*const lm_table[1])(int) = { fill };
END
cat >test/allowed-symbols <<'END'
root lm_fault
safe memset strlen __indirect_call # and why
outside lib/helper.c:thread
END
wrong=0

# expect TEXT: the last line of the check holds TEXT. The helper's source comes
# from standard input.
expect() {
	local objects=() file
	cat >lib/helper.c
	echo 'const char *lazymap_version(void) { return ""; }' >lib/version.c
	for file in lib/*.c; do
		${CC:-cc} -O2 -fPIC -fcallgraph-info -c -o "${file%.c}.o" \
			"$file" || exit 1
		objects+=("${file%.c}.o")
	done
	echo '{ global: lazymap_*; local: *; };' >map
	${CC:-cc} -shared -Wl,--version-script,map -o liblazymap.so \
		"${objects[@]}" || exit 1
	test/symbols . "${objects[@]}" >log 2>&1
	if ! grep -qF -- "$1" log; then
		echo "wanted: $1"
		cat lib/helper.c log
		wrong=1
	fi
}

expect "3 passed, 0 failed" <<'END'
void lm_helper(int x) { (void)x; }
END
expect "lm_fault > lib/fault.c:fill > lm_helper > malloc" <<'END'
#include <stdlib.h>
void *volatile kept;
void lm_helper(int x) { kept = malloc((size_t)x); }
END
expect "lib/helper.c:unseen > puts" <<'END'
#include <stdio.h>
static void unseen(int x) { (void)x; puts("unsafe"); }
void (*lm_hook)(int) = unseen;
void lm_helper(int x) { lm_hook(x); }
END
expect "3 passed, 0 failed" <<'END'
#include <stdio.h>
static void thread(int x) { (void)x; puts("its own stack, its own time"); }
void (*lm_hook)(int) = thread;
void lm_helper(int x) { (void)x; }
END
expect "(outside the handler)" <<'END'
#include <stdio.h>
__attribute__((noinline)) static void thread(int x) { printf("%d", x); }
void lm_helper(int x) { thread(x); }
END
# The library exports what it must, and only that.
echo 'int lazymap_more(int);' >>lib/lazymap.h
expect "    | lazymap_more" <<'END'
void lm_helper(int x) { (void)x; }
END
exit $wrong
