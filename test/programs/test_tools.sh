#!/bin/bash
# test_tools.sh -- grep, ripgrep, sort, tar, perl, curl and gcc under the shim.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need grep sort tar perl "${CC:=gcc}"
corpus
cd "$work" || exit 1

everywhere "grep -r" -- grep -rn 'define.*_IO' "$IN"
everywhere "grep, no match" -- grep -rn 'no such text at all' "$IN/linux"
if command -v rg >/dev/null; then
	everywhere "rg --mmap" -- rg --mmap -j2 --sort path 'define.*_IO' "$IN"
	[ "$faults" -ge 100 ] || fail "rg: only $faults faults"
fi
everywhere "sort" -- sort -u --parallel=2 -S 1M -o out "$IN/text"
everywhere "sort -m" -- sh -c 'sort "$IN/text" >a && sort -m a a | tail'
everywhere "tar" -- sh -c 'tar -C "$IN" --sort=name -cf out.tar . &&
	tar -tf out.tar | sort && mkdir back && tar -C back -xf out.tar &&
	diff -r back "$IN" && rm -r back out.tar'
everywhere "perl" -- perl -MList::Util=sum -e 'my %h;
	open F, "<", "$ENV{IN}/text"; while (<F>) { $h{$_}++ for split }
	print scalar(keys %h), " ", sum(values %h), "\n";
	my $x = "ab" x 3000000; print length($x), "\n"; exit 3'
command -v curl >/dev/null &&
	everywhere "curl file://" -- curl -s "file://$IN/program" -o out

cat >hello.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int cmp(const void *a, const void *b) { return strcmp(a, b); }
int main(int argc, char **argv)
{
	char words[][8] = { "pear", "apple", "fig" };
	qsort(words, 3, 8, cmp);
	for (int i = 0; i < 3; i++) puts(words[i]);
	return argc + (argv[0] == NULL);
}
EOF
cp hello.c "$IN/"
everywhere "gcc" -- sh -c "$CC -O2 -g -fdebug-prefix-map=\$PWD=. -c -o hello.o \"\$IN/hello.c\" &&
	$CC -o hello hello.o && ./hello; echo \$?; $CC -c /no/such.c"
[ $failures = 0 ]
