#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The daemon as its users meet it: check_watch.py FIRN SAMPLES."""
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

from firn_watch import MODEL, Watch, write_in_steps

t = Watch(sys.argv)


def appears(path, what):
    t.wait(lambda: t.done(path), f"{what}: {path}")


# What is there already, and what comes.
t.start()
status = t.settled()
t.check(status["done"] == 8 and status["failed"] == 0, f"8 at the start: {status}")
new = t.photos / "ring" / "new.jpg"
new.write_bytes(t.photograph())
appears(new, "a new file")
moved = t.photos / "ring" / "moved.jpg"
outside = t.dir / "outside.jpg"
outside.write_bytes(t.photograph())
outside.rename(moved)
appears(moved, "a file moved here")
deep = t.photos / "ring" / "a" / "b" / "c"
deep.mkdir(parents=True)
(deep / "deep.jpg").write_bytes(t.photograph())
appears(deep / "deep.jpg", "a file in new directories")
late = deep / "late.jpg"
late.write_bytes(t.photograph())
appears(late, "a second file there")

# A new class gets its number among the others; a directory that is renamed is watched on.
zebra, ant = t.photos / "zebra", t.photos / "ant"
zebra.mkdir()
(zebra / "one.jpg").write_bytes(t.photograph())
appears(zebra / "one.jpg", "a new class")
zebra.rename(ant)
appears(ant / "one.jpg", "a renamed class")
(ant / "two.jpg").write_bytes(t.photograph())
appears(ant / "two.jpg", "a new file in a renamed class")
labels = dict(reversed(line.split("\t")[:2]) for line in
              t.run("ls", t.cache).decode().splitlines())
t.check(labels["ant/two.jpg"] == "0", f"classes are numbered in order: {labels}")
(t.dir / "tree").mkdir()
(t.dir / "tree" / "in.jpg").write_bytes(t.photograph())
(t.dir / "tree").rename(t.photos / "ring" / "tree")
appears(t.photos / "ring" / "tree" / "in.jpg", "a directory moved here")
(t.photos / "ring" / "tree").rename(t.dir / "tree")
(t.dir / "tree" / "gone.jpg").write_bytes(t.photograph())

# Links.
(t.dir / "elsewhere").mkdir()
(t.dir / "elsewhere" / "x.jpg").write_bytes(t.photograph())
(t.photos / "ring" / "link").symlink_to(t.dir / "elsewhere")
appears(t.photos / "ring" / "link" / "x.jpg", "a file behind a link")
(t.dir / "elsewhere" / "y.jpg").write_bytes(t.photograph())
appears(t.photos / "ring" / "link" / "y.jpg", "a new file behind a link")
os.link(new, t.photos / "ring" / "hard.jpg")
appears(t.photos / "ring" / "hard.jpg", "a hard link")
(t.photos / "ring" / "loop").symlink_to(t.photos / "ring")

# What is no photograph.
os.mkfifo(t.photos / "ring" / "fifo.jpg")
for name in (".hidden.jpg", "~temp.jpg", "backup.jpg~", ".new.jpg.Ab12Cd", "x.jpg.part"):
    (t.photos / "ring" / name).write_bytes(t.photograph())
(t.photos / "ring" / "empty.jpg").touch()
slow = t.photos / "ring" / "slow.jpg"
write_in_steps(slow, t.photograph(), 10, 0.05)
appears(slow, "a slow copy")
broken = t.photos / "ring" / "broken.jpg"
broken.write_bytes(t.photograph()[:3000])
t.wait(lambda: t.rows().get(str(broken), "").startswith("corrupt"), "a truncated file")
before = t.settled()
broken.write_bytes(t.photograph())
appears(broken, "it was repaired")
status = t.settled()
t.check(status["failed"] == 1 and len(status["errors"]) == 1, f"one failure: {status}")
names = {Path(path).name for path in t.rows()}
t.check(not names & {".hidden.jpg", "~temp.jpg", "fifo.jpg", "empty.jpg", "gone.jpg"},
        f"what is ignored: {names}")

# Deleted, and back again.
def is_gone(name):
    return f"{name}\t" in listed() and f"{name}\t" not in t.run("ls", t.cache).decode()


def listed():
    return t.run("ls", "--all", t.cache).decode()


late.unlink()
t.wait(lambda: is_gone("late.jpg"), "a deleted file is marked")
late.write_bytes(t.photograph())
appears(late, "it is back")

# Pause: noticed, not computed.
t.run("pause", t.cache)
t.check(t.status()["state"] == "paused", "paused")
brief = t.photos / "ring" / "brief.jpg"
for file in (t.photos / "ring" / "paused.jpg", brief):
    file.write_bytes(t.photograph())
