#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What happens to a daemon in years: check_watch_hard.py FIRN SAMPLES [SCALE [TEST...]].

Lost events, races with mkdir, too few watches, a full disk, slow writers, kill -9, rivals. SCALE 1
takes seconds.
"""
import mmap
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import firn_test
from firn_watch import MODEL, Watch, shuffled

t = Watch(sys.argv)
scale = int(sys.argv[3]) if len(sys.argv) > 3 else 1
numpy, = firn_test.need("numpy")
random.seed(1)


def fresh():
    """Another cache and other photographs."""
    shutil.rmtree(t.photos)
    shutil.rmtree(t.cache, ignore_errors=True)
    (t.photos / "ring").mkdir(parents=True)
    t.log.write_text("")


def overflow():
    """The kernel drops events while the daemon sleeps; it finds out and looks itself."""
    fresh()
    t.start()
    t.settled()
    t.freeze()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for i in range(limit + 100):  # two names by turns: equal neighbours would be one event
        with open(t.photos / "ring" / f"{i % 2}.txt", "wb"):
            pass
    data = t.photograph()
    (t.photos / "ring" / "first.jpg").write_bytes(data)
    for i in range(100 if scale == 1 else 200000):
        os.link(t.photos / "ring" / "first.jpg", t.photos / "ring" / f"{i}.jpg")
        if i % 50000 == 49999:  # so many links a file
            (t.photos / "ring" / "first.jpg").unlink()
            (t.photos / "ring" / "first.jpg").write_bytes(data)
    (t.photos / "new").mkdir()
    (t.photos / "new" / "x.jpg").write_bytes(t.photograph())
    t.process.send_signal(signal.SIGCONT)
    t.wait(lambda: t.status()["overflows"] >= 1, "the overflow is noticed")
    status = t.settled(seconds=60 * scale)
    t.check(1 <= status["rescans"] - 1 <= status["overflows"] + 1,
            f"looked once for each: {status}")
    t.complete()
    t.stop()


def nested():
    """Directories inside of new directories, each with a photograph at once."""
    fresh()
    t.start()
    t.settled()
    data = t.photograph()
    for chain in range(4 * scale):
        path = t.photos / "ring"
        for depth in range(100):
            path = path / f"{chain}.{depth}"
            path.mkdir()
            (path / "x.jpg").write_bytes(data)
    t.wait(lambda: t.status()["done"] >= 400 * scale, "all directories are seen", 60 * scale)
    status = t.settled(seconds=60 * scale)
    t.check(status["rescans"] == 1 or status["overflows"], f"without a full look: {status}")
    t.complete()
    t.stop()


def few_watches():
    """More directories than watches: the rest is polled, and that is said once."""
    fresh()
    for i in range(1000):
        (t.photos / "ring" / str(i)).mkdir()
    t.start("--watch-limit", 100, "--poll", 1)
    status = t.settled()
    t.check(status["directories"] == 100 and status["directories_polled"] == 902,
            f"100 of 1002 directories are watched: {status}")
    for i in range(1000):
        (t.photos / "ring" / str(i) / "x.jpg").write_bytes(t.sample)
    t.wait(lambda: t.status()["done"] >= 1000, "all of them are found")
    t.complete()
    lines = [line for line in t.log.read_text().splitlines() if "looked through" in line]
    t.check(len(lines) == 1, f"one line of news: {lines}")
    t.stop()


def regular():
    """A look at everything does not wait the longer for how long nothing was to do before."""
    fresh()
    t.start("--rescan", 3)
    t.wait(lambda: t.status()["rescans"] >= 5, "four looks, three seconds apart")
    t.stop()


def full():
    """A cache that cannot be written to: said at once, not when the next photograph comes."""
    fresh()
    t.log.unlink()  # the limit is its limit, too
    t.start("--idle-unload", 3600)
    t.settled()
    resource.prlimit(t.process.pid, resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
    new = t.photos / "ring" / "full.jpg"
    new.write_bytes(t.photograph())
    t.wait(lambda: t.status()["state"] == "waiting", "it waits for room")
    t.check("trying again" in t.log.read_text(), "it says so")
    resource.prlimit(t.process.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    t.wait(lambda: t.done(new), "it goes on")
    t.stop()


def in_steps(path, data):
    with open(path, "wb", buffering=0) as file:
        for at in range(0, len(data), 8192):
            file.write(data[at:at + 8192])
            time.sleep(random.uniform(0, 0.05))


def appended(path, data):
    """dd in steps: closed between them."""
    for at in range(0, len(data), 16384):
        with open(path, "ab") as file:
            file.write(data[at:at + 16384])
        time.sleep(random.uniform(0, 0.3))


def copied(path, data):
    source = t.dir / "source" / path.name
    source.write_bytes(data)
    subprocess.run(["cp", source, path], check=True)


def moved(path, data):
    """From another file system, where there is one."""
    source = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else t.dir) / f"firn-{path.name}"
    source.write_bytes(data)
    subprocess.run(["mv", source, path], check=True)


def synced(path, data):
    source = t.dir / "source" / path.name
    source.write_bytes(data)
    if shutil.which("rsync"):
        subprocess.run(["rsync", "--bwlimit=200", source, path], check=True)
    else:
        copied(path, data)


def edited(path, data):
    """Written beside and renamed, twice."""
    for _ in range(2):
        temp = path.with_name(f".{path.name}.swp")
        in_steps(temp, data)
        temp.rename(path)
        time.sleep(random.uniform(0, 0.2))


def rewritten(path, data):
    """Truncated and written again from the beginning."""
    path.write_bytes(data[:len(data) // 2])
    time.sleep(random.uniform(0, 0.05))
    in_steps(path, data)


def sparse(path, data):
    with open(path, "wb", buffering=0) as file:
        file.truncate(len(data))
        for at in shuffled(range(0, len(data), 8192)):
            file.seek(at)
            file.write(data[at:at + 8192])
            time.sleep(random.uniform(0, 0.05))


def mapped(path, data):
    with open(path, "w+b") as file:
        file.truncate(len(data))
        with mmap.mmap(file.fileno(), len(data)) as memory:
            for at in shuffled(range(0, len(data), 8192)):
                memory[at:at + 8192] = data[at:at + 8192]
                time.sleep(random.uniform(0, 0.05))


def writers():
    """No feature of a part of a file is ever stored, and in the end each has one record."""
    fresh()
    (t.dir / "source").mkdir()
    t.start("--settle", 300)
    t.settled()

    def work(write, numbers):
        for i in numbers:
            write(t.photos / "ring" / f"{write.__name__}{i}.jpg", pictures.pop())

    kinds = (in_steps, appended, copied, moved, synced, edited, rewritten, sparse, mapped)
    pictures = [t.photograph() for _ in range(4 * scale * len(kinds))]
    many = min(4 * scale, 8)
    threads = [threading.Thread(target=work, args=(kind, range(i, 4 * scale, many)))
               for kind in kinds for i in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def all_done():
        rows = t.rows()
        return all(rows.get(path, "").startswith("done") for path in t.expected())

    t.wait(all_done, "all of them are done")
    t.settled()
    t.complete()
    rows = t.rows()
    t.check(len(rows) == 4 * scale * len(kinds), f"one record each: {len(rows)}")
    stat = t.run("stat", "--json", t.cache).decode()
    t.check(f'"rows":{len(rows)},' in stat, f"and one feature each: {stat}")
    t.stop()
    t.run("extract", "-q", *MODEL, "-o", t.dir / "again", t.photos)
    features = []
    for cache in (t.cache, t.dir / "again"):
        t.run("export", "-q", cache, "-o", t.dir / "out.npz")
        with numpy.load(t.dir / "out.npz") as npz:
            features.append(dict(zip(npz["paths"].tolist(), npz["features"].tolist())))
    t.check(features[0] == features[1], "the features are those of the files as they are now")
    shutil.rmtree(t.dir / "again")


def killed():
    """kill -9 under load: what was readable stays so, and in the end everything is there."""
    fresh()
    known, n = {}, 0
    for round_ in range(4 * scale):
        t.start(ready=False)
        end = time.monotonic() + random.uniform(0.05, 1.5)
        while time.monotonic() < end:
            (t.photos / "ring" / f"{n}.jpg").write_bytes(t.photograph())
            n += 1
            time.sleep(random.uniform(0, 0.02))
        now = t.rows()
        t.kill()
        after = t.rows()
        lost = [path for path, state in {**known, **now}.items()
                if state == "done" and after.get(path) != "done"]
        t.check(not lost, f"round {round_}: lost {lost[:3]}")
        known.update(now)
    t.start()
    t.settled()
    t.complete()
    t.check(len(t.rows()) == n, "each of them once")
    t.stop()


def rivals():
    """Many at once on one cache: one runs, the others name it."""
    fresh()
    for round_ in range(2 * scale):
        command = [t.firn, "watch", *MODEL, "-o", str(t.cache), str(t.photos)]
        all_ = [subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                 text=True)
                for _ in range(2 + round_ % 7)]
        t.wait(lambda: sum(p.poll() is None for p in all_) == 1, "one of them goes on")
        winner = next((p for p in all_ if p.poll() is None), None)
        for p in all_:
            if p is winner:
                continue
            words = p.communicate()[1]
            t.check(p.returncode == 75 and winner and f"process {winner.pid} " in words,
                    f"the others name it: {p.returncode} {words}")
        if winner:
            winner.terminate()
            winner.communicate()
            t.check(winner.returncode == 0, f"the one ended with {winner.returncode}")


def resident():
    """Bytes of the daemon's memory."""
    status = Path(f"/proc/{t.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def hangups():
    """SIGHUP by the hundred: no storm of looks, nothing left behind."""
    fresh()
    (t.photos / "ring" / "a.jpg").write_bytes(t.photograph())
    t.start()
    t.settled()
    before = memory = most = 0
    for i in range(40 * scale):
        if i == 10:
            memory, most = resident(), t.descriptors()
            before = t.status()["rescans"]
        t.process.send_signal(signal.SIGHUP)
        time.sleep(random.uniform(0, 0.02))
    looks = t.settled()["rescans"] - before
    t.check(1 <= looks <= 40 * scale, f"{looks} looks for {40 * scale} signals")
    t.check(t.descriptors() <= most, "no descriptor leaks")
    more = resident() - memory
    t.check(t.sanitized or more < 2e6, f"no memory leaks: {more} bytes")
    print(f"{40 * scale} signals, {looks} full looks, {more:+} bytes")
    t.complete()
    t.stop()


def asleep():
    """As after a suspend: nothing runs for a while, then the clock on the wall is far ahead."""
    fresh()
    file = t.start_with_clock()
    if not file:
        print("no libfaketime: suspend is not tested")
        return
    before, most = t.settled(), t.descriptors()
    for night in range(scale if scale == 1 else 5):
        (t.photos / "ring" / f"half{night}.jpg").write_bytes(t.photograph())
        t.freeze()
        for i in range(50):
            (t.photos / "ring" / f"{night}.{i}.jpg").write_bytes(t.photograph())
        time.sleep(min(scale, 30))
        file.write_text(f"+{8 * (night + 1)}h")
        t.process.send_signal(signal.SIGCONT)
        t.wait(lambda: t.status()["done"] >= 51 * (night + 1), "all that came meanwhile is done")
    status = t.settled()
    t.check(status["rescans"] == before["rescans"], f"no storm of looks: {status}")
    # libfaketime opens its own memory anew, and an answer to `status` takes one for a moment
    t.check(t.descriptors() <= most + 3, "no descriptor leaks, least of all one a photograph")
    t.complete()
    t.stop()


tests = (overflow, nested, few_watches, regular, full, writers, killed, rivals, hangups, asleep)
for test in [test for test in tests if not sys.argv[4:] or test.__name__ in sys.argv[4:]]:
    start = time.monotonic()
    test()
    print(f"{test.__name__}: {time.monotonic() - start:.1f} s", flush=True)
t.end()
