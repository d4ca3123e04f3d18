"""The page's script unfolds blocks as `archspec.drawing.layout.unfold` does."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from archspec.drawing.layout import Box, Outline, unfold
from archspec.loading import open_spec
from archspec.page.payload import payload

SCRIPT = """
const frames = JSON.parse(document.getElementById("payload").textContent).model.frames;
return JSON.stringify(arguments[0].map((opened) => unfold(frames, new Set(opened))));
"""


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50", "resnet1001_preact", "segnet", "fcn8s"])
def test_boxes_and_links_lie_where_python_puts_them(name: str, browser: Any, page: Any) -> None:
    from archspec.drawing.layout import arrange

    frames = arrange(open_spec(name).graph().pruned("eval"))
    drawn = random.Random(name)
    paths = [path for path in frames if path]
    chosen = [[], paths, *(drawn.sample(paths, drawn.randint(0, len(paths))) for _ in range(4))]
    browser.open(page(name))
    found = json.loads(browser.run(SCRIPT, chosen))
    for opened, ours in zip(chosen, found, strict=True):
        theirs = unfold(frames, opened)
        near = pytest.approx
        assert (ours["width"], ours["height"]) == near((theirs.width, theirs.height), abs=0.1)
        assert [box["path"] for box in ours["boxes"]] == [box.path for box in theirs.boxes]
        kinds: dict[str, tuple[Box | Outline, ...]] = {"boxes": theirs.boxes, "outlines": theirs.outlines}
        for kind, items in kinds.items():
            for mine, other in zip(ours[kind], items, strict=True):
                assert mine["path"] == other.path
                for side in ("x", "y", "width", "height"):
                    assert mine[side] == near(getattr(other, side), abs=0.1)
        for mine, link in zip(ours["links"], theirs.links, strict=True):
            assert (mine["source"], mine["target"], mine["shape"]) == (link.source, link.target, link.shape)
            flat = [value for point in link.points for value in point]
            assert [value for point in mine["points"] for value in point] == near(flat, abs=0.1)


def test_the_payload_has_every_frame() -> None:
    from archspec.drawing.layout import arrange

    spec = open_spec("googlenet")
    frames = arrange(spec.graph().pruned("eval"))
    assert list(payload(spec)["model"]["frames"]) == list(frames)
