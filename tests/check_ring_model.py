#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Searches all interleavings of the ring's model (ring.pml) with spin, and shows that it can fail.

    check_ring_model.py ring.pml [--full]

Good variants must be searched to the end without an error; variants with a mistake put in must be
refused. --full adds the larger variants (7 million states, 0.5 GB, minutes).
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GOOD = [
    "ONESHOT ITEMS=1",
    "COARSE ITEMS=1",
]
BAD = [
    "COARSE BUG_NO_RECHECK",
    "COARSE BUG_EARLY_LOOK ONESHOT ITEMS=1",
    "COARSE BUG_WAKE_ONE ONESHOT ITEMS=1",
]
GOOD_FULL = [
    "ITEMS=1",
    "CONSUMERS=1",
    "PRODUCERS=1 ITEMS=3",
    "QUITTER ITEMS=1",
    "COARSE",
    "COARSE QUITTER",
    "COARSE PRODUCERS=1 CONSUMERS=3 ITEMS=3",
]
BAD_FULL = [
    "BUG_NO_RECHECK",
    "BUG_EARLY_LOOK",
    "BUG_CLOSE_QUIET",
    "BUG_NO_LAST_LOOK",
    "BUG_WAKE_ONE",
]
LIMIT_MB = 3000


def search(model, variant):
    """Number of errors, whether every state was seen, and what the checker printed."""
    defines = ["-D" + word for word in variant.split()]
    with tempfile.TemporaryDirectory(prefix="firn-ring-") as here:
        for command in (["spin", "-a", *defines, model],
                        ["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={LIMIT_MB}",
                         "-o", "pan", "pan.c"]):
            done = subprocess.run(command, cwd=here, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        done = subprocess.run(["./pan", "-m100000", "-w22"], cwd=here, capture_output=True,
                              text=True)
    text = done.stdout + done.stderr
    errors = re.search(r"errors: (\d+)", text)
    partial = re.search(r"not completed|too small|MEMLIM bound|out of memory", text)
    return int(errors.group(1)) if errors else -1, not partial and done.returncode == 0, text


def main():
    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            print(f"SKIP: {tool} is not installed")
            sys.exit(77)
    model = str(Path(sys.argv[1]).resolve())
    full = "--full" in sys.argv
    failed = 0
    for variant in GOOD + full * GOOD_FULL:
        errors, complete, text = search(model, variant)
        states = re.search(r"(\d+) states, stored", text)
        good = errors == 0 and complete and states
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {variant}: {states and states.group(1)} states")
        if not good:
            print(text)
    for variant in BAD + full * BAD_FULL:
        errors, _, text = search(model, variant)
        found = re.search(r"^pan:1: (invalid end state|assertion violated)", text, re.M)
        good = errors == 1 and found
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {variant}: {found.group(1) if found else 'not found'}")
        if not good:
            print(text)
    sys.exit(1 if failed else 0)


main()
