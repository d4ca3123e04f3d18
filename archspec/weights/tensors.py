"""Named tensors of a file, and which of them are numbers that a network can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple

import ml_dtypes
import numpy as np

from archspec.diagnostics import DataError
from archspec.writing import digest_of

FLOATS = {
    **{name: np.dtype(name) for name in ("float64", "float32", "float16")},
    **{
        name: np.dtype(getattr(ml_dtypes, name))
        for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
    },
}
"""The types of numbers that arrays are read from, by PyTorch's names."""
_WHOLE = ("int", "uint", "bool")


Layout = Literal["archspec", "pytorch", "keras"]
"""Whose order of axes a tensor has."""


class UnreadableError(Exception):
    """A file is damaged or asks for what is not given; the words say why."""


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file: its shape, the type of its numbers in PyTorch's words, and how it is read.

    `kind` may be anything, such as `complex64` or `sparse`; only those among `FLOATS` are ever read. `flat` gives
    the numbers between two places of them all, where a part can be read by itself.
    """

    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]
    flat: Callable[[int, int], np.ndarray] | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    def shaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same numbers in another shape."""
        return Tensor(shape, self.kind, lambda: self.load().reshape(shape), self.flat)

    def changed(self, shape: Sequence[int], change: Callable[[np.ndarray], np.ndarray]) -> Tensor:
        """A tensor of this shape that is made of the numbers when it is asked for."""
        return Tensor(tuple(shape), self.kind, lambda: change(self.load()))

    @property
    def turned(self) -> Tensor:
        """With its axes in the other order."""
        return self.changed(self.shape[::-1], np.transpose)

    def rows(self, first: int, end: int) -> np.ndarray:
        """The part between two places of the first axis."""
        if self.flat is None:
            return self.load()[first:end]
        row = prod(self.shape[1:])
        return self.flat(first * row, end * row).reshape(end - first, *self.shape[1:])

    @classmethod
    def of(cls, array: np.ndarray) -> Tensor:
        """An array as a tensor."""
        return cls(array.shape, array.dtype.name, lambda: array)

    @property
    def fault(self) -> str | None:
        """Why its numbers are not those of an array here; None where they are."""
        if self.kind in FLOATS:
            return None
        if self.kind.startswith(_WHOLE):
            return f"of whole numbers ({self.kind}), which stand for others where weights are quantised"
        return f"of complex numbers ({self.kind})" if self.kind.startswith("complex") else self.kind


class Row(NamedTuple):
    """Numbers of 32 bits without names or shapes: where they begin in a file, and how many there are.

    `transposed` says that kernels of dense layers have the inputs first.
    """

    start: int
    numbers: int
    transposed: bool


class TensorFile:
    """A file of named tensors; arrays are read when they are asked for.

    `containers` says where in the file a tensor lies, as a path of keys, for tensors that lie deeper than its top;
    their names begin with it. `keys` says in words what lies at the top.
    """

    def __init__(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        about: Mapping[str, str] | None = None,
        containers: Mapping[str, str] | None = None,
        keys: tuple[str, ...] = (),
        layout: Layout | None = None,
        row: Row | None = None,
    ) -> None:
        self.path = path
        self.tensors = dict(tensors)
        self.shapes = {name: tensor.shape for name, tensor in tensors.items()}
        self.about = dict(about or {})
        """What the file says of itself."""
        self.containers = dict(containers or {})
        self.keys = keys
        self.layout = layout
        """Whose axes the tensors have where the file's format says so."""
        self.row = row
        """The numbers of a file that has no names, in place of tensors."""

    @classmethod
    def of(cls, path: Path, arrays: Mapping[str, np.ndarray]) -> TensorFile:
        """Arrays at hand as if they came from a file."""
        return cls(path, {name: Tensor.of(array) for name, array in arrays.items()})

    def fault(self, name: str) -> str | None:
        """Why a tensor's numbers cannot be taken; None where they can."""
        return self.tensors[name].fault

    def read(self, name: str, first: int = 0, end: int | None = None) -> np.ndarray:
        """The tensor in its own type, or the part between two places of its first axis.

        Raises `DataError` where its numbers cannot be taken, or are not there.
        """
        tensor = self.tensors[name]
        if tensor.fault is not None:
            raise odd_tensors(self.path, {name: tensor.fault})
        try:
            return tensor.load() if end is None else tensor.rows(first, end)
        except (UnreadableError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise DataError(
                "E532", f"{self.path}: the tensor {name} {reason}", help=["download or copy the file again"]
            ) from None
        except MemoryError:
            raise DataError(
                "E532", f"{self.path}: the tensor {name}, {tensor.kind} of shape {tensor.shape}, does not fit in memory"
            ) from None

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_of(self.path)


_REMEDIES = {
    "of whole": "if these are the numbers themselves, save them as float32: tensor.float()",
    "of complex": "no layer has complex weights",
    "sparse": "save it in full: tensor.to_dense()",
    "quantised": "save its numbers: tensor.dequantize()",
}


def odd_tensors(path: Path, faults: Mapping[str, str]) -> DataError:
    """Tensors that should become arrays, and are not made of real numbers; why, by their names."""
    from archspec.diagnostics import count, listed

    words = [f"{name} is {fault}" for name, fault in faults.items()]
    said = words[0] if len(words) == 1 else f"{count(len(words), 'tensor')} that are needed are no real numbers"
    help = [remedy for kind, remedy in _REMEDIES.items() if any(fault.startswith(kind) for fault in faults.values())]
    return DataError("E540", f"{path}: {said}", notes=[listed(words, 6)] if len(words) > 1 else [], help=help)
