"""Numbers that lie one after another in a file, read when they are asked for and never mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from archspec.formats.mapping import DamagedError
from archspec.weights.tensors import Tensor, UnreadableError

MAX_AXES = 8


def address(content: memoryview) -> int:
    """Where bytes lie in memory; of two parts of a mapped file the difference is that of their places in it."""
    found: int = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    return found


def numbers(path: Path, start: int, kind: np.dtype[np.floating], count: int) -> np.ndarray:
    """So many numbers of a file. Raises `UnreadableError` where it has fewer by now, and `OSError`."""
    with path.open("rb") as file:
        file.seek(start)
        found = np.fromfile(file, kind, count)
    if len(found) != count:
        raise UnreadableError("is cut short")
    return found


def stored(path: Path, start: int, shape: Sequence[int], kind: str = "float32") -> Tensor:
    """A tensor whose little-endian numbers begin at a place in a file."""
    type_ = np.dtype(kind).newbyteorder("<")

    def flat(first: int, end: int) -> np.ndarray:
        return numbers(path, start + first * type_.itemsize, type_, end - first)

    return Tensor(tuple(shape), kind, lambda: flat(0, prod(shape)).reshape(shape), flat)


def checked_shape(sizes: Sequence[int], numbers: int, what: str) -> tuple[int, ...]:
    """A shape that a file gives, of so many numbers. Raises `DamagedError` where it cannot be one."""
    said = "×".join(str(size)[:20] for size in sizes[:MAX_AXES]) or "one number"
    if len(sizes) > MAX_AXES or any(size < 0 for size in sizes):
        raise DamagedError(f"has {what} of an impossible shape, {said}: it is damaged")
    if prod(sizes) != numbers:
        from archspec.diagnostics import count

        raise DamagedError(f"has {count(numbers, 'number')} in {what}, which is said to be {said}: it is damaged")
    return tuple(sizes)
