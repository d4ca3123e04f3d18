"""Tensors in files: safetensors, and PyTorch's pickles where PyTorch is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, did_you_mean, unwritable
from archspec.writing import write_at

PICKLES = (".pth", ".pt", ".bin", ".tar", ".ckpt", ".pkl", ".pickle")
NESTED = ("state_dict", "model_state_dict", "model", "net", "module")
"""Keys under which training scripts keep the tensors."""


class TensorFile:
    """A file of named tensors; arrays are read when they are asked for."""

    def __init__(
        self,
        path: Path,
        tensors: Mapping[str, Any],
        shapes: Mapping[str, tuple[int, ...]],
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self._tensors = tensors
        self.shapes = dict(shapes)
        self.about = dict(about or {})
        """What the file says of itself."""

    def read(self, name: str) -> np.ndarray:
        """The tensor as float32."""
        value = self._tensors[name]
        return np.asarray(value, dtype=np.float32)

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        found = sha256()
        with self.path.open("rb") as file:
            while chunk := file.read(2**22):
                found.update(chunk)
        return found.hexdigest()


class _Lazy(Mapping[str, Any]):
    """Tensors of an open safetensors file."""

    def __init__(self, file: Any, names: list[str]) -> None:
        self.file = file
        self.names = names

    def __getitem__(self, name: str) -> Any:
        return self.file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """The tensors of a file. Raises `DataError` when it cannot be read, or must not be."""
    if path.is_dir():
        raise DataError("E531", f"{path} is a folder, not a file of tensors")
    if not path.is_file():
        near = [item.name for item in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(
            "E531", f"there is no file {path}", help=[hint] if (hint := did_you_mean(path.name, near)) else []
        )
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError("E531", f"{path} cannot be read: {error.strerror}") from None
    # A safetensors file is a length in eight bytes, which may look like anything, and then JSON.
    pickled = head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or path.suffix in PICKLES
    if pickled and head[8:9] != b"{":
        yield _pickled(path)
        return
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="flax") as file:
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            yield TensorFile(path, _Lazy(file, names), shapes, file.metadata())
    except SafetensorError as error:
        cut = "incomplete" in str(error) or "too small" in str(error).lower() or "TooSmall" in str(error)
        raise DataError(
            "E532",
            f"{path} {'is cut short' if cut else 'is no safetensors file'}",
            notes=[str(error)[:200]],
            help=["download or copy it again" if cut else "files of safetensors and of PyTorch are read"],
        ) from None


def _pickled(path: Path) -> TensorFile:
    """PyTorch's own format is a pickle, which can run anything: only PyTorch's restricted reader may open it."""
    if importlib.util.find_spec("torch") is None:
        raise DataError(
            "E533",
            f"{path} is a pickle, which may hold code: it is read where PyTorch is installed, by its restricted reader",
            help=[
                "install PyTorch, or convert the file where it is installed:",
                f"safetensors.torch.save_file(torch.load('{path}', weights_only=True), "
                f"'{path.with_suffix('.safetensors')}')",
            ],
        )
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # What PyTorch says here advises to switch the restriction off.
        raise DataError(
            "E532",
            f"{path} cannot be read by PyTorch's restricted reader: it is damaged, or holds more than tensors",
            help=["a file of tensors alone is a state_dict; safetensors files hold nothing else"],
        ) from None
    for key in NESTED:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    tensors = (
        {str(name): value for name, value in found.items() if torch.is_tensor(value)} if isinstance(found, dict) else {}
    )
    if not tensors:
        raise DataError("E532", f"{path} holds no tensors by name", help=["it should hold a state_dict"])
    arrays = {name: _Tensor(value) for name, value in tensors.items()}
    return TensorFile(path, arrays, {name: tuple(value.shape) for name, value in tensors.items()})


class _Tensor:
    """A PyTorch tensor that NumPy reads as float32."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found: np.ndarray = self.tensor.detach().float().numpy()
        return found


def write_tensors(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    """Writes a safetensors file as a whole or not at all. Raises `DataError` when it cannot be written."""
    from safetensors.numpy import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    write_at(path, lambda partial: save_file(dict(arrays), partial, metadata=dict(about)))
