"""What metrics count: classes, guesses, yes and no."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import jax

    from archspec.losses import Loss


def exclusive(output: jax.Array, target: jax.Array, loss: Loss) -> bool:
    """Whether one class holds, and not any number of them: there is one label, or the shares are those of a softmax."""
    return target.ndim < output.ndim or loss.link == "softmax"


def labels_of(output: jax.Array, target: jax.Array) -> jax.Array:
    """The label of each sample or pixel (…): of shares of classes the largest, the first of equals; below 0, none."""
    import jax.numpy as jnp

    if target.ndim < output.ndim:
        return target
    if not jnp.issubdtype(target.dtype, jnp.floating):
        return jnp.where((target >= 0).all(-1), target.argmax(-1), -1)
    return jnp.where(jnp.isnan(target).any(-1), -1, target.argmax(-1))


class Truths(NamedTuple):
    """Of several labels at once (…, n): whether each is there, and whether it counts."""

    there: jax.Array
    counts: jax.Array


def truths_of(output: jax.Array, target: jax.Array) -> Truths:
    """Truths of each label, a share of a half or more being one; of one class (…), of each class."""
    import jax
    import jax.numpy as jnp

    if target.ndim < output.ndim:
        there = jax.nn.one_hot(target, output.shape[-1], dtype=jnp.bool_)
        return Truths(there, jnp.broadcast_to((target >= 0)[..., None], there.shape))
    return Truths(target >= 0.5, target >= 0)  # what is not a number is neither


class Counts(NamedTuple):
    """Of each class: how often it was found where it is, where it is not, and not where it is."""

    hits: jax.Array
    false: jax.Array
    missed: jax.Array


def counts_of(output: jax.Array, target: jax.Array, loss: Loss) -> Counts:
    """By the largest output where one class holds, otherwise by the loss's threshold for each label."""
    import jax.numpy as jnp

    width = output.shape[-1]
    if not exclusive(output, target, loss):
        there, counts = (part.reshape(-1, width) for part in truths_of(output, target))
        found = (output > loss.threshold).reshape(-1, width)
        return Counts(
            jnp.sum(counts & found & there, 0), jnp.sum(counts & found & ~there, 0), jnp.sum(counts & ~found & there, 0)
        )
    labels = labels_of(output, target).reshape(-1)
    guesses = output.argmax(-1).reshape(-1)
    right = (labels == guesses) & (labels >= 0)
    # What does not count falls into a last place that is cut off.
    own = jnp.where(labels >= 0, labels, width)
    guessed = jnp.where(labels >= 0, guesses, width)
    zeros = jnp.zeros(width + 1, jnp.int32)
    hits = zeros.at[jnp.where(right, labels, width)].add(1)[:width]
    return Counts(hits, zeros.at[guessed].add(1)[:width] - hits, zeros.at[own].add(1)[:width] - hits)
