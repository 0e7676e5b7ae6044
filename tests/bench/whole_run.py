#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The whole run, process start included:

    whole_run.py FIRN BENCH_PIXELS WEIGHTS DIR [ROUNDS [cold] [alone]]

Extracts DIR with `firn extract` and with dataloader.py, alternately, each round with caches of its
own; then the row "wall time x cores / CPU of decode and trunk measured alone": decode by the
program bench_pixels, the trunk by `firn bench trunk`, one thread, best batch; and once more with
both measured on all cores at once, where they share cache and memory as they do in the run. Files
are read before each run, so that they are in the page cache. With "cold" (root only) each firn run
is repeated after the page cache was dropped; with "alone" dataloader.py is left out. What other
processes have taken of the cores meanwhile is said: it makes the ratio worse and is not firn's.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

firn, bench, weights, root = sys.argv[1:5]
rounds = int((sys.argv[5:] or ["3"])[0])
cold, alone = "cold" in sys.argv[6:], "alone" in sys.argv[6:]
loader = Path(__file__).with_name("dataloader.py")
cores = len(os.sched_getaffinity(0))
paths = sorted(str(p) for p in Path(root).glob("**/*.jpg"))


def warm():
    for path in [weights, *paths]:
        Path(path).read_bytes()


def timed(*command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def busy():
    """Core seconds of all processes, and of those that this one has started."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    idle = ticks[3] + ticks[4]
    return (sum(ticks[:8]) - idle) / os.sysconf("SC_CLK_TCK"), used.ru_utime + used.ru_stime


def drop():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("1")


def decode(processes):
    """Core seconds of decoding, by so many processes at once; their mean."""
    started = [subprocess.Popen([bench, "256", "224"], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.PIPE) for _ in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        done = [text for text, _ in pool.map(lambda p: p.communicate("\n".join(paths)), started)]
    return statistics.mean(sum(int(line.split()[0]) for line in text.splitlines())
                           for text in done) / 1e9


def trunk():
    """Core seconds of the trunk, best batch: on one core, on all at once."""
    runs = json.loads(subprocess.run([firn, "bench", "trunk", "--json", "-m", weights],
                                     check=True, stdout=subprocess.PIPE).stdout)["runs"]
    return [min(r["ms_per_image"] for r in runs if r["threads"] == n) / 1e3 * n * len(paths)
            for n in (1, cores)]


def main():
    own, peer, dropped, others, used = [], [], [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(rounds):
            warm()
            before = busy()
            own.append(timed(firn, "extract", "-q", "-m", weights, "-o", f"{scratch}/{i}", root))
            after = busy()
            used.append(after[1] - before[1])
            others.append(after[0] - before[0] - used[-1])
            if cold:
                drop()
                dropped.append(timed(firn, "extract", "-q", "-m", weights, "-o", f"{scratch}/c{i}",
                                     root))
            if not alone:
                warm()
                peer.append(timed("/usr/bin/python3", str(loader), weights, root,
                                  f"{scratch}/x.npz"))
    mine = statistics.median(own)
    print(f"{len(paths)} photographs, {cores} cores, median of {rounds}: firn extract {mine:.2f} s"
          f", {statistics.median(used):.2f} s of CPU; others {statistics.median(others):.2f} s")
    if peer:
        theirs = statistics.median(peer)
        print(f"DataLoader {theirs:.2f} s: {theirs / mine:.2f} times as fast")
    for how, n, compute in zip(("alone", "on all cores at once"), (1, cores), trunk()):
        pixels = decode(n)
        print(f"decode {how} {pixels:.2f} s, trunk {how} {compute:.2f} s of CPU; "
              f"wall x cores / sum = {mine * cores / (pixels + compute):.3f}")
    if cold:
        print(f"cold cache {statistics.median(dropped):.2f} s: warm / cold = "
              f"{mine / statistics.median(dropped):.3f}")


main()
