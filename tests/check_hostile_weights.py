#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Weight files that firn has to refuse, each with a message that names the reason.

    check_hostile_weights.py MODEL_DUMP MUTATE_WEIGHTS [--list]

Needs nothing but the standard library. With strace installed the whole corpus is read once more
under it: no program is started, and no file is opened but the ones on the command line.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from hostile_containers import legacies, others, safetensors_files, tars, zips
from hostile_corpus import *
from hostile_pickles import pickles

DUMP, MUTATE = sys.argv[1:3]
MUTATIONS = int(os.environ.get("FIRN_MUTATIONS", 50000))


# ---- files that are fine, to show that the rest is refused for its own reason ----

def well_formed():
    value = state_dict(SMALL)
    case("zip", torch_zip(value, {"0": FLOATS}), PASSED)
    case("zip64", torch_zip(value, {"0": FLOATS}, zip64=True), PASSED)
    case("legacy", torch_legacy(value, {"0": (FLOATS, 4)}), PASSED)
    header = {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    case("safetensors", safetensors(header, FLOATS), PASSED)
    nested = b"}(" + text("epoch") + integer(3) + text("loss") + b"G?\xf0\0\0\0\0\0\0" + \
        text("args") + b"N" + text("optimizer") + b"](\x88K\1M\1\1\x8a\1\1)N\x85N\x86" + \
        b"U\3abcNNN\x87}e" + text("model") + b"}(" + text("state_dict") + value + b"uu"
    pkl("nested", nested, PASSED)
    metadata = state_dict(SMALL) + b"}" + text("_metadata") + ordered_dict() + b"sb"
    pkl("metadata", metadata, PASSED)
    python2 = glob("collections", "OrderedDict") + b"](](" + text("w") + SMALL["w"] + b"ee\x85R"
    pkl("python2", python2, PASSED)
    pkl("cycle", b"}q\0(" + text("model") + b"h\0" + text("w") + SMALL["w"] + b"u", PASSED)
    parameter = glob("torch._utils", "_rebuild_parameter") + tuple_of(SMALL["w"], b"\x88",
                                                                      ordered_dict()) + b"R"
    pkl("parameter", state_dict({"w": parameter}), PASSED)
    parameter = glob("torch.nn.parameter", "Parameter") + SMALL["w"] + b"\x85R(\x88\x89Ntb"
    pkl("old parameter", state_dict({"w": parameter}), PASSED)
    for how in ("tensor", "reduce", "newobj"):
        for old in (False, True):
            case(f"tar {how}", torch_tar({"w": ((4,), FLOATS)}, how=how, old=old), PASSED)
    first = 0x7F3A_0000_1000
    views = b"](" + tuple_of(integer(5), integer(first + 16), integer(1), integer(2)) + b"e"
    case("tar views", torch_tar({"w": ((4,), FLOATS)}, views=views), PASSED)


# ---- whole networks with something wrong in them: safetensors, mostly a hole on the disk ----

def write_network(path, shapes, dtype="F32", poke=None):
    """Zeros, except where poke = (name, index, float) says otherwise."""
    header, at = {}, 0
    for name, shape in shapes.items():
        n = 4
        for size in shape:
            n *= size
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    raw = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(raw)) + raw)
        f.truncate(8 + len(raw) + at)
        if poke:
            name, index, value = poke
            f.seek(8 + len(raw) + header[name]["data_offsets"][0] + 4 * index)
            f.write(struct.pack("<f", value))


