"""Images without their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Share, Size

if TYPE_CHECKING:
    import jax


class Grayscale(Augmentation):
    """Takes the colours out: each channel is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601)."""

    main: ClassVar[str] = "probability"
    colours: ClassVar[bool] = True

    probability: Annotated[Share, Field(description="share of the samples whose colours are taken out")] = 0.1

    def draw(self, key: jax.Array, size: Size) -> Any:
        return ()

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        import jax.numpy as jnp

        from archspec.nn.colours import grey

        return jnp.broadcast_to(grey(image), image.shape)
