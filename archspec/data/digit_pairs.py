"""Pairs of digits: the same or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from archspec.data._base import Dataset
from archspec.data._digits import Digits, check_sizes, composed
from archspec.data._split import Data, Split
from archspec.fields import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import numpy as np


class DigitPairs(Dataset):
    """Two real digits, `left` and `right`, and whether they are of the `same` number: 0 or 1, one half each.

    The two are never one image. Pairs to train on are of the 4,000 training digits of mnist5k, held-out ones of its
    1,000 held-out digits alone. Images 28×28, bytes, one channel.
    """

    train: Annotated[PositiveInt, Field(description="pairs to train on")] = 20000
    test: Annotated[PositiveInt, Field(description="pairs held out")] = 2000
    seed: Annotated[NonNegativeInt, Field(description="which digits are a pair")] = 0

    @model_validator(mode="after")
    def _check(self) -> DigitPairs:
        check_sizes(self.train, self.test)
        return self

    def load(self) -> Data:
        train, test = composed((self.train, self.test), self.seed, _pairs)
        return Data(self.kind, train, test, {"same": ("different", "same")})


def _pairs(digits: Digits, count: int, generator: np.random.Generator) -> Split:
    import numpy as np

    same = generator.permutation(np.arange(count) % 2).astype(np.int32)
    left = generator.integers(len(digits.numbers), size=count)
    # Of the other nine numbers each is as likely.
    number = (digits.numbers[left] + np.where(same, 0, generator.integers(1, 10, count))) % 10
    order = np.argsort(digits.numbers, kind="stable")
    first, many = np.searchsorted(digits.numbers[order], number), np.bincount(digits.numbers)[number]
    place = generator.integers(many)
    place = np.where(order[first + place] == left, (place + 1) % many, place)  # no digit is its own pair
    right = order[first + place]
    images = digits.images[..., None]
    return Split({"left": images[left], "right": images[right]}, {"same": same})
