"""What a layer says it would fit with, as mends of the entry that it is written as. Imported once a layer says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from archspec.diagnostics import Diagnostic, Mend, Setting, ShapeError
from archspec.elaborate.scope import Entry
from archspec.graph import GraphInput
from archspec.kinds import find_kind
from archspec.layers import Layer
from archspec.located import Mapping
from archspec.spec import mending
from archspec.spec.reading import fields_of
from archspec.types import TensorType


def mends_of(
    settings: Iterable[Setting], layer: Layer, types: Sequence[TensorType], entry: Entry, outer: Setting | None = None
) -> tuple[Mend, ...]:
    """Mends by what a layer says, each of which it was found to fit its inputs with.

    `outer` is what the entry around it says, which made it. None of a layer that nobody wrote.
    """
    good = [way for way in settings if not entry.implied and _fits(way, layer, types, entry)]
    made = mending.set_fields(entry.kind_node.span, layer.main, good)
    if outer is not None:
        made += mending.set_fields(entry.kind_node.span, None, [outer])
    return tuple(made)


def _fits(way: Setting, layer: Layer, types: Sequence[TensorType], entry: Entry) -> bool:
    """Whether the layer takes its inputs when it is as a way says."""
    taken, changed = tuple(types), layer
    try:
        if way.before is not None:
            if isinstance(entry.content, Mapping) and "from" in entry.content.entries:
                return False  # it takes what that names, and not the layer before it
            before = _kind(way.before).plain_default()
            taken = (before.infer(taken[0]), *taken[1:])
        if way.kind is not None:
            kind = _kind(way.kind)
            content = entry.content
            written = set(content.entries) if isinstance(content, Mapping) else set()
            if not written <= fields_of(kind).keys() or (content is not None and not written and not kind.main):
                return False
            changed = kind.plain_default()
        if way.fields:
            model = type(layer)
            values = {alias: getattr(layer, name) for name, alias in _names(model)}
            changed = model.model_validate({**values, **dict(way.fields)})
        changed.infer(*taken)
    except (ShapeError, ValidationError):
        return False
    return True


def _kind(name: str) -> Any:
    kind = find_kind("layers", name)
    assert kind is not None
    return kind


def _names(model: type[Layer]) -> list[tuple[str, str]]:
    return [(name, info.alias or name) for name, info in model.model_fields.items()]


def input_of(item: Diagnostic, size: TensorType, way: str, input: GraphInput, root: Mapping) -> tuple[Mend, ...]:
    """A finding's mends with that by which the network's only input has another size."""
    section = root.get("inputs")
    node = section.get(input.name) if isinstance(section, Mapping) else root.get("input")
    names = ("height", "width") if size.is_map else ("length",)
    fields = [
        (name, number)
        for name, number, own in zip(names, size.spatial, input.type.spatial, strict=True)
        if number != own
    ]
    return (*item.mends, *mending.set_in(node, fields, way))
