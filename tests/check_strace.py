#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""System calls of a real run fail, or kill it: check_strace.py FIRN SAMPLES.

What the simulated disk of test_cache_faults.c cannot know is whether the program makes its durable
writes by the calls that it simulates. Here strace makes the N-th of a kind fail, or all from then
on, in `firn extract` itself: the exit status tells, nothing is acknowledged falsely, the cache is
whole, and the next run completes it.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

from firn_test import Bench, skip

OPTIONS = ("-q", "-m", "untrained:resnet18", "--resize", "40", "--crop", "32", "--threads", "1",
           "--io", "threads")
NOMEM, IOERR, CANTCREATE, NOINPUT = 71, 74, 73, 66
CALLS = (("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fdatasync", "EIO"), ("fdatasync", "ENOSPC"),
         ("fsync", "EIO"), ("fallocate", "ENOSPC"), ("ftruncate", "EIO"), ("openat", "EMFILE"),
         ("mkdir", "ENOSPC"))

t = Bench(sys.argv)
if not shutil.which("strace"):
    skip("no strace")
photos = t.draw("photos", 2)
number = sum(1 for p in photos.rglob("*.jpg"))
cache = t.dir / "cache"
extract = [t.firn, "extract", *OPTIONS, "-o", str(cache), str(photos)]
if subprocess.run(["strace", "-f", "-e", "inject=fdatasync:error=EIO:when=1", "-o",
                   str(t.dir / "trace"), "true"], stderr=subprocess.DEVNULL).returncode:
    skip("strace cannot be used here")


def done():
    out = subprocess.run([t.firn, "ls", str(cache)], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    return out.stdout.count(b"\tdone") if out.returncode == 0 else 0


def attempt(call, error, when, known):
    """One run in which calls fail; `known` photographs are in the cache already."""
    # Only files of the cache: the loader and the photographs are none of this.
    paths = [f"-P{cache}"] + [f"-P{cache}/seg-{i:08}.firn" for i in range(1, 6)]
    ran = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(t.dir / "trace"), *paths, "-e", f"trace={call}", "-e",
         f"inject={call}:error={error}:when={when}", *extract], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    what = f"{call} {error} {when}, {known} known"
    text = ran.stderr.decode(errors="replace")
    felt = b"(INJECTED)" in (t.dir / "trace").read_bytes()
    fitting = (0, NOMEM) if error == "EMFILE" else (0, IOERR, CANTCREATE, NOINPUT)
    t.check(ran.returncode in fitting, f"{what}: {ran.returncode} {text}")
    t.check(ran.returncode == 0 or (felt and text), f"{what}: {ran.returncode} {text}")
    t.check(ran.returncode != 0 or done() == number, f"{what}: acknowledged falsely")
    t.check(done() >= known, f"{what}: {known - done()} are lost")
    t.run("extract", *OPTIONS, "-o", cache, photos)
    t.check(done() == number, f"{what}: not completed")
    t.run("verify", cache)
    return felt


# Half of the photographs are known, or none.
(photos / "square").rename(t.dir / "square")
half = t.dir / "half"
t.run("extract", *OPTIONS, "-o", half, photos)
(t.dir / "square").rename(photos / "square")
points = 0
for call, error in CALLS:
    for when in ("1", "2", "1+"):
        for start in (None, half):
            shutil.rmtree(cache, ignore_errors=True)
            if start:
                shutil.copytree(start, cache)
            points += attempt(call, error, when, done())


def interrupted():
    """A signal the moment that an export's unfinished file is there: nothing is left behind."""
    log, out = t.dir / "trace", t.dir / "interrupted"
    trace = ["strace", "-qq", "-o", str(log), "-e", "trace=openat,linkat"]
    export = [t.firn, "export", "-q", str(half), "-o", str(out / "x.npy")]
    out.mkdir()
    t.run(*export[1:])
    subprocess.run([*trace, *export], check=True)
    lines = log.read_text().splitlines()
    last = next(i for i, line in enumerate(lines) if "x.npy.tmp." in line)
    call = lines[last].split("(")[0]
    nth = sum(line.startswith(call) for line in lines[:last + 1])
    (out / "x.npy").unlink()
    ran = subprocess.run([*trace, "-e", f"inject={call}:signal=TERM:when={nth}", *export],
                         stderr=subprocess.DEVNULL)
    t.check(ran.returncode and not list(out.iterdir()), f"{ran.returncode}: {list(out.iterdir())}")


interrupted()
print(f"{points} runs in which a call failed")

# What is killed while it writes leaves nothing, where the file system has files without a name.
(t.dir / "out").mkdir()
try:
    os.close(os.open(t.dir / "out", os.O_TMPFILE | os.O_WRONLY))
    moments = ((1, "export"), (2, "export"), (3, "export"), (1, "bn"), (2, "bn"))
except OSError:
    moments = ()
WRITERS = {"export": ["export", str(half), "-o", str(t.dir / "out" / "features.npz")],
           "bn": ["bn", "estimate", *OPTIONS[:-2], "--method", "cumulative", "-o",
                  str(t.dir / "out" / "own.safetensors"), str(photos)]}
for when, verb in moments:
    ran = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(t.dir / "trace"), "-e", "trace=write,pwrite64,fsync",
         "-e", f"inject=write,pwrite64,fsync:signal=KILL:when={when}", t.firn, *WRITERS[verb]],
        stderr=subprocess.DEVNULL)
    left = [p.name for p in (t.dir / "out").iterdir()]
    t.check(ran.returncode == -9 and not left, f"{verb} killed at {when}: {ran.returncode} {left}")

def opening():
    """A daemon that is still opening its cache, each read of which takes a while, hears signals."""
    log, said = t.dir / "trace", t.dir / "said"
    log.write_text("")
    segment = next(half.glob("seg-*"))
    with open(said, "wb") as out:
        ran = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=pread64", f"-P{segment}", "-e",
             "inject=pread64:delay_enter=1000000", t.firn, "watch", *OPTIONS[1:], "-o", str(half),
             str(photos)], stderr=out, stdin=subprocess.DEVNULL)
        for _ in range(200):
            lines = log.read_text().splitlines()
            if lines:
                break
            time.sleep(0.1)
        os.kill(int(lines[0].split()[0]), signal.SIGTERM)
        status = ran.wait(timeout=120)
    words = said.read_text()
    t.check(status == 0 and "stopped before the cache was open" in words, f"{status} {words}")


opening()
t.check(points >= 20, f"only {points} runs felt it")
t.end()
