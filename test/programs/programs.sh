# programs.sh -- for the tests of known programs: each is run plainly, under the
# shim with every mapping lazy, and once more with the
# heap, too, in little memory.
#
#	need PROGRAM...           skip the test if one of them is missing
#	corpus                    $work/in: some megabytes of text and programs
#	free_port                 a port of the loopback that nobody listens on
#	everywhere NAME -- CMD... compare CMD's output, status and files
#
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
SRCDIR=${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$SRCDIR/test/preload/compare.sh"
PATH=$PATH:/usr/sbin
export LC_ALL=C

need() {
	local program
	for program; do
		command -v "$program" >/dev/null 2>&1 || {
			echo "skipped: $program is not installed"
			exit 77
		}
	done
}

corpus() {
	mkdir "$work/in"
	cp -rL /usr/include/linux /usr/include/asm-generic "$work/in/"
	cp "$(command -v bash)" "$work/in/program"
	cat "$work/in"/linux/*.h >"$work/in/text"
	export IN=$work/in
}

free_port() {
	local port
	for port in $(shuf -i 20000-32000 -n 100); do
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

limit=4M # a program that needs more all the time would take for ever
everywhere() {
	local name=$1
	shift
	compare "$name" "$@"
	compare "$name in $limit" --resident $limit --heap --heap-min 64K "$@"
}
