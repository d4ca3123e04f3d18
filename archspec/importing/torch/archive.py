"""The archive that `torch.export.save` writes (`.pt2`): a graph as JSON, and an entry of bytes for each tensor.

Nothing of it is a program: pickles, which it may have for samples and objects, are never opened.

Source: https://github.com/pytorch/pytorch/blob/main/docs/source/user_guide/torch_compiler/export/pt2_archive.md
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from archspec.diagnostics import count
from archspec.formats import archives
from archspec.formats.mapping import DamagedError
from archspec.importing.operations import Shape
from archspec.weights.tensors import Tensor, UnreadableError

MAX_JSON = 2**26
"""Bytes of the graph, and of the list of tensors."""
MAX_UNPACKED = 2**28
"""Bytes that compressed entries may unpack to, all together; PyTorch does not compress."""
MAX_AXES = 16
MAX_SIZE = 2**40

TYPES = {
    1: np.dtype("u1"),
    2: np.dtype("i1"),
    3: np.dtype("<i2"),
    4: np.dtype("<i4"),
    5: np.dtype("<i8"),
    6: np.dtype("<f2"),
    7: np.dtype("<f4"),
    8: np.dtype("<f8"),
    12: np.dtype("?"),
    13: np.dtype(ml_dtypes.bfloat16),
}
"""NumPy's types by the numbers that the graph has for PyTorch's."""


@dataclass(frozen=True)
class Archive:
    """A program: its graph as PyTorch wrote it, and its tensors by the names that the graph has for them."""

    graph: Mapping[str, Any]
    signature: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    producer: str


def opened(path: Path) -> Archive:
    """The program of an archive. Raises `DamagedError` and `OSError`."""
    try:
        return _read(path)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise DamagedError(f"is damaged, or of another version: its graph has no {str(error)[:80]}") from None


def _read(path: Path) -> Archive:
    entries = archives.entries(path)
    unpacked = sum(item.file_size for item in entries.values() if item.compress_type != zipfile.ZIP_STORED)
    if unpacked > MAX_UNPACKED:
        raise DamagedError(f"unpacks to more than {MAX_UNPACKED // 2**20} MiB: save it again, without compression")
    graphs = [name for name in entries if name.endswith(".json") and "/models/" in f"/{name}"]
    if not graphs:
        if any(name.endswith("serialized_exported_program.json") for name in entries):
            raise DamagedError("is of a PyTorch before 2.8, whose archives have pickles: save it with a newer one")
        raise DamagedError("has no program of torch.export; weights alone are read by `archspec weights import`")
    if len(graphs) > 1:
        raise DamagedError(f"has {count(len(graphs), 'program')}, and one is read")
    root, _, file = graphs[0].partition("models/")
    name = file.removesuffix(".json")
    order = f"{root}byteorder"
    if order in entries and archives.content_of(path, entries[order], 64).strip() not in (b"little", b""):
        raise DamagedError("has its numbers in the order of big-endian machines, which is not read")
    whole = _json(path, entries[graphs[0]])
    module = whole["graph_module"]
    tensors: dict[str, Tensor] = {}
    for folder, listed in (("weights", "weights"), ("constants", "constants")):
        config = f"{root}data/{folder}/{name}_{listed}_config.json"
        if config in entries:
            for own, about in _json(path, entries[config])["config"].items():
                tensors[str(own)] = _tensor(path, entries, f"{root}data/{folder}/", str(own), about)
    producer = f"torch {whole['torch_version']}" if isinstance(whole.get("torch_version"), str) else "torch"
    return Archive(module["graph"], module["signature"], tensors, producer)


def _json(path: Path, entry: zipfile.ZipInfo) -> Any:
    return json.loads(archives.content_of(path, entry, MAX_JSON))


def _tensor(
    path: Path, entries: Mapping[str, zipfile.ZipInfo], folder: str, name: str, about: Mapping[str, Any]
) -> Tensor:
    meta = about.get("tensor_meta")
    if meta is None:
        return Tensor((), "an object", partial(_unread, "is an object"))
    shape = sizes(meta["sizes"])
    code = meta["dtype"]
    if about.get("use_pickle"):
        return Tensor(shape, "a pickle", partial(_unread, "is a pickle, which is never opened"))
    if code not in TYPES:
        return Tensor(shape, f"type {code}", partial(_unread, f"is of type {code}, which is not read"))
    dtype, strides, offset = TYPES[code], sizes(meta["strides"]), _size(meta["storage_offset"])
    entry = entries.get(folder + str(about["path_name"]))
    if entry is None:
        raise DamagedError(f"has no numbers for {name[:80]!r}")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) if prod(shape) else -1
    if (last + 1) * dtype.itemsize > entry.file_size or prod(shape) * dtype.itemsize > max(entry.file_size, 1):
        raise DamagedError(f"is damaged: {name[:80]!r} of shape {list(shape)} lies outside of its numbers")
    return Tensor(shape, dtype.name, partial(_loaded, path, entry, dtype, shape, strides, offset))


def _loaded(
    path: Path, entry: zipfile.ZipInfo, dtype: np.dtype, shape: Shape, strides: Shape, offset: int
) -> np.ndarray:
    try:
        content = np.frombuffer(archives.content_of(path, entry, entry.file_size), np.uint8)
    except DamagedError as error:
        raise UnreadableError(f"lies in an archive that {error}") from None
    items = tuple(stride * dtype.itemsize for stride in strides)
    numbers = content[: content.size // dtype.itemsize * dtype.itemsize].view(dtype)[offset:]
    if not prod(shape):
        return np.zeros(shape, dtype)
    return np.lib.stride_tricks.as_strided(numbers, shape, items, writeable=False)


def _unread(what: str) -> np.ndarray:
    raise UnreadableError(what)


def sizes(values: Any) -> Shape:
    """Sizes or strides as the graph has them: of one that is left open, the example's."""
    found = tuple(_size(value) for value in values)
    if len(found) > MAX_AXES or any(not 0 <= size <= MAX_SIZE for size in found):
        raise DamagedError(f"is damaged: it has the shape {list(found[:MAX_AXES])}")
    return found


def _size(value: Any) -> int:
    if "as_expr" in value:
        value = value["as_expr"]["hint"]
    size = value["as_int"]
    if not isinstance(size, int) or isinstance(size, bool):
        raise ValueError("size")
    return size


def is_open(values: Any) -> list[int]:
    """The axes whose sizes the graph leaves open."""
    return [axis for axis, value in enumerate(values) if "as_expr" in value]
