"""Images and masks that lie as the bytes of their files in something larger: sources of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from archspec.data._files import as_masks
from archspec.data._reading import first_of
from archspec.images.files import Images, is_image_name, pixels_of
from archspec.images.fitting import Plan, fitted_labels, prepare, prepared
from archspec.images.masks import mask_of

if TYPE_CHECKING:
    from archspec.images.preparation import Preparation


class Blobs(Protocol):
    """Where bytes of samples lie. It is pickled for worker processes, so it holds no open files."""

    where: str
    """What notes call all of them."""

    def __len__(self) -> int: ...

    def name(self, place: int) -> str:
        """What messages call a sample."""
        ...

    def blob(self, place: int) -> bytes:
        """Those of one sample. Raises `DataError`."""
        ...


class _OfBlobs:
    def __init__(self, blobs: Blobs, preparation: Preparation) -> None:
        self.blobs, self.preparation = blobs, preparation

    def __len__(self) -> int:
        return len(self.blobs)

    def name(self, place: int) -> str:
        return self.blobs.name(place)

    def file(self, place: int) -> str:
        """The file that has a sample, where one has: what it is called otherwise, which is no file's name."""
        of: Callable[[int], str] = getattr(self.blobs, "file", self.blobs.name)
        return of(place)

    def notes(self, seen: Counter[str]) -> list[str]:
        return Images([], seen).notes(self.blobs.where)


class BlobImages(_OfBlobs):
    """Images, all of the shape of the first that can be read. Raises `DataError` where none can be."""

    def __init__(self, blobs: Blobs, preparation: Preparation, *, grey: bool) -> None:
        super().__init__(blobs, preparation)
        self.mode = "L" if grey else "RGB"
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.first, self.shape = first_of(self, "images")

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        return prepare(self.original(place, seen), self.preparation)

    def original(self, place: int, seen: Counter[str]) -> np.ndarray:
        """The image (H, W, C) as it lies in its file. Raises `DataError`."""
        return pixels_of(self.blobs.blob(place), self.name(place), self.mode, seen)


class BlobMasks(_OfBlobs):
    """Masks: the numbers of their pixels, −1 for `ignore`. Raises `DataError` where none can be read."""

    def __init__(self, blobs: Blobs, preparation: Preparation, ignore: int | None) -> None:
        super().__init__(blobs, preparation)
        self.ignore = ignore
        self.dtype: np.dtype[Any] = np.dtype(np.int16)
        self.first, self.shape = first_of(self, "masks")

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        name = self.name(place)
        labels = as_masks(mask_of(self.blobs.blob(place), name), self.ignore, name)
        size = (labels.shape[0], labels.shape[1])
        (made,) = fitted_labels(labels[None], Plan(size, prepared(size, self.preparation)))
        return np.asarray(made, np.int16)


def is_mask(ending: str) -> bool:
    """Whether labels of such an ending are images."""
    return is_image_name(f"x.{ending}")
