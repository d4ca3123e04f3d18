"""What a step makes small, and its gradients: of a batch in one go, or of its parts one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from archspec.graph import Graph
from archspec.images.numbers import given
from archspec.lower import Arrays, Outputs, Pure, narrowed, type_of
from archspec.lowerings.choosing import Lowerings
from archspec.mesh import AXES, SAMPLES
from archspec.metrics import Sums
from archspec.nn.rows import gathered, part_of
from archspec.nn.shards import Shards, averaged
from archspec.passes import DEFAULT, groups_of
from archspec.passes.recompute import Patterns
from archspec.sharding.rows import Rows
from archspec.sharding.statistics import averaged_of
from archspec.spec.train import Precision
from archspec.spec.training import gives_shares
from archspec.tasks import Head
from archspec.training.feeding import Named
from archspec.training.freezing import FrozenParts

TINY = 1e-30

Part = tuple[Named, Named, jax.Array]
"""Inputs and targets of a part of a batch, and its number."""


class Prepared(NamedTuple):
    """What a step takes: inputs, normalised and augmented, and targets, by their names; and the step's key."""

    inputs: Named
    targets: Named
    key: jax.Array


class Found(NamedTuple):
    """What a pass over a batch gives beside its gradients.

    `losses` and `weights` have a number for each term of each head's loss, over the labels that count. `running` is
    what the main output is measured by in training; None where `output`, the main one, is there to be measured yet.
    """

    loss: jax.Array
    statistics: Arrays
    losses: jax.Array
    weights: jax.Array
    output: jax.Array | None = None
    running: Sums | None = None


