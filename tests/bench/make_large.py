#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""12-megapixel JPEGs as cameras write them: make_large.py FROM TO [N]

Photographs from the tree FROM, enlarged to 4000 x 3000 with the grain of a sensor, quality 92.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image

source, target, count = Path(sys.argv[1]), Path(sys.argv[2]), int((sys.argv[3:] or ["12"])[0])
rng = np.random.default_rng(1)
target.mkdir(parents=True, exist_ok=True)
for i, path in enumerate(sorted(source.glob("**/*.jpg"))[:count]):
    large = np.asarray(Image.open(path).convert("RGB").resize((4000, 3000), Image.BICUBIC))
    noisy = np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(target / f"{i:03}.jpg", quality=92)
