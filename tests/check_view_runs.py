#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Several views of each photograph, from the program to the cache: check_view_runs.py FIRN SAMPLES.

Every view's feature is that of its crop; features do not depend on how a run went; and whatever
happens to a run or a cache, a photograph has all of its views or none.
"""
import random
import signal
import subprocess
import sys
import time

from firn_test import need
from firn_watch import MODEL, Watch

numpy, = need("numpy")
t = Watch(sys.argv)
random.seed(1)
COUNT = {"flip": 2, "five": 5, "ten": 10, "random:3:5": 3}
counter = 0
for extra in range(8):  # enough for batches that mix photographs
    (t.photos / "ring" / f"extra-{extra}.jpg").write_bytes(t.photograph())


def rows(cache, *more):
    """{path: features of all its views}."""
    t.run("export", "-q", *more, cache, "-o", t.dir / "out.npz")
    found = {}
    with numpy.load(t.dir / "out.npz") as npz:
        views = npz["views"] if "views" in npz else numpy.zeros(len(npz["labels"]), int)
        for path, view, feature in zip(npz["paths"].tolist(), views, npz["features"]):
            t.check(more or view == len(found.get(path, ())), f"{path}: view {view} in order")
            found.setdefault(path, []).append(feature)
    return {path: numpy.array(features) for path, features in found.items()}


def command(views, *more, cache, paths):
    return ("extract", "-q", *MODEL, "--views", views, *more, "-o", cache, *paths)


def extract(views, *more, paths=(t.photos,), cache=None):
    global counter
    counter += 1
    cache = cache or t.dir / f"cache{counter}"
    t.run(*command(views, *more, cache=cache, paths=paths))
    return rows(cache), cache


def same(a, b):
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


center, _ = extract("center")
want, caches = {}, {}
for views, count in COUNT.items():
    want[views], caches[views] = extract(views, "--threads", 1, "--batch", 1)
    t.check(all(x.shape == (count, 512) for x in want[views].values()), f"{views}: all views")
for views, at in (("flip", 0), ("five", 4), ("ten", 4)):
    t.check(same(center, {k: x[at:at + 1] for k, x in want[views].items()}), f"{views}: centre")
    t.check(same(center, rows(caches[views], "--view", "center")), f"{views}: --view center")
t.check(same(want["five"], {k: x[:5] for k, x in want["ten"].items()}), "ten begins with five")

# The feature of a view is that of its crop; a mirrored view's is that of the mirrored crop.
path = sorted(want["ten"])[3]
(t.dir / "crops").mkdir()
for views, count in COUNT.items():
    for view in range(count):
        crop = t.dir / "crops" / f"{view:02}.ppm"
        t.run("preview", "-q", *MODEL[2:], "--views", views, "--view", view, path, "-o", crop)
    crops, _ = extract("center", "--resize", 32, paths=(t.dir / "crops",))
    t.check(numpy.concatenate([crops[k] for k in sorted(crops)]).tobytes() ==
            want[views][path].tobytes(), f"{views}: features of the crops")
    crops = sorted((t.dir / "crops").iterdir())
    if views == "flip":
        pixels = [numpy.frombuffer(c.read_bytes()[-32 * 32 * 3:], numpy.uint8).reshape(32, 32, 3)
                  for c in crops]
        t.check((pixels[1] == pixels[0][:, ::-1]).all(), "a mirror image")
    for crop in crops:
        crop.unlink()

# How a run went does not matter.
for views, more in (("ten", ("--threads", 3, "--batch", 7)), ("ten", ("--io", "threads")),
                    ("five", ("--memory", "small", "--batch", 8)), ("flip", ("--batch", 3)),
                    ("random:3:5", ("--threads", 2, "--batch", 32)),
                    ("random:3:5", ("--no-partial",))):
    t.check(same(want[views], extract(views, *more)[0]), f"{views} {more}")
names = sorted(want["random:3:5"])
random.shuffle(names)
t.check(same(want["random:3:5"], extract("random:3:5", paths=names)[0]), "another order")

# Random views follow the contents and the seed, not the name.
moved = t.dir / "moved.jpg"
moved.write_bytes(open(path, "rb").read())
t.check(extract("random:3:5", paths=(moved,))[0][str(moved)].tobytes() ==
        want["random:3:5"][path].tobytes(), "another name")
other = extract("random:3:6", paths=(moved,))[0][str(moved)]
t.check(not (other == want["random:3:5"][path]).all(axis=1).any(), "another seed")
more = extract("random:4:5", paths=(moved,))[0][str(moved)]
t.check(more[:3].tobytes() == want["random:3:5"][path].tobytes(), "a view more")

# With other pixels: the crops are those that preview shows (tests/check_views.py looks at them).
for options in (("--decode", "fast"), ("--exif", "apply"), ("--store", "f16")):
    got, _ = extract("five", *options)
    middle, _ = extract("center", *options)
    t.check(same(middle, {k: x[4:] for k, x in got.items()}), f"{options}")

# Killed at any moment: what is there is whole, and going on gives the same.
cache = t.dir / "killed"
for _ in range(6):
    run = subprocess.Popen([t.firn, *map(str, command("ten", cache=cache, paths=(t.photos,)))],
                           stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(0.01, 0.3))
    run.send_signal(random.choice((signal.SIGKILL, signal.SIGINT)))
    run.wait()
    if subprocess.run([t.firn, "stat", cache], capture_output=True).returncode == 0:
        t.check(all(x.tobytes() == want["ten"][k].tobytes() for k, x in rows(cache).items()),
                "what a killed run left")
t.check(same(want["ten"], extract("ten", cache=cache)[0]), "after kills")

# Upkeep and damage.
t.run("compact", cache)
t.check(same(want["ten"], rows(cache)), "after compact")
t.run("merge", t.dir / "merged", cache)
t.check(same(want["ten"], rows(t.dir / "merged")), "merged")
for segment in cache.glob("seg-*"):
    content = bytearray(segment.read_bytes())
    content[len(content) // 3] ^= 0x55
    segment.write_bytes(content)
t.run("repair", "--yes", cache, expect=1)
left = rows(cache)
t.check(all(x.tobytes() == want["ten"][k].tobytes() for k, x in left.items()), "after repair")
t.check(0 < len(left) < len(want["ten"]), f"{len(left)} of {len(want['ten'])} are left")
t.check(same(want["ten"], extract("ten", cache=cache)[0]), "computed again")
t.run("verify", "-q", cache)

# The daemon, with decoders of their own.
t.start("--views", "ten", "--isolate", "--threads", 2)
t.settled()
t.stop()
t.check(same(want["ten"], rows(t.cache)), "the daemon's")
t.end()
