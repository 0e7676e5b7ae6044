#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Photographs made to hurt: check_hostile_photos.py DUMP

More than 300 generated files. Each is decoded by a pixels_dump of its own: it must end by itself,
with the verdict expected of its kind (ok, bad, limit, or any of them), in at most 10 s of CPU and,
outside sanitizers, 320 MiB of memory (256 for the decoder, the rest for file and program).
"""
import io
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

try:
    from PIL import Image
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

DUMP = sys.argv[1]
CODE = Path(DUMP).read_bytes()
SANITIZED = b"__asan_init" in CODE
if b"__tsan_init" in CODE:  # ten times slower than the limit of time allows for, and one thread
    print("SKIP: limits of time and memory mean nothing under ThreadSanitizer")
    sys.exit(77)
SECONDS, MEBIBYTES = (60, 4096) if SANITIZED else (10, 320)
OK, BAD, LIMIT = 0, 65, 78
GOOD, REFUSED, ANY = (OK,), (BAD, LIMIT), (OK, BAD, LIMIT)


def encoded(form, mode="RGB", size=(90, 70), **options):
    out = io.BytesIO()
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (ramp, ramp.rotate(90, expand=False), ramp)).convert(mode)
    image.save(out, form, **options)
    return out.getvalue()


JPEG, SCANS = encoded("JPEG", quality=70), encoded("JPEG", quality=70, progressive=True)


def resized_jpeg(data, width, height):
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def changed(data, at, value):
    return data[:at] + bytes([value]) + data[at + 1 :]


def scan_bomb(copies, side):
    last = SCANS.rindex(b"\xff\xda")
    body = resized_jpeg(SCANS, side, side)
    return body[:-2] + body[last:-2] * copies + b"\xff\xd9"


def frame(data, marker):
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    return changed(data, at + 1, marker)


def jpegs():
    for copies in (150, 1000, 5000):
        for side in (64, 1000, 4000, 13377):
            yield f"{copies} scans of {side}^2", scan_bomb(copies, side), REFUSED
    for w, h in ((65500, 65500), (65535, 65535), (13378, 13378), (65500, 2733), (0, 70), (90, 0)):
        yield f"JPEG of {w}x{h}", resized_jpeg(JPEG, w, h), REFUSED
        yield f"progressive of {w}x{h}", resized_jpeg(SCANS, w, h), REFUSED
    for w, h in ((65500, 2), (2, 65500), (10000, 10000)):
        yield f"hollow JPEG of {w}x{h}", resized_jpeg(JPEG, w, h), ANY
        yield f"hollow progressive of {w}x{h}", resized_jpeg(SCANS, w, h), ANY
    small = encoded("JPEG", "L", (8, 8), quality=1)
    yield f"{len(small)}-byte bomb", resized_jpeg(small, 65500, 65500), REFUSED
    for marker in (0xE1, 0xFE, 0xDD, 0xDB):
        body = {0xDD: b"\0\4\0\0",
                0xDB: JPEG[JPEG.index(b"\xff\xdb") + 2 :][:67]}.get(marker, b"\0\2")
        yield f"1e6 markers {marker:02x}", JPEG[:2] + (b"\xff" + bytes([marker]) + body) * (
            10 ** 6 // (1 + len(body) // 20)) + JPEG[2:], ANY
    yield "1e6 fill bytes", JPEG[:2] + b"\xff" * 10 ** 6 + JPEG[2:], ANY
    for n in (1, 7, 65535):
        yield f"restart of {n}", JPEG[:2] + b"\xff\xdd\0\4" + struct.pack(">H", n) + JPEG[2:], ANY
    yield "restart markers only", JPEG[:-300] + b"\xff\xd0\xff\xd1" * 10 ** 5 + b"\xff\xd9", ANY
    for percent in range(100):
        yield "JPEG cut", JPEG[: len(JPEG) * percent // 100], REFUSED
    for marker in (0xC1, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
        expected = ANY if marker in (0xC1, 0xC9, 0xCA) else REFUSED
        yield f"frame type {marker:02x}", frame(JPEG, marker), expected
    at = JPEG.index(b"\xff\xc0")
    for bits in (1, 7, 12, 16):
        yield f"{bits}-bit", changed(JPEG, at + 4, bits), REFUSED
    for sampling in (0x00, 0x44, 0x51, 0x14, 0xFF):
        yield f"sampling {sampling:02x}", changed(JPEG, at + 11, sampling), ANY
    for mode in ("L", "CMYK"):
        yield mode, encoded("JPEG", mode), GOOD
    cmyk = encoded("JPEG", "CMYK")
    yield "YCCK", changed(cmyk, cmyk.index(b"Adobe") + 11, 2), GOOD
    yield "JPEG in JPEG", JPEG[:2] + JPEG + JPEG[2:], ANY


def png_chunk(kind, data, crc=0):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data) ^ crc))


def png(width, height, data, bits=8, color=2, interlace=0, extra=b""):
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + extra + png_chunk(b"IDAT", data) +
            png_chunk(b"IEND", b""))


def pngs():
    bomb = zlib.compress(bytes(300 << 20), 9)
    sound = encoded("PNG")
    for w, h in ((2 ** 31 - 1, 2 ** 31 - 1), (2 ** 32 - 1, 1), (65500, 65500), (0, 5), (5, 0)):
        yield f"PNG of {w}x{h}", png(w, h, bomb), REFUSED
    yield "PNG zlib bomb", png(10, 10, bomb), ANY
    yield "PNG 10000x10000 of zeros", png(10000, 10000, bomb), GOOD
    yield "PNG 13000x13000, interlaced", png(13000, 13000, bomb, interlace=1), (LIMIT,)
    for kind in (b"zTXt", b"iCCP"):
        yield f"PNG {kind.decode()} bomb", png(1, 1, zlib.compress(bytes(4)), extra=png_chunk(
            kind, b"x\0\0" + bomb)), ANY
    yield "PNG of 1e5 chunks", png(1, 1, zlib.compress(bytes(4)),
                                   extra=png_chunk(b"tEXt", b"a\0b") * 10 ** 5), ANY
    yield "PNG chunk of 4 GiB", sound[:33] + b"\xff\xff\xff\xff" + sound[37:], REFUSED
    for bits, color in ((3, 0), (1, 2), (16, 3), (8, 7), (0, 0)):
        data = png(4, 4, zlib.compress(bytes(99)), bits, color)
        yield f"PNG {bits} bits, colour {color}", data, REFUSED
    yield "PNG without palette", png(4, 4, zlib.compress(bytes(99)), 8, 3), REFUSED
    for percent in range(0, 100, 5):
        yield "PNG cut", sound[: len(sound) * percent // 100], ANY if percent > 90 else REFUSED


def tiff(tags, data=b"", entries=None):
    out = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags) if entries is None else entries)
    at = 8 + 2 + 12 * len(tags) + 4
    for number, kind, values in tags:
        form = {3: "<%dH", 4: "<%dI"}[kind] % len(values)
        out += struct.pack("<HHI", number, kind, len(values))
        out += struct.pack(form, *values)[:4].ljust(4, b"\0")
    return out + struct.pack("<I", 8) + data.replace(b"@@@@", struct.pack("<I", at))


def tiff_tags(width, height, compression=1, size=100, rows=None, tile=None, at=200):
    tags = [(256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (259, 3, [compression]),
            (262, 3, [1])]
    if tile:
        tags += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, [at]), (325, 4, [size])]
    else:
        tags += [(273, 4, [at]), (278, 4, [rows or height]), (279, 4, [size])]
    return sorted(tags)


def tiffs():
    bomb = zlib.compress(bytes(300 << 20), 9)
    for w, h in ((2 ** 32 - 1, 2 ** 32 - 1), (65500, 65500), (2 ** 31, 1), (0, 1), (13378, 13378)):
        yield f"TIFF of {w}x{h}", tiff(tiff_tags(w, h), bytes(400)), REFUSED
    for compression in (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000, 50001, 34676, 32809,
                        65535):
        yield f"hollow TIFF {compression}", tiff(
            tiff_tags(13000, 13000, compression), bytes(400)), REFUSED
        yield f"TIFF of one row a strip {compression}", tiff(
            tiff_tags(60000, 2000, compression, rows=1), bytes(400)), REFUSED
    head = tiff(tiff_tags(16000, 16000, 8, len(bomb), at=200)).ljust(200, b"\0")
    yield "TIFF zlib bomb", head + bomb, REFUSED
    head = tiff(tiff_tags(10000, 10000, 8, len(bomb), at=200)).ljust(200, b"\0")
    yield "TIFF 10000x10000 in one strip", head + bomb, (LIMIT,)
    for tile in (2 ** 31, 2 ** 32 - 16, 65536, 16384):
        yield f"TIFF tile of {tile}", tiff(tiff_tags(5, 5, 8, tile=tile), bytes(400)), REFUSED
    yield "IFD that points to itself", tiff(tiff_tags(4, 4, size=16, at=8)), ANY
    chain = b"".join(struct.pack("<HHHII", 1, 256, 3, 1, 4) + struct.pack("<I", 8 + 18 * (i + 1))
                     for i in range(10 ** 5))
    yield "1e5 IFDs", b"II*\0\x08\0\0\0" + chain + bytes(2), REFUSED
    yield "IFD of 65535 entries", tiff(tiff_tags(4, 4), bytes(12 * 65535), 65535), ANY
    yield "counts of 4 GiB", tiff([(256, 4, [4]), (257, 4, [4])]).replace(
        b"\x01\0\0\0\4", b"\xff\xff\xff\xff\4"), REFUSED
    yield "BigTIFF offsets", b"II+\0\x08\0\0\0" + struct.pack(
        "<Q", 2 ** 63 + 16) + bytes(99), REFUSED
    sound = encoded("TIFF", compression="tiff_lzw")
    for percent in range(0, 100, 5):
        yield "TIFF cut", sound[: len(sound) * percent // 100], ANY
    shared = b"II*\0\x08\0\0\0"  # 20,000 strips of one row, each the same 8 MiB that hold far more
    data = zlib.compress(os.urandom(8 << 20), 0)
    n, first = 20000, 8 + 2 + 12 * 8 + 4
    tags = [(256, 4, 1, 500), (257, 4, 1, n), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
            (266, 3, 1, 2), (273, 4, n, first), (278, 4, 1, 1), (279, 4, n, first + 4 * n)]
    first = 8 + 2 + 12 * len(tags) + 4
    tags = [(a, b, c, {273: first, 279: first + 4 * n}.get(a, d)) for a, b, c, d in tags]
    shared += struct.pack("<H", len(tags))
    shared += b"".join(struct.pack("<HHII", *t) for t in tags) + bytes(4)
    shared += struct.pack("<I", first + 8 * n) * n + struct.pack("<I", len(data)) * n
    yield "strips that share 8 MiB", shared + data, REFUSED


def others():
    for w, h, bits in ((2 ** 31 - 1, 2 ** 31 - 1, 24), (65500, 65500, 8), (13378, 13378, 1),
                       (-5, 5, 24), (5, -2 ** 31, 24), (0, 0, 24), (5, 5, 65535), (60000, 2900, 1)):
        for compression in (0, 1, 2, 3, 4, 2 ** 31):
            head = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack(
                "<IiiHHIIiiII", 40, w, h, 1, bits, compression, 0, 0, 0, 0, 0)
            yield f"BMP {w}x{h}x{bits}, {compression}", head + bytes(3000), REFUSED
    lines = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + struct.pack(
        "<IiiHHIIiiII", 40, 10000, 10000, 1, 8, 1, 0, 0, 0, 0, 0) + bytes(range(256)) * 4
    yield "BMP of empty lines", lines + bytes(2) * 10 ** 7, ANY
    yield "BMP of deltas", lines + b"\0\2\1\1\xff\xff" * 10 ** 5, ANY
    for kind in "123456":
        for size in ("99999 99999", "2147483647 1", "4294967296 4294967296", "13378 13378",
                     "13000 13000"):
            yield f"P{kind} {size}", f"P{kind} {size} 255 ".encode() + b"1 " * 1000, REFUSED
    yield "PPM of white space", b"P3" + b" " * (32 << 20), REFUSED
    yield "PPM of comments", b"P3 5 5 " + b"#\n" * (8 << 20), REFUSED
    webp = encoded("WEBP")
    for percent in range(0, 100, 10):
        yield "WebP cut", webp[: len(webp) * percent // 100], REFUSED
    flat = encoded("WEBP", size=(8, 8), lossless=True)
    bits = struct.pack("<I", 16382 | 16382 << 14)
    yield "WebP lossless of 16383^2", flat[:21] + bits + flat[25:], REFUSED
    loss = encoded("WEBP", size=(8, 8))
    at = loss.index(b"\x9d\x01\x2a") + 3
    for side in (16383, 9000):
        yield f"WebP of {side}^2", loss[:at] + struct.pack(
            "<HH", side, side) + loss[at + 4 :], REFUSED
    for data in (b"", b"\xff", b"\0" * 10 ** 6, b"\xff\xd8" * 10 ** 6, b"RIFF" * 9, b"BM" * 99,
                 b"II*\0" * 99):
        yield "nonsense", data, REFUSED


def run(path):
    with open(path + ".list", "w", encoding="ascii") as listed:
        listed.write(path + "\n")
    with open(path + ".list", "rb") as listed, tempfile.TemporaryFile() as told:
        child = subprocess.Popen([DUMP, "27", "24"], stdin=listed, stdout=subprocess.PIPE,
                                 stderr=told)
        out = child.stdout.read()
        _, status, use = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        peak = re.search(rb"VmHWM:\s*(\d+) kB", told.read())
    os.unlink(path + ".list")
    mebibytes = int(peak[1]) >> 10 if peak else 0
    return child.returncode, out[0] if out else None, use.ru_utime + use.ru_stime, mebibytes


def main():
    count = bad = 0
    longest, largest = (0, ""), (0, "")
    verdicts = {OK: 0, BAD: 0, LIMIT: 0}
    with tempfile.TemporaryDirectory() as root:
        for make in (jpegs, pngs, tiffs, others):
            for name, data, expected in make():
                path = f"{root}/photo"
                Path(path).write_bytes(data)
                code, verdict, seconds, mebibytes = run(path)
                longest, largest = max(longest, (seconds, name)), max(largest, (mebibytes, name))
                count += 1
                verdicts[verdict] = verdicts.get(verdict, 0) + 1
                if (code or verdict not in expected or seconds > SECONDS + 1 or
                        mebibytes > MEBIBYTES):
                    bad += 1
                    print(f"{name}: exit {code}, verdict {verdict}, {seconds:.1f} s, "
                          f"{mebibytes} MiB")
    print(f"{count} files: {verdicts[OK]} decoded, {verdicts[BAD]} corrupt, "
          f"{verdicts[LIMIT]} beyond a limit")
    print(f"longest {longest[0]:.1f} s ({longest[1]}), largest {largest[0]} MiB ({largest[1]})")
    sys.exit(1 if bad else 0)


main()
