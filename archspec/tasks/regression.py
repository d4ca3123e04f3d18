"""Regression: numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import listed
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

    NaN does not count, nor do whole numbers below 0 of a map. Where an output has one number, the target may be (N,).
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
        import numpy as np

        if target.dtype.kind == "f":
            return target
        # Whole numbers below 0 are numbers too here, but of maps datasets have made all of them one.
        made = target.astype(np.float32)
        return made if target.ndim < 3 else np.where(target < 0, np.float32(np.nan), made)

    def class_names(self, data: str, name: str, names: tuple[str, ...], target: np.ndarray) -> tuple[str, ...]:
        plain = [*map(str, range(len(names)))]
        if (target.ndim != 2 or target.shape[1] != len(names)) and list(names) not in (plain, ["-1", "1"]):
            raise self.needs(data, f"the classes {listed(names, 8)} as `{name}`", "`task: classification`")
        return ()

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        check_shape(data, name, target, output, "target")
        check_shares(data, name, target, loss)

    def aligned(self, target: jax.Array, output: TensorType) -> jax.Array:
        return as_numbers(target, output)
