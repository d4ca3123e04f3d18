"""Several labels at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import DataError, count
from archspec.tasks._base import Task
from archspec.tasks._numbers import as_numbers, check_shape

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType


class MultiLabel(Task):
    """Several labels at once: each number of an output says of one label whether it is there, whatever the others say.

    Targets are 0 or 1 for each label (N, labels), or shares between; below 0 or NaN, a label is not known. Of one label
    they may be (N,), and the second of two classes is the label. Where the output is a map, so is the target.
    """

    form = "numbers"
    answer = "labels"

    def loss(self) -> Loss:
        from archspec.losses.binary_cross_entropy import BinaryCrossEntropy

        return BinaryCrossEntropy.plain_default()

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        from archspec.metrics.accuracy import Accuracy
        from archspec.metrics.macro_f1 import MacroF1
        from archspec.metrics.mean_average_precision import MeanAveragePrecision

        kinds: tuple[type[Metric], ...] = (MeanAveragePrecision, MacroF1, Accuracy)
        return tuple(kind.plain_default() for kind in kinds)

    def taken(self, target: np.ndarray) -> np.ndarray:
        return target[:, None] if target.ndim == 1 else target

    def class_names(self, data: str, name: str, names: tuple[str, ...], target: np.ndarray) -> tuple[str, ...]:
        if target.ndim != 2 or len(names) == target.shape[1]:
            return names
        return names[1:2] if len(names) == 2 and not names[1].lstrip("-").isdigit() else (name,)

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        import numpy as np

        if target.shape[1:] == (1,) and output.channels > 1:
            labels = count(output.channels, "label")
            raise self.needs(
                data,
                f"one number per sample as `{name}` where the output has {labels}",
                "a 0 or 1 for each label",
                "`task: classification`",
            )
        check_shape(data, name, target, output, "label")
        largest = float(np.nanmax(target)) if target.size and not np.isnan(target).all() else 0.0
        if largest > 1:
            raise DataError(
                "E501",
                f"`{name}` of {data} has numbers up to {largest:.4g}, but a label is there (1) or not (0)",
                help=["0 and 1, or shares between them; below 0 a label is not known", "or `task: regression`"],
            )

    def aligned(self, target: jax.Array, output: TensorType) -> jax.Array:
        import jax.numpy as jnp

        known = as_numbers(target, output)
        return jnp.where(known < 0, jnp.nan, known)
