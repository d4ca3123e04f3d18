"""Zip archives read within bounds: entries by name, none of which is ever unpacked onto the disk.

Names that would climb out, links, names that stand twice, encrypted entries and rare compressions are refused, so what
an archive means is never in doubt. An entry that is stored as it is gives the part of the file where it lies; a
compressed one is unpacked into memory, up to a bound.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

from archspec.diagnostics import count
from archspec.formats.mapping import DamagedError
from archspec.formats.region import Region

MAGIC = b"PK\x03\x04"
MAX_ENTRIES = 20_000
MAX_DIRECTORY = 2**22
"""Bytes of the list of entries at an archive's end."""
MAX_UNPACKED = 2**28
"""Bytes that one compressed entry may unpack to."""
_END = b"PK\x05\x06"
ERRORS: tuple[type[Exception], ...] = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, LookupError, OverflowError, MemoryError),
)


def entries(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of an archive by name. Raises `DamagedError`, or `OSError` where the file cannot be read."""
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except ERRORS as error:
        raise DamagedError(f"is a damaged archive: {_short(error)}") from None
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        if info.is_dir():
            continue
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in info.orig_filename:
            raise DamagedError(f"has an entry whose name leads out of the archive: {name[:100]}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise DamagedError(f"has an entry that is a link: {name[:100]}")
        if name in found:
            raise DamagedError(f"has two entries of one name: {name[:100]}")
        if info.flag_bits & 1:
            raise DamagedError(f"has an entry that is encrypted: {name[:100]}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedError(f"has an entry of a compression that is not read: {name[:100]}")
        found[name] = info
    return found


def _check_directory(path: Path) -> None:
    """Raises `DamagedError` where an archive has no list of entries, or one that is too long to be looked at."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = max(0, size - 2**16 - 22)
        file.seek(begin)
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) < at + 22:
            raise DamagedError("is a damaged archive, or cut short: it has no list of entries at its end")
        number, length = struct.unpack("<HI", tail[at + 10 : at + 16])
        if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
            # An archive of more than 4 GiB has a second record, and where it lies.
            (where,) = struct.unpack("<Q", tail[at - 12 : at - 4])
            if where > size - 56:
                raise DamagedError("is a damaged archive, or cut short")
            file.seek(where)
            record = file.read(56)
            number, length = struct.unpack("<QQ", record[32:48])
    if number > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise DamagedError(f"has a list of {count(number, 'entry')}, longer than is read")


def region_of(path: Path, info: zipfile.ZipInfo, most: int = MAX_UNPACKED) -> Region:
    """The bytes of an entry: where they lie in the file, or unpacked, up to so many.

    An entry is held to its checksum. Raises `DamagedError` or `OSError`.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as entry:
            if info.compress_type == zipfile.ZIP_DEFLATED:
                if info.file_size > most:
                    raise DamagedError(
                        f"unpacks {info.filename[:100]} to {info.file_size / 2**20:,.0f} MiB, and compressed entries "
                        f"are read up to {most // 2**20} MiB"
                    )
                content = entry.read(info.file_size + 1)
                return Region(path, 0, len(content), content)
            while entry.read(2**22):  # holds the entry to its checksum
                pass
    except ERRORS as error:
        raise DamagedError(f"is a damaged archive: {info.filename[:100]}: {_short(error)}") from None
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)
        if len(header) < 30:
            raise DamagedError("is a damaged archive, or cut short")
        name, extra = struct.unpack("<HH", header[26:30])
    begin = info.header_offset + 30 + int(name) + int(extra)
    if begin + info.file_size > path.stat().st_size:
        raise DamagedError("is a damaged archive, or cut short")
    return Region(path, begin, info.file_size)


def content_of(path: Path, info: zipfile.ZipInfo, most: int) -> bytes:
    """An entry's bytes, of which there may be so many. Raises `DamagedError` or `OSError`."""
    if info.file_size > most:
        raise DamagedError(f"has {info.filename[:100]} of {count(info.file_size, 'byte')}; up to {most:,} are read")
    region = region_of(path, info)
    return region.read(0, region.size)


def _short(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__
