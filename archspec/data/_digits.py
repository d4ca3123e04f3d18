"""What datasets have in common that are composed of the package's digits: the same seed gives the same samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from archspec.data._split import Split
from archspec.data.mnist5k import Mnist5k

if TYPE_CHECKING:
    import numpy as np

SIDE = 28
"""Height and width of a digit."""
DIGITS = tuple(map(str, range(10)))
MAX_SAMPLES = 10**6
"""So many samples a composed dataset may have."""


class Digits(NamedTuple):
    """Digits (N, 28, 28) in bytes, and which they are."""

    images: np.ndarray
    numbers: np.ndarray


def composed(
    sizes: tuple[int, int], seed: int, compose: Callable[[Digits, int, np.random.Generator], Split]
) -> tuple[Split, Split]:
    """Two splits of so many samples, of the 4,000 digits to train on and of the 1,000 held out.

    `compose` makes the samples of one from its digits, how many, and a generator of its own.
    """
    import numpy as np

    source = Mnist5k.plain_default().load()
    train, test = (
        compose(Digits(split.images[..., 0], split.labels), size, np.random.default_rng([seed, place]))
        for place, (split, size) in enumerate(zip((source.train, source.validation), sizes, strict=True))
    )
    return train, test


def check_sizes(train: int, test: int) -> None:
    """Raises `ValueError` where there would be too many samples."""
    if train + test > MAX_SAMPLES:
        raise ValueError(f"there would be {train + test:,} samples, more than {MAX_SAMPLES:,}")


def place(
    taken: np.ndarray, ink: np.ndarray, generator: np.random.Generator
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where on a canvas a digit's ink finds room, and which part of the digit lies there; None after some tries.

    `taken` is the canvas' pixels that are not free, `ink` those of the digit that need room.
    """
    import numpy as np

    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    own = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    height, width = ink[own].shape
    for _ in range(20):
        top = int(generator.integers(taken.shape[0] - height + 1))
        left = int(generator.integers(taken.shape[1] - width + 1))
        there = (slice(top, top + height), slice(left, left + width))
        if not taken[there].any():
            return there, own
    return None
