# SPDX-License-Identifier: MIT
"""Writes weight files byte by byte, well-formed or not, with nothing but the standard library."""
import io
import json
import struct
import tarfile
import zlib

SIZES = {"FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2,
         "LongStorage": 8}


# -- pickles: each function gives the bytes that push one value --

def text(s):
    raw = s.encode() if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(n):
    if -2**31 <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    raw = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def dims(numbers):
    return tuple_of(*map(integer, numbers))


def glob(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def ordered_dict():
    return glob("collections", "OrderedDict") + b")R"


def storage(key, count, kind="FloatStorage", view=None):
    more = () if view is None else (view,)
    return tuple_of(text("storage"), glob("torch", kind), text(key), text("cpu"), integer(count),
                    *more) + b"Q"


def contiguous(shape):
    stride, step = [], 1
    for size in reversed(shape):
        stride.insert(0, step)
        step *= size
    return stride


def tensor(key, shape, count=None, kind="FloatStorage", offset=0, stride=None, view=None):
    n = 1
    for size in shape:
        n *= size
    stride = contiguous(shape) if stride is None else stride
    return glob("torch._utils", "_rebuild_tensor_v2") + tuple_of(
        storage(key, n if count is None else count, kind, view), integer(offset), dims(shape),
        dims(stride), b"\x89", ordered_dict()) + b"R"


def state_dict(items):
    """items: name -> bytes that push its value."""
    return ordered_dict() + b"(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def pickle(value):
    return b"\x80\x02" + value + b"."


# -- zip --

class Member:
    """One member; every field of both headers can be set to something else."""

    def __init__(self, name, data=b"", **fields):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data = data
        self.fields = fields

    def get(self, field, value):
        return self.fields.get(field, value)


def zip_file(members, *, before=b"", gap=b"", before_directory=b"", entries=None,
             directory_size=None, directory_at=None, comment=b"", behind=b"", zip64=False,
             end64=None, locator=None, end=None):
    out, directory = bytearray(before), bytearray()
    for m in members:
        at = m.get("at", len(out))
        crc = m.get("crc", zlib.crc32(m.data))
        size = m.get("size", len(m.data))
        flags, method = m.get("flags", 0), m.get("method", 0)
        extra = m.get("extra", b"")
        local = (0x04034B50, 45, m.get("local_flags", flags), m.get("local_method", method), 0, 0,
                 m.get("local_crc", crc), m.get("local_size", size), m.get("local_size", size))
        local_name = m.get("local_name", m.name)
        out += struct.pack("<IHHHHHIII", *local)
        out += struct.pack("<HH", len(local_name), len(extra)) + local_name + extra
        out += m.data + m.get("descriptor", b"") + gap
        entry_extra = m.get("entry_extra", b"")
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, flags, method, 0, 0,
                                 crc, m.get("packed", size), size, len(m.name), len(entry_extra),
                                 0, m.get("disk", 0), 0, 0, at)
        directory += m.name + entry_extra
    out += before_directory
    at = len(out) if directory_at is None else directory_at
    size = len(directory) if directory_size is None else directory_size
    n = len(members) if entries is None else entries
    out += directory
    if zip64:
        where = len(out)
        out += end64 or struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, n, n, size, at)
        out += locator or struct.pack("<IIQI", 0x07064B50, 0, where, 1)
        n, size, at = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    out += end or struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, size, at, len(comment))
    return bytes(out + comment + behind)


def torch_zip(value, storages, top="archive", extra=(), **how):
    """A .pth: `value` pushes the object, storages: key -> bytes."""
    members = [Member(f"{top}/data.pkl", pickle(value))]
    members += [Member(f"{top}/data/{key}", data) for key, data in storages.items()]
    members += [Member(f"{top}/version", b"3\n"), *extra]
    return zip_file(members, **how)


# -- legacy --

MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
VERSION = b"\x80\x02M\xe9\x03."


def machine(little=True):
    return pickle(b"}(" + text("protocol_version") + integer(1001) + text("little_endian") +
                  (b"\x88" if little else b"\x89") + text("type_sizes") + b"}u")


def torch_legacy(value, storages, *, magic=MAGIC, version=VERSION, system=None, keys=None,
                 behind=b""):
    """storages: key -> (bytes, count)."""
    names = list(storages) if keys is None else keys
    out = magic + version + (machine() if system is None else system) + pickle(value)
    out += pickle(b"](" + b"".join(text(k) for k in names) + b"e")
    for data, count in storages.values():
        out += struct.pack("<q", count) + data
    return out + behind


# -- tar --

def tar_file(members, kind=None):
    """As Python's tarfile writes it for torch.save(): with an extended header for the time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1484000000.25
            info.type = kind or info.type
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_number(n, old):
    """How Python 2 (old) and 3 write an address."""
    return b"I%d\n" % n if old else integer(n)


def tar_tensor(number, how):
    """What pushes tensor `number`: a tensor, or a Parameter as two ages of torch wrote it."""
    one = text(str(number)) + b"Q"
    parameter = glob("torch.nn.parameter", "Parameter")
    hooks = ordered_dict()
    if how == "reduce":
        return parameter + one + b"\x85R(\x88\x89" + hooks + b"tb"
    if how == "newobj":
        return parameter + b")\x81(" + one + b"N" + hooks + b"\x88\x89tb"
    return one


def torch_tar(state, *, how="tensor", old=False, views=b"]", first=0x7F3A_0000_1000, pickled=None,
              **replace):
    """state: name -> (shape, bytes). Keywords replace members."""
    storages = pickle(integer(len(state)))
    described = pickle(integer(len(state)))
    items = {}
    for i, (name, (shape, data)) in enumerate(state.items()):
        here, there = first + 32 * i, first + 32 * i + 16
        storages += pickle(tuple_of(tar_number(there, old), text("cpu"),
                                    glob("torch", "FloatStorage")))
        storages += struct.pack("<q", len(data) // 4) + data
        described += pickle(tuple_of(tar_number(here, old), tar_number(there, old),
                                     glob("torch", "FloatTensor")))
        numbers = [*shape, *contiguous(shape), 0]
        described += struct.pack(f"<ii{len(numbers)}q", len(shape), 0, *numbers)
        buffer = "running" in name
        items[name] = tar_tensor(here, "tensor" if buffer else how)
    members = {"sys_info": machine(), "pickle": pickle(pickled or state_dict(items)),
               "tensors": described, "storages": storages + pickle(views)}
    members.update(replace)
    return tar_file({k: v for k, v in members.items() if v is not None})


# -- safetensors --

def safetensors(header, data=b"", length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


# -- a whole ResNet-18 --

def resnet18_shapes():
    shapes = {"conv1.weight": (64, 3, 7, 7)}

    def bn(name, n):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (n,)

    bn("bn1", 64)
    cin = 64
    for layer in range(4):
        cout = 64 << layer
        for block in range(2):
            base = f"layer{layer + 1}.{block}"
            shapes[f"{base}.conv1.weight"] = (cout, cin, 3, 3)
            bn(f"{base}.bn1", cout)
            shapes[f"{base}.conv2.weight"] = (cout, cout, 3, 3)
            bn(f"{base}.bn2", cout)
            if cin != cout:
                shapes[f"{base}.downsample.0.weight"] = (cout, cin, 1, 1)
                bn(f"{base}.downsample.1", cout)
            cin = cout
    shapes["fc.weight"] = (1000, 512)
    shapes["fc.bias"] = (1000,)
    return shapes
