#!/bin/bash
# test_command_once.sh -- the lazymap command itself: what it says of wrong
# usage, which exit status it gives, what it puts into the environment, what it
# warns of, and that doctor's answers agree with each other.
# BUILDDIR is the build's directory. Exit 0, 1, or 77 with a reason to skip.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lazymap-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1
unset "${!LAZYMAP_@}"
lazymap=$BUILDDIR/lazymap
failures=0
# Their beginnings call what the shim stands in front of, before either works.
case ${SANITIZE:-} in
*thread* | *address*)
	echo "skipped: a sanitizer's runtime does not start when preloaded"
	exit 77
	;;
esac

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# run CMD...: its status, out and err are in $status, out and err.
run() {
	"$@" >out 2>err
	status=$?
}

# ends STATUS TEXT CMD...: CMD exits with STATUS, saying TEXT on stderr (and
# nothing at all there if TEXT is empty).
ends() {
	local want=$1 text=$2
	shift 2
	run "$@"
	[ $status = "$want" ] || fail "${*//$lazymap/lazymap}: $status, not $want"
	if [ -z "$text" ]; then
		[ ! -s err ] || fail "${*//$lazymap/lazymap} says: $(cat err)"
	else
		grep -qF -e "$text" err ||
			fail "${*//$lazymap/lazymap} does not say '$text': $(cat err)"
	fi
}

usage_errors_end_with_2_and_say_what_was_wrong() {
	ends 2 "no subcommand" "$lazymap"
	ends 2 "'walk'" "$lazymap" walk
	ends 2 "no command" "$lazymap" run
	ends 2 "no command" "$lazymap" run --
	ends 2 "no command" "$lazymap" run --stats
	ends 2 "no command" "$lazymap" run ''
	ends 2 "--colour" "$lazymap" run --colour red true
	ends 2 "--trap" "$lazymap" run --trap
	ends 2 "--no-follow" "$lazymap" run --no-follow=1 true
	ends 2 "--json" "$lazymap" run --json true
	ends 2 "--yaml" "$lazymap" doctor --yaml
	ends 2 "'now'" "$lazymap" doctor now
	ends 2 "no object" "$lazymap" sites
	ends 2 "--drop" "$lazymap" sites --drop x
	[ ! -s out ] || fail "a usage error prints to standard output"
}

bad_values_end_with_2_and_name_option_and_value() {
	local size

	ends 2 "--trap 'signals': it is one of native, libsigsegv" \
		"$lazymap" run --trap signals true
	ends 2 "--trap 'none'" "$lazymap" run --trap none true
	ends 2 "--place 'here': it is one of auto" \
		"$lazymap" run --place here true
	for size in '' x -1 +1 ' 4096' 4096x 4KB 0x1000 1. K; do
		ends 2 "--cluster '$size': a size is" \
			"$lazymap" run --cluster "$size" true
		ends 2 "--min-size '$size': a size is" \
			"$lazymap" run "--min-size=$size" true
	done
	for size in 0 1 4095 5000 12K 4M 1G; do
		ends 2 "--cluster '$size': it is a power of two" \
			"$lazymap" run --cluster "$size" true
	done
	ends 2 "--min-size '0'" "$lazymap" run --min-size 0 true
	for size in 99999999999999999999 18446744073709551615 9999999999G; do
		ends 2 "--min-size '$size': no address space" \
			"$lazymap" run --min-size $size true
	done
	ends 2 "--stats '/nowhere/at/all'" \
		"$lazymap" run --stats=/nowhere/at/all true
	ends 2 "--stats '.'" "$lazymap" run --stats=. true
	ends 2 "--stats ''" "$lazymap" run --stats= true
}

