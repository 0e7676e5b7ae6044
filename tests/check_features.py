#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares features with torch's, in float32 and float64.

    check_features.py FEATURES_DUMP [all | FAMILY...]

Families of torchvision with seeded random weights and BatchNorm statistics far from 0 and 1: three
of them, all ten (with three kinds of gains), or those named. With FIRN_DATA also its trained
ResNet-18 on its photographs.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from platform import machine

try:
    import numpy as np
    import torch
    import torchvision
    from PIL import Image
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

QUICK = ["resnet18", "resnet50", "resnext50_32x4d"]
ALL = QUICK + ["resnet34", "resnet101", "resnet152", "resnext101_32x8d", "resnext101_64x4d",
               "wide_resnet50_2", "wide_resnet101_2"]
BOUND_FAMILY = 3e-5  # max abs difference / rms of the features
BOUND_TRAINED = 1.5e-5
TIMES_TORCH = 8  # its own error, where the weights are no trained network's
TIMES_TORCH_DEEP = 3  # the same with 100 layers and more, where firn is careful
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

dump = sys.argv[1]
everything = sys.argv[2:] == ["all"]
families = ALL if everything else sys.argv[2:] or QUICK
kinds = ("small", "trained", "near 1") if everything else ("small",)
failed = False


def photographs(data, step):
    """Crops of photographs as torchvision's preset makes them."""
    crop = torchvision.transforms.Compose(
        [torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224)])
    paths = sorted(p for p in Path(data, "hymenoptera/val").rglob("*")
                   if p.suffix.lower() in (".jpg", ".jpeg"))
    return [np.asarray(crop(Image.open(p).convert("RGB"))) for p in paths[::step]]


def drawn(count):
    """Crops that need no file: waves of random direction, length and colour, and noise."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:224, 0:224]
    crops = []
    for i in range(count):
        image = np.zeros((224, 224, 3))
        for _ in range(12):
            a, b, phase = rng.normal(size=3) * (0.2, 0.2, 3)
            image += np.sin(a * x + b * y + phase)[..., None] * rng.normal(size=3) * 30
        image += rng.normal(size=image.shape) * 20 * (i % 3) + 110
        crops.append(np.clip(image, 0, 255).astype(np.uint8))
    return crops


def tensor(crops):
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
    return pixels.float().div(255).sub_(MEAN).div_(STD)


def gain(name, net, gains):
    """Range of the gains of a BatchNorm layer."""
    last = name.endswith("bn3" if hasattr(net.layer1[0], "conv3") else "bn2")
    if gains == "small":
        return (0.1, 0.5) if last else (0.5, 1.5)
    if gains == "near 1":
        return 0.5, 1.5
    if last and name.startswith(f"layer4.{len(net.layer4) - 1}."):
        return 1.5, 2.7
    if "downsample" in name:
        return 0.05, 0.5
    return (0.1, 0.7) if last else (0.15, 0.5)


def random_network(family, images, gains):
    """
    Default weights; BatchNorm measured on `images`, then moved away from what was measured.

    Random weights make no trained network: errors grow from block to block, torch's own too, by how
    much depends on the gains. "small": the branch of a block is small beside what it is added to;
    torch then errs as it does with trained weights, 1e-6 to 1e-5 (resnet152: 1.6e-5), and the
    stated bound holds.
    "trained": gains drawn from where those of torchvision's trained ResNet-18 lie; "near 1": all
    around 1. There torch itself errs by up to 3e-4 in the deep families, and firn, whose transforms
    of maps cost a few bits, is held to a multiple of that.
    """
    torch.manual_seed(sum(map(ord, family)))
    net = getattr(torchvision.models, family)(weights=None)
    layers = {n: m for n, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    for name, m in layers.items():
        m.weight.data.uniform_(*gain(name, net, gains))
        m.bias.data.normal_(*((-0.1, 0.15) if gains == "trained" else (0, 0.2)))
        m.momentum = 1.0
    net.train()
    with torch.no_grad():
        net(images)
    for m in layers.values():
        m.running_mean += m.running_var.sqrt() * torch.randn_like(m.running_mean) * 0.2
        m.running_var *= torch.empty_like(m.running_var).uniform_(0.6, 1.6)
    return net


def features_torch(net, images, dtype):
    net = net.to(dtype).eval()
    net.fc = torch.nn.Identity()
    with torch.no_grad():
        return torch.cat([net(images[i:i + 8].to(dtype)) for i in range(0, len(images), 8)]).numpy()


def features_firn(path, crops, *options):
    raw = subprocess.run([dump, path, *options], input=b"".join(c.tobytes() for c in crops),
                         stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, "<f4").reshape(len(crops), -1)


def compare(name, net, path, crops, bound, hard=False):
    """All batch sizes must agree to the bit, all instruction sets to the bound."""
    global failed
    images = tensor(crops)
    single = features_torch(net, images, torch.float32)
    double = features_torch(net, images, torch.float64)
    rms = np.sqrt((double ** 2).mean())
    got = features_firn(path, crops)
    to_single = np.abs(got - single).max() / rms
    to_double = np.abs(got - double).max() / rms
    own = np.abs(single - double).max() / rms
    if hard:
        deep = sum(isinstance(m, torch.nn.Conv2d) for m in net.modules()) > 60
        bound = max(bound, (TIMES_TORCH_DEEP if deep else TIMES_TORCH) * own)
    good = max(to_single, to_double) <= bound
    text = f"{name}: {len(crops)} crops, to torch float32 {to_single:.2e}, to float64 " \
           f"{to_double:.2e} (torch's own {own:.2e}, bound {bound:.1e})"
    for batch in ("1", "5", "32"):
        few = crops[:11]
        if features_firn(path, few, "--batch", batch).tobytes() != got[:len(few)].tobytes():
            good, text = False, text + f", other bits with batches of {batch}"
    for cpu, few in [("generic", crops[:1])] + [("sse4", crops)] * (machine() == "x86_64"):
        error = np.abs(features_firn(path, few, "--cpu", cpu) - double[:len(few)]).max() / rms
        good &= error <= bound
        text += f", {cpu} {error:.2e}"
    print(("ok   " if good else "FAIL ") + text, flush=True)
    failed |= not good


data = os.environ.get("FIRN_DATA")
torch.set_num_threads(max(1, len(os.sched_getaffinity(0))))
crops = drawn(3) + (photographs(data, 51) if data and everything else [])
with tempfile.TemporaryDirectory() as folder:
    for family, gains in [(f, g) for f in families for g in kinds]:
        path = os.path.join(folder, family + ".pth")
        net = random_network(family, tensor(crops), gains)
        torch.save(net.state_dict(), path)
        compare(f"{family}, gains {gains}", net, path, crops, BOUND_FAMILY, gains != "small")
        os.remove(path)
trained = data and Path(data, "weights/resnet18_imagenet_like.pth")
if trained and trained.exists():
    net = torchvision.models.resnet18(weights=None)
    net.load_state_dict(torch.load(trained))
    compare("trained resnet18", net, str(trained), photographs(data, 1 if everything else 16),
            BOUND_TRAINED)
sys.exit(failed)
