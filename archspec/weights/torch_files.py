"""PyTorch's files without PyTorch: archives and streams of a pickle and the bytes of its storages.

`torch.save` writes a zip archive with `data.pkl` and one entry for each storage; before version 1.6 it wrote a stream
of pickles followed by the storages. A pickle by itself may hold NumPy arrays. All are read by `pickles.read_pickle`, so
nothing of a file runs; objects of classes that are not known are passed through for the tensors that they hold.
"""

from __future__ import annotations

import io
import mmap
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from archspec.weights.pickles import Builder, Global, Made, read_pickle
from archspec.weights.tensors import FLOATS, Tensor, TensorFile, UnreadableError

MAX_UNPACKED = 2**31
"""Bytes that the compressed entries of an archive may unpack to; PyTorch does not compress."""
MAX_PICKLE = 2**28
"""Bytes of an archive's pickle, which holds names and shapes alone."""
MAX_VISITED = 5_000_000
"""Values of a checkpoint that are looked at for tensors."""
MAX_DEPTH = 32
"""Levels of a checkpoint that are looked at for tensors."""

_MAGIC = 0x1950A86A20F9469CFC6C
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


class _Source:
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


def _builders(source: _Source) -> dict[str, Builder]:
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


@contextmanager
def opened_torch(path: Path) -> Iterator[TensorFile]:
    """The tensors of a file of PyTorch's, or of a pickle. Raises `UnreadableError`."""
    source = _Source()
    with path.open("rb") as file:
        if file.peek(2)[:2] == b"PK":
            with _zip_errors():
                archive = zipfile.ZipFile(file)
            with archive:
                with _zip_errors():
                    content = _of_archive(archive, source)
                yield _tensors(path, content)
            return
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise UnreadableError("is empty") from None
        with mapped:
            if mapped[257:262] == b"ustar":
                raise UnreadableError(
                    "is a tar archive, as PyTorch wrote before version 0.2: save it again with torch.save"
                )
            yield _tensors(path, _of_stream(mapped, source))


_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(ValueError, LookupError, OverflowError, MemoryError),
)


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turns what Python's reader of archives raises on damaged ones into `UnreadableError`."""
    try:
        yield
    except _ZIP_ERRORS as error:
        raise UnreadableError(f"is a damaged archive: {str(error)[:120] or type(error).__name__}") from None


def _of_archive(archive: zipfile.ZipFile, source: _Source) -> Any:
    entries = {item.filename: item for item in archive.infolist()}
    unpacked = sum(item.file_size for item in entries.values() if item.compress_type != zipfile.ZIP_STORED)
    if unpacked > MAX_UNPACKED:
        raise UnreadableError(
            f"unpacks to {unpacked / 2**30:,.1f} GiB; archives are read up to {MAX_UNPACKED // 2**30} GiB: "
            "save it with torch.save, which does not compress"
        )
    pickles = [name for name in entries if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)]
    if not pickles:
        names = ", ".join(list(entries)[:4])[:120]
        raise UnreadableError(f"is a zip archive without the pickle of PyTorch's; it holds {names or 'nothing'}")
    root = pickles[0].removesuffix("data.pkl")
    if entries[pickles[0]].file_size > MAX_PICKLE:
        raise UnreadableError(f"has a pickle of more than {MAX_PICKLE // 2**20} MiB")
    last: list[tuple[str, bytes]] = []

    def fetch(key: str) -> bytes:
        if not last or last[0][0] != key:
            entry = entries.get(f"{root}data/{key}")
            if entry is None:
                raise UnreadableError(f"has no storage {key[:40]}: the file is damaged")
            with _zip_errors():
                last[:] = [(key, archive.read(entry))]
        return last[0][1]

    source.fetch = fetch
    source.big_endian = f"{root}byteorder" in entries and archive.read(f"{root}byteorder") == b"big"
    return read_pickle(io.BytesIO(archive.read(pickles[0])), _builders(source), source.storage)


