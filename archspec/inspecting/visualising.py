"""What a unit looks for: an input that excites it, found by following its gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from archspec.graph import is_input
from archspec.images.numbers import finished
from archspec.inspecting.subject import RECTIFIER, Subject, compiled
from archspec.inspecting.target import Target
from archspec.spec.network import ImageInput

LEAKING = 16
"""First steps in which rectifiers let all gradients through, as they do while the score is not above 0: of a closed
unit none would come back, and it would never be found what opens it."""

Carried = tuple[jax.Array, optax.OptState, jax.Array]


class Search(NamedTuple):
    """How an input is looked for: so many `steps` of Adam at a `rate`, over pixels that are each time shifted by up to
    `jitter` pixels; `roughness` is the weight of the mean squared difference of neighbours, which is a penalty on
    spatial frequencies by their squares."""

    steps: int = 256
    rate: float = 0.05
    jitter: int = 4
    roughness: float = 8.0


USUAL = Search()


class Visualised(NamedTuple):
    """Pixels (height, width, channels) from 0 to 1, and the score before and after, without jitter."""

    pixels: np.ndarray
    before: float
    after: float


def visualised(
    subject: Subject, input: ImageInput, target: Target, search: Search = USUAL, seed: int = 0
) -> Visualised:
    """Activation maximisation (Erhan et al. 2009) with jitter and a penalty on high frequencies (Olah, Mordvintsev and
    Schubert 2017, "Feature visualization", distill.pub). It begins with grey and a little noise of the seed."""
    key = jax.random.key(seed)
    first, key = jax.random.split(key)
    start = 0.2 * jax.random.normal(first, (1, input.height, input.width, input.channels))
    optimiser = optax.adam(search.rate)

    def score(
        arrays: tuple[dict[str, jax.Array], dict[str, jax.Array]], pixels: jax.Array, leak: jax.Array | float = 0.0
    ) -> jax.Array:
        x = {subject.graph.inputs[0].name: finished(pixels, input)}
        through = _leaking(subject, leak)
        return (subject.forward(arrays, x, target.paths, through)[target.path] * target.weights).sum()

    def rough(pixels: jax.Array) -> jax.Array:
        return sum((jnp.diff(pixels, axis=axis) ** 2).mean() for axis in (1, 2))  # type: ignore[return-value]

    @compiled
    def found(
        arrays: tuple[dict[str, jax.Array], dict[str, jax.Array]], key: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        before = score(arrays, jax.nn.sigmoid(start))

        def loss(hidden: jax.Array, shift: jax.Array, leak: jax.Array) -> tuple[jax.Array, jax.Array]:
            pixels = jax.nn.sigmoid(hidden)
            found = score(arrays, jnp.roll(pixels, shift, (1, 2)), leak)
            # What is weighed against roughness is a change of the score as a share of what it is.
            scale = jax.lax.stop_gradient(jnp.maximum(jnp.abs(found), 1e-3))
            return -found / scale + search.roughness * rough(pixels), found <= 0

        def step(carried: Carried, given: tuple[jax.Array, jax.Array]) -> tuple[Carried, None]:
            (hidden, state, closed), (own, number) = carried, given
            shift = jax.random.randint(own, (2,), -search.jitter, search.jitter + 1)
            leak = jnp.where((number < LEAKING) | closed, 1.0, 0.0)
            gradient, closed = jax.grad(loss, has_aux=True)(hidden, shift, leak)
            updates, state = optimiser.update(gradient, state)
            return (optax.apply_updates(hidden, updates), state, closed), None

        (hidden, *_), _ = jax.lax.scan(
            step,
            (start, optimiser.init(start), jnp.asarray(False)),
            (jax.random.split(key, search.steps), jnp.arange(search.steps)),
        )
        pixels = jax.nn.sigmoid(hidden)
        return pixels[0], before, score(arrays, pixels)

    pixels, before, after = found(subject.arrays, key)
    return Visualised(np.asarray(pixels), float(before), float(after))


def _leaking(subject: Subject, leak: jax.Array | float) -> dict[str, Any]:
    """What nodes' values go through, so that a gradient also takes the way around a rectifier, `leak` times. The values
    are the same."""
    before: dict[str, jax.Array] = {}
    through: dict[str, Any] = {}
    behind = {
        node.path: subject.paths[node.inputs[0]]
        for node in subject.graph.nodes
        if node.kind == RECTIFIER and not is_input(node.inputs[0])
    }
    for path, source in behind.items():

        def around(value: jax.Array, source: str = source) -> jax.Array:
            own = before[source]
            return value + leak * (own - jax.lax.stop_gradient(own))

        through[path] = around
    for source in set(behind.values()):
        own = through.get(source, lambda value: value)

        def kept(value: jax.Array, source: str = source, own: Any = own) -> jax.Array:
            before[source] = own(value)
            return before[source]

        through[source] = kept
    return through
