"""A source of samples for worker processes, one of whose files ends the process that reads it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from archspec.images.files import read_pixels

DEADLY = b"what is in this file ends whoever reads it"


class Files:
    """Images of one size."""

    def __init__(self, paths: list[Path], shape: tuple[int, int, int]) -> None:
        self.paths = paths
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, place: int) -> str:
        return str(self.paths[place])

    def notes(self, seen: Counter[str]) -> list[str]:
        return [f"{number} {what}" for what, number in seen.items()]

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        if self.paths[place].read_bytes() == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        return read_pixels(self.paths[place], "RGB", seen)
