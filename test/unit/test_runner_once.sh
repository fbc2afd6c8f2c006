#!/bin/bash
# The test runner must count what goes wrong: a runner that misses a crash or
# a hang makes every other test worthless.
#
# SPDX-License-Identifier: MIT
set -u

cd "$TESTDIR" || exit 1
runner=$SRCDIR/test/run
wrong=0

program() {
	cat >"$1"
	chmod +x "$1"
}

# Programs that print what Check prints.
program test_good <<'END'
#!/bin/sh
echo "Running suite(s): good"
echo "100%: Checks: 3, Failures: 0, Errors: 0"
END
program test_two_summaries <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
echo "50%: Checks: 2, Failures: 0, Errors: 1"
exit 1
END
program test_failing <<'END'
#!/bin/sh
echo "33%: Checks: 3, Failures: 1, Errors: 1"
echo "x.c:1:F:core:of_a_test:0: the reason"
exit 1
END
program test_crashing <<'END'
#!/bin/sh
kill -SEGV $$
END
program test_crashing_late <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
kill -ABRT $$
END
program test_hanging <<'END'
#!/bin/sh
sleep 60
END
program test_hanging_late <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
sleep 60
END
program test_silent <<'END'
#!/bin/sh
exit 0
END
program test_empty <<'END'
#!/bin/sh
echo "100%: Checks: 0, Failures: 0, Errors: 0"
END
program test_lying <<'END'
#!/bin/sh
echo "100%: Checks: 3, Failures: 0, Errors: 0"
exit 1
END
program test_not_here <<'END'
#!/bin/sh
echo "no such kernel"
exit 77
END
program test_partly <<'END'
#!/bin/sh
echo "skipped: no userfaultfd"
echo "100%: Checks: 3, Failures: 0, Errors: 0"
END
program test_trap <<'END'
#!/bin/sh
echo "$LAZYMAP_TRAP${WITH++$WITH}" >>"$SEEN"
echo "100%: Checks: 1, Failures: 0, Errors: 0"
END
program test_trap_once <<'END'
#!/bin/sh
echo "once${LAZYMAP_TRAP-}" >>"$SEEN"
echo "100%: Checks: 1, Failures: 0, Errors: 0"
END
echo 'exit 0' >test_good.sh
echo 'echo reason; exit 3' >test_bad.sh
echo 'echo not possible here; exit 77' >test_skipped.sh

# expect LAST-LINE STATUS [ARG...]
expect() {
	local line=$1 want=$2 got status
	shift 2
	got=$(env -u LAZYMAP_TRAP BUILDDIR="$TESTDIR/build" \
		"$runner" -s 2 "$@" 2>&1)
	status=$?
	if [ "$(tail -n 1 <<<"$got")" != "$line" ] || [ $status != "$want" ]; then
		echo "run $*: wanted '$line' and status $want, got $status and:"
		echo "$got"
		wrong=1
	fi
}

here=$TESTDIR
expect "3 passed, 0 failed" 0 "$here/test_good"
expect "4 passed, 1 failed" 1 "$here/test_two_summaries"
expect "1 passed, 2 failed" 1 "$here/test_failing"
expect "0 passed, 1 failed" 1 "$here/test_crashing"
expect "3 passed, 1 failed" 1 "$here/test_crashing_late"
expect "0 passed, 1 failed" 1 "$here/test_hanging"
expect "3 passed, 1 failed" 1 "$here/test_hanging_late"
expect "0 passed, 1 failed" 1 "$here/test_silent"
expect "0 passed, 1 failed" 1 "$here/test_empty"
expect "3 passed, 1 failed" 1 "$here/test_lying"
expect "0 passed, 1 failed" 1 "$here/test_not_there_at_all"
expect "0 passed, 0 failed, 1 skipped" 0 "$here/test_not_here"
expect "2 passed, 0 failed, 1 skipped" 0 "$here/test_partly"
expect "1 passed, 0 failed" 0 "$here/test_good.sh"
expect "0 passed, 1 failed" 1 "$here/test_bad.sh"
expect "0 passed, 0 failed, 1 skipped" 0 "$here/test_skipped.sh"
expect "3 passed, 1 failed" 1 "$here/test_good" "$here/test_bad.sh"
expect "3 passed, 0 failed" 0 -n test_good "$here/test_bad.sh" "$here/test_good"
expect "0 passed, 0 failed" 1 -n nothing "$here/test_good"
expect "0 passed, 0 failed" 0 -e

export SEEN=$TESTDIR/seen
expect "3 passed, 0 failed" 0 -t "one two" "$here/test_trap" \
	"$here/test_trap_once"
if [ "$(tr '\n' ' ' <"$SEEN")" != "one two once " ]; then
	echo "traps: $(cat "$SEEN")"
	wrong=1
fi

# A trap brings variables with it, for itself.
: >"$SEEN"
expect "3 passed, 0 failed" 0 -t "one+WITH=it two" "$here/test_trap" \
	"$here/test_trap_once"
if [ "$(tr '\n' ' ' <"$SEEN")" != "one+it two once " ]; then
	echo "traps with variables: $(cat "$SEEN")"
	wrong=1
fi
if ! "$runner" -t one+WITH=it "$here/test_trap" | grep -q "\[one WITH=it\]"; then
	echo "what a trap brings with it is not shown"
	wrong=1
fi

# What failed is shown.
if ! "$runner" -s 2 "$here/test_failing" | grep -q "the reason"; then
	echo "the output of a failing test is not shown"
	wrong=1
fi
exit $wrong
