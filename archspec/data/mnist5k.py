"""5,000 digits of MNIST, in the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec.data._base import Dataset

if TYPE_CHECKING:
    from archspec.data._split import Data

SPLIT_SEED = 0
"""Fixes which digits are held out, whatever the training's seed."""


class Mnist5k(Dataset):
    """5,000 real handwritten digits of MNIST, 28×28, bytes: 4,000 to train on and 1,000 held out, 100 of each class.

    MNIST: Y. LeCun and C. Cortes, CC BY-SA 3.0.
    """

    def load(self) -> Data:
        from archspec.data._files import as_split, holdout, numbered, read_npz

        arrays = read_npz(Path(__file__).parent / "files" / "mnist5k.npz")
        train, test = holdout(as_split(arrays["x"], arrays["y"], self.kind), 0.2, SPLIT_SEED)
        return numbered(self.kind, train, test)
