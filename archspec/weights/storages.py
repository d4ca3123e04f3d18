"""What a pickle of PyTorch's or NumPy's says of numbers: storages, tensors that lie in them, and arrays.

A storage is named in the pickle by a reference, and its bytes lie elsewhere in the file; a tensor is a place in one,
with a shape and strides. Nothing is read before a tensor is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from archspec.weights.pickles import Builder, Global, Made
from archspec.weights.tensors import FLOATS, Tensor, UnreadableError

_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QInt8": "quantised",
    "QUInt8": "quantised",
    "QInt32": "quantised",
    "Untyped": "bytes",
}
_SIZES = {kind: dtype.itemsize for kind, dtype in FLOATS.items()} | {
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
    "bytes": 1,
}
_QUANTISED_SIZES = {"QInt8": 1, "QUInt8": 1, "QInt32": 4}
ARRAYS = {f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")}
"""The calls by which pickles make arrays, whose numbers lie in their state."""

_CODE = re.compile(r"[fiubc][0-9]{1,2}\Z")


@dataclass(frozen=True)
class Storage:
    """Bytes that tensors share. `size` counts elements, `offset` those of the root storage before a view's first."""

    kind: str
    key: str
    size: int
    item: int
    offset: int = 0


Fetch = Callable[[str], bytes]
"""The bytes of a storage by its key. Raises `UnreadableError`."""


class Storages:
    """Where storages are read from; it is filled in once the pickle has been read."""

    def __init__(self) -> None:
        self.fetch: Fetch = _nothing
        self.big_endian = False
        self.seen: dict[str, Storage] = {}

    def storage(self, reference: Any) -> Any:
        """What a pickle's reference to something outside of it stands for."""
        if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
            return reference[1] if isinstance(reference, tuple) and len(reference) > 1 else Made("?", reference)
        _, kind, key, _, size, *view = reference
        name = kind.name.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Global) else "?"
        number_kind = _STORAGES.get(name, name)
        if not isinstance(size, int) or size < 0:
            raise UnreadableError("is damaged: a storage has no size")
        item = _QUANTISED_SIZES.get(name, _SIZES.get(number_kind, 0))
        one = Storage(number_kind, str(key), size, item)
        self.seen.setdefault(one.key, one)
        if view and isinstance(view[0], tuple) and len(view[0]) == 3:
            one = replace(one, offset=int(view[0][1]))
        return one

    def tensor(
        self, storage: Any, offset: int, shape: Any, strides: Any, kind: str | None = None, marks: Any = None
    ) -> Any:
        """A tensor in a storage; of other numbers than the storage's own where `kind` says so.

        `marks` may say that its numbers are those of the storage with the other sign, as PyTorch's lazy views are.
        """
        negated = isinstance(marks, dict) and marks.get("neg") is True
        if not isinstance(storage, Storage):
            return Tensor(_shape(shape), "without data", _nothing_to_load)
        if kind is not None:
            storage = replace(storage, kind=kind, item=_SIZES.get(kind, 0))
        shape, strides = _shape(shape), _shape(strides)
        if len(shape) != len(strides) or not isinstance(offset, int) or offset < 0:
            raise UnreadableError("is damaged: a tensor has no shape")

        def load() -> np.ndarray:
            first = offset + storage.offset
            length = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
            if not prod(shape):
                return np.zeros(shape, np.float32)
            content = self.fetch(storage.key)
            if (first + length) * storage.item > len(content):
                raise UnreadableError("lies outside of the bytes that are there: the file is damaged or cut short")
            bits = _numbers(content, storage.kind, first, length, self.big_endian).view(f"u{storage.item}")
            items = tuple(stride * storage.item for stride in strides)
            laid = np.lib.stride_tricks.as_strided(bits, shape, items, writeable=False)
            numbers: np.ndarray = laid.view(FLOATS[storage.kind])
            return np.negative(numbers) if negated else numbers

        return Tensor(shape, storage.kind, load)


def _nothing(key: str) -> bytes:
    raise UnreadableError(f"has no storage {key[:40]}")


def _nothing_to_load() -> np.ndarray:
    raise UnreadableError("has no data")


def _numbers(content: bytes, kind: str, first: int, length: int, big_endian: bool) -> np.ndarray:
    dtype = FLOATS[kind]
    if not big_endian:
        return np.frombuffer(content, dtype, length, first * dtype.itemsize)
    raw = np.frombuffer(content, f"u{dtype.itemsize}", length, first * dtype.itemsize)
    return raw.byteswap().view(dtype)


