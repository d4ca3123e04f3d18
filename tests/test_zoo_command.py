"""`archspec zoo`: order, formats, and a plot whose labels can be read."""

from __future__ import annotations

import csv
import io
import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.catalogue.listing import listing
from archspec.cli import main
from archspec.commands.zoo import SORTS, in_order
from archspec.reports.facts import Figures
from archspec.reports.plotting import PALETTE, Extent, Spot, new_figure, place_labels
from archspec.reports.zoo_plot import draw, figure
from archspec.zoo import zoo_networks

NAMES = list(zoo_networks())


def table(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, str]]:
    assert main(["zoo", "--format", "csv", *words]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_the_list_has_every_network_in_the_zoo_s_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:] if line] == NAMES
    # Families stand apart.
    families = "\n".join(lines[2:]).split("\n\n")
    stems = {path.stem for path, _ in zoo_networks().values()}
    assert len(families) == len(stems) and [line.split()[0] for line in families[0].splitlines()][:1] == NAMES[:1]
    assert lines[0].split()[0] == "network" and lines[0].rstrip().endswith("title")
    assert [row["network"] for row in table(capsys)] == NAMES


@pytest.fixture(scope="module")
def facts() -> list[Figures]:
    return listing().networks


@pytest.mark.parametrize("key", [key for key in SORTS if key != "name"])
@pytest.mark.parametrize("reverse", [False, True])
def test_sorting_orders_by_the_figure_and_puts_what_lacks_it_last(
    key: str, reverse: bool, facts: list[Figures]
) -> None:
    found = in_order(facts, SORTS[key], reverse)
    values = [item.figure(SORTS[key]) for item in found]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=reverse) and len(known) > 20
    assert values[len(known) :] == [None] * (len(values) - len(known))
    assert sorted(item.label for item in found) == sorted(NAMES)


