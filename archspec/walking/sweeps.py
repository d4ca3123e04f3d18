"""What sweeps of an image give: answers step by step, and how a map moves along."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from archspec.diagnostics import DataError
from archspec.walking.ranges import STILL, Direction, Kind

ALIKE = 1e-5
"""Two values of a map are alike where they differ by no more than this share of the map's largest: float32's rounding
of sums of thousands of products."""


class Sweep(NamedTuple):
    """What a network says of an image at each of S steps.

    `values` (S,) are pixels to the right and down, degrees counterclockwise, or factors. `scores` (S, K) are the logits
    of K classes, or the numbers of a regression; of a map of classes the share of the pixels of each class that keep it
    once the map is moved back, NaN where a class has none. `shares` (S, K) are probabilities where the network gives
    any; `stays` (S,) is the share of a map's pixels, out of the `compared` (S,) that are still in the image, that keep
    their class. `same` (S,) says where the answer is that for the image as it is, `images` (S, H, W, C) are what the
    network saw, as bytes.
    """

    kind: Kind
    direction: Direction
    values: np.ndarray
    scores: np.ndarray
    shares: np.ndarray | None
    stays: np.ndarray | None
    compared: np.ndarray | None
    answers: tuple[str, ...]
    same: np.ndarray
    images: np.ndarray

    @property
    def held(self) -> tuple[float, float] | None:
        """The first and last step around the image as it is between which every step has its answer; None where the
        sweep does not go through it, or the steps beside it have other answers."""
        order = np.argsort(self.values, kind="stable")
        values, same = self.values[order], self.same[order]
        still = STILL[self.kind]
        if not values[0] <= still <= values[-1]:
            return None
        right = int(np.searchsorted(values, still, side="left"))
        left = int(np.searchsorted(values, still, side="right")) - 1
        low, high = right, left
        while low > 0 and same[low - 1]:
            low -= 1
        while high + 1 < len(values) and same[high + 1]:
            high += 1
        if low > high or not same[low] or not same[high]:
            return None
        return float(values[low]), float(values[high])


class Covariance(NamedTuple):
    """How much of the map of the node at `path` moves along with the image.

    The image is moved by `pixels` (down, right) and the map by `positions`. Of the `overlap` positions that both maps
    have then, the `share` is alike in every channel, up to `ALIKE` of the map's largest value, and `gap` is the largest
    difference as a share of that value. `inner` are the positions whose windows see neither border nor padding,
    `inner_gap` the largest difference there, None where there are none.
    """

    path: str
    pixels: tuple[int, int]
    positions: tuple[int, int]
    overlap: int
    share: float
    gap: float
    inner: int
    inner_gap: float | None


class Invariance(NamedTuple):
    """Sweeps of one image.

    `answers` says how the network answers: `classes`, `labels`, `numbers`, or `map` for classes of pixels; `what` what
    `scores` are: logit, score, probability, value, share. `names` are those of the K numbers. `answer`, `scores` and
    `shares` are for the image as it is, `image` its bytes (H, W, C). `border` says what comes in where the image went
    away, `covariance` is there where the image is shifted and a layer has places. `notes` say what was guessed or left
    out.
    """

    name: str
    folder: Path
    sample: str
    answers: Literal["classes", "labels", "numbers", "map"]
    what: str
    names: tuple[str, ...]
    answer: str
    scores: np.ndarray
    shares: np.ndarray | None
    image: np.ndarray
    sweeps: tuple[Sweep, ...]
    covariance: Covariance | None
    border: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        from archspec.walking.tables import lines

        return "\n".join(lines(self, tables=False))

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain data, without pixels."""
        from archspec.walking.tables import plain

        return plain(self)

    def picture(self, path: str | Path) -> Path:
        """Writes the curves as .png, .svg or .pdf. Raises `SpecError`."""
        from archspec.reports.plotting import save
        from archspec.walking.curves import figure

        try:
            save(figure(self), Path(path))
        except DataError as error:
            raise error.located(None) from None
        return Path(path)

    def _repr_png_(self) -> bytes:
        from archspec.walking.curves import png

        return png(self)

    def _repr_html_(self) -> str:
        from archspec.walking.curves import html

        return html(self)
