"""A box of an image at the image's size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from archspec.augmentations._base import Augmentation, Size, Span, Way
from archspec.augmentations._boxes import chosen_box, drawn_box, middle

if TYPE_CHECKING:
    import jax
    import numpy as np


class RandomResizedCrop(Augmentation):
    """Cuts a box of random area and shape out anywhere and scales it to the image's size (Szegedy et al. 2015).

    Of ten boxes that are drawn the first that fits is taken, and the middle of the image where none does, as
    torchvision does. Scaling is bilinear, with a triangle as wide as the scale where the box is larger than the result.
    """

    main: ClassVar[str] = "scale"

    scale: Annotated[Span, Field(description="the box's share of the image's area, [least, most]")] = (0.08, 1.0)
    ratio: Annotated[Span, Field(description="the box's width over its height, [least, most]")] = (3 / 4, 4 / 3)

    @model_validator(mode="after")
    def _check(self) -> RandomResizedCrop:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError("`scale` is two shares above 0, up to 1: [0.08, 1.0]")
        if self.ratio[0] <= 0:
            raise ValueError("`ratio` is two numbers above 0: [0.75, 1.333]")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("moves", "scales") if self.ratio == (1, 1) else ("moves", "scales", "turns")

    def box(self, generator: np.random.Generator, size: Size) -> tuple[int, int, int, int]:
        """Top, left, height and width of a box in an image of any size, drawn on the host."""
        return chosen_box(generator, size, self.scale, self.ratio)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax.numpy as jnp

        box, fits = drawn_box(key, size, self.scale, self.ratio)
        box = jnp.where(fits, box, jnp.asarray(middle(size, self.ratio), box.dtype))
        return box / jnp.asarray((*size, *size), box.dtype)  # in shares, since other images may be of other sizes

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import resampled

        return resampled(image, _in_pixels(drawn, image))

    def said(self, drawn: Any, size: Size) -> str:
        height, width = (round(float(own * side)) for own, side in zip(drawn[2:], size, strict=True))
        return f"a box of {height}×{width}"

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import resampled_labels

        return resampled_labels(labels, _in_pixels(drawn, labels))


def _in_pixels(box: Any, image: jax.Array) -> jax.Array:
    import jax.numpy as jnp

    sides = jnp.asarray((*image.shape[:2], *image.shape[:2]), jnp.float32)
    made = jnp.round(box * sides)
    # Of a smaller image, at least one pixel.
    corner = jnp.minimum(made[:2], sides[:2] - 1)
    return jnp.concatenate([corner, jnp.clip(made[2:], 1, sides[:2] - corner)])
