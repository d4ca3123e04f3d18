"""The F1 score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.metrics._per_class import PerClass

if TYPE_CHECKING:
    import numpy as np


class MacroF1(PerClass):
    """2·hits/(2·hits + false + missed) of each class, which is precision and recall in one, and the mean over classes.

    A guess is the class of the largest output; of several labels at once, each whose output is above the threshold. The
    mean is over the classes that occur as label or guess; one that occurs and has nothing to be a share of counts 0.
    """

    each = "f1"
    mean = "macro_f1"
    word = "F1"

    def of(self, hits: np.ndarray, false: np.ndarray, missed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * hits, 2 * hits + false + missed
