"""The calls of blocks: which of them the layers of a block's body are shown for."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.editing.analysis import Reading
from archspec.editing.cursor import entries_around, nearness, shown_visit
from archspec.elaborate.trace import Visit
from archspec.positions import Position
from archspec.spec.document import Block


def block_of(visit: Visit) -> Block | None:
    """The block that an entry calls."""
    return visit.context.document.blocks.get(visit.entry.kind) if visit.entry is not None else None


def calls(reading: Reading) -> dict[int, tuple[Block, list[str]]]:
    """The paths of every block's calls, in order, by the block's id."""
    found: dict[int, tuple[Block, list[str]]] = {}
    for visit in reading.trace.visits if reading.trace is not None else ():
        block = block_of(visit)
        if block is not None and visit.entry is not None and visit.entry.opened is not None:
            found.setdefault(id(block), (block, []))[1].append(visit.entry.opened)
    return found


def nearest(paths: Sequence[str], focus: str) -> int:
    """The number of the call that is shown: the nearest to what is looked at, else the first."""
    return max(range(len(paths)), key=lambda number: nearness(paths[number], focus)) if focus else 0


def focus_at(reading: Reading, position: Position, focus: str) -> str:
    """The call that is looked at once the cursor is at a position: the one there, or else that of before."""
    for visits in reversed(entries_around(reading.visits_in(reading.source), position)):
        opened = [
            visit.entry.opened
            for visit in visits
            if visit.entry is not None and visit.entry.opened is not None and block_of(visit) is not None
        ]
        if not opened:
            continue
        if any(focus == path or focus.startswith(f"{path}.") for path in opened):
            return focus
        shown = shown_visit([visit for visit in visits if visit.entry and visit.entry.opened in opened], focus)
        assert shown.entry is not None and shown.entry.opened is not None
        return shown.entry.opened
    return focus
