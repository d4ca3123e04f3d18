"""Several digits on an image: which are there?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from archspec.data._base import Dataset
from archspec.data._digits import DIGITS, SIDE, Digits, check_sizes, composed, place
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError
from archspec.fields import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import numpy as np

MAX_DIGITS = 100


class DigitSets(Dataset):
    """Real digits at random places of an `image`, 1 to `most` of them, for several labels at once.

    `digits` says of each number 0 to 9 whether it is there, 1 or 0: (N, 10). Training images show the 4,000 training
    digits of mnist5k, held-out ones its 1,000 held-out digits. Digits do not overlap. Bytes, one channel.
    """

    height: Annotated[PositiveInt, Field(description="of an image in pixels, 28 or more")] = 56
    width: Annotated[PositiveInt, Field(description="of an image in pixels, 28 or more")] = 56
    most: Annotated[
        PositiveInt, Field(description="as many digits an image has at most, each count as often; fewer without room")
    ] = 4
    train: Annotated[PositiveInt, Field(description="images to train on")] = 8000
    test: Annotated[PositiveInt, Field(description="images held out")] = 1000
    seed: Annotated[NonNegativeInt, Field(description="which digits lie where")] = 0

    @model_validator(mode="after")
    def _check(self) -> DigitSets:
        check_sizes(self.train, self.test)
        if (self.train + self.test) * self.height * self.width > 2**31:
            raise ValueError(f"the images have more than {2**31:,} pixels")
        if self.most > MAX_DIGITS:
            raise ValueError(f"there are at most {MAX_DIGITS} digits")
        return self

    def load(self) -> Data:
        if min(self.height, self.width) < SIDE:
            raise DataError("E507", f"an image of {self.height}×{self.width} has no room for a digit of {SIDE}×{SIDE}")
        train, test = composed((self.train, self.test), self.seed, self._sets)
        return Data(self.kind, train, test, {"digits": DIGITS})

    def _sets(self, digits: Digits, count: int, generator: np.random.Generator) -> Split:
        import numpy as np

        images = np.zeros((count, self.height, self.width), np.uint8)
        there = np.zeros((count, 10), np.int8)
        for image, present in zip(images, there, strict=True):
            for chosen in generator.integers(len(digits.numbers), size=int(generator.integers(1, self.most + 1))):
                digit = digits.images[chosen]
                found = place(image > 0, digit > 0, generator)
                if found is not None:
                    where, own = found
                    image[where] = digit[own]
                    present[digits.numbers[chosen]] = 1
        return Split({"image": images[..., None]}, {"digits": there})