good_values_reach_the_library_in_bytes() {
	run "$lazymap" run --cluster 64k --min-size 1M --place mem \
		--trap native --stats=here -- /usr/bin/env
	[ $status = 0 ] || fail "env: $status: $(cat err)"
	for line in LAZYMAP_CLUSTER=65536 LAZYMAP_MIN_SIZE=1048576 \
		LAZYMAP_PLACE=mem LAZYMAP_TRAP=native \
		"LAZYMAP_STATS=$PWD/here"; do
		grep -qxF "$line" out || fail "no $line in the environment"
	done
	run "$lazymap" run --resident 8M --heap --heap-min 128K --policy clock \
		--swap-pool 1M --swap-max 2G --strict --no-syscall-trap \
		--no-follow --no-guard --io-uring -- /usr/bin/env
	[ $status = 0 ] || fail "env: $status: $(cat err)"
	for line in LAZYMAP_RESIDENT=8388608 LAZYMAP_HEAP_MIN=131072 \
		LAZYMAP_POLICY=clock LAZYMAP_SWAP_POOL=1048576 \
		LAZYMAP_SWAP_MAX=2147483648 LAZYMAP_STRICT=1 \
		LAZYMAP_SYSCALL_TRAP=0 LAZYMAP_FOLLOW=0 LAZYMAP_GUARD=0 \
		LAZYMAP_IO_URING=1; do
		grep -qxF "$line" out || fail "no $line in the environment"
	done
	run "$lazymap" run --swap-pool none --swap-max none /usr/bin/env
	for line in LAZYMAP_SWAP_POOL=none LAZYMAP_SWAP_MAX=none; do
		grep -qxF "$line" out || fail "no $line in the environment"
	done
	run "$lazymap" run --swap-encrypt /usr/bin/env
	grep -qxF LAZYMAP_SWAP_ENCRYPT=1 out || fail "no LAZYMAP_SWAP_ENCRYPT"
	LAZYMAP_CLUSTER=4096 run "$lazymap" run --cluster 8K /usr/bin/env
	grep -qxF LAZYMAP_CLUSTER=8192 out || fail "the option does not win"
}

what_was_preloaded_comes_after_the_shim() {
	local libc shim=$BUILDDIR/liblazymap-preload.so

	libc=$(ldd /usr/bin/env | awk '/libc\.so/ { print $3; exit }')
	LD_PRELOAD=$libc run "$lazymap" run /usr/bin/env
	grep -qxF "LD_PRELOAD=$shim:$libc" out ||
		fail "LD_PRELOAD: $(grep LD_PRELOAD out)"
}

the_statistics_are_printed_where_they_are_wanted() {
	ends 0 "" "$lazymap" run true
	ends 0 "areas" "$lazymap" run --stats true
	[ ! -s out ] || fail "statistics on standard output"
	echo old >stats
	ends 0 "" "$lazymap" run --stats=stats sh -c 'cd / && exec true'
	grep -q "true, process" stats || fail "no statistics in the file"
	grep -q old stats && fail "the file was not emptied"
}

status_and_signal_are_the_programs_own() {
	ends 0 "" "$lazymap" run true
	ends 1 "" "$lazymap" run -- false
	ends 42 "" "$lazymap" run --cluster 4K sh -c 'exit 42'
	ends $((128 + 15)) "" "$lazymap" run sh -c 'kill -TERM $$'
	ends $((128 + 9)) "" "$lazymap" run sh -c 'kill -KILL $$'
	run sh -c "echo \$\$; exec \"$lazymap\" run sh -c 'echo \$\$'"
	[ "$(sort -u out | wc -l)" = 1 ] || fail "the process is another one"
}

the_commands_own_options_are_its_own() {
	ends 0 "" "$lazymap" run echo --stats --nonsense -- x
	[ "$(cat out)" = "--stats --nonsense -- x" ] || fail "echo: $(cat out)"
	printf '#!/bin/sh\necho "$0" "$1"\n' >--odd
	chmod +x ./--odd
	PATH=$PWD:$PATH ends 0 "" "$lazymap" run -- --odd --help
	[ "$(cat out)" = "$PWD/--odd --help" ] || fail "--odd: $(cat out)"
}

not_found_is_127_and_not_executable_126() {
	ends 127 "no-such-thing: not found" "$lazymap" run no-such-thing
	ends 127 "./no-such-thing: not found" "$lazymap" run ./no-such-thing
	echo text >text
	ends 126 "cannot run ./text: Permission denied" "$lazymap" run ./text
	ends 126 "cannot run .: Permission denied" "$lazymap" run .
	PATH=$PWD:$PATH ends 126 "Permission denied" "$lazymap" run text
	printf '#!/no/such/interpreter\n' >orphan
	chmod +x orphan
	ends 126 "its interpreter is not found" "$lazymap" run ./orphan
	printf 'echo no shebang\n' >plain
	chmod +x plain
	ends 0 "" "$lazymap" run ./plain
	[ "$(cat out)" = "no shebang" ] || fail "a script without #!"
}

