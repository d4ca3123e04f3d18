"""What stands behind each layer while a spec is written: its output's shape, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.diagnostics import Source, count, listed
from archspec.editing.analysis import Analysis, Reading
from archspec.editing.calls import calls, nearest
from archspec.editing.cursor import behind_colon, entry_end, shown_visit
from archspec.elaborate.trace import Trace, Visit
from archspec.positions import Position, end_of

MAX_CALLS = 8
"""Calls that a tooltip lists."""


class Hint(NamedTuple):
    """Words to show at a position, and more of them for who points there."""

    position: Position
    label: str
    tooltip: str = ""


def hints(analysis: Analysis, focus: str = "", others: Sequence[Analysis] = ()) -> list[Hint]:
    """Of every layer, block call and structure of a text the shape of what it gives, and its parameters.

    In the body of a block they are those of the call `focus`, or of the first one. What the text as it is now does not
    say, since it is half written, is taken from the last whole network, with `~` before it. `others` are open texts
    that import this one: where it calls no blocks itself, theirs are shown.
    """
    found = list(_of_reading(analysis.now, analysis.now.source, focus))
    if not analysis.now.spec and not found:
        for other in others:
            source = other.now.sources.get(analysis.now.path)
            if source is not None and source.text == analysis.now.text:
                return sorted(_of_reading(other.now, source, focus, analysis.now))
    whole = analysis.whole
    if whole is not None and whole is not analysis.now:
        now = {hint.position.line for hint in found}
        moved = analysis.moved(whole)
        for hint in _of_reading(whole, whole.source, focus):
            line = moved.line(hint.position.line)
            if line is not None and line not in now:
                place = Position(line, hint.position.column)
                found.append(Hint(place, f"~ {hint.label}", f"{hint.tooltip}\n\nbefore what is written now".strip()))
    return sorted(found)


def _of_reading(reading: Reading, source: Source | None, focus: str, text: Reading | None = None) -> Iterator[Hint]:
    """The hints of the entries that are written in one of the texts that a reading has."""
    trace = reading.trace
    if trace is None or source is None:
        return
    groups: dict[int, list[Visit]] = {}
    for visit in reading.visits_in(source):
        groups.setdefault(id(visit.node), []).append(visit)
    for visits in groups.values():
        shown = shown_visit(visits, focus)
        label = label_of(trace, shown)
        if label:
            yield Hint(entry_end(text or reading, shown), label, _tooltip(trace, shown, visits))
    for block, paths in calls(reading).values():
        if block.key.source is source:
            place = nearest(paths, focus)
            word = paths[place] + (f", {place + 1} of {len(paths)} calls" if len(paths) > 1 else "")
            yield Hint(behind_colon(text or reading, end_of(block.key.span)), word, "the call that is shown here")


def label_of(trace: Trace, visit: Visit) -> str:
    """`56×56×64 · 9,408`; empty where nothing is known, or the entry is left out by `when`."""
    types = [trace.type_of(value) for value in visit.result]
    if visit.entry is None or not types or None in types or _left_out(visit):
        return ""
    params = sum(node.params for node in trace.nodes[visit.first : visit.last])
    shape = ", ".join(map(str, types))
    return f"{shape} · {params:,}" if params else shape


def absence(trace: Trace, visit: Visit) -> str:
    """Why an entry has no label: `when` left it out, or what comes into it is wrong already, or it is itself."""
    known = bool(visit.result) and all(trace.type_of(value) is not None for value in visit.result)
    return "left out here by `when`" if known and _left_out(visit) else "not known yet"


def _left_out(visit: Visit) -> bool:
    """Whether `when` left it out: nothing came of it, and what was given goes on."""
    return (
        visit.first == visit.last
        and visit.result == visit.given
        and visit.entry is not None
        and (visit.entry.opened is None)
    )


def _tooltip(trace: Trace, shown: Visit, visits: Sequence[Visit]) -> str:
    """What an entry's label is of, and what its other calls give."""
    lines = []
    nodes = trace.nodes[shown.first : shown.last]
    if len(nodes) == 1:
        lines.append(f"`{nodes[0].path}`")
    elif nodes:
        lines.append(f"`{nodes[0].path}` to `{nodes[-1].path}`, {count(len(nodes), 'layer')}")
    if len(visits) > 1:
        labels: dict[str, list[str]] = {}
        for visit in visits:
            labels.setdefault(label_of(trace, visit) or absence(trace, visit), []).append(visit.path or "the network")
        if len(labels) == 1:
            lines.append(f"the same in {count(len(visits), 'call')}")
        else:
            lines += [f"- {label}: {listed(paths, 4)}" for label, paths in list(labels.items())[:MAX_CALLS]]
            if len(labels) > MAX_CALLS:
                lines.append(f"- and {len(labels) - MAX_CALLS} more")
    return "\n".join(lines)
