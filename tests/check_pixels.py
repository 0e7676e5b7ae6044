#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares firn's crops with torchvision's through Pillow, byte by byte: check_pixels.py DUMP [DIR]

DUMP is the program pixels_dump. The files are generated (seeded, so always the same), written to a
scratch directory and decoded by both; with $FIRN_DATA, its photographs as well. A file that Pillow
refuses must be refused, one that it accepts must give the same bytes.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pixels_util import DUMP, Files, compare, dump, np, picture, pillow_jpeg, rng, versions

CJPEG = shutil.which("cjpeg")
SPECS = [(256, 224), (232, 224), (64, 61), (37, 224)]
chance = random.Random(1)


def cjpeg(array, *options):
    """libjpeg-turbo's own encoder, for what Pillow cannot write."""
    gray = array.ndim == 2
    head = b"P%d %d %d 255\n" % (5 if gray else 6, array.shape[1], array.shape[0])
    done = subprocess.run([CJPEG, *options], input=head + array.tobytes(), capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def without_app(data, marker):
    """The JPEG without its APPn segments of one kind."""
    out, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != marker:
            out += data[at : at + length]
        at += length
    return bytes(out + data[at:])


def adobe_transform(data, value):
    """The CMYK JPEG with another transform in its Adobe marker: 2 makes it YCCK."""
    at = data.index(b"Adobe")
    return data[: at + 11] + bytes([value]) + data[at + 12 :]


def generate(files):
    for w in range(1, 6):
        for h in (1, 2, 3, 4, 5, 17, 300):
            files.add("sides 1..5", pillow_jpeg(picture(w, h), quality=90))
            files.add("sides 1..5", pillow_jpeg(picture(h, w), quality=90))
    for w, h in ((375, 375), (300, 301), (120, 113)):
        files.add("crop differences", pillow_jpeg(picture(w, h)))
    for w, h in ((256, 256), (256, 300), (300, 256), (400, 256), (232, 232), (64, 64), (64, 99)):
        files.add("size already matches", pillow_jpeg(picture(w, h)))
    for w, h in ((50, 40), (100, 99), (33, 200), (255, 255), (255, 256), (7, 90), (128, 64)):
        files.add("up-scaling", pillow_jpeg(picture(w, h)))
    for name, sub in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        for w, h in ((500, 375), (373, 497), (33, 47), (640, 427)):
            for quality in (30, 75, 95):
                files.add(name, pillow_jpeg(picture(w, h), subsampling=sub, quality=quality))
                files.add(name + " progressive", pillow_jpeg(
                    picture(w, h), subsampling=sub, quality=quality, progressive=True))
    for w, h in ((500, 375), (31, 77), (257, 255), (8, 8)):
        files.add("gray", pillow_jpeg(picture(w, h, 1)))
        files.add("gray progressive", pillow_jpeg(picture(w, h, 1), progressive=True))
        ink = picture(w, h, 4)
        adobe = pillow_jpeg(ink, "CMYK", quality=90)
        files.add("CMYK with Adobe marker", adobe)
        files.add("CMYK without Adobe marker", without_app(adobe, 0xEE))
        files.add("CMYK progressive", pillow_jpeg(ink, "CMYK", progressive=True))
        files.add("YCCK", adobe_transform(adobe, 2))
        files.add("RGB by Adobe marker", cjpeg(picture(w, h), "-rgb") if CJPEG else adobe)
    for w, h in ((8000, 500), (500, 8000), (700, 11), (11, 700)):
        files.add(f"{w}x{h}", pillow_jpeg(picture(w, h), quality=60))
        files.add(f"{w}x{h}", pillow_jpeg(picture(w, h), quality=60, progressive=True))
    for _ in range(60):
        w, h = (int(2 ** rng.uniform(0, 10.5)) for _ in range(2))
        sub, progressive = int(rng.integers(0, 3)), bool(rng.integers(0, 2))
        files.add("random sizes", pillow_jpeg(picture(w, h), quality=int(rng.integers(5, 100)),
                                              subsampling=sub, progressive=progressive))
    generate_with_cjpeg(files)


def generate_with_cjpeg(files):
    kinds = {"4:4:0": "1x2,1x1,1x1", "4:1:1": "4x1,1x1,1x1", "4:1:0": "4x2,1x1,1x1",
             "4:4:1": "1x4,1x1,1x1", "3x1": "3x1,1x1,1x1", "luma below chroma": "1x1,2x2,2x2",
             "mixed": "2x2,2x1,1x2", "chroma full": "2x2,2x2,1x1"}
    if not CJPEG:
        for kind in [*kinds, "restart intervals", "arithmetic", "non-interleaved"]:
            files.skip(kind, "cjpeg (libjpeg-turbo-progs) is missing")
        return
    for w, h in ((500, 375), (375, 500), (61, 45), (9, 300), (1, 1)):
        for kind, sample in kinds.items():
            try:
                files.add(kind, cjpeg(picture(w, h), "-sample", sample))
                files.add(kind, cjpeg(picture(w, h), "-progressive", "-sample", sample))
            except RuntimeError as why:
                files.skip(kind, str(why).strip())
        for n in ("1B", "3B", "1", "2"):
            files.add("restart intervals", cjpeg(picture(w, h), "-restart", n))
            files.add("restart intervals", cjpeg(picture(w, h), "-restart", n, "-progressive"))
        files.add("arithmetic", cjpeg(picture(w, h), "-arithmetic"))
        files.add("optimised tables", cjpeg(picture(w, h), "-optimize", "-quality", "97"))
        files.add("16-bit tables", cjpeg(picture(w, h), "-quality", "1"))
        with tempfile.NamedTemporaryFile("w", suffix=".scans") as scans:
            scans.write("0;\n1;\n2;\n")
            scans.flush()
            files.add("non-interleaved", cjpeg(picture(w, h), "-scans", scans.name))
            scans.seek(0)
            scans.write("0,1,2: 0-0, 0, 0;\n")  # direct currents only: block smoothing shows
            scans.flush()
            files.add("first scan only", cjpeg(picture(w, h), "-scans", scans.name))


def damage(files):
    """Truncations and flipped bytes: the verdict must be Pillow's, and so must the pixels."""
    sound = [pillow_jpeg(picture(120, 90), quality=80),
             pillow_jpeg(picture(90, 120), quality=80, progressive=True),
             pillow_jpeg(picture(64, 150, 1)), pillow_jpeg(picture(70, 50, 4), "CMYK"),
             pillow_jpeg(picture(333, 250), subsampling=0),
             pillow_jpeg(picture(700, 100), subsampling=2)]
    for data in sound:
        for percent in range(100):
            files.add("truncated at every 1%", data[: len(data) * percent // 100])
        for cut in range(1, 41):
            files.add("truncated near the end", data[:-cut])
        for _ in range(150):
            spoilt = bytearray(data)
            for _ in range(chance.choice((1, 1, 2, 5))):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            files.add("bytes changed", bytes(spoilt))
        files.add("bytes after the end", data + b"\xff\xd8junk" * 9)
        files.add("bytes after the end", data + data)
        files.add("end marker missing", data[:-2] + bytes(100))
        files.add("end marker missing", data[:-2] + data[2:])
        files.add("end marker early", data[: len(data) * 2 // 3] + b"\xff\xd9")
        files.add("junk between markers", data[:2] + b"\xff\xff\xff" + data[2:])
    large = pillow_jpeg(picture(600, 400), quality=97)
    assert len(large) > 150000
    for early in (9000, 64000, 65000, 66000, 130000):
        for late in (40000, 65600, 100000, 131000, 140000):
            spoilt = bytearray(large)
            spoilt[early : early + 2] = b"\xff\xe6"
            spoilt[late : late + 2] = b"\xff\x48"
            files.add("faults after the last row", bytes(spoilt))


def levels():
    """The instruction sets that this processor has."""
    names = ("generic", "sse4", "avx2", "neon")
    return [n for n in names if not subprocess.run(
        [DUMP, "8", "8", n], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode]


def compare_ways(kind, paths, spec):
    """Every instruction set, and whole against partial decoding: the same output, refusals too."""
    want, bad = dump(paths, *spec), 0
    for how in [[n] for n in levels()] + [["generic", "whole"], [levels()[-1], "whole"]]:
        same = dump(paths, *spec, *how) == want
        bad += not same
        print(f"{kind:28} {spec[0]:4}/{spec[1]:<4} {len(paths):5} {' '.join(how):>13} "
              f"{'identical' if same else 'DIFFERENT'}")
    exact, level = want, levels()[-1]
    want = dump(paths, *spec, level, "fast")
    same = dump(paths, *spec, level, "fast", "whole") == want
    bad += not same
    print(f"{kind:28} {spec[0]:4}/{spec[1]:<4} {len(paths):5} fast whole    "
          f"{'identical' if same else 'DIFFERENT'}{'' if want != exact else ', none scaled'}")
    return bad


def main():
    bad = 0
    print(versions)
    with tempfile.TemporaryDirectory() as root:
        files = Files(root)
        generate(files)
        for kind, paths in files.kinds.items():
            bad += compare(kind, paths, SPECS[0])
        for difference in (1, 3, 5, 7, 9):
            bad += compare("crop differences", files.kinds["crop differences"],
                           (224 + difference, 224))
        for spec in SPECS[1:]:
            bad += compare("every third of the above", sum(files.kinds.values(), [])[::3], spec)
        broken = Files(Path(root) / "broken")
        broken.root.mkdir()
        damage(broken)
        for kind, paths in broken.kinds.items():
            bad += compare(kind, paths, SPECS[0])
        for spec in SPECS[::2]:
            bad += compare_ways("all generated", sum(files.kinds.values(), []), spec)
        bad += compare_ways("all damaged", sum(broken.kinds.values(), []), SPECS[0])
    for kind, why in files.skipped.items():
        print(f"{kind:28} skipped: {why}")
    data = os.environ.get("FIRN_DATA")
    if data:
        paths = sorted(str(p) for p in Path(data).glob("hymenoptera/**/*.jpg"))
        for spec in SPECS[:2]:
            bad += compare("hymenoptera", paths, spec)
            bad += compare_ways("hymenoptera", paths, spec)
    else:
        print("hymenoptera                  skipped: FIRN_DATA is not set")
    sys.exit(1 if bad else 0)


main()
