"""Changes of an input, too small to see, that change the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Attack(NamedTuple):
    """How pixels are changed: by no more than `epsilon` each, as a share of their range.

    FGSM is one step of the whole ε; PGD takes `steps` of `rate` each, from a random place within ε.
    """

    epsilon: float
    steps: int = 1
    rate: float = 0.0
    random: bool = False


def fgsm(epsilon: float) -> Attack:
    """x + ε·sign(∇J) (Goodfellow et al. 2015, "Explaining and harnessing adversarial examples", section 3)."""
    return Attack(epsilon, 1, epsilon)


def pgd(epsilon: float, steps: int = 40, rate: float | None = None) -> Attack:
    """Steps of sign(∇J), each brought back to within ε (Madry et al. 2018, "Towards deep learning models resistant to
    adversarial attacks", section 2.1). Without `rate` it is 2.5·ε/steps, of their own experiments."""
    return Attack(epsilon, steps, 2.5 * epsilon / steps if rate is None else rate, True)


Tree = Any
"""An array of pixels, or arrays by the names of inputs."""

Loss = Callable[[Tree, Any], jax.Array]
"""J of pixels from 0 to 1, and whatever else it takes: a sum over the samples."""


def attacked(
    loss: Loss, pixels: Tree, more: Any, attack: Attack, key: jax.Array | None = None, where: Tree | None = None
) -> Tree:
    """Pixels, from 0 to 1 of their range, for which the loss is larger; they stay within 0 and 1.

    Those where `where`, of the pixels' form, is 0 stay as they are.
    """
    own = pixels
    free = jax.tree.map(jnp.ones_like, pixels) if where is None else where

    def within(moved: Tree) -> Tree:
        def of(pixels: jax.Array, moved: jax.Array, free: jax.Array) -> jax.Array:
            low, high = jnp.maximum(pixels - attack.epsilon, 0), jnp.minimum(pixels + attack.epsilon, 1)
            return jnp.where(free > 0, jnp.clip(moved, low, high), pixels)

        return jax.tree.map(of, pixels, moved, free)

    if attack.random:
        assert key is not None, "a random start needs a key"
        leaves, form = jax.tree.flatten(pixels)
        keys = jax.tree.unflatten(form, [key, *jax.random.split(key, len(leaves))][: len(leaves)])
        noise = jax.tree.map(
            lambda own, key: jax.random.uniform(key, own.shape, jnp.float32, -attack.epsilon, attack.epsilon),
            pixels,
            keys,
        )
        own = within(jax.tree.map(jnp.add, pixels, noise))

    def step(_: int, own: Tree) -> Tree:
        gradient = jax.grad(loss)(own, more)
        return within(jax.tree.map(lambda own, by: own + attack.rate * jnp.sign(by), own, gradient))

    return jax.lax.fori_loop(0, attack.steps, step, own)


def against_class(scores: jax.Array, numbers: jax.Array) -> jax.Array:
    """Σ log Σ_{j≠y} exp(s_j) − s_y over samples, of scores (N, K) before softmax, K > 1.

    −log p_y is log(1 + exp(·)) of each term, so the signs of its gradient are these, which do not become 0 where p_y
    is 1 to rounding.
    """
    own = jnp.arange(scores.shape[-1]) == numbers[:, None]
    others = jax.nn.logsumexp(jnp.where(own, -jnp.inf, scores), axis=-1)
    return (others - jnp.where(own, scores, 0).sum(-1)).sum()


def against_classes(scores: jax.Array, numbers: jax.Array) -> jax.Array:
    """Σ −log p_y over samples and positions, of scores (N, …, K) before softmax; numbers below 0 do not count."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), jnp.maximum(numbers, 0)[..., None], -1)[..., 0]
    return -jnp.where(numbers >= 0, chosen, 0).sum()


def against_labels(scores: jax.Array, there: jax.Array) -> jax.Array:
    """Σ of the binary cross-entropy of scores before sigmoid with labels that are there, 1, or not, 0; numbers below 0
    and such as are none do not count."""
    counts = jnp.isfinite(there) & (there >= 0)
    own = jnp.where(counts, there, 0)
    return jnp.where(counts, jax.nn.softplus(scores) - own * scores, 0).sum()
