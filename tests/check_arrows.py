#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fails when an include points against the arrows of the design.

    tools -> include        the files of src -> everything        tests -> everything
    bn -> pipeline, image, model, trunk, cache, base    trunk -> model
    pipeline -> image, model, trunk, cache, base
    watch -> pipeline, cache, base
    image, model, trunk, cache, probe -> base           everything -> include

The probe reads caches as any other program does: by include/firn/cache.h. A stage never knows
another stage, and each third-party header is included in one .c file only.
"""
import re
import sys
from pathlib import Path

MAY = {
    "base": {"base"},
    "image": {"image", "base"},
    "model": {"model", "base"},
    "trunk": {"trunk", "model", "base"},
    "cache": {"cache", "base"},
    "probe": {"probe", "base"},
    "bn": {"bn", "pipeline", "image", "model", "trunk", "cache", "base"},
    "watch": {"watch", "pipeline", "cache", "base"},
    "pipeline": {"pipeline", "image", "model", "trunk", "cache", "base"},
}
THIRD = ("liburing.h", "jpeglib.h", "jerror.h", "jpegint.h", "blis.h", "blis/blis.h", "zstd.h",
         "xxhash.h", "lbfgs.h", "ini.h", "seccomp.h", "hdf5.h")
STAGES = {"scan", "follow", "read", "decode", "infer", "sink"}

root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
bad, used = [], {}
for path in sorted(root.glob("**/*.[ch]")):
    rel = path.relative_to(root)
    top = rel.parts[0]
    if top not in ("src", "include", "tools"):
        continue
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        kind, name = match.groups()
        where = f"{rel}:{number}"
        if name in THIRD:
            used.setdefault(name, set()).add(str(rel))
            continue
        folder = name.split("/")[0]
        if kind == "<" and "/" not in name or folder == "firn":
            continue
        if kind == "<":
            continue
        if top == "tools":
            if not (root / "tools" / name).exists():
                bad.append(f"{where}: tools include only include/firn and tools: {name}")
        elif top == "include":
            bad.append(f"{where}: a public header may include public headers only: {name}")
        elif len(rel.parts) > 2:
            here = rel.parts[1]
            if folder not in MAY[here]:
                bad.append(f"{where}: {here} may not know {name}")
            stem = Path(name).stem
            if here == "pipeline" and folder == "pipeline":
                mine = rel.stem.split("_")[0]
                if mine in STAGES and stem.split("_")[0] in STAGES and stem.split("_")[0] != mine:
                    bad.append(f"{where}: a stage never knows another stage: {name}")
for name, files in used.items():
    if len(files) > 1:
        bad.append(f"{name} is included in more than one file: {', '.join(sorted(files))}")
print("\n".join(bad) if bad else "arrows: all includes point the right way")
sys.exit(1 if bad else 0)
