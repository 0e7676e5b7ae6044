#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Small photographs of every format, and weight files, for the fuzz targets.

    seeds.py DIR                    writes DIR/{jpeg,png,pnm,bmp,tiff,webp,weights}/*
    seeds.py --run NAME PROGRAM N   runs PROGRAM on the seeds of NAME and N mutations of each
"""
import io
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    from PIL import Image
except ImportError as missing:
    if "weights" not in sys.argv:
        print(f"SKIP: {missing}")
        sys.exit(77)

chance = random.Random(3)


def image(mode, width=23, height=17):
    small = Image.new("RGB", (5, 4))
    small.putdata([tuple(chance.randrange(256) for _ in range(3)) for _ in range(20)])
    return small.resize((width, height)).convert(mode)


def encoded(form, mode, size=(23, 17), **options):
    out = io.BytesIO()
    image(mode, *size).save(out, form, **options)
    return out.getvalue()


def with_restarts(data):
    """A restart interval of as many blocks as the photograph has, which changes no coded bit."""
    at = data.index(b"\xff\xda")
    return data[:at] + b"\xff\xdd\0\4\0\x09" + data[at:]


def numbers(kind, most, bands):
    values = [chance.randrange(most + 1) for _ in range(6 * 5 * bands)]
    if kind in "123":
        return f"P{kind} 6 5 {most} ".replace(" 1 ", " " if kind == "1" else " 1 ").encode() + \
            b" ".join(b"%d" % v for v in values) + b"\n"
    data = b"".join(v.to_bytes(2 if most > 255 else 1, "big") for v in values)
    return f"P{kind} 6 5 {most}\n".encode() + data


def weights():
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from weights_files import (safetensors, state_dict, tensor, torch_legacy, torch_tar, torch_zip)
    floats = struct.pack("<4f", 1, 2, 3, 4)
    state = state_dict({"w": tensor("0", (4,)), "v": tensor("0", (2,), 4, offset=2)})
    yield torch_zip(state, {"0": floats})
    yield torch_zip(state, {"0": floats}, zip64=True)
    yield torch_legacy(state, {"0": (floats, 4)})
    for how in ("tensor", "reduce", "newobj"):
        yield torch_tar({"w": ((4,), floats)}, how=how)
    header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
              "v": {"dtype": "F16", "shape": [2, 2], "data_offsets": [8, 16]},
              "__metadata__": {"format": "pt"}}
    yield safetensors(header, floats)


def seeds(name):
    if name == "weights":
        yield from weights()
        return
    exif = Image.Exif()
    exif[274] = 6
    if name == "jpeg":
        for how in ({}, {"progressive": True}, {"subsampling": 0}, {"exif": exif.tobytes()},
                    {"subsampling": 1, "optimize": True}):
            yield encoded("JPEG", "RGB", quality=60, **how)
        yield with_restarts(encoded("JPEG", "L", quality=30))
        yield encoded("JPEG", "L")
        yield encoded("JPEG", "CMYK")
        yield encoded("JPEG", "RGB", (232, 220), quality=30)  # decoded at an eighth of its size
    elif name == "png":
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I"):
            yield encoded("PNG", mode)
        yield encoded("PNG", "RGB", exif=exif.tobytes())
    elif name == "pnm":
        for kind, most, bands in (("1", 1, 1), ("2", 300, 1), ("3", 9, 3), ("5", 255, 1),
                                  ("5", 999, 1), ("6", 255, 3), ("6", 65535, 3)):
            yield numbers(kind, most, bands)
        yield b"P4 9 3\n" + bytes(range(6))
    elif name == "bmp":
        for mode in ("1", "L", "P", "RGB", "RGBA"):
            yield encoded("BMP", mode)
        run_length = bytearray(encoded("BMP", "P"))
        run_length[30] = 1
        yield bytes(run_length)
    elif name == "tiff":
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"):
            yield encoded("TIFF", mode, tiffinfo={274: chance.randint(1, 8)})
        for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", "zstd", "lzma"):
            yield encoded("TIFF", "RGB", compression=compression)
        for compression in ("group3", "group4"):
            yield encoded("TIFF", "1", compression=compression)
        yield encoded("TIFF", "YCbCr", compression="tiff_lzw")
    elif name == "webp":
        for mode in ("RGB", "RGBA"):
            yield encoded("WEBP", mode)
            yield encoded("WEBP", mode, lossless=True)
        yield encoded("WEBP", "RGBA", save_all=True, append_images=[image("RGBA")])


def write(root, name):
    folder = Path(root) / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, data in enumerate(seeds(name)):
        paths.append(folder / f"{i:02}")
        paths[-1].write_bytes(data)
    return paths


def main():
    if sys.argv[1] != "--run":
        for name in ("jpeg", "png", "pnm", "bmp", "tiff", "webp", "weights"):
            write(sys.argv[1], name)
        return 0
    name, program, mutations = sys.argv[2:]
    with tempfile.TemporaryDirectory() as root:
        return subprocess.run([program, mutations, *map(str, write(root, name))]).returncode


sys.exit(main())
