#!/bin/bash
# test_hooks_once.sh -- system calls are hooked, and nothing else is changed:
# registers, cancellation, threads; and children, the static ones too.
#
# SPDX-License-Identifier: MIT
set -u

BUILDDIR=$(cd "${BUILDDIR:-build}" && pwd) || exit 1
hooks=$BUILDDIR/test/preload/hooks
lazymap=$BUILDDIR/lazymap
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

cd "${TESTDIR:-$(mktemp -d)}" || exit 1
plain=$("$hooks") || fail "on the kernel alone: $plain"
case ${SANITIZE:-} in
?*)
	echo "the shim's trap is not for sanitizers: on the kernel alone"
	exit $((failures > 0))
	;;
esac
[ "$(uname -m)" = x86_64 ] || {
	echo "skipped: the hooks are for x86-64"
	exit 77
}

for options in '' '--resident 8M --cluster 4K' '--place mremap' \
	'--resident 2M --cluster 4K'; do
	# shellcheck disable=SC2086
	said=$("$lazymap" run $options -- "$hooks" 2>said) ||
		fail "on lazymap $options: $said"
	grep -q 'limit is exceeded' said && fail "with $options: $(cat said)"
	[ "$said" = "$plain" ] || fail "lazymap run $options: $said, not $plain"
done
# By a relative path nothing that is kept of the C library is found: it is looked
# through.
said=$(cd "$BUILDDIR" && LD_PRELOAD=./liblazymap-preload.so "$hooks") ||
	fail "with nothing kept: $said"
[ "$said" = "$plain" ] || fail "with nothing kept: $said, not $plain"
# The text is writable for a moment, or not at all.
deny=$BUILDDIR/test/preload/deny
if denied=$("$deny" -x "$hooks"); then
	said=$("$lazymap" run -- "$deny" -x "$hooks") ||
		fail "without writable code: $said"
	[ "$said" = "$denied" ] ||
		fail "without writable code: $said, not $denied"
fi
"$lazymap" run -- grep -E '^[^ ]+ rwx' /proc/self/maps &&
	fail "code is left writable"
"$lazymap" run --no-syscall-trap -- "$hooks" >/dev/null &&
	fail "nothing is missed without the hooks"

# A static child of a hooked parent makes its calls as ever.
cat >static.c <<'END'
#include <stdio.h>
#include <sys/utsname.h>
int main(void)
{
	struct utsname name;

	return uname(&name) < 0 || puts(name.sysname) < 0;
}
END
if ${CC:-cc} -static -o static static.c 2>/dev/null; then
	said=$("$lazymap" run -- sh -c ./static) || fail "a static child: $?"
	[ "$said" = Linux ] || fail "a static child said $said"
else
	echo "no static C library: that child is not tried"
fi
said=$("$lazymap" run --no-follow -- sh -c 'uname') ||
	fail "a child that is not followed: $?"
[ "$said" = Linux ] || fail "a child that is not followed said $said"
exit $((failures > 0))
