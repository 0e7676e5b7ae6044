# SPDX-License-Identifier: MIT
"""Reads the feature caches that the program `firn` makes.

    import firn
    cache = firn.open("train.firn")
    X, y = cache.features[:], cache.labels        # float32 [N, D], int64 [N]
    batch = cache.features[[5, 1, 7]]             # any rows, in any order, with repeats
    loader = torch.utils.data.DataLoader(firn.TorchDataset(cache), batch_size=256, shuffle=True)

A row is a photograph that has a feature, in the order of torchvision's ImageFolder; where a cache
was made with several views of each, a row is a view, and those of a photograph follow each other:
cache.views[row] says which, and features[cache.views == cache.center] are the centre crops'. Labels
and paths repeat. A cache is a snapshot: what a writer adds later is seen by opening it again. It
may be used from several threads, after a fork, and in the workers of a DataLoader.
"""
import ctypes
import os
import warnings

import numpy

from . import _library
from ._library import Error

__all__ = ["Cache", "Error", "Features", "Photograph", "TorchDataset", "open"]


class Photograph:
    """One photograph of the ledger: path, label, state, reason, size, content."""

    __slots__ = ("path", "label", "state", "reason", "size", "content")

    def __init__(self, photo):
        root, name = photo.root, photo.name
        self.path = os.fsdecode(os.path.join(root, name) if root else name)
        self.label = photo.label
        self.state = _library.STATES[photo.state]
        self.reason = photo.reason.decode("utf-8", "replace")
        self.size = photo.size
        self.content = bytes(photo.content).hex()

    def __repr__(self):
        return f"<firn.Photograph {self.path!r} {self.state}>"


class Features:
    """The features as numpy sees an array of shape [N, D], read from the cache when asked for."""

    dtype = numpy.dtype(numpy.float32)
    ndim = 2

    def __init__(self, cache):
        self._cache = cache
        self.shape = (cache._rows, cache.dim)

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None):
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key):
        rest = ()
        if isinstance(key, tuple):
            key, rest = (key[0], key[1:]) if key else (Ellipsis, ())
        if key is None or isinstance(key, (bool, numpy.bool_)):
            raise IndexError("rows are chosen by integers, slices or a mask")
        if isinstance(key, slice) or key is Ellipsis:
            start, stop, step = (slice(None) if key is Ellipsis else key).indices(len(self))
            if step == 1:
                rows = self._cache._range(start, max(0, stop - start))
            else:
                rows = self._cache._gather(numpy.arange(start, stop, step, dtype=numpy.int64))
        elif isinstance(key, (int, numpy.integer)):
            rows = self._cache._gather(self._check(numpy.array([key], numpy.int64)))[0]
            return rows[rest] if rest else rows
        else:
            key = numpy.asarray(key)
            if key.dtype == bool:
                if key.shape != (len(self),):
                    raise IndexError(f"a mask of {len(self)} rows is wanted, not {key.shape}")
                key = numpy.flatnonzero(key)
            if key.size and not numpy.issubdtype(key.dtype, numpy.integer):
                raise IndexError("rows are chosen by integers, slices or a mask")
            flat = self._check(key.astype(numpy.int64).reshape(-1))
            rows = self._cache._gather(flat)
            if rest:  # the second index may go along with the first one, as numpy has it
                return rows[(numpy.arange(len(flat)).reshape(key.shape),) + rest]
            return rows.reshape(key.shape + (self.shape[1],))
        return rows[(slice(None),) + rest] if rest else rows

    def _check(self, rows):
        n = len(self)
        rows = numpy.where(rows < 0, rows + n, rows)
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            raise IndexError(f"row out of range: there are {n}")
        return numpy.ascontiguousarray(rows)


