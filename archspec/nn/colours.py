"""Changes of an image's colours. Of one image (H, W, C) of pixels from 0 to 1 each; results are so too."""

from __future__ import annotations

import jax
import jax.numpy as jnp

LUMA = (0.2989, 0.587, 0.114)
"""What red, green and blue add to brightness (ITU-R BT.601, with torchvision's digits)."""


def grey(image: jax.Array) -> jax.Array:
    """The brightness (H, W, 1); an image of other than three channels is taken as it is."""
    return image if image.shape[-1] != 3 else (image @ jnp.asarray(LUMA, image.dtype))[..., None]


def blended(image: jax.Array, other: jax.Array, factor: jax.Array) -> jax.Array:
    """factor·image + (1 − factor)·other, cut off at 0 and 1."""
    return jnp.clip(factor * image + (1 - factor) * other, 0, 1)


def brightness(image: jax.Array, factor: jax.Array) -> jax.Array:
    """Away from black, or towards it."""
    return jnp.clip(factor * image, 0, 1)


def contrast(image: jax.Array, factor: jax.Array) -> jax.Array:
    """Away from the mean brightness, or towards it."""
    return blended(image, grey(image).mean(), factor)


def saturation(image: jax.Array, factor: jax.Array) -> jax.Array:
    """Away from each pixel's brightness, or towards it. Without colours there is nothing to do."""
    return image if image.shape[-1] != 3 else blended(image, grey(image), factor)


def hue(image: jax.Array, turn: jax.Array) -> jax.Array:
    """The hue of HSV turned by a share of the whole circle; three channels."""
    most, least = image.max(-1), image.min(-1)
    span = most - least
    flat = span == 0
    red, green, blue = (image[..., channel] for channel in range(3))
    divisor = jnp.where(flat, 1, span)
    sector = jnp.where(
        most == red,
        (green - blue) / divisor,
        jnp.where(most == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    # The colour of a hue on a circle of six: each channel falls off on both sides of its own third.
    turned = jnp.mod(jnp.where(flat, 0, sector) + 6 * turn, 6)[..., None]
    own = jnp.mod(jnp.asarray([5.0, 3.0, 1.0]) + turned, 6)
    return jnp.clip(most[..., None] - span[..., None] * jnp.clip(jnp.minimum(own, 4 - own), 0, 1), 0, 1)


def sharpness(image: jax.Array, factor: jax.Array) -> jax.Array:
    """Away from a smoothed image, or towards it: a pixel counts 5 of 13, its neighbours 1; the outermost stay."""
    height, width = image.shape[:2]
    if height < 3 or width < 3:
        return image
    rows = image[:-2] + image[1:-1] + image[2:]
    near = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    smooth = image.at[1:-1, 1:-1].set((near + 4 * image[1:-1, 1:-1]) / 13)
    return blended(image, smooth, factor)


def posterised(image: jax.Array, bits: jax.Array) -> jax.Array:
    """Of each byte the highest `bits` bits."""
    step = jnp.exp2(8 - bits)
    return jnp.floor(_bytes(image) / step) * step / 255


def solarised(image: jax.Array, threshold: jax.Array) -> jax.Array:
    """What is as bright as the threshold, 0 to 1, or brighter, is inverted."""
    return jnp.where(image >= threshold, 1 - image, image)


def autocontrast(image: jax.Array) -> jax.Array:
    """Each channel stretched to 0 and 1."""
    least, most = image.min((0, 1)), image.max((0, 1))
    flat = most == least
    return jnp.where(flat, image, jnp.clip((image - least) / jnp.where(flat, 1, most - least), 0, 1))


def equalised(image: jax.Array) -> jax.Array:
    """Each channel with as many pixels of each brightness, as far as bytes go: Pillow's rule."""
    levels = _bytes(image).astype(jnp.int32).reshape(-1, image.shape[-1])

    def table(channel: jax.Array) -> jax.Array:
        counts = jnp.zeros(256, jnp.int32).at[channel].add(1)
        step = (len(channel) - counts[channel.max()]) // 255
        before = jnp.cumsum(counts) - counts
        made = jnp.clip((before + step // 2) // jnp.maximum(step, 1), 0, 255)
        # The darkest that there may be has nothing before it.
        return jnp.where(step == 0, jnp.arange(256), made.at[0].set(0))[channel]

    return (jax.vmap(table, 1, 1)(levels) / 255).reshape(image.shape).astype(image.dtype)


def blurred(image: jax.Array, sigma: jax.Array, kernel: int) -> jax.Array:
    """A Gaussian of standard deviation `sigma` pixels, over `kernel` pixels, the image mirrored at its borders."""
    reach = (kernel - 1) // 2
    weights = jnp.exp(-0.5 * (jnp.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.sum()
    for axis in (0, 1):
        size = image.shape[axis]
        border = [(reach, reach) if own == axis else (0, 0) for own in range(3)]
        padded = jnp.pad(image, border, mode="reflect" if size > 1 else "edge")
        parts = (jax.lax.slice_in_dim(padded, tap, tap + size, axis=axis) for tap in range(kernel))
        image = sum((weight * part for weight, part in zip(weights, parts, strict=True)), jnp.zeros_like(image))
    return image


def _bytes(image: jax.Array) -> jax.Array:
    return jnp.round(jnp.clip(image, 0, 1) * 255)
