#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Photographs of ImageNet's kind and number from a few: make_photographs.py FROM TO [N]

N JPEGs (1000), each with content of its own: cut at random from the photographs of the tree FROM,
some mirrored, with a longer side of 500 pixels, in two classes. From hymenoptera they have 80 kB on
average.
"""
import random
import sys
from pathlib import Path

from PIL import Image, ImageOps

source, target, count = Path(sys.argv[1]), Path(sys.argv[2]), int((sys.argv[3:] or ["1000"])[0])
draw = random.Random(1)
paths = sorted(p for p in source.glob("**/*") if p.suffix in (".jpg", ".jpeg"))
for i in range(count):
    image = Image.open(paths[i % len(paths)]).convert("RGB")
    share, shape = draw.uniform(0.7, 1), draw.choice((4 / 3, 4 / 3, 4 / 3, 3 / 2, 3 / 4, 1))
    width = int(share * min(image.width, image.height * shape))
    height = int(width / shape)
    x, y = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
    scale = 500 / max(width, height)
    cut = image.resize((round(width * scale), round(height * scale)), Image.BICUBIC,
                       (x, y, x + width, y + height))
    folder = target / ("even", "odd")[i % 2]
    folder.mkdir(parents=True, exist_ok=True)
    cut = ImageOps.mirror(cut) if draw.random() < 0.5 else cut
    cut.save(folder / f"{i:04}.jpg", quality=draw.choice((94, 96, 97)))
