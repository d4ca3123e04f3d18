"""Types of the values that flow through a graph."""

from __future__ import annotations

from math import prod
from typing import NamedTuple


class Taps(NamedTuple):
    """How windows lay on the map or signal whose maxima they took: what the number of a tap in its window stands for.

    `map` is the shape with channels, the others have a number for each axis of it. `before` is the padding on the top
    and left, or at the beginning.
    """

    map: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def few(self) -> bool:
        """Whether the program may have a term for each tap: up to windows of 8×8."""
        return prod(self.window) <= 64

    @property
    def dtype(self) -> str:
        """The smallest type that holds the number of every tap."""
        return "uint8" if prod(self.window) <= 256 else "int32"


class TensorType(NamedTuple):
    """The type of one sample's tensor, the batch axis left out.

    `shape` is (height, width, channels) for maps, (length, channels) for signals and (features,) for vectors. `taps` is
    for indices of maxima only.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    taps: Taps | None = None

    def __str__(self) -> str:
        return "×".join(map(str, self.shape))

    @property
    def is_map(self) -> bool:
        """Whether it has height, width and channels."""
        return len(self.shape) == 3

    @property
    def is_signal(self) -> bool:
        """Whether it has length and channels."""
        return len(self.shape) == 2

    @property
    def is_vector(self) -> bool:
        """Whether it has features alone."""
        return len(self.shape) == 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """The shape without channels: (height, width), (length,), or () of a vector."""
        return self.shape[:-1]

    @property
    def size(self) -> int:
        """Number of elements of one sample."""
        return prod(self.shape)

    @property
    def channels(self) -> int:
        """Length of the last axis: channels of maps and signals, features of vectors."""
        return self.shape[-1]

    @property
    def bytes(self) -> int:
        """Bytes of one sample."""
        return self.size * DTYPE_BYTES[self.dtype]


DTYPES = ("float32", "bfloat16", "float16")
"""What passes are computed in."""
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int32": 4, "uint8": 1}
