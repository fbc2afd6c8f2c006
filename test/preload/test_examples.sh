#!/bin/bash
# test_examples.sh -- each example is run, and what it puts out is looked at:
# the copies byte for byte, for the sizes round a page and for a large file,
# to a file and to a pipe; on the kernel and on lazymap.
# BUILDDIR is the build's directory. LARGE: the large file's bytes [1 GiB].
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
large=${LARGE:-$((1 << 30))}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lazymap-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1
examples=$BUILDDIR/examples
lazymap=$BUILDDIR/lazymap
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# passed NAME: "ok", unless something failed since the last time.
passed() {
	[ $failures = "$seen" ] && echo "ok: $1"
	seen=$failures
}
seen=0

# on_lazymap [OPTION...] CMD...: CMD under the shim.
on_lazymap() {
	"$lazymap" run "$@"
}
case ${SANITIZE:-} in
*thread* | *address*)
	echo "a sanitizer's runtime does not start when preloaded:" \
		"without the shim"
	on_lazymap() {
		while [[ $1 == -* ]]; do shift; done
		"$@"
	}
	;;
esac

free=$(df -Pk . | awk 'NR == 2 { print $4 }')
if [ "$free" -lt $((large * 5 / 2048)) ]; then
	echo "skipped: $PWD has $free KiB free, too few for two large files"
	exit 77
fi

# make_file SIZE: "file", of bytes that differ from page to page.
make_file() {
	if [ ! -s seed ]; then
		cat /usr/bin/* 2>/dev/null | head -c 33554393 >seed
	fi
	while cat seed; do :; done 2>/dev/null | head -c "$1" >file
	[ "$(stat -c %s file)" = "$1" ] || fail "no file of $1 bytes"
}

# copies NAME CMD...: CMD file copies the file, to a file and to a pipe.
copies() {
	local name=$1 size
	shift
	size=$(stat -c %s file)
	"$@" file >copy || fail "$name, $size bytes to a file: status $?"
	cmp file copy || fail "$name, $size bytes to a file"
	rm -f copy
	("$@" file && echo fine >pipe-ended) | cmp file - ||
		fail "$name, $size bytes to a pipe"
	[ -e pipe-ended ] || fail "$name, $size bytes to a pipe: its status"
	rm -f pipe-ended
	passed "$name copies $size bytes"
}

for size in 0 1 4095 4096 4097 $((1 << 20)) "$large"; do
	make_file "$size"
	copies mmapcopy "$examples/mmapcopy"
	copies "mmapcopy on lazymap" on_lazymap --min-size=1 \
		"$examples/mmapcopy"
	copies lazycopy "$examples/lazycopy"
done
make_file $((5 << 20))
for cluster in 4K 2M; do
	copies "mmapcopy, cluster $cluster" on_lazymap --cluster=$cluster \
		"$examples/mmapcopy"
	LAZYMAP_CLUSTER=$cluster copies "lazycopy, cluster $cluster" \
		"$examples/lazycopy"
done

# A copy in one write to a file that is appended to, and from there on.
echo first >copy
on_lazymap "$examples/mmapcopy" file >>copy || fail "O_APPEND"
{ echo first && cat file; } | cmp - copy || fail "O_APPEND"

"$examples/lazycopy" -v file 2>said >copy || fail "lazycopy -v"
cmp file copy && grep -q "^5242880 bytes: 1280 pages filled" said ||
	fail "lazycopy -v: $(cat said)"

for example in mmapcopy lazycopy; do
	"$examples/$example" >out 2>said
	[ $? = 2 ] && grep -q usage said || fail "$example without a file"
	"$examples/$example" /no/such/file >out 2>said
	[ $? = 1 ] && grep -q "No such file" said || fail "$example /no/such"
	on_lazymap "$examples/$example" file >/dev/full 2>said
	[ $? = 1 ] && grep -q "No space left" said ||
		fail "$example to a full device: $(cat said)"
done

"$examples/sparse-read" file 10 >kernel || fail "sparse-read"
on_lazymap --cluster=4K --stats=stats "$examples/sparse-read" file 10 \
	>lazy || fail "sparse-read on lazymap"
cmp kernel lazy || fail "sparse-read saw other bytes on lazymap"
if [ -e stats ]; then
	grep -qE "^ +pages filled +10\$" stats ||
		fail "sparse-read of 10 pages: $(cat stats)"
	grep -qE "^ +microseconds in faults +[1-9]" stats ||
		fail "sparse-read took no time: $(cat stats)"
fi
passed "sparse-read"

# What lazymap says is present, and the kernel, who has metadata to count too.
"$examples/demand-zero" 64 16 >out || fail "demand-zero: status $?"
LAZYMAP_CLUSTER=4096 "$examples/demand-zero" 1024 100 >out ||
	fail "demand-zero, 1 TiB: status $?"
grep -q "^used: mapped 1048576 MiB, present 400 KiB" out ||
	fail "demand-zero: $(cat out)"
grep -q "^unmapped: mapped 0 MiB, present 0 KiB" out ||
	fail "demand-zero: $(cat out)"
grew=$(awk -F'process ' '/^mapped/ { a = $2 } /^used/ { b = $2 }
	END { print b - a }' out)
[ "$grew" -ge 400 ] && [ "$grew" -lt 8192 ] ||
	fail "demand-zero: the process grew by $grew KiB"
passed "demand-zero"

"$examples/shared-edit" edited >out || fail "shared-edit: status $?"
line=$(tail -c +700001 edited | head -n 1)
[ "$line" = "This line was written by a store instruction." ] ||
	fail "shared-edit: the file has '$line'"
[ "$(stat -c %s edited)" = 1048576 ] || fail "shared-edit: the file's size"
[ "$(tr -d '\0' <edited | wc -l)" = 1 ] || fail "shared-edit wrote more"
[ "$(grep -c "store instruction" out)" = 2 ] || fail "shared-edit: $(cat out)"
passed "shared-edit"

"$examples/own-store" >out || fail "own-store: status $?"
grep -qx "78498 primes below a million" out || fail "own-store: $(cat out)"
grep -qx "999999999989 is the largest below 10^12" out ||
	fail "own-store: $(cat out)"
calls=$(sed -n 's/.* in \([0-9]*\) calls/\1/p' out)
[ "$calls" -ge 3 ] && [ "$calls" -lt 100 ] ||
	fail "own-store computed $calls times"
passed "own-store"

"$examples/outofcore-sort" 64 8 >out || fail "outofcore-sort: status $?"
grep -qx "64 MiB sorted in 8 MiB: in order, none lost" out ||
	fail "outofcore-sort: $(cat out)"
[ "$(sed -n 's/^merged:.* in  *\([0-9]*\)$/\1/p' out)" -gt 16384 ] ||
	fail "outofcore-sort swapped in too little: $(cat out)"
passed "outofcore-sort"

"$examples/thrash" 384 512 >out || fail "thrash: status $?"
rows=$(sed -n 's/^by rows:.* \([0-9]*\) faults.*/\1/p' out)
columns=$(sed -n 's/^by columns:.* \([0-9]*\) faults.*/\1/p' out)
[ "$columns" -gt $((rows * 20)) ] || fail "thrash: $(cat out)"
passed "thrash"

[ $failures = 0 ]
