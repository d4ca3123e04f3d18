"""Classification: one class per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import DataError, count
from archspec.tasks._base import Inputs, Task

if TYPE_CHECKING:
    import numpy as np

    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType


class Classification(Task):
    """One class per sample: an output has a number per class, of which the largest is the answer.

    Targets are whole numbers (N,), or, for losses that take them, the share of each class (N, classes).
    """

    form = "classes"
    answer = "classes"

    def loss(self) -> Loss:
        from archspec.losses.cross_entropy import CrossEntropy

        return CrossEntropy.plain_default()

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        from archspec.metrics.top_k import TopK

        return tuple(TopK.plain_default(k=k) for k in (1, 5) if k == 1 or k < output.channels)

    def counterpart(self, output: TensorType) -> str:
        return "top1"

    def check_output(self, name: str, output: TensorType, inputs: Inputs) -> None:
        if not output.is_vector:
            word = "map" if output.is_map else "signal"
            raise DataError(
                "E501",
                f"output `{name}` is a {word} of {output}, but classification needs one number per class",
                help=["end with `flatten` or `global_avg_pool`, then `dense`", "or `task: segmentation`"],
            )

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        fractional = target.dtype.kind == "f"
        if fractional and target.ndim == 2 and "numbers" in loss.forms:
            _check_shares(data, name, target, output)
        elif fractional:
            has = f"fractional numbers as `{name}`"
            raise self.needs(data, has, "`task: regression`", "whole numbers, one class per sample")
        elif target.ndim > 2:
            raise self.needs(data, "a label per pixel", "`task: segmentation`")
        elif target.ndim == 2 and target.max() > 1:
            has = f"a label for each of {target.shape[1]:,} positions as `{name}`"
            raise self.needs(data, has, "`task: segmentation` and an output with a class for each")
        elif target.ndim == 2:
            raise self.needs(data, f"{count(target.shape[1], 'label')} per sample", "`task: multi_label`")


def _check_shares(data: str, name: str, target: np.ndarray, output: TensorType) -> None:
    import numpy as np

    if target.shape[1] != output.channels:
        raise DataError(
            "E501",
            f"`{name}` of {data} has shares of {count(target.shape[1], 'class')}, but the output has "
            f"{count(output.channels, 'unit')}",
        )
    known = target[~np.isnan(target).any(1)]
    if known.size and (known.min() < 0 or np.abs(known.sum(1) - 1).max() > 1e-3):
        raise DataError(
            "E501",
            f"`{name}` of {data} has numbers for each class that are no shares of 1",
            help=["shares are 0 or more, and those of a sample add up to 1", "or `task: multi_label`"],
        )
