#!/bin/bash
# test_compress.sh -- xz and zstd with threads, gzip: what they put out, and the
# way back.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need xz zstd gzip
corpus
limit=16M
for _ in 1 2; do
	cat "$IN/text" "$IN/program"
done >"$IN/large"

everywhere "xz -T2" -- sh -c 'xz -0 -T2 --block-size=1MiB -k -c "$IN/large" >out.xz &&
	xz -dc -T2 out.xz | cmp - "$IN/large" && xz -l out.xz | tail -n 1'
everywhere "zstd -T2" -- sh -c 'zstd -q -T2 -1 -k -c "$IN/large" >out.zst &&
	zstd -q -dc out.zst | cmp - "$IN/large" && zstd -t out.zst'
everywhere "gzip" -- sh -c 'gzip -nc "$IN/text" >out.gz && gzip -dc out.gz |
	cmp - "$IN/text"; echo junk | gzip -d'
[ $failures = 0 ]
