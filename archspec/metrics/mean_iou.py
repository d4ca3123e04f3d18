"""Mean intersection over union."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.losses import Form, Loss
from archspec.metrics._base import Metric, Sums, Totals, Values, known_of, per_class, share
from archspec.metrics._counting import labels_of

if TYPE_CHECKING:
    import jax


class MeanIou(Metric):
    """Mean IoU, the share of right pixels or positions, and the IoU of each class.

    A class's intersection over union is right/(labelled + guessed − right), in pixels of the whole split; the mean is
    over the classes that occur as label or guess (Everingham et al. 2015; Long et al. 2015).
    """

    by_position: ClassVar[bool] = True
    forms: ClassVar[tuple[Form, ...]] = ("classes",)

    @property
    def label(self) -> str:
        return "mean IoU"

    @property
    def numbers(self) -> tuple[str, ...]:
        return ("mean_iou", "pixel_accuracy")

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        import jax.numpy as jnp

        def per_batch(output: jax.Array, target: jax.Array) -> Sums:
            classes = output.shape[-1]
            labels = labels_of(output, target)
            # Row: label, column: guess. Pixels that do not count fall into a last place that is cut off.
            place = jnp.where(labels >= 0, labels * classes + output.argmax(-1), classes * classes)
            counted = jnp.zeros(classes * classes + 1, jnp.int32).at[place.reshape(-1)].add(1)
            return {"confusion": counted[:-1].reshape(classes, classes)}

        return per_batch

    def result(self, totals: Totals) -> Values:
        import numpy as np

        confusion = totals["confusion"].astype(np.float64)
        right = np.diag(confusion)
        union = confusion.sum(0) + confusion.sum(1) - right
        shares = [float(own / whole) if whole else None for own, whole in zip(right, union, strict=True)]
        known = [own for own in shares if own is not None]
        return {
            "mean_iou": sum(known) / len(known) if known else None,
            "pixel_accuracy": share(right.sum(), confusion.sum()),
            "iou": shares,
        }

    def said(self, values: Values) -> str:
        return f"mean IoU {self.number(values['mean_iou'])}  accuracy {self.number(values['pixel_accuracy'])}"

    def summary(self, values: Values, names: Sequence[str]) -> str:
        over, right = known_of(values["iou"], names), self.number(values["pixel_accuracy"])
        return f"mean IoU {self.number(values['mean_iou'])}{over}, accuracy {right}"

    def table(self, values: Values, names: Sequence[str]) -> list[str]:
        return per_class(names, values["iou"], "IoU")
