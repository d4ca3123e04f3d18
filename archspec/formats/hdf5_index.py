"""Reads the index of an HDF5 file, as a program of its own: `hdf5.py` starts it and takes what it prints.

HDF5's library goes round without end on some damaged files, so it works here, where its time and memory are bounded and
its end harms nobody. It reads through a file object of ours, which bounds what it may ask for, so it opens no other
file, and nothing that leads out of the file (links, virtual datasets, data in other files) is followed.
Datasets are not read: what is printed says where their bytes lie, as JSON. This file imports nothing of the package.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

MAX_READ = 2**26
"""Bytes that the library may ask for at once."""
MAX_MEMORY = 2**29
"""Bytes that it may need beside those of a process that has read nothing."""
MAX_SECONDS = 20
"""Seconds of a processor's time; an index of 5,000 datasets takes one."""
MAX_OBJECTS = 100_000
"""Groups, datasets and attributes of a file: the largest networks have some 10,000."""
MAX_DEPTH = 64
MAX_TEXT = 2**25
"""Bytes of the texts of all attributes."""
MAX_CHUNKS = 2**18
"""Pieces that all datasets are cut into."""
_LINKS = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}


class RefusedError(Exception):
    """What is in a file is not read; the words go on from its name."""


class Guarded(io.RawIOBase):
    """A part of a file, of which a damaged index cannot make a library read without end.

    What is asked for beyond the bounds fails as a read, and `refused` says why: the library has words of its own.
    """

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        super().__init__()
        self._file, self._begin, self._size = file, begin, size
        # Every piece of an index is read once, or a few times where it is found by several ways.
        self._left = 8 * min(size, 2**28) + 2**24
        self._at = 0
        self.refused = ""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = len(buffer)
        if wanted > min(MAX_READ, self._left):
            self.refused = "its index asks for more bytes than one can have"
            raise OSError(self.refused)
        size = max(0, min(wanted, self._size - self._at))
        self._file.seek(self._begin + self._at)
        content = self._file.read(size)
        # Bytes beyond the end are those of a file that was cut; the library is given zeros, and finds them wrong.
        buffer[:] = content + bytes(wanted - len(content))
        self._at += wanted
        self._left -= wanted
        return wanted