def _of_stream(mapped: mmap.mmap, source: _Source) -> Any:
    builders = _builders(source)
    first = read_pickle(mapped, builders, source.storage)
    if first != _MAGIC:
        return first
    read_pickle(mapped, builders, source.storage)  # version of the protocol
    system = read_pickle(mapped, builders, source.storage)
    source.big_endian = isinstance(system, dict) and system.get("little_endian") is False
    content = read_pickle(mapped, builders, source.storage)
    keys = read_pickle(mapped, builders, source.storage)
    at = mapped.tell()
    places: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        storage = source.seen.get(str(key))
        if storage is None or not storage.item or at + 8 > len(mapped):
            break
        (size,) = struct.unpack(">q" if source.big_endian else "<q", mapped[at : at + 8])
        if size < 0:
            break
        places[str(key)] = (at + 8, size * storage.item)
        at += 8 + size * storage.item

    def fetch(key: str) -> bytes:
        if key not in places:
            raise UnreadableError("is not there: the file is damaged or cut short")
        begin, length = places[key]
        return mapped[begin : begin + length]

    source.fetch = fetch
    return content


def _tensors(path: Path, content: Any) -> TensorFile:
    """The tensors anywhere in a checkpoint, named by the keys that lead to them.

    What lies there several times is found once, where it comes first: checkpoints may hold themselves.
    """
    tensors: dict[str, Tensor] = {}
    containers: dict[str, str] = {}
    stack: list[tuple[tuple[str, ...], int, Any]] = [((), 0, content)]
    visited = 0
    seen: set[int] = set()
    while stack:
        keys, module, value = stack.pop()
        tensor = _tensor(value)
        if tensor is not None:
            name = ".".join(keys)
            if name in tensors:
                raise UnreadableError(f"has two tensors called {name[:100]}")
            tensors[name] = tensor
            containers[name] = ".".join(keys[: module or len(keys) - 1])
            continue
        if not _is_module(value):  # modules may share one, whose tensors have the names of both
            if id(value) in seen:
                continue
            seen.add(id(value))
        inner = list(_inside(value)) if len(keys) < MAX_DEPTH else []
        visited += len(inner)
        if visited > MAX_VISITED:
            raise UnreadableError(f"holds more than {MAX_VISITED:,} values")
        # The tensors of a module are one state_dict, however deep its modules lie.
        within = (module or len(keys) or -1) if _is_module(value) else module
        stack.extend(((*keys, *path), max(within, 0), item) for path, item in reversed(inner))
    return TensorFile(path, tensors, containers=containers, keys=tuple(_keys(content)))


def _is_module(value: Any) -> bool:
    return isinstance(value, Made) and isinstance(value.state, dict) and "_modules" in value.state


def _inside(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What lies in a value, and by which keys; numbers and text are passed over."""
    pairs: Iterator[tuple[Any, Any]] | Any
    if isinstance(value, Made):
        state = value.state
        if _is_module(value):
            for part in ("_parameters", "_buffers", "_modules"):
                yield from _inside(state.get(part))
            return
        yield from _inside(value.items)
        for part in state if isinstance(state, tuple) else (state,):
            yield from _inside(part) if isinstance(part, dict) else ()
        return
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple) and not isinstance(value, Global | Storage):
        pairs = enumerate(value)
    else:
        return
    for key, item in pairs:
        if isinstance(item, dict | list | tuple | Made | Tensor):
            yield (str(key)[:500],), item


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Made) and value.name in _ARRAYS:
        return _array(value)
    return None


_ARRAYS = {f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")}
_CODE = re.compile(r"[fiubc][0-9]{1,2}\Z")


def _array(value: Made) -> Tensor:
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


def _keys(content: Any) -> Iterator[str]:
    """What lies at a checkpoint's top, in words: `epoch (int)`."""
    if isinstance(content, Made):
        yield f"an object of {content.name}"
        content = content.state if isinstance(content.state, Mapping) else content.items
    if isinstance(content, Mapping):
        for key, value in content.items():
            kind = value.name if isinstance(value, Made) else type(value).__name__
            yield f"{str(key)[:60]} ({kind[:60]})"
    elif not isinstance(content, str | bytes) and isinstance(content, list | tuple):
        yield f"a {type(content).__name__} of {len(content)}"
