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


def layer(
    name: str, kind: str, blobs: Sequence[bytes], bottom: str = "", top: str = "", more: bytes = b"", form: int = 2
) -> bytes:
    """A layer of a NetParameter, of the form of today (2) or one of the older ones."""
    ends = (bottom or "x", top or bottom or "x")
    if form == 2:
        own = inner(1, name) + inner(2, kind) + inner(3, ends[0]) + inner(4, ends[1])
        return inner(100, own + b"".join(inner(7, item) for item in blobs) + more)
    ends_of = inner(2, ends[0]) + inner(3, ends[1])
    if form == 1:
        number = {"Convolution": 4, "InnerProduct": 14, "Deconvolution": 39, "ReLU": 18, "Pooling": 17}[kind]
        return inner(2, ends_of + inner(4, name) + whole(5, number) + b"".join(inner(6, item) for item in blobs) + more)
    word = {"Convolution": "conv", "InnerProduct": "innerproduct"}[kind]
    return inner(2, inner(1, inner(1, name) + inner(2, word) + b"".join(inner(50, item) for item in blobs)) + ends_of)
