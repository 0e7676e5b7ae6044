#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What statistics cost beside an extraction: bn_cost.py FIRN MODEL DIR [ROUNDS [PHOTOGRAPHS]]

Runs `firn extract` and `firn bn estimate` by both methods over DIR alternately, process start
included, and prints medians and ratios. With PHOTOGRAPHS, DIR is multiplied to so many first: the
photographs with a byte behind their end, so that each is computed.
"""
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

firn, model, root = sys.argv[1:4]
rounds = int((sys.argv[4:] or ["3"])[0])
wanted = int((sys.argv[5:] or ["0"])[0])


def multiply(scratch):
    photographs = sorted(p for p in Path(root).glob("**/*") if p.suffix in (".jpg", ".jpeg"))
    if not wanted:
        return root, len(photographs)
    for i in range(wanted):
        turn, k = divmod(i, len(photographs))
        folder = Path(scratch, "photographs", photographs[k].parent.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{turn}-{photographs[k].name}").write_bytes(
            photographs[k].read_bytes() + b"%d" % turn)
    return f"{scratch}/photographs", wanted


def timed(*command):
    start = time.perf_counter()
    subprocess.run([firn, *command], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as scratch:
    place, count = multiply(scratch)
    taken = {"extract": [], "population": [], "sequential": []}
    for i in range(rounds):
        taken["extract"].append(
            timed("extract", "-q", "-m", model, "-o", f"{scratch}/{i}.firn", place))
        for method in ("population", "sequential"):
            taken[method].append(timed("bn", "estimate", "-q", "--method", method, "-m", model,
                                       "-o", f"{scratch}/{i}-{method}.safetensors", place))
    median = {what: statistics.median(times) for what, times in taken.items()}
    print(f"{count} photographs, median of {rounds}: extract {median['extract']:.2f} s")
    for method in ("population", "sequential"):
        print(f"{method:10} {median[method]:.2f} s, {median[method] / median['extract']:.2f} of it")
