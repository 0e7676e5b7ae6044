#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads back what `firn export` and --json write: check_export.py FIRN SAMPLES ZIP_DUMP
MAKE_CACHE [plain]. "plain": built without sanitizers, so that memory can be counted."""
import csv
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import zipfile

from firn_test import Bench, need

numpy, = need("numpy")
t = Bench(sys.argv)
photos = t.draw("photos", 3)
shutil.copy(photos / "ring" / "ring-01.jpg", os.fsencode(photos / "ring") + b"/\xff\xfe,\"x\".jpg")
shutil.copy(photos / "ring" / "ring-02.jpg", photos / "ring" / "ümläut 𝄞.jpg")
(photos / "a class without photographs").mkdir()
(photos / "square" / "damaged.jpg").write_bytes(b"\xff\xd8 no JPEG")
cache = t.dir / "cache"
SMALL = ("-q", "-m", "untrained:resnet18", "--resize", "72", "--crop", "64")
t.run("extract", *SMALL, "-o", cache, photos, expect=1)
for ending in ("npz", "npy", "safetensors", "csv"):
    t.run("export", cache, "-o", t.dir / f"out.{ending}")

npz = numpy.load(t.dir / "out.npz", allow_pickle=False)
features, labels, paths = npz["features"], npz["labels"], npz["paths"]
t.check(sorted(npz.files) == ["classes", "features", "fingerprint", "labels", "paths"], npz.files)
t.check(features.dtype == numpy.float32 and features.shape == (14, 512), features.shape)
t.check(labels.dtype == numpy.int64 and labels.shape == (14,), labels)
t.check(paths.dtype.kind == "U" and npz["classes"].dtype.kind == "U", paths.dtype)
t.check(numpy.isfinite(features).all() and (features >= 0).all(), "values")
t.check(len({row.tobytes() for row in features}) == 12, "two of 14 are copies")
t.check(npz["classes"].tolist() == sorted(os.listdir(photos)), npz["classes"])

# The order is that of ImageFolder: class, then directory, then name, by code point.
expected = []
for index, name in enumerate(sorted(os.listdir(photos))):
    for file in sorted(os.listdir(photos / name)):
        if file != "damaged.jpg":
            expected.append((str(photos / name / file), index))
t.check(list(zip(paths.tolist(), labels.tolist())) == expected, f"rows are {paths.tolist()}")
t.check(all(os.path.exists(os.fsencode(p)) for p in paths), "os.fsencode() gives the file's name")

fingerprint = json.loads(str(npz["fingerprint"]))
stat = json.loads(t.run("stat", "--json", cache))
t.check(fingerprint == stat["fingerprint"], fingerprint)
t.check(list(fingerprint) == ["trunk", "batchnorm", "preprocess", "numeric"], fingerprint)
t.check((stat["records"], stat["skipped"], stat["corrupt"], stat["dim"]) == (14, 0, 1, 512), stat)
t.check(stat["rows"] == 12 and stat["raw_bytes"] == 12 * 512 * 4, stat)
t.check(stat["bytes"] == sum(f.stat().st_size for f in cache.glob("seg-*")), stat)
t.check(stat["classes"] == npz["classes"].tolist(), stat["classes"])
t.check(len(stat["runs"]) == 1 and stat["runs"][0]["done"] == 14, stat["runs"])

npy = numpy.load(t.dir / "out.npy", mmap_mode="r", allow_pickle=False)
t.check(npy.tobytes() == features.tobytes(), "npy equals npz")

raw = (t.dir / "out.safetensors").read_bytes()
size = int.from_bytes(raw[:8], "little")
header, body = json.loads(raw[8:8 + size]), raw[8 + size:]
meta = header.pop("__metadata__")
t.check(size % 8 == 0 and all(isinstance(v, str) for v in meta.values()), meta)
t.check(json.loads(meta["fingerprint"]) == fingerprint, meta)
t.check(json.loads(meta["classes"]) == stat["classes"], meta)
tensors = {}
for name, kind in (("labels", "<i8"), ("features", "<f4")):
    begin, end = header[name]["data_offsets"]
    tensors[name] = numpy.frombuffer(body[begin:end], kind).reshape(header[name]["shape"])
t.check(header["labels"]["dtype"] == "I64" and header["features"]["dtype"] == "F32", header)
t.check(sum(len(v.tobytes()) for v in tensors.values()) == len(body), "no holes")
t.check(tensors["features"].tobytes() == features.tobytes(), "safetensors equals npz")
t.check(tensors["labels"].tolist() == labels.tolist(), "labels of safetensors")

with open(t.dir / "out.csv", newline="", errors="surrogateescape") as file:
    rows = list(csv.reader(file))
t.check(rows[0][:4] == ["path", "class", "label", "f0"] and len(rows[0]) == 515, rows[0][:4])
t.check([r[0] for r in rows[1:]] == paths.tolist(), "paths of csv")
t.check([r[1] for r in rows[1:]] == [stat["classes"][i] for i in labels], "classes of csv")
t.check([int(r[2]) for r in rows[1:]] == labels.tolist(), "labels of csv")
t.check(numpy.array([r[3:] for r in rows[1:]], numpy.float32).tobytes() == features.tobytes(),
        "csv reads back exactly")

listed = [json.loads(line) for line in t.run("ls", "--json", cache).splitlines()]
t.check([x["state"] for x in listed].count("corrupt") == 1 and len(listed) == 15, "ls --json")
shown = json.loads(t.run("show", "--json", cache, "circle/circle-02.jpg"))
t.check(numpy.array(shown["feature"], numpy.float32).tobytes() ==
        features[paths.tolist().index(str(photos / "circle" / "circle-02.jpg"))].tobytes(),
        "show --json")

# A cache without features exports empty arrays of the right kind.
(t.dir / "bad").mkdir()
shutil.copy(photos / "square" / "damaged.jpg", t.dir / "bad")
t.run("extract", *SMALL, "-o", t.dir / "none", t.dir / "bad", expect=1)
t.run("export", t.dir / "none", "-o", t.dir / "none.npz")
none = numpy.load(t.dir / "none.npz", allow_pickle=False)
t.check(none["features"].shape == (0, 512) and none["paths"].shape == (0,), none["features"].shape)

# A zip writer told to use zip64 for everything.
subprocess.run([sys.argv[3], t.dir / "big.zip"], check=True)
with zipfile.ZipFile(t.dir / "big.zip") as big:
    t.check(big.testzip() is None, "CRCs of the zip64 archive")
    t.check([(i.filename, i.file_size) for i in big.infolist()] ==
            [("one", 100003), ("two", 0), ("three", 5)], big.infolist())
    t.check(big.read("three") == b"three" and big.read("one") == bytes(
        (i * 7) & 0xFF for i in range(100003)), "contents of the zip64 archive")


def made_up(rows):
    subprocess.run([sys.argv[4], t.dir / str(rows), str(rows), "3", "12", "1"], check=True)
    return t.dir / str(rows)


# A process begins with the memory of the one that starts it, so that has to be a small one.
SMALL_PARENT = """if True:
    import resource, subprocess, sys
    status = subprocess.call(sys.argv[1:])
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    sys.exit(status)"""


def arrays(*args):
    """What an export holds, and the memory that it took, in kB."""
    done = subprocess.run([sys.executable, "-ISc", SMALL_PARENT, t.firn, "export", "-q",
                           *map(str, args), "-o", t.dir / "some.npz"], stdout=subprocess.PIPE)
    t.check(done.returncode == 0, args)
    with numpy.load(t.dir / "some.npz") as file:
        return dict(file), int(done.stdout)


def check_selected(conditions, mask):
    some, _ = arrays(made, *[x for c in conditions for x in ("--select", c)])
    t.check(0 < mask.sum() < len(mask), f"{conditions} is a condition")
    for name in ("features", "labels", "paths"):
        t.check((some[name] == every[name][mask]).all() and len(some[name]) == mask.sum(),
                f"{conditions}: {name}")
    t.check((some["classes"] == every["classes"]).all(), f"{conditions}: classes")


# Conditions: of each kind one has to hold.
made = made_up(50000)
every, memory = arrays(made)
ends = numpy.array([fnmatch.fnmatchcase(p, "*-*[17]3.jpg") for p in every["paths"]])
check_selected(["label=3"], every["labels"] == 3)
check_selected(["label=11", "label=0"], numpy.isin(every["labels"], (0, 11)))
check_selected(["class=class-000[25]"], numpy.isin(every["labels"], (2, 5)))
check_selected(["path=*-*[17]3.jpg", "state=done"], ends)
check_selected(["path=/made-up/class-0004/*"], every["labels"] == 4)
check_selected(["path=class-0004/*", "path=*-*[17]3.jpg", "label=4", "label=7"],
               ends & (every["labels"] == 7) | (every["labels"] == 4))

# Names that cannot be read are not exported as something else.
index = bytearray((made / "INDEX").read_bytes())
index[-5000] ^= 1
(made / "INDEX").write_bytes(index)
for ending in ("npz", "npy"):
    done = subprocess.run([t.firn, "export", made, "-o", t.dir / f"lost.{ending}"],
                          stderr=subprocess.PIPE)
    t.check(done.returncode == 65 and b"INDEX of the cache cannot be read: remove it" in
            done.stderr and not list(t.dir.glob("lost*")), f"damaged INDEX: {done}")
(made / "INDEX").unlink()
again, _ = arrays(made)
t.check(all((again[k] == every[k]).all() for k in every), "without INDEX")

# What is gone, of several views all or one.
photo = photos / "circle" / "circle-02.jpg"
t.run("extract", *SMALL, "--views", "flip", "-o", t.dir / "flip", photos, expect=1)
before, _ = arrays(t.dir / "flip")
photo.rename(t.dir / "elsewhere.jpg")
t.run("extract", *SMALL, "--views", "flip", "-o", t.dir / "flip", photos, expect=1)
gone, _ = arrays(t.dir / "flip", "--select", "state=gone")
at = before["paths"] == str(photo)
t.check(gone["paths"].tolist() == [str(photo)] * 2 and gone["views"].tolist() == [0, 1], gone)
t.check(gone["features"].tobytes() == before["features"][at].tobytes(), "features of the gone")
both, _ = arrays(t.dir / "flip", "--select", "state=gone", "--select", "state=done", "--view", "1")
t.check(both["paths"].tolist() == before["paths"][1::2].tolist(), "gone and done in order")
t.check(both["features"].tobytes() == before["features"][1::2].tobytes(), "one view of them")
(t.dir / "elsewhere.jpg").rename(photo)

if sys.argv[5:] == ["plain"]:
    more, need_more = arrays(made_up(200000))
    t.check(len(more["labels"]) == 200000 and need_more < memory + 4000,
            f"memory: {memory} kB for 50,000 photographs, {need_more} kB for 200,000")
try:
    import torchvision
    folder = torchvision.datasets.ImageFolder
except ImportError:
    folder = None
if folder:  # it refuses empty classes and does not open the damaged photograph
    (photos / "a class without photographs").rmdir()
    (photos / "square" / "damaged.jpg").unlink()
    t.run("extract", *SMALL, "-o", t.dir / "again", photos)
    t.run("export", "-q", t.dir / "again", "-o", t.dir / "again.npz")
    again, data = numpy.load(t.dir / "again.npz"), folder(str(photos))
    t.check(list(zip(again["paths"].tolist(), again["labels"].tolist())) == data.samples, "order")
    t.check(again["classes"].tolist() == data.classes, "class names")
t.end()
