"""Inputs as the numbers that a network expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from archspec.spec.inputs import Input
    from archspec.spec.network import ImageInput

Channels = TypeVar("Channels", np.ndarray, jax.Array)
"""An array (…, C)."""


def normalised(values: jax.Array, input: Input) -> jax.Array:
    """Pixels, a signal's or a vector's numbers as those that the network expects; runs inside the compiled step.

    Bytes of images are scaled linearly into the input's range, channels put into the network's order, then mean and
    standard deviation applied.
    """
    x = values.astype(jnp.float32)
    if values.dtype == jnp.uint8 and hasattr(input, "range"):  # an image's
        low, high = input.range
        x = x * ((high - low) / 255)
        x = x + low if low else x
    x = reordered(x, input)
    mean = mean_of(input)
    if mean is not None:
        x = x - mean
    if input.std is not None:
        x = x / np.asarray(input.std, np.float32)
    return x


def mean_of(input: Input) -> np.ndarray | None:
    """What is subtracted: a number, one for each channel (C,), or with a mean image one for each place (H, W, C)."""
    if getattr(input, "mean_image", None) is not None:
        image: ImageInput = input  # type: ignore[assignment]
        pixels = image.mean_pixels
        return None if pixels is None else pixels.cropped(image.height, image.width)
    return None if input.mean is None else np.asarray(input.mean, np.float32)


def reordered(values: Channels, input: Input) -> Channels:
    """Channels in the images' order as the network takes them, or the other way round, which is the same."""
    return values[..., ::-1] if getattr(input, "order", None) == "bgr" else values


def said_order(inputs: Mapping[str, Input]) -> list[str]:
    """A line for each input whose channels the network takes in another order than images have them."""
    return [
        f"the network takes the channels of `{name}` as blue, green and red"
        for name, input in inputs.items()
        if getattr(input, "order", None) == "bgr"
    ]


def scaled(values: jax.Array, input: ImageInput) -> jax.Array:
    """Pixels as numbers from 0 to 1 of the input's range, before order, mean and standard deviation."""
    if values.dtype == jnp.uint8:
        return values.astype(jnp.float32) / 255
    low, high = input.range
    return (values.astype(jnp.float32) - low) / (high - low)


def finished(values: jax.Array, input: ImageInput) -> jax.Array:
    """Pixels that `scaled` gave as the numbers that the network expects."""
    low, high = input.range
    return normalised(values * (high - low) + low, input)


def mean_colour(input: ImageInput) -> np.ndarray:
    """The pixel (C,), from 0 to 1, that becomes 0, or the nearest to it: black where there is no `mean`, as a rule.

    Of a mean image it is the mean.
    """
    low, high = input.range
    given = mean_of(input)
    mean = np.asarray(0.0 if given is None else given.mean((0, 1)) if given.ndim == 3 else given, np.float32)
    mean = reordered(np.broadcast_to(mean, (input.channels,)), input)
    colour: np.ndarray = np.clip((mean - low) / (high - low), 0, 1).astype(np.float32)
    return colour


def normalised_inputs(arrays: Mapping[str, jax.Array], inputs: Mapping[str, Input]) -> dict[str, jax.Array]:
    """As `normalised`, of all inputs of a network by their names."""
    return {name: normalised(arrays[name], input) for name, input in inputs.items()}


def given(inputs: Mapping[str, jax.Array]) -> jax.Array | dict[str, jax.Array]:
    """Inputs as a network takes them: the array where there is one input, and otherwise arrays by name."""
    return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)
