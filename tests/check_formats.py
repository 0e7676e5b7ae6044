#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every format, mode and odd size against Pillow, byte by byte: check_formats.py DUMP [DIR [SEED]]

DUMP is the program pixels_dump; crops are compared as in check_pixels.py. The files are generated,
most of them by writers of this file's own, because Pillow writes only a part of what it reads. A
file that Pillow refuses must be refused; what firn refuses on purpose and Pillow reads is counted
in a column of its own. DIR gets a copy of each file that differs.
"""
import io
import random
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from pixels_util import Files, Image, ImageOps, compare, np, picture, pillow_save

SIZES = [(1, 1), (2, 3), (7, 5), (8, 8), (9, 16), (17, 33), (64, 31), (255, 257), (333, 120)]
SEED = int((sys.argv[3:] or ["2"])[0])
chance = random.Random(SEED)
rng = np.random.default_rng(SEED)


def packed(array, bits):
    """Rows of samples of 1, 2, 4, 8 or 16 bits, big-endian, padded to bytes."""
    flat = array.reshape(array.shape[0], -1).astype(np.uint32)
    if bits == 16:
        return [row.astype(">u2").tobytes() for row in flat]
    if bits == 8:
        return [row.astype(np.uint8).tobytes() for row in flat]
    planes = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in planes]


def samples(width, height, bands, bits):
    """Every value that fits, smooth and noisy, last axis the bands."""
    base = np.atleast_3d(picture(width, height, bands)).astype(np.uint32)
    if bits == 16:
        return (base << 8 | rng.integers(0, 256, base.shape)) >> chance.choice((0, 0, 8))
    return base >> (8 - bits)


# ---- PNG ----

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array, bits, color, interlace=False, extra=(), level=6, cut=1 << 30):
    height, width = array.shape[:2]
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)] if interlace else [(0, 0, 1, 1)]
    raw, step = b"", max(1, bits * (array.shape[2] if array.ndim == 3 else 1) // 8)
    for x, y, dx, dy in starts:
        part = array[y::dy, x::dx]
        if part.size == 0:
            continue
        before = None
        for row in packed(part, bits):
            kind = chance.randrange(5)
            raw += bytes([kind]) + filtered(kind, row, before or bytes(len(row)), step)
            before = row
    data = zlib.compress(raw, level)
    body = b"".join(chunk(b"IDAT", data[at : at + cut]) for at in range(0, len(data), cut))
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunk(*e) for e in extra) +
            body + chunk(b"IEND", b""))


def filtered(kind, row, up, step):
    a = np.frombuffer(bytes(step) + row, np.uint8)[:-step or None].astype(int)[: len(row)]
    b = np.frombuffer(up, np.uint8).astype(int)
    c = np.frombuffer(bytes(step) + up, np.uint8).astype(int)[: len(row)]
    guess = a + b - c
    pa, pb, pc = abs(guess - a), abs(guess - b), abs(guess - c)
    paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
    minus = [0 * a, a, b, (a + b) // 2, paeth][kind]
    return ((np.frombuffer(row, np.uint8) - minus) & 255).astype(np.uint8).tobytes()


def add_png(files):
    kinds = {"gray": (0, 1, (1, 2, 4, 8, 16)), "rgb": (2, 3, (8, 16)),
             "palette": (3, 1, (1, 2, 4, 8)), "gray+alpha": (4, 2, (8, 16)),
             "rgba": (6, 4, (8, 16))}
    for name, (color, bands, depths) in kinds.items():
        for bits in depths:
            for width, height in SIZES:
                array = samples(width, height, bands, bits)
                extra = []
                if color == 3:
                    entries = chance.choice((1 << bits, max(1, (1 << bits) - 3)))
                    extra = [(b"PLTE", rng.integers(0, 256, 3 * entries, np.uint8).tobytes())]
                    if chance.random() < 0.5:
                        extra.append((b"tRNS", rng.integers(0, 256, entries, np.uint8).tobytes()))
                elif color in (0, 2) and chance.random() < 0.5:
                    extra = [(b"tRNS", struct.pack(">%dH" % bands, *[3] * bands))]
                for interlace in (False, True):
                    files.add(f"PNG {name}", png(array, bits, color, interlace, extra,
                                                 chance.choice((0, 1, 9)),
                                                 chance.choice((7, 999999))))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I"):
        for width, height in SIZES:
            files.add("PNG by Pillow", pillow_save(width, height, mode, "PNG"))


# ---- PNM ----

def add_pnm(files):
    for width, height in SIZES:
        bits = samples(width, height, 1, 1)[..., 0]
        files.add("PBM", b"P4 %d %d\n" % (width, height) + b"".join(packed(bits, 1)))
        text = "\n".join("".join(str(v) for v in row) for row in bits).encode()
        files.add("PBM plain", b"P1\n# c\n%d %d\n" % (width, height) + text)
        files.add("PBM plain",
                  b"P1 %d %d " % (width, height) + text.replace(b"1", b"1 #x\n") + b"\n")
        for most in (1, 2, 7, 100, 254, 255, 256, 1000, 32767, 65534, 65535):
            for kind, bands in (("PGM", 1), ("PPM", 3)):
                array = rng.integers(0, most + 1, (height, width * bands))
                head = b"%d%s%d # comment\n%d\n%d" % (width, chance.choice((b" ", b"\n\t")), height,
                                                       most, most)
                head = b"%d %d # comment\n%d" % (width, height, most)
                data = array.astype(">u2" if most > 255 else np.uint8).tobytes()
                files.add(kind, (b"P5\n" if bands == 1 else b"P6\n") + head + b"\n" + data)
                text = "\n".join(" ".join(map(str, row)) for row in array).encode()
                files.add(kind + " plain",
                          (b"P2\r" if bands == 1 else b"P3\t") + head + b" \n" + text + b"\n")
    for size in (700000, 650001):  # several blocks of a mebibyte
        for end in (b"", b" ", b"1"):
            array = rng.integers(0, 256, size)
            text = b" ".join(b"%d" % v for v in array)
            files.add("PGM plain, long", b"P2 1000 %d 255\n" % (size // 1000) + text + end)
    for bad in (b"P5 0 5 255\n", b"P5 5 5 0\n12345678901234567890123456",
                b"P5 5 5 65536\n" + bytes(99), b"P6 5 5 255\n" + bytes(74), b"P3 1 1 9 1 2 10 ",
                b"P2 1 1 9 x ", b"P1 2 2 0 1 2 0 ", b"P1 2 1 0 1 7", b"P1 2 1 0 1 junk",
                b"P2 2 1 9 1", b"P2 2 1 9 1 2 junk", b"P7 1 1 255\n", b"P5 12345678901 1 255\n",
                b"P5 1#c\n2 1 255\n" + bytes(12), b"P5#\n", b"P5 -1 5 255 ",
                b"P2 1 1 9 12345678901 ", b"P6 3 3 255", b"P6", b"P5 2 2 300\n" + b"\xff" * 8,
                b"P3 2 2 300\n" + b"300 1 2 " * 4, b"P4 9 2\n" + bytes(3), b"P4 9 2\n" + bytes(4)):
        files.add("PNM odd", bad)


# ---- BMP ----

def bmp(rows, width, height, bits, *, compression=0, palette=b"", colors=0, head=40, down=False,
        masks=b"", gap=0):
    order = rows if down else rows[::-1]
    stride = (width * bits + 31) // 32 * 4
    data = rows if isinstance(rows, bytes) else b"".join(r.ljust(stride, b"\0") for r in order)
    if head == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", head, width, -height if down else height, 1, bits,
                           compression, len(data), 2835, 2835, colors, 0)
        info += masks if head > 40 else b""
        info = info.ljust(head, b"\0") + (masks if head == 40 else b"")
    at = 14 + len(info) + len(palette) + gap
    return (b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at) + info + palette + bytes(gap) +
            data)


def run_length(array, four):
    """Runs, literals, ends of lines and deltas as they come."""
    out = bytearray()
    for row in array[::-1]:
        x = 0
        while x < len(row):
            n = min(chance.randint(1, 9), len(row) - x)
            if chance.random() < 0.5 or n < 3:
                a, b = int(row[x]), int(row[min(x + 1, len(row) - 1)])
                out += bytes([n, (a & 15) << 4 | b & 15 if four else a])
            else:
                n = n & ~1 if four else n
                part = [int(v) for v in row[x : x + n]]
                if four:
                    part = [part[i] << 4 | part[i + 1] for i in range(0, n, 2)]
                data = bytes(part)
                out += bytes([0, n]) + data + bytes(len(data) % 2)
            x += n
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def add_bmp(files):
    masks = {16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0), (0xF00, 0xF0, 0xF, 0)],
             24: [(0xFF0000, 0xFF00, 0xFF, 0)],
             32: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0),
                  (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                  (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0, 0, 0, 0), (255, 255, 255, 0)]}
    for width, height in SIZES:
        for bits in (1, 4, 8):
            array = samples(width, height, 1, bits)[..., 0]
            rows = packed(array, bits)
            for head, entry in ((12, 3), (40, 4), (64, 4), (108, 4), (124, 4)):
                for colors in (0, 1 << bits, max(1, (1 << bits) - 1), 2):
                    n = colors or 1 << bits
                    palette = rng.integers(0, 256, entry * n, np.uint8).tobytes()
                    ramp = b"".join(bytes([v % 256] * 3 + [0])[:entry] for v in
                                    ((0, 255) if n == 2 else range(n)))
                    for p in (palette, ramp):
                        files.add(f"BMP {bits} bits", bmp(rows, width, height, bits, head=head,
                                                          palette=p, colors=colors,
                                                          down=chance.random() < 0.3 and head > 12,
                                                          gap=chance.choice((0, 0, 6))))
        for bits in (16, 24, 32):
            rows = [rng.integers(0, 256, width * bits // 8, np.uint8).tobytes()
                    for _ in range(height)]
            for head in (12, 40, 64, 108, 124):
                files.add(f"BMP {bits} bits", bmp(rows, width, height, bits, head=head))
                for m in masks[bits] if head > 12 else ():
                    packed_masks = struct.pack("<4I", *m)[: 16 if head > 40 else 12]
                    files.add(f"BMP {bits} bits, masks", bmp(
                        rows, width, height, bits, head=head, compression=3, masks=packed_masks,
                        down=chance.random() < 0.3))
        for bits, compression in ((8, 1), (4, 2)):
            array = samples(width, height, 1, bits)[..., 0]
            for _ in range(3):
                palette = rng.integers(0, 256, 4 << bits, np.uint8).tobytes()
                data = run_length(array, bits == 4)
                files.add("BMP run-length", bmp(data, width, height, bits, palette=palette,
                                                compression=compression, colors=1 << bits))
                for _ in range(4):
                    spoilt = bytearray(data)
                    spoilt[chance.randrange(len(spoilt))] = chance.choice((0, 1, 2, 3, 255))
                    files.add("BMP run-length odd", bmp(bytes(spoilt) + bytes(chance.randrange(40)),
                                                        width, height, bits, palette=palette,
                                                        compression=compression))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        for width, height in SIZES:
            data = pillow_save(width, height, mode, "BMP")
            files.add("BMP by Pillow", data)
            files.add("BMP truncated", data[: -chance.randint(1, 4)])


# ---- TIFF ----

def tiff(order, tags, blocks, tiled=False, big=False):
    """tags: {number: (type, [values])}; the blocks are strips or tiles."""
    e, size = ("<" if order == "II" else ">"), {1: 1, 3: 2, 4: 4, 16: 8}
    form = {1: "B", 3: "H", 4: "I", 16: "Q"}
    out = bytearray(order.encode() + struct.pack(e + "H", 43 if big else 42))
    out += struct.pack(e + "HHQ", 8, 0, 0) if big else struct.pack(e + "I", 0)
    offsets = []
    for block in blocks:
        out += bytes(len(out) % 2)
        offsets.append(len(out))
        out += block
    word = 8 if big else 4
    tags = dict(tags)
    tags[324 if tiled else 273] = (4, offsets)
    tags[325 if tiled else 279] = (4, [len(b) for b in blocks])
    entries = []
    for number, (kind, values) in sorted(tags.items()):
        data = struct.pack(e + "%d%s" % (len(values), form[kind]), *values)
        if len(data) > word:
            out += bytes(len(out) % 2)
            at, data = struct.pack(e + ("Q" if big else "I"), len(out)), (out.extend(data) or b"")
            data = at
        entries.append(struct.pack(e + "HH" + ("Q" if big else "I"), number, kind, len(values)) +
                       data.ljust(word, b"\0"))
    out += bytes(len(out) % 2)
    out[word : 2 * word] = struct.pack(e + ("Q" if big else "I"), len(out))
    out += struct.pack(e + ("Q" if big else "H"), len(entries)) + b"".join(entries) + bytes(word)
    return bytes(out)


def swapped(row, bits, order):
    if bits == 16 and order == "II":
        return np.frombuffer(row, ">u2").astype("<u2").tobytes()
    return row


def cut_blocks(array, bits, order, planar, tile, rows_per_strip, squeeze, reverse):
    planes = [array[..., i : i + 1] for i in range(array.shape[2])] if planar else [array]
    for plane in planes:
        height, width = plane.shape[:2]
        if tile:
            padded = np.zeros((-(-height // 16) * 16, -(-width // tile) * tile, plane.shape[2]),
                              plane.dtype)
            padded[:height, :width] = plane
            parts = [padded[y : y + 16, x : x + tile] for y in range(0, height, 16)
                     for x in range(0, width, tile)]
        else:
            parts = [plane[y : y + rows_per_strip] for y in range(0, height, rows_per_strip)]
        for part in parts:
            data = b"".join(swapped(r, bits, order) for r in packed(part, bits))
            if reverse:
                data = bytes(int(f"{v:08b}"[::-1], 2) for v in data)
            yield zlib.compress(data) if squeeze else data


def add_tiff(files):
    kinds = [("gray", p, 1, b, ()) for p in (0, 1) for b in (1, 2, 4, 8, 16)]
    kinds += [("palette", 3, 1, b, ()) for b in (1, 2, 4, 8)] + [("palette+alpha", 3, 2, 8, (2,))]
    kinds += [("gray+alpha", 1, 2, b, x) for b in (8, 16) for x in ((2,), (1,), ())]
    kinds += [("rgb", 2, 3, b, ()) for b in (8, 16)] + [("cmyk", 5, 4, b, ()) for b in (8, 16)]
    kinds += [("rgb+", 2, 3 + n, b, (x,) + (0,) * (n - 1)) for b in (8, 16) for n in (1, 2, 3)
              for x in (0, 1, 2)]
    kinds += [("rgb, 4th not named", 2, 4, b, ()) for b in (8, 16)]
    kinds += [("cmyk+", 5, 4 + n, 8, (0,) * n) for n in (1, 2)]
    for name, photo, bands, bits, extra in kinds:
        for size in chance.sample(SIZES, 4):
            array = samples(*size, bands, bits)
            for _ in range(6):
                order, planar = chance.choice(("II", "MM")), chance.random() < 0.3
                tile, squeeze = chance.choice((0, 0, 16, 48)), chance.random() < 0.6
                reverse = chance.random() < 0.15
                rows = chance.choice((1, 3, 8, size[1], 1 << 30))
                tags = {256: (3, [size[0]]), 257: (4, [size[1]]), 258: (3, [bits] * bands),
                        259: (3, [8 if squeeze else 1]), 262: (3, [photo]), 277: (3, [bands]),
                        284: (3, [2 if planar else 1])}
                if reverse:
                    tags[266] = (3, [2])
                if extra:
                    tags[338] = (3, list(extra))
                if photo == 3:
                    tags[320] = (3, [int(v) for v in rng.integers(0, 65536, 3 << bits)])
                if chance.random() < 0.4:
                    tags[274] = (3, [chance.randint(1, 8)])
                if tile:
                    tags.update({322: (3, [tile]), 323: (3, [16])})
                else:
                    tags[278] = (4, [min(rows, 0xFFFFFFFF)])
                blocks = list(cut_blocks(array, bits, order, planar, tile, rows, squeeze, reverse))
                files.add(f"TIFF {name}", tiff(order, tags, blocks, bool(tile),
                                               order == "II" and chance.random() < 0.2))
    add_tiff_numbers(files)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F", "YCbCr", "LAB"):
        for compression in (None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", "group3",
                            "group4", "lzma", "zstd", "tiff_ccitt", "webp"):
            for size in chance.sample(SIZES, 3):
                try:
                    data = pillow_save(*size, mode, "TIFF", compression=compression)
                except Exception:  # no such combination
                    continue
                files.add(f"TIFF by Pillow", data)
    for orientation in range(1, 9):
        for size in SIZES:
            for compression in ("tiff_lzw", None, "jpeg"):
                data = pillow_save(*size, "RGB", "TIFF", tiffinfo={274: orientation},
                                   compression=compression)
                files.add("TIFF orientation", data)
                files.add("TIFF truncated", data[: len(data) * chance.randrange(100) // 100])


def add_tiff_numbers(files):
    """12 bits, signed, 32 bits, floating point: grey only, clipped by Pillow."""
    for width, height in SIZES:
        for bits, form, kind in ((12, 1, None), (16, 2, "i2"), (32, 1, "u4"), (32, 2, "i4"),
                                 (32, 3, "f4"), (64, 3, "f8"), (8, 2, "i1")):
            for order in ("II", "MM"):
                for photo in (0, 1):
                    values = rng.normal(100, 200, (height, width))
                    if bits == 12:
                        size = (width * 12 + 7) // 8 * height
                        data = rng.integers(0, 256, size, np.uint8).tobytes()
                        data = bytes(v & chance.choice((0x0F, 255)) for v in data)
                    else:
                        with np.errstate(all="ignore"):
                            data = values.astype(("<" if order == "II" else ">") + kind).tobytes()
                    tags = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits]), 259: (3, [1]),
                            262: (3, [photo]), 339: (3, [form]), 277: (3, [1])}
                    files.add("TIFF numbers", tiff(order, tags, [data]))


# ---- WebP, and containers ----

def add_webp(files):
    for width, height in SIZES:
        for mode in ("RGB", "RGBA"):
            for how in ({"quality": 80}, {"quality": 5}, {"lossless": True},
                        {"lossless": True, "exact": True}, {"quality": 100, "method": 6}):
                files.add("WebP " + mode, pillow_save(width, height, mode, "WEBP", **how))
            data = pillow_save(width, height, mode, "WEBP")
            for _ in range(4):
                files.add("WebP truncated", data[: len(data) * chance.randrange(100) // 100])
        frames = [Image.fromarray(picture(width, height, 4), "RGBA") for _ in range(3)]
        for lossless in (False, True):
            out = io.BytesIO()
            frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
            files.add("WebP animated", out.getvalue())


def add_containers(files):
    for width, height in SIZES:
        first, second = (pillow_save(width, height, "RGB", "JPEG") for _ in range(2))
        files.add("JPEG with a film behind it", first + b"\0\0\0\x18ftypmp42" + bytes(500))
        frames = [Image.fromarray(picture(width, height)) for _ in range(2)]
        out = io.BytesIO()
        frames[0].save(out, "MPO", save_all=True, append_images=frames[1:])
        files.add("MPO", out.getvalue())
        gif = io.BytesIO()
        frames[0].save(gif, "PNG", save_all=True, append_images=frames[1:])
        files.add("PNG animated", gif.getvalue())


def add_turned(files):
    for orientation in range(10):
        exif = Image.Exif()
        exif[274] = orientation
        for width, height in SIZES:
            image = Image.fromarray(picture(width, height))
            for form, how in (("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}),
                              ("WEBP", {}), ("WEBP", {"lossless": True})):
                out = io.BytesIO()
                image.save(out, form, exif=exif.tobytes(), **how)
                files.add(f"{form} with EXIF", out.getvalue())




def main():
    with tempfile.TemporaryDirectory() as root:
        files = Files(root)
        for add in (add_png, add_pnm, add_bmp, add_tiff, add_webp, add_containers):
            add(files)
        bad = sum(compare(kind, paths, (64, 200), "truncated" in kind)
                  for kind, paths in files.kinds.items())
        turned = Files(Path(root) / "turned")
        turned.root.mkdir()
        add_turned(turned)
        for kind, paths in turned.kinds.items():
            bad += compare(kind, paths, (64, 200))
            bad += compare(kind + ", turned", paths, (64, 200), change=ImageOps.exif_transpose,
                           how=("generic", "turn"))
    sys.exit(1 if bad else 0)


main()