def _shape(value: Any) -> tuple[int, ...]:
    """Sizes or strides. Raises `UnreadableError` for anything but whole numbers from 0 up."""
    if not isinstance(value, tuple | list) or not all(isinstance(size, int) and size >= 0 for size in value):
        raise UnreadableError("is damaged: a tensor has no shape")
    return tuple(value)


def builders_of(source: Storages) -> dict[str, Builder]:
    """What becomes of the calls by which PyTorch and NumPy write tensors."""

    def odd(kind: str, place: int) -> Builder:
        def build(*arguments: Any) -> Tensor:
            size = arguments[place] if len(arguments) > place else ()
            while isinstance(size, tuple) and len(size) > 2 and not isinstance(size[0], int):
                size = size[2] if isinstance(size[2], tuple) else ()
            return Tensor(size if isinstance(size, tuple) else (), kind, _nothing_to_load)

        return build

    def of_dtype(storage: Any, offset: int, shape: Any, strides: Any, _grad: Any, _hooks: Any, *more: Any) -> Any:
        kind = more[0].name.removeprefix("torch.") if more and isinstance(more[0], Global) else None
        return source.tensor(storage, offset, shape, strides, kind, more[1] if len(more) > 1 else None)

    def of_type(function: Any, _type: Any, arguments: Any, *_: Any) -> Any:
        builder = builders.get(function.name) if isinstance(function, Global) else None
        return builder(*arguments) if builder is not None and isinstance(arguments, tuple) else Made("?", arguments)

    def encoded(text: Any, *_: Any) -> bytes:
        return text.encode("latin-1") if isinstance(text, str) else b""

    def ordered(items: Any = (), *_: Any) -> dict[Any, Any]:
        return dict(items) if isinstance(items, list | tuple | dict) else {}

    def listed(items: Any = (), *_: Any) -> list[Any]:
        return list(items) if isinstance(items, list | tuple) else []

    def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> Any:
        return source.tensor(storage, offset, shape, strides, marks=more[2] if len(more) > 2 else None)

    builders: dict[str, Builder] = {
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_tensor_v3": of_dtype,
        "torch._utils._rebuild_parameter": lambda data, *_: data,
        "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
        "torch._tensor._rebuild_from_type_v2": of_type,
        "torch._utils._rebuild_device_tensor_from_numpy": lambda array, *_: array,
        "torch._utils._rebuild_sparse_tensor": odd("sparse", 1),
        "torch._utils._rebuild_sparse_csr_tensor": odd("sparse", 1),
        "torch._utils._rebuild_qtensor": odd("quantised", 2),
        "torch._utils._rebuild_nested_tensor": odd("nested", 9),
        "torch._utils._rebuild_meta_tensor_no_storage": odd("without data", 1),
        "torch.Size": lambda sizes=(), *_: tuple(sizes) if isinstance(sizes, list | tuple) else (),
        "collections.OrderedDict": ordered,
        "collections.defaultdict": lambda *_: {},
        "_codecs.encode": encoded,
        **{f"numpy.{core}.numeric._frombuffer": _of_numpy for core in ("core", "_core")},
        **{f"{module}.dict": ordered for module in ("builtins", "__builtin__")},
        **{
            f"{module}.{name}": listed
            for module in ("builtins", "__builtin__")
            for name in ("set", "list", "frozenset")
        },
    }
    return builders


def array_of(value: Made) -> Tensor:
    """A NumPy array whose numbers lie in the pickle."""
    state = value.state
    if not isinstance(state, tuple) or len(state) != 5:
        raise UnreadableError("is damaged: an array has no numbers")
    _, shape, dtype, in_columns, raw = state
    return _of_numpy(raw, dtype, shape, "F" if in_columns else "C")


def _of_numpy(raw: Any, dtype: Any, sizes: Any, order: Any = "C", *_: Any) -> Tensor:
    shape = _shape(sizes)
    code = dtype.arguments[0] if isinstance(dtype, Made) and dtype.arguments else None
    if not isinstance(code, str) or not _CODE.match(code) or not isinstance(raw, bytes | bytearray):
        return Tensor(shape, "an array of objects", _nothing_to_load)
    big_endian = isinstance(dtype.state, tuple) and dtype.state[1:2] == (">",)
    try:
        kind = np.dtype(code).name
    except TypeError:
        return Tensor(shape, f"an array of {code}", _nothing_to_load)

    def load() -> np.ndarray:
        if prod(shape) * FLOATS[kind].itemsize != len(raw):
            raise UnreadableError("has another number of bytes than its shape needs")
        return _numbers(bytes(raw), kind, 0, prod(shape), big_endian).reshape(shape, order="F" if order == "F" else "C")

    return Tensor(shape, kind, load)
