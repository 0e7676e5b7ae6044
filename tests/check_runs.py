#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Features do not depend on how a run went: check_runs.py FIRN SAMPLES [N of each class] [KILLS].

Threads, batch, ways of reading, order of the photographs and interruptions must give the same
bytes; another instruction set the same numbers but for rounding.
"""
import ctypes
import os
import random
import signal
import struct
import subprocess
import sys
import time

from firn_test import Bench, data, need

numpy, = need("numpy")
t = Bench(sys.argv)
each = int(sys.argv[3]) if len(sys.argv) > 3 else 4
kills = int(sys.argv[4]) if len(sys.argv) > 4 else 3
if data() and kills > 3:
    photos, options = data() / "hymenoptera" / "val", ("-q", "-m", "untrained:resnet18")
else:
    photos = t.draw("photos", each)
    options = ("-q", "-m", "untrained:resnet18", "--resize", "72", "--crop", "64")
counter = 0


def rows(cache):
    """What the cache holds: {path: feature}."""
    out = t.dir / "out.npz"
    t.run("export", "-q", cache, "-o", out)
    with numpy.load(out) as npz:
        return dict(zip(npz["paths"].tolist(), npz["features"]))


def extract(*more, paths=(photos,), **how):
    global counter
    counter += 1
    cache = t.dir / f"cache{counter}"
    t.run("extract", *options, *more, "-o", cache, *paths, **how)
    return rows(cache)


def same(a, b):
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


reference = extract("--threads", 1, "--batch", 1, "--io", "threads")
t.check(len(reference) > 0, "there are features")
for threads in (1, 2, 3, 4):
    for batch in (1, 7, 32):
        t.check(same(reference, extract("--threads", threads, "--batch", batch)),
                f"{threads} threads, batch {batch}")
t.check(same(reference, extract("--io", "threads", "--threads", 2)), "--io threads")
t.check(same(reference, extract("--memory", "small", "--threads", 2)), "--memory small")

# Photographs by name, in any order.
names = sorted(reference)
random.seed(1)
random.shuffle(names)
t.check(same(reference, extract(paths=names)), "another order")

# A photograph that fails changes no other row.
if photos.is_relative_to(t.dir):
    (photos / "ring" / "aaa.jpg").write_bytes(b"nothing")
    t.check(same(reference, extract("--batch", 7, expect=1)), "a damaged neighbour")
    (photos / "ring" / "aaa.jpg").unlink()


def refuse_io_uring():
    """A seccomp filter: io_uring_setup(2) ends with EPERM, as in many containers."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("HBBI", *op) for op in (
        (0x20, 0, 0, 0),          # load the number of the system call
        (0x15, 0, 1, 425),        # io_uring_setup, the same on every architecture
        (0x06, 0, 0, 0x50001),    # fail with EPERM
        (0x06, 0, 0, 0x7FFF0000)  # allow
    ))
    program = ctypes.create_string_buffer(code)
    filter_ = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(program))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter_, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


t.check(same(reference, extract("--threads", 2, preexec_fn=refuse_io_uring)), "io_uring refused")
t.check(same(reference, extract("--io", "uring", preexec_fn=refuse_io_uring)),
        "io_uring refused although it was asked for")

# Killed at random moments and started again: nothing is lost, nothing is invented.
start = time.monotonic()
extract()
whole = time.monotonic() - start
for round_ in range(kills):
    cache = t.dir / f"killed{round_}"
    command = [t.firn, "extract", *options, "-o", str(cache), str(photos)]
    for _ in range(random.randint(1, 3)):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        time.sleep(random.uniform(0.1, 1.0) * whole)
        process.send_signal(signal.SIGKILL)
        process.wait()
    t.run("extract", *options, "-o", cache, photos)
    t.check(same(reference, rows(cache)), f"killed, round {round_}")
    t.run("verify", "-q", cache)

# Every instruction set that this processor has.
scale = numpy.sqrt(numpy.mean([row.astype(numpy.float64) ** 2 for row in reference.values()]))
levels = 0
for level in ("generic", "sse4", "avx2", "neon"):
    if subprocess.run([t.firn, "extract", *options, "--cpu", level, "-o", t.dir / level, photos],
                      stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode:
        continue
    levels += 1
    other = rows(t.dir / level)
    worst = max(numpy.abs(other[k].astype(numpy.float64) - reference[k]).max() for k in reference)
    print(f"--cpu {level}: max abs difference / rms {worst / scale:.2e}")
    t.check(worst / scale <= 3e-5, f"--cpu {level}")
t.check(levels >= 1, "the generic level runs everywhere")
t.end()
