#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures the daemon: bench_watch.py FIRN SAMPLES [latency N | folders N |
    idle SECONDS | sustained SECONDS | isolate N].

latency: from the close of a photograph to the moment at which another process has read its feature
from the cache, which is when it is durable. folders: the same in a directory that is made for it.
idle: CPU time, wake-ups and memory after the model was given back. sustained: photographs arrive
at 90% of the speed of bulk work. Default settings, resnet18 with random weights, photographs of 400
pixels.
"""
import json
import os
import subprocess
import sys
import time

import firn_watch
from firn_watch import Watch

firn_watch.MODEL = ("-m", "untrained:resnet18")
t = Watch(sys.argv)
what, amount = (sys.argv[3:] + ["latency", "100"][len(sys.argv) - 3:])[:2]
amount = int(amount)


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))]


def latency(alone=False):
    t.start()
    t.settled()
    times = []
    for i in range(amount):
        path = t.photos / "ring" / (f"new{i}/x.jpg" if alone else f"new{i}.jpg")
        path.parent.mkdir(exist_ok=True)
        data = t.photograph()
        before = t.ask()["done"]
        with open(path, "wb") as file:
            file.write(data)
        start = time.monotonic()
        while t.ask()["done"] == before:
            time.sleep(0.002)
        subprocess.run([t.firn, "show", "-q", t.cache, path], check=True,
                       stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
        time.sleep(0.02)
    t.stop()
    print(f"closed -> readable, {amount} files: p50 {percentile(times, 50):.3f} s, "
          f"p99 {percentile(times, 99):.3f} s, most {max(times):.3f} s")


def switches(pid):
    """Voluntary context switches of all threads: how often they went to sleep, so woke up."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file
                          if line.startswith("voluntary_ctxt_switches"))
    return total


def idle():
    t.start("--idle-unload", 2)
    t.settled()
    t.wait(lambda: not t.ask()["model_loaded"], "the model is given back")
    pid = t.process.pid
    woken, used = switches(pid), t.cpu_seconds()
    time.sleep(amount)
    woken, used = switches(pid) - woken, t.cpu_seconds() - used
    print(f"idle for {amount} s: {100 * used / amount:.3f}% of a core, "
          f"{woken / amount:.2f} wake-ups a second, {t.ask()['memory'] / 1e6:.1f} MB resident")
    t.stop()


def sustained():
    batch = t.dir / "bulk"
    batch.mkdir()
    for i in range(300):
        (batch / f"{i}.jpg").write_bytes(t.photograph())
    out = json.loads(t.run("extract", "-q", "--json", *firn_watch.MODEL, "-o", t.dir / "bulkcache",
                           batch))
    rate = 0.9 * out["images_per_second"]
    t.start()
    t.settled()
    start, n, most, memory = time.monotonic(), 0, 0, []
    while time.monotonic() - start < amount:
        while n < (time.monotonic() - start) * rate:
            (t.photos / "ring" / f"new{n}.jpg").write_bytes(t.photograph())
            n += 1
        status = t.ask()
        most = max(most, status["queued"])
        memory.append(status["memory"] / 1e6)
        time.sleep(0.2)
    t.settled(seconds=60)
    status = t.ask()
    half = len(memory) // 2
    print(f"{amount} s at {rate:.1f} photographs a second (90% of bulk): {n} came, "
          f"{status['done'] - 8} done, {status['failed']} failed, at most {most} queued, "
          f"{max(memory[:half]):.1f} MB in the first half, "
          f"{max(memory[half:]):.1f} MB in the second")
    t.check(status["done"] == n + 8, "nothing is missed")
    t.stop()


def isolate():
    """The same work with decoders in this process and in others, by turns."""
    for i in range(amount):
        (t.photos / "ring" / f"new{i}.jpg").write_bytes(t.photograph())
    rates = {False: [], True: []}
    for round_ in range(6):
        isolated = bool(round_ % 2)
        t.cache = t.dir / f"cache{round_}"
        t.start(*["--isolate"] * isolated, "--priority", "normal", cache=t.cache)
        t.wait(lambda: t.ask()["done"] > 0, "the first of them")
        first, start = t.ask()["done"], time.monotonic()
        t.wait(lambda: t.ask()["done"] == amount + 8, "all of it is done", 100)
        rates[isolated].append((amount + 8 - first) / (time.monotonic() - start))
        t.stop()
    here, there = (sorted(rates[key])[1] for key in (False, True))
    print(f"{amount} photographs: {here:.1f} a second in process, {there:.1f} isolated, "
          f"ratio {there / here:.3f}")


{"isolate": isolate, "folders": lambda: latency(alone=True), "latency": latency, "idle": idle,
 "sustained": sustained}[what]()
t.end()
