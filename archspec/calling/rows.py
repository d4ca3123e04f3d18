"""Calls where devices divide the rows of maps: values in the forms that layers take, and modules for own rows.

`sharding/rows.py` says, as plain data, how each node is computed; this runs it, within `jax.shard_map`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from flax import nnx

from archspec.nn.rows import gathered, part_of, with_neighbours
from archspec.sharding.rows import Form, Rows, Source


class Formed(NamedTuple):
    """A node's value, or its indices, in another form than it is given in."""

    source: Source
    form: Form


def taken(index: int, sources: Sequence[Source], values: dict[Any, jax.Array], rows: Rows) -> list[jax.Array]:
    """What a call takes, in the form that it takes each: own rows, those with the neighbours', or all."""
    numbers = [number for number, port in enumerate(rows.graph.nodes[index].ports) if port != "shape"]
    return [
        formed(source, rows.places[index].form(number), values, rows)
        for number, source in zip(numbers, sources, strict=True)
    ]


def formed(source: Source, form: Form, values: dict[Any, jax.Array], rows: Rows) -> jax.Array:
    """A value in a form. It is kept among the values, so that it is exchanged once for all that take it so."""
    value, divided = values[source], rows.divided(source[0])
    if (form == "whole") != divided and (form == "whole" or not form.top + form.bottom):
        return value
    key = Formed(source, form)
    if key not in values:
        if form == "whole":
            values[key] = gathered(value)
        else:
            brought = with_neighbours if divided else part_of
            values[key] = brought(value, rows.parts, form.top, form.bottom, form.beyond)
    return values[key]


def module_on(index: int, module: Any, rows: Rows) -> Any:
    """The module of a call for what it takes there, with the variables of its own."""
    place = rows.places[index]
    if place.on is None or place.on.layer is None:
        return module
    layer = place.on.layer
    if not rows.graph.nodes[index].arrays:
        return layer.build(place.inputs, nnx.Rngs())
    own = nnx.eval_shape(lambda: layer.build(place.inputs, nnx.Rngs(0)))
    take_variables(own, module)
    return own


def cut(index: int, value: jax.Array, rows: Rows) -> jax.Array:
    """What a call's module gave, without the rows that belong to the neighbours."""
    on = rows.places[index].on
    if on is None or not any(on.cut):
        return value
    top, bottom = on.cut
    return value[:, top : value.shape[1] - bottom]


def take_variables(module: Any, owner: Any) -> None:
    """Puts the variables of a module into another, which has as many by the same names."""
    for name, value in list(vars(module).items()):
        if isinstance(value, nnx.Variable):
            setattr(module, name, getattr(owner, name))
        elif isinstance(value, nnx.List):
            for item, theirs in zip(value, getattr(owner, name), strict=True):
                take_variables(item, theirs)
        elif isinstance(value, nnx.Module):
            take_variables(value, getattr(owner, name))
