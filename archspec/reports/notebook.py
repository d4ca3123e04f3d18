"""A report as notebooks show it: a row for each outermost block and layer, blocks to be opened where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from archspec.blocks import Part, tree
from archspec.diagnostics import count
from archspec.graph import Graph
from archspec.reports import Report, Row, columns, tables, weights_of
from archspec.reports.cells import WRITERS, shown

MANY = 400
"""Rows that a display holds, folded ones included."""

WIDEST = 40
"""Letters of a column that are seen; a tooltip has the others."""

FEWEST = 3
"""Alike neighbours that share a row."""

_STYLE = """
.archspec-report{overflow-x:auto;line-height:1.5}
.archspec-report .row{display:grid;grid-template-columns:var(--columns);border-bottom:1px solid #8884;width:max-content}
.archspec-report .row>span{padding:1px 6px;overflow:hidden;text-overflow:ellipsis;white-space:pre}
.archspec-report .r{text-align:right;font-variant-numeric:tabular-nums}
.archspec-report summary.row{cursor:pointer;list-style:none}
.archspec-report summary.row::-webkit-details-marker{display:none}
.archspec-report summary.row .mark::before{content:"▸"}
.archspec-report details[open]>summary.row .mark::before{content:"▾"}
.archspec-report .mark{display:inline-block;width:1.2em}
.archspec-report .head>span{font-weight:bold}
.archspec-report table{margin:8px 0}
"""
# Without scripts, so that it opens in every notebook, on paper's way and in mail too; without colours of its own but a
# faint rule, so that it fits dark themes.


@dataclass
class _Line:
    """A row and what it opens."""

    part: Part
    row: Row
    inside: list[_Line] = field(default_factory=list)
    more: str = ""
    """What is left out below it, in words."""


def display(report: Report) -> str:
    """The report as HTML without a page around it and without scripts.

    Blocks are folded; those that are alike and follow each other share a row, which opens the first of them. Where
    there would be more than `MANY` rows, the innermost are left out, and it is said how many.
    """
    known = {row.name: row for row in report.rows}
    lines, left_out = _some(_lines(tree(report.graph), known, report.graph))
    flat = list(_walk(lines))
    table = columns.table(replace(report, rows=tuple(line.row for _, line in flat)))
    texts = {
        line.row.name: [line.part.name, *map(shown, row[1:])] for (_, line), row in zip(flat, table.rows, strict=True)
    }
    names = [2 * level + 3 + len(line.part.name) for level, line in flat]
    others = [[len(text) for text in row] for row in zip(table.head, *texts.values(), strict=True)][1:]
    widths = [min(WIDEST, max(lengths, default=0)) + 2 for lengths in (names, *others)]
    style = f"--columns:{' '.join(f'{width}ch' for width in widths)}"
    head = _cells([*table.head], table.right, "<span class=mark></span>")

    def written(line: _Line, level: int) -> str:
        lead = "&ensp;" * level + "<span class=mark></span>"
        inner = _cells(texts[line.row.name], table.right, lead)
        more = f"<div>{'&ensp;' * (level + 3)}{escape(line.more)}</div>" if line.more else ""
        if not line.inside:
            return f"<div class=row>{inner}</div>{more}"
        below = "".join(written(each, level + 1) for each in line.inside)
        return f"<details><summary class=row>{inner}</summary>{below}{more}</details>"

    caption = "".join(f"<div>{escape(text)}</div>" for text in tables.header(report))
    rest = f"<div>{escape(left_out)}</div>" if left_out else ""
    whole, *further = tables.sections(report)[1:]
    folded = "".join(
        f"<details><summary>{escape(shown(item.head[0]))}</summary>{WRITERS['html'](item)}</details>"
        for item in further
    )
    body = "".join(written(line, 0) for line in lines)
    return (
        f"<div class=archspec-report style='{style}'><style>{_STYLE}</style>{caption}"
        f"<div class='row head'>{head}</div>{body}{rest}{WRITERS['html'](whole)}{folded}</div>"
    )


def _cells(texts: Sequence[str], right: Sequence[bool], lead: str) -> str:
    made = []
    for at, (text, flush) in enumerate(zip(texts, right, strict=True)):
        told = f" title='{escape(text)}'" if len(text) > WIDEST else ""
        made.append(f"<span{' class=r' if flush else ''}{told}>{'' if at else lead}{escape(text)}</span>")
    # The spaces keep the words apart where the style is taken away.
    return " ".join(made)


def _lines(part: Part, known: Mapping[str, Row], graph: Graph) -> list[_Line]:
    """The lines of what is in a block; alike neighbours as one."""
    lines: list[_Line] = []
    for inner in part.parts:
        if inner.is_layer or inner.path in known:
            lines.append(_Line(inner, known[inner.path]))
            continue
        inside = _lines(inner, known, graph)
        owner = weights_of(inner, [graph.nodes[index] for index in inner.nodes])
        lines.append(_Line(inner, _sum(inner.path, inner.kind, [line.row for line in inside], owner), inside))
    together: list[_Line] = []
    at = 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and lines[at].inside and _alike(lines[at], lines[end]):
            end += 1
        together += [_run(lines[at:end])] if end - at >= FEWEST else lines[at:end]
        at = end
    return together


def _sum(name: str, kind: str, rows: Sequence[Row], owner: str) -> Row:
    """The figures of several rows as one; the shape and the receptive field are the last's."""
    counted = [row.counted for row in rows if row.counted is not None]
    return rows[-1]._replace(
        name=name,
        kind=kind,
        inputs=(),
        params=sum(row.params for row in rows),
        macs=sum(row.macs for row in rows),
        flops=sum(row.flops for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
        moved_bytes=sum(row.moved_bytes for row in rows),
        counted=sum(counted) if counted else None,
        weights_of=owner,
    )


def _alike(one: _Line, other: _Line) -> bool:
    """Whether two blocks are the same but for their names and what they see of the input."""

    def same(a: _Line, b: _Line) -> bool:
        known = [
            line.row._replace(name="", inputs=(), receptive_field=(), other_fields=(), weights_of="") for line in (a, b)
        ]
        return (
            known[0] == known[1]
            and len(a.inside) == len(b.inside)
            and all(same(*pair) for pair in zip(a.inside, b.inside, strict=True))
        )

    return same(one, other)


def _run(lines: Sequence[_Line]) -> _Line:
    first, last = lines[0].part, lines[-1].part
    times = len(lines)
    part = Part(f"{first.path}…{last.path}", f"{first.name} … {last.name}", first.kind, None, first.nodes, [first])
    rows = [line.row for line in lines]
    owners = [row.weights_of for row in rows]
    owner = owners[0] if len(set(owners)) == 1 else f"{owners[0]} … {owners[-1]}"
    row = _sum(part.path, f"{times:,} × {first.kind}", rows, owner)
    return _Line(part, row, [lines[0]], f"and {times - 1:,} more that are alike")


def _walk(lines: Iterable[_Line], level: int = 0) -> Iterator[tuple[int, _Line]]:
    """Lines in order with how deep they lie."""
    for line in lines:
        yield level, line
        yield from _walk(line.inside, level + 1)


def _some(lines: list[_Line]) -> tuple[list[_Line], str]:
    """As many levels of lines as are `MANY` or fewer, and what is left out, in words."""
    everything = sum(1 for _ in _walk(lines))
    if everything <= MANY:
        return lines, ""
    if len(lines) > MANY:
        kept = [replace(line, inside=[], more="") for line in (*lines[: MANY // 2], *lines[-(MANY // 2) :])]
        kept[MANY // 2 - 1].more = f"… {count(len(lines) - MANY, 'row')} …"
        return kept, _said(everything - MANY)
    level, shown_lines = lines, len(lines)
    while shown_lines + (more := sum(len(line.inside) for line in level)) <= MANY:
        level = [inner for line in level for inner in line.inside]
        shown_lines += more
    for line in level:
        line.inside, line.more = [], ""
    return lines, _said(everything - shown_lines)


def _said(number: int) -> str:
    return f"{count(number, 'row')} left out here; print(archspec.report(…)) has every layer"
