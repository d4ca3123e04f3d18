"""Pictures of an explanation: PNGs on which no text covers another or leaves the picture."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from archspec.diagnostics import SpecError
from archspec.explaining import attack_pictures
from archspec.explaining.explanation import Answered
from archspec.explaining.gathering import explain
from archspec.explaining.panels import draw_bars, said_of
from archspec.explaining.sheet import Sheet
from archspec.inference.run import Run
from tests.explaining.test_gathering import imported

TEXT = """archspec: 1
name: mapper
input: {height: 12, width: 16, channels: 3}
task: segmentation
layers:
  - conv: {name: c1, filters: 5, kernel: 3, pad: 1}
  - relu: {name: r1}
  - conv: {name: out, filters: 3, kernel: 3, pad: 1}
"""


@pytest.fixture(scope="module")
def mapper(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(5)
    tensors = {
        "c1.weight": rng.normal(size=(5, 3, 3, 3)),
        "c1.bias": rng.normal(size=5) / 9,
        "out.weight": rng.normal(size=(3, 5, 3, 3)),
        "out.bias": np.zeros(3),
    }
    return imported(tmp_path_factory.mktemp("mapper"), TEXT, tensors)


def check_texts(sheet: Any) -> None:
    """Every text lies within the picture, and none over another."""
    renderer = sheet.figure.canvas.get_renderer()
    whole = sheet.figure.bbox
    sheet.figure.draw(renderer)
    boxes = []
    for text in sheet.figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip():
            continue
        box = text.get_window_extent(renderer)
        if box.width and box.height:
            boxes.append((text.get_text(), box))
    for words, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1, words
    for (one, a), (other, b) in combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or high <= 1, (one, other)


@pytest.mark.slow
def test_pictures_say_what_they_are(mapper: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Sheet.png

    def checked(sheet: Any) -> bytes:
        check_texts(sheet)
        return drawn(sheet)

    monkeypatch.setattr(Sheet, "png", checked)
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (12, 16, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    methods = ["saliency", "guided_backprop", "gradcam", "activations", "filters", "unit", "effective_field", "fgsm"]
    made = explain(mapper, tmp_path / "a.png", methods=methods, pixel=(3, 9), number="1", epsilon=0.2)
    own = made.samples[0].explained
    assert own.what == "score of 1 at pixel 3, 9"
    # Only what the pixel sees, five pixels on a side, can have to do with its score.
    saliency = made.samples[0].attributions["saliency"].map("input")
    assert saliency[1:6, 7:12].any()
    assert np.count_nonzero(saliency) == np.count_nonzero(saliency[1:6, 7:12])
    files = made.write(tmp_path / "out")
    assert [path.name for path in files] == [
        "filters-c1.png",
        "a-seen.png",
        "a-attributions.png",
        "a-saliency.png",
        "a-guided_backprop.png",
        "a-gradcam-r1.png",
        "a-activations-c1.png",
        "a-activations-r1.png",
        "a-fgsm.png",
        "a-fgsm-image.png",
        f"unit-r1-{made.samples[0].cam.strongest}.png",  # type: ignore[union-attr]
        "effective-fields.png",
    ]
    for path in files:
        with Image.open(BytesIO(path.read_bytes())) as image:
            assert image.width == (16 if path.name == "a-fgsm-image.png" else 1440)
    # A file of somebody else's is not replaced, its own pictures are.
    made.write(tmp_path / "out")
    Image.new("RGB", (4, 4)).save(tmp_path / "out" / "a-seen.png")
    with pytest.raises(SpecError, match="no picture of an explanation"):
        made.write(tmp_path / "out")
    assert made._repr_html_().count("data:image/png;base64,") == len(files)
    assert made.picture("fgsm")._repr_png_() == (tmp_path / "out" / "a-fgsm.png").read_bytes()
    for words in ("a-activations", "nothing"):
        with pytest.raises(ValueError, match=f"'{words}' names [02] pictures of filters-c1, a-seen"):
            made.picture(words)


def test_of_several_labels_those_are_said_that_predict_says() -> None:
    rated = (("8", 0.9), ("3", 0.6), ("7", 0.5), ("1", 0.2))
    some = Answered("out", "labels", rated)
    assert said_of(some) == "predicted: 8 (90.0 %), 3 (60.0 %)"
    none = some._replace(rated=rated[2:])
    assert said_of(none) == "predicted: no label, the nearest 7 (50.0 %)"
    assert attack_pictures._best(none) == "no label, the nearest 7 (50.0 %)"
    # Of a loss without probabilities labels are there above another number.
    scores = Answered("out", "labels", (("cat", 0.4), ("dog", -0.1)), likely=False, threshold=0.0)
    assert said_of(scores) == "predicted: cat (0.4)"


def test_bars_of_numbers_below_0_go_to_the_left_of_it_on_one_scale() -> None:
    before, after = (Answered("angle", "numbers", (("angle", number),), False) for number in (-0.25, 1.0))
    for own in (before, after):
        axes = Sheet("", "", "", 4.0).axes(0, 0, 2, 1)
        draw_bars(axes, own, ["angle"], others=(before, after))
        low, high = axes.get_xlim()
        assert low <= -0.25 and high >= 1
        at_zero = [line for line in axes.get_lines() if np.asarray(line.get_xdata()).tolist() == [0, 0]]
        assert len(at_zero) == 1 and not axes.spines["left"].get_visible()
