"""Files in memory as the system maps them: nothing is read before it is looked at, and nothing is copied."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DamagedError(Exception):
    """A file is not what it should be, or asks for more than is read; the words go on from its name: `ends early`."""


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """A file's bytes, for as long as this lasts. Arrays over them must be gone, or copied, by its end.

    Raises `OSError`, and `DamagedError` for an empty file.
    """
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise DamagedError("is empty") from None
        view = memoryview(content)
        try:
            yield view
        finally:
            # Where an array still lies over them the bytes stay until it goes, as the system keeps them.
            try:
                view.release()
                content.close()
            except BufferError:
                pass
