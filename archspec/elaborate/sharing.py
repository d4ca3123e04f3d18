"""Entries that use the arrays of others: `weights: NAME`, and rounds of a repeat that is `tied`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Findings, Label, Span, article, listed
from archspec.elaborate.scope import COMMON, UNKNOWN, Context, Entry, Scope
from archspec.expressions import escaped
from archspec.graph import Node, is_input
from archspec.located import Located, Mapping, Scalar, describe, locate
from archspec.spec.reading import FAILED, evaluate

if TYPE_CHECKING:
    from archspec.elaborate.entries import Expander
    from archspec.elaborate.placing import Placer
    from archspec.layers import Layer


IMPLIED: dict[str, dict[str, Any]] = {
    "repeat": {"as": None, "tied": False},
    "parallel": {"join": "concat"},
    "residual": {"shortcut": "identity"},
}
"""What structures have in fields that are left out."""


@dataclass
class Sharing:
    """A scope whose layers use the arrays of another scope's layers, by the paths inside the two.

    `place` is where that is asked for. `failed` says that something of it was reported: one mistake gives one message.
    """

    own: str
    owner: str
    place: Span
    failed: bool = False

    def owner_of(self, path: str) -> str:
        """The path of the layer whose arrays the layer at a path uses."""
        return self.owner + path[len(self.own) :]


def named(x: Expander, entry: Entry, place: Located, context: Context) -> str | None:
    """The path of what `weights` names, looked up as `from` does; None with the reason reported, or known before."""
    value = evaluate(place, context.sight, x.findings)
    if value is FAILED:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        x.findings.error("E206", f"`weights` names one layer or block, not {describe(value)}", place.span)
        return None
    at: Scope | None = context.scope
    while at is not None:
        found = at.place(value)
        if found is not None:
            return found[0].prefix + found[1]
        at = None if at.inputs is not None else at.parent
    if entry.name is not None and value == entry.name:
        refuse(
            x.placer,
            f"`{value[:60]}` cannot use its own arrays",
            place.span,
            help=["`weights` names the one that has them, which comes before"],
        )
        return None
    values = x.lookup(value, place, context.scope, entry.previous, context.env)
    if UNKNOWN in values:
        return None
    if len(values) != 1 or is_input(values[0]):
        what = "stands for several values" if len(values) != 1 else "is an input, which has no arrays"
        refuse(x.placer, f"`{value[:60]}` {what}", place.span)
        return None
    return x.placer.nodes[values[0]].path


def refuse(
    placer: Placer, reason: str, place: Span, *, secondary: Iterable[Label] = (), help: Iterable[str] = ()
) -> None:
    """Reports that arrays cannot be shared, once for each place: every round of a repeat has the same mistake."""
    if place not in placer.refused:
        placer.refused.add(place)
        from archspec.spec.mending import left_out

        ways = list(help)
        gone = [mend for way in ways if way.startswith("leave ") for mend in left_out(place, way)]
        placer.findings.error("E221", reason, place, secondary=secondary, help=ways, mends=gone)


def owner_layer(x: Expander, entry: Entry, place: Located, context: Context) -> Node | None:
    """The layer whose arrays a layer is to use; None with the reason reported, or known before."""
    path = named(x, entry, place, context)
    if path is None:
        return None
    index = x.placer.places.get(path)
    if index is None:
        use = x.placer.blocks.get(path)
        if use is not None or not x.findings.failed:
            what = use.kind if use is not None else "round"
            refuse(
                x.placer,
                f"`{path}` is `{what}`, and `{entry.kind}` cannot use its arrays",
                place.span,
                secondary=[Label(use.span, "here")] if use is not None else [],
                help=["a path names a layer in it"],
            )
        return None
    node = x.placer.nodes[index]
    secondary = [Label(node.span, "here")] if node.span is not None else []
    if node.kind != entry.kind:
        reason = f"`{path}` is `{node.kind}`, and `{entry.kind}` cannot use its arrays"
        refuse(x.placer, reason, place.span, secondary=secondary)
        return None
    if not node.arrays:
        refuse(x.placer, f"`{path}`, {article(node.kind)}, has no arrays", place.span, help=["leave `weights` out"])
        return None
    return node


def owner_scope(x: Expander, entry: Entry, place: Located, context: Context) -> Sharing | None:
    """The scope whose arrays an entry that opens one is to use; None with the reason reported, or known before."""
    path = named(x, entry, place, context)
    if path is None:
        return None
    use = x.placer.blocks.get(path)
    if use is None or use.kind != entry.kind or path not in x.placer.ranges:
        index = x.placer.places.get(path)
        span = use.span if use is not None else x.placer.nodes[index].span if index is not None else None
        if use is not None or index is not None or not x.findings.failed:
            what = use.kind if use is not None else x.placer.nodes[index].kind if index is not None else "round"
            refuse(
                x.placer,
                f"`{path}` is `{what}`, and `{entry.kind}` cannot use its arrays",
                place.span,
                secondary=[Label(span, "here")] if span is not None else [],
            )
        return None
    begin, end = x.placer.ranges[path]
    if not any(node.arrays for node in x.placer.nodes[begin:end]):
        if not x.findings.failed:
            refuse(x.placer, f"`{path}` has no arrays", place.span, help=["leave `weights` out"])
        return None
    # What shares is told by paths from what is shared.
    entry.name = entry.name or context.scope.automatic(entry.kind)
    return Sharing("", path, place.span)


def over_owner(x: Expander, entry: Entry, content: Mapping, context: Context) -> Mapping | None:
    """The fields of a structure that uses the arrays of another: those written, over the other one's.

    Values are as they were there; layers are expanded here, and see the arguments that they saw there. None with the
    reason reported where what is written differs. Written layers are compared array by array as they are placed.
    """
    assert entry.sharing is not None
    owner = entry.sharing.owner
    at = entry.kind_node
    entries: dict[str, tuple[Scalar, Located]] = {}
    agree = True
    for name, (value, home) in structure_fields(x, owner).items():
        mine = content.get(name)
        if home is not None and isinstance(value, Located):
            if mine is None:
                entries[name] = (Scalar(at.source, at.place, name), value)
                entry.borrowed = {**(entry.borrowed or {}), name: home}
            continue
        if mine is None:
            if value is not None:
                entries[name] = (Scalar(at.source, at.place, name), located(value, at))
            continue
        wanted = evaluate(mine, context.sight, Findings()) if isinstance(mine, Scalar) else FAILED
        # Layers that are written out may call their rounds otherwise, and `auto` is whatever brings shapes together.
        free = content.get("layers") is not None if name == "as" else name == "shortcut" and "auto" in (value, wanted)
        if wanted is not FAILED and wanted != value and not free:
            agree = False
            refuse(
                x.placer,
                f"`{name}` of {entry.kind} is {describe(wanted)}, but {describe(value)} at `{owner}`, whose arrays are "
                "used",
                mine.span,
                secondary=[Label(x.placer.blocks[owner].span, "here")],
                help=["leave it out, and it is the same"],
            )
    if not agree:
        return None
    result = Mapping(content.source, content.place, {**entries, **content.entries})
    result.dynamic = content.dynamic
    return result


def structure_fields(x: Expander, path: str) -> dict[str, tuple[Any, Context | None]]:
    """What a structure has in its fields, its own and its owner's: values, and layers with where they were written."""
    entry, context = x.placer.structures[path]
    found: dict[str, tuple[Any, Context | None]] = {
        name: (value, None) for name, value in IMPLIED.get(entry.kind, {}).items()
    }
    if entry.sharing is not None:
        found.update(structure_fields(x, entry.sharing.owner))
    for name, _, node in entry.content.items() if isinstance(entry.content, Mapping) else ():
        if name in COMMON:
            continue
        if isinstance(node, Scalar):
            # What could not be evaluated was reported there.
            found[name] = (evaluate(node, context.sight, Findings()), None)
        else:
            found[name] = (node, context)
    return found