def networks(folder):
    base = resnet18_shapes()

    def without(*names):
        return {k: v for k, v in base.items() if k not in names}

    cases = [
        ("missing bn", without("bn1.running_var"), {},
         "looks like resnet18, but bn1.running_var is missing"),
        ("missing conv", without("layer3.1.conv2.weight"), {},
         "but layer3.1.conv2.weight is missing"),
        ("missing block", without("layer4.1.conv1.weight"), {}, "2, 2, 2, 1 basic blocks"),
        ("missing stem", without("conv1.weight"), {}, "no tensor conv1.weight"),
        ("gray stem", {**base, "conv1.weight": (64, 1, 7, 7)}, {},
         r"conv1.weight is \[64, 1, 7, 7\], and not \[64, 3, 7, 7\]"),
        ("other shape", {**base, "layer2.0.conv1.weight": (128, 64, 1, 1)}, {},
         r"layer2.0.conv1.weight is \[128, 64, 1, 1\], and not \[128, 64, 3, 3\]"),
        ("flat", {**base, "bn1.weight": (8, 8)}, {}, r"bn1.weight is \[8, 8\], and not \[64\]"),
        ("squeeze and excitation", {**base, "layer1.0.se.fc1.weight": (4, 64, 1, 1)}, {},
         "layer1.0.se.fc1.weight has no place in one"),
        ("convolution with bias", {**base, "conv1.bias": (64,)}, {}, "conv1.bias has no place"),
        ("two networks", {**{"q." + k: v for k, v in base.items()},
         "k.conv1.weight": (64, 3, 7, 7)}, {},
         "two networks in one file"),
        ("NaN", base, {"poke": ("layer4.1.conv2.weight", 77, float("nan"))},
         "layer4.1.conv2.weight has the value -?nan at index 77"),
        ("infinity", base, {"poke": ("fc.bias", 0, float("inf"))}, None),
        ("infinite", base, {"poke": ("bn1.bias", 3, float("-inf"))},
         "bn1.bias has the value -inf at index 3"),
        ("NaN mean", base, {"poke": ("layer1.0.bn1.running_mean", 0, float("nan"))},
         "layer1.0.bn1.running_mean has the value -?nan"),
        ("negative variance", base, {"poke": ("layer2.0.downsample.1.running_var", 5, -1e-5)},
         "layer2.0.downsample.1.running_var is -1e-05 at index 5: a variance cannot be negative"),
        ("integers", base, {"dtype": "I32"}, "is int32, and not floating point"),
    ]
    for i, (name, shapes, how, message) in enumerate(cases):
        path = os.path.join(folder, f"network{i}.safetensors")
        write_network(path, shapes, **how)
        yield f"network {name}", path, message


# ---- running ----

def run(paths, prefix=()):
    result = subprocess.run([*prefix, DUMP, "-q", *paths], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=600)
    if result.returncode:
        sys.exit(f"model_dump ended with {result.returncode}:\n"
                 + result.stderr.decode(errors="replace")[-4000:])
    return result.stdout.decode().splitlines(), result.stderr.decode().splitlines()


def judge(names, paths, messages):
    """Every file is refused as corrupt, in words that fit, or, with None, accepted."""
    bad = 0
    out, err = run(paths)
    err = iter(err)
    for name, path, message, line in zip(names, paths, messages, out):
        refused = line.startswith("refused")
        text_ = next(err) if refused else line
        if message is None:
            fine = not refused
        else:
            fine = line == "refused 65" and text_.startswith(path + ": ") and \
                re.search(message, text_) and text_.isprintable() and len(text_) < 1024
        if not fine:
            print(f"{name}: expected /{message}/, got: {line if not refused else text_}")
            bad += 1
        elif "--list" in sys.argv:
            print(f"{name}: {text_[len(path) + 2:]}")
    if len(out) != len(paths) or next(err, None) is not None:
        print(f"{len(out)} answers for {len(paths)} files")
        bad += 1
    return bad


