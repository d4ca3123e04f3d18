"""The rows of the paper look: which volumes stand side by side, and where along their row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from archspec.drawing.groups import Group
from archspec.drawing.volumes import Figure, Rows, Volume

ARROW = 17.0
"""Room for an arrow."""
LABEL_GAP = 9.0


def rows_of(groups: Sequence[Group]) -> Rows:
    """The rows of a figure, and the links that are no neighbours'."""
    chains = _chains(groups)
    row = {at: number for number, chain in enumerate(chains) for at in chain}
    before = {second: first for chain in chains for first, second in pairwise(chain)}
    edges = [(source, at) for at, group in enumerate(groups) for source in group.sources]
    arcs = [(source, at) for source, at in edges if row[source] == row[at] and before.get(at) != source]
    return Rows(chains, before, arcs, [(source, at) for source, at in edges if row[source] != row[at]])


def _chains(groups: Sequence[Group]) -> list[list[int]]:
    """Chains of groups: first the longest way to the first output, then what branches off it."""
    length = [0] * len(groups)
    best: list[int | None] = [None] * len(groups)
    for at, group in enumerate(groups):
        for source in group.sources:
            if length[source] + 1 > length[at]:
                length[at], best[at] = length[source] + 1, source
    ends = [at for at, group in enumerate(groups) if group.first.role == "output"]
    trunk: list[int] = []
    here: int | None = ends[0] if ends else len(groups) - 1
    while here is not None:
        trunk.append(here)
        here = best[here]
    if groups[trunk[-1]].first.role != "input":
        trunk.append(0)
    rows = [trunk[::-1]]
    free = [at for at in range(len(groups)) if at not in set(trunk)]
    while free:
        row = [free.pop(0)]
        while True:
            following = next((at for at in free if row[-1] in groups[at].sources), None)
            if following is None:
                break
            free.remove(following)
            row.append(following)
        rows.append(row)
    return rows


def place_across(figure: Figure) -> None:
    """Gives each volume its x: after what it takes values of, with room for its label."""
    taken: dict[tuple[int, bool], float] = {}
    for at, placed in enumerate(figure.volumes):
        placed.x = _earliest(figure, at)
        if placed.group.first.role == "output":
            before = figure.rows.before.get(at)
            if before is not None and (last := figure.volumes[before]).box.height < placed.label_height + 8:
                # So low a volume has its label beside the output's.
                placed.x = max(placed.x, last.label_middle + last.label_width / 2 + LABEL_GAP)
            continue
        wide = placed.label_width
        beside: list[tuple[bool, float, float]] = [
            (placed.above, placed.label_middle - wide / 2, placed.label_middle + wide / 2)
        ]
        if placed.arcs:
            beside.append((True, placed.middle - 2, placed.middle + 2))
        if placed.crossed:
            beside.append((placed.row != 0 and not placed.above, placed.middle - 2, placed.middle + 2))
        push = max(taken.get((placed.row, above), left) - left for above, left, _ in beside)
        first = figure.rows.before.get(at)
        if placed.attached and first is not None and push > ARROW / 2:
            # What its label moves away from its stage has an arrow, and room for it.
            placed.attached = False
            push = max(push, figure.volumes[first].end + placed.back.x / 2 + ARROW - placed.x)
        placed.x += max(push, 0.0)
        for above, _, right in beside:
            key = (placed.row, above)
            taken[key] = max(taken.get(key, -1e9), right + max(push, 0.0) + LABEL_GAP)
    for row in figure.rows.chains[1:]:
        ends = [figure.volumes[at].middle for source, at in figure.rows.crossings if source == row[-1]]
        if ends:
            last = figure.volumes[row[-1]]
            slack = min(ends) - ARROW - max(last.end + last.back.x / 2, last.label_middle + last.label_width / 2)
            for at in row:
                figure.volumes[at].x += max(slack, 0.0)


def _earliest(figure: Figure, at: int) -> float:
    placed = figure.volumes[at]
    front = placed.back.x / 2
    starts = [0.0]
    for source in figure.groups[at].sources:
        other = figure.volumes[source]
        if other.row != placed.row:
            starts.append(max(other.end, other.middle + other.label_width / 2) + front + ARROW)
    if (first := figure.rows.before.get(at)) is not None:
        starts.append(figure.volumes[first].end + _gap(figure, figure.volumes[first], placed))
    return max(starts)


def _gap(figure: Figure, one: Volume, two: Volume) -> float:
    """Between the bodies of neighbours: nearly none within a stage, else an arrow's length."""
    last, step = one.group.last, two.group.first
    if step.role == "output":
        return one.back.x / 2 + ARROW + 12
    if not figure.windows and last.role == step.role == "layer" and not (last.type.is_vector or step.type.is_vector):
        shrinks = step.family in ("pooling", "other") and two.height <= one.height and two.back.x <= one.back.x
        stays = last.family in ("convolution", "resize") and step.family == "convolution"
        same = stays and last.type.spatial == step.type.spatial
        if shrinks or same:
            two.attached = True
            return 4.0
    front = two.back.x / 2
    if figure.windows and not two.group.first.type.is_vector:
        return max(front + ARROW + 8, one.back.x / 2 + front + 14)
    return max(front + ARROW, 0.75 * one.back.x / 2 + front)
