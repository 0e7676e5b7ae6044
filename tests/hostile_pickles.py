# SPDX-License-Identifier: MIT
"""Hostile pickles in well-formed archives: what they ask for, misuse of what is allowed, limits."""
import re

from hostile_corpus import *

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
_operator.attrgetter itertools.chain shutil.rmtree shutil.move socket.socket
socket.create_connection
urllib.request.urlopen http.client.HTTPSConnection ftplib.FTP smtplib.SMTP requests.get
aiohttp.client.ClientSession webbrowser.open ctypes.CDLL ctypes.cdll pty.spawn pdb.run pdb.Pdb
bdb.Bdb
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
            "2^200":
                tuple_of(text("storage"), fs, text("0"), text("cpu"), integer(1 << 200))}.items():
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
            "shape huge": ((big, big), (1, 1), 0, 4),
            "shape wraps": ((1 << 32, 1 << 32), (0, 0), 0, 4),
            "shape wraps to 4": ((big + 1, 4), (1, 1), 0, 4),
            "reach wraps": ((3, 3), (big, big), 4, 4), "one more": ((5,), (1,), 0, 4),
            "two strides": ((2, 3), (1, 2), 0, 4),
            "empty but overflowing": ((big, big, 0), (1, 1, 1), 0, 4),
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
