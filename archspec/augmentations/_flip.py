"""What mirroring along either axis shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Share, Size, Way

if TYPE_CHECKING:
    import jax


class Flip(Augmentation):
    """Mirrors images along an axis, maps of targets with them."""

    main: ClassVar[str] = "probability"
    axis: ClassVar[int]
    """Of an image (H, W, C), the one along which it is mirrored."""
    caption: ClassVar[str]
    """What a mirrored image is called."""

    probability: Annotated[Share, Field(description="share of the samples that are mirrored")] = 0.5

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("mirrors",)

    def draw(self, key: jax.Array, size: Size) -> Any:
        return ()

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        return jnp.flip(image, self.axis)

    def said(self, drawn: Any, size: Size) -> str:
        return self.caption

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        import jax.numpy as jnp

        return jnp.flip(labels, self.axis)
