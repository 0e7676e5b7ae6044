#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints tests/image_golden.h: small JPEGs and what Pillow and torchvision make of them.

Run once by hand, with Pillow 9.4 and torchvision 0.14; the tests then need no Python. With the
argument "probes" it prints src/image/probes.h instead: the pictures whose pixels are part of the
fingerprint. Those must never change, or no old cache would fit a new firn.
"""
import hashlib
import io
import sys

import numpy as np
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

rng = np.random.default_rng(7)


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return h


def crop(image, resize, size):
    return np.asarray(Compose([Resize(resize), CenterCrop(size)])(image.convert("RGB"))).tobytes()


def jpeg(width, height, mode="RGB", **options):
    y, x = np.mgrid[0:height, 0:width]
    bands = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    planes = [(90 + 60 * np.sin(x * (b + 1) / 5) + 50 * np.cos(y * (b + 2) / 7) +
               rng.integers(0, 40, (height, width))) for b in range(bands)]
    array = np.clip(np.dstack(planes), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    options.setdefault("quality", 60)
    Image.fromarray(array[..., 0] if bands == 1 else array, mode).save(
        out, "JPEG", optimize=True, **options)
    return out.getvalue()


def entry(name, data, resize, size):
    try:
        want = fnv(crop(Image.open(io.BytesIO(data)), resize, size))
    except OSError:
        want = 0
    lines = [data.hex()[i : i + 88] for i in range(0, len(data) * 2, 88)]
    body = "\n     ".join(f'"{line}"' for line in lines)
    print(f'    {{"{name}", {resize}, {size}, {want:#018x}ull,\n     {body}}},')


def rows():
    for width, height in ((1, 1), (1, 5), (5, 1), (2, 3), (3, 2), (4, 5), (5, 4)):
        entry(f"{width}x{height}", jpeg(width, height), 32, 28)
    for difference in (1, 3, 5, 7, 9):
        entry(f"difference {difference}", jpeg(23, 19), 24 + difference, 24)
    entry("up-scaling", jpeg(20, 9), 37, 30)
    entry("smaller than the crop", jpeg(31, 20), 17, 40)
    entry("size already matches", jpeg(41, 32), 32, 28)
    entry("4:4:4", jpeg(40, 30, subsampling=0), 25, 22)
    entry("4:2:2", jpeg(41, 31, subsampling=1), 25, 22)
    entry("4:2:0", jpeg(43, 33, subsampling=2), 25, 22)
    entry("gray", jpeg(35, 49, "L"), 24, 21)
    entry("CMYK", jpeg(33, 27, "CMYK"), 24, 21)
    entry("progressive", jpeg(47, 39, progressive=True), 24, 21)
    entry("wide", jpeg(200, 64, quality=30, subsampling=2), 24, 21)
    entry("tall progressive", jpeg(64, 200, quality=30, subsampling=1, progressive=True), 24, 21)
    long = jpeg(90, 9)
    entry("panorama", long, 24, 21)
    entry("truncated", long[: len(long) * 3 // 4], 24, 21)
    entry("end marker missing", long[:-2] + bytes(64), 24, 21)
    entry("end marker early", long[: len(long) * 3 // 4] + b"\xff\xd9", 24, 21)


def resize_rows():
    for width, height, resize, size in (
        (500, 375, 256, 224), (375, 500, 232, 224), (1, 700, 64, 60), (700, 3, 64, 60),
        (640, 480, 31, 29), (97, 101, 256, 224), (256, 300, 256, 224), (1999, 17, 33, 30),
        (63, 65, 1, 1), (30, 40, 50, 64),
    ):
        y, x, c = np.mgrid[0:height, 0:width, 0:3]
        pixels = ((x * 7 + y * 13 + c * 31) ^ (x * y >> 3)).astype(np.uint8)
        want = fnv(crop(Image.fromarray(pixels), resize, size))
        print(f"    {{{width}, {height}, {resize}, {size}, {want:#018x}ull}},")


def probe_files():
    global rng
    rng = np.random.default_rng(8)
    return (
        ("baseline_420", jpeg(46, 37, quality=70)),
        ("progressive_422", jpeg(45, 39, quality=70, subsampling=1, progressive=True)),
        ("baseline_444", jpeg(37, 46, quality=50, subsampling=0)),
        ("gray", jpeg(41, 33, "L", quality=85)),
        ("cmyk", jpeg(34, 35, "CMYK", quality=40)),
    )


def probes():
    print("""/* SPDX-License-Identifier: MIT */
/** Embedded JPEGs whose crops stand for the decoder's behaviour; written by
 * tests/make_image_golden.py. They never change: that would turn every old cache away. */
#ifndef FIRN_SRC_IMAGE_PROBES_H
#define FIRN_SRC_IMAGE_PROBES_H

#include <stdint.h>
""")
    for name, data in probe_files():
        print(f"static const uint8_t probe_{name}[] = {{")
        for i in range(0, len(data), 19):
            print("    " + " ".join(f"{byte}," for byte in data[i : i + 19]))
        print("};\n")
    print("#endif")


def probe_hash():
    """What the fingerprint must say where the decoder's pixels are Pillow's."""
    crops = b"".join(crop(Image.open(io.BytesIO(data)), 28, 25) for _, data in probe_files())
    return hashlib.blake2b(crops, digest_size=32).hexdigest()[:16]


if sys.argv[1:] == ["probes"]:
    probes()
    sys.exit()

print("""/* SPDX-License-Identifier: MIT */
/** Small JPEGs and synthetic pictures with the crops that Pillow 9.4 and torchvision 0.14 give;
 * written by make_image_golden.py. */
#ifndef FIRN_TESTS_IMAGE_GOLDEN_H
#define FIRN_TESTS_IMAGE_GOLDEN_H

#include <stdint.h>

/** A JPEG file; `hash` is FNV-1a of the crop, 0 when Pillow refuses. */
static const struct golden_jpeg {
    const char *name;
    int resize, crop;
    uint64_t hash;
    const char *hex;
} golden_jpegs[] = {""")
rows()
print("""};

/** A picture by formula: red, green, blue (c = 0..2) are (7x + 13y + 31c) ^ (xy >> 3). */
static const struct golden_resize {
    int width, height, resize, crop;
    uint64_t hash;
} golden_resizes[] = {""")
resize_rows()
print(f"""}};

/** The probes of the fingerprint, decoded by Pillow: BLAKE2b-256, the first eight bytes. */
#define GOLDEN_PROBE "{probe_hash()}"

#endif""")
