"""Whole programs on made-up data: a training step or a forward pass, from a spec or written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.bench.clock import Step
from archspec.graph import Graph
from archspec.lower import Arrays
from archspec.lowerings.choosing import Lowerings
from archspec.xla import Lowered, Mode, lowered

if TYPE_CHECKING:
    from archspec.loading import Spec

RATE, MOMENTUM = 1e-4, 0.9
AUXILIARY = 0.3
"""What the losses of auxiliary heads count (Szegedy et al. 2015)."""


class Program(NamedTuple):
    """A compiled program with its arrays. Each call of `step` starts it once, from where the last one ended."""

    step: Step
    compiled: Any
    seconds: float
    """What it took to trace and to compile it."""
    lowerings: Lowerings | None = None
    """What chose how its operations are computed; nothing where it is written by hand."""


def program(network: Spec | Graph, batch: int, mode: Mode, **settings: Any) -> Program:
    """The training step of a spec's recipe, or the forward pass; of a graph with a plain recipe: as `lowered`."""
    return compiled_program(network, batch, mode, **settings)()


def compiled_program(network: Spec | Graph, batch: int, mode: Mode, **settings: Any) -> Callable[[], Program]:
    """What gives `program` its arrays, compiled but with none yet: until then others can be compiled and run."""
    begun = time.perf_counter()
    made = lowered(network, batch, mode, **settings)
    compiled = made.function.lower(*made.shapes).compile()
    seconds = time.perf_counter() - begun
    return partial(_forward if mode == "eval" else _training_step, made, compiled, seconds, batch)


def _forward(made: Lowered, compiled: Any, seconds: float, batch: int) -> Program:
    arrays = weights(*made.shapes[:2])
    params, statistics = ({name: arrays[name] for name in part} for part in made.shapes[:2])
    x = made.shapes[2]
    given = data(x if isinstance(x, Mapping) else {"": x})
    x = given if isinstance(x, Mapping) else given[""]
    return Program(lambda: compiled(params, statistics, x), compiled, seconds, made.lowerings)


def _training_step(made: Lowered, compiled: Any, seconds: float, batch: int) -> Program:
    template, shapes = made.shapes
    assert made.initial is not None
    held = [made.initial(weights(template["params"], template["statistics"]))]
    index = jnp.arange(batch, dtype=jnp.int32)
    given_batch = type(shapes)(data(shapes.inputs), data(shapes.targets, made.classes), index)

    def step() -> Any:
        held[0], _ = compiled(held[0], given_batch)
        return held[0]["step"]

    return Program(step, compiled, seconds, made.lowerings)


def by_hand(name: str, size: tuple[int, int], channels: int, batch: int, mode: Mode) -> Program:
    """The same network written by hand in Flax, with a step as Flax's documentation has it for speed: a pure function.

    SGD with momentum on cross-entropy, of bytes that the step scales to 0 … 1, as in `program` of a graph.
    """
    import optax
    from flax import nnx

    from archspec.by_hand import make

    network = nnx.eval_shape(lambda: make(name, size, nnx.Rngs(0)))
    set_mode = network.train if mode == "train" else network.eval
    set_mode()
    definition, *shapes = nnx.split(network, nnx.Param, ...)
    params, rest = (_filled(part) for part in shapes)

    def forward(params: Any, rest: Any, x: jax.Array) -> tuple[Any, Any]:
        network = nnx.merge(definition, params, rest, copy=True)
        outputs = network(x)
        return outputs, nnx.state(network, nnx.Not(nnx.Param))

    begun = time.perf_counter()
    if mode == "eval":
        x = _numbers((batch, *size, channels), np.dtype(np.float32))
        answers = jax.jit(lambda *given: forward(*given)[0]).lower(params, rest, x).compile()
        return Program(lambda: answers(params, rest, x), answers, time.perf_counter() - begun)
    optimiser = optax.sgd(RATE, MOMENTUM)
    outputs = jax.eval_shape(forward, params, rest, jax.ShapeDtypeStruct((batch, *size, channels), jnp.float32))[0]
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    images = _numbers((batch, *size, channels), np.dtype(np.uint8))
    labels = _numbers(first.shape[:-1], np.dtype(np.int32), first.shape[-1])

    def loss_of(params: Any, rest: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, Any]:
        outputs, rest = forward(params, rest, images.astype(jnp.float32) / 255)
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        losses = [optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean() for logits in heads]
        return losses[0] + AUXILIARY * sum(losses[1:]), rest

    def train_step(params: Any, rest: Any, state: Any, images: jax.Array, labels: jax.Array) -> tuple[Any, ...]:
        (loss, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(params, rest, images, labels)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), rest, state, loss

    held = [params, rest, optimiser.init(params)]
    begun = time.perf_counter()
    compiled = jax.jit(train_step, donate_argnums=(0, 1, 2)).lower(*held, images, labels).compile()
    seconds = time.perf_counter() - begun

    def step() -> Any:
        *held[:], loss = compiled(*held, images, labels)
        return loss

    return Program(step, compiled, seconds)


def weights(params: Mapping[str, Any], statistics: Mapping[str, Any]) -> Arrays:
    """Arrays of these shapes by their names."""
    return {name: drawn(name.rsplit(".")[-1], like) for part in (params, statistics) for name, like in part.items()}


def drawn(name: str, like: Any) -> jax.Array:
    """An array of a shape and type, made quickly: scales and variances 1, other vectors 0, kernels as He draws them."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.key(0)
    if not jnp.issubdtype(like.dtype, jnp.floating) or (len(like.shape) < 2 and name not in {"scale", "var"}):
        return jnp.zeros(like.shape, like.dtype)
    if len(like.shape) < 2:
        return jnp.ones(like.shape, like.dtype)
    return _numbers(like.shape, like.dtype, (2 / max(prod(like.shape[:-1]), 1)) ** 0.5)


def data(shapes: Mapping[str, Any], classes: Mapping[str, int] | None = None) -> dict[str, jax.Array]:
    """Inputs or targets of these shapes: bytes, whole numbers of classes below those given, or normal numbers."""
    return {name: _numbers(like.shape, like.dtype, (classes or {}).get(name, 1)) for name, like in shapes.items()}


def _numbers(shape: tuple[int, ...], kind: np.dtype[Any], most: float = 1) -> jax.Array:
    """Made-up numbers: bytes, whole ones below `most`, or normal ones of that deviation. A few thousand, repeated."""
    few = np.random.default_rng(0)
    own: np.ndarray
    if kind == np.uint8:
        own = few.integers(0, 256, 65_521)
    elif np.issubdtype(kind, np.integer):
        own = few.integers(0, max(int(most), 1), 65_521)
    else:
        own = few.standard_normal(65_521) * most
    return jnp.asarray(np.resize(own.astype(np.float32 if kind == jnp.bfloat16 else kind), shape), kind)


def _filled(state: Any) -> Any:
    """A state of Flax's with arrays in place of shapes."""

    def made(path: tuple[Any, ...], like: Any) -> jax.Array:
        names = [str(part.key) for part in path if hasattr(part, "key")]
        return drawn(names[-1], like)

    return jax.tree_util.tree_map_with_path(made, state)
