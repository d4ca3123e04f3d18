"""Whether a file's end is there, where Pillow's decoders do not ask: PNG and JPEG 2000.

Pillow takes a PNG whose pixels are complete but whose end is cut off, and passes over its checksums; of a JPEG 2000
file that is cut off anywhere it decodes what is left, without a word.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

CHECKED = ("PNG", "JPEG2000")
"""The formats, by Pillow's names, that `fault` looks at."""
_SIGNATURE = 8
"""Bytes before the first chunk of a PNG."""
_END = b"\xff\xd9"
"""The marker that ends a JPEG 2000 codestream (ISO/IEC 15444-1, A.4.4)."""


def fault(data: bytes, format: str) -> str | None:
    """What is wrong with a whole file of a format, in words; None where nothing is."""
    if format == "PNG":
        return _png(data)
    return _jpeg2000(data) if format == "JPEG2000" else None


def _png(data: bytes) -> str | None:
    """Chunks are a length, a name, so many bytes and a CRC of name and bytes; IEND is the last (PNG, section 5.3).

    Chunks whose name begins with a small letter are not needed for the pixels, and may be damaged.
    """
    place, view = _SIGNATURE, memoryview(data)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(view[place : place + 4], "big")
        name = bytes(view[place + 4 : place + 8])
        if end + 4 > len(data):
            break
        if name[:1].isupper() and zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return f"the checksum of its part {name.decode('ascii', 'replace')} is not that of its bytes"
        if name == b"IEND":
            return None
        place = end + 4
    return "it is cut short"


def _jpeg2000(data: bytes) -> str | None:
    """A codestream, in a box of its own or alone, ends in a marker; a box of length 0 goes on to the file's end."""
    if data.startswith(b"\xff\x4f"):
        return None if data.rstrip(b"\x00").endswith(_END) else "it is cut short"
    for name, start, end in _boxes(data):
        if end > len(data):
            break
        if name == b"jp2c":
            return None if data[start:end].endswith(_END) else "it is cut short"
    return "it is cut short"


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a JP2 file: the name of each, where its contents begin, and where they should end."""
    place = 0
    while place + 8 <= len(data):
        length, start = int.from_bytes(data[place : place + 4], "big"), place + 8
        if length == 1:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        end = place + length if length else len(data)
        yield data[place + 4 : place + 8], start, end
        if end < start:
            return
        place = end
