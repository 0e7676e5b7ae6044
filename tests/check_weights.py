#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What firn reads from weight files against what torch holds, bit for bit.

    check_weights.py MODEL_DUMP [all]

Random networks of three families, with "all" of ten, saved in every format that firn reads. Also
reads $FIRN_DATA/weights/*.pth. Skipped (77) without torch and torchvision.
"""
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tempfile

import weights_files

try:
    import numpy as np
    import torch
    import torchvision
except ImportError as e:
    print(f"SKIP: {e}")
    sys.exit(77)

DUMP = sys.argv[1]
FAMILIES = ["resnet18", "resnet50", "resnext50_32x4d"]
OTHERS = ["resnet34", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2",
          "resnext101_32x8d", "resnext101_64x4d"]
# Wrappings that are worth reading in the legacy form too, even in the short run.
ALL = "all" in sys.argv
TWICE = ("state_dict", "parameters", "views of one storage")
count = 0


def random_network(family, seed):
    """Trunk and fc of `family` with numbers that are none of the defaults."""
    model = getattr(torchvision.models, family)(weights=None)
    torch.manual_seed(seed)
    state = model.state_dict()
    for name, t in state.items():
        if name.endswith("running_var"):
            t.uniform_(0.1, 2)
        elif t.is_floating_point():
            t.normal_(0, 0.1)
        else:
            t.fill_(1000)
    return state


def trunk(state):
    return {k: v for k, v in state.items() if not k.startswith("fc.") and "num_batches" not in k}


def hashes(state, known=[None, None]):
    """The two hashes of model_hash.h, computed anew for each network."""
    if known[0] is state:
        return known[1]
    two = [hashlib.blake2b(digest_size=32) for _ in range(2)]
    for name, t in trunk(state).items():
        h = two["running" in name]
        h.update((name + "".join(f" {n}" for n in t.shape) + "\n").encode())
        h.update(t.contiguous().numpy().tobytes())
    known[:] = [state, [h.hexdigest() for h in two]]
    return known[1]


def dump(path):
    """The facts, and each tensor's bytes in firn's order."""
    with tempfile.TemporaryFile(dir=room) as f:
        subprocess.run([DUMP, path], stdout=f, check=True)
        f.seek(0)
        line, tensors = f.readline(), {}
        if line.startswith(b"refused"):
            sys.exit(f"{path}: refused")
        for head in iter(f.readline, b""):
            name, n = head.decode().split()
            tensors[name] = f.read(4 * int(n))
    return json.loads(line), tensors


def check(what, path, state, **facts):
    """`state` is what the file holds, in float32, named as torchvision does."""
    global count
    info, tensors = dump(path)
    expected = trunk(state)
    assert list(tensors) == list(expected), f"{what}: other tensors"
    for name, t in expected.items():
        assert t.contiguous().numpy().tobytes() == tensors[name], f"{what}: {name} differs"
    assert [info["trunk"], info["batchnorm"]] == hashes(state), f"{what}: other hashes"
    for key, value in facts.items():
        assert info[key] == value, f"{what}: {key} is {info[key]}, expected {value}"
    count += 1


def write_safetensors(path, state):
    kinds = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
             torch.float64: "F64", torch.int64: "I64"}
    header, data = {"__metadata__": {"format": "pt"}}, io.BytesIO()
    for name, t in state.items():
        raw = t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": kinds[t.dtype], "shape": list(t.shape),
                        "data_offsets": [data.tell(), data.tell() + len(raw)]}
        data.write(raw)
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(raw)) + raw + data.getbuffer())


def cast(state, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}


def check_family(family, folder):
    """One network in the three containers, and in half precision."""
    state = random_network(family, 1)
    facts = dict(family=family, has_fc=True, classes=1000, ignored=0, zero_tracked=False,
                 tensors=len(state), parameters=sum(t.numel() for t in trunk(state).values()))
    path = os.path.join(folder, f"{family}.pth")
    torch.save(state, path)
    check(f"{family} zip", path, state, format="torch-zip", **facts)
    if family == "resnet18" or ALL:
        torch.save(state, path, _use_new_zipfile_serialization=False)
        check(f"{family} legacy", path, state, format="torch-legacy", **facts)
        write_safetensors(path, state)
        check(f"{family} safetensors", path, state, format="safetensors", **facts)
    half = cast(state, torch.float16)
    torch.save(half, path)
    check(f"{family} half", path, cast(half, torch.float32), **facts)
    os.remove(path)


def check_precisions(folder):
    """Every float type in every container; the numbers include all kinds of half floats."""
    path = os.path.join(folder, "p")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        state = random_network("resnet18", 2)
        weight = state["layer4.0.conv1.weight"]
        patterns = torch.from_numpy(np.arange(65536, dtype=np.uint16).view(np.int16).copy())
        every = patterns.view(dtype if dtype != torch.float64 else torch.float16).float()
        weight.view(-1)[:65536] = torch.where(every.isfinite(), every, torch.zeros(()))
        stored = cast(state, dtype)
        held = cast(stored, torch.float32)
        torch.save(stored, path)
        check(f"{dtype} zip", path, held)
        torch.save(stored, path, _use_new_zipfile_serialization=False)
        check(f"{dtype} legacy", path, held)
        write_safetensors(path, stored)
        check(f"{dtype} safetensors", path, held)


def check_wrappings(folder):
    """How programs wrap, name and lay out the same numbers."""
    state = random_network("resnet18", 3)
    plain = dict(state)
    path = os.path.join(folder, "w")
    model = torchvision.models.resnet18(weights=None)
    model.load_state_dict(state)
    optimizer = torch.optim.Adam(model.parameters())
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    model.load_state_dict(state)

    def both(what, value, **facts):
        for new in (True, False) if what in TWICE or ALL else (True,):
            torch.save(value, path, _use_new_zipfile_serialization=new)
            check(f"{what} {'zip' if new else 'legacy'}", path, plain, **facts)

    both("plain dict", plain)
    both("state_dict", {"epoch": 90, "arch": "resnet18", "state_dict": state, "best": 69.758,
                        "done": False, "none": None, "big": 1 << 80, "minus": -3,
                        "history": [0.5] * 3000, "optimizer": optimizer.state_dict()})
    both("model", {"model": state, "args": {"lr": 0.1, "sizes": (1, 2, 3)}})
    both("nested", {"model": {"state_dict": state}})
    both("module.", {f"module.{k}": v for k, v in state.items()})
    both("backbone.", {**{f"backbone.{k}": v for k, v in state.items()},
                       "head.weight": torch.zeros(3, 512)}, ignored=1)
    both("parameters", {k: torch.nn.Parameter(v) if v.is_floating_point() else v
                        for k, v in state.items()})
    both("trunk only", trunk(state), has_fc=False, classes=0, zero_tracked=True)
    old = {k: v for k, v in state.items() if "num_batches" not in k}
    both("no num_batches_tracked", old, zero_tracked=True, has_fc=True)
    both("no _metadata", {k: v for k, v in state.items()})

    flat = torch.cat([t.reshape(-1) for t in state.values() if t.is_floating_point()])
    views, at = {}, 0
    for name, t in state.items():
        if t.is_floating_point():
            views[name] = flat[at:at + t.numel()].view(t.shape)
            at += t.numel()
    both("views of one storage", views)
    both("channels last", {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4
                           else v for k, v in state.items()})
    both("transposed", {k: v.t().contiguous().t() if v.ndim == 2 else
                        v.transpose(0, 3).contiguous().transpose(0, 3) if v.ndim == 4 else v
                        for k, v in state.items()})
    both("every second", {k: torch.stack([v, v + 1], -1)[..., 0] if v.is_floating_point() else v
                          for k, v in state.items()})
    ones = {k: torch.ones(1).expand(v.shape) if k.endswith("bn1.weight") else v
            for k, v in state.items()}
    torch.save(ones, path)
    check("expanded", path, ones)

    renamed = os.path.join(folder, "resnet18-f37072fd.pth")
    torch.save(state, renamed)
    check("published name", renamed, state, preset="IMAGENET1K_V1", resize=256)


def check_tar(folder):
    """The form of torchvision's first weights; torch says whether the generator is right."""
    state = random_network("resnet18", 4)
    old = {k: v for k, v in state.items() if "num_batches" not in k}
    raw = {k: (tuple(v.shape), v.numpy().tobytes()) for k, v in old.items()}
    path = os.path.join(folder, "resnet18-5c106cde.pth")
    for how in ("tensor", "reduce", "newobj"):
        for python2 in (False, True) if ALL else (how == "reduce",):
            with open(path, "wb") as f:
                f.write(weights_files.torch_tar(raw, how=how, old=python2))
            for name, t in torch.load(path, map_location="cpu").items():
                assert torch.equal(t, old[name]), f"the generator's {how}: {name}"
            check(f"tar {how}", path, old, format="torch-tar", zero_tracked=True, classes=1000)


def check_real(folder):
    data = os.path.join(os.environ.get("FIRN_DATA", ""), "weights")
    for name in sorted(os.listdir(data)) if os.path.isdir(data) else []:
        if name.endswith(".pth"):
            path = os.path.join(data, name)
            check(name, path, torch.load(path, map_location="cpu"))


# Memory if there is some: the files are many, and of 45 to 500 MB.
room = "/dev/shm" if os.access("/dev/shm", os.W_OK) and not ALL else None
with tempfile.TemporaryDirectory(dir=room) as tmp:
    torch.set_num_threads(1)
    for f in FAMILIES + (OTHERS if ALL else []):
        check_family(f, tmp)
    check_precisions(tmp)
    check_wrappings(tmp)
    check_tar(tmp)
    check_real(tmp)
print(f"{count} files read, all numbers equal")
