"""Alike blocks, one after the other, as the rounds of one loop: a block is traced, and compiled, once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from archspec.calling.calls import HASH, Run, Values, Way, given_to
from archspec.calling.rows import formed
from archspec.passes import Group
from archspec.sharding.rows import NONE, unrolled

KEPT = {"conv_general_dilated", "dot_general", "reduce_sum", "psum", "ppermute", "all_gather"}
"""Operations of JAX whose results a round keeps for the backward pass; it computes all others anew. What devices send
one another is kept, since to ask for it again costs more than to compute."""


def run(group: Group, values: Values, way: Way, inner: Run) -> None:
    """Adds what the last block gives to the values.

    The second block stands for all: what it takes of the first is what goes from round to round. Arrays are stacked
    while the program runs, so nothing else knows of it; new statistics are taken apart again. A layer's key is made
    with the number of its own path, as everywhere, which is therefore a number of its round.
    """
    if way.rows is not None and not way.rows.alike(group):
        inner(group.members, unrolled(group), values, way)
        return
    size = len(group.members) // group.rounds
    first, block = group.members[:size], group.members[size : 2 * size]
    before = range(first[0], first[0] + size)
    taken = given_to(block, way.program)
    handed = [source for source in taken if source[0] in before]
    begun = [
        values[source] if way.rows is None or not way.rows.divided(other[0]) else formed(source, NONE, values, way.rows)
        for source, other in zip(_begun(handed, first, block, way), handed, strict=True)
    ]
    fixed: Values = {source: values[source] for source in taken if source[0] not in before}
    modules = [
        [way.module(index) for index in group.members[begin : begin + size]]
        for begin in range(0, len(group.members), size)
    ]
    definition, structure = _parts(modules[1])
    places = _places(begun, group.rounds)
    leaves = zip(*(jax.tree.leaves(_state(own)) for own in modules), strict=True)
    stacked = [_stacked(list(own), places) for own in leaves]
    varying = _varying(group, modules, size, way)

    def body(carry: list[jax.Array], rounds: Any) -> tuple[list[jax.Array], list[jax.Array]]:
        leaves, own = rounds
        made = nnx.merge(definition, jax.tree.unflatten(structure, leaves))
        within: Values = {**fixed, **dict(zip(handed, carry, strict=True))}
        by_index = dict(zip(block, made, strict=True))
        inner(block, group.inner, within, way._replace(module=by_index.__getitem__, varying=own))
        after = [within[place + size, port] for place, port in handed]
        return after, jax.tree.leaves(nnx.state(made, nnx.Not(nnx.Param)))

    # A loop keeps for the backward pass whatever it is not told to compute anew, and XLA cannot choose any more.
    keeps = way.train and not any(group.how == "recompute" for group in group.inner)
    turn = jax.checkpoint(body, policy=_costly, prevent_cse=False) if keeps else body
    last, after = lax.scan(turn, begun, (stacked, varying))
    begin = group.members[-size] - first[0]
    values.update({(place + begin, port): value for (place, port), value in zip(handed, last, strict=True)})
    for own, place in zip(modules, places, strict=True):
        others = nnx.state(own, nnx.Not(nnx.Param))
        nnx.update(own, jax.tree.unflatten(jax.tree.structure(others), [_at(leaf, place) for leaf in after]))


def _costly(operation: Any, *_: Any, **__: Any) -> bool:
    """Whether what an operation gave is kept for the backward pass; all else is a few operations an element."""
    return operation.name in KEPT


def _places(values: list[jax.Array], rounds: int) -> list[jax.Array]:
    """0, 1, 2, … as numbers that no compiler knows.

    Parts of an array at places that are known are as many programs; at places that are not they are one, which XLA
    compiles once. Otherwise taking arrays apart would take longer to compile than the blocks.
    """
    known = next(value for value in values if jnp.issubdtype(value.dtype, jnp.floating))
    # No number is above infinity, so the loop has no rounds.
    more = (lax.stop_gradient(known).reshape(-1)[0] > jnp.inf).astype(jnp.int32)
    begun = (more, [jnp.asarray(place, jnp.int32) for place in range(rounds)])
    ended = lax.while_loop(lambda at: at[0] > 0, lambda at: (at[0] - 1, [place ^ 1 for place in at[1]]), begun)
    return list(ended[1])


def _at(stacked: jax.Array, place: jax.Array) -> jax.Array:
    part: jax.Array = lax.dynamic_index_in_dim(stacked, place, keepdims=False)
    return part


@jax.custom_vjp
def _stacked(arrays: list[jax.Array], places: list[jax.Array]) -> jax.Array:
    return jnp.stack(arrays)


_stacked.defvjp(
    lambda arrays, places: (jnp.stack(arrays), places),
    lambda places, gradient: ([_at(gradient, place) for place in places], None),
)


def _begun(
    handed: list[tuple[int, bool]], first: tuple[int, ...], block: tuple[int, ...], way: Way
) -> list[tuple[int, bool]]:
    """What the first block takes where the second takes what the first hands on."""
    steps = way.program.steps
    found = {
        theirs: mine
        for own, other in zip(first, block, strict=True)
        for mine, theirs in zip(steps[own].inputs, steps[other].inputs, strict=True)
    }
    return [found[source] for source in handed]


def _state(modules: list[Any]) -> Any:
    return nnx.split(modules)[1]


def _parts(modules: list[Any]) -> tuple[Any, Any]:
    definition, state = nnx.split(modules)
    return definition, jax.tree.structure(state)


def _varying(group: Group, modules: list[list[Any]], size: int, way: Way) -> dict[int, dict[str, jax.Array]]:
    """By the index of the second block's calls, what is another number in each round."""
    found: dict[int, dict[str, jax.Array]] = {}
    for place in range(size):
        steps = [way.program.steps[index] for index in group.members[place::size]]
        own = found[group.members[size + place]] = {}
        if steps[0].uses_key and way.train:
            own[HASH] = jnp.asarray([step.hash for step in steps], jnp.uint32)
        for name in steps[0].varying:
            numbers = [getattr(layers[place], name) for layers in modules]
            if len(set(numbers)) > 1:
                own[name] = jnp.asarray(numbers, jnp.float32)
    return {index: own for index, own in found.items() if own}
