#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How photographs are read: check_reads.py FIRN SAMPLES.

In the order of the disk, and leaving the page cache as it was, unless --keep-cache is given.
"""
import ctypes
import fcntl
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys

from firn_test import Bench

MODEL = ("-q", "-m", "untrained:resnet18", "--resize", "40", "--crop", "32", "--threads", "1")

t = Bench(sys.argv)
libc = ctypes.CDLL(None, use_errno=True)
skipped = []
counter = 0


def extract(photos, *more):
    global counter
    counter += 1
    t.run("extract", *MODEL, "-o", t.dir / f"cache{counter}", *more, photos)


# ---- the order ----

def physical(path):
    """The place of the first byte, as filefrag(8) asks for it; 0 when nobody says."""
    ask = bytearray(struct.pack("=QQLLLL", 0, 1, 0, 0, 1, 0) + bytes(56))
    with open(path, "rb") as file:
        try:
            fcntl.ioctl(file, 0xC020660B, ask)
        except OSError:
            return 0
    mapped, = struct.unpack_from("=L", ask, 20)
    place, = struct.unpack_from("=Q", ask, 32 + 8)
    flags, = struct.unpack_from("=L", ask, 32 + 40)
    return 0 if mapped == 0 or flags & 2 else place


def check_order():
    trace = t.dir / "trace"
    photos = t.draw("ordered", 12)
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=newfstatat,stat,ioctl"]
    if not shutil.which("strace") or subprocess.run(strace + ["true"]).returncode:
        skipped.append("the order, no strace")
        return
    # Names say nothing of inodes, as in a directory that was copied.
    for folder in photos.iterdir():
        names = sorted(folder.iterdir(), key=lambda p: p.name[::-1])
        for i, path in enumerate(names):
            shutil.copyfile(path, folder / f"{i * 7 % len(names):02}-copy.jpg")
            path.unlink()
    subprocess.run(strace + [t.firn, "extract", *MODEL, "-o", str(t.dir / "cache"), str(photos)],
                   env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=True) # needs ptrace
    text = trace.read_text(errors="replace")
    told = "FS_IOC_FIEMAP" in text
    met = re.findall(r'stat(?:at)?\((?:AT_FDCWD, )?"([^"]*-copy\.jpg)"', text)
    for folder in photos.iterdir():
        mine = [p for p in met if p.startswith(f"{folder}/")]
        right = sorted((str(p) for p in folder.iterdir()),
                       key=lambda p: (physical(p) if told else 0, os.stat(p).st_ino))
        t.check(mine == right, f"order of {folder}: {mine}, not {right}")
    print(f"order: by {'place on the disk' if told else 'inode'}")


# ---- the page cache ----

def resident(path):
    """The pages of a file that are in memory."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), size) as pages:
        n = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
        state = (ctypes.c_ubyte * n)()
        start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        if libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), state):
            raise OSError(ctypes.get_errno(), "mincore")
        return sum(s & 1 for s in state)


def evict(paths):
    for path in paths:
        with open(path, "r+b") as file:
            os.fsync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return not any(resident(p) for p in paths)


def check_page_cache():
    photos = t.draw("cached", 8)
    paths = sorted(photos.rglob("*.jpg"))
    if not evict(paths):
        skipped.append("the page cache, which this file system cannot do without")
        return
    for way in ("uring", "threads"):
        evict(paths)
        extract(photos, "--io", way)
        left = [p.name for p in paths if resident(p)]
        t.check(not left, f"{way}: {left} stayed in the page cache")
        evict(paths)
        extract(photos, "--io", way, "--keep-cache")
        # Memory may be short just then: most of them, not all.
        kept = sum(1 for p in paths if resident(p))
        t.check(kept > len(paths) // 2, f"{way}: --keep-cache kept {kept} of {len(paths)}")
        # What was there before is somebody's.
        evict(paths)
        theirs = paths[::2]
        for path in theirs:
            path.read_bytes()
        extract(photos, "--io", way)
        kept = sum(1 for p in theirs if resident(p))
        t.check(kept > len(theirs) // 2, f"{way}: {kept} of {len(theirs)} of others were kept")
        left = [p.name for p in paths[1::2] if resident(p)]
        t.check(not left, f"{way}: {left} stayed beside those of others")


check_order()
check_page_cache()
if skipped and not t.failed:
    print(f"SKIP: in part: {', '.join(skipped)}")
    sys.exit(77)
t.end()
