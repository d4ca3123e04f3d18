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
from archspec.training.tasks import TASKS, Sums, labels_right

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.network import ImageInput
    from archspec.spec.network import Task as TaskName
    from archspec.spec.train import Train

TINY = 1e-30

State = dict[str, Any]
"""params, statistics, optimiser, key (as data), step."""

Figures = dict[str, jax.Array]
"""What a step adds to its epoch's metrics: `losses` and `weights`, a number for each head, over the labels that count;
`right` and `labels` of the main output; `finite`, whether the step's loss is."""


class Prepared(NamedTuple):
    """What the network is given at a step: normalised and augmented images, their labels, the step's key."""

    x: jax.Array
    labels: jax.Array
    key: jax.Array


class Steps(NamedTuple):
    """Compiled functions of one network and recipe, for a stretch of training in which the same arrays are frozen."""

    initial: Callable[[Arrays | None], State]
    """(initial arrays by name, or None) → state; the arrays given take the place of those drawn."""
    template: State
    """The state's shapes and types."""
    continued: Callable[[State], State]
    """A state of another stretch of training → the same with an optimiser that begins anew."""
    prepare: Callable[[State, jax.Array, jax.Array], Prepared]
    """(state, images, labels) → what `train` gives the network at that state's step."""
    train: Callable[[State, jax.Array, jax.Array], tuple[State, Figures]]
    """(state, images, labels) → (state, figures); the state given is used up."""
    evaluate: Callable[[Arrays, Arrays, jax.Array, jax.Array], Sums]
    """(params, statistics, images, labels) → sums; labels below 0 do not count."""
    normalised: Callable[[jax.Array], jax.Array]
    """Images as the network is given them in evaluation."""
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
    input: ImageInput,
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
    main = graph.main_output.name
    heads = eval_heads(graph)

    def label_loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Built while tracing: where only the state's shapes are wanted, the loss need not have seen the data.
        terms: tuple[jax.Array, jax.Array] = (loss or train.loss).build()(logits, labels)
        return terms

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
        }

    def continued(state: State) -> State:
        return {**state, "optimiser": optimiser.init(trained(state["params"]))}

    def loss_of(
        trainable: Arrays, state: State, x: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, tuple[Any, ...]]:
        arrays = {name: trainable.get(name, value) for name, value in state["params"].items()}
        outputs, statistics = pure.apply(arrays, state["statistics"], x, train=True, key=key, frozen=frozen.layers)
        named = named_outputs(outputs, main)
        total, losses, counts = jnp.zeros(()), [], []
        for output in graph.outputs:
            value, weight = (part.sum() for part in label_loss(named[output.name], labels))
            # A batch without a label that counts has no loss.
            total = total + weights[output.name] * value / jnp.maximum(weight, TINY)
            losses.append(value)
            counts.append(weight)
        return total, (named[main], statistics, jnp.stack(losses), jnp.stack(counts))

    def prepare(state: State, images: jax.Array, labels: jax.Array) -> Prepared:
        key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
        x, labels = normalised(images, input), labels.astype(jnp.int32)
        if train.augment is not None:
            # A key of its own: 0 is no layer's.
            x, labels = augmented(x, labels, train.augment, jax.random.fold_in(key, 0))
        return Prepared(x, labels, key)

    def train_step(state: State, images: jax.Array, labels: jax.Array) -> tuple[State, Figures]:
        x, labels, key = prepare(state, images, labels)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        before = trained(state["params"])
        (loss, (logits, statistics, losses, counts)), gradients = gradient(before, state, x, labels, key)
        updates, optimiser_state = optimiser.update(gradients, state["optimiser"], before)
        after = optax.apply_updates(before, updates)
        right, counting = labels_right(logits, labels)
        return {
            "params": {name: after.get(name, value) for name, value in state["params"].items()},
            "statistics": statistics,
            "optimiser": optimiser_state,
            "key": state["key"],
            "step": state["step"] + 1,
        }, {"losses": losses, "weights": counts, "right": right, "labels": counting, "finite": jnp.isfinite(loss)}

    def evaluate_step(params: Arrays, statistics: Arrays, images: jax.Array, labels: jax.Array) -> Sums:
        outputs, _ = pure.apply(params, statistics, normalised(images, input), train=False)
        named, labels = named_outputs(outputs, main), labels.astype(jnp.int32)
        terms = {name: label_loss(logits, labels) for name, logits in named.items()}
        losses, counts = (jnp.stack([terms[name][part].sum() for name in heads]) for part in (0, 1))
        return {"losses": losses, "weights": counts, **task.sums(named[main], labels)}

    return Steps(
        initial,
        jax.eval_shape(beginning, *shapes),
        continued,
        prepare,
        jax.jit(train_step, donate_argnums=0),
        jax.jit(evaluate_step),
        lambda images: normalised(images, input),
        lambda step: float(train.optimiser.learning_rate * factor(step)),
        pure,
    )


def eval_heads(graph: Graph) -> list[str]:
    """The outputs that evaluation has, in order."""
    return [output.name for output in graph.outputs if not output.train_only]


def named_outputs(outputs: Outputs, main: str) -> dict[str, jax.Array]:
    """A network's outputs by name, where there is one only too."""
    return outputs if isinstance(outputs, dict) else {main: outputs}