the_c_library_and_its_loader_run_as_programs() {
	local library loader
	library=$(ldd /bin/sh | awk '$1 ~ /^libc\.so/ { print $3 }')
	loader=$(ldd /bin/sh | awk '$1 ~ /\/ld-/ { print $1 }')
	if ! "$library" >says 2>/dev/null || ! "$loader" /bin/true; then
		echo "the C library is no program here: not tried"
		return
	fi
	ends 0 "" "$lazymap" run --resident 1M "$library"
	cmp -s says out || fail "$library: $(cat out)"
	ends 0 "" "$lazymap" run --min-size 1 "$loader" /bin/echo hi
	[ "$(cat out)" = hi ] || fail "$loader: $(cat out)"
	ends 3 "" "$lazymap" run "$loader" --argv0 other /bin/sh -c 'exit 3'
	ends 0 "" "$lazymap" run "$loader" --verify /bin/sh
	ends 0 "" "$lazymap" run "$loader" --list /bin/sh
	grep -q libc out || fail "$loader --list: $(cat out)"
	ends 127 "no-such-thing" "$lazymap" run "$loader" ./no-such-thing
}

what_the_shim_cannot_reach_is_said_and_runs() {
	echo 'int main(void) { return 7; }' >main.c
	if ${CC:-cc} -static -o static main.c 2>/dev/null; then
		ends 7 "static is statically linked: it runs untouched" \
			"$lazymap" run ./static
		ends 7 "is statically linked" "$lazymap" run --stats ./static
		printf '#! %s/static\n' "$PWD" >script
		chmod +x script
		ends 7 "is statically linked" "$lazymap" run ./script
		[ "$(wc -l <err)" = 1 ] || fail "more than one line of warning"
	else
		echo "no static program can be built: not tried"
	fi
	if [ "$(id -u)" = 0 ] && cp /bin/true setuid &&
		chown 65534 setuid && chmod 4755 setuid; then
		ends 0 "raises its privileges" "$lazymap" run ./setuid
	else
		echo "not root: no setuid program"
	fi
	printf '#!/bin/sh\nexit 3\n' >script
	chmod +x script
	ends 3 "" "$lazymap" run ./script
}

# The loader of another C library would end over the shim: such a child has an
# LD_PRELOAD without it, however it is started, and a child after it has it again.
a_child_of_another_c_library_runs_untouched() {
	local loader
	loader=$(readelf -l /bin/sh | sed -n 's/.*interpreter: \(.*\)].*/\1/p')
	cat >other.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int shim = 0;

	while (maps && fgets(line, sizeof(line), maps))
		for (char *at = line; *at; at++)
			shim |= !__builtin_strncmp(at, "liblazymap", 10);
	printf("%s,%s\n", shim ? "shim" : "no shim",
	       getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "nothing");
	return 0;
}
END
	cat >starts.c <<'END'
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
	char *child[] = { argv[1], NULL };
	pid_t pid;

	(void)argc;
	if (posix_spawnp(&pid, argv[1], NULL, NULL, child, environ) ||
	    waitpid(pid, NULL, 0) != pid ||
	    posix_spawn(&pid, argv[1], NULL, NULL, child, environ) ||
	    waitpid(pid, NULL, 0) != pid)
		return 1;
	pid = vfork();
	if (!pid) {
		execv(argv[1], child);
		_exit(1);
	}
	return waitpid(pid, NULL, 0) != pid;
}
END
	ln -s "$loader" ld-musl-like.so.1
	if ! ${CC:-cc} -o same other.c || ! ${CC:-cc} -o starts starts.c ||
		! ${CC:-cc} -o other other.c \
			-Wl,--dynamic-linker="$PWD/ld-musl-like.so.1"; then
		fail "the programs cannot be built"
		return
	fi
	ends 0 "" "$lazymap" run ./starts ./other
	printf 'no shim,nothing\n%.0s' 1 2 3 | cmp -s - out || fail "$(cat out)"
	ends 0 "" "$lazymap" run sh -c './other; ./same'
	{ read -r first && read -r second; } <out
	[ "$first" = "no shim,nothing" ] || fail "from sh: $first"
	[[ $second == shim,* ]] || fail "the next one: $second"
	printf '#! %s/other\n' "$PWD" >script
	chmod +x script
	ends 0 "" "$lazymap" run env ./script
	[ "$(cat out)" = "no shim,nothing" ] || fail "a script: $(cat out)"
	ends 0 "" env LD_PRELOAD=libc.so.6 "$lazymap" run sh -c ./other
	[ "$(cat out)" = "no shim,libc.so.6" ] || fail "others': $(cat out)"
}

