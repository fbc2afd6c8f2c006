#!/bin/bash
# test_postgresql.sh -- PostgreSQL: a cluster is made, filled, worked on by four
# clients on the loopback, asked on a socket, and shut down.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V |
	tail -n 1)
need pgbench
[ -x "$bin/initdb" ] || {
	echo "skipped: PostgreSQL's server is not installed"
	exit 77
}

cat >"$work/session" <<'EOF'
bin=$1 port=$2 here=$PWD
mkdir data
chmod 700 data
"$bin/initdb" -D data -A trust -U me --no-locale -E UTF8 >said 2>&1 || {
	cat said
	exit 1
}
"$bin/postgres" -D data -c listen_addresses=127.0.0.1 -p "$port" -c max_connections=20 -c fsync=off \
	-c unix_socket_directories="$here" >log 2>&1 &
server=$!
export PGHOST=$here PGPORT=$port PGUSER=me PGDATABASE=postgres
n=0
until "$bin/pg_isready" -q || [ $((n += 1)) = 300 ]; do
	sleep 0.1
done
"$bin/pgbench" -i -s 2 -q >said 2>&1 || cat said
"$bin/pgbench" -h 127.0.0.1 -c 4 -j 2 -t 250 2>&1 | grep -E 'processed|failed'
"$bin/psql" -At <<END
select count(*), sum(abalance) = (select sum(delta) from pgbench_history)
	from pgbench_accounts;
select count(*) from pgbench_history;
set work_mem = '64kB';
select count(*) from (select * from pgbench_accounts order by filler, -aid) x;
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0;
set min_parallel_table_scan_size = 0;
select sum(aid), count(distinct bid) from pgbench_accounts where aid % 3 = 1;
create table c as select * from pgbench_accounts; drop table c;
select pg_terminate_backend(0);
END
kill -INT $server
wait $server
echo "ended with $?"
grep -E 'PANIC|terminated by signal' log
rm -rf data log said
EOF
# It does not run as root, and who runs it has to reach the shim.
as=()
if [ "$(id -u)" = 0 ]; then
	need setpriv
	mkdir "$work/bin"
	cp "$lazymap" "$BUILDDIR"/liblazymap-*.so "$work/bin/"
	lazymap=$work/bin/lazymap
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod -R a+rX "$work"
	mode=777
fi
limit=16M
everywhere "PostgreSQL" -- "${as[@]}" bash "$work/session" "$bin" \
	"$(free_port)"
[ "$faults" -ge 100 ] || fail "PostgreSQL: only $faults faults"
[ $failures = 0 ]
