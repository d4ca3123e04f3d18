"""A folder of files in MNIST's format."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from archspec.data._base import Data, Dataset, Split
from archspec.data._files import as_split, existing_folder, numbered
from archspec.diagnostics import DataError, listed
from archspec.fields import FilePath, Flag, Text

if TYPE_CHECKING:
    import numpy as np

_PARTS = {"train": ("train",), "test": ("t10k", "test")}
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
        train, test = (self._part(folder, part) for part in ("train", "test"))
        first = min(train.labels.min(), test.labels.min())
        if first == 1:
            # EMNIST's letters count from 1.
            train, test = (Split(split.images, split.labels - 1) for split in (train, test))
        return numbered(f"{folder.name}{f' ({self.split})' if self.split else ''}", train, test)

    def _part(self, folder: Path, part: Literal["train", "test"]) -> Split:
        images_path, labels_path = (self._find(folder, part, what) for what in ("images", "labels"))
        images, labels = read_idx(images_path, "images"), read_idx(labels_path, "labels")
        swapped = images_path.name.startswith("emnist") if self.transposed is None else self.transposed
        split = as_split(images, labels, images_path.name)
        return Split(split.images.transpose(0, 2, 1, 3).copy(), split.labels) if swapped else split

    def _find(self, folder: Path, part: str, what: str) -> Path:
        axes = {"images": 3, "labels": 1}[what]
        wanted = [
            f"{name}{dash}idx{axes}-ubyte" for name in (f"{p}-{what}" for p in _PARTS[part]) for dash in ("-", ".")
        ]
        found = []
        for path in sorted(folder.iterdir()):
            stem = path.name.removesuffix(".gz")
            if stem.endswith(tuple(wanted)) and (self.split is None or f"-{self.split}-" in f"-{stem}"):
                found.append(path)
        stems = {path.name.removesuffix(".gz") for path in found}
        if len(stems) > 1:
            raise DataError(
                "E505",
                f"{folder} has several files of {part} {what}: {listed(sorted(stems))}",
                help=["say which: `split:`"],
            )
        if not found:
            raise DataError(
                "E505", f"{folder} has no file of {part} {what}", help=[f"expected {wanted[0]} or {wanted[0]}.gz"]
            )
        return found[0]


def read_idx(path: Path, what: Literal["images", "labels"]) -> np.ndarray:
    """The array of an IDX file: a magic number, the sizes of its axes as big-endian 32-bit numbers, then bytes."""
    import numpy as np

    try:
        data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("E506", f"{path} cannot be read: {error}") from None
    axes = 3 if what == "images" else 1
    start = 4 * (axes + 1)
    header = np.frombuffer(data[: min(start, len(data)) // 4 * 4], ">u4")
    if len(header) < axes + 1 or header[0] != _MAGIC[what]:
        magic = int(header[0]) if len(header) else "none"
        raise DataError("E506", f"{path} is not an IDX file of {what}: its magic number is {magic}, not {_MAGIC[what]}")
    shape = tuple(int(size) for size in header[1:])
    expected = int(np.prod(shape, dtype=object))
    if len(data) - start != expected:
        raise DataError(
            "E506",
            f"{path} should hold {expected:,} bytes of {what} ({'×'.join(map(str, shape))}), "
            f"but holds {len(data) - start:,}",
            help=["download it again"],
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
