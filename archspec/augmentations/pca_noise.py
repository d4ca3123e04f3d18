"""AlexNet's colour noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.augmentations._base import Augmentation, Size
from archspec.fields import NonNegativeNumber, Number, PositiveNumber

if TYPE_CHECKING:
    import jax

Three = tuple[Number, Number, Number]


class PcaNoise(Augmentation):
    """Adds to all pixels Σᵢ αᵢ·λᵢ·pᵢ, where αᵢ is normal of deviation `sigma` (Krizhevsky et al. 2012, section 4.1).

    λᵢ and pᵢ are eigenvalues and eigenvectors of the covariance of red, green and blue from 0 to 1 over the training
    pixels. Those that are here are ImageNet's, as fb.resnet.torch has them; its λ are standard deviations.
    """

    main: ClassVar[str] = "sigma"
    colours: ClassVar[bool] = True

    sigma: Annotated[PositiveNumber, Field(description="standard deviation of α")] = 0.1
    eigenvalues: Annotated[
        tuple[NonNegativeNumber, NonNegativeNumber, NonNegativeNumber], Field(description="λ of each component")
    ] = (0.2175, 0.0188, 0.0045)
    eigenvectors: Annotated[
        tuple[Three, Three, Three],
        Field(description="a row for each of red, green and blue: its part of each component"),
    ] = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))

    def draw(self, key: jax.Array, size: Size) -> Any:
        import jax
        import jax.numpy as jnp

        amounts = self.sigma * jax.random.normal(key, (3,)) * jnp.asarray(self.eigenvalues, jnp.float32)
        return jnp.asarray(self.eigenvectors, jnp.float32) @ amounts

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        made: jax.Array = image + drawn
        return made
