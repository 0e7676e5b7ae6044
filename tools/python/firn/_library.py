# SPDX-License-Identifier: MIT
"""The shared library libfirn-cache through ctypes; include/firn/cache.h says what is what."""
import ctypes
import ctypes.util
import os
from pathlib import Path

NAME = "libfirn-cache.so.0"
STATES = ("", "done", "skipped", "corrupt", "gone")
PARTS = ("trunk", "batchnorm", "preprocess", "numeric")


class Error(Exception):
    """A failure of firn: `code` is what the program would exit with."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code

    def __reduce__(self):
        return Error, (self.code, str(self))


class Failure(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 1024)]


class Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("records", "skipped", "corrupt", "gone", "rows")] + [
                    ("dim", ctypes.c_int), ("store", ctypes.c_int), ("segments", ctypes.c_size_t),
                    ("bytes", ctypes.c_uint64), ("raw_bytes", ctypes.c_uint64),
                    ("classes", ctypes.c_size_t), ("runs", ctypes.c_size_t),
                    ("roots", ctypes.c_size_t), ("lost_segments", ctypes.c_size_t),
                    ("views", ctypes.c_int), ("center", ctypes.c_int),
                    ("index_bytes", ctypes.c_uint64)]


class Photo(ctypes.Structure):
    _fields_ = [("root", ctypes.c_char_p), ("name", ctypes.c_char_p),
                ("class_name", ctypes.c_char_p), ("label", ctypes.c_int), ("state", ctypes.c_int),
                ("reason", ctypes.c_char_p), ("size", ctypes.c_uint64),
                ("mtime_ns", ctypes.c_int64), ("content", ctypes.c_uint8 * 32)]


def load():
    """$FIRN_LIBRARY, the library beside this package, the one that is installed."""
    places = [os.environ.get("FIRN_LIBRARY"), Path(__file__).parent / NAME, NAME,
              ctypes.util.find_library("firn-cache")]
    tried = []
    for place in filter(None, places):
        try:
            return ctypes.CDLL(str(place))
        except OSError as error:
            tried.append(str(error))
    raise ImportError("libfirn-cache is not found; set FIRN_LIBRARY to its path: " +
                      "; ".join(tried))


lib = load()
_void, _size, _error = ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(Failure)
for _name, _result, _arguments in (
        ("firn_cache_open", ctypes.c_int, (ctypes.POINTER(_void), ctypes.c_char_p, _error)),
        ("firn_cache_close", None, (_void,)),
        ("firn_cache_stat", None, (_void, ctypes.POINTER(Stat))),
        ("firn_cache_check", ctypes.c_int, (_void, _error)),
        ("firn_cache_fingerprint", _void, (_void,)),
        ("firn_cache_class", ctypes.c_char_p, (_void, _size)),
        ("firn_cache_count", _size, (_void,)),
        ("firn_cache_photo", None, (_void, _size, ctypes.POINTER(Photo))),
        ("firn_cache_labels", None, (_void, _void)),
        ("firn_cache_paths", _size, (_void, ctypes.c_char_p)),
        ("firn_cache_gather", ctypes.c_int, (_void, _void, _size, _void, _error)),
        ("firn_cache_range", ctypes.c_int, (_void, _size, _size, _void, _error)),
        ("firn_cache_feature_of", ctypes.c_int, (_void, ctypes.c_char_p, _void, _error))):
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


def check(function, *arguments):
    """Calls a function whose last argument is the error, and raises it."""
    failure = Failure()
    if function(*arguments, ctypes.byref(failure)):
        raise Error(failure.code, failure.text.decode("utf-8", "replace"))


def open_cache(path):
    cache = _void()
    check(lib.firn_cache_open, ctypes.byref(cache), path)
    return cache


def stat_of(cache):
    stat = Stat()
    lib.firn_cache_stat(cache, ctypes.byref(stat))
    return stat


def fingerprint_of(cache):
    text = ctypes.string_at(lib.firn_cache_fingerprint(cache), 512 * len(PARTS))
    return {part: text[512 * i:512 * (i + 1)].split(b"\0")[0].decode()
            for i, part in enumerate(PARTS)}
