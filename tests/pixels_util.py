# SPDX-License-Identifier: MIT
"""What the comparisons of pixels with Pillow share. Skips the test where Pillow is missing."""
import io
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

try:
    import numpy as np
    from PIL import Image, ImageOps
    from PIL import __version__ as pillow_version
    from torchvision import __version__ as torchvision_version
    from torchvision.transforms import CenterCrop, Compose, Resize
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

warnings.simplefilter("ignore")
DUMP = sys.argv[1]
ON_PURPOSE = 78  # FIRN_CONFIG: a limit, or a kind that is left out with a reason
versions = f"Pillow {pillow_version}, torchvision {torchvision_version}"
rng = np.random.default_rng(1)


def picture(width, height, bands=3):
    """Smooth shapes, edges and noise, so that neither DCT nor weights have an easy time."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = []
    for band in range(bands):
        a, b = rng.uniform(0.005, 0.2, 2)
        plane = 127 + 100 * np.sin(a * x + band) * np.cos(b * y)
        plane[(x // (7 + 5 * band) + y // 11) % 5 == 0] = rng.integers(0, 256)
        plane += rng.normal(0, 12, plane.shape)
        planes.append(np.clip(plane, 0, 255).astype(np.uint8))
    return np.dstack(planes) if bands > 1 else planes[0]


def pillow_jpeg(array, mode=None, **options):
    out = io.BytesIO()
    Image.fromarray(array, mode).save(out, "JPEG", **options)
    return out.getvalue()


def pillow_save(width, height, mode, form, **options):
    """A picture of any mode and format that Pillow writes."""
    if mode in ("RGBA", "CMYK"):
        image = Image.fromarray(picture(width, height, 4), mode)
    elif mode in ("I", "F", "I;16"):
        image = Image.fromarray(picture(width, height, 1).astype(np.int32) * 3 - 100)
        image = image.convert(mode)
    elif mode == "LAB":
        image = Image.fromarray(picture(width, height), mode)
    else:
        image = Image.fromarray(picture(width, height)).convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


class Files:
    """Generated files of one kind after another, in a scratch directory."""

    def __init__(self, root):
        self.root, self.kinds, self.skipped = Path(root), {}, {}

    def add(self, kind, data):
        paths = self.kinds.setdefault(kind, [])
        path = self.root / f"{list(self.kinds).index(kind):02}_{len(paths):04}.jpg"
        path.write_bytes(data)
        paths.append(str(path))

    def skip(self, kind, why):
        self.skipped[kind] = why


def pillow_crops(paths, transform, change=lambda image: image):
    for path in paths:
        try:
            with open(path, "rb") as file:
                yield np.asarray(transform(change(Image.open(file)).convert("RGB"))).tobytes()
        except Exception as why:  # Pillow raises many kinds; each is a refusal
            yield why


def dump(paths, resize, crop, *how):
    """What pixels_dump writes."""
    command = [DUMP, str(resize), str(crop), *how]
    return subprocess.run(command, input="\n".join(paths).encode() + b"\n",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout


def firn_crops(paths, resize, crop, *how):
    out, at = dump(paths, resize, crop, *how), 0
    for _ in paths:
        status = out[at]
        at += 1
        yield out[at : at + crop * crop * 3] if status == 0 else status
        at += 0 if status else crop * crop * 3


HEAD = (f"{'kind':28} {'spec':9} {'files':>5} {'identical':>9} {'both refuse':>12} "
        f"{'left out':>9} {'different':>9}")


def compare(kind, paths, spec, stricter=False, change=lambda image: image, how=()):
    """
    Prints one row of the table; returns how many files differ. With `stricter`, a file that Pillow
    accepts and firn calls corrupt counts as left out, too. `change` is done to Pillow's image
    first, `how` is said to firn.
    """
    global HEAD
    transform = Compose([Resize(spec[0]), CenterCrop(spec[1])])
    same = refused = left_out = bad = 0
    for path, want, got in zip(paths, pillow_crops(paths, transform, change),
                               firn_crops(paths, *spec, *how)):
        accepted = isinstance(want, bytes)
        if accepted and want == got:
            same += 1
        elif not accepted and not isinstance(got, bytes):
            refused += 1
        elif accepted and (got == ON_PURPOSE or (stricter and not isinstance(got, bytes))):
            left_out += 1
        else:
            bad += 1
            if bad <= 3:
                text = "accepts" if accepted else f"refuses ({want})"
                mine = "accepts" if isinstance(got, bytes) else f"refuses ({got})"
                print(f"    {path}: Pillow {text}, firn {mine}")
            if len(sys.argv) > 2:
                shutil.copy(path, sys.argv[2])
    if HEAD:
        print(HEAD)
        HEAD = None
    print(f"{kind:28} {spec[0]:4}/{spec[1]:<4} {len(paths):5} {same:9} {refused:12} {left_out:9} "
          f"{bad:9}")
    return bad
