"""Lines of the paper look keep clear of boxes that they do not lead to, of labels and of lines of other tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path as File

import pytest

import archspec
from archspec.drawing.detours import crossings
from archspec.drawing.paper_look import placed
from archspec.drawing.scene import Bounds, Path, stretch
from archspec.drawing.skyline import Places
from archspec.drawing.volume_shapes import arc, crossing, into
from archspec.drawing.volumes import Figure
from tests.drawing.shared import TOWER

EXAMPLES = sorted((File(__file__).parents[2] / "specs" / "examples").glob("*.yaml"))

TRIPLET = """
inputs:
  anchor: {height: 28, width: 28, channels: 1}
  positive: {height: 28, width: 28, channels: 1}
  negative: {height: 28, width: 28, channels: 1}
blocks:
  encoder:
    layers:
      - conv: {filters: 4, kernel: 3, pad: same}
      - relu
      - max_pool: 2
      - flatten
      - dense: 8
      - l2_normalise
layers:
  - encoder: {name: ea, from: anchor}
  - encoder: {name: ep, from: positive, weights: ea}
  - encoder: {name: en, from: negative, weights: ea}
  - subtract: {name: dp, from: [ea, ep]}
  - multiply: {name: sp, from: [dp, dp]}
  - subtract: {name: dn, from: [ea, en]}
  - multiply: {name: sn, from: [dn, dn]}
  - subtract: {name: diff, from: [sp, sn]}
  - dense: {name: margin, units: 1}
"""


def of_pairs(count: int) -> str:
    """Towers of `count` inputs, of which each two meet."""
    names = [f"t{at}" for at in range(count)]
    pairs = [f"{one}{other}" for one, other in combinations(names, 2)]
    lines = ["inputs:", *(f"  in_{name}: {{features: {20 + 9 * at}}}" for at, name in enumerate(names)), "layers:"]
    lines += [f"  - dense: {{name: {name}, from: in_{name}, units: 16}}" for name in names]
    lines += [f"  - add: {{name: {a}{b}, from: [{a}, {b}]}}" for a, b in combinations(names, 2)]
    return "\n".join([*lines, f"  - concat: {{name: all, from: [{', '.join(pairs)}]}}", "  - dense: 3"]) + "\n"


def of_maps(count: int) -> str:
    """Maps of `count` inputs joined to one trunk, and each once more behind it."""
    lines = ["inputs:", *(f"  in{at}: {{height: 32, width: 32, channels: 3}}" for at in range(count)), "layers:"]
    for at in range(count):
        lines.append(f"  - conv: {{name: c{at}, from: in{at}, filters: {4 * (at + 1)}, kernel: 3, pad: same}}")
        lines += [f"  - max_pool: {{name: p{at}, window: 2}}"]
    lines.append(f"  - concat: {{name: joined, from: [{', '.join(f'p{at}' for at in range(count))}]}}")
    for at in range(count):
        lines.append(f"  - conv: {{name: d{at}, from: joined, filters: {4 * (at + 1)}, kernel: 3, pad: same}}")
        lines.append(f"  - add: {{name: s{at}, from: [d{at}, p{at}]}}")
    outputs = ", ".join(f"o{at}: s{at}" for at in range(count))
    return "\n".join([*lines, f"outputs: {{{outputs}}}"]) + "\n"


def lines_of(figure: Figure, places: Places) -> Iterator[tuple[int, int, Path]]:
    """Every arrow of a figure with the volumes that it comes from and leads to."""
    for two, one in figure.rows.before.items():
        for shape in into(figure, two):
            if isinstance(shape, Path) and shape.arrow:
                yield one, two, shape
    for one, two in figure.rows.arcs:
        yield one, two, arc(figure, places, one, two)
    for (one, two), points in crossings(figure, places).items():
        yield one, two, crossing(figure, one, two, points)


def stretches(path: Path) -> list[Bounds]:
    points = [path.start, *(curve.end for curve in path.curves)]
    return [stretch(start, end) for start, end in pairwise(points)]


def is_straight(part: Bounds) -> bool:
    return min(part.width, part.height) < 0.1


def faults(figure: Figure, places: Places) -> Iterator[str]:
    """What lines run through or along that they should not."""
    lines = list(lines_of(figure, places))
    called = [placed.group.first.path for placed in figure.volumes]
    assert {(one, two) for one, two, _ in lines} >= {*figure.rows.arcs, *figure.rows.crossings}
    for one, two, path in lines:
        said = f"{called[one]} → {called[two]}"
        # What touches the volume before it stands on that, and its arrow begins there.
        under, back = {one, two}, one
        while figure.volumes[back].attached:
            back = figure.rows.before[back]
            under.add(back)
        for part in stretches(path):
            for at, volume in enumerate(figure.volumes):
                if at not in under and volume.body and part.meets(volume.box, -0.5):
                    yield f"{said} through {called[at]}"
            for text in places.labels:
                if part.meets(text.box, -0.5):
                    yield f"{said} over {text.text}"
    for (one, two, path), (first, second, other) in combinations(lines, 2):
        if one != first:
            for part in stretches(path):
                for another in stretches(other):
                    across = min(part.right, another.right) - max(part.left, another.left)
                    down = min(part.bottom, another.bottom) - max(part.top, another.top)
                    # Those that cross share a point; rounded corners are neither level nor upright.
                    if max(across, down) > 3 and min(across, down) > -2 and is_straight(part) and is_straight(another):
                        yield f"{called[one]} → {called[two]} on {called[first]} → {called[second]}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_lines_of_examples_are_apart(example: File) -> None:
    assert not list(faults(*placed(archspec.load(example).graph())))


@pytest.mark.parametrize(
    "text",
    [TRIPLET, TOWER, of_pairs(3), of_maps(2), of_maps(3)],
    ids=["triplet", "siamese", "pairs3", "maps2", "maps3"],
)
def test_lines_of_several_inputs_are_apart(text: str, write: Callable[..., File]) -> None:
    assert not list(faults(*placed(archspec.load(write(text)).graph())))
