#!/bin/bash
# test_python.sh -- Python's mmap, numpy's memmap, subprocesses and threads.
#
# SPDX-License-Identifier: MIT
set -u

. "$(dirname "$0")/programs.sh"
python=/usr/bin/python3
need $python
limit=16M

cat >"$work/maps.py" <<'EOF'
import mmap, os, subprocess, sys, tempfile, threading, signal, faulthandler
f = open("map", "w+b")
f.truncate(10 << 20)
m = mmap.mmap(f.fileno(), 10 << 20)
m[5000:5010] = b"0123456789"
m[9 << 20:(9 << 20) + 4] = b"last"
m.flush()
print(m.find(b"456"), m.rfind(b"last"), f.read()[5000:5010])
m.move(100, 5000, 10)
m.resize(12 << 20)
print(m[100:110], len(m), f.tell())
p = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
p[5000:5003] = b"own"
print(m[5000:5003], p[5000:5003])
a = mmap.mmap(-1, 1 << 20)
a.write(b"x" * 100000)
a.madvise(mmap.MADV_DONTNEED)
print(a[:3])

results = []
def add(n):
    results.append((n, sum(m[n * 4096:n * 4096 + 8192])))
threads = [threading.Thread(target=add, args=(i,)) for i in range(40)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(results))

print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"],
                     capture_output=True))
print(subprocess.run(["cat"], input=bytes(m[4990:5020]),
                     capture_output=True).stdout)
print(subprocess.Popen(["env", "-i", "echo", "empty"], close_fds=True,
                       start_new_session=True).wait())
pid = os.fork()
if pid == 0:
    m[0:5] = b"child"
    os._exit(5)
print(os.waitpid(pid, 0)[1], m[0:5])
try:
    print(subprocess.run([sys.executable, "-c",
        "import ctypes, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); ctypes.string_at(0)"]).returncode)
finally:
    r, w = os.pipe()
    print(os.write(w, memoryview(m)[4096:8192]), os.readv(r, [memoryview(a)[5:4101]]))
    print(bytes(a[900:930]))
EOF
cat >"$work/fault.py" <<'EOF'
import ctypes, faulthandler, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
faulthandler.enable()
ctypes.string_at(0)
EOF
cat >"$work/array.py" <<'EOF'
import numpy as np
a = np.memmap("array", dtype="u4", mode="w+", shape=(1000, 1500))
a[:] = np.arange(1500000, dtype="u4").reshape(1000, 1500)
a[500] = 7
a.flush()
b = np.memmap("array", dtype="u4", mode="r")
print(b.sum(), b[749990:750010], a[:, 3].max())
c = np.memmap("array", dtype="u4", mode="c")
c[::1000] = 1
print(c.sum(), b.sum())
np.save("saved", a[::3])
d = np.load("saved.npy", mmap_mode="r")
print(d.shape, d.sum(), np.sort(d, axis=None)[::50000])
x = np.ones((200, 200))
print((x @ x).sum(), np.fft.fft(b[:4096].astype(float))[3])
EOF
everywhere "mmap, subprocesses, threads" -- $python "$work/maps.py"
[ "$faults" -ge 20 ] || fail "python3: only $faults faults"
everywhere "faulthandler" -- sh -c "$python '$work/fault.py' 2>said; echo \$?
	sed 's/thread 0x[0-9a-f]*/thread/' said; rm said"
if $python -c 'import numpy' 2>/dev/null; then
	everywhere "numpy.memmap" -- $python "$work/array.py"
else
	echo "numpy is not installed"
fi
[ $failures = 0 ]
