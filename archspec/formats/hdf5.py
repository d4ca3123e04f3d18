"""HDF5 read as data: where the numbers of its datasets lie, and what texts stand beside them.

`hdf5_index.py` reads the index in a process of its own, by HDF5's library. The numbers are read here, from the places
that the index gives, and unpacked within bounds: by zlib and `shuffle`, which are in every build of HDF5. No other
filter is looked for anywhere.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import count
from archspec.formats.mapping import DamagedError
from archspec.formats.region import Region

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_SECONDS = 120
"""Seconds of the clock until the process that reads an index is ended; it bounds its own time on a processor."""
MAX_EXPANSION = 2**27
"""Bytes by which a file's datasets may be more than four times the file."""
_DEFLATE, _SHUFFLE = 1, 2
_FILTERS = {3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf", 32001: "blosc", 32015: "zstd"}


class Dataset(NamedTuple):
    """An array in the file. `fault` says why its numbers are not read; None where they are."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], np.ndarray]
    fault: str | None = None


class Hdf5(NamedTuple):
    """What a file holds: datasets by path, and attributes that are texts by the path of what they belong to."""

    datasets: dict[str, Dataset]
    groups: list[str]
    attributes: dict[str, dict[str, list[str]]]

    def text(self, path: str, name: str) -> str | None:
        """An attribute that is one text; None where there is none."""
        found = self.attributes.get(path, {}).get(name)
        return found[0] if found else None

    def texts(self, path: str, name: str) -> list[str] | None:
        """An attribute that lists texts, which Keras cuts into `name0`, `name1`, … where they are many."""
        own = self.attributes.get(path, {})
        if name in own:
            return own[name]
        parts: list[str] = []
        number = 0
        while f"{name}{number}" in own:
            parts += own[f"{name}{number}"]
            number += 1
        return parts if number else None


def read_hdf5(region: Region) -> Hdf5:
    """What a file holds. Raises `DamagedError`, or `OSError` where the file cannot be read."""
    index = _index(region)
    attributes: dict[str, dict[str, list[str]]] = index["attributes"]
    datasets = {}
    unpacked = 0
    for path, item in index["datasets"].items():
        dtype = np.dtype(item["dtype"] or "u1")
        if attributes.get(path, {}).get("dtype") == ["bfloat16"] and dtype.itemsize == 2:
            import ml_dtypes

            dtype = np.dtype(ml_dtypes.bfloat16)
        if item.get("layout") == "chunked":
            unpacked += max(prod(item["shape"]), prod(item["chunk"])) * dtype.itemsize
        datasets[path] = _dataset(region, path, item, dtype)
    if unpacked > 4 * region.size + MAX_EXPANSION:
        sizes = f"{unpacked / 2**20:,.0f} MiB from {region.size / 2**20:,.1f} MiB"
        raise DamagedError(f"unpacks to {sizes}, which no weights do")
    return Hdf5(datasets, index["groups"], attributes)


def _index(region: Region) -> dict[str, Any]:
    """What the process that reads the index says."""
    program = Path(__file__).with_name("hdf5_index.py")
    # Without plug-ins, and with no more threads of NumPy's than one, whose memory would count.
    environment = os.environ | {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    path = "" if region.content is not None else str(region.path.absolute())
    command = [sys.executable, "-P", str(program), path, str(region.begin), str(region.size)]
    try:
        ended = subprocess.run(
            command, input=region.content or b"", capture_output=True, timeout=MAX_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise DamagedError("is a damaged HDF5 file: its index has no end") from None
    if ended.returncode:
        # Ended by the system for its time or its memory, or by a fault within the library.
        if ended.returncode > 0 and b"ModuleNotFoundError" in ended.stderr:
            raise DamagedError("is an HDF5 file, which takes h5py to read, and that cannot be imported")
        raise DamagedError("is a damaged HDF5 file: HDF5's library found no end of its index, or broke off on it")
    answer: dict[str, Any] = json.loads(ended.stdout)
    if "refused" in answer:
        raise DamagedError(str(answer["refused"]))
    return answer


def _dataset(region: Region, path: str, item: Mapping[str, Any], dtype: np.dtype[Any]) -> Dataset:
    """An array whose bytes lie where the index says. Raises `DamagedError` where they lie beyond the file's end."""
    shape = tuple(item["shape"])
    size = prod(shape) * dtype.itemsize
    if "fault" in item:
        return Dataset(shape, dtype, _nothing, item["fault"])
    if item["layout"] == "empty":
        return Dataset(shape, dtype, lambda: np.zeros(shape, dtype))
    if item["layout"] == "compact":
        content = base64.b64decode(item["content"])
        return Dataset(shape, dtype, lambda: np.frombuffer(content, dtype).reshape(shape))
    places = [(item["at"], size)] if item["layout"] == "plain" else [piece[1:3] for piece in item["pieces"]]
    if any(at + length > region.size for at, length in places):
        raise DamagedError(f"is cut short: its array {path[:200]} goes on beyond the end")
    if item["layout"] == "plain":
        at = item["at"]
        return Dataset(shape, dtype, lambda: np.frombuffer(region.read(at, size), dtype).reshape(shape))
    filters = tuple(item["filters"])
    other = next((code for code in filters if code not in (_DEFLATE, _SHUFFLE)), None)
    if other is not None:
        word = _FILTERS.get(other, f"filter {other}")
        return Dataset(shape, dtype, _nothing, f"packed by {word}, which is not read: gzip and shuffle are")
    chunk = tuple(item["chunk"])
    return Dataset(shape, dtype, lambda: _put_together(region, shape, dtype, chunk, filters, item["pieces"]))


def _put_together(
    region: Region,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunk: tuple[int, ...],
    filters: tuple[int, ...],
    pieces: list[tuple[list[int], int, int, int]],
) -> np.ndarray:
    """An array of its pieces; those at its ends are cut."""
    array = np.zeros(shape, dtype)
    for first, at, size, mask in pieces:
        content = _unpacked(region.read(at, size), filters, mask, prod(chunk) * dtype.itemsize, dtype.itemsize)
        piece = np.frombuffer(content, dtype).reshape(chunk)
        ends = [min(begin + step, end) for begin, step, end in zip(first, chunk, shape, strict=True)]
        inside = tuple(slice(0, max(0, end - begin)) for begin, end in zip(first, ends, strict=True))
        array[tuple(slice(begin, end) for begin, end in zip(first, ends, strict=True))] = piece[inside]
    return array


def _unpacked(content: bytes, filters: tuple[int, ...], mask: int, size: int, width: int) -> bytes:
    """A piece's bytes before its filters, which worked in their order; `mask` has a bit for each that was left out."""
    for place, code in reversed(list(enumerate(filters))):
        if mask >> place & 1:
            continue
        if code == _DEFLATE:
            try:
                content = zlib.decompressobj().decompress(content, size + 1)
            except zlib.error as error:
                raise DamagedError(f"is damaged: {error}") from None
        elif len(content) == size:
            content = np.frombuffer(content, np.uint8).reshape(width, -1).T.tobytes()
    if len(content) != size:
        raise DamagedError(f"is damaged: a piece of it unpacks to another size than {count(size, 'byte')}")
    return content


def _nothing() -> np.ndarray:
    raise DamagedError("has numbers that are not read")
