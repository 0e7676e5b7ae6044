#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The Python package and the C example against `firn export`.

    check_python.py FIRN SAMPLES LIBRARY PACKAGES EXAMPLE
"""
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import warnings

from firn_test import Bench, need

numpy, = need("numpy")
library, packages, example = sys.argv[3:6]
os.environ["FIRN_LIBRARY"] = library
sys.path.insert(0, packages)
sys.dont_write_bytecode = True
import firn  # noqa: E402

t = Bench(sys.argv[:3])
photos = t.draw("photos", 12)
SMALL = ("-q", "-m", "untrained:resnet18", "--resize", "72", "--crop", "64")
os.rename(photos / "ring" / "ring-01.jpg", os.fsencode(photos / "ring") + b"/\xff.jpg")
(photos / "square" / "damaged.jpg").write_bytes(b"no JPEG")
t.run("extract", *SMALL, "-o", t.dir / "cache", photos, expect=1)
t.run("export", "-q", t.dir / "cache", "-o", t.dir / "out.npz")
npz = numpy.load(t.dir / "out.npz")
X, y = npz["features"], npz["labels"]
cache = firn.open(t.dir / "cache")


def same(got, want, what):
    t.check(got.shape == want.shape and got.tobytes() == want.tobytes(), what)


f = cache.features
t.check(len(cache) == 48 and f.shape == (48, 512) and f.dtype == numpy.float32, repr(cache))
same(f[:], X, "everything")
same(numpy.asarray(f), X, "as an array")
same(f[...], X, "...")
for key in (slice(3, 9), slice(None, None, 7), slice(40, None, -3), slice(5, 5), slice(-6, None),
            [5, 1, 7, 1], [], numpy.array([[0, 1], [2, 3]]), y == 1, numpy.array([-1, -48]),
            (slice(2, 5), slice(0, 10)), (3, 7), ([1, 2], 4), ([1, 2], [3, 4]),
            ([[0, 1], [2, 3]], slice(2)), (slice(2), [0, 5]), ()):
    want = X[numpy.array(key, int)] if isinstance(key, list) else X[key]
    same(numpy.asarray(f[key]), numpy.asarray(want), f"key {key!r}")
same(f[5], X[5], "one row")
same(f[-1], X[-1], "the last row")
same(f[numpy.int64(2)], X[2], "a numpy integer")
for wrong in (48, -49, [0, 48], numpy.ones(3, bool), [0.5], True, numpy.False_, None):
    try:
        f[wrong]
        t.check(False, f"{wrong!r} is accepted")
    except IndexError:
        pass
same(cache.labels, y, "labels")
t.check(cache.paths.tolist() == npz["paths"].tolist(), "paths")
t.check(cache.classes == npz["classes"].tolist(), cache.classes)
t.check(cache.fingerprint == json.loads(str(npz["fingerprint"])), cache.fingerprint)
stat = json.loads(t.run("stat", "--json", t.dir / "cache"))
for name in ("records", "skipped", "corrupt", "gone", "rows", "dim", "segments", "bytes"):
    t.check(cache.stat[name] == stat[name], f"{name}: {cache.stat[name]}, not {stat[name]}")
listed = list(cache.photographs())
t.check([p.state for p in listed].count("corrupt") == 1 and len(listed) == 49, listed)
done = [p for p in listed if p.state == "done"]
t.check([p.path for p in done] == cache.paths.tolist(), "photographs are in the rows' order")
same(cache.feature_of(done[7].content), X[7], "by content")
for wrong, code in ((t.dir / "nothing", 66), (photos, 66)):
    try:
        firn.open(wrong)
        t.check(False, f"{wrong} opens")
    except firn.Error as error:
        t.check(error.code == code and str(wrong) in str(error), error)
again = pickle.loads(pickle.dumps(cache))
same(again.features[:], X, "pickled")
again.close()
try:
    again.features[0]
    t.check(False, "a closed cache is read")
except ValueError:
    pass

told = subprocess.run([example, t.dir / "cache"], stdout=subprocess.PIPE, text=True, check=True)
want = [f"{name}: {(y == i).sum()} photographs, mean {X[y == i].mean(dtype=numpy.float64):.6f}"
        for i, name in enumerate(cache.classes)]
t.check(told.stdout.splitlines() == want, told.stdout)

try:
    import torch
except ImportError:
    print("no torch: its part is left out")
    torch = None
if torch:
    data = firn.TorchDataset(cache)
    t.check(len(data) == 48 and data.classes == cache.classes, "dataset")
    x, label = data[5]
    same(x.numpy(), X[5], "a sample")
    t.check(label == y[5], "its label")
    del sys.modules["__main__"].__file__  # so that spawned workers do not run this file
    for workers, context in ((0, None), (2, "fork"), (2, "spawn")):
        os.environ["PYTHONPATH"] = packages
        loader = torch.utils.data.DataLoader(data, batch_size=10, num_workers=workers,
                                             multiprocessing_context=context)
        batches = list(loader)
        same(torch.cat([b[0] for b in batches]).numpy(), X, f"{workers} workers, {context}")
        same(torch.cat([b[1] for b in batches]).numpy(), y, f"labels, {context}")
    halved = firn.TorchDataset(cache, transform=lambda block: block / 2)
    same(halved[3][0].numpy(), X[3] / 2, "transform")
# Several views of each photograph: a row is a view.
t.run("extract", *SMALL, "--views", "five", "-o", t.dir / "five", photos, expect=1)
t.run("export", "-q", t.dir / "five", "-o", t.dir / "five.npz")
five, views = numpy.load(t.dir / "five.npz"), firn.open(t.dir / "five")
t.check(len(views) == 240 and views.dim == 512 and views.n_views == 5 and views.center == 4,
        repr(views))
same(views.features[:], five["features"], "all views")
same(views.views, five["views"], "which view")
same(views.labels, five["labels"], "labels of views")
t.check(views.paths.tolist() == five["paths"].tolist(), "paths of views")
same(views.features[views.views == views.center], X, "the centre crops")
same(views.features[[239, 3, 7, 4, 3]], five["features"][[239, 3, 7, 4, 3]], "some views")
same(views.feature_of(done[7].content), five["features"][35:40], "all views by content")
t.check(cache.n_views == 1 and cache.center == 0 and not cache.views.any(), "one view")
try:
    views.features[240]
    t.check(False, "a view too many")
except IndexError:
    pass
told = subprocess.run([example, t.dir / "five"], stdout=subprocess.PIPE, text=True, check=True)
t.check(": 12 photographs" in told.stdout, told.stdout)

# A snapshot stays while a writer adds.
(photos / "square" / "more.jpg").write_bytes((photos / "ring" / "ring-02.jpg").read_bytes() + b"x")
t.run("extract", *SMALL, "-o", t.dir / "cache", photos, expect=1)
same(cache.features[:], X, "the snapshot")
t.check(len(firn.open(t.dir / "cache")) == 49, "opened again")
try:
    pickle.loads(pickle.dumps(cache))
    t.check(False, "another process gets other rows")
except firn.Error as error:
    t.check(error.code == 78, error)
again = firn.open(t.dir / "cache")
more = photos / "square" / "more.jpg"
more.write_bytes(more.read_bytes() + b"y")
t.run("extract", *SMALL, "-o", t.dir / "cache", photos, expect=1)
try:
    pickle.loads(pickle.dumps(again))
    t.check(False, "another process gets as many rows, and others")
except firn.Error as error:
    t.check(error.code == 78, error)

# A part that is lost is said when a cache is opened, and nothing is said of one that is whole.
shutil.copytree(t.dir / "cache", t.dir / "cut")
largest = max((t.dir / "cut").glob("seg*"), key=lambda file: file.stat().st_size)
os.truncate(largest, largest.stat().st_size // 2)
for name, lost in (("cut", 1), ("cache", 0)):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        part = firn.open(t.dir / name)
    words = [str(warning.message) for warning in told]
    t.check(len(words) == lost and all("a part of the cache is lost" in word for word in words) and
            all(warning.filename.endswith("check_python.py") for warning in told), words)
    t.check(part.stat["lost_segments"] == lost, f"{name}: {part.stat}")

# What cannot be opened raises, and nothing else happens when it is thrown away.
ignored = []
sys.unraisablehook = ignored.append
try:
    firn.open(None)
    t.check(False, "None is opened")
except TypeError:
    pass
t.check(not ignored, ignored)

# Threads, and children that were forked while they read.
bad = []


def read(times):
    for i in range(times):
        rows = numpy.random.default_rng(i).integers(0, 48, 20)
        if f[rows].tobytes() != X[rows].tobytes():
            bad.append(i)


threads = [threading.Thread(target=read, args=(300,)) for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        read(30)
        os._exit(bool(bad))
    children.append(child)
for child in children:
    t.check(os.waitpid(child, 0)[1] == 0, "a forked reader")
for thread in threads:
    thread.join()
t.check(not bad, f"rounds {bad}")

t.end()
