#!/bin/bash
# test_large.sh -- programs that use several times as much memory as they may
# have: numpy with arrays of a gibibyte, sort of a file of half a gibibyte in
# one, SQLite with a database of half a gibibyte in memory, each in 256 MiB.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need sort perl sqlite3
python=/usr/bin/python3

# large NAME -- CMD...: the same output, within the limit; what it swapped out
# says that the limit was felt.
large() {
	local out
	compare "$1 in 256M" --resident 256M --heap "${@:2}"
	out=$(awk '/^ +pages swapped out/ { n += $NF } END { print n + 0 }' \
		"$work/stats")
	[ "$out" -gt 20000 ] || fail "$1: only $out pages swapped out"
	grep -qE '^ +pages over the limit +[1-9]' "$work/stats" &&
		fail "$1: over the limit"
	rm -rf "$work/plain" "$work/lazy"
}

cat >"$work/array.py" <<'EOF'
import numpy as np
a = np.arange(1 << 27, dtype="u8")
print(int(a[::4099].sum()), int(a[-1]))
a *= 3
a[::511] ^= np.uint64(0xdeadbeef)
print(int(np.bitwise_xor.reduce(a)), int(a.sum()))
a.reshape(1 << 10, -1)[::7] += np.uint64(1)
print(int(a[12345678]), int(a.max()), int(np.count_nonzero(a & np.uint64(1))))
EOF
if $python -c 'import numpy' 2>/dev/null; then
	OMP_NUM_THREADS=2 large "numpy, arrays of 1 GiB" -- \
		$python "$work/array.py"
else
	echo "numpy is not installed"
fi

# Lines that lie within some MiB of their place: what a sort of a random order
# touches next is anywhere, and takes a page's time for each line.
perl -e '$s = 12345;
	for (1 .. 5773000) {
		$s = ($s * 1103515245 + 12345) & 0x7fffffff;
		printf "%010d line %-76d\n", $_ + ($s >> 8) % 200000, $_;
	}' >"$work/lines"
[ "$(stat -c %s "$work/lines")" -ge $((512 << 20)) ] || fail "the file is small"
large "sort -S 1G" -- sh -c \
	"sort --parallel=2 -S 1G -T . '$work/lines' | cksum; ls"
rm "$work/lines"

sqlite3 "$work/big.db" <<'EOF'
create table t(a integer primary key, b text, c blob);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 400000)
insert into t select x, hex(x * x), printf('%01000d', x) from n;
EOF
cat >"$work/sql" <<EOF
.open --deserialize $work/big.db
update t set b = b || 'x' where a % 3 = 0;
create index i on t(b);
select count(*), sum(a), max(b), sum(length(c)) from t;
select b from t where b like '3%' order by b desc limit 20;
delete from t where a % 7 = 0;
select count(*), sum(a), max(b), sum(length(c)) from t;
pragma page_count;
pragma integrity_check;
EOF
large "SQLite, a table of half a gibibyte in memory" -- \
	sh -c "sqlite3 <'$work/sql'"
[ $failures = 0 ]
