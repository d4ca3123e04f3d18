"""PyTorch's files without PyTorch: archives and streams of a pickle and the bytes of its storages.

`torch.save` writes a zip archive with `data.pkl` and one entry for each storage; before version 1.6 it wrote a stream
of pickles followed by the storages. A pickle by itself may hold NumPy arrays. All are read by `pickles.read_pickle`, so
nothing of a file runs.
"""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archspec.weights.contents import tensors_in
from archspec.weights.pickles import read_pickle
from archspec.weights.storages import Storages, builders_of
from archspec.weights.tensors import TensorFile, UnreadableError

MAX_UNPACKED = 2**31
"""Bytes that the compressed entries of an archive may unpack to; PyTorch does not compress."""
MAX_PICKLE = 2**28
"""Bytes of an archive's pickle, which holds names and shapes alone."""

_MAGIC = 0x1950A86A20F9469CFC6C


@contextmanager
def opened_torch(path: Path) -> Iterator[TensorFile]:
    """The tensors of a file of PyTorch's, or of a pickle. Raises `UnreadableError`."""
    source = Storages()
    with path.open("rb") as file:
        if file.peek(2)[:2] == b"PK":
            with _zip_errors():
                archive = zipfile.ZipFile(file)
            with archive:
                with _zip_errors():
                    content = _of_archive(archive, source)
                yield tensors_in(content, path)
            return
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise UnreadableError("is empty") from None
        with mapped:
            if mapped[257:262] == b"ustar":
                raise UnreadableError(
                    "is a tar archive, as PyTorch wrote before version 0.2: save it again with torch.save"
                )
            yield tensors_in(_of_stream(mapped, source), path)


_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(ValueError, LookupError, OverflowError, MemoryError),
)


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turns what Python's reader of archives raises on damaged ones into `UnreadableError`."""
    try:
        yield
    except _ZIP_ERRORS as error:
        raise UnreadableError(f"is a damaged archive: {str(error)[:120] or type(error).__name__}") from None


def _of_archive(archive: zipfile.ZipFile, source: Storages) -> Any:
    entries = {item.filename: item for item in archive.infolist()}
    unpacked = sum(item.file_size for item in entries.values() if item.compress_type != zipfile.ZIP_STORED)
    if unpacked > MAX_UNPACKED:
        raise UnreadableError(
            f"unpacks to {unpacked / 2**30:,.1f} GiB; archives are read up to {MAX_UNPACKED // 2**30} GiB: "
            "save it with torch.save, which does not compress"
        )
    pickles = [name for name in entries if name == "data.pkl" or (name.endswith("/data.pkl") and name.count("/") == 1)]
    if not pickles:
        names = ", ".join(list(entries)[:4])[:120]
        raise UnreadableError(f"is a zip archive without the pickle of PyTorch's; it holds {names or 'nothing'}")
    root = pickles[0].removesuffix("data.pkl")
    if entries[pickles[0]].file_size > MAX_PICKLE:
        raise UnreadableError(f"has a pickle of more than {MAX_PICKLE // 2**20} MiB")
    last: list[tuple[str, bytes]] = []

    def fetch(key: str) -> bytes:
        if not last or last[0][0] != key:
            entry = entries.get(f"{root}data/{key}")
            if entry is None:
                raise UnreadableError(f"has no storage {key[:40]}: the file is damaged")
            with _zip_errors():
                last[:] = [(key, archive.read(entry))]
        return last[0][1]

    source.fetch = fetch
    source.big_endian = f"{root}byteorder" in entries and archive.read(f"{root}byteorder") == b"big"
    return read_pickle(io.BytesIO(archive.read(pickles[0])), builders_of(source), source.storage)


def _of_stream(mapped: mmap.mmap, source: Storages) -> Any:
    builders = builders_of(source)
    first = read_pickle(mapped, builders, source.storage)
    if first != _MAGIC:
        return first
    read_pickle(mapped, builders, source.storage)  # version of the protocol
    system = read_pickle(mapped, builders, source.storage)
    source.big_endian = isinstance(system, dict) and system.get("little_endian") is False
    content = read_pickle(mapped, builders, source.storage)
    keys = read_pickle(mapped, builders, source.storage)
    at = mapped.tell()
    places: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        storage = source.seen.get(str(key))
        if storage is None or not storage.item or at + 8 > len(mapped):
            break
        (size,) = struct.unpack(">q" if source.big_endian else "<q", mapped[at : at + 8])
        if size < 0:
            break
        places[str(key)] = (at + 8, size * storage.item)
        at += 8 + size * storage.item

    def fetch(key: str) -> bytes:
        if key not in places:
            raise UnreadableError("is not there: the file is damaged or cut short")
        begin, length = places[key]
        return mapped[begin : begin + length]

    source.fetch = fetch
    return content
