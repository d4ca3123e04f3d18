"""Gaussian blur."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from archspec.augmentations._base import Augmentation, Size, Span
from archspec.fields import PositiveInt

if TYPE_CHECKING:
    import jax


class Blur(Augmentation):
    """Blurs with a Gaussian whose standard deviation is drawn; the image is mirrored at its borders (SimCLR, 2020)."""

    main: ClassVar[str] = "sigma"

    sigma: Annotated[Span, Field(description="standard deviation in pixels, [least, most]")] = (0.1, 2.0)
    kernel: Annotated[
        PositiveInt | None,
        Field(description="pixels of the Gaussian, an odd number; a tenth of the image's shorter side if left out"),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Blur:
        if self.sigma[0] <= 0:
            raise ValueError("`sigma` is two numbers of pixels above 0: [0.1, 2.0]")
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ValueError(f"`kernel` is an odd number of pixels: {self.kernel - 1} or {self.kernel + 1}")
        return self

    def fault(self, size: Size, channels: int) -> str | None:
        kernel = self._kernel(size)
        if (kernel - 1) // 2 >= min(size) > 1:
            return f"its kernel of {kernel:,} pixels reaches past an input of {size[0]}×{size[1]} mirrored once"
        return None

    def _kernel(self, size: Size) -> int:
        return self.kernel or max(3, min(size) // 20 * 2 + 1)

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax

        return jax.random.uniform(key, minval=self.sigma[0], maxval=self.sigma[1])

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        from archspec.nn.colours import blurred

        return blurred(image, drawn, self._kernel((image.shape[0], image.shape[1])))
