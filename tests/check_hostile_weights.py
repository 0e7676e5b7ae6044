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
import struct
import subprocess
import sys
import tarfile
import tempfile

from weights_files import *

DUMP, MUTATE = sys.argv[1:3]
MUTATIONS = int(os.environ.get("FIRN_MUTATIONS", 50000))
VALUES = []  # what pushes an object that is fine
CASES = []  # name, bytes, regular expression for the message
FLOATS = struct.pack("<4f", 1, 2, 3, 4)
SMALL = {"w": tensor("0", (4,))}
# What a file that is well-formed but holds no ResNet is told; hostile files never get so far.
PASSED = "not a ResNet that firn knows: no tensor conv1.weight"


def case(name, data, message):
    CASES.append((name, data, message))


def pkl(name, value, message, **how):
    """`value` pushes the object of a torch zip."""
    if message == PASSED:
        VALUES.append(value)
    case(name, torch_zip(value, {"0": FLOATS}, **how), message)


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


# ---- pickle ----

ALLOWED = set(b"\x80.(N\x88\x89JKM\x8aGXU)]}t\x85\x86\x87aesuqrhjcRbQ")
NAMES = {b"0": "POP", b"1": "POP_MARK", b"2": "DUP", b"F": "FLOAT", b"I": "INT", b"L": "LONG",
         b"P": "PERSID", b"S": "STRING", b"T": "BINSTRING", b"V": "UNICODE", b"d": "DICT",
         b"g": "GET", b"i": "INST", b"l": "LIST", b"o": "OBJ", b"p": "PUT", b"\x81": "NEWOBJ",
         b"\x82": "EXT1", b"\x83": "EXT2", b"\x84": "EXT4", b"\x8b": "LONG4", b"B": "BINBYTES",
         b"C": "SHORT_BINBYTES", b"\x8c": "SHORT_BINUNICODE", b"\x8d": "BINUNICODE8",
         b"\x8e": "BINBYTES8", b"\x8f": "EMPTY_SET", b"\x90": "ADDITEMS", b"\x91": "FROZENSET",
         b"\x92": "NEWOBJ_EX", b"\x93": "STACK_GLOBAL", b"\x94": "MEMOIZE", b"\x95": "FRAME",
         b"\x96": "BYTEARRAY8", b"\x97": "NEXT_BUFFER", b"\x98": "READONLY_BUFFER"}
GLOBALS = """
os.system os.popen os.execv os.remove os.putenv posix.system posix.execve nt.system
subprocess.Popen subprocess.call subprocess.run subprocess.check_output subprocess.getoutput
builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.getattr builtins.setattr
builtins.open builtins.globals builtins.vars builtins.input builtins.breakpoint builtins.bytearray
builtins.set builtins.type __builtin__.eval __builtin__.execfile __builtin__.file __builtin__.apply
importlib.import_module importlib.reload runpy.run_path runpy._run_code imp.load_source
pickle.loads pickle.load _pickle.loads cPickle.loads marshal.loads copyreg._reconstructor
copy_reg._reconstructor shelve.open dill.loads joblib.load types.FunctionType types.CodeType
functools.partial functools.reduce operator.attrgetter operator.methodcaller operator.itemgetter
_operator.attrgetter itertools.chain shutil.rmtree shutil.move socket.socket socket.create_connection
urllib.request.urlopen http.client.HTTPSConnection ftplib.FTP smtplib.SMTP requests.get
aiohttp.client.ClientSession webbrowser.open ctypes.CDLL ctypes.cdll pty.spawn pdb.run pdb.Pdb bdb.Bdb
code.InteractiveInterpreter code.interact timeit.timeit timeit.main cProfile.run profile.run
trace.Trace doctest.debug_script asyncio.create_subprocess_shell multiprocessing.Process
threading.Thread signal.signal sys.exit sys.settrace io.open io.FileIO _io.open pathlib.Path
pathlib.PosixPath tempfile.mktemp logging.config.listen pip.main venv.create ensurepip._run_pip
distutils.spawn.spawn idlelib.pyshell.main lib2to3.pgen2.grammar.Grammar.loads
pydoc.pipepager commands.getoutput platform.popen sqlite3.connect xmlrpc.client.ServerProxy
gzip.open zipimport.zipimporter site.main linecache.getlines inspect.getsource ast.literal_eval
codecs.decode codecs.encode _codecs.encode numpy.load numpy.fromfile numpy.core.multiarray.scalar
numpy.core.multiarray._reconstruct numpy.ndarray numpy.dtype numpy.testing._private.utils.runstring
torch.load torch.serialization.load torch.hub.load torch.jit.load torch.storage._load_from_bytes
torch.save torch.ops.load_library torch.utils.cpp_extension.load torch.package.PackageImporter
torch.fx.graph_module.reduce_graph_module torch._C._cuda_init torch._dynamo.optimize
torch.distributed.rpc.rpc_sync torch.multiprocessing.reductions.rebuild_storage_filename
torch.multiprocessing.reductions.rebuild_storage_fd torch._utils._rebuild_qtensor
torch._utils._rebuild_device_tensor_from_numpy torch._tensor._rebuild_from_type_v2
torch.nn.modules.conv.Conv2d torch.FloatTensor torch.Tensor torch.device torch.Size
torch.float32 torch.ComplexFloatStorage torch.QInt8Storage torch.storage.UntypedStorage
torchvision.models.resnet.ResNet torchvision.io.read_file argparse.Namespace collections.Counter
collections.defaultdict collections.deque datetime.datetime uuid.UUID random.Random
pytorch_lightning.callbacks.ModelCheckpoint __main__.Model __main__.System
""".split()


