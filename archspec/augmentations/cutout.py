"""Boxes of an image that are painted over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from archspec.augmentations._base import Augmentation, Size, Span, fill_fault, fill_of, paint
from archspec.augmentations._boxes import drawn_box
from archspec.fields import Pair, PositiveInt

if TYPE_CHECKING:
    import jax

PAINTS = ("mean", "black", "white", "noise")


class Cutout(Augmentation):
    """Paints over boxes of an image; labels, of pixels too, stay as they are.

    With `size`, boxes of that size lie about a pixel drawn anywhere, and may reach beyond the border (DeVries & Taylor
    2017). With `area`, boxes of a drawn area and shape lie within the image, as in random erasing (Zhong et al. 2020).
    """

    main: ClassVar[str] = "size"

    size: Annotated[Pair | None, Field(description="pixels of a box: a number, or [height, width]")] = None
    area: Annotated[
        Span | None, Field(description="instead of `size`, a box's share of the image's area, [least, most]")
    ] = None
    ratio: Annotated[Span, Field(description="with `area`, a box's width over its height, [least, most]")] = (0.3, 3.3)
    holes: Annotated[PositiveInt, Field(le=64, description="boxes in an image; they may lie over one another")] = 1
    fill: Annotated[
        Literal["mean", "black", "white", "noise"] | tuple[float, ...],
        *paint(PAINTS),
        Field(description="what a box is painted with; noise is uniform for each pixel and channel"),
    ] = "mean"

    @model_validator(mode="after")
    def _check(self) -> Cutout:
        if (self.size is None) == (self.area is None):
            raise ValueError("give `size` in pixels, as in Cutout, or `area` in shares, as in random erasing")
        if self.area is not None and not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError("`area` is two shares above 0, up to 1: [0.02, 0.33]")
        if self.ratio[0] <= 0:
            raise ValueError("`ratio` is two numbers above 0: [0.3, 3.3]")
        return self

    def fault(self, size: Size, channels: int) -> str | None:
        if self.size is not None and all(own >= side for own, side in zip(self.size, size, strict=True)):
            box = "×".join(map(str, self.size))
            return f"a box of {box} pixels can cover all of an input of {size[0]}×{size[1]}"
        return None if self.fill == "noise" else fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        """Boxes (holes, 4): top, left, bottom and right in shares of the image; and a key for noise."""
        import jax
        import jax.numpy as jnp

        boxes = []
        for hole in range(self.holes):
            own = jax.random.fold_in(key, hole)
            if self.size is not None:
                middle = jax.random.randint(own, (2,), 0, jnp.asarray(size))
                corner = middle - jnp.asarray(self.size) // 2
                box = jnp.concatenate([corner, corner + jnp.asarray(self.size)]).astype(jnp.float32)
            else:
                assert self.area is not None
                found, fits = drawn_box(own, size, self.area, self.ratio)
                box = jnp.where(fits, jnp.concatenate([found[:2], found[:2] + found[2:]]), 0.0)
            boxes.append(box / jnp.asarray((*size, *size), jnp.float32))
        return jnp.stack(boxes), jax.random.fold_in(key, self.holes)

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        import jax
        import jax.numpy as jnp

        boxes, key = drawn
        height, width = image.shape[:2]
        edges = jnp.round(boxes * jnp.asarray((height, width, height, width), jnp.float32))
        rows, columns = jnp.arange(height)[:, None], jnp.arange(width)
        within = [
            (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
            for top, left, bottom, right in edges
        ]
        hidden = jnp.stack(within).any(0)
        paint = jax.random.uniform(key, image.shape) if self.fill == "noise" else fill_of(self.fill, mean)
        return jnp.where(hidden[..., None], paint, image)
