"""A part of a file, read piece by piece: a whole one, an archive's entry that is stored as it is, bytes at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archspec.formats.mapping import DamagedError


@dataclass(frozen=True)
class Region:
    """`size` bytes of a file from `begin` on, or of `content` where they were unpacked."""

    path: Path
    begin: int
    size: int
    content: bytes | None = None

    @classmethod
    def of(cls, path: Path) -> Region:
        """A whole file. Raises `OSError`."""
        return cls(path, 0, path.stat().st_size)

    def read(self, at: int, size: int) -> bytes:
        """Bytes of it. Raises `DamagedError` where they are not all there, or `OSError`."""
        if at < 0 or size < 0 or at + size > self.size:
            raise DamagedError("lies outside of the bytes that are there: the file is damaged or cut short")
        if self.content is not None:
            return self.content[self.begin + at : self.begin + at + size]
        with self.path.open("rb") as file:
            file.seek(self.begin + at)
            read = file.read(size)
        if len(read) != size:
            raise DamagedError("is cut short")
        return read