a_missing_shim_is_a_clear_error() {
	mkdir alone
	cp "$lazymap" alone
	# Unless this very lazymap is installed, there is nothing to find.
	if alone/lazymap run true 2>err; then
		echo "lazymap is installed: a missing shim cannot be tried"
		return
	fi
	ends 125 "cannot find liblazymap-preload.so in $PWD/alone" \
		alone/lazymap run true
	mkdir "a b"
	cp "$lazymap" "$BUILDDIR"/liblazymap-preload.so "a b"
	ends 125 "has a space or a colon" "a b/lazymap" run true
}

# refused TEXT CMD...: it ends with 125, saying TEXT, and CMD's `touch ran` was
# not run.
refused() {
	local text=$1
	shift
	rm -f ran
	ends 125 "$text" "$@" touch ran
	[ ! -e ran ] || fail "${*//$lazymap/lazymap}: it ran"
}

what_is_asked_for_and_cannot_be_had_runs_nothing() {
	local limit="--resident 1M" shim=$BUILDDIR/liblazymap-preload.so

	mkdir bare
	cp "$lazymap" "$shim" bare
	if bare/lazymap run --swap-encrypt true 2>err; then
		echo "lazymap is installed: missing modules cannot be tried"
	else
		# shellcheck disable=SC2086
		refused "swap cannot be encrypted: no lazymap-swap-sodium.so" \
			bare/lazymap run $limit --swap-encrypt
		refused "swap cannot be encrypted" \
			bare/lazymap run --swap-encrypt
		refused "lazymap-swap-sodium.so is not installed" \
			env LAZYMAP_SWAP_ENCRYPT=1 LAZYMAP_RESIDENT=1M \
			LD_PRELOAD="$PWD/bare/liblazymap-preload.so"
		refused "the trap libsigsegv is not installed" \
			bare/lazymap run --trap libsigsegv
		refused "'libsigsegv' is not installed" \
			env LAZYMAP_TRAP=libsigsegv \
			LD_PRELOAD="$PWD/bare/liblazymap-preload.so"
		refused "cannot find liblazymap-heap.so" \
			bare/lazymap run --heap
	fi
	for dir in /nowhere . /proc; do
		# shellcheck disable=SC2086
		refused "LAZYMAP_SWAPDIR takes no swap file" \
			env LAZYMAP_SWAPDIR=$dir "$lazymap" run $limit
		LAZYMAP_SWAPDIR=$dir ends 0 "" "$lazymap" run true
		# shellcheck disable=SC2086
		LAZYMAP_SWAPDIR=$dir ends 0 "" \
			"$lazymap" run $limit --swap-max none true
	done
}

# The limit holds. Nothing is wrong: only who asks is told that it is small.
more_threads_than_a_limit_has_room_for_are_told_of() {
	local many=$BUILDDIR/test/preload/many

	ends 0 "" "$lazymap" run --resident 1M "$many" 3
	ends 0 "" "$lazymap" run "$many" 12
	ends 0 "" "$lazymap" run --resident 1M "$many" 12
	ends 0 "threads, more than it is for" \
		"$lazymap" run --resident 1M --stats "$many" 12
	ends 0 "" "$lazymap" run --resident 1M --stats=many.stats "$many" 3
	grep -q "more than it is for" many.stats && fail "3 threads in 1M"
}

