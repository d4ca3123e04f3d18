"""Calls of which the backward pass keeps what goes in, and computes the rest anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.calling.calls import Run, Values, Way, given_to, wanted_of
from archspec.passes import Group


def run(group: Group, values: Values, way: Way, inner: Run) -> None:
    """Adds what other calls take of a group to the values; the rest is forgotten until the backward pass."""
    taken, wanted = given_to(group.members, way.program), wanted_of(group.members, way.program)
    own: Any = [way.module(index) for index in group.members]
    definition, state = nnx.split(own)

    def compute(state: Any, given: list[jax.Array], drawn: Any) -> tuple[list[jax.Array], Any]:
        modules = dict(zip(group.members, nnx.merge(definition, state), strict=True))
        within: Values = dict(zip(taken, given, strict=True))
        key, varying = drawn
        own_way = way._replace(module=modules.__getitem__, key=key, varying=varying)
        inner(group.members, group.inner, within, own_way)
        return [within[source] for source in wanted], nnx.state(list(modules.values()), nnx.Not(nnx.Param))

    made, after = _run_again(compute, state, [values[source] for source in taken], (way.key, way.varying))
    values.update(zip(wanted, made, strict=True))
    nnx.update(own, after)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run_again(run: Callable[..., Any], state: Any, given: list[jax.Array], drawn: Any) -> Any:
    """run(state, given, drawn), of which the backward pass keeps the arguments and computes the rest anew.

    What it computes from depends on the gradient that comes in, so that no compiler takes it for what the forward pass
    has computed: XLA on CPUs drops the barriers of `jax.checkpoint`, keeps one of both, and saves nothing.
    """
    return run(state, given, drawn)


def _forward(run: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    return run(*arguments), arguments


def _backward(run: Callable[..., Any], arguments: Any, gradients: Any) -> tuple[Any, ...]:
    state, given, drawn = arguments
    first = next(value for value in jax.tree.leaves(gradients) if jnp.issubdtype(value.dtype, jnp.floating))
    # No number is above infinity.
    never = first.reshape(-1)[0] > jnp.inf

    def late(value: jax.Array) -> jax.Array:
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            data = late(jax.random.key_data(value))
            wrapped: jax.Array = jax.random.wrap_key_data(data, impl=jax.random.key_impl(value))
            return wrapped
        return jnp.where(never, jnp.zeros((), value.dtype), value)

    given, drawn = jax.tree.map(late, (given, drawn))
    _, back = jax.vjp(lambda state, given: run(state, given, drawn), state, given)
    return (*back(gradients), None)


_run_again.defvjp(_forward, _backward)