def pickles():
    for op in sorted(set(range(256)) - ALLOWED):
        name = NAMES.get(bytes([op]))
        pkl(f"opcode {op:02x}", b"N" + bytes([op]) + b"os\nsystem\n\0\0\0\0",
            rf"pickle byte 3 \({name}\): this instruction is refused" if name
            else f"byte 0x{op:02x} is no instruction")
    for full in GLOBALS:
        module, name = full.rsplit(".", 1)
        pkl(f"global {full}", glob(module, name) + text("touch /tmp/pwned") + b"\x85R",
            f"asks for global {re.escape(full)}: refused")
    odd = {"os.system with a dot": ("os.system", ""), "empty": ("", ""),
           "dotted": ("torch._utils", "_rebuild_tensor_v2.__globals__"),
           "attribute": ("torch", "FloatStorage.__init__"), "case": ("Torch", "FloatStorage"),
           "blank": ("torch", " FloatStorage"), "return": ("torch", "FloatStorage\r")}
    for what, (module, name) in odd.items():
        pkl(f"global {what}", glob(module, name), "asks for global ")
    pkl("global zero byte", glob("torch\0", "FloatStorage"), "a name without an end")
    pkl("global control characters", glob("a\x1b[31m", "b"), r"asks for global a\?\[31m\.b:")
    pkl("global long", glob("a" * 5000, "b"), "a name of 5000 bytes")
    pkl("global without end", b"ctorch", "a name without an end")
    misuse()
    limits()


def misuse():
    od, none = glob("collections", "OrderedDict"), b"N"
    fs, rebuild = glob("torch", "FloatStorage"), glob("torch._utils", "_rebuild_tensor_v2")
    good = storage("0", 4)
    calls = {
        "nothing": (none + b")R", "calls something that is not a global"),
        "text": (text("x") + b")R", "calls something that is not a global"),
        "a dict": (od + b")R)R", "calls something that is not a global"),
        "with a list": (od + b"]R", "calls something that is not a global"),
        "a storage type": (fs + b")R", "calls torch.FloatStorage"),
        "OrderedDict of a number": (od + b"K\1\x85R", "OrderedDict of something"),
        "OrderedDict of two": (od + b"]]\x86R", "OrderedDict of something"),
        "OrderedDict of no pairs": (od + b"]K\1a\x85R", "OrderedDict of something"),
        "a tensor of nothing": (rebuild + b")R", "a tensor made of 0 arguments"),
        "a tensor of a number": (rebuild + b"(NNNNNNtR", "a tensor without a storage"),
        "a tensor of a type": (rebuild + b"(" + fs + b"K\0))\x89NtR", "a tensor without a storage"),
        "a tensor at none": (rebuild + b"(" + good + b"N))\x89NtR", "a tensor without a storage"),
        "a tensor at -1": (rebuild + b"(" + good + b"J\xff\xff\xff\xff))\x89NtR",
                           "a tensor without a storage or an offset"),
        "a tensor of lists": (rebuild + b"(" + good + b"K\0]]\x89NtR", "whose shape and stride"),
        "a tensor of texts": (rebuild + b"(" + good + b"K\0" + text("4") + b"\x85)\x89NtR",
                              "whose shape and stride"),
        "a tensor of 9 dimensions": (rebuild + b"(" + good + b"K\0" + dims([1] * 9) +
                                     dims([1] * 9) + b"\x89NtR", "more than 8 dimensions"),
        "a tensor of 2 and 1": (rebuild + b"(" + good + b"K\0" + dims([2, 2]) + dims([1]) +
                                b"\x89NtR", "whose shape and stride do not fit"),
        "a parameter of a number": (glob("torch._utils", "_rebuild_parameter") + b"K\1K\1N\x87R",
                                    "a parameter that is not made of a tensor"),
        "a Parameter of a number": (glob("torch.nn.parameter", "Parameter") + b"K\1\x85R",
                                    "a parameter that is not made of a tensor"),
        "a Parameter of none": (glob("torch.nn.parameter", "Parameter") + b")R",
                                "a parameter that is not made of a tensor"),
        "an old tensor of six": (glob("torch._utils", "_rebuild_tensor") + b"(" + good +
                                 b"K\0))\x89NtR", "a tensor made of 6 arguments"),
    }
    for what, (value, message) in calls.items():
        pkl(f"reduce {what}", value, message)
    for what, value in {"nothing": b"N", "a number": b"K\1", "module": tuple_of(
            text("module"), fs, text("0"), text("cpu"), integer(4)), "short": b"K\1\x85",
            "seven": b"(NNNNNNNt"}.items():
        pkl(f"persistent id {what}", value + b"Q", "a persistent id that is not a storage's")
    for what, value in {
            "no type": tuple_of(text("storage"), text("x"), text("0"), text("cpu"), integer(4)),
            "a function": tuple_of(text("storage"), rebuild, text("0"), text("cpu"), integer(4)),
            "a number": tuple_of(text("storage"), fs, integer(0), text("cpu"), integer(4)),
            "no count": tuple_of(text("storage"), fs, text("0"), text("cpu"), b"N"),
            "-4": tuple_of(text("storage"), fs, text("0"), text("cpu"), integer(-4)),
            "2^200": tuple_of(text("storage"), fs, text("0"), text("cpu"), integer(1 << 200))}.items():
        pkl(f"storage {what}", value + b"Q", "a storage that is malformed")
    pkl("storage zero byte", tuple_of(text("storage"), fs, text("0\0/../x"), text("cpu"),
                                      integer(4)) + b"Q", "key has zero bytes")
    for what, state in {"none": b"N", "a text": text("__class__"), "a tuple": b"N}\x86"}.items():
        pkl(f"build with {what}", od + b")R" + state + b"b", "gives attributes")
    old = glob("torch.nn.parameter", "Parameter")
    pkl("new Parameter", old + b")\x81", r"\(NEWOBJ\): this instruction is refused")
    pkl("build a Parameter of five", old + SMALL["w"] + b"\x85R(" + SMALL["w"] + b"NNNNtb",
        "gives attributes")
    pkl("build a Parameter of none", old + SMALL["w"] + b"\x85RNb", "gives attributes")
    pkl("build a tensor", SMALL["w"] + b"}b", "gives attributes")
    pkl("build a plain dict", b"}}b", "gives attributes")
    pkl("build a global", od + b"}b", "gives attributes")
    for what, value in {"append to nothing": b"Na", "append to a tuple": b")Na",
                        "append to a dict": b"}Na", "set in a list": b"]NNs",
                        "set two": b"NNs", "appends to none": b"N(Ne", "items in a list": b"](NNu",
                        "items in a global": od + b"(NNu", "appends below": b"(Ne"}.items():
        pkl(value=value, name=what, message="the stack has no|there is no (list|dict)")
    pkl("odd items", b"}(Nu", "a key without a value")
    for op in b"teu":
        pkl(f"no mark {op:02x}", b"N" + bytes([op]), "the stack has no mark")
    for op in b"\x85\x86\x87aRbQq":
        pkl(f"empty stack {op:02x}", bytes([op]) + b"\0\0\0\0", "the stack has no")
    pkl("mark as a value", b"((\x85", "the stack has no 1 values")
    pkl("mark in a dict", b"}((s", "a mark is no value")
    pkl("put a mark", b"(q\0", "the stack has no value")
    pkl("proto again", b"\x80\x02N", "only allowed at the start")


