"""Regression: numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.tasks._base import Task
from archspec.tasks._numbers import as_numbers, check_shape, check_shares

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType


class Regression(Task):
    """Numbers: each of an output's, of a vector or a map, is to be the target's, which has the same shape.

    NaN does not count. Where an output has one number, the target may be (N,).
    """

    form = "numbers"
    answer = "numbers"

    def loss(self) -> Loss:
        from archspec.losses.mse import Mse

        return Mse.plain_default()

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        from archspec.metrics.mae import Mae
        from archspec.metrics.r2 import R2
        from archspec.metrics.rmse import Rmse

        kinds: tuple[type[Metric], ...] = (Mae, Rmse, R2)
        return tuple(kind.plain_default() for kind in kinds)

    def running(self, output: TensorType) -> Metric:
        from archspec.metrics.mae import Mae

        return Mae.plain_default()

    def taken(self, target: np.ndarray) -> np.ndarray:
        # Whole numbers below 0 are numbers too here.
        return target if target.dtype.kind == "f" else target.astype("float32")

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        check_shape(data, name, target, output, "target")
        check_shares(data, name, target, loss)

    def aligned(self, target: jax.Array, output: TensorType) -> jax.Array:
        return as_numbers(target, output)
