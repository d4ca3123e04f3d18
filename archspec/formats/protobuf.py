"""Protobuf's wire format, read within bounds: messages as fields by number, without a schema.

A message is a row of fields: a key, `number << 3 | type`, and a value, which is a varint (type 0), 8 bytes (1), a
length and as many bytes (2), or 4 bytes (5). What the bytes of type 2 are (a message, text, numbers one after another),
the reader's caller knows. A message is taken apart when it is asked for, and its bytes are never copied.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archspec.formats.mapping import DamagedError

MAX_FIELDS = 2**20
"""Fields of a file, all its messages together: the largest networks have some 100,000."""
MAX_DEPTH = 64
MAX_NUMBERS = 2**20
"""Whole numbers that one field lists, each of which is taken apart by itself."""

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_SIGN = 1 << 63


class _Budget:
    """Fields that may still be read of a file."""

    def __init__(self) -> None:
        self.left = MAX_FIELDS

    def spend(self, number: int) -> None:
        self.left -= number
        if self.left < 0:
            raise DamagedError(f"has more than {MAX_FIELDS:,} fields, which is as many as are read")


class Message:
    """A message: the values of its fields by their number, in the file's order.

    Methods raise `DamagedError` where a field is of another type than they give.
    """

    def __init__(self, content: memoryview, budget: _Budget | None = None, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise DamagedError(f"has messages within messages, more than {MAX_DEPTH} deep")
        self.size = len(content)
        self._budget = budget or _Budget()
        self._depth = depth
        self._fields: dict[int, list[int | memoryview]] = {}
        self._read(content)

    def _read(self, content: memoryview) -> None:
        at, end, fields, spend = 0, len(content), self._fields, self._budget.spend
        while at < end:
            spend(1)
            key, at = _varint(content, at)
            number, kind = key >> 3, key & 7
            if not number:
                raise DamagedError("has a field of number 0: it is damaged, or no protobuf at all")
            value: int | memoryview
            if kind == _VARINT:
                value, at = _varint(content, at)
            else:
                if kind == _BYTES:
                    size, at = _varint(content, at)
                elif kind in (_EIGHT, _FOUR):
                    size = 8 if kind == _EIGHT else 4
                else:
                    raise DamagedError(f"has a field of type {kind}: it is damaged, or no protobuf at all")
                if size > end - at:
                    raise DamagedError("ends early: it is cut short, or damaged")
                value, at = content[at : at + size], at + size
            fields.setdefault(number, []).append(value)

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def number(self, field: int, default: int = 0) -> int:
        """A whole number, with its sign. Of several the last counts, as the format says."""
        values = self._fields.get(field)
        if not values:
            return default
        if not isinstance(values[-1], int):
            raise _unlike(field, "a whole number")
        return _signed(values[-1])

    def real(self, field: int, default: float = 0.0) -> float:
        """A number of 4 or 8 bytes with a point."""
        value = self.content(field)
        if not value:
            return default
        if len(value) not in (4, 8):
            raise _unlike(field, "a number")
        return float(np.frombuffer(value, "<f4" if len(value) == 4 else "<f8")[0])

    def content(self, field: int) -> memoryview:
        """Bytes, empty where the field is not there."""
        values = self._fields.get(field)
        if not values:
            return memoryview(b"")
        if isinstance(values[-1], int):
            raise _unlike(field, "bytes")
        return values[-1]

    def text(self, field: int, default: str = "") -> str:
        """Text; what is no UTF-8 is replaced."""
        return str(self.content(field), "utf-8", "replace") if field in self._fields else default

    def texts(self, field: int) -> list[str]:
        """Texts of a repeated field."""
        return [str(content, "utf-8", "replace") for content in self.contents(field)]

    def contents(self, field: int) -> Iterator[memoryview]:
        """Bytes of each of a repeated field's values."""
        for value in self._fields.get(field, ()):
            if isinstance(value, int):
                raise _unlike(field, "bytes")
            yield value

    def message(self, field: int) -> Message:
        """A message, one without fields where it is not there."""
        return Message(self.content(field), self._budget, self._depth + 1)

    def messages(self, field: int) -> Iterator[Message]:
        """The messages of a repeated field, each taken apart as it comes."""
        for content in self.contents(field):
            yield Message(content, self._budget, self._depth + 1)

    def count(self, field: int) -> int:
        """How many values a field has, where numbers that stand packed are one."""
        return len(self._fields.get(field, ()))

    def numbers(self, field: int) -> list[int]:
        """Whole numbers of a repeated field, packed or each by itself."""
        found: list[int] = []
        for value in self._fields.get(field, ()):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at, end = 0, len(value)
            while at < end:
                one, at = _varint(value, at)
                found.append(_signed(one))
                if len(found) > MAX_NUMBERS:
                    raise DamagedError(f"lists more than {MAX_NUMBERS:,} whole numbers one by one in field {field}")
        return found

    def reals(self, field: int, width: int = 4) -> np.ndarray:
        """Numbers with a point of a repeated field, of 4 or 8 bytes: over the file's own where they stand packed."""
        parts = list(self.contents(field))
        if any(len(part) % width for part in parts):
            raise _unlike(field, "numbers with a point")
        arrays = [np.frombuffer(part, f"<f{width}") for part in parts if len(part)]
        if len(arrays) == 1:
            return arrays[0]
        return np.concatenate(arrays) if arrays else np.zeros(0, f"<f{width}")


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where the next thing begins."""
    value = shift = 0
    try:
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (2 * _SIGN - 1), at
            shift += 7
            if shift > 63:
                raise DamagedError("has a number of more than ten bytes: it is damaged, or no protobuf at all")
    except IndexError:
        raise DamagedError("ends early: it is cut short, or damaged") from None


def _signed(value: int) -> int:
    return value - 2 * _SIGN if value >= _SIGN else value


def _unlike(field: int, wanted: str) -> DamagedError:
    return DamagedError(f"has something else than {wanted} in field {field}: it is damaged, or of another format")
