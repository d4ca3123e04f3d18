"""What a network says of an input, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Answer(NamedTuple):
    """What a network says of an image file: classes with their probabilities, or with their shares of its pixels.

    `mask` is the file that the classes of the pixels were written to.
    """

    image: Path
    classes: list[tuple[str, float]]
    mask: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        word = "probability" if self.mask is None else "share"
        classes = [{"class": name, word: value} for name, value in self.classes]
        return {"image": str(self.image), "classes": classes, **({"mask": str(self.mask)} if self.mask else {})}


def best(shares: np.ndarray, names: Sequence[str], top: int) -> list[tuple[str, float]]:
    """The largest shares, with the names of their classes."""
    best = [int(index) for index in np.argsort(-shares, kind="stable")[:top]]
    return [(names[index] if index < len(names) else str(index), float(shares[index])) for index in best]
