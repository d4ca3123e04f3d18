"""What notebooks show: outermost blocks and layers, the rest to be opened, all figures the report's."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import archspec
from archspec.loading import open_spec
from archspec.reports.notebook import MANY


class Rows(HTMLParser):
    """Rows with their depth in `details`, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[tuple[int, list[str]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        classes = (dict(attrs).get("class") or "").split()
        if "row" in classes:
            self.rows.append((self.open.count("details") - (tag == "summary"), []))
        if tag == "span" and "mark" not in classes:
            self.rows[-1][1].append("")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "span" in self.open:
            self.rows[-1][1][-1] += data.strip("\u2002")


def rows(html: str) -> list[tuple[int, list[str]]]:
    return Rows(html).rows[1:]


def test_a_network_is_folded_to_its_outermost_parts() -> None:
    html = archspec.load("resnet152")._repr_html_()
    found = rows(html)
    outermost = [cells[0] for depth, cells in found if depth == 0]
    assert outermost == ["conv1", "bn1", "relu1", "maxpool", *(f"layer{at}" for at in (1, 2, 3, 4)), "avgpool", "fc"]
    cells = next(cells for depth, cells in found if cells[0] == "layer3")
    # He et al.'s third stage: 26 layers fewer than the table's sum would show an error here.
    assert cells[1:5] == ["repeat", "14×14×1024", "40,613,888", "8.015 G"]
    (run,) = (cells for depth, cells in found if cells[0] == "1 … 35")
    assert run[1] == "35 × bottleneck" and run[3] == f"{35 * 1_117_184:,}"
    assert "and 34 more that are alike" in html and "60,192,808" in html
    assert len(html.encode()) < 50_000


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet50"])
def test_the_figures_are_those_of_the_report_at_each_depth(name: str) -> None:
    spec = open_spec(name)
    found = rows(spec._repr_html_())
    outermost = [cells for depth, cells in found if depth == 0]
    folded = archspec.report(spec, depth=1)
    assert [cells[0] for cells in outermost] == [row.name for row in folded.rows]
    assert [cells[3] for cells in outermost] == [f"{row.params:,}" if row.params else "" for row in folded.rows]
    assert [cells[8] for cells in outermost] == ["×".join(map(str, row.receptive_field)) for row in folded.rows]
    # A report that is folded already shows no more than it has.
    assert max(depth for depth, _ in rows(folded._repr_html_())) == 0
    assert max(depth for depth, _ in rows(archspec.report(spec, depth=2)._repr_html_())) <= 1


def test_text_stays_text(write: Callable[..., Path]) -> None:
    path = write(
        "title: '<img src=x onerror=1>'\ninput: {height: 4, width: 4, channels: 1}\n"
        "blocks: {b: {layers: [relu, relu, relu]}}\nlayers: [b, b, flatten, {dense: {name: long"
        + "g" * 90
        + ", units: 3}}]\n"
    )
    html = archspec.load(path)._repr_html_()
    assert "<img" not in html
    assert [(depth, cells[0][:5]) for depth, cells in rows(html)][:2] == [(0, "b1"), (1, "relu1")]
    assert re.search("title='longg+'", html)


def test_a_very_large_network_says_what_is_left_out(write: Callable[..., Path]) -> None:
    layers = "".join(f"  - conv: {{filters: {8 + at % 7}, kernel: 1}}\n" for at in range(3000))
    html = archspec.load(write("input: {height: 8, width: 8, channels: 4}\nlayers:\n" + layers))._repr_html_()
    assert len(rows(html)) == MANY
    assert "… 2,600 rows …" in html and "2,600 rows left out here" in html
    blocks = "blocks:\n  b:\n    args: {n: 1}\n    layers:\n" + "      - conv: {filters: $(n), kernel: 1}\n" * 30
    calls = "".join(f"  - b: {{n: {at + 1}}}\n" for at in range(40))
    html = archspec.load(write(f"input: {{height: 8, width: 8, channels: 4}}\n{blocks}layers:\n{calls}"))._repr_html_()
    assert [depth for depth, _ in rows(html)] == [0] * 40
    assert "1,200 rows left out here" in html


def test_a_spec_that_is_wrong_shows_what_is_wrong(write: Callable[..., Path]) -> None:
    spec = archspec.load(
        write("input: {height: 8, width: 8, channels: 3}\nlayers:\n  - conv: {filters: 4, kernel: 9}\n")
    )
    html = spec._repr_html_()
    assert html.startswith("<pre") and ">error[E301]" in html and "<table" not in html


def test_shared_arrays_are_counted_once_and_told_of(write: Callable[..., Path]) -> None:
    path = write(
        "input: {features: 16}\nlayers:\n  - repeat: {name: t, times: 9, tied: true, layers: [{dense: 16}, tanh]}\n"
        "  - dense: 16\n  - dense: {name: again, units: 16, weights: dense1}\n"
    )
    found = {cells[0]: cells[3] for _, cells in rows(archspec.load(path)._repr_html_())}
    assert found["t"] == found["0"] == found["dense1"] == "272"
    assert found["1 … 8"] == found["1"] == "as t.0" and found["again"] == "as dense1"
