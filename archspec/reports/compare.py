"""Networks side by side, and two of them layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import count
from archspec.figures.differences import Difference, differences
from archspec.figures.units import mebibytes, si
from archspec.kinds import plain
from archspec.reports import facts as figures
from archspec.reports import seen_by
from archspec.reports.cells import Cell, Table, csv_text
from archspec.reports.facts import Facts
from archspec.reports.kinds import written
from archspec.reports.tables import document

if TYPE_CHECKING:
    from archspec.graph import Graph, Node

MAX_COLUMNS = 4
"""Networks that stand side by side as columns; more are rows."""

ALIKE = 3
"""Layers without a change in a row from which on they are told of in one line."""

MORE = 12
"""Added or removed layers in a row from which on they are told of in one line."""

FEW = 40
"""Lines that are always shown; more only where the networks have half of their layers with weights in common."""

LONGEST = 40
"""Characters of a field's value that are shown."""

SIGNS = {"same": "", "resized": "", "changed": "~", "added": "+", "removed": "−"}


def columns_of(facts: Sequence[Facts]) -> list[figures.Fact]:
    """The columns that some network has a figure for; what another tool counts stands behind the operations."""
    columns = figures.used(facts)
    if facts[0].convention is not None:
        columns.insert(columns.index(figures.BY_KEY["flops"]) + 1, figures.COUNTED)
    return columns


def summary(facts: Sequence[Facts], *, wide: bool = False, columns: Sequence[figures.Fact] | None = None) -> Table:
    """The networks' figures: networks as columns where they are few, unless `wide`. Two have their ratio beside."""
    table = figures.table(facts, columns if columns is not None else columns_of(facts))
    convention = facts[0].convention
    if convention is not None:
        table = replace(
            table, notes=[f"counted: {convention.word} as {convention.name}: {convention.rule}", *table.notes]
        )
    if wide or len(facts) > MAX_COLUMNS:
        return table
    turned = table.transposed()
    if len(facts) != 2:
        return turned
    rows = [[*row, Cell(_ratio(row[1], row[2]), None)] for row in turned.rows]
    return Table((*turned.head, "ratio"), rows, (*turned.right, True), turned.caption, turned.notes)


def _ratio(one: str | Cell, other: str | Cell) -> str:
    """How many times the first number the second one is; of percentages the difference."""
    a, b = (cell.raw if isinstance(cell, Cell) else None for cell in (one, other))
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)) or not a:
        return ""
    if isinstance(one, Cell) and "×" in one.text:
        return ""
    if isinstance(one, Cell) and one.text.endswith("%"):
        return f"{b - a:+.2f}".replace("-", "−")
    return ratio(a, b)


def ratio(one: float, other: float) -> str:
    """How many times the first number the second one is."""
    return f"×{other / one:.4g}" if other != one else "="


def signed(value: int) -> str:
    """A difference of operations with its sign."""
    return f"{'+' if value > 0 else '−'}{si(abs(value))}" if value else ""


def _shape(node: Node | None) -> str:
    return str(node.output) if node else ""


def _pair(one: str, other: str) -> str:
    """A value of both networks, once where it is the same."""
    return one if one == other or not other else other if not one else f"{one} → {other}"


