#!/bin/bash
# test_git.sh -- a repository is made, packed, checked and cloned.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
need git
corpus
limit=8M
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=$work
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='2000-01-01T00:00Z'
export GIT_COMMITTER_DATE='2000-01-01T00:00Z'

cat >"$work/steps" <<'EOF'
set -e
git init -q repo
cd repo
cp -r "$IN/linux" .
git add .
git commit -qm one
for i in 1 2 3; do
	sed -i "s/define/define /;${i}d" linux/*.h
	git commit -qam "$i"
done
git gc -q
git fsck --strict 2>&1
git log --stat --oneline | tail -n 50
git clone -q . ../clone
cd ../clone
git fsck 2>&1
git status --short
git diff HEAD~2 | cksum
git blame linux/fs.h | cksum
git grep -n _IOW | cksum
git cat-file -p HEAD^{tree}
cd ..
rm -rf repo clone
git log
EOF
everywhere "git" -- sh "$work/steps"
[ "$faults" -ge 100 ] || fail "git: only $faults faults"
[ $failures = 0 ]
