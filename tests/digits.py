"""A few digits, for networks that are trained in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MNIST = Path(__file__).parents[1] / "archspec" / "data" / "files" / "mnist5k.npz"


def some_digits(folder: Path, every: int) -> Path:
    """An .npz of one digit in so many."""
    with np.load(MNIST) as file:
        path = folder / "digits.npz"
        np.savez(path, x=file["x"][::every], y=file["y"][::every])
    return path
