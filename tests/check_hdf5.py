#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HDF5 as h5py reads it, against the .npz: check_hdf5.py FIRN SAMPLES MAKE_CACHE.

And a disk that takes no more, at every length that the file goes through.
"""
import os
import resource
import shutil
import signal
import subprocess
import sys

from firn_test import Bench, need, skip

numpy, h5py = need("numpy", "h5py")
t = Bench(sys.argv)
SMALL = ("-q", "-m", "untrained:resnet18", "--resize", "72", "--crop", "64")


def same(cache, *more):
    """Exports as both, compares, and returns the size of the one in question."""
    out = t.dir / "out.h5"
    t.run("export", "-q", *more, cache, "-o", out)
    t.run("export", "-q", *more, cache, "-o", t.dir / "out.npz")
    with h5py.File(out) as file, numpy.load(t.dir / "out.npz") as npz:
        t.check(set(npz.files) == set(file) | {"fingerprint"}, f"{cache}: has {set(file)}")
        for name in set(npz.files) - {"fingerprint", "paths", "classes"}:
            a, b = file[name][:], npz[name]
            t.check(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(),
                    f"{cache}: {name}")
            t.check(file[name].chunks is not None, f"{cache}: {name} is not in chunks")
        for name in ("paths", "classes"):
            t.check(h5py.check_string_dtype(file[name].dtype).encoding == "utf-8", "UTF-8")
            t.check([os.fsdecode(x) for x in file[name][:]] == npz[name].tolist(), name)
        t.check(file.attrs["fingerprint"] == str(npz["fingerprint"]), "fingerprint")
        version = subprocess.run([t.firn, "--version"], stdout=subprocess.PIPE).stdout.decode()
        t.check(version.split() == ["firn", file.attrs["firn"]], "version")
    return out.stat().st_size


def limited(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


photos = t.draw("photos", 2)
shutil.copy(photos / "ring" / "ring-01.jpg", os.fsencode(photos / "ring") + b"/\xff\xfe.jpg")
shutil.copy(photos / "ring" / "ring-02.jpg", photos / "ring" / "ümläut 𝄞.jpg")
(photos / "a class without photographs").mkdir()
cache = t.dir / "cache"
t.run("extract", *SMALL, "-o", cache, photos)
done = subprocess.run([t.firn, "export", cache, "-o", t.dir / "a.hdf5"], stderr=subprocess.PIPE)
if done.returncode == 78:
    t.check(b"a.hdf5: this firn was built without libhdf5; " in done.stderr, done.stderr)
    t.check(not list(t.dir.glob("a.hdf5*")), "something was left behind")
    if not t.failed:
        skip("built without libhdf5")
    t.end()
size = same(cache)
t.check((t.dir / "a.hdf5").read_bytes() == (t.dir / "out.h5").read_bytes(), "the same bytes")

# Several views; no photograph at all; more rows than are written at once and than a chunk has.
t.run("extract", *SMALL, "--views", "flip", "-o", t.dir / "flip", photos)
same(t.dir / "flip")
(t.dir / "bad").mkdir()
(t.dir / "bad" / "damaged.jpg").write_bytes(b"\xff\xd8 no JPEG")
t.run("extract", *SMALL, "-o", t.dir / "none", t.dir / "bad", expect=1)
same(t.dir / "none")
for rows, dim in ((1000, 512), (20000, 3)):
    subprocess.run([sys.argv[3], t.dir / f"{rows}", str(rows), str(dim), "7", "1"], check=True)
    same(t.dir / f"{rows}")

# What was there before stays when the new one does not fit, and nothing else.
before = (t.dir / "out.h5").read_bytes()
for limit in [*range(0, size, 1800), size - 1]:
    done = subprocess.run([t.firn, "export", cache, "-o", t.dir / "out.h5"],
                          stderr=subprocess.PIPE, preexec_fn=lambda: limited(limit))
    t.check(done.returncode == 74 and b"out.h5: cannot write: File too large" in done.stderr,
            f"{limit} bytes: {done.returncode} {done.stderr}")
t.check((t.dir / "out.h5").read_bytes() == before, "the old file")
t.check([f.name for f in t.dir.glob("out.h5*")] == ["out.h5"], "something was left behind")
done = subprocess.run([t.firn, "export", "-q", cache, "-o", t.dir / "out.h5"],
                      preexec_fn=lambda: limited(size))
t.check(done.returncode == 0, "exactly as large as it may be")
t.end()
