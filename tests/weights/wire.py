"""Files in protobuf's wire format, written field by field: what Caffe would have written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as those of 64 bits."""
    value &= 2**64 - 1
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def whole(number: int, value: int) -> bytes:
    """A field with a whole number."""
    return varint(number << 3) + varint(value)


def inner(number: int, content: bytes | str) -> bytes:
    """A field with a message, text or packed numbers."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array: np.ndarray, sizes: Sequence[int] | None = None, *, legacy: bool = False, double: bool = False) -> bytes:
    """A BlobProto of caffe.proto: sizes in fields 1 to 4 where it is a `legacy` one, in a BlobShape otherwise."""
    sizes = array.shape if sizes is None else sizes
    if legacy:
        sizes = (1,) * (4 - len(sizes)) + tuple(sizes)
        made = b"".join(whole(field, size) for field, size in enumerate(sizes, 1))
    else:
        made = inner(7, inner(1, b"".join(map(varint, sizes))))
    return made + inner(8 if double else 5, np.ascontiguousarray(array, "<f8" if double else "<f4").tobytes())