variables_that_are_wrong_run_nothing() {
	local shim=$BUILDDIR/liblazymap-preload.so pair

	for pair in RESIDENT=x RESIDENT=0 RESIDENT=12Q \
		RESIDENT=-1 MIN_SIZE=x MIN_SIZE=0 CLUSTER=x CLUSTER=12K \
		POLICY=lru SWAP_POOL=x SWAP_MAX=1MB TRAP=x PLACE=x HEAP=1; do
		refused "LAZYMAP_${pair%%=*}" \
			env "LAZYMAP_$pair" LD_PRELOAD="$shim"
		grep -qxF "lazymap: the program is not run" err ||
			fail "$pair: $(cat err)"
	done
	refused "resident limit: 100 KiB is less than 256 KiB" \
		env LAZYMAP_RESIDENT=100K LD_PRELOAD="$shim"
	for pair in x 0 63K 4096 1MB; do
		refused "LAZYMAP_HEAP_MIN" env LAZYMAP_HEAP_MIN=$pair \
			LAZYMAP_HEAP=1 \
			LD_PRELOAD="$BUILDDIR/liblazymap-heap.so:$shim"
	done
	LAZYMAP_HEAP_MIN=128k LAZYMAP_HEAP=1 ends 0 "" env \
		LD_PRELOAD="$BUILDDIR/liblazymap-heap.so:$shim" true
	# What a child is given, too; and the parent goes on.
	ends 0 "LAZYMAP_RESIDENT: 'x'" "$lazymap" run --resident 1M sh -c \
		'LAZYMAP_RESIDENT=x touch ran; [ $? = 125 ] && [ ! -e ran ]'
	# Nothing is asked for where lazymap cannot be: it is said, no more.
	if "$BUILDDIR/test/preload/deny" -w true >/dev/null; then
		ends 0 "the program runs without it" \
			"$BUILDDIR/test/preload/deny" -w env LD_PRELOAD="$shim" \
			true
		refused "the program is not run" \
			"$BUILDDIR/test/preload/deny" -w env \
			LAZYMAP_RESIDENT=1M LD_PRELOAD="$shim"
	else
		echo "no seccomp: a system without MADV_WIPEONFORK is not tried"
	fi
}

help_and_version_are_on_standard_output() {
	local option

	ends 0 "" "$lazymap" --version
	grep -qE '^lazymap [0-9]+\.[0-9]+\.[0-9]+$' out || fail "$(cat out)"
	ends 0 "" "$lazymap" run --help
	ends 0 "" "$lazymap" doctor --help
	ends 0 "" "$lazymap" sites --help
	ends 0 "" "$lazymap" --help
	for option in run doctor sites keep stats trap place cluster min-size no-follow; do
		grep -q -e "$option" out || fail "the help lacks $option"
	done
	if [ -w /dev/full ]; then
		"$lazymap" --help >/dev/full 2>err
		[ $? = 125 ] || fail "a full disk went unnoticed"
	fi
}

# in_use NAME: doctor's choice.
in_use() {
	awk -v name="$1" '/^in use/ { on = 1 } on && $1 == name { print $3 }' out
}

doctor_says_what_will_be_used() {
	local place value

	ends 0 "" "$lazymap" doctor
	[ "$(in_use trap)" = native ] || fail "trap $(in_use trap)"
	[ "$(in_use cluster)" = 65536 ] || fail "cluster $(in_use cluster)"
	place=$(in_use place)
	grep -qE "^  $place +yes .* [0-9.]+ us a page$" out ||
		fail "place $place is not permitted, or without its time"
	"$lazymap" run --place "$place" true || fail "place $place fails"
	grep -E '^  vm.max_map_count +[0-9]+$' out >/dev/null ||
		fail "no max_map_count"
	value=$(ulimit -n)
	grep -qE "^  RLIMIT_NOFILE +$value\$" out || fail "RLIMIT_NOFILE"
	[ -n "${SANITIZE:-}" ] && return # they need more than that
	(ulimit -v 4000000 && "$lazymap" doctor) |
		grep -qE '^  RLIMIT_AS +4096000000$' || fail "RLIMIT_AS"
}

