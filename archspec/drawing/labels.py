"""The labels of the paper look: what is said of a volume, and on which side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from archspec.drawing.groups import Group
from archspec.drawing.naming import names_of
from archspec.drawing.scene import shortened, text_width
from archspec.drawing.steps import Stage
from archspec.drawing.volumes import NAME, SMALL, Figure, Volume
from archspec.drawing.words import is_counted
from archspec.layers import Family

MAX_LABEL = 118.0


def wants_windows(groups: Sequence[Group]) -> bool:
    """Whether windows are drawn: in short networks of single volumes."""
    return len(groups) <= 16 and all(
        len(group.steps) <= 2 and step.role in ("input", "layer", "output") and step.family != "resize"
        for group in groups
        for step in group.steps[:1]
    )


def told_by_legend(groups: Sequence[Group], windows: bool) -> dict[Family, str]:
    """Families whose steps are all the same, so that the legend may tell what."""
    does: dict[Family, Counter[str]] = {}
    for group in groups:
        for step in group.steps:
            if step.role == "layer" and step.family in ("pooling", "resize") and not step.type.is_vector:
                does.setdefault(step.family, Counter())[step.does] += 1
    if windows:
        return {}
    return {family: next(iter(seen)) for family, seen in does.items() if len(seen) == 1 and seen.total() > 2}


def write_labels(figure: Figure) -> None:
    """Gives each volume its label's lines and side."""
    after: dict[int, Volume] = {first: figure.volumes[second] for second, first in figure.rows.before.items()}
    for placed, name in zip(figure.volumes, names_of(figure.graph, figure.groups), strict=True):
        placed.name = name
    for at, placed in enumerate(figure.volumes):
        step = placed.group.first
        lines = [*_words(figure, placed), *([] if _is_told(figure, step, after.get(at)) else [str(step.type)])]
        unnamed = step.role == "layer" and step.family not in ("convolution", "dense") and len(lines) > 1
        if not lines[0] or (unnamed and is_counted(lines[0], figure.graph.nodes[step.nodes[0]].kind)):
            lines = [*_broken(lines[1], NAME, True), *lines[2:]]
        title = _broken_name(lines[0])
        placed.titles = len(title)
        lines = [*title, *(part for text in lines[1:] for part in _broken(text))]
        placed.lines = [shortened(text, MAX_LABEL, *placed.font(index)) for index, text in enumerate(lines)]
        beside = step.role == "layer" and step.family in ("pooling", "resize", "other") and not figure.windows
        placed.above = (beside or placed.crossed) and not placed.arcs
        placed.aside = placed.crossed and placed.arcs


def _words(figure: Figure, placed: Volume) -> list[str]:
    """The name of a group, and what it does unless the name or the legend tells."""
    group = placed.group
    step, repeats = group.first, len(group.steps)
    lines = [placed.name]
    if step.role == "layer" and figure.common.get(step.family) != step.does:
        runs = [(does, len(list(run))) for does, run in groupby(inner.does for inner in group.steps)]
        if len(runs) > 3:
            runs = [(step.does.split()[0], repeats)]
        lines += [f"{count:,} × {does}" if count > 1 else does for does, count in runs]
    elif step.role == "block":
        does = f"{repeats:,} × {step.does}" if repeats > 1 else step.does
        lines += [] if _tells(lines[0], does) else [does]
        lines += [f"{len(step.split)} branches"] if step.split else [step.note] if step.note else []
    return [*lines, *_shared(figure, group)]


def _shared(figure: Figure, group: Group) -> list[str]:
    """Whose arrays a group uses; of a block that is another one once more the first group alone tells."""
    ties = [(step, tie) for step in group.steps if (tie := figure.ties.get(step.path))]
    if told := next((figure.told[step.path] for step in group.steps if step.path in figure.told), ""):
        return [told]
    ties = [(step, tie) for step, tie in ties if step.path not in figure.silent]
    if not ties:
        return []
    paths = {tie.path for _, tie in ties}
    if group.first.path in paths and len(paths) == 1 and len(ties) == len(group.steps) - 1:
        return ["one set of weights"]
    if len(ties) < len(group.steps):
        return [f"{len(ties):,} share weights"]
    first, last = ties[0][1], ties[-1][1]
    return [str(first) if first.path == last.path else f"{first} – {last.path}"]


def _is_told(figure: Figure, step: Stage, following: Volume | None) -> bool:
    """Whether the shape of a step need not be told: a symbol's, or a pooling's whose size the next label has."""
    if step.role == "symbol":
        return True
    if figure.windows or following is None or step.role != "layer" or step.type.is_vector:
        return False
    after = following.group.first
    return (
        step.family in ("pooling", "resize", "other")
        and after.role in ("layer", "block")
        and after.family == "convolution"
        and after.type.spatial == step.type.spatial
    )


def _tells(name: str, does: str) -> bool:
    return does.replace(" ", "") in name.replace("_", "")


def _broken(text: str, size: float = SMALL, bold: bool = False) -> list[str]:
    """A text that is too wide for a label, as two lines."""
    words = text.split(" ")
    if text_width(text, size, bold) <= MAX_LABEL or len(words) == 1:
        return [text]
    cuts = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
    return list(min(cuts, key=lambda cut: max(text_width(part, SMALL) for part in cut)))


def _broken_name(name: str) -> list[str]:
    """A name that is too wide for a label, as two lines, the first up to a dot, an underscore or a space."""
    cuts = [at for at in range(1, len(name)) if name[at - 1] in "._ "]
    if text_width(name, NAME, True) <= MAX_LABEL or not cuts:
        return [name]
    pairs = [(name[:at].rstrip(), name[at:]) for at in cuts]
    return list(min(pairs, key=lambda pair: max(text_width(part, NAME, True) for part in pair)))
