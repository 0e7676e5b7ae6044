#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares firn's views with torchvision's through Pillow, byte by byte: check_views.py DUMP

DUMP is the program pixels_dump. With $FIRN_DATA, real photographs are compared as well. The boxes
of random views are computed here a second time, from what src/image/views.c says of its generator
and by the formula of RandomResizedCrop.
"""
import hashlib
import io
import math
import os
import struct
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps
from torchvision.transforms import CenterCrop, FiveCrop, RandomResizedCrop, Resize, TenCrop
from torchvision.transforms import functional

from pixels_util import Files, dump, np, picture, pillow_jpeg, pillow_save

MASK = (1 << 64) - 1


class Random:
    """splitmix64, seeded for one view of one photograph."""

    def __init__(self, seed, content, view):
        key = b"firn view 1" + struct.pack("<Q", seed) + content + struct.pack("<I", view)
        self.state = int.from_bytes(hashlib.blake2b(key, digest_size=32).digest()[:8], "little")

    def next(self):
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31

    def unit(self):
        return (self.next() >> 11) * 2.0 ** -53


def random_box(random, width, height):
    """left, top, width, height; then whether it is mirrored, and whether ten tries were in vain."""
    low, high = math.log(3 / 4), math.log(4 / 3)
    for _ in range(10):
        part = float(np.float32(0.08 + 0.92 * random.unit()))
        aspect = float(np.float32(math.exp(low + (high - low) * random.unit())))
        area = width * height * part
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            y = random.next() % (height - h + 1)
            x = random.next() % (width - w + 1)
            return (x, y, w, h), random.next() >> 63, False
    w, h = width, height
    if width / height < 3 / 4:
        h = round(w / (3 / 4))
    elif width / height > 4 / 3:
        w = round(h * (4 / 3))
    return ((width - w) // 2, (height - h) // 2, w, h), random.next() >> 63, True


tally = {"boxes": 0, "mirrored": 0, "fallen back": 0}


def random_views(image, data, crop, count, seed):
    content = hashlib.blake2b(data, digest_size=32).digest()
    for view in range(count):
        (x, y, w, h), mirrored, vain = random_box(Random(seed, content, view), *image.size)
        tally["boxes"] += 1
        tally["mirrored"] += mirrored
        tally["fallen back"] += vain
        out = functional.resized_crop(image, y, x, h, w, [crop, crop])
        yield functional.hflip(out) if mirrored else out


def want(image, data, spec, views):
    resize, crop = spec
    kind, *numbers = views.split(":")
    if kind == "random":
        return list(random_views(image, data, crop, int(numbers[0]), int((numbers + ["0"])[1])))
    small = Resize(resize)(image)
    if kind == "flip":
        out = CenterCrop(crop)(small)
        return [out, functional.hflip(out)]
    return list((FiveCrop if kind == "five" else TenCrop)(crop)(small))


def compare(kind, paths, spec, views, how=(), change=lambda image: image):
    """How many files differ; prints a line."""
    out, at, bad = dump(paths, *spec, *(how or ("generic",)), "views", views), 0, 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        image = change(Image.open(io.BytesIO(data))).convert("RGB")
        crops = b"\0" + b"".join(np.asarray(v).tobytes() for v in want(image, data, spec, views))
        same = out[at : at + len(crops)] == crops
        at += len(crops)
        if not same:
            bad += 1
            print(f"    {path}: {image.size} differs")
    bad += at != len(out)
    print(f"{kind:24} {spec[0]:4}/{spec[1]:<4} {views:14} {' '.join(how):12} {len(paths):3} files, "
          f"{bad} different")
    return bad


def generate(files):
    for w, h in ((500, 375), (375, 500), (257, 300), (301, 257), (640, 427), (99, 101), (256, 256)):
        for progressive in (False, True):
            files.add("JPEG", pillow_jpeg(picture(w, h), quality=85, progressive=progressive))
    for w, h in ((1, 1), (2, 1), (1, 3), (5, 4), (3, 300), (300, 3), (1, 90), (17, 16), (7, 7)):
        files.add("tiny and odd", pillow_jpeg(picture(w, h), quality=90))
        files.add("tiny and odd", pillow_save(w, h, "RGB", "PPM"))
    for w, h in ((333, 222), (64, 65), (224, 224)):
        files.add("other formats", pillow_save(w, h, "RGB", "PNG"))
        files.add("other formats", pillow_save(w, h, "L", "PNG"))
        files.add("other formats", pillow_save(w, h, "RGB", "BMP"))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        files.add("turned", pillow_jpeg(picture(201, 133), exif=exif))


def main():
    bad = 0
    with tempfile.TemporaryDirectory() as root:
        files = Files(root)
        generate(files)
        for kind, paths in files.kinds.items():
            for views in ("flip", "five", "ten", "random:7", "random:3:18446744073709551615"):
                for spec in ((256, 224), (67, 60), (61, 60)):
                    bad += compare(kind, paths, spec, views)
        everything = sum(files.kinds.values(), [])
        for views in ("ten", "random:5:3"):
            exact = dump(everything, 67, 60, "generic", "views", views)
            for how in (["generic", "whole"], ["sse4"], ["avx2"], ["avx2", "whole"], ["neon"]):
                try:
                    same = dump(everything, 67, 60, *how, "views", views) == exact
                except Exception:  # this processor has no such instructions
                    continue
                bad += not same
                print(f"all, {views}, {' '.join(how)}: {'identical' if same else 'DIFFERENT'}")
            bad += compare("turned", files.kinds["turned"], (67, 60), views, ("generic", "turn"),
                           ImageOps.exif_transpose)
    if os.environ.get("FIRN_DATA"):
        photographs = sorted(map(str, (Path(os.environ["FIRN_DATA"]) / "hymenoptera" / "val")
                                 .rglob("*.jpg")))
        for views in ("flip", "ten", "random:5:3"):
            bad += compare("real photographs", photographs, (256, 224), views)
    print(tally)
    default = RandomResizedCrop(60)
    bad += default.scale != (0.08, 1.0) or default.ratio != (3 / 4, 4 / 3)
    bad += not 0.4 < tally["mirrored"] / tally["boxes"] < 0.6 or not tally["fallen back"]
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
