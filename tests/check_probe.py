#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""firn probe beside scikit-learn and PyTorch: check_probe.py FIRN SAMPLES MAKE_CACHE.

Made-up features. The layer against LogisticRegression in float64, the SGD head against torch's
SGD and StepLR with the same first values and shuffles, and the file of the layer against what was
printed. Without scikit-learn or torch the rest is checked.
"""
import json
import math
import subprocess
import sys

from firn_test import Bench, need

numpy, = need("numpy")
t = Bench(sys.argv)
if b"liblbfgs" in subprocess.run([t.firn, "probe", "nothing"], stderr=subprocess.PIPE).stderr:
    print("SKIP: built without liblbfgs")
    sys.exit(77)
ROWS, DIM = 1500, 40
skipped = []


def build(name, rows, classes, *more):
    subprocess.run([sys.argv[3], t.dir / name, *map(str, (rows, DIM, classes, *more))], check=True)
    return t.dir / name


def make(name, rows, classes, seed, spread):
    build(name, rows, classes, seed, spread)
    t.run("export", "-q", t.dir / name, "-o", t.dir / f"{name}.npz")
    data = numpy.load(t.dir / f"{name}.npz")
    return t.dir / name, data["features"].astype(numpy.float64), data["labels"]


def probe(*args):
    return json.loads(t.run("probe", "--json", "-q", *args))


def check_layer(train, val, classes, scale):
    """Against the minimum in float64, on features standardised in the same way."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        skipped.append(f"no python3-sklearn: {error}")
        return
    C = 0.05
    result = probe("-C", C, "--scale", scale, "--epochs", 0, "-o", t.dir / "head.npz", train[0],
                   val[0])
    head = numpy.load(t.dir / "head.npz")
    mean, var = train[1].mean(0), train[1].var(0)
    deviation = numpy.sqrt(var if scale == "each" else numpy.full(DIM, var.mean()))
    model = LogisticRegression(C=C, multi_class="multinomial", tol=1e-9, max_iter=10000)
    model.fit((train[1] - mean) / deviation, train[2])
    weight, bias = model.coef_ / deviation, model.intercept_
    if classes == 2: # scikit-learn folds the two symmetric halves into one
        weight, bias = numpy.vstack([-weight, weight]), numpy.concatenate([-bias, bias])
    bias = bias - weight @ mean
    bias -= bias.mean() - head["bias"].mean() # softmax does not know a common offset
    error = max(abs(head["weight"] - weight).max() / abs(weight).max(),
                abs(head["bias"] - bias).max() / abs(bias).max())
    t.check(error < 5e-4, f"{classes} classes, {scale}: layer differs by {error}")
    right = int((model.predict((val[1] - mean) / deviation) == val[2]).sum())
    t.check(abs(result["right"] - right) <= 1, f"{result['right']} right, scikit-learn {right}")


