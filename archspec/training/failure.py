"""Why a loss is not finite: the failing step is done again, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, listed
from archspec.graph import Graph
from archspec.images.numbers import given
from archspec.lower import Arrays, Inputs, Network
from archspec.lowerings.choosing import Lowerings
from archspec.runs.checkpoints import whole
from archspec.training.feeding import as_on_one
from archspec.training.freezing import frozen_at
from archspec.training.scaling import LEAST

if TYPE_CHECKING:
    from archspec.training.loop import Loop
    from archspec.training.steps import State

ALL_FINITE = "every layer's output is finite, so that it is the loss itself that leaves the range of numbers"


def first_broken_layer(
    graph: Graph,
    network: Network,
    x: Inputs,
    key: jax.Array | None,
    frozen: frozenset[str] = frozenset(),
    *,
    train: bool = True,
    precision: Any = None,
    lowerings: Lowerings | None = None,
) -> str:
    """In words, the first layer whose output for a batch is not finite, or what else is to blame.

    `graph` is pruned to the mode; `x` is what the step gave the network, an array or arrays by name, augmentation
    included, `key` the step's own, so that the same elements are dropped, `precision` the 16-bit type of its passes and
    `lowerings` what chooses how its operations are computed. The first layer with weights that are not finite is named
    for those.
    """
    for name, array in x.items() if isinstance(x, Mapping) else [("", x)]:
        if not _finite(array):
            broken = [index for index, sample in enumerate(array) if not _finite(sample)]
            numbers = listed((str(index + 1) for index in broken), 6)
            what = f"input `{name}` is" if name else "images are"
            return (
                f"the batch's {what} not finite {'itself' if name else 'themselves'}: number {numbers} of {len(array)}"
            )
    for index, value in network.trace(x, key, frozen, train=train, precision=precision, lowerings=lowerings):
        if not _finite(value):
            return f"the first layer whose output is not finite is {graph.nodes[index].path}"
    return ALL_FINITE


def _finite(value: jax.Array) -> bool:
    return bool(jnp.isfinite(value).all())


def broken_arrays(arrays: Arrays) -> list[str]:
    """The names of those arrays that hold NaN or infinity.

    They are looked for on the host, where a checkpoint's digests need them anyway: a program with a result for each of
    some hundred arrays takes seconds to compile. All processes must ask.
    """
    return [name for name, value in arrays.items() if not np.isfinite(whole(value)).all()]


def in_words(precision: str, scale: float | None, where: str) -> tuple[str, str, list[str]]:
    """What is not finite in a step that failed, where, and what helps beside a smaller learning rate.

    `scale` is the loss's before the step, in float16; `where` what `first_broken_layer` found. Where a loss in float16
    is finite, its gradients are not, down to the least scale.
    """
    if precision != "float16":
        return "the loss is not finite", where, []
    help = ["`precision: bfloat16` has the range of float32"]
    if where == ALL_FINITE and scale is not None and scale / 2 < LEAST:
        return "gradients are not finite", f"the loss is, and was scaled down to {scale:.3g} times itself before", help
    return "the loss is not finite", f"in float16, where nothing is above 65,504, {where}", help


def failed(loop: Loop, step: int) -> DataError:
    """What is to be said of the step whose loss is not finite: the steps from the last checkpoint on are done again to
    find the layer, by all processes together.

    A plateau's factor is in the checkpoint, and no evaluation lies between it and the failing step.
    """
    loop.checkpoints.wait()
    loop.peers.wait("failed")  # until all have written theirs
    state = loop.state_at(loop.peers.chosen("latest", lambda: loop.checkpoints.latest or 0))
    at = int(state["step"])  # of an earlier one where the last is damaged
    epoch = loop.epoch_of(step + 1)
    while True:
        now = at // loop.steps_per_epoch + 1
        steps = loop.steps(now)
        if at % loop.steps_per_epoch == 0:
            state = loop.entering(now, state)
        batches = loop.feed.batches(loop.orders.of(now), at % loop.steps_per_epoch, now)
        for batch in islice(batches, step - at):
            state, _ = steps.train(state, batch)
            at += 1
        if now == epoch:
            break
    batch, network = next(batches), steps.network(state)
    if steps.devices is not None:  # the layer is looked for on one device, which has the whole batch
        state, batch = steps.devices.local((state, batch))
        batch = as_on_one(batch, loop.orders)
    prepared = steps.prepare(state, batch)
    graph = loop.graph.pruned("train")
    frozen = frozen_at(loop.recipe, loop.graph, epoch).layers
    broken = (
        first_broken_layer(
            graph, network, given(part.inputs), part.key, frozen, precision=steps.type, lowerings=steps.lowerings
        )
        for part in steps.parts(prepared)
    )
    where = next((layer for layer in broken if layer != ALL_FINITE), ALL_FINITE)
    rate = steps.learning_rate(step)
    scale = float(state["scaling"]["scale"]) if "scaling" in state else None
    what, where, help = in_words(loop.recipe.precision, scale, where)
    return DataError(
        "E520",
        f"{what} at step {step + 1} (epoch {epoch}); {where}; {loop.good()}",
        help=[f"the learning rate there is {rate:.4g}: a smaller one, or a warm-up, often helps", *help],
    )


def not_finite(loop: Loop, state: State, step: int) -> DataError | None:
    """What is to be said of a state that a checkpoint should not hold; None where all in it is finite."""
    broken = broken_arrays({**state["params"], **state["statistics"]})
    what = listed(broken, 4)
    if not broken:
        broken = broken_arrays(_by_name(state["optimiser"]))
        if broken:  # a line search begins with an infinite error, to which one that fails comes back
            begun = broken_arrays(_by_name(loop.steps(loop.epoch_of(step)).continued(state)["optimiser"]))
            broken = [name for name in broken if name not in begun]
        # The last word of where it lies is the parameter.
        what = f"what the optimiser keeps of {listed(dict.fromkeys(name.split()[-1] for name in broken), 4)}"
    if not broken:
        return None
    rate = loop.steps(loop.epoch_of(step)).learning_rate(step - 1)
    where = f", the last of epoch {loop.epoch_of(step)}," if step % loop.steps_per_epoch == 0 else ""
    return DataError(
        "E520",
        f"after step {step}{where} {what} "
        f"{'is' if len(broken) == 1 else 'are'} not finite, though the losses were; {loop.good()}",
        help=[f"the learning rate there is {rate:.4g}: a smaller one, or a warm-up, often helps"],
    )


def _by_name(optimiser: Any) -> Arrays:
    """The floating-point arrays of an optimiser's state, by where they lie in it."""
    leaves, _ = jax.tree.flatten_with_path(optimiser)
    floating = (leaf for leaf in leaves if jnp.issubdtype(leaf[1].dtype, jnp.floating))
    return {jax.tree_util.keystr(path, simple=True, separator=" "): value for path, value in floating}
