#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Decoders in processes of their own: check_watch_isolate.py FIRN SAMPLES [KILLS]."""
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from firn_watch import MODEL, Watch

t = Watch(sys.argv)
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 30
random.seed(1)


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def decoders():
    try:
        return [pid for warden in children(t.process.pid) for pid in children(warden)]
    except OSError:
        return []


def field(pid, name):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split()[1]
    return None


# The same features, made by processes that have nothing.
t.start("--isolate", "--decode-limit", 1, "--threads", 2)
status = t.settled()
t.check(status["done"] == 8, f"8 at the start: {status}")
t.check(len(decoders()) >= 1, f"there are decoders: {decoders()}")
for pid in decoders():
    t.check(not os.listdir(f"/proc/{pid}/fd"), f"no descriptors: {os.listdir(f'/proc/{pid}/fd')}")
    t.check(field(pid, "NoNewPrivs") == "1", "no new privileges")
    if b"seccomp" not in t.log.read_bytes():
        filtered = field(pid, "Seccomp") == "2"
        t.check(filtered or t.sanitized, "under seccomp")

# Killed at any moment, also twice over one photograph.
stop = threading.Event()
killed = 0


def kill_decoders():
    global killed
    while not stop.is_set():
        for pid in decoders():
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        time.sleep(random.uniform(0.02, 0.1))


before = t.descriptors()
memory = []
killer = threading.Thread(target=kill_decoders)
killer.start()
n = 0
while killed < kills:
    (t.photos / "ring" / f"k{n}.jpg").write_bytes(t.photograph())
    n += 1
    time.sleep(0.02)
    memory.append(int(field(t.process.pid, "VmRSS")) / 1e3)
stop.set()
killer.join()
status = t.settled()
rows = t.rows()
lost = [path for path in t.expected() if path not in rows]
t.check(not lost, f"each has a record: {lost[:3]}")
quarantined = [path for path in t.expected() if rows[path].startswith("corrupt")]
t.check(all("killed its decoder twice" in rows[path] for path in quarantined), "and says why")
half = len(memory) // 2
print(f"{killed} kills, {n} photographs, {len(quarantined)} in quarantine; "
      f"{max(memory[:half]):.1f} MB in the first half, {max(memory[half:]):.1f} MB in the second")
t.check(t.sanitized or max(memory[half:]) < max(memory[:half]) + 4, "no memory leaks")
for path in quarantined:  # touched, they are tried again
    os.utime(path)
    with open(path, "r+b"):
        pass
t.wait(lambda: all(t.done(path) for path in t.expected()), "in the end all are done")
t.check(t.descriptors() <= before + 1, "no descriptor leaks")

# One that hangs its decoder is given up and tried with another one.
stopped = decoders()
t.check(stopped, "there are decoders to stop")
for pid in stopped:
    os.kill(pid, signal.SIGSTOP)
hang = t.photos / "ring" / "hang.jpg"
hang.write_bytes(t.photograph())
t.wait(lambda: t.done(hang), "another decoder takes over")
if len(stopped) == 2:  # else the other cell had none, and has got a new one
    t.check(set(stopped) - set(decoders()), "the one that hung is gone")
for pid in set(stopped) & set(decoders()):
    os.kill(pid, signal.SIGCONT)
after = t.photos / "ring" / "after.jpg"
after.write_bytes(t.photograph())
t.wait(lambda: t.done(after), "the daemon goes on")

# All of them end with the daemon, however it ends.
pids = decoders() + children(t.process.pid)
t.kill()
t.wait(lambda: not any(Path(f"/proc/{pid}").exists() and field(pid, "State") != "Z"
                       for pid in pids), "decoders end with the daemon")
t.run("verify", "-q", t.cache)
t.start()
t.settled()
t.stop()
t.run("extract", "-q", *MODEL, "-o", t.dir / "again", t.photos)
for name in ("ring/k0.jpg", "circle/circle-01.jpg"):
    a, b = (t.run("show", cache, t.photos / name).split(b"\n")[-20:] for cache in
            (t.cache, t.dir / "again"))
    t.check(a == b, f"{name}: the same feature")
t.end()
