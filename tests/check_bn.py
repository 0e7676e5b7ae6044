#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""BatchNorm statistics against torch: check_bn.py FIRN SAMPLES [FAMILY].

With FIRN_DATA and no FAMILY, hymenoptera/train with the weights there, else drawn samples with
seeded weights and small crops. What is compared: cumulative with torch.optim.swa_utils.update_bn,
ema with a pass in training mode, population with moments pooled in float64, sequential with its own
promise, taken with torch as the network; the statistics as torch loads them; and the features that
they make.
"""
import json
import struct
import sys

from firn_test import Bench, data, need

numpy, torch, torchvision = need("numpy", "torch", "torchvision")
family = (sys.argv[3:] or ["resnet18"])[0]
real = data() and not sys.argv[3:]
RELATIVE = 1e-5 if real else 3e-5  # of a variance; of a mean: in deviations
FEATURES = 1e-4
if family != "resnet18":  # more layers, and no more values to take the last ones' variance of
    RELATIVE, FEATURES = 5e-4, 2e-3
t = Bench(sys.argv)
torch.set_num_threads(2)
transforms = torchvision.transforms


def seeded(path):
    torch.manual_seed(1)
    network = getattr(torchvision.models, family)()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.3, 1)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    with torch.no_grad():
        network.bn1.weight[3] *= -1  # the channels whose kernels are turned
        network.bn1.weight[60] *= -1
    torch.save(network.state_dict(), path)


if real:
    photos, resize, crop, batch = data() / "hymenoptera" / "train", 256, 224, 32
    weights = next((data() / "weights").glob("resnet18*.pth"))
else:
    photos, resize, crop, batch = t.draw("photos", 6), 72, 64, 5
    weights = t.dir / "seeded.pth"
    seeded(weights)
folder = torchvision.datasets.ImageFolder(str(photos), transforms.Compose([
    transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]))
images = torch.stack([x for x, _ in folder])
batches = [images[i:i + batch] for i in range(0, len(images), batch)]


def network(stats=None):
    net = getattr(torchvision.models, family)()
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    net.fc = torch.nn.Identity()
    if stats:
        missing = net.load_state_dict(stats, strict=False)
        t.check(not missing.unexpected_keys, "torch knows every name")
    return net


def layers(net):
    return {n: m for n, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}


def read(path):
    """A .safetensors file of float32 as torch tensors, and its metadata."""
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    meta = header.pop("__metadata__")
    out = {}
    for name, entry in header.items():
        begin, end = (8 + size + o for o in entry["data_offsets"])
        numbers = numpy.frombuffer(raw[begin:end], "<f4").reshape(entry["shape"])
        out[name] = torch.from_numpy(numbers.copy())
    return out, meta


def estimate(method, *more):
    path = t.dir / f"{method}.safetensors"
    t.run("bn", "estimate", "-q", "-m", weights, "-o", path, "--method", method, "--resize",
          resize, "--crop", crop, *more, photos)
    return (path, *read(path))


def dead_of(meta):
    dead = set()
    for part in filter(None, meta.get("dead_channels", "").split(", ")):
        name, *channels = part.split()
        dead |= {(name, int(c)) for c in channels}
    t.check(len(dead) == int(meta["dead"]), "every dead channel is listed")
    return dead


def live(name, channels, dead):
    return torch.tensor([(name, c) not in dead for c in range(channels)])


def compare(method, stats, meta, expected):
    dead, worst = dead_of(meta), [0, 0]
    for name, (mean, var) in expected.items():
        mine = [stats[f"{name}.running_mean"].double(), stats[f"{name}.running_var"].double()]
        on = live(name, len(mean), dead)
        mean, var = mean.double(), var.double()
        worst[0] = max(worst[0], ((mine[0] - mean).abs() / var.sqrt())[on].max().item())
        worst[1] = max(worst[1], ((mine[1] - var).abs() / var)[on].max().item())
    print(f"{method}: means {worst[0]:.1e} deviations, variances {worst[1]:.1e} relative, "
          f"{len(dead)} dead (bound {RELATIVE:.0e})")
    t.check(max(worst) <= RELATIVE, f"{method} statistics")


def features_torch(net):
    net.eval()
    with torch.no_grad():
        return numpy.concatenate([net(x).numpy() for x in batches])


def features_firn(bn):
    cache = t.dir / ("cache" + str(bn).replace("/", "_").replace(":", "_"))
    t.run("extract", "-q", "-m", weights, "-o", cache, "--bn", bn, "--resize", resize, "--crop",
          crop, photos)
    t.run("export", "-q", cache, "-o", t.dir / "out.npz")
    return numpy.load(t.dir / "out.npz")["features"]


def check_features(what, got, expected, bound=FEATURES):
    rms = numpy.sqrt(numpy.mean(expected.astype(numpy.float64) ** 2))
    worst = numpy.abs(got.astype(numpy.float64) - expected).max() / rms
    print(f"features, {what}: max abs difference / rms {worst:.1e} (bound {bound:.0e})")
    t.check(worst <= bound, f"features of {what}")


def pooled(hooked):
    """Population statistics in float64: (n, mean, M2) of every batch, merged."""
    net = network().double().train()
    sums = {}

    def look(name):
        def hook(_, inputs):
            x = inputs[0]
            n = x.numel() // x.shape[1]
            mean = x.mean((0, 2, 3))
            m2 = ((x - mean[:, None, None]) ** 2).sum((0, 2, 3))
            if name in sums:
                na, ma, sa = sums[name]
                d = mean - ma
                mean, m2 = ma + d * n / (na + n), sa + m2 + d * d * na * n / (na + n)
                n += na
            sums[name] = n, mean, m2
        return hook
    for name, module in layers(net).items():
        module.register_forward_pre_hook(look(name))
    with torch.no_grad():
        for x in hooked:
            net(x.double())
    return {name: (mean, m2 / n) for name, (n, mean, m2) in sums.items()}


def statistics(net):
    return {name: (m.running_mean, m.running_var) for name, m in layers(net).items()}


def check_cumulative():
    path, stats, meta = estimate("cumulative", "--batch", batch)
    net = network()
    torch.optim.swa_utils.update_bn(batches, net)
    compare("cumulative", stats, meta, statistics(net))
    check_features("cumulative", features_firn(path), features_torch(net))


def check_ema():
    _, stats, meta = estimate("ema", "--batch", batch)
    net = network().train()
    with torch.no_grad():
        for x in batches:
            net(x)
    compare("ema", stats, meta, statistics(net))


def check_population():
    _, stats, meta = estimate("population", "--batch", batch, "--order", "folder")
    compare("population", stats, meta, pooled(batches))


def check_sequential():
    """What the frozen network normalises has mean 0 and variance 1, as torch computes it."""
    path, stats, meta = estimate("sequential")
    net, seen = network(stats).eval(), {}

    def look(name):
        def hook(module, inputs):
            x = inputs[0].double()
            x = (x - module.running_mean[:, None, None]) / \
                torch.sqrt(module.running_var.double() + module.eps)[:, None, None]
            n, s, q = seen.get(name, (0, 0, 0))
            seen[name] = (n + x.numel() // x.shape[1], s + x.sum((0, 2, 3)),
                          q + (x * x).sum((0, 2, 3)))
        return hook
    for name, module in layers(net).items():
        module.register_forward_pre_hook(look(name))
    expected = features_torch(net)
    dead, means, variances = dead_of(meta), 0, 0
    for name, (n, s, q) in seen.items():
        on = live(name, len(s), dead)
        means = max(means, (s / n)[on].abs().max().item())
        variances = max(variances, (q / n - (s / n) ** 2 - 1)[on].abs().max().item())
    print(f"sequential: means 0 +- {means:.1e}, variances 1 +- {variances:.1e}, {len(dead)} dead")
    t.check(means <= 1e-4 and variances <= 1e-3, "sequential normalises")
    check_features("sequential", features_firn(path), expected)


def check_apply():
    """The whole checkpoint: torch takes it, firn makes the same features of it."""
    path = t.dir / "sequential.safetensors"
    whole = t.dir / "whole.safetensors"
    t.run("bn", "apply", "-q", "-m", weights, "-o", whole, path)
    stats, (tensors, _) = read(path)[0], read(whole)
    net = getattr(torchvision.models, family)()
    net.load_state_dict(torch.load(weights, map_location="cpu"))
    expected = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
    expected.update(stats)
    t.check(expected.keys() == tensors.keys() and all(
        torch.equal(v, tensors[k]) for k, v in expected.items()), "the checkpoint's tensors")
    models = [json.loads(t.run("model", "--json", m)) for m in (weights, whole)]
    t.check(models[0]["trunk_hash"] == models[1]["trunk_hash"], "the checkpoint's trunk")
    t.check(models[0]["batchnorm_hash"] != models[1]["batchnorm_hash"], "its statistics")


check_cumulative()
check_ema()
check_population()
check_sequential()
check_apply()
t.end()
