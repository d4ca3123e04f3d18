"""Columns of image files out of whose own pixels training cuts boxes, at the size that the network takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from archspec.augmentations.random_resized_crop import RandomResizedCrop
from archspec.data._columns import Column

if TYPE_CHECKING:
    import numpy as np

OWN = 3
"""Tells these draws from others of the same seed, epoch and sample."""


@runtime_checkable
class Original(Protocol):
    """A source of columns that can read an image as it lies in its file, before a dataset prepares it."""

    def original(self, place: int, seen: Counter[str]) -> np.ndarray:
        """The image (H, W, C) at its own size, bytes."""
        ...


class Cut(NamedTuple):
    """How boxes are cut: the kind, the run's seed, and height and width of what is made of them."""

    kind: RandomResizedCrop
    seed: int
    size: tuple[int, int]


class CutColumn(Column):
    """A column of images that training reads by boxes: `in_epoch`. Everything else reads it as the column it was."""

    def __init__(self, column: Column, cut: Cut) -> None:
        super().__init__(column.source, column.places, column.steps)
        self.cut = cut

    def in_epoch(self, places: np.ndarray, epoch: int) -> np.ndarray:
        """The samples at places (n, …) as an epoch has them: each a box of its file's pixels, scaled.

        What is drawn comes from the seed, the epoch and the sample's number. Raises `DataError`.
        """
        import numpy as np

        made = np.empty((len(places), *self.shape[1:]), self.dtype)
        for row, place in enumerate(places):
            made[row] = self._boxed(int(place), epoch)
        return made

    def _boxed(self, place: int, epoch: int) -> np.ndarray:
        import numpy as np

        from archspec.images.fitting import Scaled, scale

        kind, seed, size = self.cut
        generator = np.random.default_rng([OWN, seed, epoch, place])
        if generator.random() >= kind.probability:
            return self.sample(place)
        source: Any = self.source
        pixels = source.original(place if self.places is None else int(self.places[place]), Counter())
        top, left, height, width = kind.box(generator, (pixels.shape[0], pixels.shape[1]))
        # Cut first: Pillow's own `box` lets pixels beside it in.
        return scale(pixels[top : top + height, left : left + width], Scaled(size, "bilinear"))


def cuttable(column: object, channels: int) -> bool:
    """Whether boxes can be cut out of a column's files: nothing is done to what is read but to fit it to an input."""
    from functools import partial

    from archspec.images.fitting import fitted_images

    if not isinstance(column, Column) or not isinstance(column.source, Original):
        return False
    fits = (isinstance(step.function, partial) and step.function.func is fitted_images for step in column.steps)
    return all(fits) and column.shape[-1] == channels and column.dtype.kind == "u"