doctor_says_what_stores_are_placed_by() {
	local line

	ends 0 "" "$lazymap" doctor
	line=$(grep -E '^  placing +yes ' out) || fail "nothing is said"
	case $line in
	*" us a page of 64 KiB, by "*) ;;
	*": "*) return ;; # there is one way only
	esac
	# As it says itself; what is rounded may be either.
	echo "$line" | awk '{
		way = $3; ns = $4; other = $(NF - ($0 ~ /;/ ? 7 : 0))
		copy = way == "mem:" ? other : ns
		mem = way == "mem:" ? ns : other
		if (mem < 0.74 * copy) exit way != "mem:"
		if (mem > 0.76 * copy) exit way != "UFFDIO_COPY:"
	}' || fail "it is not the faster one: $line"
	for place in mem uffd; do
		LAZYMAP_PLACE=$place run "$lazymap" doctor
		[ "$(in_use place)" != $place ] ||
			grep -qE "^  placing +yes +$place: LAZYMAP_PLACE$" out ||
			fail "with $place: $(grep placing out)"
	done
	# Guard regions have no part in it.
	LAZYMAP_GUARD=0 run "$lazymap" doctor
	grep -qE "^  placing +yes .* us a page of 64 KiB, by " out ||
		fail "without guards: $(grep placing out)"
}

doctor_takes_the_environment_into_account() {
	LAZYMAP_CLUSTER=4K LAZYMAP_PLACE=mremap run "$lazymap" doctor
	[ "$(in_use cluster)" = 4096 ] || fail "LAZYMAP_CLUSTER"
	[ "$(in_use place)" = mremap ] || fail "LAZYMAP_PLACE"
	LAZYMAP_TRAP=door run "$lazymap" doctor
	[ $status = 1 ] || fail "a wrong LAZYMAP_TRAP went unnoticed"
}

doctor_speaks_json() {
	if ! command -v python3 >/dev/null; then
		echo "no python3: JSON is not parsed"
		return
	fi
	ends 0 "" "$lazymap" doctor --json
	python3 -c '
import json, sys
d = json.load(open("out"))
assert d["ok"] is True
assert d["in use"]["place"]["ok"] and d["in use"]["trap"]["text"]
assert "ok" not in d["limits"]["RLIMIT_AS"]' || fail "its JSON is wrong"
}

sites_are_counted_and_kept() {
	local libc id

	[ "$(uname -m)" = x86_64 ] || return
	libc=$(ldd "$lazymap" | awk '$1 == "libc.so.6" { print $3 }')
	mkdir kept
	ends 0 "" "$lazymap" sites --keep kept "$libc"
	[ "$(awk '{ print ($2 > 200) }' out)" = 1 ] || fail "$(cat out)"
	[ "$(find kept -type f | wc -l)" = 1 ] || fail "kept: $(ls kept)"
	id=$(ls kept)
	# The same as the build has made for this C library.
	cmp "kept/$id" "$BUILDDIR/lazymap-sites/$id" || fail "another $id"
	# Only what is whole.
	head -c 3000 "$libc" >cut
	head -c 100000 /dev/zero >zeros
	printf '#!/bin/sh\n' >script
	: >nothing
	ends 125 "cut: damaged" "$lazymap" sites cut
	ends 125 "zeros: not a program" "$lazymap" sites zeros
	ends 125 "script: not a program" "$lazymap" sites script
	ends 125 "nothing: not a program" "$lazymap" sites nothing
	ends 125 "none: No such file" "$lazymap" sites none
	ends 125 "kept: not a regular file" "$lazymap" sites kept
	ends 125 "away: No such file" "$lazymap" sites --keep away "$libc"
	# The others all the same.
	ends 125 "none: No such file" "$lazymap" sites none "$libc"
	grep -q "system calls" out || fail "nothing of $libc"
	[ "$(find kept -type f | wc -l)" = 1 ] || fail "kept: $(ls kept)"
}

# Its numbers may be anything: bytes of the headers changed, one after the other.
sites_of_damaged_objects_do_not_end_by_a_signal() {
	local i

	[ "$(uname -m)" = x86_64 ] || return
	for i in $(seq 16 7 700); do
		cp "$BUILDDIR/liblazymap-heap.so" damaged
		printf '\xff' | dd of=damaged bs=1 seek="$i" conv=notrunc 2>/dev/null
		run "$lazymap" sites damaged
		case $status in
		0 | 125) ;;
		*) fail "byte $i: $status" ;;
		esac
	done
}

for t in $(declare -F | awk '{ print $3 }'); do
	case $t in
	fail | run | ends | refused | in_use) ;;
	*)
		before=$failures
		$t
		[ $failures = $before ] && echo "ok: $t"
		;;
	esac
done
[ $failures = 0 ]
