"""A digit and a number, to be added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from archspec.data._base import Dataset
from archspec.data._digits import Digits, check_sizes, composed
from archspec.data._split import Data, Split
from archspec.fields import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import numpy as np


class DigitSums(Dataset):
    """A real digit, `image`, and a `number`, ten features with a 1 at its place; `sum` is what they add up to.

    That is one of 19 classes, 0 to 18; either input alone leaves ten of them. Samples to train on show the 4,000
    training digits of mnist5k, held-out ones its 1,000 held-out digits. Images 28×28, bytes, one channel.
    """

    train: Annotated[PositiveInt, Field(description="samples to train on")] = 12000
    test: Annotated[PositiveInt, Field(description="samples held out")] = 2000
    seed: Annotated[NonNegativeInt, Field(description="which digit goes with which number")] = 0

    @model_validator(mode="after")
    def _check(self) -> DigitSums:
        check_sizes(self.train, self.test)
        return self

    def load(self) -> Data:
        train, test = composed((self.train, self.test), self.seed, _sums)
        return Data(self.kind, train, test, {"sum": tuple(map(str, range(19)))})


def _sums(digits: Digits, count: int, generator: np.random.Generator) -> Split:
    import numpy as np

    chosen = generator.integers(len(digits.numbers), size=count)
    numbers = generator.integers(10, size=count)
    total = digits.numbers[chosen] + numbers
    inputs = {"image": digits.images[chosen, ..., None], "number": np.eye(10, dtype=np.float32)[numbers]}
    return Split(inputs, {"sum": total.astype(np.int32)})
