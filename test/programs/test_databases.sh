#!/bin/bash
# test_databases.sh -- SQLite with mmap_size, and LMDB, which is a memory map:
# written, checked, dumped, and read back by the other way of running.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need sqlite3

cat >"$work/sql" <<'EOF'
pragma mmap_size=268435456;
create table t(a integer primary key, b text, c blob);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 30000)
insert into t select x, hex(x * x), zeroblob(x % 300) from n;
create index i on t(b);
update t set b = b || 'x' where a % 3 = 0;
delete from t where a % 7 = 0;
begin; delete from t; rollback;
select count(*), sum(a), max(b), sum(length(c)) from t;
vacuum;
pragma integrity_check;
select b from t where b like '3%' order by b desc limit 20;
EOF
cat >"$work/wal" <<'EOF'
pragma mmap_size=268435456;
pragma journal_mode=wal;
create table t(a, b);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 9000)
insert into t select x, hex(x) from n;
select count(*), sum(a) from t;
pragma wal_checkpoint(truncate);
pragma integrity_check;
EOF
everywhere "sqlite3" -- sh -c "sqlite3 t.db <'$work/sql' &&
	sqlite3 t.db 'pragma mmap_size=268435456; select count(*) from t;'"
[ "$faults" -ge 20 ] || fail "sqlite3: only $faults faults"
everywhere "sqlite3, WAL" -- sh -c "sqlite3 t.db <'$work/wal'"

if command -v mdb_load >/dev/null; then
	seq 1 30000 | awk '{ printf "k%07d\nv%d\n", $1, $1 * $1 }' >"$work/pairs"
	# Its lock file has process numbers in it.
	everywhere "LMDB" -- sh -c "mkdir db && mdb_load -T db <'$work/pairs' &&
		mdb_stat -ef db && mdb_dump db | cksum && mdb_copy -c db - |
		cksum && rm db/lock.mdb"
	[ "$faults" -ge 20 ] || fail "LMDB: only $faults faults"
else
	echo "LMDB's tools are not installed"
fi
[ $failures = 0 ]
