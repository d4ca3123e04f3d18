"""The initialisers of ONNX files as tensors, by their names and in the order of axes that ONNX and PyTorch share.

A file is one ModelProto of onnx.proto: the graph in field 7, its initialisers in that one's 5, each a TensorProto.
Nodes are not looked at: what an exporter folded into other numbers is of other names, which match nothing.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import Message
from archspec.weights.naming import TORCH_WORDS
from archspec.weights.stored import address, checked_shape, stored
from archspec.weights.tensors import FLOATS, Tensor, TensorFile

SUFFIX = ".onnx"
OWN = "archspec"
"""What files that this package wrote say of their producer; their tensors have its words for arrays."""
_KINDS = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
}
_LISTS = {1: (4, 4), 11: (10, 8)}
"""The fields of a TensorProto that list numbers with a point, and their bytes, by type; other types are in field 5."""


def is_onnx(path: Path) -> bool:
    """Whether a file is one by its name: protobuf's files have no beginning of their own."""
    return path.suffix == SUFFIX


@contextmanager
def opened_onnx(path: Path) -> Iterator[TensorFile]:
    """The initialisers of a file. Raises `DamagedError` and `OSError`."""
    with mapped(path) as content:
        model = Message(content)
        if 7 not in model:
            raise DamagedError("is no ONNX file: it has no graph")
        own = model.text(2) == OWN
        tensors: dict[str, Tensor] = {}
        for message in model.message(7).messages(5):
            name = message.text(8)[:500]
            tensor = _tensor(message, name, path, content)
            name = _in_torch_words(name) if own else name
            if name in tensors:
                raise DamagedError(f"has two initialisers called {name[:100]}")
            tensors[name] = tensor
    yield TensorFile(path, tensors, layout="pytorch")


def _tensor(message: Message, name: str, path: Path, content: memoryview) -> Tensor:
    number = message.number(2)
    kind = _KINDS.get(number, f"of ONNX's type {number}, which is not read")
    shape = tuple(message.numbers(1))
    if message.number(14) == 1 or 13 in message:
        return Tensor(shape, "in another file, where large models keep their numbers", _elsewhere)
    what = f"initialiser {name[:60]}"
    if kind not in FLOATS:
        return Tensor(shape, kind, _elsewhere)
    type_ = FLOATS[kind]
    parts = list(message.contents(9)) or list(message.contents(_LISTS.get(number, (0, 0))[0]))
    if not parts and number not in _LISTS:
        return _of_whole(message, shape, kind, what)
    if len(parts) > 1 or any(len(part) % type_.itemsize for part in parts):
        raise DamagedError(f"has {what} in pieces: it is damaged")
    checked_shape(shape, sum(map(len, parts)) // type_.itemsize, what)
    start = address(parts[0]) - address(content) if parts else 0
    return stored(path, start, shape, kind)


def _of_whole(message: Message, shape: tuple[int, ...], kind: str, what: str) -> Tensor:
    """Numbers of 16 bits or less, which may be listed as whole numbers of the same bits."""
    bits = np.array(message.numbers(5), np.int64)
    checked_shape(shape, len(bits), what)
    array = (bits & 0xFFFF).astype("<u2") if FLOATS[kind].itemsize == 2 else (bits & 0xFF).astype("u1")
    return Tensor.of(array.view(FLOATS[kind]).reshape(shape))


def _elsewhere() -> np.ndarray:
    raise AssertionError("a tensor whose kind is a fault is never read")


def _in_torch_words(name: str) -> str:
    before, dot, word = name.rpartition(".")
    return f"{before}{dot}{TORCH_WORDS.get(word, word)}"
