"""The page's script unfolds blocks as `archspec.drawing.unfolding.unfold` does: the same rule, run in both."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from archspec.drawing.layout import Box, Frame, Link, Picture, arrange
from archspec.drawing.unfolding import unfold
from archspec.loading import open_spec
from archspec.page.payload import payload
from tests.page.scripts import needs_node, run

SCRIPT = """
return JSON.stringify(arguments[0].map((opened) => unfold(store.network.frames, new Set(opened))));
"""

UNFOLDED = """
console.log(JSON.stringify(given.map(({frames, opened}) => {
  const known = new Map(Object.entries(frames));
  return opened.map((paths) => unfold(known, new Set(paths)));
})));
"""


def check_same(ours: Mapping[str, Any], theirs: Picture, near: float) -> None:
    """A picture of the script's and one of Python's have the same boxes, outlines and lines at the same places."""

    def close(one: list[Any], other: list[float]) -> None:
        assert None not in one, "JSON has no NaN"
        assert all(abs(a - b) <= near for a, b in zip(one, other, strict=True))

    close([ours["width"], ours["height"]], [theirs.width, theirs.height])
    for kind, items in (("boxes", theirs.boxes), ("outlines", theirs.outlines)):
        assert [item["path"] for item in ours[kind]] == [item.path for item in items]
        for side in ("x", "y", "width", "height"):
            close([item[side] for item in ours[kind]], [getattr(item, side) for item in items])
    assert [item["level"] for item in ours["outlines"]] == [item.level for item in theirs.outlines]
    for mine, other in zip(ours["links"], theirs.links, strict=True):
        assert (mine["source"], mine["target"], mine["tensor"]) == (other.source, other.target, other.tensor)
        close([at for point in mine["points"] for at in point], [at for point in other.points for at in point])


def some(frames: Mapping[str, Frame], drawn: random.Random, times: int = 4) -> list[list[str]]:
    """Choices of blocks to unfold: none, all, and some at random."""
    paths = [path for path in frames if path]
    return [[], paths, *(drawn.sample(paths, drawn.randint(0, len(paths))) for _ in range(times))]


def random_frames(drawn: random.Random) -> dict[str, Frame]:
    """Frames that no layout would make: boxes anywhere, and between them and the border any tensors."""
    frames: dict[str, Frame] = {}

    def number(low: float, high: float) -> float:
        return drawn.choice([round(drawn.uniform(low, high)), drawn.uniform(low, high)])

    def grow(path: str, level: int) -> None:
        names = drawn.sample(["a", "b", "constructor", "__proto__", "toString", "a…b"], drawn.randint(1, 4))
        boxes = []
        for name in names:
            inner = f"{path}.{name}" if path else name
            opens = level < 3 and drawn.random() < 0.7
            kind: Any = drawn.choice(["block", "run"]) if opens else "unit"
            size = number(20, 300), number(20, 90)
            boxes.append(Box(inner, number(0, 500), number(0, 900), *size, kind, inner, (), ()))
            if opens:
                grow(inner, level + 1)
        ends = [box.path for box in boxes]
        links = []
        for _ in range(drawn.randint(0, 24)):
            points = tuple((number(0, 500), number(0, 900)) for _ in range(drawn.randint(4, 8)))
            source, target = (drawn.choice(["", *ends]) if path else drawn.choice(ends) for _ in range(2))
            links.append(Link(source, target, f"t{drawn.randint(0, 12)}", points, "8×8×3"))
        size = number(300, 700), number(500, 1000)
        frames[path] = Frame(path, path, number(20, 600), *size, tuple(boxes), tuple(links))

    grow("", 0)
    return dict(reversed(frames.items()))


@pytest.mark.slow
@needs_node
def test_random_frames_unfold_to_the_same_picture() -> None:
    made = [random_frames(random.Random(seed)) for seed in range(30)]
    check_in_node(made)


def check_in_node(made: list[dict[str, Frame]]) -> None:
    chosen = [some(frames, random.Random(number)) for number, frames in enumerate(made)]
    given = [
        {"frames": {path: asdict(frame) for path, frame in frames.items()}, "opened": opened}
        for frames, opened in zip(made, chosen, strict=True)
    ]
    found = run(UNFOLDED, given, "unfold")
    for frames, opened, pictures in zip(made, chosen, found, strict=True):
        for paths, ours in zip(opened, pictures, strict=True):
            check_same(ours, unfold(frames, paths), 1e-6)


@needs_node
@pytest.mark.parametrize("inputs", [2, 8, 9, 10, 24])
def test_blocks_with_many_inputs_unfold_to_the_same_picture(inputs: int, write: Callable[..., Path]) -> None:
    """Of very many tensors between two boxes one line stands for all, and inside another one may be drawn."""
    text = "input: {height: 8, width: 8, channels: 4}\nlayers:\n"
    text += "".join(f"  - conv: {{name: c{at}, filters: 4, kernel: 1, from: input}}\n" for at in range(inputs))
    for level in ("", "outer."):
        names = [f"c{at}" for at in range(inputs)]
        text += "".join(f"  - relu: {{name: {level}in.{name}.r, from: {name}}}\n" for name in names)
        text += f"  - add: {{name: {level}in.sum, from: [{', '.join(f'{level}in.{name}.r' for name in names)}]}}\n"
        names = [*names, "end"] if level else names
        text += f"  - concat: {{name: {level}end, from: [{level}in.sum, {', '.join(names)}]}}\n"
    path = write(text)
    graph = open_spec(str(path)).graph().pruned("eval")
    frames = arrange(graph, sparse=True)
    assert {"in", "outer", "outer.in"} <= set(frames)
    check_in_node([frames])


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "resnet1001_preact", "segnet", "fcn8s"])
def test_boxes_and_links_lie_where_python_puts_them(name: str, browser: Any, page: Any) -> None:
    frames = arrange(open_spec(name).graph().pruned("eval"))
    chosen = some(frames, random.Random(name))
    browser.open(page(name))
    found = json.loads(browser.run(SCRIPT, chosen))
    for opened, ours in zip(chosen, found, strict=True):
        # The page has coordinates to a hundredth.
        check_same(ours, unfold(frames, opened), 0.1)


def test_the_payload_has_every_frame() -> None:
    spec = open_spec("googlenet")
    frames = arrange(spec.graph().pruned("eval"))
    assert list(payload(spec)["model"]["frames"]) == list(frames)
