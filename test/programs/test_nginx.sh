#!/bin/bash
# test_nginx.sh -- nginx serves files on the loopback and on a socket, with
# sendfile and without.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need nginx curl cksum
corpus

cat >"$work/serve" <<'EOF'
sendfile=$1 port=$2 here=$PWD
mkdir tmp html
cp "$IN/program" html/large
echo hello >html/small
cat >conf <<END
daemon off; master_process on; worker_processes 2;
pid $here/pid; error_log $here/errors info;
events { worker_connections 64; }
http {
	access_log off; sendfile $sendfile; gzip on; gzip_types *;
	client_body_temp_path tmp; proxy_temp_path tmp; scgi_temp_path tmp;
	fastcgi_temp_path tmp; uwsgi_temp_path tmp;
	server { listen unix:$here/http; listen 127.0.0.1:$port; root $here/html; }
}
END
nginx -c "$here/conf" -p "$here" 2>said &
server=$!
get() {
	curl -s --connect-to "::127.0.0.1:$port" "$@"
}
n=0
until get -o first http://localhost/small || [ $((n += 1)) = 200 ]; do
	sleep 0.05
done
cat first
for i in 1 2 3 4 5; do
	get http://localhost/large | cmp - "$IN/program"
done
get --compressed http://localhost/large | cmp - "$IN/program"
get -r 100000-300000 http://localhost/large | cksum
curl -s --unix-socket "$here/http" http://localhost/large | cmp - "$IN/program"
get -o page -w '%{http_code}\n' http://localhost/none
kill -HUP $server
sleep 0.2
get http://localhost/large http://localhost/small | cksum
kill -QUIT $server
wait $server
echo "ended with $?"
grep -E '\[(crit|alert|emerg)\]' errors
rm -rf tmp html conf said errors first page http pid
EOF
port=$(free_port)
for sendfile in on off; do
	everywhere "nginx, sendfile $sendfile" -- bash "$work/serve" $sendfile \
		"$port"
done
[ $failures = 0 ]