def limits():
    for version in (0, 1, 3, 4, 5, 255):
        case(f"protocol {version}", zip_file([Member("a/data.pkl", b"\x80" + bytes([version]) +
                                                     b"N."), Member("a/data/0", FLOATS)]),
             f"protocol {version}; firn reads protocol 2")
    pkl("two values", b"NN", "2 values on the stack at the end")
    pkl("no value", b"", "0 values on the stack at the end")
    pkl("only a mark", b"(", "1 values on the stack at the end")
    pkl("deep stack", b"N" * 200000, "the stack is deeper than 100000")
    pkl("deep marks", b"(" * 200000, "the stack is deeper than 100000")
    pkl("memo far", b"Nr\xff\xff\xff\x7f", "memo index 2147483647 is beyond")
    pkl("memo farther", b"Nr\xff\xff\xff\xff", "memo index 4294967295 is beyond")
    pkl("memo empty", b"h\7", "nothing is at memo index 7")
    pkl("memo far get", b"j\xff\xff\xff\xff", "nothing is at memo index 4294967295")
    pkl("long text", text("a" * 70000), "a text of 70000 bytes")
    pkl("text beyond", b"X\xff\xff\xff\xffa", "a text of 4294967295 bytes")
    pkl("text just beyond", b"X\xff\0\0\0a", "the pickle is truncated")
    pkl("short text beyond", b"U\xffa", "the pickle is truncated")
    pkl("long beyond", b"\x8a\xff\1", "the pickle is truncated")
    pkl("no dict", b"K\1", r"no tensors where a state_dict has them \(found: no dict\)")
    pkl("no tensors", b"}(" + text("epoch") + b"K\1" + text("a\n\x1b") + b"Nu",
        r"found: epoch, a\?\?")
    pkl("wrapped in itself", b"}q\0" + text("state_dict") + b"h\0s", "no tensors")
    pkl("too many objects", b"]" + 15 * (b"(" + b"]" * 90000 + b"e"),
        "more objects than a weight file")
    pkl("list grown by itself", b"]q\0(" + b"h\0" * 99990 + b"e" +
        20 * (b"(" + b"h\0" * 90000 + b"e"), "no tensors")
    pkl("pairs of pairs", b"N" + b"q\0h\0\x86" * 20000, "no tensors")
    for cut in range(1, 60, 7):
        value = pickle(state_dict(SMALL))
        case(f"pickle cut {cut}", zip_file([Member("a/data.pkl", value[:-cut]),
                                            Member("a/data/0", FLOATS)]),
             "the pickle is truncated|a name without an end")
    case("pickle goes on", zip_file([Member("a/data.pkl", pickle(state_dict(SMALL)) + b"cos\n"),
                                     Member("a/data/0", FLOATS)]), "4 bytes behind its pickle")
    case("pickle empty", zip_file([Member("a/data.pkl", b"")]), "the pickle is truncated")
    big = 1 << 62
    for what, (shape, stride, offset, count) in {
            "offset 1": ((4,), (1,), 1, 4), "offset huge": ((4,), (1,), (1 << 63) - 1, 4),
            "stride 2": ((4,), (2,), 0, 4), "stride huge": ((4,), (big,), 0, 4),
            "shape huge": ((big, big), (1, 1), 0, 4), "shape wraps": ((1 << 32, 1 << 32), (0, 0), 0, 4),
            "shape wraps to 4": ((big + 1, 4), (1, 1), 0, 4),
            "reach wraps": ((3, 3), (big, big), 4, 4), "one more": ((5,), (1,), 0, 4),
            "two strides": ((2, 3), (1, 2), 0, 4), "empty but overflowing": ((big, big, 0), (1, 1, 1), 0, 4),
            "offset in the last": ((1,), (1,), 4, 4)}.items():
        pkl(f"tensor {what}", state_dict({"w": tensor("0", shape, count, stride=stride,
                                                      offset=offset)}),
            "tensor w .* (reaches outside its storage|has a size that overflows)")
    pkl("tensor beyond 2^63", state_dict({"w": tensor("0", (4,), 4, offset=1 << 63)}),
        "a tensor without a storage or an offset")
    for what, count in {"less": 3, "more": 5, "huge": 1 << 62, "wraps": (1 << 62) + 4}.items():
        pkl(f"storage count {what}", state_dict({"w": tensor("0", (3,), count)}),
            "storage 0 has 16 bytes, not")
    pkl("storage of doubles", state_dict({"w": tensor("0", (4,), 4, "DoubleStorage")}),
        "storage 0 has 16 bytes, not 4 numbers of float64")
    for key in ("1", "", "../0", "/etc/passwd", "0/../0", "data.pkl", "a" * 5000, "\x1b[0m"):
        pkl(f"storage key {key[:12]!r}", state_dict({"w": tensor(key, (4,))}),
            r"storage .* is not in the archive")
    pkl("name twice", ordered_dict() + b"(" + 2 * (text("w") + SMALL["w"]) + b"u",
        "tensor w occurs twice")
    pkl("name with zero byte", state_dict({"w\0x": SMALL["w"]}), "zero bytes in its name")


