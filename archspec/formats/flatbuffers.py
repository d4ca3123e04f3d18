"""FlatBuffers, read within bounds and without a schema: tables as fields by their slot, over the file's own bytes.

A table begins with the distance back to its vtable, which has the place of each field's value within the table, 0 where
it is left out. Tables, vectors and texts are places ahead of the one that names them. Every place is held against the
file's size, and all that is looked at is counted, so tables that name one another come to an end.

Source: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from archspec.formats.mapping import DamagedError

MAX_TABLES = 2**20
"""Tables and vectors of a file that are looked at."""

_NUMBERS = {
    "bool": ("<?", 1),
    "i1": ("<b", 1),
    "u1": ("<B", 1),
    "i4": ("<i", 4),
    "u4": ("<I", 4),
    "f4": ("<f", 4),
    "u8": ("<Q", 8),
}


class _Budget:
    """What may still be looked at."""

    def __init__(self) -> None:
        self.left = MAX_TABLES

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DamagedError(f"has more than {MAX_TABLES:,} tables, which is as many as are read")


class Table:
    """A table; methods give what a slot has. They raise `DamagedError` where its place is not in the file."""

    def __init__(self, content: memoryview, at: int, budget: _Budget) -> None:
        budget.spend()
        self._content, self._at, self._budget = content, at, budget
        self._vtable = at - _number(content, at, "i4")
        self._size = _number(content, self._vtable, "u2")

    @classmethod
    def empty(cls) -> Table:
        """A table without fields."""
        return cls(memoryview(bytes([4, 0, 4, 0, 4, 0, 0, 0])), 4, _Budget())

    def _place(self, slot: int) -> int | None:
        """Where a field's value lies, None where it is left out."""
        entry = 4 + 2 * slot
        if entry + 2 > self._size:
            return None
        offset = _number(self._content, self._vtable + entry, "u2")
        return self._at + offset if offset else None

    def __contains__(self, slot: int) -> bool:
        return self._place(slot) is not None

    def number(self, slot: int, kind: str, default: float = 0) -> int:
        """A whole number or a flag of a type such as `i4`."""
        place = self._place(slot)
        return int(default) if place is None else _number(self._content, place, kind)

    def real(self, slot: int, default: float = 0.0) -> float:
        """A number with a point, in 32 bits, as the shortest decimal number that is the same."""
        place = self._place(slot)
        if place is None:
            return default
        (value,) = struct.unpack("<f", _bytes(self._content, place, 4))
        return float(str(np.float32(value)))

    def _vector(self, slot: int, width: int) -> tuple[int, int]:
        """Where a vector's elements begin, and how many there are."""
        place = self._place(slot)
        if place is None:
            return 0, 0
        self._budget.spend()
        start = place + _number(self._content, place, "u4")
        length = _number(self._content, start, "u4")
        if start + 4 + length * width > len(self._content):
            raise DamagedError("ends early: it is cut short, or damaged")
        return start + 4, length

    def content(self, slot: int) -> memoryview:
        """The bytes of a vector."""
        start, length = self._vector(slot, 1)
        return self._content[start : start + length]

    def text(self, slot: int) -> str:
        """Text; what is no UTF-8 is replaced."""
        return str(self.content(slot), "utf-8", "replace")

    def numbers(self, slot: int, kind: str = "<i4") -> np.ndarray:
        """Numbers of one type, over the file's own bytes."""
        dtype = np.dtype(kind)
        start, length = self._vector(slot, dtype.itemsize)
        return np.frombuffer(self._content[start : start + length * dtype.itemsize], dtype)

    def table(self, slot: int) -> Table | None:
        """A table, None where it is left out."""
        place = self._place(slot)
        return None if place is None else self._table(place)

    def tables(self, slot: int) -> Iterator[Table]:
        """The tables of a vector."""
        start, length = self._vector(slot, 4)
        for index in range(length):
            yield self._table(start + 4 * index)

    def _table(self, place: int) -> Table:
        return Table(self._content, place + _number(self._content, place, "u4"), self._budget)


def root(content: memoryview, identifier: bytes) -> Table:
    """The table that a file begins with. Raises `DamagedError` where it is no file of this kind."""
    if bytes(content[4:8]) != identifier:
        raise DamagedError(f"does not say that it is a file of this format ({identifier.decode()})")
    return Table(content, _number(content, 0, "u4"), _Budget())


def _bytes(content: memoryview, place: int, size: int) -> memoryview:
    if place < 0 or place + size > len(content):
        raise DamagedError("is damaged: a part of it lies outside of it, or it is cut short")
    return content[place : place + size]


def _number(content: memoryview, place: int, kind: str) -> int:
    form, size = ("<H", 2) if kind == "u2" else _NUMBERS[kind]
    (value,) = struct.unpack(form, _bytes(content, place, size))
    return int(value)
