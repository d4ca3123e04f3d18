"""Digits on a canvas, to be found pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from archspec.data._base import LABEL, Dataset
from archspec.data._digits import SIDE, place
from archspec.data._split import Data, Split
from archspec.data.mnist5k import Mnist5k
from archspec.diagnostics import DataError
from archspec.fields import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import numpy as np

MAX_TOTAL = 2**31
"""Pixels of all canvases, each a byte and one of its label."""
MAX_DIGITS, MAX_MARGIN = 10_000, 100
INK = 96
"""Grey from which a pixel counts as the digit's."""


class DigitCanvas(Dataset):
    """Canvases with real digits at random places, for segmentation: background, and the classes 0 to 9.

    Training canvases show the 4,000 training digits of mnist5k, held-out ones its 1,000 held-out digits. A pixel of
    more than a third of full ink has its digit's class, and so have the pixels within `margin` of it; the rest is
    background. Digits do not overlap. Bytes, one channel.
    """

    height: Annotated[PositiveInt, Field(description="of a canvas in pixels, 28 or more and the margins")] = 64
    width: Annotated[PositiveInt, Field(description="of a canvas in pixels, 28 or more and the margins")] = 64
    digits: Annotated[PositiveInt, Field(description="digits on a canvas; fewer where they find no room")] = 4
    margin: Annotated[NonNegativeInt, Field(description="pixels around the ink that are the digit's too")] = 2
    train: Annotated[PositiveInt, Field(description="canvases to train on")] = 1000
    test: Annotated[PositiveInt, Field(description="canvases held out")] = 200
    seed: Annotated[NonNegativeInt, Field(description="which digits lie where")] = 0

    @model_validator(mode="after")
    def _check(self) -> DigitCanvas:
        pixels = (self.train + self.test) * self.height * self.width
        if pixels > MAX_TOTAL:
            raise ValueError(f"the canvases have {pixels:,} pixels, more than {MAX_TOTAL:,}")
        if self.margin > MAX_MARGIN or self.digits > MAX_DIGITS:
            raise ValueError(f"there are at most {MAX_DIGITS:,} digits with a margin of {MAX_MARGIN}")
        return self

    def load(self) -> Data:
        side = SIDE + 2 * self.margin
        if min(self.height, self.width) < side:
            raise DataError("E507", f"a canvas of {self.height}×{self.width} has no room for a digit of {side}×{side}")
        source = Mnist5k.plain_default().load()
        parts = [
            self._canvases(split, count, [self.seed, place])
            for place, (split, count) in enumerate(((source.train, self.train), (source.validation, self.test)))
        ]
        return Data(self.kind, parts[0], parts[1], {LABEL: ("background", *map(str, range(10)))})

    def _canvases(self, source: Split, count: int, seed: list[int]) -> Split:
        import numpy as np

        generator = np.random.default_rng(seed)
        images = np.zeros((count, self.height, self.width, 1), np.uint8)
        labels = np.zeros((count, self.height, self.width), np.int8)
        for image, label in zip(images, labels, strict=True):
            for chosen in generator.integers(len(source.labels), size=self.digits):
                self._place(source.images[chosen, ..., 0], int(source.labels[chosen]), image, label, generator)
        return Split.of(images, labels)

    def _place(
        self, digit: np.ndarray, number: int, image: np.ndarray, label: np.ndarray, generator: np.random.Generator
    ) -> None:
        """Lays a digit where no other lies; gives up after some tries."""
        import numpy as np

        ink = _spread(np.pad(digit > INK, self.margin), self.margin)
        digit = np.pad(digit, self.margin)
        found = place(label > 0, ink, generator)
        if found is not None:
            there, own = found
            image[there][..., 0] = np.maximum(image[there][..., 0], digit[own])
            label[there][ink[own]] = number + 1


def _spread(ink: np.ndarray, margin: int) -> np.ndarray:
    """The pixels within so many steps, straight or diagonal, of the ink."""
    import numpy as np

    for axis in (0, 1):
        lines = [np.roll(ink, shift, axis) for shift in range(-margin, margin + 1)]
        ink = np.logical_or.reduce(lines)
    return ink
