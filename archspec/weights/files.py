"""Tensors in files: safetensors, and what PyTorch, Keras, NumPy, Caffe, Darknet and ONNX write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from archspec.diagnostics import DataError, did_you_mean
from archspec.formats import archives, hdf5
from archspec.formats.mapping import DamagedError
from archspec.weights.caffe_files import is_caffe, opened_caffe
from archspec.weights.darknet_files import is_darknet, opened_darknet
from archspec.weights.keras_files import is_keras, keras_archive, keras_hdf5
from archspec.weights.numpy_files import is_npz, npz_tensors
from archspec.weights.onnx_files import is_onnx, opened_onnx
from archspec.weights.tensors import FLOATS, Tensor, TensorFile, UnreadableError
from archspec.weights.torch_files import opened_torch
from archspec.writing import write_by

PICKLES = (".pth", ".pt", ".bin", ".tar", ".ckpt", ".pkl", ".pickle")
READ = (
    "files of safetensors, PyTorch, Keras (.keras, .h5), NumPy (.npz), Caffe (.caffemodel), Darknet (.weights) and of "
    "ONNX (.onnx: its initialisers) are read"
)
_BY_NAME = ((is_caffe, opened_caffe), (is_darknet, opened_darknet), (is_onnx, opened_onnx))
"""Formats that only a file's name tells, and how each is opened."""
_OTHERS = {
    b"GGUF": ("a GGUF file of quantised tensors", "take the file that it was made from"),
    b"\x93NUM": ("one NumPy array without a name", "write it with safetensors.numpy.save_file"),
}
_KINDS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "BOOL": "bool",
    "C64": "complex64",
    **{f"{sign}{bits}": f"{word}{bits}" for sign, word in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
}
"""PyTorch's words for the types of safetensors."""


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """The tensors of a file. Raises `DataError` when it cannot be read, or must not be; nothing of it runs."""
    head = _head(path)
    try:
        file = _of_others(path, head)
        opened = next((opened for known, opened in _BY_NAME if known(path)), None)
        if file is not None:
            yield file
        elif opened is not None:
            with opened(path) as file:
                yield file
        elif _is_torch(path, head):
            with opened_torch(path) as file:
                yield file
        else:
            yield _safetensors(path, head)
    except UnreadableError as error:
        raise DataError("E532", f"{path} {error}", help=[READ]) from None
    except DamagedError as error:
        raise DataError("E532", f"{path} {error}", help=["download or copy it again, if it should be sound"]) from None
    except OSError as error:
        raise DataError("E531", f"{path} cannot be read: {error.strerror or error}") from None


def _head(path: Path) -> bytes:
    """The first bytes of a file."""
    try:
        if path.is_dir():
            raise DataError("E531", f"{path} is a folder, not a file of tensors")
        if not path.is_file():
            near = [item.name for item in path.parent.glob("*")] if path.parent.is_dir() else []
            hint = did_you_mean(path.name, near)
            raise DataError("E531", f"there is no file {path}", help=[hint] if hint else [])
        with path.open("rb") as file:
            return file.read(16)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        raise DataError("E531", f"{str(path)[:200]} cannot be read: {reason or error}") from None


def _of_others(path: Path, head: bytes) -> TensorFile | None:
    """The tensors of a file of Keras's or NumPy's; None where it is another's. Raises `DamagedError` or `OSError`."""
    if head[:8] == hdf5.MAGIC:
        return keras_hdf5(path)
    if head[:4] == archives.MAGIC and path.suffix not in PICKLES:
        names = archives.entries(path)
        if is_keras(names):
            return keras_archive(path, names)
        if path.suffix == ".npz" or is_npz(names):
            return npz_tensors(path, names)
    return None


def _is_torch(path: Path, head: bytes) -> bool:
    """Whether a file is an archive or a pickle. Raises `DataError` for formats that are known and not read."""
    # A safetensors file is a length in eight bytes, which may look like anything, and then JSON.
    whole = int.from_bytes(head[:8], "little") <= path.stat().st_size
    if head[8:9] == b"{" and (whole or path.suffix == ".safetensors"):
        return False
    known = _OTHERS.get(head[:4])
    if known is not None:
        raise DataError("E532", f"{path} is {known[0]}", help=[known[1]])
    return head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or path.suffix in PICKLES


def _safetensors(path: Path, head: bytes) -> TensorFile:
    """The tensors of a safetensors file. Its own library checks the header; the numbers are read by what that says."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata()
        with path.open("rb") as opened:
            begin = 8 + int.from_bytes(opened.read(8), "little")
            header: dict[str, Any] = json.loads(opened.read(begin - 8))
    except Exception as error:  # the library has errors of its own, and of what it stands on
        text = str(error)
        # Of a length beyond the file's end too, where a header begins behind it.
        signs = ("incomplete", "toosmall", *(["invalidheaderlength"] if head[8:9] == b"{" else []))
        cut = any(sign in text.lower().replace(" ", "") for sign in signs)
        raise DataError(
            "E532",
            f"{path} {'is cut short' if cut else 'is no safetensors file'}",
            notes=[text[:200] or type(error).__name__],
            help=["download or copy it again" if cut else READ],
        ) from None
    header.pop("__metadata__", None)
    tensors = {
        name: Tensor(tuple(item["shape"]), kind, _reader(path, begin, item["data_offsets"], tuple(item["shape"]), kind))
        for name, item in header.items()
        for kind in [_KINDS.get(item["dtype"], f"of {item['dtype']}, a type that is not read")]
    }
    return TensorFile(path, tensors, about)


def _reader(
    path: Path, begin: int, places: tuple[int, int], shape: tuple[int, ...], kind: str
) -> Callable[[], np.ndarray]:
    def load() -> np.ndarray:
        with path.open("rb") as file:
            file.seek(begin + places[0])
            content = file.read(places[1] - places[0])
        if len(content) != places[1] - places[0]:
            raise UnreadableError("is cut short")
        return np.frombuffer(content, FLOATS[kind]).reshape(shape)

    return load


class Parted(Mapping[str, np.ndarray]):
    """Arrays that are made when they are asked for, one at a time or part by part, so that not all are in memory."""

    shapes: Mapping[str, tuple[int, ...]]

    def parts(self, name: str) -> Iterator[np.ndarray]:
        """An array's numbers in parts of its first axis, one behind another."""
        yield self[name]


def write_tensors(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    """Writes float32 arrays as a safetensors file, whole or not at all; equal arrays make files of equal bytes.

    The format's own library writes what a file says of itself in another order each time, so this does without it.
    Raises `DataError` when the file cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(about.items()))}
    names, end = sorted(arrays), 0
    for name in names:
        shape = arrays.shapes[name] if isinstance(arrays, Parted) else np.shape(arrays[name])
        size = 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def make(file: BinaryIO) -> None:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            for part in arrays.parts(name) if isinstance(arrays, Parted) else (arrays[name],):
                file.write(np.ascontiguousarray(part, "<f4").data)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_by(path, make)