def truncations(folder):
    """A whole network in each format, cut at every 1% of its length."""
    shapes = resnet18_shapes()
    items, storages = {}, {}
    for i, (name, shape) in enumerate(shapes.items()):
        n = 1
        for size in shape:
            n *= size
        items[name] = tensor(str(i), shape)
        storages[str(i)] = bytes(4 * n)
    full = os.path.join(folder, "full")
    bad = count = 0
    legacy = {k: (v, len(v) // 4) for k, v in storages.items()}
    raw = {name: (shape, storages[str(i)]) for i, (name, shape) in enumerate(shapes.items())}
    writers = {"zip": lambda: torch_zip(state_dict(items), storages),
               "legacy": lambda: torch_legacy(state_dict(items), legacy),
               "tar": lambda: torch_tar(raw, how="reduce", old=True)}
    for what in ("zip", "legacy", "tar", "safetensors"):
        if what == "safetensors":
            write_network(full, shapes)
        else:
            with open(full, "wb") as f:
                f.write(writers[what]())
        size = os.path.getsize(full)
        bad += judge([f"{what} whole"], [full], [None])
        for percent in range(99, -1, -1):
            os.truncate(full, size * percent // 100)
            bad += judge([f"{what} cut at {percent}%"], [full],
                         ["truncated|the file is empty|outside the file"])
            count += 1
    os.remove(full)
    return count, bad


def watch_system_calls(paths):
    """No exec but the first, no file opened but the corpus (and libraries at start)."""
    log = tempfile.NamedTemporaryFile()
    trace = ["strace", "-f", "-qq", "-o", log.name, "-e",
             "trace=execve,execveat,open,openat,openat2,creat,fork,vfork,clone,clone3,connect,"
             "socket,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,chmod,kill"]
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # LeakSanitizer and strace exclude each other
    run(paths, trace)
    lines = open(log.name, errors="replace").read().splitlines()
    first = next((i for i, line in enumerate(lines) if paths[0] in line and "open" in line), None)
    if first is None:
        print("strace saw no file being opened")
        return 1
    bad, opened = 0, 0
    for line in lines[first:]:
        match = re.search(r'openat\(AT_FDCWD, "([^"]*)", O_RDONLY', line)
        if match and match.group(1) in paths_set(paths):
            opened += 1
        else:
            print(f"strace: {line}")
            bad += 1
    print(f"strace: {opened} files opened, nothing else")
    return bad + (opened != len(paths))


def mutations(folder):
    """Random damage to files that are fine; without checksums, so that it is not found at once."""
    seeds = [data for _, data, message in CASES if message == PASSED]
    VALUES.append(state_dict({"w": tensor("0", (2, 2), stride=(1, 2)),
                              "v": tensor("1", (8,), 8, "HalfStorage")}))
    for value in VALUES:
        members = [Member("a/data.pkl", pickle(value), crc=0), Member("a/data/0", FLOATS, crc=0),
                   Member("a/data/1", FLOATS, crc=0)]
        seeds += [zip_file(members), zip_file(members, zip64=True)]
    paths = []
    for i, data in enumerate(seeds):
        paths.append(os.path.join(folder, f"seed{i}"))
        with open(paths[-1], "wb") as f:
            f.write(data)
    result = subprocess.run([MUTATE, str(MUTATIONS), "1", *paths], timeout=600)
    print(f"{MUTATIONS} damaged copies of {len(seeds)} files: status {result.returncode}")
    return result.returncode != 0


def paths_set(paths, cache={}):
    return cache.setdefault(id(paths), set(paths))


def main():
    well_formed()
    pickles()
    zips()
    legacies()
    tars()
    safetensors_files()
    others()
    room = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=room) as folder:
        names, paths, messages = [], [], []
        for i, (name, data, message) in enumerate(CASES):
            path = os.path.join(folder, f"case{i}.pth")
            with open(path, "wb") as f:
                f.write(data)
            names.append(name)
            paths.append(path)
            messages.append(message)
        bad = judge(names, paths, messages) + mutations(folder)
        if shutil.which("strace"):
            bad += watch_system_calls(paths)
        else:
            print("strace is not installed: system calls not watched")
        count = len(paths)
        for name, path, message in networks(folder):
            bad += judge([name], [path], [message])
            os.remove(path)
            count += 1
        cuts, more = truncations(folder)
        print(f"{count + cuts} files ({cuts} of them truncations), {bad + more} misjudged")
    sys.exit(1 if bad + more else 0)


main()
