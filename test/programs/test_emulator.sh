#!/bin/bash
# test_emulator.sh -- a program in qemu's user mode, which gives what it is
# preloaded with to the program that it emulates, too: lazymap is in both. And in
# Valgrind, where lazymap must not be.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need qemu-x86_64 /usr/bin/python3
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the emulated program is for x86-64"
	exit 77
}
# qemu has a table with an entry for each page that the emulated program maps: an
# hour's work, and all memory, where that is terabytes. (What it calls the kernel
# with is not seen: doc/syscalls.md. The program does without.)
ulimit -d 4194304
sum='BEGIN { for (i = 0; i < 50000; i++) a[i] = i * i
	for (i in a) s += a[i]; print s }'
everywhere "qemu-user" -- timeout 60 qemu-x86_64 /usr/bin/awk "$sum"
everywhere "qemu-user, no shim in it" -- \
	timeout 60 qemu-x86_64 -U LD_PRELOAD /usr/bin/awk "$sum"
[ "$faults" -ge 50 ] || fail "qemu-user: only $faults faults"
# What was read is written: by way of /proc/self/mem, where the handler comes to
# instructions that need an aligned stack.
write='import mmap
m = mmap.mmap(-1, 1 << 22, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
print(sum(m[:]))
for i in range(0, len(m), 8192):
    m[i] = 1
print(sum(m[:]))'
compare "qemu-user, writing" -- \
	timeout -s KILL 60 qemu-x86_64 /usr/bin/python3 -c "$write"

if command -v valgrind >/dev/null; then
	valgrind=(valgrind -q --tool=none "$programs/heap")
	plain=$("${valgrind[@]}" 2>&1) || fail "Valgrind ends with $?"
	lazy=$("$lazymap" run --min-size 1 -- "${valgrind[@]}" 2>"$work/said") ||
		fail "in Valgrind: ended with $?"
	[ "$plain" = "$lazy" ] || fail "in Valgrind: $lazy"
	grep -q 'in Valgrind; the program runs without it' "$work/said" ||
		fail "in Valgrind: nothing said of it"
	lazy=$("$lazymap" run --resident 4M -- "${valgrind[@]}" 2>/dev/null)
	[ "$?,$lazy" = 125, ] || fail "in Valgrind, with a limit: $?, $lazy"
else
	echo "skipped: Valgrind is not installed"
fi
[ $failures = 0 ]
