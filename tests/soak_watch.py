#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A daemon in years, in an hour: soak_watch.py FIRN SAMPLES [SECONDS [FILES]].

FILES photographs (100,000) come and go in SECONDS (3600): written, linked, renamed, in classes that
come, are renamed and go; one in 32 has contents that nobody has seen. Once a minute the daemon gets
SIGHUP, once in ten minutes there is silence until it has given its model back. Of its memory and
descriptors samples are taken while the model is loaded, and a line is fitted to them.

Names and contents come back, as a cache remembers by name and by content what it has ever stored:
that memory is the index's, and grows with the cache (tests/test_cache_years.c counts it). In the
first minutes all names are new; so the second half is what is judged.
"""
import collections
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from firn_watch import Watch

NAMES = 4000     # there are so many names, each again and again
MOVED = 300      # and so many that photographs are moved to
PRESENT = 1500   # and so many photographs at a time
NEW = 32         # one in so many has new contents
SILENCE = 10     # seconds

t = Watch(sys.argv)
seconds, files = map(int, (sys.argv[3:] + ["3600", "100000"][len(sys.argv) - 3:])[:2])
random.seed(1)
known = [t.photograph() for _ in range(64)]
present = collections.deque()
samples = []     # (seconds, bytes resident, descriptors, threads)
silent = []      # bytes resident without the model
came = new = moved = 0


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def come(i):
    """One photograph, in one of several ways."""
    global came, new
    name = i % NAMES
    path = t.photos / ("ring", "circle", "other")[name % 3] / f"n{name}.jpg"
    data = random.choice(known)
    if i % NEW == 0:
        data = t.photograph()
        new += 1
    if i % 5 == 0:  # beside, and renamed
        path.with_suffix(".part").write_bytes(data)
        path.with_suffix(".part").rename(path)
    elif i % 5 == 1:  # linked
        (t.dir / "source.jpg").write_bytes(data)
        path.unlink(missing_ok=True)
        time.sleep(0.01)  # no clock of a file system is finer than that
        os.link(t.dir / "source.jpg", path)
        (t.dir / "source.jpg").unlink()
    else:
        path.write_bytes(data)
    present.append(path)
    came += 1


def go():
    global moved
    path = present.popleft()
    if random.random() < 0.1 and path.exists():  # moved away first
        other = path.with_name(f"moved{moved % MOVED}.jpg")
        moved += 1
        path.rename(other)
        present.append(other)
    else:
        path.unlink(missing_ok=True)


def a_class(minute):
    """Comes with photographs in it, is renamed, goes."""
    path = t.photos / f"class{minute % 3}.{'ab'[minute // 3 % 2]}"
    if path.exists():
        shutil.rmtree(path)
        return
    old = t.photos / f"class{minute % 3}.{'ba'[minute // 3 % 2]}"
    if old.exists():
        old.rename(path)
        return
    path.mkdir()
    for i in range(10):
        (path / f"{i}.jpg").write_bytes(random.choice(known))


def sample(start, always=False):
    pid = t.process.pid
    if always or t.ask()["model_loaded"]:
        samples.append((time.monotonic() - start, resident(pid),
                        t.descriptors(),
                        len(os.listdir(f"/proc/{pid}/task"))))


def slope(part):
    """MB an hour, by least squares; 0 of less than two samples."""
    n = len(part)
    if n < 2:
        return 0.0
    mean_x, mean_y = sum(s[0] for s in part) / n, sum(s[1] for s in part) / n
    over = sum((s[0] - mean_x) * (s[1] - mean_y) for s in part)
    return over / sum((s[0] - mean_x) ** 2 for s in part) * 3600 / 1e6


def be_silent():
    """Until the model is given back; the time is made up for."""
    t.wait(lambda: not t.ask()["model_loaded"], "the model is given back", 60)
    time.sleep(SILENCE)
    silent.append(resident(t.process.pid))


def run():
    start, second, minute = time.monotonic(), 0, 0
    while time.monotonic() - start < seconds:
        passed = time.monotonic() - start
        while came < passed * files / seconds and came < files:
            come(came)
            if len(present) > PRESENT:
                go()
        if passed // 5 > second:
            second = passed // 5
            sample(start)
        if passed // 60 > minute:
            minute = int(passed // 60)
            a_class(minute)
            t.process.send_signal(signal.SIGHUP)
            if minute % 10 == 5:
                be_silent()
        time.sleep(0.05)
    return start


def report(start):
    sample(start, not samples)
    status = t.ask()
    half = samples[len(samples) // 2:]
    counts = sorted(s[2] for s in samples), sorted(s[3] for s in samples)
    print(f"{came} photographs came and went in {seconds} s, {new} with new contents: "
          f"{status['done']} done, {status['failed']} failed, {status['rescans']} full looks, "
          f"{status['model_loads']} times loaded, "
          f"{100 * t.cpu_seconds() / seconds:.1f}% of a core")
    print(f"resident: {samples[0][1] / 1e6:.1f} MB at first, {samples[-1][1] / 1e6:.1f} MB at "
          f"last, {max(s[1] for s in samples) / 1e6:.1f} MB at most; slope "
          f"{slope(samples):+.2f} MB/h over all, {slope(half):+.2f} MB/h over the second half")
    if silent:
        print(f"without the model: {', '.join(f'{n / 1e6:.1f}' for n in silent)} MB")
    print(f"descriptors: {counts[0][0]} to {counts[0][-1]}, at last {samples[-1][2]}; "
          f"threads: {counts[1][0]} to {counts[1][-1]}")
    size = sum(f.stat().st_size for f in t.cache.rglob("*") if f.is_file())
    print(f"cache: {size / 1e6:.1f} MB")
    t.check(status["failed"] == 0, f"none fails: {status['errors']}")
    usual = counts[0][len(counts[0]) // 2]  # a look, or a line that begins, has more for a moment
    t.check(max(usual, samples[-1][2]) <= samples[0][2] + 4, f"descriptors: {set(counts[0])}")
    if seconds >= 1800:
        t.check(slope(half) <= 1, "memory is flat")


(t.photos / "other").mkdir()
t.start("--idle-unload", 5, "--rescan", 600)
t.settled()
report(run())
t.settled(seconds=60)
t.complete()
there = {path for path, state in t.rows().items() if state.startswith("done")}
t.check(there == t.expected(), f"what is gone is known to be: {len(there ^ t.expected())} differ")
t.stop()
t.end()
