# SPDX-License-Identifier: MIT
"""Hostile archives: zip, the older stream and tar forms, safetensors, and other files."""
import struct
import tarfile

from hostile_corpus import *
from hostile_pickles import ALLOWED

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
            end=struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF,
                            0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
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
        tar(f"storage {what}", "a storage that goes on beyond|truncated",
            storages=pickle(integer(1)) + item +
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
    tar("tensor without storage", "a tensor without its storage",
        tensors=pickle(integer(1)) + pickle(
        tuple_of(integer(first), integer(7), b"N")) + struct.pack("<iiqqq", 1, 0, 4, 1, 0))
    tar("tensor of none", "a persistent id that is not", tensors=pickle(integer(1)) + pickle(
        tuple_of(integer(first), b"N", b"N")) + struct.pack("<iiq", 0, 0, 0))
    tar("tensor malformed", "a tensor that is malformed",
        tensors=pickle(integer(1)) + pickle(b"N") +
        bytes(64))
    tar("tensor twice", "two tensors of one id", tensors=pickle(integer(2)) + 2 * (
        info + struct.pack("<iiqqq", 1, 0, 4, 1, 0)))
    tar("tensors behind", "bytes behind the last tensor", tensors=pickle(integer(1)) + info +
        struct.pack("<iiqqq", 1, 0, 4, 1, 0) + b"x")
    tar("pickle behind", "bytes behind the pickle", pickle=pickle(b"N") + b"x")
    for what, value in {"number": integer(first), "none": b"N",
                        "word": text("x"), "empty": text(""),
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
    case("tar sparse", tar_file({"pickle": b""}, tarfile.GNUTYPE_SPARSE),
         "not a plain file|changes")
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
            ("field twice", raw.replace(b'"shape"', b'"dtype":"F32","shape"'),
             "a key occurs twice"),
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
                       "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
                       "gzip": b"\x1f\x8b\x08" + bytes(99),
                       "one byte": b"\x80"[:1] + b"", "script": b"#!/bin/sh\n",
                       "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
                       "html": b"<!DOCTYPE html><title>404</title>"}.items():
        case(f"other {what}", data, "neither a .pth|truncated")
