"""The compiled functions: one training step, one evaluation step. Pure functions of pytrees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from archspec.graph import Graph
from archspec.lower import Arrays, Outputs, Pure, build, split
from archspec.spec.network import Input
from archspec.spec.train import Train
from archspec.training.images import normalised

State = dict[str, Any]
"""params, statistics, optimiser, key (as data), step; and `sums`, what the epoch's metrics are made of."""


class Steps(NamedTuple):
    """Compiled functions of one network and recipe."""

    initial: Callable[[], State]
    train: Callable[[State, jax.Array, jax.Array], State]
    """(state, images, labels) → state; the state given is used up."""
    evaluate: Callable[[Arrays, Arrays, jax.Array, jax.Array], dict[str, jax.Array]]
    """(params, statistics, images, labels) → sums; samples with label −1 do not count."""
    learning_rate: Callable[[int], float]
    pure: Pure


def make_steps(graph: Graph, input: Input, train: Train, steps_per_epoch: int) -> Steps:
    """Compiles nothing yet: each function is compiled when first called, once."""
    pure, params, statistics = split(build(graph, seed=train.seed))
    factor = train.schedule.build(train.epochs, steps_per_epoch)
    optimiser = train.optimiser.build(factor)
    sample_loss = train.loss.build()
    weights = {output.name: output.weight for output in graph.outputs}
    main = next(output.name for output in graph.outputs if not output.train_only)

    def initial() -> State:
        # The initial arrays are copied, since the first step uses its state up.
        copy = jax.tree.map(jnp.copy, {"params": params, "statistics": statistics})
        key = jax.random.fold_in(jax.random.key(train.seed), 1)
        return {
            **copy,
            "optimiser": optimiser.init(copy["params"]),
            "key": jax.random.key_data(key),
            "step": jnp.zeros((), jnp.int32),
            "sums": empty_sums(),
        }

    def loss_of(params: Arrays, state: State, x: jax.Array, labels: jax.Array) -> tuple[jax.Array, tuple[Any, Any]]:
        key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
        outputs, statistics = pure.apply(params, state["statistics"], x, train=True, key=key)
        named = _named(outputs, main)
        loss = sum(weights[name] * sample_loss(logits, labels).mean() for name, logits in named.items())
        return jnp.asarray(loss), (named[main], statistics)

    def train_step(state: State, images: jax.Array, labels: jax.Array) -> State:
        x = normalised(images, input)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, (logits, statistics)), gradients = gradient(state["params"], state, x, labels)
        updates, optimiser_state = optimiser.update(gradients, state["optimiser"], state["params"])
        sums = state["sums"]
        return {
            "params": optax.apply_updates(state["params"], updates),
            "statistics": statistics,
            "optimiser": optimiser_state,
            "key": state["key"],
            "step": state["step"] + 1,
            "sums": {
                "loss": sums["loss"] + loss * len(labels),
                "correct": sums["correct"] + jnp.sum(rank_of(logits, labels) < 1),
                "count": sums["count"] + len(labels),
                # The first step whose loss is not finite, or −1.
                "failed": jnp.where((sums["failed"] < 0) & ~jnp.isfinite(loss), state["step"], sums["failed"]),
            },
        }

    def evaluate_step(params: Arrays, statistics: Arrays, images: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
        outputs, _ = pure.apply(params, statistics, normalised(images, input), train=False)
        logits = _named(outputs, main)[main]
        counts = labels >= 0
        known = jnp.maximum(labels, 0)
        rank = rank_of(logits, known)
        return {
            "loss": jnp.sum(jnp.where(counts, sample_loss(logits, known), 0.0)),
            "top1": jnp.sum(counts & (rank < 1)),
            "top5": jnp.sum(counts & (rank < 5)),
            "count": jnp.sum(counts),
        }

    return Steps(
        initial,
        jax.jit(train_step, donate_argnums=0),
        jax.jit(evaluate_step),
        lambda step: float(train.optimiser.learning_rate * factor(step)),
        pure,
    )


def empty_sums() -> dict[str, jax.Array]:
    """Sums at the start of an epoch."""
    return {
        "loss": jnp.zeros(()),
        "correct": jnp.zeros((), jnp.int32),
        "count": jnp.zeros((), jnp.int32),
        "failed": jnp.full((), -1, jnp.int32),
    }


def rank_of(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """How many classes come before the label's: 0 is a right answer. Of equal logits the first class comes first.

    A label whose logit is not a number comes last.
    """
    own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
    before = jnp.arange(logits.shape[-1]) < labels[:, None]
    ahead = (logits > own) | ((logits == own) & before)
    return jnp.where(jnp.isnan(own[:, 0]), logits.shape[-1], ahead.sum(-1))


def _named(outputs: Outputs, main: str) -> dict[str, jax.Array]:
    return outputs if isinstance(outputs, dict) else {main: outputs}