def laid_over_owner(owner: Node, fields: Mapping) -> Mapping:
    """The fields of a layer that uses another one's arrays: those written, over the other one's."""
    written = owner.layer.to_plain()
    values: dict[str, Any] = written[owner.kind] if isinstance(written, dict) else {}
    place = (fields.source, fields.place)
    below = {
        name: (Scalar(*place, name), located(value, fields))
        for name, value in values.items()
        if name not in owner.layer.references
    }
    result = Mapping(*place, {**below, **fields.entries})
    result.dynamic = fields.dynamic
    return result


def located(value: Any, at: Located) -> Located:
    """A value as if it were written at a place, with nothing in it that is evaluated."""
    return locate(_escaped(value), at.source, at.place)


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, (list, tuple)):
        return [_escaped(item) for item in value]
    return {key: _escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


def differing(layer: Layer, owner: Layer) -> list[str]:
    """The fields in which two layers of a kind differ; names of other layers in them are left out."""
    if layer is owner:
        return []
    return [
        name
        for name in type(layer).model_fields
        if name not in layer.references and getattr(layer, name) != getattr(owner, name)
    ]


def check_layer(x: Expander, layer: Layer, owner: Node, entry: Entry) -> bool:
    """Whether what a layer that names its owner writes agrees with the owner; what differs is reported."""
    names = differing(layer, owner.layer)
    for name in names:
        refuse(
            x.placer,
            f"`{name}` of {entry.kind} differs from that of `{owner.path}`, whose arrays it uses",
            x.placer.field_span(name, layer, entry),
            secondary=[Label(owner.span, "here")] if owner.span is not None else [],
            help=["leave it out, and it is the same"],
        )
    return not names


def check_arguments(
    x: Expander, entry: Entry, given: dict[str, tuple[Scalar, Located]], bound: dict[str, Any], owner: str
) -> bool:
    """Whether the arguments that a call of a block gives are those of the call whose arrays it uses."""
    theirs = x.placer.calls[owner]
    names = [name for name in given if name in theirs and bound[name] != theirs[name]]
    for name in names:
        use = x.placer.blocks[owner]
        refuse(
            x.placer,
            f"argument `{name}` is {describe(bound[name])}, but {describe(theirs[name])} at `{owner}`, "
            "whose arrays are used",
            given[name][1].span,
            secondary=[Label(use.span, "here")],
            help=["leave it out, and it is the same"],
        )
    return not names


def report_misfit(node: Node, owner: Node, sharing: Sharing | None, placer: Placer) -> None:
    """Reports arrays of an owner that a node cannot use: those of another kind, or of other fields or shapes."""
    named = [item for item in (node.span, owner.span) if item is not None]
    if sharing is not None:
        sharing.failed = True
    place = node.span if sharing is None else sharing.place
    others = [
        Label(span, f"`{path}` is here")
        for path, span in ((node.path, node.span), (owner.path, owner.span))
        if span is not None and span != place
    ]
    start = f"{node.path} cannot use the arrays of {owner.path}"
    help: list[str] = []
    if node.kind != owner.kind:
        reason = f"one is `{node.kind}`, the other `{owner.kind}`"
    elif fields := differing(node.layer, owner.layer):
        reason = f"they differ in {listed(f'`{name}`' for name in fields)}"
    else:
        pairs = [(mine, theirs) for mine, theirs in zip(node.arrays, owner.arrays, strict=False) if mine != theirs]
        mine, theirs = pairs[0] if pairs else (node.arrays[0], owner.arrays[0])
        reason = f"its {mine.name} would be {_times(mine.shape)}, and that one's is {_times(theirs.shape)}"
        inputs = [listed(map(str, item.input_types)) for item in (node, owner)]
        help = [f"the one takes {inputs[0]}, the other {inputs[1]}"]
    refuse(placer, f"{start}: {reason}", place if place is not None else named[0], secondary=others, help=help)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def check_scope(x: Expander, sharing: Sharing, begin: int) -> None:
    """Reports layers of a scope with arrays that the other scope has not, and the other way round."""
    if sharing.failed or x.findings.failed:
        return
    placer = x.placer
    first, last = placer.ranges[sharing.owner]
    theirs = [node for node in placer.nodes[first:last] if node.arrays]
    if not theirs:
        refuse(x.placer, f"`{sharing.owner}` has no arrays", sharing.place, help=["leave it out"])
        return
    mine = [node for node in placer.nodes[begin:] if node.arrays]
    extra = next((node for node in mine if sharing.owner_of(node.path) not in placer.places), None)
    paths = {sharing.owner_of(node.path) for node in mine}
    lacking = next((node for node in theirs if node.path not in paths), None)
    if extra is not None or lacking is not None:
        node = extra or lacking
        assert node is not None
        has, has_not = (sharing.own, sharing.owner) if extra is not None else (sharing.owner, sharing.own)
        refuse(
            x.placer,
            f"`{sharing.own}` cannot use the arrays of `{sharing.owner}`: `{has}` has `{node.path}`, and `{has_not}` "
            "nothing like it",
            sharing.place,
            secondary=[Label(node.span, "here")] if node.span is not None and node.span != sharing.place else [],
        )


def unshared(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Nodes whose arrays stand under paths that are there: where an owner was left out, the first that uses them."""
    paths = {node.path for node in nodes}
    if all(node.shares is None or node.shares in paths for node in nodes):
        return nodes
    heirs: dict[str, str] = {}
    kept = []
    for node in nodes:
        if node.shares is not None and node.shares not in paths:
            heir = heirs.setdefault(node.shares, node.path)
            node = replace(node, shares=None if heir == node.path else heir)
        kept.append(node)
    return tuple(kept)
