#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Times firn's pixels beside Pillow's and torchvision's: bench_pixels.py BENCH DIR [ROUNDS]

BENCH is the program bench_pixels. One thread, CPU time, files in memory; rounds of the two
alternate, and each file counts with its best round.
"""
import io
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

PARTS = ("total", "decode", "resize", "normalise")
RESIZE, CROP = 256, 224


def pillow_round(files):
    torch.set_num_threads(1)
    normalise = Compose([ToTensor(), Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    resize, crop, clock = Resize(RESIZE), CenterCrop(CROP), time.thread_time_ns
    rows = []
    for data in files:
        start = clock()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        decoded = clock()
        small = resize(image)
        resized = clock()
        small = crop(small)
        cropped = clock()
        normalise(small)
        end = clock()
        rows.append((end - start, decoded - start, resized - decoded, end - cropped))
    return rows


def firn_round(bench, paths):
    done = subprocess.run([bench, str(RESIZE), str(CROP)], input="\n".join(paths), text=True,
                          stdout=subprocess.PIPE, check=True)
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


def main():
    bench, root, rounds = sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] or ["5"])[0])
    paths = sorted(str(p) for p in root.glob("**/*.jpg"))
    files = [Path(p).read_bytes() for p in paths]
    peer, own = [], []
    for _ in range(rounds):
        own.append(firn_round(bench, paths))
        peer.append(pillow_round(files))
    peer, own = (np.min(np.array(x), axis=0).mean(axis=0) / 1000 for x in (peer, own))
    print(f"{len(paths)} photographs, best of {rounds}, microseconds of CPU per photograph")
    print(f"{'':10} {'Pillow + torchvision':>21} {'firn':>8} {'ratio':>6}")
    print(f"{'no-partial':10} {peer[0]:21.0f} {own[4]:8.0f} {peer[0] / own[4]:6.2f}")
    print(f"{'fast':10} {peer[0]:21.0f} {own[5]:8.0f} {peer[0] / own[5]:6.2f}")
    for name, a, b in zip(PARTS, peer, own):
        print(f"{name:10} {a:21.0f} {b:8.0f} {a / b:6.2f}")
    print(f"partial decoding saves {1 - own[0] / own[4]:.1%} of all, "
          f"{(own[4] - own[0]) / own[1]:.1%} of decoding; "
          f"fast is {own[0] / own[5]:.2f} times as fast as exact")


main()