def _value(value: Any) -> str:
    """A field's value, a size that is the same in both directions once, and no more than a line has room for."""
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        return _value(value[0])
    text = written(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _what(item: Difference) -> str:
    """The fields that changed, or those that a layer without a partner has beside its kind's defaults."""
    if item.fields:
        return ", ".join(f"{name} {_value(a)} → {_value(b)}" for name, a, b in item.fields)
    if item.rewired:
        return "other inputs"
    node = item.after if item.before is None else item.before if item.after is None else None
    if node is None:
        return ""
    layer = node.layer
    given = {name: getattr(layer, name) for name, info in type(layer).model_fields.items() if info.is_required()}
    return ", ".join(f"{name} {_value(plain(value))}" for name, value in given.items())


def _row(item: Difference) -> list[str | Cell]:
    before, after = item.before, item.after
    node = after or before
    assert node is not None
    path = _pair(before.path if before else "", after.path if after else "")
    return [
        SIGNS[item.state],
        path,
        node.kind,
        _what(item),
        _pair(_shape(before), _shape(after)),
        Cell(signed(item.macs), item.macs),
    ]


def _folded(changes: Sequence[Difference]) -> Iterator[list[str | Cell]]:
    for state, run in groupby(changes, lambda item: "same" if item.state == "resized" else item.state):
        items = list(run)
        macs = sum(item.macs for item in items)
        if state == "same" and len(items) >= ALIKE:
            resized = sum(item.state == "resized" for item in items)
            said = f"{resized} of another size" if resized else ""
            yield ["", f"… {count(len(items), 'layer')} alike", "", said, "", Cell(signed(macs), macs)]
        elif state in ("added", "removed") and len(items) >= MORE:
            nodes = [item.after or item.before for item in items]
            first, last = (node.path for node in (nodes[0], nodes[-1]) if node is not None)
            yield [
                SIGNS[items[0].state],
                f"{first} … {last}",
                "",
                count(len(items), "layer"),
                "",
                Cell(signed(macs), macs),
            ]
        else:
            yield from map(_row, items)


def difference_table(first: Facts, second: Facts, changes: Sequence[Difference]) -> Table:
    """Two networks layer by layer: what changed (~), is only in the second (+) or only in the first (−)."""
    counts = {state: sum(item.state == state for item in changes) for state in SIGNS}
    alike = counts["same"] + counts["resized"]
    said = [f"{number} {state}" for state, number in (("alike", alike), *counts.items()) if number]
    said = [text for text in said if not text.endswith((" same", " resized"))]
    params, macs = sum(item.params for item in changes), sum(item.macs for item in changes)
    sums = [
        f"{'+' if value > 0 else '−'}{abs(value):,} {name}"
        for name, value in (("parameters", params), ("multiply–adds", macs))
        if value
    ]
    return Table(
        ("", "layer", "kind", "change", "output", "MACs"),
        list(_folded(changes)),
        (False, False, False, False, True, True),
        caption=[f"layers, {first.label} → {second.label}: " + ", ".join([*said, *sums])],
    )


class Changes(NamedTuple):
    """Counts of layers by what differs in them."""

    alike: int
    resized: int
    renamed: int
    changed: int
    added: int
    removed: int

    @classmethod
    def of(cls, changes: Sequence[Difference]) -> Changes:
        states = Counter("renamed" if _only_renamed(item) else item.state for item in changes)
        return cls(states["same"], *(states[name] for name in cls._fields[1:]))

    @property
    def said(self) -> str:
        """`1 layer changed, 2 added`; "" where every layer is alike."""
        numbers = [(getattr(self, name), name) for name in ("changed", "added", "removed", "renamed", "resized")]
        said = [f"{number:,} {name}" for number, name in numbers if number]
        if said:
            first = said[0].split(" ", 1)
            said[0] = f"{first[0]} layer{'' if first[0] == '1' else 's'} {first[1]}"
        return ", ".join(said)


def _only_renamed(item: Difference) -> bool:
    return item.renamed and item.state == "same"


def _ways(item: Difference) -> tuple[str, str]:
    """What stands before the common end of a pair's two paths: the blocks that were renamed."""
    assert item.before is not None and item.after is not None
    one, other = item.before.path.split("."), item.after.path.split(".")
    while len(one) > 1 and len(other) > 1 and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return ".".join(one), ".".join(other)


def _stretch(item: Difference) -> tuple[str, Any]:
    """What neighbours have in common that may be told of in one line."""
    if _only_renamed(item):
        return "renamed", _ways(item)
    return item.state, None


CHANGED = ("", "layer", "kind", "change", "output", "parameters", "MACs", "activations", "receptive field")
"""The columns of `changed_layers`; those in which nothing stands are left out."""

SEVERAL = 4
"""Layers of another size, or renamed with their block, in a row from which on they are told of in one line."""


def changed_layers(first: Graph, second: Graph, changes: Sequence[Difference]) -> Table:
    """The layers that differ between two networks, and how many between them do not.

    `~` has other fields, inputs or a new name, `+` is only in the second network, `−` only in the first; a layer
    without a sign is as it was but for the shape that it is given. Differences of parameters, multiply–adds and bytes
    of activations (a sample's, in float32) are the second's less the first's.
    """
    heads = [
        {node.path for node in graph.nodes} - {node.path for node in graph.pruned("eval").nodes}
        for graph in (first, second)
    ]

    def cells(item: Difference) -> list[str | Cell]:
        before, after = item.before, item.after
        node = after or before
        assert node is not None
        what = _what(item)
        if node.path in heads[after is not None]:
            what = f"{what}, for training only" if what else "for training only"
        path = _pair(before.path if before else "", after.path if after else "")
        fields = _pair(*(_field(end, graph) if end else "" for end, graph in ((before, first), (after, second))))
        shape = _pair(_shape(before), _shape(after))
        sign = "~" if item.renamed else SIGNS[item.state]
        return [
            sign,
            path,
            node.kind,
            what,
            shape,
            *sums([item]),
            fields if item.state != "resized" or item.sees_otherwise else "",
        ]

    def sums(items: Sequence[Difference]) -> list[str | Cell]:
        params, macs = sum(item.params for item in items), sum(item.macs for item in items)
        values = 4 * sum(item.values for item in items)
        return [Cell(_count(params), params), Cell(signed(macs), macs), Cell(signed_bytes(values), values)]

    rows: list[list[str | Cell]] = []
    for (state, ways), run in groupby(changes, _stretch):
        items = list(run)
        if state == "same":
            seen = sum(item.sees_otherwise for item in items)
            other = f"{seen} of another receptive field" if seen else ""
            rows.append(["", f"… {count(len(items), 'layer')} alike", "", other, "", *sums(items), ""])
        elif state == "renamed" and len(items) >= SEVERAL:
            rows.append(
                ["~", f"{ways[0]} → {ways[1]}", "", f"{count(len(items), 'layer')} renamed", "", *sums(items), ""]
            )
        elif state == "resized" and len(items) >= SEVERAL:
            shapes = " … ".join(_pair(_shape(item.before), _shape(item.after)) for item in (items[0], items[-1]))
            rows.append(["", f"… {count(len(items), 'layer')} of another size", "", "", shapes, *sums(items), ""])
        elif state in ("added", "removed") and len(items) >= MORE:
            nodes = [node for item in items if (node := item.after or item.before) is not None]
            ends = f"{nodes[0].path} … {nodes[-1].path}"
            rows.append([SIGNS[items[0].state], ends, "", count(len(items), "layer"), "", *sums(items), ""])
        else:
            rows += map(cells, items)
    used = [place for place in range(len(CHANGED)) if not place or any(_filled(row[place]) for row in rows)]
    return Table(
        [CHANGED[place] for place in used],
        [[row[place] for place in used] for row in rows],
        [CHANGED[place] in ("parameters", "MACs", "activations") for place in used],
    )


def _filled(cell: str | Cell) -> bool:
    return bool(cell if isinstance(cell, str) else cell.text)


def _field(node: Node, graph: Graph) -> str:
    """A node's receptive field, with the input's name where there are several."""
    name, size = seen_by(node, graph)
    text = "×".join(map(str, size))
    return f"{name} {text}" if size and len(graph.inputs) > 1 else text


def _count(value: int) -> str:
    """A difference of a count with its sign."""
    return f"{'+' if value > 0 else '−'}{abs(value):,}" if value else ""


def signed_bytes(value: int) -> str:
    """A difference of bytes with its sign."""
    return f"{'+' if value > 0 else '−'}{mebibytes(abs(value))}" if value else ""


def _in_common(changes: Sequence[Difference]) -> float:
    """The part of the layers with weights, of the network that has fewer, that are alike or have one path in both."""
    one = sum(item.before is not None and bool(item.before.weights) for item in changes)
    other = sum(item.after is not None and bool(item.after.weights) for item in changes)
    alike = sum(
        bool(item.before.weights) and (item.state in ("same", "resized") or item.before.path == item.after.path)
        for item in changes
        if item.before is not None and item.after is not None
    )
    return alike / min(one, other) if one and other else 1.0


def render(
    facts: Sequence[Facts], form: str, *, every: bool = False, columns: Sequence[figures.Fact] | None = None
) -> str:
    """The comparison in a format of `WRITERS`, of the figures in `columns` alone where they are given.

    CSV has the networks alone, one a row.

    Two networks are set side by side layer by layer where they have enough in common for pairs to say something, or
    where `every` asks for it.
    """
    if form == "csv":
        return csv_text(summary(facts, wide=True, columns=columns))
    tables = [summary(facts, columns=columns)]
    if len(facts) == 2:
        changes = differences(facts[0].seen, facts[1].seen)
        common = _in_common(changes)
        if every or common >= 0.5 or len(list(_folded(changes))) <= FEW:
            tables.append(difference_table(facts[0], facts[1], changes))
        else:
            said = f"{100 * common:.0f} % of the layers with weights in common; --layers sets the layers side by side"
            tables[0] = replace(tables[0], notes=[*tables[0].notes, said])
    return document(tables, form, ", ".join(item.label for item in facts))


def to_dict(facts: Sequence[Facts]) -> dict[str, Any]:
    """The comparison as plain data; two networks have every pair of layers in `differences`."""
    fields: dict[str, Any] = {
        "batch": facts[0].batch,
        "dtype": facts[0].dtype,
        "networks": [figures.to_dict(item) for item in facts],
    }
    if facts[0].convention is not None:
        fields["convention"] = facts[0].convention.name
        for item, network in zip(facts, fields["networks"], strict=True):
            network["counted"] = item.counted
    if len(facts) == 2:
        fields["differences"] = [
            {
                "state": item.state,
                "first": _node(item.before),
                "second": _node(item.after),
                "fields": {name: [a, b] for name, a, b in item.fields},
                "rewired": item.rewired,
                "macs": item.macs,
                "params": item.params,
            }
            for item in differences(facts[0].seen, facts[1].seen)
        ]
    return fields


def _node(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    return {"name": node.path, "kind": node.kind, "output": list(node.output.shape), "macs": node.cost.macs}
