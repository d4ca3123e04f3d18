"""NumPy's archives of arrays, `.npz`, as JAX's libraries write them too.

`params/conv1/kernel` becomes `params.conv1.kernel`. Arrays of objects are pickles, which are not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError

import numpy as np

from archspec.diagnostics import count
from archspec.formats.archives import ERRORS, region_of
from archspec.formats.mapping import DamagedError
from archspec.weights.tensors import Tensor, TensorFile, UnreadableError

MAX_HEADER = 10_000
MAX_EXPANSION = 2**28
"""Bytes by which compressed arrays may be more than four times their file."""
_NO_NUMBERS = {"O": "an array of objects, which is a pickle and is not read", "V": "an array of records"}


def is_npz(names: Mapping[str, zipfile.ZipInfo]) -> bool:
    """Whether an archive's entries are NumPy's arrays."""
    return bool(names) and all(name.endswith(".npy") for name in names)


def npz_tensors(path: Path, names: Mapping[str, zipfile.ZipInfo]) -> TensorFile:
    """The arrays of an archive of NumPy's. Raises `DamagedError` or `OSError`."""
    packed = [item.file_size for item in names.values() if item.compress_type != zipfile.ZIP_STORED]
    size = path.stat().st_size
    if sum(packed) > 4 * size + MAX_EXPANSION:
        sizes = f"{sum(packed) / 2**20:,.0f} MiB from {size / 2**20:,.1f} MiB"
        raise DamagedError(f"unpacks to {sizes}, which no weights do")
    tensors: dict[str, Tensor] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry, info in names.items():
                with archive.open(info) as file:
                    head = file.read(MAX_HEADER + 16)
                name = entry.removesuffix(".npy").strip("/").replace("/", ".")
                if name in tensors:
                    raise DamagedError(f"has two arrays called {name[:100]}")
                tensors[name] = _tensor(path, info, head)
    except ERRORS as error:
        raise DamagedError(f"is a damaged archive: {str(error)[:120] or type(error).__name__}") from None
    containers = {name: name.rpartition(".")[0] and name.partition(".")[0] for name in tensors}
    return TensorFile(path, tensors, containers=containers)


def _tensor(path: Path, info: zipfile.ZipInfo, head: bytes) -> Tensor:
    """An array by its header: magic, version, and a dictionary of type, order and shape."""
    stream = BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = readers[version](stream, max_header_size=MAX_HEADER)
    except (ValueError, KeyError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError) as error:
        raise DamagedError(f"has {info.filename[:100]}, which is no array: {str(error)[:100]}") from None
    if dtype.kind in _NO_NUMBERS or dtype.hasobject:
        return Tensor(shape, _NO_NUMBERS["O" if dtype.hasobject else dtype.kind], _nothing)
    begin, size = stream.tell(), prod(shape) * dtype.itemsize
    if begin + size != info.file_size:
        raise DamagedError(
            f"has {info.filename[:100]} of {count(info.file_size, 'byte')}, and its shape takes {begin + size:,}"
        )

    def load() -> np.ndarray:
        try:
            region = region_of(path, info, max(info.file_size, 1))
            content = region.read(begin, size)
        except DamagedError as error:
            raise UnreadableError(str(error)) from None
        return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")

    return Tensor(shape, dtype.name, load)


def _nothing() -> np.ndarray:
    raise UnreadableError("has no numbers")