# ---- zip ----

def zips():
    value = pickle(state_dict(SMALL))

    def archive(name, message, *, pkl_fields=None, data_fields=None, more=(), **how):
        members = [Member("a/data.pkl", value, **(pkl_fields or {})),
                   Member("a/data/0", FLOATS, **(data_fields or {})), *more]
        case(f"zip {name}", zip_file(members, **how), message)

    archive("deflated", "member a/data/0 is compressed", data_fields={"method": 8})
    archive("deflated in the directory only", "is compressed",
            data_fields={"method": 8, "local_method": 0})
    archive("deflated locally", "contradicts", data_fields={"local_method": 8})
    archive("encrypted", "member a/data.pkl is encrypted", pkl_fields={"flags": 1})
    archive("encrypted locally", "contradicts", pkl_fields={"local_flags": 1})
    for bit in (1, 2, 4, 5, 6, 7, 12, 13, 14, 15):
        archive(f"flag {bit}", "has flags", data_fields={"flags": 1 << bit})
    archive("local name", "contradicts", data_fields={"local_name": b"a/data/1"})
    archive("local name longer", "contradicts", data_fields={"local_name": b"a/data/00"})
    archive("local size", "contradicts", data_fields={"local_size": 15})
    archive("local crc", "contradicts", data_fields={"local_crc": 1})
    archive("local size 0 without a descriptor", "contradicts",
            data_fields={"local_size": 0, "local_crc": 0})
    archive("packed size", "has two sizes", data_fields={"packed": 15})
    archive("size beyond", "reaches outside|contradicts", data_fields={"size": 1 << 20})
    archive("size all ones", "lacks its zip64 sizes", data_fields={"size": 0xFFFFFFFF})
    wide = struct.pack("<HHQQ", 1, 16, 1 << 63, 1 << 63)
    archive("zip64 size huge", "reaches outside|contradicts",
            data_fields={"size": 0xFFFFFFFF, "entry_extra": wide, "extra": wide})
    wide = struct.pack("<HHQQ", 1, 16, 16, 17)
    archive("zip64 two sizes", "has two sizes",
            data_fields={"size": 0xFFFFFFFF, "entry_extra": wide, "extra": wide})
    wide = struct.pack("<HHQ", 1, 8, 16)
    archive("zip64 extra short", "lacks its zip64 sizes",
            data_fields={"size": 0xFFFFFFFF, "entry_extra": wide, "extra": wide})
    archive("zip64 extra beyond", "lacks its zip64 sizes",
            data_fields={"size": 0xFFFFFFFF, "entry_extra": struct.pack("<HH", 1, 999)})
    archive("another volume", "is on another volume", data_fields={"disk": 1})
    archive("header at data.pkl", "overlaps", data_fields={"at": 0})
    archive("header in the middle", "overlaps", data_fields={"at": 7})
    archive("header beyond", "begins outside|belong to no member", data_fields={"at": 1 << 30})
    inner = len(value) + 40 - 16
    archive("nested", "overlaps|contradicts|belong to no", data_fields={"at": inner})
    archive("twice", "occurs twice", more=[Member("a/data/0", FLOATS)])
    archive("twice the pickle", "occurs twice", more=[Member("a/data.pkl", value)])
    for name in ("../x", "a/../../x", "/etc/x", "a/..", "a/./x", "", "a\\x", "a/\0x", "./x"):
        archive(f"name {name!r}", "leads elsewhere", more=[Member(name, b"x")])
    archive("name long", "a name of 600 bytes", more=[Member("a/" + "n" * 598, b"x")])
    archive("two folders", "not in one folder", more=[Member("b/x", b"x")])
    archive("no folder", "not in one folder", more=[Member("x", b"x")])
    archive("folder prefix", "not in one folder", more=[Member("ab/x", b"x")])
    archive("comment", "no end record", comment=b"hello")
    archive("behind", "no end record", behind=b"\0")
    archive("gap", "belong to no member", gap=b"\0" * 8)
    archive("gap before the directory", "belong to no member", before_directory=b"x")
    archive("many entries", "has more than|damaged|entries in", entries=3)
    archive("few entries", "the directory has more|belong to no", entries=1)
    archive("no entries", "the directory has more", entries=0)
    archive("directory elsewhere", "does not end where", directory_at=5)
    archive("directory longer", "does not end where", directory_size=1000)
    archive("directory shorter", "does not end where", directory_size=50)
    archive("directory at the end", "does not end where", directory_at=0xFFFFFFFE)
    archive("volumes", "several volumes",
            end=struct.pack("<IHHHHIIH", 0x06054B50, 1, 0, 2, 2, 1, 1, 0))
    archive("volumes by count", "several volumes",
            end=struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 2, 1, 1, 0))
    archive("ones without zip64", "does not end where|entries",
            end=struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    archive("zip64 contradicts", "contradicts the end record", zip64=True,
            end=struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    archive("zip64 locator", "locator does not point", zip64=True,
            locator=struct.pack("<IIQI", 0x07064B50, 0, 3, 1))
    archive("zip64 volumes", "locator does not point", zip64=True,
            locator=struct.pack("<IIQI", 0x07064B50, 0, 3, 2))
    archive("zip64 record", "malformed", zip64=True, end64=b"PK\6\6" + b"\xff" * 52)
    archive("zip64 entries", "entries in|does not end", zip64=True, end64=struct.pack(
        "<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1 << 60, 1 << 60, 1 << 61, 1 << 61))
    archive("pickle crc", "checksum of data.pkl is wrong", pkl_fields={"crc": 12345})
    archive("big-endian", "not little-endian", more=[Member("a/byteorder", b"big")])
    archive("odd-endian", "not little-endian", more=[Member("a/byteorder", b"little" * 99)])
    archive("TorchScript", "a TorchScript program", more=[Member("a/constants.pkl", b"x")])
    case("zip no pickle", zip_file([Member("a/data/0", FLOATS)]), "it has no data.pkl")
    case("zip empty", b"PK\3\4" + zip_file([]), "does not end|empty zip|belong to no|no end record")
    case("zip only a magic", b"PK\3\4", "truncated")
    case("zip of something else", zip_file([Member("word/document.xml", b"x")]), "has no data.pkl")
    case("zip pickle too big", zip_file([Member("a/data.pkl", bytes(5 << 20))]),
         "data.pkl has 5242880 bytes")
    case("zip before", b"PK\3\4" + bytes(26) + zip_file([Member("a/data.pkl", value)],
                                                      before=b""), "does not end where")


# ---- legacy ----

def legacies():
    value = state_dict(SMALL)

    def legacy(name, message, value=value, storages=None, **how):
        case(f"legacy {name}", torch_legacy(value, storages or {"0": (FLOATS, 4)}, **how), message)

    legacy("magic", "not one of torch.save", magic=pickle(integer(1 << 75)))
    legacy("no magic", "not one of torch.save", magic=pickle(integer(7)))
    legacy("version", "an unknown version", version=pickle(integer(1002)))
    legacy("version text", "an unknown version", version=pickle(text("1001")))
    legacy("big-endian", "not little-endian", system=machine(False))
    legacy("no machine", "not little-endian", system=pickle(b"N"))
    legacy("global", r"asks for global os\.system", value=glob("os", "system"))
    legacy("global in the machine", r"asks for global os\.system",
           system=pickle(glob("os", "system")))
    legacy("key missing", "storage 0 is not in the file", keys=["1"])
    legacy("key twice", "a storage is listed twice", keys=["0", "0"])
    legacy("key too many", "storage 1 belongs to no tensor", keys=["0", "1"])
    legacy("key zero byte", "a storage key that is no name", keys=["0", "a\0"])
    legacy("count less", "storage 0 has 3 numbers", storages={"0": (FLOATS, 3)})
    legacy("count more", "storage 0 has 5 numbers", storages={"0": (FLOATS, 5)})
    legacy("count negative", "storage 0 has", storages={"0": (FLOATS, -1)})
    legacy("count wraps", "storage 0 has", storages={"0": (FLOATS, (1 << 62) + 4)})
    legacy("count huge", "truncated|storage 0 has", storages={"0": (FLOATS, 1 << 62)},
           value=state_dict({"w": tensor("0", (4,), 1 << 62)}))
    legacy("behind", "1 bytes behind the last storage", behind=b"x")
    legacy("short", "truncated", storages={"0": (FLOATS[:-1], 4)})
    legacy("two types", "two types", value=state_dict(
        {"w": tensor("0", (4,)), "x": tensor("0", (4,), 4, "HalfStorage")}))
    view = tuple_of(text("1"), integer(2), integer(3))
    legacy("view outside", "a storage view outside", value=state_dict(
        {"w": tensor("0", (3,), 4, view=view)}))
    view = tuple_of(text("1"), integer(2), integer(2))
    legacy("view overrun", "reaches outside its storage", value=state_dict(
        {"w": tensor("0", (3,), 4, view=view)}))
    legacy("view malformed", "a malformed view", value=state_dict(
        {"w": tensor("0", (3,), 4, view=b"K\1\x85")}))
    legacy("view negative", "a storage view outside", value=state_dict(
        {"w": tensor("0", (3,), 4, view=tuple_of(text("1"), integer(-1), integer(1)))}))
    raw = torch_legacy(value, {"0": (FLOATS, 4)})
    for cut in range(1, len(raw) - 1, 9):
        case(f"legacy cut {cut}", raw[:-cut], "truncated|a name without an end|not one of")
    case("pickle alone", pickle(value), "not one of torch.save")
    case("pickle protocol 4", b"\x80\x04\x95\0\0\0\0\0\0\0\0N.", "protocol 4; firn reads")


# ---- tar ----

def tars():
    one = {"w": ((4,), FLOATS)}
    first = 0x7F3A_0000_1000
    item = pickle(tuple_of(integer(first + 16), text("cpu"), glob("torch", "FloatStorage")))
    info = pickle(tuple_of(integer(first), integer(first + 16), glob("torch", "FloatTensor")))

    def tar(name, message, **how):
        case(f"tar {name}", torch_tar(one, **how), message)

    for member in ("sys_info", "pickle", "tensors", "storages"):
        tar(f"without {member}", "not one that torch.save", **{member: None})
        tar(f"empty {member}", "the pickle is truncated", **{member: b""})
        tar(f"global in {member}", r"asks for global os\.system",
            **{member: pickle(glob("os", "system"))})
        tar(f"reduce in {member}", "calls torch.FloatTensor",
            **{member: pickle(glob("torch", "FloatTensor") + b")R")})
    tar("with more", "not one that torch.save", more=b"x")
    tar("big-endian", "not little-endian", sys_info=machine(False))
    tar("sys_info a number", "not little-endian", sys_info=pickle(b"K\1"))
    for what, n in {"negative": -1, "many": 1000, "huge": 1 << 62, "beyond": 1 << 80}.items():
        tar(f"count {what} of storages", "a count that cannot be", storages=pickle(integer(n)))
        tar(f"count {what} of tensors", "a count that cannot be", tensors=pickle(integer(n)))
    tar("count a text", "a count that cannot be", tensors=pickle(text("1")))
    for what, n in {"more": 5, "huge": 1 << 61, "negative": -1, "wraps": 1 << 62}.items():
        tar(f"storage {what}", "a storage that goes on beyond|truncated", storages=pickle(integer(1)) + item +
            struct.pack("<q", n) + FLOATS + pickle(b"]"))
    tar("storage less", "pickle byte|storage views", storages=pickle(integer(1)) + item +
        struct.pack("<q", 3) + FLOATS + pickle(b"]"))
    tar("storage behind", "bytes behind the last storage", storages=pickle(integer(1)) + item +
        struct.pack("<q", 4) + FLOATS + pickle(b"]") + b"x")
    tar("storage malformed", "a storage that is malformed",
        storages=pickle(integer(1)) + pickle(b"NNN\x87") + bytes(16))
    tar("storage twice", "two storages of one id", storages=pickle(integer(2)) + 2 * (
        item + struct.pack("<q", 4) + FLOATS) + pickle(b"]"))
    for what, view in {"number": b"K\1", "short": b"NN\x86", "root": dims([5, 6, 0, 1]),
                       "none": tuple_of(integer(5), integer(first + 16), b"N", integer(1))}.items():
        tar(f"view {what}", "a storage view that is malformed", views=b"](" + view + b"e")
    for what, (offset, count) in {"offset": (5, 0), "count": (2, 3), "negative": (-1, 1),
                                  "minus": (1, -1), "wraps": (4, (1 << 63) - 1)}.items():
        tar(f"view {what}", "a storage view outside", views=b"](" + tuple_of(
            integer(5), integer(first + 16), integer(offset), integer(count)) + b"e")
    tar("view of itself", "two storages of one id",
        views=b"](" + dims([first + 16, first + 16, 0, 4]) + b"e")
    tar("views no list", "storage views that are not a list", views=b"}")
    for what, (numbers, message) in {
            "dimensions": ((9, *[1] * 20), "too many dimensions"),
            "negative dimensions": ((-1, *[1] * 20), "too many dimensions"),
            "short": ((3, 1, 1), "goes on beyond its member|truncated"),
            "shape": ((1, 5, 1, 0), "reaches outside"), "stride": ((1, 4, 2, 0), "reaches outside"),
            "offset": ((1, 4, 1, 1), "reaches outside"), "minus": ((1, -4, 1, 0), "negative size"),
            "minus stride": ((1, 4, -1, 0), "negative size"),
            "minus offset": ((1, 4, 1, -1), "overflows"),
            "wraps": ((2, 1 << 62, 1 << 62, 1, 1, 0), "overflows")}.items():
        tar(f"tensor {what}", message, tensors=pickle(integer(1)) + info + struct.pack(
            f"<ii{len(numbers) - 1}q", numbers[0], 0, *numbers[1:]))
    tar("tensor without storage", "a tensor without its storage", tensors=pickle(integer(1)) + pickle(
        tuple_of(integer(first), integer(7), b"N")) + struct.pack("<iiqqq", 1, 0, 4, 1, 0))
    tar("tensor of none", "a persistent id that is not", tensors=pickle(integer(1)) + pickle(
        tuple_of(integer(first), b"N", b"N")) + struct.pack("<iiq", 0, 0, 0))
    tar("tensor malformed", "a tensor that is malformed", tensors=pickle(integer(1)) + pickle(b"N") +
        bytes(64))
    tar("tensor twice", "two tensors of one id", tensors=pickle(integer(2)) + 2 * (
        info + struct.pack("<iiqqq", 1, 0, 4, 1, 0)))
    tar("tensors behind", "bytes behind the last tensor", tensors=pickle(integer(1)) + info +
        struct.pack("<iiqqq", 1, 0, 4, 1, 0) + b"x")
    tar("pickle behind", "bytes behind the pickle", pickle=pickle(b"N") + b"x")
    for what, value in {"number": integer(first), "none": b"N", "word": text("x"), "empty": text(""),
                        "more": text(f"{first}x"), "other": text("77"), "far": text("9" * 30),
                        "tuple": tuple_of(text("storage"))}.items():
        tar(f"persistent id {what}", "a persistent id that is not a tensor's", pickled=value + b"Q")
    tar("Parameter without tensor", "parameter w has no tensor", pickled=state_dict(
        {"w": glob("torch.nn.parameter", "Parameter") + b")\x81"}))
    tar("new dict", "makes an object that is not", pickled=glob("collections", "OrderedDict") +
        b")\x81")
    tar("new with arguments", "makes an object that is not",
        pickled=glob("torch.nn.parameter", "Parameter") + b"N\x85\x81")
    for line in (b"", b"x", b" 1", b"1x", b"1 ", b"9" * 20, b"9" * 40, b"1\0"):
        tar(f"integer {line[:4]}", "a malformed number|a name", pickled=b"I" + line + b"\n")
    for op in sorted(set(range(256)) - ALLOWED - {0x81, ord("I")}):
        tar(f"opcode {op:02x}", "is refused|is no instruction", pickled=bytes([op]) + bytes(8))
    good = torch_tar(one)
    for what, at in {"name": 0, "size": 130, "checksum": 150, "type": 156, "magic": 257}.items():
        bad = bytearray(good)
        bad[at] ^= 1
        case(f"tar damaged {what}", bytes(bad), "damaged header|neither a")
    for what, data in {"x": b"x", "block": bytes(511) + b"x", "megabytes": bytes(2 << 20)}.items():
        case(f"tar behind {what}", good + data, "bytes behind its end")
    case("tar without end", good[:(len(good.rstrip(b"\0")) + 511) // 512 * 512], "truncated")
    case("tar link", tar_file({"pickle": b""}, tarfile.SYMTYPE), "not a plain file")
    case("tar folder", tar_file({"pickle": b""}, tarfile.DIRTYPE), "not a plain file|in a folder")
    case("tar device", tar_file({"pickle": b""}, tarfile.CHRTYPE), "not a plain file")
    case("tar sparse", tar_file({"pickle": b""}, tarfile.GNUTYPE_SPARSE), "not a plain file|changes")
    case("tar of others", tar_file({"a": b"x"}), "not one that torch.save")
    case("tar of many", tar_file({str(i): b"x" for i in range(9)}), "more members than torch")
    case("tar long name", tar_file({"n" * 300: b"x"}), "changes a member|in a folder")
    case("tar twice", tar_file({"pickle": b""})[:1536] + tar_file({"pickle": b""}), "two members")


# ---- safetensors ----

def safetensors_files():
    good = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}

    def st(name, header, message, data=FLOATS, length=None):
        case(f"safetensors {name}", safetensors(header, data, length), message)

    def one(name, message, **change):
        st(name, {"w": {**good, **change}}, message)

    raw = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    st("header beyond", raw, "a header of 1000 bytes", length=1000)
    st("header huge", raw, "neither a|a header of", length=(1 << 64) - 1)
    st("header above the limit", raw, "a header of 100000001 bytes", length=100000001)
    st("header short", raw, "a string without an end", length=10)
    st("header wraps", raw, "neither a|a header of", length=(1 << 63) + len(raw))
    for what, text_, message in (
            ("key twice", raw[:-1] + b"," + raw[1:], "overlap|occurs twice"),
            ("field twice", raw.replace(b'"shape"', b'"dtype":"F32","shape"'), "a key occurs twice"),
            ("unknown field", raw.replace(b'"shape"', b'"evil":1,"shape"'), "not in the format"),
            ("no dtype", raw.replace(b'"dtype":"F32",', b""), "is missing"),
            ("no shape", raw.replace(b'"shape":[4],', b""), "is missing"),
            ("no offsets", b'{"w":{"dtype":"F32","shape":[4]}}', "is missing"),
            ("trailing comma", raw[:-1] + b",}", "a key is missing"),
            ("no colon", raw.replace(b'"w":', b'"w" '), "a colon is missing"),
            ("no comma", raw.replace(b"[0,16]", b"[0 16]"), "a comma is missing"),
            ("single quotes", raw.replace(b'"w"', b"'w'"), "a key is missing"),
            ("comment", b"{/**/" + raw[1:], "a key is missing"),
            ("unclosed", raw[:-1], "ends too early"),
            ("closed twice", raw + b"}", "more than one value"),
            ("wrong bracket", raw.replace(b"]}}", b"}}}"), "closes nothing"),
            ("two values", raw + b"{}", "more than one value"),
            ("control character", raw.replace(b'"w"', b'"w\n"'), "control character"),
            ("bad escape", raw.replace(b'"w"', b'"w\\x"'), "a malformed escape"),
            ("bad unicode", raw.replace(b'"w"', b'"w\\u12"'), "a malformed escape"),
            ("half surrogate", raw.replace(b'"w"', b'"\\ud800"'), "a malformed escape"),
            ("not UTF-8", raw.replace(b'"w"', b'"\xff"'), "not UTF-8"),
            ("overlong UTF-8", raw.replace(b'"w"', b'"\xc0\xaf"'), "not UTF-8"),
            ("surrogate UTF-8", raw.replace(b'"w"', b'"\xed\xa0\x80"'), "not UTF-8"),
            ("name with zero byte", raw.replace(b'"w"', b'"w\\u0000"'), "zero bytes"),
            ("number 00", raw.replace(b"[0,", b"[00,"), "a malformed number"),
            ("number 1.", raw.replace(b"[0,", b"[0.,"), "a malformed number"),
            ("number 0x0", raw.replace(b"[0,", b"[0x0,"), "a comma is missing"),
            ("number -0", raw.replace(b"[0,", b"[-0,"), "not a whole number"),
            ("number 0.0", raw.replace(b"[0,", b"[0.0,"), "not a whole number"),
            ("number 16e0", raw.replace(b"16]", b"16e0]"), "not a whole number"),
            ("number NaN", raw.replace(b"[0,", b"[NaN,"), "not a value"),
            ("number 2^63", raw.replace(b"16]", b"9223372036854775808]"), "not a whole number"),
            ("number 2^64", raw.replace(b"16]", b"18446744073709551616]"), "not a whole number"),
            ("nested arrays", raw.replace(b"[4]", b"[[4]]"), "another value is expected"),
            ("deep", b'{"__metadata__":' + b"[" * 1000, "another value is expected"),
            ("tensor is a list", b'{"w":[]}', "another value is expected"),
            ("tensor is null", b'{"w":null}', "another value is expected"),
            ("metadata number", b'{"__metadata__":{"a":1},' + raw[1:], "a value is not a string"),
            ("metadata list", b'{"__metadata__":[],' + raw[1:], "another value is expected"),
            ("metadata twice", b'{"__metadata__":{},"__metadata__":{},' + raw[1:], "occurs twice"),
            ("zeros behind", raw + b"\0\0", "more than one value")):
        st(what, text_, message)
    one("dtype unknown", "a dtype that firn does not read", dtype="F8_E4M3")
    one("dtype a number", "another value is expected", dtype=4)
    one("shape negative", "not a whole number", shape=[-4])
    one("shape a text", "another value is expected", shape="4")
    one("shape of nine", "an array is too long", shape=[1] * 9)
    one("shape smaller", "do not fit its shape", shape=[3])
    one("shape larger", "do not fit its shape", shape=[5])
    one("shape wraps", "overflows", shape=[1 << 62, 1 << 62])
    one("shape wraps to 4", "overflows", shape=[(1 << 62) + 1, 4])
    one("size wraps", "do not fit|overflows", shape=[(1 << 62) + 4])
    one("offsets reversed", "outside the file", data_offsets=[16, 0])
    one("offsets beyond", "outside the file", data_offsets=[0, 20])
    one("offsets huge", "outside the file", data_offsets=[(1 << 63) - 17, (1 << 63) - 1])
    one("offsets of one", "not two", data_offsets=[16])
    one("offsets of three", "too long", data_offsets=[0, 16, 16])
    one("hole before", "a hole", shape=[3], data_offsets=[4, 16])
    one("bytes behind", "bytes behind the last tensor", shape=[3], data_offsets=[0, 12])
    half = {"dtype": "F32", "shape": [2]}
    st("overlap", {"v": {**half, "data_offsets": [0, 8]}, "w": {**good}}, "two tensors overlap")
    st("hole", {"v": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
                "w": {**half, "data_offsets": [8, 16]}}, "a hole between")
    st("same bytes", {"v": good, "w": good}, "two tensors overlap")
    st("empty twice", b'{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
       b'"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', "tensor w occurs twice", data=b"")
    st("no tensors", b"{}", "no tensor conv1.weight", data=b"")


# ---- not weight files at all ----

def others():
    case("empty", b"", "the file is empty")
    for what, data in {"zeros": bytes(1000), "text": b"hello\n", "json": b'{"a": 1}',
                       "jpeg": b"\xff\xd8\xff\xe0" + bytes(100), "elf": b"\x7fELF" + bytes(100),
                       "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100), "gzip": b"\x1f\x8b\x08" + bytes(99),
                       "one byte": b"\x80"[:1] + b"", "script": b"#!/bin/sh\n",
                       "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
                       "html": b"<!DOCTYPE html><title>404</title>"}.items():
        case(f"other {what}", data, "neither a .pth|truncated")


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
        ("missing bn", without("bn1.running_var"), {}, "looks like resnet18, but bn1.running_var is missing"),
        ("missing conv", without("layer3.1.conv2.weight"), {}, "but layer3.1.conv2.weight is missing"),
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
        ("two networks", {**{"q." + k: v for k, v in base.items()}, "k.conv1.weight": (64, 3, 7, 7)}, {},
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
    items, storages, at = {}, {}, 0
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
    """Random damage to files that are fine; without checksums, so that it is not noticed at once."""
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
