#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shards of BatchNorm statistics that lie: check_bn_shards.py FIRN SAMPLES.

Damage to a shard is found by its checksum. A shard that was made up has a right one: what it says
of itself then has to fit its numbers, or it is refused; nothing crashes, and no file is written.
"""
import hashlib
import json
import struct
import subprocess
import sys

from firn_test import Bench

DATA, CONFIG = 65, 78
SUMMED = ("trunk", "preprocess", "source", "estimation", "shard", "counts", "set")
t = Bench(sys.argv)
photos = t.draw("photos", 3)
out = t.dir / "out.safetensors"


def estimate(method):
    for i in (1, 2):
        t.run("bn", "estimate", "-q", "-m", "untrained:resnet18", "--resize", 40, "--crop", 32,
              "--method", method, "-b", 4, "--shard", f"{i}/2", "-o", t.dir / f"{method}{i}",
              photos)


def read(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + size]), bytearray(raw[8 + size:])


def write(path, header, numbers):
    meta = header["__metadata__"]
    end = header["y"]["data_offsets"][1]
    text = b"".join(meta[key].encode() + b"\0" for key in SUMMED)
    meta["sum"] = hashlib.blake2b(text + bytes(numbers[:end]), digest_size=32).hexdigest()
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    path.write_bytes(struct.pack("<Q", len(words)) + words + bytes(numbers))


def merge(first, second, expect, what):
    """Ends with status `expect`, or with one of several."""
    statuses = expect if isinstance(expect, tuple) else (expect,)
    out.unlink(missing_ok=True)
    done = subprocess.run([t.firn, "bn", "merge", "-q", "-o", str(out), str(first), str(second)],
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    text = done.stderr.decode(errors="replace")
    t.check(done.returncode in statuses, f"{what}: {done.returncode} {text}")
    t.check(expect == 0 or text.count("\n") == 1, f"{what}: not one line: {text}")
    t.check(out.exists() == (expect == 0), f"{what}: a file")


def lie(method, key, value, expect=DATA):
    """Both shards say so, where both have to."""
    for i in (1, 2):
        header, numbers = read(t.dir / f"{method}{i}")
        if i == 1 or key not in ("shard", "counts", "set"):
            header["__metadata__"][key] = value
        write(t.dir / f"made{i}", header, numbers)
    merge(t.dir / "made1", t.dir / "made2", expect, f"{method} {key} {value!r}")


def misstate(method, name, column, value, expect=DATA):
    header, numbers = read(t.dir / f"{method}1")
    struct.pack_into("<d", numbers, header[name]["data_offsets"][0] + 8 * column, value)
    write(t.dir / "made", header, numbers)
    merge(t.dir / "made", t.dir / f"{method}2", expect, f"{method} {name}[{column}] {value}")


def damage(path):
    """One bit of the numbers, or of what is said about them, at a time."""
    raw = path.read_bytes()
    header, numbers = read(path)
    begin = len(raw) - len(numbers)
    ends = [o for e in header.values() for o in e.get("data_offsets", ())]
    places = [begin + at for at in {*ends, *(e - 4 for e in ends)} if 0 <= at < len(numbers)]
    places += [raw.index(b'"%s"' % key.encode()) + len(key) + 8 for key in SUMMED]
    for at in places:
        broken = bytearray(raw)
        broken[at] ^= 1
        (t.dir / "broken").write_bytes(broken)
        merge(t.dir / "broken", t.dir / "population2", (DATA, CONFIG), f"bit 0 of byte {at}")


NAN, INF = float("nan"), float("inf")
for method in ("population", "cumulative", "ema"):
    estimate(method)
    header, numbers = read(t.dir / f"{method}1")
    meta = header["__metadata__"]
    write(t.dir / "same", header, numbers)
    merge(t.dir / "same", t.dir / f"{method}2", 0, method)
    for value in ("0", "-1", "", "x", "-2147483648", "99999999999", "1x"):
        lie(method, "shard", value)
    lie(method, "shard", "2", CONFIG)
    for value in ("", "0 0 0 0", "1 0 0 0", "18446744073709551615 0 0 0", "-5 -5 -5 -5",
                  "1000000000000 5 3 9999", "9 0 3 3", "8 0 2 3"):
        if (method, value) != ("ema", "0 0 0 0"):  # its weights do not tell
            lie(method, "counts", value)
    for value in ("", "z" * 64, " " * 64, "-1" * 32, "0" * 63, "0x" * 32):
        lie(method, "set", value)
    words = meta["estimation"].split()
    for at, values in ((0, "049"), (1, ("0", "-1", "4097", "9999999999")), (2, "037"),
                       (4, ("nan", "0", "2")), (5, ("nan", "inf", "-1")), (6, ("0", "-1")),
                       (7, ("2", "18446744073709551615"))):
        for value in values:
            lie(method, "estimation", " ".join(words[:at] + [value] + words[at + 1:]))
    lie(method, "trunk", "family=resnet50")
    lie(method, "source", "0" * 64)
    for column in range(3):
        for value in (NAN, INF, -1.0, 1e300, 1e14):
            misstate(method, "nodes", column, value)
    for value in (NAN, INF, -1e300):
        misstate(method, "x", 0, value)
    for value in (NAN, INF, -1.0, -1e300):
        misstate(method, "y", 0, value)
damage(t.dir / "population1")
merge(t.dir / "population1", t.dir / "cumulative2", CONFIG, "two methods")

# What statistics say of themselves becomes part of a fingerprint, which terminals show.
stats = t.dir / "own.safetensors"
t.run("bn", "estimate", "-q", "-m", "untrained:resnet18", "--resize", 40, "--crop", 32, "-o", stats,
      photos)
header, numbers = read(stats)
header["__metadata__"]["batchnorm"] += " \x1b[31m"
words = json.dumps(header).encode()
words += b" " * (-len(words) % 8)
stats.write_bytes(struct.pack("<Q", len(words)) + words + bytes(numbers))
t.run("extract", "-q", "-m", "untrained:resnet18", "--resize", 40, "--crop", 32, "--bn", stats,
      "-o", t.dir / "cache", photos, expect=DATA)
t.check(not (t.dir / "cache").exists(), "a cache was begun")
t.end()
