"""Parameters of what `record_torchvision.py` records, and the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "torchvision.npz"
HEIGHT, WIDTH = 11, 14
AFFINE = (
    (30.0, (0, 0), 1.0, (0.0, 0.0)),
    (-17.0, (3, -2), 1.3, (8.0, -5.0)),
    (110.0, (-1, 4), 0.7, (0.0, 20.0)),
    (0.0, (2, 1), 1.0, (-30.0, 0.0)),
)
"""Angles in degrees, moves (x, y) in pixels, scales, shears (x, y) in degrees."""
BOXES = ((0, 0, 11, 14), (2, 3, 5, 6), (1, 0, 9, 13), (10, 13, 1, 1), (0, 4, 11, 2))
"""Top, left, height, width."""
FACTORS = (0.4, 1.0, 1.7)
SIZE, SCALE, RATIO, DRAWN = (40, 70), (0.2, 0.9), (0.5, 1.6), 20_000
LEVELS = np.linspace(0.05, 0.95, 19)


def recorded() -> dict[str, np.ndarray]:
    with np.load(FILE) as file:
        return {name: file[name] for name in file.files}
