"""Columns: samples that are read when they are asked for, and give what an array of them would."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from archspec.data import Column, Split, as_array, mapped, pieces
from archspec.data._columns import UnlikeError, taken
from archspec.diagnostics import DataError
from archspec.images.fitting import Plan, Scaled, fitted_images

WHOLE = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)


@dataclass
class Numbers:
    """Samples of `WHOLE`, of which one may be smaller and one cannot be read."""

    small: int = -1
    broken: int = -1
    shape: tuple[int, ...] = (6, 5, 3)
    dtype: Any = WHOLE.dtype

    def __len__(self) -> int:
        return len(WHOLE)

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        if place == self.broken:
            raise DataError("E521", f"{place}.png cannot be read")
        seen["read"] += 1
        return WHOLE[place, : 3 if place == self.small else 6]

    def name(self, place: int) -> str:
        return f"{place}.png"

    def notes(self, seen: Counter[str]) -> list[str]:
        return []


def test_a_column_is_what_an_array_is() -> None:
    column, order = Column(Numbers()), np.random.default_rng(1).permutation(40)[:17]
    assert column.shape == WHOLE.shape and column.nbytes == WHOLE.nbytes and len(column) == 40
    for key in (3, -1, slice(5, 9), order, order > 7, [4, 4]):
        mine = column if not (isinstance(key, np.ndarray) and key.dtype == bool) else column.take(order)
        theirs = WHOLE if mine is column else WHOLE[order]
        assert np.array_equal(mine[key], theirs[key])
    # Chosen and changed in turn, in pieces, and by another process' copy.
    way = Plan((6, 5), (Scaled((4, 4), "bilinear"),))
    made = mapped(taken(mapped(column, partial(fitted_images, plan=way)), order), np.float32)  # type: ignore[arg-type]
    expected = fitted_images(WHOLE, way)[order].astype(np.float32)
    assert made.shape == expected.shape and made.dtype == np.float32
    assert np.array_equal(as_array(pickle.loads(pickle.dumps(made))), expected)
    assert np.array_equal(np.concatenate(list(pieces(made, 5))), expected)
    assert Split.of(made, order).is_streamed and not Split.of(expected, order).is_streamed
    assert Split.of(made, order).digests == Split.of(expected, order).digests


def test_what_a_column_cannot_give_is_said_by_the_samples_name() -> None:
    column = Column(Numbers(small=7, broken=9))
    with pytest.raises(UnlikeError, match=r"^7\.png is 3×5, but 0\.png is 6×5$"):
        column[5:8]
    with pytest.raises(DataError, match=r"^9\.png cannot be read$"):
        column.take(np.array([3, 9])).map(np.float32, (6, 5, 3), np.float32)[:]  # type: ignore[arg-type]
