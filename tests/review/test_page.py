"""The page that a run ends with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.loading import load
from archspec.review import making
from archspec.review.charts import Line, curves, labels, ticks
from archspec.review.parts import card
from archspec.training.run import train
from tests.digits import MNIST
from tests.page.conftest import Browser, browser  # noqa: F401

NAMES = ["<script>alert(1)", "'on\"e", "two", "th&ree"]
SPEC = """archspec: 1
name: net
title: A net & its <page>
input: {height: 28, width: 28, channels: 1, range: [0, 1]}
layers: [{conv: {filters: 4, kernel: 5, stride: 3}}, relu, flatten, {dense: 4}]
train: {dataset: {image_folder: {path: %s, holdout: 0.4, grey: true}}, epochs: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the command line, of digits with names that are code."""
    folder = tmp_path_factory.mktemp("page")
    with np.load(MNIST) as file:
        for number, name in enumerate(NAMES):
            (folder / "digits" / name).mkdir(parents=True)
            for place, pixels in enumerate(file["x"][file["y"] == number][:30]):
                Image.fromarray(pixels.reshape(28, 28)).save(folder / "digits" / name / f"{number} {place}.png")
    (folder / "net.yaml").write_text(SPEC % (folder / "digits"))
    assert main(["train", str(folder / "net.yaml"), "--workdir", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/someone/data/pets/dog/0001.png", "dog/0001.png"),
        ("dog/0001.png", "dog/0001.png"),
        ("/0001.png", "/0001.png"),
        ("row 3", "row 3"),
        ("C:\\pets\\dog\\1.png", "dog/1.png"),
    ],
)
def test_of_a_long_path_the_end_is_shown(name: str, shown: str) -> None:
    """All samples of a folder begin alike; the whole path is told under the pointer."""
    assert card("", [], name).count(f'<span class="name" title="{name}">{shown}</span>') == 1


class Reader(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.slow
def test_a_run_ends_with_a_page_of_all_that_came_of_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (run / "run.html").read_text("utf-8")
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((run / "result.json").read_text())
    assert f"{100 * result['top1']:.2f} %" in page
    assert "A net &amp; its &lt;page&gt;" in page and "Most confident mistakes" in page
    # Points of the curves are the records'.
    reader = Reader()
    reader.feed(page)
    charts = [json.loads(str(own["data-chart"])) for _, own in reader.tags if "data-chart" in own]
    assert charts[0]["at"] == [1, 2]
    for line, part in zip(charts[0]["lines"], ("train", "validation"), strict=True):
        assert line["values"] == pytest.approx([record[part]["loss"] for record in records], rel=1e-5)
    # Nothing is loaded and nothing but the page's own script runs, whatever classes are called.
    assert sum(tag == "script" and "type" not in own for tag, own in reader.tags) == 1
    for tag, own in reader.tags:
        assert not {"onclick", "onload", "style"} & own.keys(), tag
        for name in ("src", "href"):
            assert str(own.get(name, "#")).startswith(("data:", "#")), (tag, own)
    assert "&lt;script&gt;alert(1)" in page and re.search(r'title="[^"]*digits/two/2 \d+.png"', page)
    images = [own for tag, own in reader.tags if tag == "img"]
    assert images and all(own["alt"] for own in images)
    assert len(page) < 300_000
    # The same is made again on demand, of any part.
    again = run.parent / "again.html"
    assert main(["eval", str(run), "--html", str(again)]) == 0
    assert _own(again.read_text("utf-8")) == _own(page)
    assert main(["eval", str(run), "--html", str(again), "--part", "train"]) == 0
    assert "Training part" in again.read_text("utf-8")


def _own(page: str) -> str:
    """A page without that of the network, which has the spec's text as it was written where the run began."""
    return re.sub(r'<script type="text/plain".*?</script>', "", page)


def test_a_page_that_cannot_be_made_is_a_note(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The network is trained: its result is there all the same."""

    def fails(done: Any) -> str:
        raise ValueError("no such colour")

    monkeypatch.setattr(making, "page_of", fails)
    spec = load(run / "spec.yaml")
    train(spec, tmp_path / "run", page=True)
    assert "run.html could not be made: ValueError: no such colour" in capsys.readouterr().err
    assert (tmp_path / "run" / "result.json").exists() and not (tmp_path / "run" / "run.html").exists()
    monkeypatch.undo()
    # A finished run without one gets it from the same command, which trains nothing.
    train(spec, tmp_path / "run", page=True, progress=False)
    assert (tmp_path / "run" / "run.html").exists()


def test_charts_have_round_numbers() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(3, 47) == [10, 20, 30, 40]
    assert ticks(5, 5) == [5]
    wide = curves("loss", [1, 2, 3], [Line("train", "train", [1000.0, None, 0.01])], "loss")
    assert ">1e3<" not in wide and ">100<" in wide and ">0.1<" in wide
    assert curves("loss", [1, 2], [Line("train", "train", [None, float("nan")])], "loss") == ""


@pytest.fixture
def shown(browser: Browser, run: Path) -> Iterator[Callable[..., Browser]]:  # noqa: F811
    def opened(**more: Any) -> Browser:
        browser.open((run / "run.html").as_uri(), **more)
        return browser

    yield opened


def test_the_page_of_a_run_in_a_browser(shown: Callable[..., Browser], run: Path) -> None:
    """It asks for nothing, tells values under the pointer, sorts, and has the network's page in it."""
    page = shown(dark=True)
    page.run(
        "const svg = document.querySelector('.chart svg'); const box = svg.getBoundingClientRect();"
        "const place = {clientX: box.left + box.width * 0.2, clientY: box.top + 30};"
        "svg.dispatchEvent(new PointerEvent('pointermove', place));"
    )
    said = page.run("return document.querySelector('.chart .values').innerText")
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert said.startswith("epoch 1") and f"{first['train']['loss']:.5g}" in said
    page.run("document.querySelectorAll('table.sortable th button')[2].click()")
    rows = "[...document.querySelector('table.sortable').tBodies[0].rows]"
    values = page.run(f"return {rows}.map((row) => row.cells[2].innerText)")
    assert values == sorted(values, reverse=True)
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(17, 19, 23)"
    page.run("document.getElementById('network-fold').open = true")
    page.until("document.querySelector('iframe')?.contentDocument?.querySelectorAll('#canvas .box').length > 3")
    assert page.messages() == []
    assert [url for url in page.requests() if not url.startswith(("data:", "about:"))] == [(run / "run.html").as_uri()]
    for width in (390, 1400):
        shown(width=width)
        assert page.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ((28.638, 28.64, 28.642), ["28.638", "28.64", "28.642"]),
        ((0.0, 0.5, 1.0), ["0", "0.5", "1"]),
        ((0.00102, 0.00103), ["0.00102", "0.00103"]),
        ((1.2e-05, 1.4e-05), ["1.2e-05", "1.4e-05"]),
        ((100100.0, 100200.0), ["1.001e+05", "1.002e+05"]),
        ((100001.0, 100002.0), ["100001", "100002"]),
    ],
)
def test_no_two_marks_of_an_axis_are_called_alike(marks: tuple[float, ...], said: list[str]) -> None:
    """Curves that hardly move have marks that differ in the fifth digit."""
    assert labels(marks) == said