class Objective:
    """The sum of the heads' losses of one network, and its gradients by the arrays that are trained.

    With `parts` = n > 1 the batch goes through the network in n parts, in its order, whose gradients are added up. Each
    term of a loss is Σ losses/Σ weights over the whole batch, so what a part adds to it is its own Σ losses over the
    *batch's* Σ weights: a label that counts weighs the same in whichever part it is, and n parts make one batch, to
    rounding. The batch's weights are known from its targets before the first pass. Batch normalisation takes each part
    as a batch, and its statistics go on from part to part; a part's random layers have a key of its own.

    With a 16-bit `precision` the passes take a copy of the weights in that type (Micikevicius et al. 2018); layers with
    long sums or exponentials, statistics, outputs and losses are float32, and gradients are as soon as they are there.

    Where the batch is one device's part of a larger one, `shards` say so, within `jax.shard_map`. Losses are then this
    device's shares of the whole batch's, whose weights are summed over all devices before the first pass, and gradients
    are those of all shares by what this device has. `rows` say which layers have a part of a map's rows; what an output
    has of them is held against the same rows of its target. What comes of a pass is summed over devices but for the
    gradients, which `steps.py` sums.

    Of the blocks that `remat` names only what goes in is kept for the backward pass (Chen et al. 2016). Operations are
    computed as `lowerings` choose.
    """

    def __init__(
        self,
        graph: Graph,
        heads: Sequence[Head],
        pure: Pure,
        frozen: FrozenParts,
        parts: int = 1,
        precision: Precision = "float32",
        remat: Patterns = (),
        lowerings: Lowerings | None = None,
        passes: Sequence[str] = DEFAULT,
        shards: Shards | None = None,
        rows: Rows | None = None,
    ) -> None:
        self.heads = heads
        self.pure = pure
        self.frozen = frozen
        self.parts = parts
        self.lowerings = lowerings
        self.type = type_of(precision)
        """The 16-bit type that the passes compute with; None for float32."""
        self.groups = groups_of(graph.pruned("train"), passes, remat, frozen.arrays | frozen.layers)
        """What runs together in a step."""
        self.shards = shards
        self.rows = rows
        self._graph = graph
        self.main = next(head for head in heads if head.name == graph.main_output.name)
        self._moved = () if shards is None else averaged_of(graph, shards.mesh, frozen.layers)
        """Statistics of which a step ends with the mean over devices."""
        self._differentiated = jax.value_and_grad(self._loss, has_aux=True)
        self._shares = {output.name for output in graph.outputs if gives_shares(graph, output)}

    def terms_of(self, head: Head, output: jax.Array, target: jax.Array) -> list[tuple[float, jax.Array, jax.Array]]:
        """What each term of a head's loss is multiplied by, the sum of its losses and that of their weights."""
        # Built while tracing: where only the state's shapes are wanted, the loss need not have seen the data.
        return [(share, *(part.sum() for part in term.build()(output, target))) for term, share in head.loss.terms]

    def measured(self, head: Head, output: jax.Array) -> jax.Array:
        """An output as metrics take it: before the loss's sigmoid, also where the network has applied one itself."""
        return jax.scipy.special.logit(output) if head.name in self._shares and head.loss.link == "sigmoid" else output

    def running(self, found: Found, batch: Prepared) -> Sums:
        """What the main output of a batch is measured by in training; empty where it is by nothing."""
        running = found.running
        if running is None:
            assert found.output is not None
            running = self._running(found.output, batch.inputs, batch.targets)
        metric = self.main.running
        if self.shards is None or metric is None:
            return running
        own = self._has_own_rows(self.main) and metric.by_position
        return self.shards.together(running, metric.joined, AXES if own else SAMPLES)

    def _has_own_rows(self, head: Head) -> bool:
        """Whether a device has its own rows of a head's output, not all."""
        return self.rows is not None and head.name in self.rows.outputs

    def narrowed(self, arrays: Arrays) -> Arrays:
        """Weights as the passes take them."""
        if self.type is None:
            return arrays
        return narrowed(self._graph, arrays, self.type)

    def gradients(
        self,
        trainable: Arrays,
        params: Arrays,
        statistics: Arrays,
        batch: Prepared,
        scale: jax.Array | None = None,
    ) -> tuple[Arrays, Found]:
        """The gradients of the batch's loss by the `trainable` arrays among `params`, and what else came of it.

        With a `scale` it is the loss times it that goes back through the network, so that small gradients are numbers
        of 16 bits; those given are without it.
        """
        trainable, params = self.narrowed(trainable), self.narrowed(params)
        if self.parts > 1:
            gradients, found = self._added(trainable, params, statistics, batch, scale)
        else:
            whole = None if self.shards is None else self._weights(batch)
            (_, (loss, output, after, losses, weights)), gradients = self._differentiated(
                trainable, params, statistics, *batch, whole, scale
            )
            gradients, found = self._widened(gradients), Found(loss, after, losses, weights, output)
        if self.shards is not None:
            loss, losses, weights = self.shards.total((found.loss, found.losses, found.weights))
            after = found.statistics
            after = {**after, **averaged({name: after[name] for name in self._moved}, self.shards)}
            found = found._replace(loss=loss, losses=losses, weights=weights, statistics=after)
        if scale is not None:
            gradients = {name: value / scale for name, value in gradients.items()}
        return gradients, found

    def parted(self, batch: Prepared) -> Iterator[Prepared]:
        """The parts of a batch as they go through the network, each with its key."""
        if self.parts == 1:
            yield batch
            return
        size = next(iter(batch.inputs.values())).shape[0] // self.parts
        for number in range(self.parts):
            inputs, targets = jax.tree.map(
                lambda array, at=number * size: array[at : at + size], (batch.inputs, batch.targets)
            )
            yield Prepared(inputs, targets, jax.random.fold_in(batch.key, number))

    def _widened(self, gradients: Arrays) -> Arrays:
        if self.type is None:
            return gradients
        return {name: value.astype(jnp.float32) for name, value in gradients.items()}

    def value(
        self,
        trainable: Arrays,
        params: Arrays,
        statistics: Arrays,
        batch: Prepared,
        scale: jax.Array | None = None,
    ) -> jax.Array:
        """The batch's loss alone, as a line search asks for it; of its parts one after the other too.

        With a `scale` its gradients are what `gradients` gives with it.
        """
        if scale is not None:
            trainable = {name: _scaled_back(value, 1 / scale) for name, value in trainable.items()}
        trainable, params = self.narrowed(trainable), self.narrowed(params)
        if self.parts == 1:
            whole = None if self.shards is None else self._weights(batch)
            total = self._loss(trainable, params, statistics, *batch, whole)[0]
            return total if scale is None else _scaled_back(total, scale)
        weights = self._weights(batch)

        @jax.checkpoint
        def step(carry: tuple[Arrays, jax.Array], part: Part) -> tuple[tuple[Arrays, jax.Array], None]:
            inputs, targets, number = part
            key = jax.random.fold_in(batch.key, number)
            loss, (_, _, after, *_) = self._loss(trainable, params, carry[0], inputs, targets, key, weights)
            return (after, carry[1] + loss), None

        (_, total), _ = lax.scan(step, (statistics, jnp.zeros(())), self._numbered(batch))
        return total if scale is None else _scaled_back(total, scale)

    def _numbered(self, batch: Prepared) -> Part:
        """The batch in parts of equal size, one after the other, each with its number."""
        size = next(iter(batch.inputs.values())).shape[0]
        if size % self.parts:
            raise ValueError(f"a batch of {size} has no {self.parts} equal parts")
        inputs, targets = jax.tree.map(
            lambda array: array.reshape(self.parts, size // self.parts, *array.shape[1:]), (batch.inputs, batch.targets)
        )
        return inputs, targets, jnp.arange(self.parts)

    def _loss(
        self,
        trainable: Arrays,
        params: Arrays,
        statistics: Arrays,
        inputs: Named,
        targets: Named,
        key: jax.Array,
        weights: Sequence[jax.Array] | None = None,
        scale: jax.Array | None = None,
    ) -> tuple[jax.Array, tuple[Any, ...]]:
        """The loss of samples; of a part of a batch, whose `weights` are then given, what they add to the batch's."""
        arrays = {name: trainable.get(name, value) for name, value in params.items()}
        outputs, after = self.pure.apply(
            arrays,
            statistics,
            given(inputs),
            train=True,
            key=key,
            frozen=self.frozen.layers,
            precision=self.type,
            groups=self.groups,
            lowerings=self.lowerings,
            shards=self.shards,
            rows=self.rows,
        )
        named = named_outputs(outputs, self.main.name)
        total = jnp.zeros(())
        losses: list[jax.Array] = []
        counts: list[jax.Array] = []
        for head in self.heads:
            for share, value, weight in self._shares_of(head, named[head.name], head.chosen(inputs, targets)):
                whole = weight if weights is None else weights[len(counts)]
                # A batch without a label that counts has no loss.
                total = total + head.weight * share * value / jnp.maximum(whole, TINY)
                losses.append(value)
                counts.append(weight)
        found = (total, named[self.main.name], after, jnp.stack(losses), jnp.stack(counts))
        return total if scale is None else total * scale, found

    def _added(
        self, trainable: Arrays, params: Arrays, statistics: Arrays, batch: Prepared, scale: jax.Array | None
    ) -> tuple[Arrays, Found]:
        numbered = self._numbered(batch)
        weights = self._weights(batch)

        def passed(statistics: Arrays, part: Part) -> tuple[Arrays, tuple[Any, ...], Sums]:
            """The statistics after a part, what is added up over the parts, and what of them is joined."""
            inputs, targets, number = part
            key = jax.random.fold_in(batch.key, number)
            (_, (loss, output, after, losses, counts)), gradients = self._differentiated(
                trainable, params, statistics, inputs, targets, key, weights, scale
            )
            running = self._running(output, inputs, targets)
            joined = self.main.running is not None and self.main.running.joined
            added = {} if joined else running
            return after, (self._widened(gradients), loss, losses, counts, added), running if joined else {}

        first = jax.tree.map(lambda array: array[0], numbered)
        _, sums, _ = jax.eval_shape(passed, statistics, first)

        def step(carry: tuple[Arrays, Any], part: Part) -> tuple[tuple[Arrays, Any], Sums]:
            after, added, joined = passed(carry[0], part)
            return (after, jax.tree.map(jnp.add, carry[1], added)), joined

        begun = (statistics, jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), sums))
        (after, (gradients, loss, losses, counts, added)), joined = lax.scan(step, begun, numbered)
        joined = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), joined)
        return gradients, Found(loss, after, losses, counts, running={**added, **joined})

    def _weights(self, batch: Prepared) -> list[jax.Array]:
        """What the labels of a batch weigh in each term of each head's loss, which its targets alone say."""
        found: list[jax.Array] = []
        for head in self.heads:
            target = head.chosen(batch.inputs, batch.targets)
            output = jnp.zeros((target.shape[0], *head.type.shape))
            found.extend(weight for _, _, weight in self._shares_of(head, output, target))
        return found if self.shards is None else list(self.shards.total(found))

    def _shares_of(self, head: Head, output: jax.Array, target: jax.Array) -> list[tuple[float, jax.Array, jax.Array]]:
        """As `terms_of`, of which this device has its share: what all devices of `spatial` have alike counts once.

        An output of own rows is held against the same rows of its target, or where a loss is none of positions, made
        whole. One that is whole, as when weights are asked for, may be of an output of own rows.
        """
        if self.shards is None or self.shards.mesh.spatial == 1:
            return self.terms_of(head, output, target)
        parts = self.shards.mesh.spatial
        if self._has_own_rows(head):
            if all(term.by_position for term, _ in head.loss.terms):
                own = output.shape[1] < head.type.shape[0]
                output = output if own else part_of(output, parts)
                return self.terms_of(head, output, part_of(target, parts))
            output = self._made_whole(head, output)
        return [(share, value / parts, weight / parts) for share, value, weight in self.terms_of(head, output, target)]

    def _made_whole(self, head: Head, output: jax.Array) -> jax.Array:
        """An output of all rows, of one of own rows."""
        return gathered(output) if output.shape[1] < head.type.shape[0] else output

    def _running(self, output: jax.Array, inputs: Named, targets: Named) -> Sums:
        metric = self.main.running
        if metric is None:
            return {}
        target = self.main.chosen(inputs, targets)
        if self.rows is not None and self._has_own_rows(self.main):
            if metric.by_position:
                target = part_of(target, self.rows.parts)
            else:
                output = self._made_whole(self.main, output)
        return metric.build(self.main.loss)(self.measured(self.main, output), target)


@jax.custom_vjp
def _scaled_back(value: jax.Array, scale: jax.Array) -> jax.Array:
    """The value itself, whose gradient comes out times a scale."""
    return value


_scaled_back.defvjp(lambda value, scale: (value, scale), lambda scale, gradient: (gradient * scale, jnp.zeros(())))


def named_outputs(outputs: Outputs, main: str) -> dict[str, jax.Array]:
    """A network's outputs by name, where there is one only too."""
    return outputs if isinstance(outputs, dict) else {main: outputs}


def trained_of(arrays: Mapping[str, Any], frozen: FrozenParts) -> dict[str, Any]:
    """The arrays that are trained."""
    return {name: value for name, value in arrays.items() if name not in frozen.arrays}
