"""Numbers set against recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def comparing(record: Mapping[str, np.ndarray], usual: float = 1e-5, least: float = 1e-6) -> Callable[..., None]:
    """`close(found, name, tolerance)`: within a share of the largest recorded element, or of `least`."""

    def close(found: Any, name: str, tolerance: float = usual) -> None:
        expected = record[name]
        assert np.shape(found) == expected.shape
        assert np.abs(np.asarray(found) - expected).max() <= tolerance * max(least, np.abs(expected).max())

    return close
