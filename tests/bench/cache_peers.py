#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reading of all rows into memory, warm, in one thread, beside other ways to keep features.

    cache_peers.py LIBRARY CACHE

The rows of CACHE go into a .npy, and where Debian's packages are installed into HDF5 (gzip,
shuffle) and zarr (blosc with zstd, shuffle), in chunks of 256 rows; each is read whole four times.
Prints GB/s of float32 (the fastest) and bytes per byte of float32.
"""
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy

os.environ["FIRN_LIBRARY"] = sys.argv[1]
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "python"))
import firn  # noqa: E402


def tell(name, read, size):
    fastest = 1e9
    for _ in range(4):
        start = time.perf_counter()
        rows = read()
        fastest = min(fastest, time.perf_counter() - start)
    assert rows.tobytes() == X.tobytes(), name
    print(f"{name:24} {X.nbytes / fastest / 1e9:6.2f} GB/s  {size / X.nbytes:.3f}", flush=True)


def size_of(path):
    path = Path(path)
    return sum(f.stat().st_size for f in path.rglob("*")) if path.is_dir() else path.stat().st_size


cache = firn.open(sys.argv[2])
X = cache.features[:]
tell("firn", lambda: cache.features[:], cache.stat["bytes"])
with tempfile.TemporaryDirectory() as scratch:
    numpy.save(f"{scratch}/a.npy", X)
    tell("numpy.load", lambda: numpy.load(f"{scratch}/a.npy"), size_of(f"{scratch}/a.npy"))
    try:
        import h5py
        with h5py.File(f"{scratch}/a.h5", "w") as file:
            file.create_dataset("x", data=X, chunks=(256, X.shape[1]), compression="gzip",
                                shuffle=True)
        tell("h5py, gzip", lambda: h5py.File(f"{scratch}/a.h5")["x"][:], size_of(f"{scratch}/a.h5"))
    except ImportError as missing:
        print(missing)
    try:
        import numcodecs
        import zarr
        numcodecs.blosc.set_nthreads(1)
        codec = numcodecs.Blosc("zstd", 5, numcodecs.Blosc.SHUFFLE)
        zarr.save_array(f"{scratch}/a.zarr", X, chunks=(256, X.shape[1]), compressor=codec)
        tell("zarr, blosc-zstd", lambda: zarr.open(f"{scratch}/a.zarr", "r")[:],
             size_of(f"{scratch}/a.zarr"))
    except ImportError as missing:
        print(missing)