t.wait(lambda: t.status()["queued"] == 2, "noticed while paused")
time.sleep(0.3)
t.check(not t.done(t.photos / "ring" / "paused.jpg"), "not computed while paused")
brief.unlink()
t.run("resume", t.cache)
appears(t.photos / "ring" / "paused.jpg", "computed when resumed")
t.check(t.settled()["failed"] == 1 and str(brief) not in t.rows(),
        f"what is gone before its turn is no failure: {t.status()}")

# Control: what is not understood is refused, and nobody else may talk.
path = next((t.dir / "runtime" / "firn").glob("*.sock"))
t.check(stat.S_IMODE(path.stat().st_mode) == 0o600, "the socket is ours alone")
for request in (b"\n", b"status\n", b'{"do":"dance"}\n', b'{"do":"status"\n', b"x" * 300,
                b'{"do":"status","follow":maybe}\n', b'{"do":"status"} x\n',
                b'{"do":"status"}}\n', b'{"do":"status","follow":true}{\n', b'\0\n'):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(path))
        s.sendall(request)
        try:
            answer = s.recv(4096)
        except ConnectionResetError:
            answer = b""
        t.check(not answer.startswith(b'{"state"'), f"{request}: {answer}")
idlers = [socket.socket(socket.AF_UNIX) for _ in range(20)]
for s in idlers:
    s.connect(str(path))
    try:
        s.send(b"{")
    except BrokenPipeError:
        pass  # it was one too many
t.wait(lambda: t.status(quiet=True), "it answers although idlers hold all places")
for s in idlers:
    s.close()
with subprocess.Popen([t.firn, "status", "--json", "--follow", t.cache], text=True,
                      stdout=subprocess.PIPE) as follow:
    lines = [json.loads(follow.stdout.readline()) for _ in range(2)]
    follow.kill()
t.check(all(line["state"] == "idle" for line in lines), "--follow")
t.check(b"idle" in t.run("status", t.cache), "status in words")

# No descriptor is free for who calls: it waits, and does not spin.
taken = {int(fd) for fd in os.listdir(f"/proc/{t.process.pid}/fd")}
limits = resource.prlimit(t.process.pid, resource.RLIMIT_NOFILE)
resource.prlimit(t.process.pid, resource.RLIMIT_NOFILE,
                 (min(set(range(len(taken) + 1)) - taken), limits[1]))
with socket.socket(socket.AF_UNIX) as s:
    s.connect(str(path))
    s.sendall(b'{"do":"status"}\n')
    before = t.cpu_seconds()
    time.sleep(1.5)
    used = t.cpu_seconds() - before
    t.check(used < 0.5, f"{used:.2f} s of processor time while nobody can be let in")
    resource.prlimit(t.process.pid, resource.RLIMIT_NOFILE, limits)
    t.check(s.makefile().readline().startswith('{"state"'), "it answers when it can")

# Many requests for one thing are one.
rescans = t.settled()["rescans"]
for _ in range(1000):
    t.process.send_signal(signal.SIGHUP)
t.wait(lambda: t.status()["rescans"] > rescans, "SIGHUP looks through everything")
t.check(t.settled()["rescans"] - rescans < 1000, "no storm")

# A second daemon, also into the background, says who is there.
for more in ((), ("-B",)):
    second = subprocess.run([t.firn, "watch", *MODEL, *more, "-o", t.cache, t.photos],
                            capture_output=True, text=True)
    t.check(second.returncode == 75 and f"process {t.process.pid}" in second.stderr,
            f"a second daemon: {second.returncode} {second.stderr}")
t.stop()
t.run("status", t.cache, expect=66)
t.run("verify", "-q", t.cache)

# Into the background: ready when the command ends, stopped when the other one does.
t.run("watch", *MODEL, "--background", "-o", t.cache, t.photos)
t.check(t.status() is not None, "ready when the command ends")
t.settled()
t.check(t.status()["done"] == 0, "everything was known")
t.run("stop", t.cache)
t.run("verify", "-q", t.cache)
t.run("extract", "-q", *MODEL, "-o", t.cache, t.photos, expect=1)  # the FIFO and the empty file
t.run("watch", *MODEL, "-B", "-o", t.cache, t.dir / "nothing", expect=66)
t.run("watch", *MODEL, "-B", "-o", t.cache, new, expect=2)

# A root that goes away and comes back: nothing is lost, nothing ends.
t.start()
t.settled()
count = len(t.rows())
t.photos.rename(t.dir / "away")
t.wait(lambda: t.status()["state"] == "waiting", "a root has gone")
(t.dir / "away" / "ring" / "meanwhile.jpg").write_bytes(t.photograph())
t.check(len(t.rows()) == count, "nothing is forgotten")
(t.dir / "away").rename(t.photos)
appears(t.photos / "ring" / "meanwhile.jpg", "what came meanwhile")
after = t.photos / "ring" / "after.jpg"
after.write_bytes(t.photograph())
appears(after, "what came after")
t.stop(how=signal.SIGINT)
t.end()