class _Reader:
    """One pass through a file's groups."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.datasets: dict[str, dict[str, Any]] = {}
        self.attributes: dict[str, dict[str, list[str]]] = {}
        self.groups: list[str] = []
        self._seen: set[tuple[int, int]] = set()
        self._objects = self._text = self._chunks = 0

    def read(self, file: Any) -> None:
        if file.userblock_size:
            raise RefusedError("has a block of other content before its HDF5, which is not read")
        stack: list[tuple[Any, str]] = [(file.id, "")]
        self._is_new(file.id)
        while stack:
            group, path = stack.pop()
            if path.count("/") > MAX_DEPTH:
                raise RefusedError(f"has groups within groups, more than {MAX_DEPTH} deep")
            self.groups.append(path)
            self._read_attributes(group, path)
            stack.extend(self._inside(group, path))

    def _spend(self, objects: int) -> None:
        self._objects += objects
        if self._objects > MAX_OBJECTS:
            raise RefusedError(f"holds more than {MAX_OBJECTS:,} things")

    def _inside(self, group: Any, path: str) -> Iterator[tuple[Any, str]]:
        """The groups in a group; its datasets are noted."""
        self._spend(group.get_num_objs())
        for name in list(group):
            where = f"{path}/{name.decode('utf-8', 'replace')}".removeprefix("/")
            kind = group.links.get_info(name).type
            if kind != h5l.TYPE_HARD:
                word = _LINKS.get(kind, "a link of an unknown kind")
                raise RefusedError(f"has {word}, {where[:200]}, and no link is followed")
            item = h5o.open(group, name)
            if isinstance(item, h5g.GroupID):
                if not self._is_new(item):
                    raise RefusedError(f"has the group {where[:200]} in two places")
                yield item, where
            elif isinstance(item, h5d.DatasetID):
                self._read_attributes(item, where)
                self.datasets[where] = self._dataset(item, where)

    def _is_new(self, group: Any) -> bool:
        """Whether a group is seen for the first time: none is gone through twice."""
        info = h5o.get_info(group)
        key = (int(info.fileno), int(info.addr))
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _read_attributes(self, item: Any, path: str) -> None:
        """Notes the attributes that are texts."""
        number = h5a.get_num_attrs(item)
        self._spend(number)
        for index in range(number):
            attribute = h5a.open(item, index=index)
            kind = attribute.get_type()
            if not isinstance(kind, h5t.TypeStringID):
                continue
            empty = attribute.get_space().get_simple_extent_type() == h5s.NULL
            values = 0 if empty else prod(attribute.shape)
            self._spend(values)
            self._text += 0 if kind.is_variable_str() else values * kind.get_size()
            self._check_text()
            texts: list[str] = []
            if values:
                array = np.empty(attribute.shape, kind.dtype)
                attribute.read(array, mtype=h5t.py_create(kind.dtype))
                texts = [_text(item) for item in array.reshape(-1).tolist()]
            self._text += sum(map(len, texts)) if kind.is_variable_str() else 0
            self._check_text()
            self.attributes.setdefault(path, {})[attribute.name.decode("utf-8", "replace")] = texts

    def _check_text(self) -> None:
        if self._text > MAX_TEXT:
            raise RefusedError(f"has more than {MAX_TEXT // 2**20} MiB of text beside its arrays")

    def _dataset(self, item: Any, where: str) -> dict[str, Any]:
        """What a dataset is and where its bytes lie; what leads out of the file is refused."""
        settings = item.get_create_plist()
        layout = settings.get_layout()
        if layout == h5d.VIRTUAL or settings.get_external_count():
            raise RefusedError(f"has its dataset {where[:200]} in other files, which are not read")
        space = item.get_space()
        nothing = space.get_simple_extent_type() == h5s.NULL
        shape = [0] if nothing else [int(size) for size in space.get_simple_extent_dims()]
        kind = item.get_type()
        dtype = _dtype(kind)
        if isinstance(kind, h5t.TypeOpaqueID) and self.attributes.get(where, {}).get("dtype") == ["bfloat16"]:
            dtype = np.dtype("<u2") if kind.get_size() == 2 else None
        said: dict[str, Any] = {"shape": shape, "dtype": None if dtype is None else dtype.str}
        if dtype is None:
            return said | {"fault": f"of values that are no plain numbers ({_word(kind)})"}
        size = prod(shape) * dtype.itemsize
        if not size:
            return said | {"layout": "empty"}
        if layout == h5d.COMPACT:
            if size > 2**16:
                raise RefusedError(f"has a dataset in its index that is too large for one, {where[:200]}")
            content = np.empty(shape, kind.dtype)
            item.read(h5s.ALL, h5s.ALL, content)
            return said | {"layout": "compact", "content": base64.b64encode(content.tobytes()).decode()}
        if layout == h5d.CONTIGUOUS:
            at = item.get_offset()
            # Without a place it was never written, and has what it was to be filled with.
            return said | (
                {"fault": "without numbers: they were never written"} if at is None else {"layout": "plain", "at": at}
            )
        return said | self._chunked(item, where, shape, settings)

    def _chunked(self, item: Any, where: str, shape: list[int], settings: Any) -> dict[str, Any]:
        chunk = [int(size) for size in settings.get_chunk()]
        number = item.get_num_chunks()
        self._chunks += number
        if self._chunks > MAX_CHUNKS:
            raise RefusedError(f"has its arrays in more than {MAX_CHUNKS:,} pieces, by {where[:200]}")
        if number != prod(-(-size // step) for size, step in zip(shape, chunk, strict=True)):
            return {"fault": "without some of its numbers: they were never written"}
        pieces = [item.get_chunk_info(index) for index in range(number)]
        return {
            "layout": "chunked",
            "chunk": chunk,
            "filters": [int(settings.get_filter(place)[0]) for place in range(settings.get_nfilters())],
            "pieces": [
                [
                    [int(at) for at in piece.chunk_offset],
                    int(piece.byte_offset),
                    int(piece.size),
                    int(piece.filter_mask),
                ]
                for piece in pieces
            ],
        }


def _text(item: object) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _dtype(kind: Any) -> np.dtype[Any] | None:
    """NumPy's type of exactly these bytes, or None."""
    if not isinstance(kind, (h5t.TypeFloatID, h5t.TypeIntegerID)):
        return None
    dtype = np.dtype(kind.dtype)
    same = kind.get_size() == dtype.itemsize and kind.equal(h5t.py_create(dtype))
    return dtype if same else None


def _word(kind: Any) -> str:
    return type(kind).__name__.removeprefix("Type").removesuffix("ID").lower()


def _bound() -> None:
    """Bounds memory and time of this process, where the system does."""
    try:
        import resource
    except ImportError:  # Windows
        return
    used = 2**30
    with suppress(OSError):
        used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    limits = {resource.RLIMIT_AS: used + MAX_MEMORY, resource.RLIMIT_CPU: MAX_SECONDS, resource.RLIMIT_CORE: 0}
    for what, most in limits.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def main(path: str, begin: str, size: str) -> None:
    """Prints the index of the HDF5 that lies in a file from `begin` on, or in what comes by standard input."""
    content = b"" if path else sys.stdin.buffer.read()
    _bound()
    answer: dict[str, Any]
    with open(path, "rb") if path else io.BytesIO(content) as file:
        source = Guarded(file, int(begin), int(size))
        try:
            reader = _Reader(int(size))
            with h5py.File(source, "r") as opened:
                reader.read(opened)
            answer = {"datasets": reader.datasets, "attributes": reader.attributes, "groups": reader.groups}
        except RefusedError as error:
            answer = {"refused": str(error)}
        except MemoryError:
            answer = {"refused": "needs more memory than an index can: it is damaged, or made to harm"}
        except Exception as error:  # the library raises errors of many kinds for damaged files
            reason = source.refused or str(error).strip().partition("\n")[0] or type(error).__name__
            answer = {"refused": f"is a damaged HDF5 file, or cut short: {reason[:160]}"}
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


if __name__ == "__main__":
    main(*sys.argv[1:])
