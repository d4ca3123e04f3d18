"""The share of right labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses import Loss
from archspec.metrics._base import Metric, Sums, Totals, Values, share
from archspec.metrics._counting import exclusive, labels_of, truths_of

if TYPE_CHECKING:
    import jax

    from archspec.types import TensorType


class Accuracy(Metric):
    """The share of labels that are right: the class of the largest output, the first of equals, is the label.

    Of several labels at once, each counts by itself, and is right where the output is on its side of the threshold.
    """

    by_position: ClassVar[bool] = True

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            if exclusive(output, target, loss):
                labels = labels_of(output, target)
                counts, right = labels >= 0, output.argmax(-1) == labels
            else:
                there, counts = truths_of(output, target)
                right = (output > loss.threshold) == there
            return {"right": jnp.sum(counts & right), "labels": jnp.sum(counts)}

        return per_batch

    def sizes(self, output: TensorType) -> Mapping[str, int]:
        return {"right": 1, "labels": 1}

    def result(self, totals: Totals) -> Values:
        return {"accuracy": share(totals["right"], totals["labels"])}
