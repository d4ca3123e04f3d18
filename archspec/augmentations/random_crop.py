"""A cut out of an image with a border."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Fill, Size, Way, fill_fault, fill_of, labels_fill
from archspec.diagnostics import count
from archspec.fields import Offset

if TYPE_CHECKING:
    import jax


class RandomCrop(Augmentation):
    """Gives an image a border and cuts its own size out anywhere, so that it moves by whole pixels (He et al. 2016)."""

    main: ClassVar[str] = "padding"

    padding: Annotated[Offset, Field(description="pixels of border on each side: a number, or [height, width]")]
    fill: Fill = "mean"

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("moves",)

    def fault(self, size: Size, channels: int) -> str | None:
        if any(border > side for border, side in zip(self.padding, size, strict=True)):
            return (
                f"its border of {'×'.join(f'{border:,}' for border in self.padding)} pixels is more than the input of "
                f"{size[0]}×{size[1]} has on a side, so that a crop may miss the image"
            )
        if self.fill == "reflect" and any(border >= side for border, side in zip(self.padding, size, strict=True)):
            border = count(max(self.padding), "pixel")
            return f"an input of {size[0]}×{size[1]} has no {border} beside its outermost to reflect"
        return fill_fault(self.fill, channels)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        return jax.random.randint(key, (2,), 0, 2 * jnp.asarray(self.padding) + 1)

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.warping import shifted

        return shifted(image, drawn, self.padding, fill_of(self.fill, mean))

    def said(self, drawn: Any, size: Size) -> str:
        down, right = (int(border - own) for border, own in zip(self.padding, drawn, strict=True))
        return f"moved {right:+d}, {down:+d}"

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        from archspec.nn.warping import shifted

        fill = labels_fill(self.fill, uncounted)
        return shifted(labels, drawn, self.padding, fill)