def check_file(train, val):
    """The layer as written gives, on features as they are, what was printed."""
    whole = probe("-j", 1, "-o", t.dir / "head.npz", train[0], val[0])
    other = probe("-j", 3, "-o", t.dir / "head.safetensors", train[0], val[0])
    del whole["seconds"], other["seconds"]
    t.check(whole == other, "the number of threads changes the result")
    head = numpy.load(t.dir / "head.npz", allow_pickle=False)
    said = (val[1] @ head["weight"].T + head["bias"]).argmax(1)
    t.check(int((said == val[2]).sum()) == whole["right"], "the file gives another accuracy")
    t.check(whole["right"] / whole["val"] == whole["val_accuracy"], whole["val_accuracy"])
    low, high = whole["ci95"]
    t.check(low < whole["val_accuracy"] < high, whole["ci95"])
    cells = {(a, b): n for a, b, n in whole["confusion"]}
    for (a, b), n in cells.items():
        t.check(n == int(((val[2] == a) & (said == b)).sum()), f"confusion of {a} and {b}")
    t.check(sum(cells.values()) == whole["val"], "confusion")
    t.check([c["name"] for c in whole["classes"]] == head["classes"].tolist(), "class names")
    t.check(json.loads(str(head["fingerprint"])) == whole["fingerprint"], "fingerprint")
    t.check(json.loads(str(head["probe"]))["C"] == whole["C"], "provenance")
    raw = (t.dir / "head.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    about = json.loads(raw[8:8 + size])
    for name in ("weight", "bias"):
        begin, end = about[name]["data_offsets"]
        t.check(raw[8 + size + begin:8 + size + end] == head[name].tobytes(), f"{name}: bytes")
        t.check(about[name]["shape"] == list(head[name].shape), f"{name}: shape")
    t.check(json.loads(about["__metadata__"]["classes"]) == head["classes"].tolist(), "classes")


class Random:
    """splitmix64, as src/base/random.h."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = self.state + 0x9E3779B97F4A7C15 & mask
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        return z ^ z >> 31

    def uniform(self, bound, *shape):
        n = math.prod(shape)
        return numpy.array([(2 * ((self.next() >> 11) * 2.0 ** -53) - 1) * bound
                            for _ in range(n)]).reshape(shape)


def check_sgd(train, val, classes):
    try:
        import torch
    except ImportError as error:
        skipped.append(f"no python3-torch: {error}")
        return
    result = probe("-C", 1, "--epochs", 9, "--batch", 7, "--lr", "0.01", "--seed", 5, train[0],
                   val[0])
    random, bound = Random(5), 1 / math.sqrt(DIM)
    torch.set_num_threads(1)
    layer = torch.nn.Linear(DIM, classes).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(random.uniform(bound, classes, DIM)))
        layer.bias.copy_(torch.from_numpy(random.uniform(bound, classes)))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    loss = torch.nn.CrossEntropyLoss()
    x, y = torch.from_numpy(train[1]), torch.from_numpy(train[2])
    order = list(range(len(y)))
    for epoch in result["sgd"]["epochs"]:
        for i in range(len(order), 1, -1):
            j = random.next() % i
            order[i - 1], order[j] = order[j], order[i - 1]
        total = 0
        for first in range(0, len(order), 7):
            rows = order[first:first + 7]
            optimizer.zero_grad()
            value = loss(layer(x[rows]), y[rows])
            value.backward()
            optimizer.step()
            total += value.item() * len(rows)
        scheduler.step()
        with torch.no_grad():
            judged = loss(layer(torch.from_numpy(val[1])), torch.from_numpy(val[2])).item()
        t.check(abs(epoch["train_loss"] - total / len(y)) < 1e-4,
                f"train loss {epoch['train_loss']}, torch {total / len(y)}")
        t.check(abs(epoch["val_loss"] - judged) < 1e-4, f"loss {epoch['val_loss']}, torch {judged}")


def refuse(status, words, *args):
    """One line that names the cache and the reason, and no result."""
    done = subprocess.run([t.firn, "probe", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    said = done.stderr.decode(errors="replace")
    t.check((done.returncode, said.count("\n"), done.stdout) == (status, 1, b"") and words in said
            and args[0].name in said, f"{args}: {done.returncode}, {said}")


def check_degenerate():
    """Caches that teach nothing are refused in words, those that teach little give a result."""
    usual, one = build("usual", 60, 3, 1), build("one", 20, 1, 1)
    single, none = build("single", 3, 3, 1), build("none", 0, 3, 1)
    many, more = build("many", 60, 30000, 1), build("more", 30000, 30000, 2)
    for level in (0, 1.5):
        flat = build(f"flat{level}", 60, 3, 4, 1, level)
        refuse(65, "all features to learn from are the same", flat, usual)
        refuse(65, "all features to learn from are the same", flat)
        result = probe("--epochs", 2, usual, flat)
        t.check(result["right"] == 20, f"equal features, 3 classes: {result['right']} of 60 right")
    for args in ((one,), (one, usual)):
        refuse(65, "of one class (class-0000)", *args)
    refuse(65, "too few photographs of each class", build("lone", 1, 1, 2))
    for args in ((none,), (none, usual)):
        refuse(65, "holds no feature", *args)
    refuse(65, "none: holds no feature", none)
    result = probe("--epochs", 2, single, single)
    t.check((result["right"], result["train"]) == (3, 3), "one photograph of each class")
    # Classes meet by name, however many: 60 have photographs to learn from.
    result = probe("-C", 1, "--epochs", 0, many, more)
    head = [c for c in result["classes"] if c["train"]]
    t.check(len(result["classes"]) == 30000 and len(head) == 60, "names of many classes")
    t.check(all(c["val"] == 1 for c in result["classes"]), "photographs of many classes")


check_degenerate()
for classes, spread in ((6, 0.4), (2, 0.15)):
    train = make(f"train{classes}", ROWS, classes, 1, spread)
    val = make(f"val{classes}", ROWS // 3, classes, 2, spread)
    for scale in ("common", "each"):
        check_layer(train, val, classes, scale)
    check_file(train, val)
    check_sgd(train, val, classes)
if skipped and not t.failed:
    print(f"SKIP: in part: {', '.join(sorted(set(skipped)))}")
    sys.exit(77)
t.end()
