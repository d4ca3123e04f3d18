"""The tensors of ONNX files, which lie in the file or in files beside it."""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath

import ml_dtypes
import numpy as np

from archspec.diagnostics import count
from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import Message
from archspec.weights.tensors import Tensor, UnreadableError

TYPES: dict[int, np.dtype] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    4: np.dtype("<u2"),
    5: np.dtype("<i2"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    12: np.dtype("<u4"),
    13: np.dtype("<u8"),
    16: np.dtype(ml_dtypes.bfloat16),
}
"""NumPy's types by ONNX's numbers for them."""
NAMES = {
    8: "string",
    14: "complex64",
    15: "complex128",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
}
"""ONNX's words for types whose numbers are not read."""

MAX_AXES = 16
_DIMS, _TYPE, _FLOATS, _INT32, _INT64, _NAME, _RAW, _DOUBLES, _UINT64, _EXTERNAL, _LOCATION = (
    *(1, 2, 4, 5, 7, 8, 9, 10, 11, 13, 14),
)
_KEY, _VALUE = 1, 2


class Beside:
    """Files of tensors beside a model, each mapped once; none outside of the model's folder is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, memoryview] = {}

    def content(self, location: str) -> memoryview:
        """The bytes of a file by its path from the folder. Raises `DamagedError`."""
        if location in self._open:
            return self._open[location]
        shown = repr(location[:120])
        parts = PurePosixPath(location).parts
        outside = PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive or "\\" in location
        if not location or "\0" in location or outside or ".." in parts:
            raise DamagedError(f"names {shown} for its tensors, which is no file within its folder: nothing is opened")
        path = self.folder.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(self.folder.resolve())
            if not inside or any(folder.is_symlink() for folder in (path, *path.parents[: len(parts) - 1])):
                raise DamagedError(f"has tensors in {shown}, which is a link: nothing outside of its folder is opened")
            if not path.is_file():
                raise DamagedError(f"has tensors in {shown}, which is not there: the file belongs beside it")
            with mapped(path) as view:
                # The slice lasts longer than the view that it is of.
                self._open[location] = view[:]
        except OSError as error:
            raise DamagedError(f"has tensors in {shown}, which cannot be read: {error.strerror or error}") from None
        except DamagedError as error:
            if str(error) == "is empty":
                raise DamagedError(f"has tensors in {shown}, which is empty") from None
            raise
        return self._open[location]


def tensor_name(message: Message) -> str:
    """What a tensor is called."""
    return message.text(_NAME)


def tensor_of(message: Message, beside: Beside) -> Tensor:
    """A tensor, whose numbers are looked at when they are asked for. Raises `DamagedError`."""
    name = f"the tensor {tensor_name(message)[:120]!r}"
    shape = tuple(message.numbers(_DIMS))
    if len(shape) > MAX_AXES or any(size < 0 for size in shape):
        raise DamagedError(f"is damaged: {name} has the shape {list(shape[:MAX_AXES])}")
    number = message.number(_TYPE)
    if number not in TYPES:
        kind = NAMES.get(number)
        if kind is None:
            raise DamagedError(f"is damaged: {name} is of type {number}, which ONNX does not have")
        return Tensor(shape, kind, partial(_unread, kind))
    dtype = TYPES[number]
    content = _content(message, dtype, beside, name)
    if len(content) != prod(shape) * dtype.itemsize:
        raise DamagedError(
            f"is damaged: {name} of shape {list(shape)} and type {dtype.name} has {count(len(content), 'byte')} "
            f"instead of {prod(shape) * dtype.itemsize:,}"
        )
    return Tensor(shape, dtype.name, partial(_loaded, content, dtype, shape))


def _content(message: Message, dtype: np.dtype, beside: Beside, name: str) -> memoryview:
    """The bytes of a tensor's numbers, wherever they lie."""
    if message.number(_LOCATION) == 1:
        return _external(message, beside, name)
    if _RAW in message:
        return message.content(_RAW)
    if dtype.name in ("float32", "float64"):
        reals = message.reals(_FLOATS if dtype.name == "float32" else _DOUBLES, dtype.itemsize)
        return memoryview(reals).cast("B") if reals.size else memoryview(b"")
    field = {"int64": _INT64, "uint64": _UINT64, "uint32": _UINT64}.get(dtype.name, _INT32)
    numbers = message.numbers(field)
    if not numbers:
        return memoryview(b"")
    # Halves stand as the numbers of their bits.
    bits = np.dtype(f"u{dtype.itemsize}") if dtype.kind in "fV" else dtype
    try:
        return memoryview(np.array(numbers).astype(bits).view("u1"))
    except (OverflowError, ValueError):
        raise DamagedError(f"is damaged: {name} has numbers that do not fit in {dtype.name}") from None


def _external(message: Message, beside: Beside, name: str) -> memoryview:
    said = {entry.text(_KEY): entry.text(_VALUE) for entry in message.messages(_EXTERNAL)}
    content = beside.content(said.get("location", ""))
    try:
        offset, length = int(said.get("offset", "0")), int(said.get("length", "-1"))
    except ValueError:
        raise DamagedError(f"is damaged: {name} lies at no place of its file") from None
    if length < 0:
        length = len(content) - offset
    if offset < 0 or length < 0 or offset + length > len(content):
        raise DamagedError(f"is damaged: {name} lies outside of {said['location'][:120]!r}, or that is cut short")
    return content[offset : offset + length]


def _loaded(content: memoryview, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(content, dtype).reshape(shape)


def _unread(kind: str) -> np.ndarray:
    raise UnreadableError(f"is of type {kind}, which is not read")
