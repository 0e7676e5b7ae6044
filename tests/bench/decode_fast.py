#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `--decode fast` changes: decode_fast.py FIRN WEIGHTS TRAIN VAL

Extracts both directories exactly and fast, then prints the cosine between the features of each
photograph that differ, and the accuracy of `firn probe` on either.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

firn, weights, *sets = sys.argv[1:5]


def features(cache):
    out = cache.with_suffix(".npz")
    subprocess.run([firn, "export", "-q", cache, "-o", out], check=True)
    with np.load(out) as data:
        return data["features"].astype(np.float64)


def accuracy(caches):
    done = subprocess.run([firn, "probe", "--json", "--epochs", "0", *caches], check=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout)["val_accuracy"]


with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
    rows, right = {}, {}
    for how in ("exact", "fast"):
        caches = [Path(scratch) / f"{how}{i}.firn" for i in range(2)]
        for cache, photos in zip(caches, sets):
            subprocess.run([firn, "extract", "-q", "-m", weights, "-o", cache, "--decode", how,
                            photos], check=True)
        rows[how] = np.concatenate([features(c) for c in caches])
        right[how] = accuracy(caches)
exact, fast = rows["exact"], rows["fast"]
cosine = (exact * fast).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(fast, axis=1)
other = (exact != fast).any(1)
print(f"{len(cosine)} photographs, {other.sum()} of them decoded smaller")
if other.any():
    print(f"cosine of these: mean {cosine[other].mean():.5f}, least {cosine[other].min():.5f}")
print(f"right on VAL: exact {right['exact']:.3f}, fast {right['fast']:.3f}")