class Cache:
    """A snapshot of a cache; see firn.open()."""

    _c = None

    def __init__(self, path):
        self.path = os.path.abspath(os.fspath(path))
        self._open()
        try:
            _library.check(_library.lib.firn_cache_check, self._c)
        except Error as error:
            warnings.warn(str(error), stacklevel=3)  # of who called firn.open()

    def _open(self):
        self._c = None
        self._c = _library.open_cache(os.fsencode(self.path))
        stat = _library.stat_of(self._c)
        self._rows, self.dim = stat.records * stat.views, stat.dim
        self.n_views, self.center = stat.views, stat.center if stat.center >= 0 else None
        self.stat = {name: getattr(stat, name) for name, _ in stat._fields_}
        self._labels = self._paths = None

    def close(self):
        """Gives files and memory back; nothing can be read any more."""
        if self._c:
            _library.lib.firn_cache_close(self._c)
        self._c = None

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getstate__(self):
        return self.path, self.stat

    def __setstate__(self, state):
        self.path, was = state
        self._open()
        # more distinct features for as many photographs: one has changed, or taken another's place
        if (any(self.stat[key] != was[key] for key in ("records", "classes", "views")) or
                self.stat["rows"] > was["rows"]):
            raise Error(78, f"{self.path}: has changed since it was opened in the other process")

    def __len__(self):
        return self._rows

    def __repr__(self):
        each = f", {self.n_views} views of a photograph" if self.n_views > 1 else ""
        return f"<firn.Cache {self.path!r}: {self._rows} features of {self.dim} numbers{each}>"

    def _alive(self):
        if not self._c:
            raise ValueError("the cache is closed")
        return self._c

    def _range(self, first, n):
        out = numpy.empty((n, self.dim), numpy.float32)
        _library.check(_library.lib.firn_cache_range, self._alive(), first, n, out.ctypes.data)
        return out

    def _gather(self, rows):
        out = numpy.empty((len(rows), self.dim), numpy.float32)
        _library.check(_library.lib.firn_cache_gather, self._alive(), rows.ctypes.data, len(rows),
                       out.ctypes.data)
        return out

    @property
    def features(self):
        """float32 [N, D], read when indexed: features[:] is all of it."""
        return Features(self)

    @property
    def labels(self):
        """int64 [N]; -1 where there is no class."""
        if self._labels is None:
            self._labels = numpy.empty(self._rows, numpy.int64)
            _library.lib.firn_cache_labels(self._alive(), self._labels.ctypes.data)
        return self._labels

    @property
    def views(self):
        """int64 [N]: which view of its photograph a row is, from 0 to n_views - 1."""
        return numpy.arange(self._rows, dtype=numpy.int64) % self.n_views

    @property
    def paths(self):
        """Absolute paths as an array of str; os.fsencode() gives the bytes."""
        if self._paths is None:
            size = _library.lib.firn_cache_paths(self._alive(), None)
            text = ctypes.create_string_buffer(size + 1)
            _library.lib.firn_cache_paths(self._c, text)
            names = [os.fsdecode(name) for name in text.raw[:size].split(b"\0")[:-1]]
            self._paths = numpy.array(names, dtype=str if names else "<U1")
        return self._paths

    @property
    def classes(self):
        """Names of the classes: classes[label]."""
        names = []
        while True:
            name = _library.lib.firn_cache_class(self._alive(), len(names))
            if name is None:
                return names
            names.append(os.fsdecode(name))

    @property
    def fingerprint(self):
        """What the features were made with: trunk, batchnorm, preprocess, numeric."""
        return _library.fingerprint_of(self._alive())

    def feature_of(self, content):
        """
        The feature of a file's contents, given by their BLAKE2b-256 (bytes or hexadecimal): [D],
        or [n_views, D] of several views.
        """
        key = bytes.fromhex(content) if isinstance(content, str) else bytes(content)
        if len(key) != 32:
            raise ValueError("a content hash has 32 bytes")
        out = numpy.empty((self.n_views, self.dim), numpy.float32)
        _library.check(_library.lib.firn_cache_feature_of, self._alive(), key, out.ctypes.data)
        return out if self.n_views > 1 else out[0]

    def photographs(self):
        """Everything in the ledger, also what was skipped, is corrupt or gone."""
        photo = _library.Photo()
        for i in range(_library.lib.firn_cache_count(self._alive())):
            _library.lib.firn_cache_photo(self._alive(), i, ctypes.byref(photo))
            yield Photograph(photo)


def open(path):  # pylint: disable=redefined-builtin
    """
    A snapshot of the cache in the directory `path`. Raises firn.Error; warns (UserWarning) when a
    part of the cache is lost, so that the rest is a smaller data set.
    """
    return Cache(path)


class TorchDataset:
    """Rows as (feature, label) for torch.utils.data.DataLoader; batches are gathered at once."""

    def __init__(self, cache, transform=None):
        import torch  # only this class needs it
        self._torch = torch
        self.cache = cache if isinstance(cache, Cache) else open(cache)
        self.transform = transform
        self.classes = self.cache.classes
        self.targets = self.cache.labels

    def __len__(self):
        return len(self.cache)

    def __getitem__(self, i):
        return self.__getitems__([i])[0]

    def __getitems__(self, rows):
        rows = [int(row) for row in rows]
        features = self._torch.from_numpy(self.cache.features[rows])
        if self.transform:
            features = self.transform(features)
        return [(feature, int(self.targets[row])) for feature, row in zip(features, rows)]

    def collate(self, samples):
        """For DataLoader(collate_fn=...): stacks what __getitems__ gives."""
        features = self._torch.stack([feature for feature, _ in samples])
        return features, self._torch.tensor([label for _, label in samples])

    def __getstate__(self):
        return {"cache": self.cache, "transform": self.transform}

    def __setstate__(self, state):
        self.__init__(**state)
