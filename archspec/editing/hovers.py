"""What is said of the thing under the cursor: a layer's sizes and costs, what a kind means, what a value comes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archspec.diagnostics import Findings, Span, count
from archspec.editing.analysis import Analysis, Reading
from archspec.editing.calls import block_of
from archspec.editing.cursor import Cursor, cursor_at, entries_around, shown_visit
from archspec.editing.documented import kind_text
from archspec.editing.hints import absence, label_of
from archspec.editing.language import described
from archspec.elaborate.trace import Trace, Visit
from archspec.expressions import MISSING
from archspec.figures.arithmetic import arithmetic
from archspec.graph import Node
from archspec.kinds import FAMILIES, kind_names
from archspec.located import Scalar
from archspec.positions import Position, covers
from archspec.reports.kinds import written
from archspec.spec.network import SECTIONS
from archspec.spec.reading import FAILED, evaluate


class Hover(NamedTuple):
    """Markdown about a span."""

    markdown: str
    span: Span


def hover(analysis: Analysis, position: Position, focus: str = "") -> Hover | None:
    """What is said of a position; of a half-written text the last whole network answers, where it has the line."""
    reading = analysis.now
    if reading.root is None:
        older = analysis.whole or analysis.parsed
        line = analysis.moved(older).back(position.line) if older is not None else None
        if older is None or line is None:
            return None
        found = _hover(older, Position(line, position.column), focus)
        shift = position.line - line
        if found is None:
            return None
        span = found.span._replace(line=found.span.line + shift, end_line=found.span.end_line + shift)
        return Hover(f"{found.markdown}\n\n*before what is being written now*", span)
    return _hover(reading, position, focus)


def _hover(reading: Reading, position: Position, focus: str) -> Hover | None:
    assert reading.root is not None
    cursor = cursor_at(reading.root, position)
    node = cursor.node
    if node is None:
        return None
    around = entries_around(reading.visits_in(reading.source), position)
    visit = shown_visit(around[-1], focus) if around else None
    if visit is not None and visit.entry is not None and covers(visit.entry.span, position):
        return Hover("\n\n".join(_of_entry(reading, visit)), visit.entry.span)
    if not isinstance(node, Scalar):
        return None  # between things: what is around is no answer
    text = _of_value(reading, cursor, visit) or _of_argument(reading, cursor) or _of_words(cursor, visit)
    return Hover(text, node.span) if text else None


def _of_entry(reading: Reading, visit: Visit) -> Iterator[str]:
    """A layer, a call of a block or a structure: what it is here, and what its kind is."""
    assert visit.entry is not None and reading.trace is not None
    trace, kind = reading.trace, visit.entry.kind
    nodes = trace.nodes[visit.first : visit.last]
    block = block_of(visit)
    if len(nodes) == 1 and visit.entry.opened is None:
        yield _of_node(reading, nodes[0])
    else:
        yield _of_nodes(trace, visit, nodes)
    if block is not None:
        given = trace.placer.calls.get(visit.entry.opened or "") if trace.placer is not None else None
        values = ", ".join(f"{name}: {written(value)}" for name, value in (given or {}).items())
        yield f"**{block.name}**, a block" + (f" with {values}" if values else "")
    else:
        yield kind_text(kind)


def _of_node(reading: Reading, node: Node) -> str:
    """`input → output`, the arithmetic of sizes, what it costs and which share of the network that is."""
    lines = [f"**{node.path}**: {' and '.join(map(str, node.input_types))} → {node.output}", ""]
    lines += [f"- {what}: {line}" for what, line in arithmetic(node).lines()]
    total = sum(item.cost.macs for item in reading.graph.pruned("eval").nodes) if reading.graph is not None else 0
    if total and node.cost.macs:
        lines.append(f"- share: {100 * node.cost.macs / total:.1f} % of the network's multiply–adds")
    return "\n".join(lines)


def _of_nodes(trace: Trace, visit: Visit, nodes: list[Node]) -> str:
    taken = " and ".join(str(trace.type_of(value) or "?") for value in visit.taken)
    given = ", ".join(str(trace.type_of(value) or "?") for value in visit.result)
    where = (visit.entry.opened if visit.entry else None) or (nodes[0].path if nodes else "")
    if not label_of(trace, visit):
        return absence(trace, visit)
    macs, params = sum(node.cost.macs for node in nodes), sum(node.params for node in nodes)
    return (
        f"**{where}**: {taken} → {given}\n\n- {count(len(nodes), 'layer')}\n- parameters: {params:,}\n"
        f"- multiply–adds: {macs:,}"
    )


def _of_value(reading: Reading, cursor: Cursor, visit: Visit | None) -> str:
    """What a name or an expression stands for here."""
    node = cursor.node
    trace = reading.trace
    if not isinstance(node, Scalar) or cursor.on_key or trace is None:
        return ""
    used = [use for use in trace.uses if use.place is node]
    if used:
        values = used[0].values
        names = [f"`{trace.name_of(value)}`, {trace.type_of(value)}" for value in values if trace.type_of(value)]
        return "\n\n".join(names)
    if not node.dynamic:
        return ""
    env = visit.context.sight if visit is not None else reading.document.env if reading.document is not None else {}
    value = evaluate(node, env, Findings())
    if value is FAILED:
        return ""
    where = f" in {visit.path}" if visit is not None and visit.path else ""
    return f"{written(value) if not isinstance(value, str) else value}{where}"


def _of_argument(reading: Reading, cursor: Cursor) -> str:
    """The value that an argument of the network has in the variant that is shown."""
    words = cursor.words
    named = (words[:1] == ("args",) and len(words) == 2) or (words[:1] == ("variants",) and len(words) == 3)
    if not named or not cursor.on_key or reading.spec is None or words[-1] not in reading.spec.args:
        return ""
    value = reading.spec.args[str(words[-1])]
    shown = f" in {reading.spec.variant}" if reading.spec.variant else ""
    return f"argument **{words[-1]}**: {'not known yet' if value is MISSING else written(value)}{shown}"


def _of_words(cursor: Cursor, visit: Visit | None) -> str:
    """What a section, field or kind means."""
    words = cursor.words
    word = words[-1]
    if visit is not None and visit.entry is not None and cursor.on_key:
        block = block_of(visit)
        if block is not None and word in block.arguments:
            return f"argument `{word}` of the block {block.name}"
    if len(words) == 1 and word in SECTIONS:
        return f"**{word}**: {SECTIONS[str(word)]}"
    if _is_entry(cursor):
        return kind_text(str(cursor.node.value) if isinstance(cursor.node, Scalar) else "")
    if not cursor.on_key and isinstance(cursor.node, Scalar):
        family = next((family for family in _families(words) if cursor.node.value in kind_names(family)), None)
        return kind_text(str(cursor.node.value), family) if family else described(words)
    text = described(words)
    kind = next((kind_text(str(word), family) for family in _families(words[:-1]) if word in kind_names(family)), "")
    return kind or (f"**{word}**: {text}" if text else "")


def _is_entry(cursor: Cursor) -> bool:
    """Whether the cursor is on the kind of an entry of a list of layers that nothing calls."""
    words = [word for word in cursor.words if word not in ("repeat", "residual")]
    numbered = words[:-1] if cursor.on_key else words
    return (
        len(numbered) > 1
        and words[0] in ("layers", "blocks")
        and isinstance(numbered[-1], int)
        and (numbered[-2] in ("layers", "shortcut") or isinstance(numbered[-2], int) or "branches" in words)
    )


def _families(words: tuple[str | int, ...]) -> list[str]:
    """The families of kinds that a field holds, which these keys lead to."""
    singular = {
        **dict(zip(FAMILIES.values(), FAMILIES, strict=True)),
        "augment": "augmentations",
        "bias_init": "initialisers",
    }
    singular |= {"init": "initialisers", "metrics": "metrics", "log": "writers"}
    last = next((str(word) for word in reversed(words) if not isinstance(word, int)), "")
    return [singular[last]] if last in singular else []
