"""RandAugment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from archspec.augmentations._base import Augmentation, Fill, Interpolation, Size, Way, fill_fault, fill_of, labels_fill
from archspec.augmentations._policies import OPERATIONS, Ranges, coloured, matrix_of, operation_said, signed
from archspec.fields import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    import jax

RANGES = Ranges(shear=0.3, translate=150 / 331, in_pixels=False, rotate=30, factor=0.9, bits=4)


class RandAugment(Augmentation):
    """A few operations, each drawn from fourteen, one after another, all of one magnitude (Cubuk et al. 2020).

    Operations and their ranges are torchvision's: identity, shear and move along x and y (up to 0.3, and 0.45 of the
    side), rotate (30°), brightness, saturation, contrast, sharpness (factors up to 1 ± 0.9), posterise (down to 4
    bits), solarise, autocontrast, equalise; those that can go either way do so as often as not.
    """

    main: ClassVar[str] = "operations"

    operations: Annotated[PositiveInt, Field(le=14, description="how many, one after another")] = 2
    magnitude: Annotated[NonNegativeInt, Field(description="how strong: from 0 to `bins` − 1")] = 9
    bins: Annotated[PositiveInt, Field(le=1000, description="magnitudes that there are; 31 in torchvision")] = 31
    interpolation: Interpolation = "nearest"
    fill: Fill = "mean"

    @model_validator(mode="after")
    def _check(self) -> RandAugment:
        if self.magnitude >= self.bins or self.bins < 2:
            raise ValueError(f"`magnitude` is below `bins`, which is {self.bins}, and there are two bins or more")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("moves", "turns")

    def fault(self, size: Size, channels: int) -> str | None:
        if channels not in (1, 3):
            return f"it takes images of one channel or three, and the input has {channels}"
        return fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        which, way = jax.random.split(key)
        chosen = jax.random.randint(which, (self.operations,), 0, len(OPERATIONS))
        amount = jnp.full((self.operations,), self.magnitude / (self.bins - 1), jnp.float32)
        return chosen, signed(chosen, amount, jax.random.bernoulli(way, shape=(self.operations,)))

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import warped

        fill, size = fill_of(self.fill, mean), (image.shape[0], image.shape[1])
        for operation, amount in zip(*drawn, strict=True):
            image = warped(image, matrix_of(operation, amount, RANGES, size), self.interpolation, fill)
            image = coloured(image, operation, amount, RANGES)
        return image

    def said(self, drawn: Any, size: Size) -> str:
        return ", ".join(operation_said(*own) for own in zip(*drawn, strict=True))

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import warped

        fill = labels_fill(self.fill, uncounted)
        for operation, amount in zip(*drawn, strict=True):
            matrix = matrix_of(operation, amount, RANGES, (labels.shape[0], labels.shape[1]))
            labels = warped(labels, matrix, "nearest", fill)
        return labels
