"""TrivialAugment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.augmentations._base import Augmentation, Fill, Interpolation, Size, Way, fill_fault, fill_of, labels_fill
from archspec.augmentations._policies import OPERATIONS, Ranges, coloured, matrix_of, operation_said, signed
from archspec.fields import PositiveInt

if TYPE_CHECKING:
    import jax

RANGES = Ranges(shear=0.99, translate=32, in_pixels=True, rotate=135, factor=0.99, bits=6)


class TrivialAugment(Augmentation):
    """One operation, drawn from fourteen, of a magnitude drawn too (Müller & Hutter 2021); nothing is to be tuned.

    Operations are those of `rand_augment`, with the wide ranges of the paper: shear up to 0.99, moves up to 32 pixels,
    turns up to 135°, factors up to 1 ± 0.99, posterise down to 2 bits.
    """

    bins: Annotated[PositiveInt, Field(ge=2, le=1000, description="magnitudes that there are")] = 31
    interpolation: Interpolation = "nearest"
    fill: Fill = "mean"

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("moves", "turns")

    def fault(self, size: Size, channels: int) -> str | None:
        if channels not in (1, 3):
            return f"it takes images of one channel or three, and the input has {channels}"
        return fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax

        which, strength, way = jax.random.split(key, 3)
        operation = jax.random.randint(which, (), 0, len(OPERATIONS))
        amount = jax.random.randint(strength, (), 0, self.bins) / (self.bins - 1)
        return operation, signed(operation, amount, jax.random.bernoulli(way))

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import warped

        operation, amount = drawn
        matrix = matrix_of(operation, amount, RANGES, (image.shape[0], image.shape[1]))
        return coloured(warped(image, matrix, self.interpolation, fill_of(self.fill, mean)), operation, amount, RANGES)

    def said(self, drawn: Any, size: Size) -> str:
        return operation_said(*drawn)

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import warped

        operation, amount = drawn
        matrix = matrix_of(operation, amount, RANGES, (labels.shape[0], labels.shape[1]))
        fill = labels_fill(self.fill, uncounted)
        return warped(labels, matrix, "nearest", fill)
