"""The compiled functions: one training step, one evaluation step. Pure functions of pytrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from archspec.graph import Graph
from archspec.images.numbers import normalised
from archspec.losses import Loss
from archspec.lower import Arrays, Outputs, Pure, build, outline, split
from archspec.training.augmentation import augmented
from archspec.training.freezing import NOTHING, Frozen
from archspec.training.tasks import TASKS, Sums, share_right

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.network import Input
    from archspec.spec.network import Task as TaskName
    from archspec.spec.train import Train

TINY = 1e-30

State = dict[str, Any]
"""params, statistics, optimiser, key (as data), step; and `sums`, what the epoch's metrics are made of."""


class Steps(NamedTuple):
    """Compiled functions of one network and recipe, for a stretch of training in which the same arrays are frozen."""

    initial: Callable[[Arrays | None], State]
    """(initial arrays by name, or None) → state; the arrays given take the place of those drawn."""
    template: State
    """The state's shapes and types."""
    continued: Callable[[State], State]
    """A state of another stretch of training → the same with an optimiser that begins anew."""
    train: Callable[[State, jax.Array, jax.Array], State]
    """(state, images, labels) → state; the state given is used up."""
    evaluate: Callable[[Arrays, Arrays, jax.Array, jax.Array], Sums]
    """(params, statistics, images, labels) → sums; labels below 0 do not count."""
    learning_rate: Callable[[int], float]
    pure: Pure


def make_steps(
    spec: Spec,
    steps_per_epoch: int,
    *,
    loss: Loss | None = None,
    frozen: Frozen = NOTHING,
    offset: int = 0,
) -> Steps:
    """The functions of a spec that has a recipe. Nothing is compiled yet: each function is when first called, once.

    `loss` is the recipe's unless one is given that was fitted to the data. `offset` is the number of steps that came
    before this stretch: the schedule goes on from there.
    """
    assert spec.train is not None
    return steps_of(
        spec.graph(),
        spec.input,
        spec.header.task,
        spec.train,
        steps_per_epoch,
        loss=loss,
        frozen=frozen,
        offset=offset,
    )


def steps_of(
    graph: Graph,
    input: Input,
    task_name: TaskName,
    train: Train,
    steps_per_epoch: int,
    *,
    loss: Loss | None = None,
    frozen: Frozen = NOTHING,
    offset: int = 0,
) -> Steps:
    """As `make_steps`, of the parts of a spec."""
    task = TASKS[task_name]
    pure, *shapes = outline(graph)
    factor = train.schedule.build(train.epochs, steps_per_epoch)
    optimiser = train.optimiser.build((lambda step: factor(step + offset)) if offset else factor)
    weights = {output.name: output.weight for output in graph.outputs}
    main = main_output(graph)

    def label_loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Built while tracing: where only the state's shapes are wanted, the loss need not have seen the data.
        found: tuple[jax.Array, jax.Array] = (loss or train.loss).build()(logits, labels)
        return found

    def trained(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in arrays.items() if name not in frozen.arrays}

    def initial(given: Arrays | None = None) -> State:
        drawn = split(build(graph, seed=train.seed))[1:]
        laid = [{name: (given or {}).get(name, value) for name, value in part.items()} for part in drawn]
        # The arrays are copied, since the first step uses its state up.
        return beginning(*jax.tree.map(lambda value: jnp.array(value, copy=True), laid))

    def beginning(params: Arrays, statistics: Arrays) -> State:
        key = jax.random.fold_in(jax.random.key(train.seed), 1)
        return {
            "params": params,
            "statistics": statistics,
            "optimiser": optimiser.init(trained(params)),
            "key": jax.random.key_data(key),
            "step": jnp.zeros((), jnp.int32),
            "sums": empty_sums(),
        }

    def continued(state: State) -> State:
        return {**state, "optimiser": optimiser.init(trained(state["params"]))}

    def loss_of(
        trainable: Arrays, state: State, x: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, tuple[Any, Any]]:
        arrays = {name: trainable.get(name, value) for name, value in state["params"].items()}
        outputs, statistics = pure.apply(arrays, state["statistics"], x, train=True, key=key, frozen=frozen.layers)
        named = named_outputs(outputs, main)
        total = jnp.zeros(())
        for name, logits in named.items():
            losses, counts = label_loss(logits, labels)
            # A batch without a label that counts has no loss.
            total = total + weights[name] * losses.sum() / jnp.maximum(counts.sum(), TINY)
        return total, (named[main], statistics)

    def train_step(state: State, images: jax.Array, labels: jax.Array) -> State:
        key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
        x, labels = normalised(images, input), labels.astype(jnp.int32)
        if train.augment is not None:
            # A key of its own: 0 is no layer's.
            x, labels = augmented(x, labels, train.augment, jax.random.fold_in(key, 0))
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        before = trained(state["params"])
        (loss, (logits, statistics)), gradients = gradient(before, state, x, labels, key)
        updates, optimiser_state = optimiser.update(gradients, state["optimiser"], before)
        after = optax.apply_updates(before, updates)
        sums, count = state["sums"], len(labels)
        return {
            "params": {name: after.get(name, value) for name, value in state["params"].items()},
            "statistics": statistics,
            "optimiser": optimiser_state,
            "key": state["key"],
            "step": state["step"] + 1,
            "sums": {
                "loss": sums["loss"] + loss * count,
                "accuracy": sums["accuracy"] + share_right(logits, labels) * count,
                "count": sums["count"] + count,
                # The first step whose loss is not finite, or −1.
                "failed": jnp.where((sums["failed"] < 0) & ~jnp.isfinite(loss), state["step"], sums["failed"]),
            },
        }

    def evaluate_step(params: Arrays, statistics: Arrays, images: jax.Array, labels: jax.Array) -> Sums:
        outputs, _ = pure.apply(params, statistics, normalised(images, input), train=False)
        logits, labels = named_outputs(outputs, main)[main], labels.astype(jnp.int32)
        losses, counts = label_loss(logits, labels)
        return {"loss": losses.sum(), "weight": counts.sum(), **task.sums(logits, labels)}

    return Steps(
        initial,
        jax.eval_shape(beginning, *shapes),
        continued,
        jax.jit(train_step, donate_argnums=0),
        jax.jit(evaluate_step),
        lambda step: float(train.optimiser.learning_rate * factor(step)),
        pure,
    )


def empty_sums() -> dict[str, jax.Array]:
    """Sums at the start of an epoch."""
    return {
        "loss": jnp.zeros(()),
        "accuracy": jnp.zeros(()),
        "count": jnp.zeros((), jnp.int32),
        "failed": jnp.full((), -1, jnp.int32),
    }


def main_output(graph: Graph) -> str:
    """The output that predictions are made of: the first that evaluation has."""
    return next(output.name for output in graph.outputs if not output.train_only)


def named_outputs(outputs: Outputs, main: str) -> dict[str, jax.Array]:
    """A network's outputs by name, where there is one only too."""
    return outputs if isinstance(outputs, dict) else {main: outputs}
