"""Mean average precision of several labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses import Loss
from archspec.metrics._base import Metric, Sums, Totals, Values, known_of, per_class
from archspec.metrics._counting import truths_of

if TYPE_CHECKING:
    import jax
    import numpy as np


class MeanAveragePrecision(Metric):
    """The mean over the labels of their average precision Σ (R_n − R_{n−1})·P_n, exactly: of all scores, without bins.

    P_n and R_n are precision and recall of the n-th threshold, which each score that occurs is, from above. The mean is
    over the labels that some sample has. This is the mAP of classifiers of several labels, not that of detectors of
    boxes. All scores of the held-out part are kept: a number and a truth for each.
    """

    by_position: ClassVar[bool] = True
    joined = True

    @property
    def label(self) -> str:
        return "mAP"

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            width = output.shape[-1]
            there, counts = truths_of(output, target)
            truths = jnp.where(counts, there.astype(jnp.int8), -1)
            return {"scores": output.reshape(-1, width), "truths": truths.reshape(-1, width)}

        return per_batch

    def result(self, totals: Totals) -> Values:
        each = [
            average_precision(scores[truths >= 0], truths[truths >= 0] > 0)
            for scores, truths in zip(totals["scores"].T, totals["truths"].T, strict=True)
        ]
        known = [value for value in each if value is not None]
        return {
            "mean_average_precision": sum(known) / len(known) if known else None,
            "average_precision": each,
        }

    def summary(self, values: Values, names: Sequence[str]) -> str:
        return f"{self.said(values)}{known_of(values['average_precision'], names)}"

    def table(self, values: Values, names: Sequence[str]) -> list[str]:
        return per_class(names, values["average_precision"], "AP")


def average_precision(scores: np.ndarray, truths: np.ndarray) -> float | None:
    """Σ (R_n − R_{n−1})·P_n over the thresholds from above; None where nothing is true."""
    import numpy as np

    if not truths.any():
        return None
    order = np.argsort(-scores, kind="stable")
    scores, truths = scores[order], truths[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # equal scores pass a threshold together
    hits = np.cumsum(truths)[last].astype(np.float64)
    return float(np.sum(np.diff(hits, prepend=0) / hits[-1] * hits / (last + 1)))
