"""A comparison as text, HTML for notebooks, and plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.comparing.networks import NetworkDifference
from archspec.comparing.pieces import (
    SIGNS,
    Piece,
    below,
    network_summary,
    of_flips,
    overview,
    pieces_of,
    summary,
    with_own_part,
)
from archspec.diagnostics import Diagnostic
from archspec.output import printable
from archspec.reports import cells

if TYPE_CHECKING:
    from archspec.comparing.comparison import Comparison
    from archspec.figures.differences import Difference
    from archspec.graph import Node

_SIGN_COLOURS = {"+": "32", "−": "31", "~": "33"}


def text(comparison: Comparison, *, colour: bool = False) -> str:
    """The comparison for a terminal, coloured where that is asked for."""

    def painted(code: str, line: str) -> str:
        return f"\x1b[{code}m{line}\x1b[0m" if colour and line else line

    def of_piece(piece: Piece) -> str:
        lines = [printable(piece.title)] if piece.title else []
        if piece.table is not None:
            made = cells.text(piece.table).split("\n")
            lines += [painted(_SIGN_COLOURS[line[0]], line) if line[:1] in _SIGN_COLOURS else line for line in made]
        lines += [printable(line) for line in piece.lines]
        lines += piece.code.split("\n") if piece.code else []
        return "\n".join(lines)

    blocks = [painted("1", printable(summary(comparison)))]
    several = len(comparison.networks) > 1
    if several and comparison.different:
        blocks.append(of_piece(overview(comparison)))
    seen: set[Diagnostic] = set()
    for network in with_own_part(comparison):
        if several:
            blocks.append(painted("1", printable(f"{SIGNS[network.state]} {network.name}: {network_summary(network)}")))
        blocks += [of_piece(piece) for piece in pieces_of(network, seen)]
    blocks += [of_piece(piece) for piece in of_flips(comparison)]
    rest = below(comparison)
    if rest:
        blocks.append("\n".join(map(printable, rest)))
    return "\n\n".join(blocks)


def html(comparison: Comparison) -> str:
    """The comparison as HTML without a page around it and without scripts, for notebooks."""
    from html import escape

    def of_piece(piece: Piece) -> str:
        made = f"<p><b>{escape(printable(piece.title))}</b></p>" if piece.title else ""
        if piece.table is not None:
            made += cells.html(piece.table)
        made += "".join(f"<p>{escape(printable(line))}</p>" for line in piece.lines)
        return made + (f"<pre>{escape(piece.code)}</pre>" if piece.code else "")

    several = len(comparison.networks) > 1
    parts = [f"<p><b>{escape(printable(summary(comparison)))}</b></p>"]
    if several and comparison.different:
        parts.append(of_piece(overview(comparison)))
    seen: set[Diagnostic] = set()
    for network in with_own_part(comparison):
        inner = "".join(of_piece(piece) for piece in pieces_of(network, seen))
        title = escape(printable(f"{network.name}: {network_summary(network)}"))
        parts.append(f"<details><summary>{title}</summary>{inner}</details>" if several else inner)
    parts += [of_piece(piece) for piece in of_flips(comparison)]
    parts += [f"<p>{escape(printable(line))}</p>" for line in below(comparison)]
    return "".join(parts)


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differs": comparison.differs,
        "networks": [_network(network) for network in comparison.networks],
        "libraries": [{"before": item.before, "after": item.after} for item in comparison.libraries],
        "notes": below(comparison),
        **({} if comparison.flips is None else {"predictions": comparison.flips.to_dict()}),
    }


def _network(network: NetworkDifference) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": network.name,
        "state": network.state,
        "diagnostics": {
            when: [item.to_json() for item in side.diagnostics] if side is not None else []
            for side, when in zip(network.sides, ("before", "after"), strict=True)
        },
        "figures": {total.key: {"before": _raw(total.before), "after": _raw(total.after)} for total in network.totals},
        "layers": {
            **network.counts._asdict(),
            "differences": [_layer(item) for item in network.changes if item.state != "same" or item.renamed],
        },
        "settings": [setting.to_dict() for setting in network.settings.changed],
        "settings_at_defaults": network.settings.unsaid,
    }
    if (runs := network.runs) is not None:
        fields["runs"] = {
            "figures": [{**row._asdict(), "winner": row.winner} for row in runs.figures],
            "steps": {"before": runs.before.step, "after": runs.after.step},
            "finished": {"before": runs.before.finished, "after": runs.after.finished},
            "versions": [{"name": item.name, "before": item.before, "after": item.now} for item in runs.versions],
            "same_data": runs.same_data,
            "others": [{"name": name, "before": one, "after": other} for name, one, other in runs.others],
        }
    return fields


def _raw(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _raw(own) for name, own in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _layer(item: Difference) -> dict[str, Any]:
    return {
        "state": "renamed" if item.renamed and item.state == "same" else item.state,
        "before": _node(item.before),
        "after": _node(item.after),
        "fields": {name: [one, other] for name, one, other in item.fields},
        "rewired": item.rewired,
        "params": item.params,
        "macs": item.macs,
        "activations": 4 * item.values,
    }


def _node(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    fields: dict[str, Any] = {"name": node.path, "kind": node.kind, "output": list(node.output.shape)}
    return {**fields, "receptive_field": None if node.sees is None else list(node.receptive_field.size)}