def test_what_is_sorted_by_is_shown(facts: list[Figures], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--sort", "top5", "--reverse"]) == 0
    lines = capsys.readouterr().out.splitlines()
    best = max(facts, key=lambda item: item.figure("top5") or 0).label
    assert "top-5" in lines[0] and lines[2].startswith(f"{best} ")
    assert next(line for line in lines if line.startswith("resnet152 ")).count("94.046 %") == 1
    rows = table(capsys, "--sort", "name")
    assert [row["network"] for row in rows] == sorted(NAMES)
    assert main(["zoo", "--sort", "beauty"]) == 2


def test_json_has_figures_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--format", "json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(found) == NAMES
    assert found["lenet5_1998"]["params"] == 60000 and found["vgg16"]["macs"] == 15470264320
    assert all(row["published"]["source"] for row in found.values() if row["top1"] is not None)
    assert "smallest_input" not in found["vgg16"]  # a search that the list does not wait for


@pytest.mark.slow
@pytest.mark.parametrize("accuracy", ["top1", "top5"])
def test_labels_of_the_plot_do_not_overlap(accuracy: str, facts: list[Figures]) -> None:
    facts = [item for item in facts if item.published is not None and getattr(item.published, accuracy) is not None]
    made, labels = figure(facts, accuracy)
    made.canvas.draw()
    named = {label.get_text() for panel in labels for label in panel}
    sizes = [(int(axes.get_title("left").split()[0].replace(",", "")), axes.get_title("left")) for axes in made.axes]
    for classes, title in sizes:
        # Of a crowd, those are named that none is better than at their cost, and those that many others come after.
        crowd = [
            (item.figure("macs"), -item.figure(accuracy), item.label) for item in facts if item.output[-1] == classes
        ]
        front = {name for cost, miss, name in crowd if not any(a <= cost and b < miss for a, b, _ in crowd)}
        shown = named & {name for *_, name in crowd}
        assert len(front) > 5 and front <= shown and len(shown) > len(crowd) / 3
        assert title.endswith(f", {len(shown)} of {len(crowd)} networks named") == (len(shown) < len(crowd))
    assert {"alexnet", "vgg11", "resnet50"} <= named <= {item.label for item in facts}
    for axes, panel in zip(made.axes, labels, strict=True):
        check_apart(panel)
        legend = box(axes.get_legend())
        assert not any(box(label).overlap(legend) for label in panel)
        frame = box(axes)
        assert all(box(label).overlap(frame) == pytest.approx(area(box(label))) for label in panel)
        # Every panel is of one task: accuracies of 10 and of 1,000 classes are not compared.
        assert axes.get_xscale() == "log"
    points = [np.asarray(item.get_offsets()) for axes in made.axes for item in axes.collections]
    drawn = {(float(x), float(y)) for offsets in points for x, y in offsets}
    for item in facts:
        assert (float(item.figure("macs")), getattr(item.published, accuracy)) in drawn


def box(item: Any) -> Extent:
    return Extent(*map(float, item.get_window_extent().extents))


def area(item: Extent) -> float:
    return (item.right - item.left) * (item.top - item.bottom)


def check_apart(labels: list[Any]) -> None:
    """No label covers a pixel of another."""
    for one, other in combinations(labels, 2):
        assert box(one).overlap(box(other)) < 1, (one.get_text(), other.get_text())


def test_a_few_networks_are_all_named(facts: list[Figures]) -> None:
    few = [item for item in facts if item.family in ("vgg", "alexnet") and item.figure("top1") is not None]
    made, (labels,) = figure(few, "top1")
    assert len(few) > 10 and sorted(label.get_text() for label in labels) == sorted(item.label for item in few)
    assert made.axes[0].get_title("left") == "1,000 classes"


@pytest.mark.parametrize("seed", [0, 1])
def test_sixty_crowded_labels_do_not_overlap(seed: int) -> None:
    draw = random.Random(seed)
    points = [(draw.gauss(0, 1), draw.gauss(0, 1)) for _ in range(60)]
    made = new_figure(12, 8)
    axes = made.subplots()
    axes.set_xlim(-4, 4)
    axes.set_ylim(-4, 4)
    made.canvas.draw()
    texts = [f"network{i}_of_a_family" for i in range(60)]
    labels = place_labels(
        axes, [Spot(*point, text, 6.0, PALETTE[0]) for point, text in zip(points, texts, strict=True)]
    )
    made.canvas.draw()
    assert [label.get_text() for label in labels] == texts
    check_apart(labels)


def test_labels_that_overlap_are_seen_by_these_tests() -> None:
    made = new_figure(4, 4)
    axes = made.subplots()
    labels = [axes.annotate("one and the same", (0.3, 0.3)) for _ in range(2)]
    made.canvas.draw()
    with pytest.raises(AssertionError):
        check_apart(labels)


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [
        ("png", b"\x89PNG"),
        pytest.param("svg", b"<?xml", marks=pytest.mark.slow),
        pytest.param("pdf", b"%PDF", marks=pytest.mark.slow),
    ],
)
def test_plots_are_written_in_each_format(suffix: str, begins: bytes, tmp_path: Path, facts: list[Figures]) -> None:
    path = tmp_path / f"zoo.{suffix}"
    left_out = draw(facts, "top1", path)
    assert path.read_bytes().startswith(begins)
    assert "vgg16_c" in left_out and "vgg16" not in left_out
    if suffix == "svg":
        text = path.read_text("utf-8")
        assert ">resnet50<" in text and "not measured here" in text


@pytest.mark.slow
def test_a_plot_says_what_it_lacks_or_why_it_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--plot", str(tmp_path / "zoo.svg")]) == 0
    assert "without published top1: " in capsys.readouterr().err
    assert main(["zoo", "--plot", str(tmp_path / "zoo.gif")]) == 1
    assert "E113" in capsys.readouterr().err
    assert main(["zoo", "--plot", str(tmp_path / "no" / "zoo.png")]) == 1
    assert "E534" in capsys.readouterr().err
