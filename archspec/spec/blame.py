"""Where a spec says what does not go together with its data or its outputs."""

from __future__ import annotations

from archspec.diagnostics import DataError, Span
from archspec.graph import Graph, is_input
from archspec.located import Located, Mapping, Scalar, Sequence
from archspec.spec.sections import main_value


def blamed(root: Mapping, error: DataError, graph: Graph | None) -> Span | None:
    """The place of what an error is about: an output's own field, that of `train`, `task`, or the layer of the output.

    None where the error is about nothing of these, or nothing of them is written.
    """
    if error.about is None:
        return None
    name, part, kind = error.about
    if part == "input":
        return _key(root, "inputs", name)
    found = _value(root, "outputs", name, part)
    if found is None and part in ("loss", "metrics"):
        found = _value(root, "train", part)
    if found is not None:
        return _entry(found, kind)
    task = _value(root, "outputs", name, "task")
    if part != "target" and task is None:
        task = _value(root, "task")
    if part != "target" and task is not None:
        return _entry(task, kind)
    place = _key(root, "outputs", name)
    if place is None and graph is not None and part != "target":
        sources = [output.node for output in graph.outputs if output.name == name and not is_input(output.node)]
        return graph.nodes[sources[0]].span if sources else None
    return place


def _value(root: Mapping, *path: str) -> Located | None:
    node: Located | None = root
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _key(root: Mapping, *path: str) -> Span | None:
    node = _value(root, *path[:-1])
    key = node.key(path[-1]) if isinstance(node, Mapping) else None
    return key.span if key is not None else None


def _entry(node: Located, kind: str) -> Span:
    """Where a kind stands in a value, or in a list of kinds; the value itself where it is not written so.

    That is its key, unless what the key holds came from elsewhere, as from an override.
    """
    for item in node.items if isinstance(node, Sequence) else [node]:
        if isinstance(item, Mapping) and (key := item.key(kind)) is not None:
            value = main_value(item.get(kind))
            return key.span if value is None or value.source is key.source else value.span
        if isinstance(item, Scalar) and item.value == kind:
            return item.span
    return node.span
