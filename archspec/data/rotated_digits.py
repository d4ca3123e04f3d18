"""Digits turned by an angle, which is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.data._base import Dataset
from archspec.data._digits import SIDE, Digits, check_sizes, composed
from archspec.data._split import Data, Split
from archspec.fields import NonNegativeInt, PositiveInt, PositiveNumber

if TYPE_CHECKING:
    import numpy as np


class RotatedDigits(Dataset):
    """Real digits, each turned counter-clockwise by an `angle`, a floating-point number to be told from the image.

    Angles are uniform between −`largest` and `largest`, so that they do not wrap around. People slant their digits, so
    nobody can tell angles exactly. Digits to train on are the 4,000 training digits of mnist5k, held-out ones its 1,000
    held-out digits. Images 28×28, bytes, one channel.
    """

    sided: ClassVar[tuple[str, ...]] = ("angle",)

    largest: Annotated[PositiveNumber, Field(description="the largest angle, in degrees, below 180")] = 60.0
    unit: Annotated[
        Literal["degrees", "radians"], Field(description="of the angle that is to be told; `largest` is in degrees")
    ] = "degrees"
    train: Annotated[PositiveInt, Field(description="images to train on")] = 8000
    test: Annotated[PositiveInt, Field(description="images held out")] = 1000
    seed: Annotated[NonNegativeInt, Field(description="which digit is turned by which angle")] = 0

    @model_validator(mode="after")
    def _check(self) -> RotatedDigits:
        check_sizes(self.train, self.test)
        if self.largest >= 180:
            raise ValueError("`largest` is below 180 degrees")
        return self

    def load(self) -> Data:
        train, test = composed((self.train, self.test), self.seed, self._turned)
        return Data(self.kind, train, test, {})

    def _turned(self, digits: Digits, count: int, generator: np.random.Generator) -> Split:
        import numpy as np

        number = len(digits.numbers)
        # Each digit as often as the others, or once more.
        chosen = np.concatenate([generator.permutation(number) for _ in range(-(-count // number))])[:count]
        angles = generator.uniform(-self.largest, self.largest, count)
        images = np.empty((count, SIDE, SIDE), np.uint8)
        for start in range(0, count, 1000):
            own = slice(start, start + 1000)
            images[own] = turned(digits.images[chosen[own]], np.radians(angles[own]))
        told = angles if self.unit == "degrees" else np.radians(angles)
        return Split({"image": images[..., None]}, {"angle": told.astype(np.float32)})


def turned(images: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Digits (N, 28, 28), each turned counter-clockwise about its middle by an angle in radians.

    Pixels are bilinear between those that were there, and black where nothing was.
    """
    import numpy as np

    middle = (SIDE - 1) / 2
    rows, columns = np.mgrid[:SIDE, :SIDE] - middle
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    # Where each pixel comes from: rows run downwards.
    row, column = cosine * rows + sine * columns + middle, cosine * columns - sine * rows + middle
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))  # what lies outside is black
    which = np.arange(len(images))[:, None, None]

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        found: np.ndarray = padded[which, np.clip(rows + 1, 0, SIDE + 1), np.clip(columns + 1, 0, SIDE + 1)]
        return found

    upper = (1 - right) * at(top, left) + right * at(top, left + 1)
    lower = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1)
    made: np.ndarray = np.rint((1 - down) * upper + down * lower).astype(np.uint8)
    return made
