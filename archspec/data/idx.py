"""A folder of files in MNIST's format."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.data._base import Dataset
from archspec.data._files import as_split, existing_folder, numbered
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count, listed
from archspec.fields import FilePath, Flag, Text
from archspec.images.limits import check_bytes

if TYPE_CHECKING:
    import numpy as np

_PARTS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("t10k", "test")}
_MAGIC = {"images": 2051, "labels": 2049}


class Idx(Dataset):
    """A folder of MNIST-format files, gzipped or not: MNIST, Fashion-MNIST, KMNIST, and EMNIST by `split`.

    Files are found by their usual names, such as train-images-idx3-ubyte.gz or emnist-letters-test-labels-idx1-ubyte.
    """

    main: ClassVar[str] = "path"

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    split: Annotated[
        Text | None, Field(description="which of several sets in the folder, such as EMNIST's letters")
    ] = None
    transposed: Annotated[
        Flag | None, Field(description="whether rows and columns are swapped; if left out, they are for EMNIST's files")
    ] = None

    def load(self) -> Data:
        folder = existing_folder(self.path)
        own = ["train", *(["validation"] if self._found(folder, "validation", "images") else []), "test"]
        parts = [self._part(folder, part) for part in own]
        first = min(split.labels.min() for split in parts)
        if first == 1:
            # EMNIST's letters count from 1.
            parts = [Split.of(split.images, split.labels - 1) for split in parts]
        data = numbered(f"{folder.name}{f' ({self.split})' if self.split else ''}", *parts)
        notes = [f"labels of {data.name} count from 1: label 1 is class 0, and so on"] if first == 1 else []
        return replace(data, notes=tuple(notes))

    def _part(self, folder: Path, part: str) -> Split:
        images_path, labels_path = (self._find(folder, part, what) for what in ("images", "labels"))
        images, labels = read_idx(images_path, "images"), read_idx(labels_path, "labels")
        swapped = images_path.name.startswith("emnist") if self.transposed is None else self.transposed
        split = as_split(images, labels, images_path.name)
        return Split.of(split.images.transpose(0, 2, 1, 3).copy(), split.labels) if swapped else split

    def _found(self, folder: Path, part: str, what: str) -> list[Path]:
        """The files of a part that have its usual names."""
        wanted = _usual(part, what)
        paths = []
        for path in sorted(folder.iterdir()):
            stem = path.name.removesuffix(".gz")
            if stem.endswith(tuple(wanted)) and (self.split is None or f"-{self.split}-" in f"-{stem}"):
                paths.append(path)
        return paths

    def _find(self, folder: Path, part: str, what: str) -> Path:
        paths, wanted = self._found(folder, part, what), _usual(part, what)
        stems = {path.name.removesuffix(".gz") for path in paths}
        if len(stems) > 1:
            raise DataError(
                "E505",
                f"{folder} has several files of {part} {what}: {listed(sorted(stems))}",
                help=["say which: `split:`"],
            )
        if not paths:
            raise DataError(
                "E505", f"{folder} has no file of {part} {what}", help=[f"expected {wanted[0]} or {wanted[0]}.gz"]
            )
        return paths[0]


def _usual(part: str, what: str) -> list[str]:
    """How the names of a part's files end."""
    axes = {"images": 3, "labels": 1}[what]
    return [f"{name}{dash}idx{axes}-ubyte" for name in (f"{p}-{what}" for p in _PARTS[part]) for dash in ("-", ".")]


def read_idx(path: Path, what: Literal["images", "labels"]) -> np.ndarray:
    """The array of an IDX file: a magic number, the sizes of its axes as big-endian 32-bit numbers, then bytes."""
    import numpy as np

    axes = 3 if what == "images" else 1
    start = 4 * (axes + 1)
    if not path.is_file():  # a pipe would be waited for
        raise DataError("E506", f"{path} is no file{' but a folder' if path.is_dir() else ''}")
    try:
        stored = path.stat().st_size
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            head = file.read(start)
            _check_magic(path, head, what)
            if len(head) < start:
                raise DataError(
                    "E506",
                    f"{path} is cut short: it holds {count(len(head), 'byte')}, and its header alone takes {start}",
                    help=["download it again"],
                )
            shape = struct.unpack(f">{axes}I", head[4:])
            expected = math.prod(shape)
            said = f"{path} should hold {count(expected, 'byte')} of {what} ({'×'.join(map(str, shape))})"
            if not path.name.endswith(".gz") and stored - start != expected:
                raise DataError("E506", f"{said}, but holds {stored - start:,}", help=["download it again"])
            # Deflate makes at most some 1,032 bytes of one.
            if expected > 1100 * stored + 1100:
                raise DataError(
                    "E506", f"{said}, more than its {count(stored, 'byte')} unpack to", help=["download it again"]
                )
            check_bytes(str(path), expected, stored)
            data = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("E506", f"{path} cannot be read: {error}") from None
    if len(data) != expected:
        held = f"{len(data):,}" if len(data) < expected else "more"
        raise DataError("E506", f"{said}, but holds {held}", help=["download it again"])
    return np.frombuffer(data, np.uint8).reshape(shape)


def _check_magic(path: Path, head: bytes, what: Literal["images", "labels"]) -> None:
    if len(head) < 4:
        raise DataError("E506", f"{path} is not an IDX file of {what}: it holds {count(len(head), 'byte')}")
    (magic,) = struct.unpack(">I", head[:4])
    if magic != _MAGIC[what]:
        raise DataError("E506", f"{path} is not an IDX file of {what}: its magic number is {magic}, not {_MAGIC[what]}")
