"""What precision, recall and F1 have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses import Loss
from archspec.metrics._base import Metric, Sums, Totals, Values, known_of, per_class
from archspec.metrics._counting import counts_of

if TYPE_CHECKING:
    import jax
    import numpy as np


class PerClass(Metric):
    """A share of each class, and the mean over the classes that occur as label or guess; others have None.

    A class that occurs, but of which the share has nothing to be of, has 0.
    """

    by_position: ClassVar[bool] = True
    each: ClassVar[str]
    """The name of the list of the classes' shares."""
    mean: ClassVar[str]
    """The name of their mean."""
    word: ClassVar[str]

    @property
    def headline(self) -> str:
        return self.mean

    @property
    def label(self) -> str:
        return self.mean.replace("_", " ").replace("f1", "F1")

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            return counts_of(output, target, loss)._asdict()

        return per_batch

    def of(self, hits: np.ndarray, false: np.ndarray, missed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is divided by what."""
        raise NotImplementedError

    def result(self, totals: Totals) -> Values:
        hits, false, missed = totals["hits"], totals["false"], totals["missed"]
        above, below = self.of(hits, false, missed)
        occurs = hits + false + missed > 0
        shares = [
            float(own / whole) if whole else (0.0 if there else None)
            for own, whole, there in zip(above, below, occurs, strict=True)
        ]
        known = [share for share in shares if share is not None]
        return {self.mean: sum(known) / len(known) if known else None, self.each: shares}

    def summary(self, values: Values, names: Sequence[str]) -> str:
        return f"{self.said(values)}{known_of(values[self.each], names)}"

    def table(self, values: Values, names: Sequence[str]) -> list[str]:
        return per_class(names, values[self.each], self.word)
