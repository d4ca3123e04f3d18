"""The compiled functions: one training step, one evaluation step. Pure functions of pytrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from archspec.graph import Graph
from archspec.images.numbers import finished, given, mean_colour, normalised, normalised_inputs, scaled
from archspec.lower import Arrays, Network, Pure, build, narrowing, outline, split, type_of
from archspec.lowerings.choosing import Lowerings, of_mode
from archspec.lowerings.compiling import jit
from archspec.mesh import AXES
from archspec.nn.shards import Shards
from archspec.passes import groups_of
from archspec.sharding.rows import rows_of
from archspec.spec.network import ImageInput
from archspec.tasks import Head
from archspec.training import averaging, scaling
from archspec.training.augmentation import Changed, augmented, epoch_key
from archspec.training.device_mesh import DeviceMesh, device_mesh
from archspec.training.divided import Divided
from archspec.training.feeding import Batch, Named
from archspec.training.freezing import NOTHING, FrozenParts
from archspec.training.objective import Found, Objective, Prepared, named_outputs, trained_of
from archspec.training.updates import factor_of, transformation

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.inputs import Input
    from archspec.spec.train import Precision, Train

FACTOR = "factor"
"""The state's name of what the learning rate is multiplied by, where a plateau decides that."""

State = dict[str, Any]
"""params, statistics, optimiser, key (as data), step; where the recipe asks for it also ema (params and statistics),
scaling (of the loss) and factor (of the learning rate, by a plateau)."""

Figures = dict[str, Any]
"""What a step adds to its epoch's metrics: `losses` and `weights`, a number for each term of each head's loss, over the
labels that count; `running`, what the main output is measured by in training; `finite`, whether the step's loss is, and
in float16 a scale is left at which gradients could be."""

Sums = dict[str, Any]
"""What a batch adds in evaluation: `losses` and `weights`, and under `metrics` the sums of each head's, in order."""


class Steps(NamedTuple):
    """Compiled functions of one network and recipe, for a stretch of training in which the same arrays are frozen."""

    initial: Callable[[Arrays | None], State]
    """(initial arrays by name, or None) → state; the arrays given take the place of those drawn."""
    template: State
    """The state's shapes and types."""
    continued: Callable[[State], State]
    """A state of another stretch of training → the same with an optimiser that begins anew."""
    prepare: Callable[[State, Batch], Prepared]
    """(state, batch) → what `train` gives the network at that state's step; of whole arrays on one device."""
    train: Callable[[State, Batch], tuple[State, Figures]]
    """(state, batch) → (state, figures); the state given is used up."""
    folded: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]
    """(params, statistics) → those that `evaluate` takes, with what passes do to them done once for many batches."""
    evaluate: Callable[[Arrays, Arrays, Named, Named], Sums]
    """(folded params, folded statistics, inputs, targets) → sums; targets below 0 do not count."""
    normalised: Callable[[Named], Named]
    """Inputs as the network is given them in evaluation."""
    learning_rate: Callable[[int], float]
    pure: Pure
    parts: Callable[[Prepared], Iterator[Prepared]]
    """The micro-batches of what `train` gives the network."""
    network: Callable[[State], Network]
    """The network as a step runs it, with the weights of a state in the precision of its passes."""
    type: Any
    """The 16-bit type of the passes; None for float32."""
    seen: Any
    """That of evaluation."""
    lowerings: Lowerings
    """What chooses how operations are computed, in training and evaluation."""
    devices: DeviceMesh | None = None
    """The devices that steps are divided over; None where it is one. States and batches lie as it says."""


def make_steps(
    spec: Spec,
    steps_per_epoch: int,
    *,
    heads: Sequence[Head] | None = None,
    frozen: FrozenParts = NOTHING,
    offset: int = 0,
    begin: int = 0,
    lowerings: Lowerings | None = None,
) -> Steps:
    """The functions of a spec that has a recipe. Nothing is compiled yet: each function is when first called, once.

    `heads` are the spec's unless such are given whose losses were fitted to the data. `offset` is the number of steps
    that came before this stretch: the schedule goes on from there. `begin` is the place in `augment` before which
    batches come with everything done. `lowerings` are those that the recipe asks for unless others are given.
    """
    assert spec.train is not None
    own = spec.heads() if heads is None else heads
    return steps_of(
        spec.graph(),
        spec.inputs,
        own,
        spec.train,
        steps_per_epoch,
        frozen=frozen,
        offset=offset,
        begin=begin,
        lowerings=lowerings,
    )


