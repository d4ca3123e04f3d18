"""Pixels as the numbers that a network expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from archspec.spec.network import ImageInput


def normalised(images: jax.Array, input: ImageInput) -> jax.Array:
    """Pixels as the numbers that the network expects; runs inside the compiled step.

    Bytes are scaled linearly into the input's range, then mean and standard deviation are applied.
    """
    x = images.astype(jnp.float32)
    low, high = input.range
    if images.dtype == jnp.uint8:
        x = x * ((high - low) / 255)
        x = x + low if low else x
    if input.mean is not None:
        x = x - np.asarray(input.mean, np.float32)
    if input.std is not None:
        x = x / np.asarray(input.std, np.float32)
    return x
