#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Roots and classes that change under a daemon: check_watch_roots.py FIRN SAMPLES."""
import os
import signal
import subprocess
import sys
import time

from firn_watch import MODEL, Watch

t = Watch(sys.argv)


def said(words):
    return sum(words in line for line in t.log.read_text().splitlines())


def there():
    """Names of the photographs that are not gone, by the cache, below their root."""
    rows = {path for path, state in t.rows().items() if state.startswith("done")}
    return {str(os.path.relpath(path, t.photos)) for path in rows}


def now(names, what):
    t.wait(lambda: there() == set(names), f"{what}: {sorted(names)}")


# A class directory is renamed, and moved away, with another in its place.
old, new = t.photos / "ring", t.photos / "wheel"
t.start()
t.settled()
others = {name for name in there() if not name.startswith("ring/")}
names = {name.split("/")[1] for name in there() if name.startswith("ring/")}
looks = t.status()["rescans"]
t.check(said("another number") == 0, "nothing to say at first")
old.rename(new)
now(others | {f"wheel/{name}" for name in names}, "a class is renamed")
deep = new / "a" / "b"
deep.mkdir(parents=True)
(deep / "deep.jpg").write_bytes(t.photograph())
now(others | {f"wheel/{name}" for name in names} | {"wheel/a/b/deep.jpg"}, "deep down")
(new / "a").rename(t.dir / "away")
now(others | {f"wheel/{name}" for name in names}, "a directory is moved away")
(new / "a").mkdir()
(new / "a" / "other.jpg").write_bytes(t.photograph())
now(others | {f"wheel/{name}" for name in names} | {"wheel/a/other.jpg"}, "another in its place")
t.freeze()  # both at once
(new / "a").rename(t.dir / "away2")
(t.dir / "away").rename(new / "a")
t.process.send_signal(signal.SIGCONT)
now(others | {f"wheel/{name}" for name in names} | {"wheel/a/b/deep.jpg"}, "and changed for one")
status = t.settled()
t.check(status["rescans"] == looks, f"no full look was needed: {status}")

# Classes are numbered by name: one that comes before others moves them, and that is said.
t.check(said("another number") == 1, "the renamed class was not the last one")
t.stop()
t.log.write_text("")
t.start()
t.settled()
(t.photos / "zz").mkdir()
(t.photos / "zz" / "z.jpg").write_bytes(t.photograph())
t.wait(lambda: "zz/z.jpg" in there(), "a last class")
t.check(said("another number") == 0, "none has moved")
for name in ("aa", "ab"):
    (t.photos / name).mkdir()
t.wait(lambda: said("another number"), "an empty class counts, too")
t.settled()
t.check(said("another number") == 1, f"it is said once: {t.log.read_text()}")
t.stop()
(t.photos / "aa").rmdir()
done = subprocess.run([t.firn, "extract", *MODEL, "-o", t.cache, t.photos], capture_output=True,
                      text=True)
t.check(done.returncode == 0 and "another number (ab: 0, was 1)" in done.stderr,
        f"extract says so, too: {done.stderr}")

# Photographs without classes, and a sub-directory among them.
t.photos, t.cache = t.dir / "flat", t.dir / "flatcache"
t.photos.mkdir()
flat = {f"{i}.jpg" for i in range(5)}
for name in flat:
    (t.photos / name).write_bytes(t.photograph())
t.log.write_text("")
t.start("--rescan", 1)
now(flat, "photographs without classes")
(t.photos / "stray").mkdir()
t.wait(lambda: said("now also the sub-directory stray"), "a sub-directory is warned of")
(t.photos / "stray" / "x.jpg").write_bytes(t.photograph())
(t.photos / "more.jpg").write_bytes(t.photograph())
now(flat | {"more.jpg"}, "what comes is seen, none is gone")
looks = t.status()["rescans"]
t.wait(lambda: t.status()["rescans"] > looks + 1, "a full look")
now(flat | {"more.jpg"}, "nor after a full look")
t.check(said("now also the sub-directory") == 1, "the warning comes once")
t.stop()
t.start("--rescan", 3600)
t.settled()
now(flat | {"more.jpg"}, "nor after a restart")
t.check(said("now also the sub-directory") == 2, "where it comes again")
for name in flat | {"more.jpg"}:
    (t.photos / name).rename(t.photos / "stray" / name)
now({f"stray/{name}" for name in flat | {"more.jpg", "x.jpg"}}, "they are moved into a class")
(t.photos / "stray" / "last.jpg").write_bytes(t.photograph())
now({f"stray/{name}" for name in flat | {"more.jpg", "x.jpg", "last.jpg"}}, "which is watched")
t.stop()

# Whoever means it says so: extract does as ImageFolder.
t.photos, t.cache = t.dir / "said", t.dir / "saidcache"
(t.photos / "class").mkdir(parents=True)
(t.photos / "class" / "x.jpg").write_bytes(t.photograph())
t.start()
now({"class/x.jpg"}, "one class")
(t.photos / "beside.jpg").write_bytes(t.photograph())
time.sleep(0.5)
now({"class/x.jpg"}, "what lies beside is none")
t.stop()
t.run("verify", "-q", t.cache)
t.end()
