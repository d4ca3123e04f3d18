"""A program's calls, and what one call does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from archspec.calling import rows as on_rows
from archspec.calling.rows import Formed
from archspec.diagnostics import Span
from archspec.kinds import Kind
from archspec.lowerings.choosing import Lowerings
from archspec.nn.shards import Shards
from archspec.passes import Group
from archspec.plugins import failure
from archspec.sharding.rows import Rows, Source


class Foreign(NamedTuple):
    """The kind of a layer that is not this package's own, and where the layer was written."""

    kind: type[Kind]
    span: Span | None


class Call(NamedTuple):
    """One call while tracing. `inputs` say which node, and whether its indices are meant instead of its value.

    `owner` is the node whose arrays it uses: that of its own name, unless they are shared.
    """

    name: str
    owner: str
    path: tuple[str | int, ...]
    inputs: tuple[tuple[int, bool], ...]
    gives_indices: bool
    uses_mode: bool
    uses_key: bool
    varying: tuple[str, ...]
    uses_lowerings: bool
    uses_shards: bool
    full_precision: bool
    hash: int
    foreign: Foreign | None


class Program(NamedTuple):
    """The calls that a mode's outputs need, in order, and where the outputs are."""

    steps: tuple[Call, ...]
    outputs: tuple[tuple[str, int], ...]


Values = dict[Source | Formed, jax.Array]
"""What nodes give, by index, and their indices of maxima, where the second is true; both in other forms too, where
rows are divided."""


class Way(NamedTuple):
    """How a program is run."""

    program: Program
    module: Callable[[int], Any]
    """The module of a call, by its index."""
    train: bool
    key: jax.Array | None = None
    frozen: frozenset[str] = frozenset()
    precision: Any = None
    lowerings: Lowerings | None = None
    folded: bool = False
    """Whether the arrays are those that the function of `Pure.folding` gave."""
    shards: Shards | None = None
    """How the batch is divided, within `jax.shard_map`; None where this is all of it."""
    rows: Rows | None = None
    """How the rows of maps are divided too, over the devices of `spatial`."""

    varying: Mapping[int, Mapping[str, jax.Array]] = {}
    """By a call's index, numbers that differ among the rounds of a loop: its `hash`, and fields that are `varying`."""

    through: Mapping[str, Callable[[jax.Array], jax.Array]] = {}
    """By a call's name, a function that what it gives goes through before others take it: for looking inside. Of what
    is in a group nothing goes through."""

    @property
    def outputs(self) -> set[int]:
        return {index for _, index in self.program.outputs}


HASH = "hash"
"""What a call's key is made with, among what is `varying`."""

Run = Callable[[Iterable[int], Sequence[Group], Values, Way], None]
"""Adds to the values what calls give, some of which are in groups: `groups.run`."""

Runner = Callable[[Group, Values, Way, Run], None]
"""Adds to the values what calls outside a group take of it. The last argument runs calls within it."""


def call(index: int, values: Values, way: Way) -> None:
    """Adds what a call gives to the values."""
    step = way.program.steps[index]
    options = options_of(step, way, way.varying.get(index, {}))
    module = way.module(index)
    # Profilers and dumps of compiled programs show the path, of the backward pass too.
    with jax.named_scope(step.name):
        taken = taken_by(index, values, way)
        if way.rows is None:
            value = _called(module, taken, options, step)
        else:
            if step.uses_shards and way.shards is not None:
                options["shards"] = way.shards._replace(rows=way.rows.places[index].on is not None)
            value = _called(on_rows.module_on(index, module, way.rows), taken, options, step)
            value = value if step.gives_indices else on_rows.cut(index, value, way.rows)
    if step.gives_indices:
        value, values[index, True] = value
    keep(index, value, values, way)


def options_of(step: Call, way: Way, varying: Mapping[str, jax.Array] = {}) -> dict[str, Any]:
    """What a call's module is told beside what it takes, in a loop also numbers that vary.

    Raises `ValueError` where it is random and there is no key.
    """
    options: dict[str, Any] = dict(varying)
    number = options.pop(HASH, step.hash)
    if step.gives_indices:
        options["indices"] = True
    if step.uses_mode:
        options["train"] = way.train and step.owner not in way.frozen
    if step.uses_key and way.train:
        if way.key is None:
            raise ValueError(
                f"{step.name} is random and needs a key while training: network(x, train=True, "
                "key=jax.random.key(0)), another one for each step"
            )
        # A layer's key depends on its own path alone, so other layers can come and go.
        key = jax.random.fold_in(way.key, number)
        # What is not told of shards would draw the same for the samples of every device.
        alone = way.shards is not None and not step.uses_shards
        options["key"] = jax.random.fold_in(key, way.shards.sample_part()) if way.shards and alone else key
    if step.uses_lowerings:
        options["lowerings"] = way.lowerings
    if step.uses_shards:
        options["shards"] = way.shards
    return options


def _called(module: Any, taken: Sequence[jax.Array], options: Mapping[str, Any], step: Call) -> Any:
    """What a call's module gives. Raises `SpecError` where the code of a kind of another's fails."""
    if step.foreign is None:
        return module(*taken, **options)
    try:
        return module(*taken, **options)
    except (jax.errors.JaxRuntimeError, MemoryError):
        raise
    except Exception as error:
        raise failure(step.name, step.foreign.kind, error, step.foreign.span) from error


def taken_by(index: int, values: Values, way: Way) -> list[jax.Array]:
    """What a call takes, in the precision that it computes in."""
    step = way.program.steps[index]
    taken = (
        [values[source] for source in step.inputs]
        if way.rows is None
        else on_rows.taken(index, step.inputs, values, way.rows)
    )
    if way.precision is None:
        return taken
    wanted = jnp.float32 if step.full_precision else way.precision
    return [_as(wanted, value) for value in taken]


def keep(index: int, value: jax.Array, values: Values, way: Way) -> None:
    """Adds what a call gave to the values, in the precision that layers pass on."""
    step = way.program.steps[index]
    if step.name in way.through:
        value = way.through[step.name](value)
    # What a layer in float32 gives as an output of the network is not rounded.
    full = step.full_precision and index in way.outputs
    values[index, False] = value if way.precision is None or full else _as(way.precision, value)


def given_to(members: Collection[int], program: Program) -> list[tuple[int, bool]]:
    """What calls take of others than themselves."""
    own = set(members)
    taken = {source for index in members for source in program.steps[index].inputs}
    return sorted(source for source in taken if source[0] not in own)


def wanted_of(members: Collection[int], program: Program) -> list[tuple[int, bool]]:
    """What other calls and the network's outputs take of these."""
    own = set(members)
    later = {source for index, step in enumerate(program.steps) if index not in own for source in step.inputs}
    later |= {(index, False) for _, index in program.outputs}
    return sorted(source for source in later if source[0] in own)


def _as(kind: Any, value: jax.Array) -> jax.Array:
    """Floating-point numbers in another type; whole ones, such as indices, as they are."""
    return value.astype(kind) if jnp.issubdtype(value.dtype, jnp.floating) else value
