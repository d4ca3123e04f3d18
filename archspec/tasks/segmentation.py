"""Segmentation: a class per pixel of an image, or per position of a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.diagnostics import DataError, count
from archspec.tasks._base import Inputs, Task

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.losses import Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType


class Segmentation(Task):
    """A class per pixel: an output is a map with a channel per class, of which the largest is the answer.

    Of a signal, it is a class per position: an output (length, classes), and targets (N, length).

    It has the input's height and width, or, with `crop: center`, is smaller, and stands for the middle of the input, as
    that of a U-Net of unpadded convolutions does (Ronneberger et al. 2015).
    """

    form = "classes"
    answer = "mask"
    main = "crop"

    crop: Annotated[
        Literal["center"] | None,
        Field(description="center: where outputs are smaller than the input, they stand for its middle"),
    ] = None

    def loss(self) -> Loss:
        from archspec.losses.cross_entropy import CrossEntropy

        return CrossEntropy.plain_default()

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        from archspec.metrics.mean_iou import MeanIou

        return (MeanIou.plain_default(),)

    def counterpart(self, output: TensorType) -> str:
        return "pixel_accuracy"

    def check_output(self, name: str, output: TensorType, inputs: Inputs) -> None:
        wholes = [input.type for input in inputs.values() if not input.type.is_vector]
        alike = [kind for kind in wholes if kind.spatial == output.spatial]
        whole = next(iter([*alike, *wholes]), None)
        if whole is None or len(output.shape) != len(whole.shape):
            size = "a map with a channel per class" if whole is None else f"a map of the input's {_size(whole)}"
            raise DataError(
                "E501",
                f"output `{name}` is {output}, but segmentation needs {size}",
                help=["end with `resize: {like: input}`, or `crop: {like: input}`"],
            )
        smaller = all(own <= of for own, of in zip(output.spatial, whole.spatial, strict=True))
        if output.spatial == whole.spatial or (smaller and self.crop):
            return
        raise DataError(
            "E501",
            f"output `{name}` is {output}, but segmentation needs a map of the input's {_size(whole)}"
            + (", or a smaller one" if self.crop else ""),
            help=[
                *(
                    [f"`task: {{segmentation: {{crop: center}}}}` trains on the middle {_size(output)} of the labels"]
                    if smaller
                    else []
                ),
                "end with `resize: {like: input}`, or `crop: {like: input}`",
            ],
        )

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        if target.ndim < 3 and output.is_map:
            raise self.needs(data, "a label per image", "`task: classification`")
        if target.ndim < 2:
            raise self.needs(data, f"one label per signal as `{name}`", "`task: classification`")
        if target.dtype.kind == "f" and target.ndim <= len(output.shape):
            raise self.needs(data, f"fractional numbers as `{name}`", "`task: regression`")
        if target.ndim > len(output.shape) and target.shape[-1] != output.channels:
            has = f"{count(target.shape[-1], 'number')} for each {'pixel' if output.is_map else 'position'} as `{name}`"
            raise self.needs(data, has, f"a class, or the share of each of {output.channels}")
        if target.ndim > len(output.shape) and target.dtype.kind != "f":
            raise self.needs(data, f"whole numbers for each class as `{name}`", "a 1 among zeros, or shares")

    def aligned(self, target: jax.Array, output: TensorType) -> jax.Array:
        axes = range(1, 1 + len(output.spatial))
        corner = [(target.shape[axis] - size) // 2 for axis, size in zip(axes, output.spatial, strict=True)]
        own = (slice(None), *(slice(at, at + size) for at, size in zip(corner, output.spatial, strict=True)))
        return target if tuple(target.shape[1 : 1 + len(corner)]) == output.spatial else target[own]


def _size(kind: TensorType) -> str:
    return "×".join(map(str, kind.spatial))
