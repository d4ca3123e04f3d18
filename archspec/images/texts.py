"""Text files beside images: lists of names, tables of colours."""

from __future__ import annotations

import codecs
from pathlib import Path

from archspec.diagnostics import DataError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a file in UTF-8, or in UTF-16 with a byte-order mark, as some editors write it.

    Raises `DataError` where it cannot be read.
    """
    try:
        return decoded(path.read_bytes(), None)[0].splitlines()
    except (OSError, ValueError) as error:
        raise DataError("E506", f"{what} cannot be read: {error}") from None


def decoded(data: bytes, otherwise: str | None = "cp1252") -> tuple[str, str]:
    """Text in UTF-8, or in UTF-16 with a byte-order mark, or in another encoding where it is neither; and in which.

    Raises `ValueError`.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        if otherwise is None or encoding != "utf-8":
            raise
        return data.decode(otherwise), otherwise