def steps_of(
    graph: Graph,
    sections: Mapping[str, Input],
    heads: Sequence[Head],
    train: Train,
    steps_per_epoch: int,
    *,
    frozen: FrozenParts = NOTHING,
    offset: int = 0,
    begin: int = 0,
    lowerings: Lowerings | None = None,
    seen_in: Precision = "float32",
) -> Steps:
    """As `make_steps`, of the parts of a spec. `seen_in` is the precision of evaluation.

    The blocks of `remat: auto` have been chosen, by `fitting.py`.
    """
    if train.remat == "auto":
        raise ValueError("the blocks of `remat: auto` are not chosen yet")
    pure, *shapes = outline(graph)
    factor = factor_of(train, steps_per_epoch)
    optimiser = transformation(train, graph, (lambda step: factor(step + offset)) if offset else factor)
    chosen = of_mode(train.lowerings) if lowerings is None else lowerings
    devices = device_mesh(train, graph)
    shards = None if devices is None else Shards(devices.mesh)
    rows = rows_of(graph, devices.mesh) if devices is not None and devices.mesh.spatial > 1 else None
    objective = Objective(
        graph,
        heads,
        pure,
        frozen,
        train.micro_batches,
        train.precision,
        train.remat,
        chosen,
        train.passes,
        shards,
        rows,
    )
    over = None if devices is None else Divided(devices, objective.narrowed)
    scales = train.precision == "float16"
    groups = groups_of(graph.pruned("eval"), train.passes)
    seen = type_of(seen_in)
    main, trained = objective.main, partial(trained_of, frozen=frozen)

    def initial(given: Arrays | None = None) -> State:
        whole = given is not None and all(name in given for part in shapes for name in part)
        drawn = shapes if whole else split(build(graph, seed=train.seed))[1:]
        laid = [{name: (given or {}).get(name, value) for name, value in part.items()} for part in drawn]
        if devices is not None:
            placed = (devices.put(part, devices.shardings(part)) for part in laid)
            return over_devices(beginning, *placed)
        # The arrays are copied, since the first step uses its state up.
        return beginning(*jax.device_put(laid, may_alias=False))

    def beginning(params: Arrays, statistics: Arrays) -> State:
        key = jax.random.fold_in(jax.random.key(train.seed), 1)
        return {
            "params": params,
            "statistics": statistics,
            "optimiser": optimiser.init(trained(params)),
            "key": jax.random.key_data(key),
            "step": jnp.zeros((), jnp.int32),
            **({"ema": averaging.begun(params, statistics)} if train.ema else {}),
            **({"scaling": scaling.begun()} if scales else {}),
            **({FACTOR: jnp.ones((), jnp.float32)} if train.schedule.kind == "plateau" else {}),
        }

    def over_devices(function: Callable[..., State], *given: Any) -> State:
        """What a function of arrays on the devices gives, each array where it is to lie."""
        assert devices is not None
        wanted = devices.shardings(jax.eval_shape(function, *given))
        made: State = jit(function, chosen, devices.options, out_shardings=wanted)(*given)
        return made

    def begun_anew(state: State) -> State:
        return {**state, "optimiser": optimiser.init(trained(state["params"]))}

    def continued(state: State) -> State:
        return begun_anew(state) if devices is None else over_devices(begun_anew, state)

    def prepare(state: State, batch: Batch, shards: Shards | None = None) -> Prepared:
        key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
        targets = computed(batch.targets)
        if not train.augment:
            return Prepared(normalised_inputs(batch.inputs, sections), targets, key)
        images = {name: input for name, input in sections.items() if isinstance(input, ImageInput)}
        inputs = {name: scaled(x, images[name]) if name in images else x for name, x in batch.inputs.items()}
        means = {name: mean_colour(image) for name, image in images.items()}
        changed = Changed(means, maps_of(heads, targets), classes_of(heads, targets))
        # A key of its own, not of the step's: what a sample is in an epoch does not depend on where its step is.
        epoch = epoch_key(train.seed, state["step"] // steps_per_epoch)
        inputs, targets = augmented(
            inputs, targets, batch.index, train.augment, changed, epoch, None, begin, shards, train.micro_batches
        )
        made = {
            name: finished(inputs[name], images[name]) if name in images else normalised(inputs[name], input)
            for name, input in sections.items()
        }
        return Prepared(made, targets, key)

    def train_step(state: State, batch: Batch) -> tuple[State, Figures]:
        before = trained(state["params"])
        scale = state["scaling"]["scale"] if scales else None
        if over is None:
            prepared = prepare(state, batch)
            gradients, found = objective.gradients(before, state["params"], state["statistics"], prepared, scale)

            def value(arrays: Arrays) -> jax.Array:
                return objective.value(arrays, state["params"], state["statistics"], prepared, scale)
        else:
            gradients, found = over.passes(passed, before, state, batch, scale)

            def value(arrays: Arrays) -> jax.Array:
                return over.value(valued, arrays, state, batch, scale)

        updates, optimiser_state = optimiser.update(
            gradients, state["optimiser"], before, value=found.loss, grad=gradients, value_fn=value
        )
        if FACTOR in state:
            updates = jax.tree.map(lambda update: update * state[FACTOR], updates)
        after = optax.apply_updates(before, updates)
        running = objective.running(found, prepared) if over is None else found.running
        new = {
            "params": {name: after.get(name, value) for name, value in state["params"].items()},
            "statistics": found.statistics,
            "optimiser": optimiser_state,
            "key": state["key"],
            "step": state["step"] + 1,
            **({FACTOR: state[FACTOR]} if FACTOR in state else {}),
        }
        if train.ema:
            new["ema"] = averaging.averaged(train.ema, state["ema"], new["params"], new["statistics"], new["step"])
        finite = jnp.isfinite(found.loss)
        if scales:
            fine = scaling.finite(gradients)
            # A step that is skipped leaves everything but the count as it was, statistics too.
            kept = {name: jax.tree.map(partial(jnp.where, fine), new[name], state[name]) for name in new}
            new = {**kept, "step": new["step"], "scaling": scaling.after(state["scaling"], fine)}
            finite &= ~scaling.exhausted(new["scaling"])
        return new, {"losses": found.losses, "weights": found.weights, "running": running, "finite": finite}

    def passed(before: Arrays, state: State, batch: Batch, scale: jax.Array | None) -> tuple[Arrays, Found]:
        """A device's gradients, and what is found over all devices."""
        prepared = prepare(state, batch, shards)
        gradients, found = objective.gradients(before, state["params"], state["statistics"], prepared, scale)
        return gradients, found._replace(running=objective.running(found, prepared), output=None)

    def valued(arrays: Arrays, state: State, batch: Batch, scale: jax.Array | None) -> jax.Array:
        """A device's share of the loss."""
        return objective.value(arrays, state["params"], state["statistics"], prepare(state, batch, shards), scale)

    def evaluate_step(params: Arrays, statistics: Arrays, inputs: Named, targets: Named) -> Sums:
        inputs, targets = normalised_inputs(inputs, sections), computed(targets)
        outputs, _ = pure.apply(
            params,
            statistics,
            given(inputs),
            train=False,
            precision=seen,
            groups=groups,
            lowerings=chosen,
            folded=True,
        )
        named = named_outputs(outputs, main.name)
        terms, metrics = [], {}
        for head in evaluated(heads):
            output, target = named[head.name], head.chosen(inputs, targets)
            terms.extend(objective.terms_of(head, output, target))
            if head.metrics:
                output = objective.measured(head, output)
                metrics[head.name] = [metric.build(head.loss)(output, target) for metric in head.metrics]
        _, losses, weights = zip(*terms, strict=True)
        sums = {"losses": jnp.stack(losses), "weights": jnp.stack(weights)}
        if shards is not None:
            sums = shards.total(sums)
            for head in evaluated(heads):
                own = zip(metrics.get(head.name, ()), head.metrics, strict=False)
                metrics |= {head.name: [shards.together(part, metric.joined, AXES) for part, metric in own]}
        return {**sums, "metrics": metrics}

    def train_over_devices() -> Any:
        if devices is None:
            return jit(train_step, chosen, precision=objective.type, donate_argnums=0)
        # Where the state lies is said, so that the next step is the same program.
        shardings = (template_shardings, devices.whole)
        return jit(train_step, chosen, devices.options, objective.type, donate_argnums=0, out_shardings=shardings)

    def network(state: State) -> Network:
        own = (objective.narrowed(state["params"]), state["statistics"])
        return pure.merge(*(own if devices is None else devices.local(own)))

    folding = pure.folding(groups, narrowing(graph, seen))
    template = jax.eval_shape(beginning, *shapes)
    template_shardings = None if devices is None else devices.shardings(template)

    return Steps(
        initial,
        template if devices is None else devices.shaped(template),
        continued,
        prepare,
        train_over_devices(),
        folding if devices is None else lambda params, statistics: folding(*devices.gathered((params, statistics))),
        jit(evaluate_step, chosen, precision=seen)
        if devices is None or over is None
        else jit(over.evaluation(evaluate_step), chosen, devices.options, seen),
        lambda inputs: normalised_inputs(inputs, sections),
        lambda step: float(train.optimiser.learning_rate * factor(step)),
        pure,
        objective.parted,
        network,
        objective.type,
        seen,
        chosen,
        devices,
    )


def weights_of(state: State) -> tuple[Arrays, Arrays]:
    """Parameters and statistics that a state's network is evaluated and used with: the averages where there are any."""
    own = state.get("ema", state)
    return own["params"], own["statistics"]


def computed(targets: Named) -> Named:
    """Targets in the types that losses and metrics compute with: 32 bits, whole numbers or floating-point ones."""
    return {
        name: array.astype(jnp.float32 if jnp.issubdtype(array.dtype, jnp.floating) else jnp.int32)
        for name, array in targets.items()
    }


def maps_of(heads: Sequence[Head], targets: Iterable[str]) -> set[str]:
    """The targets that are maps, as the outputs are that are to find them."""
    names = list(targets)
    return {head.target_among(names) for head in heads if head.type.is_map and not head.remakes}


def classes_of(heads: Sequence[Head], targets: Iterable[str]) -> dict[str, int]:
    """How many classes there are of each target that is a whole number of them."""
    names = list(targets)
    return {
        head.target_among(names): head.type.channels
        for head in heads
        if head.task.answer == "classes" and not head.remakes
    }


def evaluated(heads: Sequence[Head]) -> list[Head]:
    """The heads that evaluation has, in order."""
    return [head for head in heads if not head.train_only]
