"""Recall of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.metrics._per_class import PerClass

if TYPE_CHECKING:
    import numpy as np


class Recall(PerClass):
    """hits/(hits + missed) of each class: how many of its labels are found; and the mean over the classes.

    A guess is the class of the largest output; of several labels at once, each whose output is above the threshold. The
    mean is over the classes that occur as label or guess; one that occurs and has nothing to be a share of counts 0.
    """

    each = "recall"
    mean = "macro_recall"
    word = "recall"

    def of(self, hits: np.ndarray, false: np.ndarray, missed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return hits, hits + missed
