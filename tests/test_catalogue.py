"""What is made of the zoo as a whole: docs/zoo.md and the family tree."""

from __future__ import annotations

import csv
import io
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from archspec.catalogue.listing import Recorded, listing
from archspec.catalogue.page import about, beside, page
from archspec.catalogue.tree import HEIGHT, Link, boxes_of, drawn, links_of, rows_of, scene
from archspec.cli import main
from archspec.diagnostics import DataError
from archspec.drawing.scene import Bounds, Rectangle, Text
from archspec.drawing.scene import Path as Line
from archspec.reports.facts import Figures


def network(name: str, family: str, year: int | None, after: str = "", **figures: Any) -> Figures:
    """A network as the index has it."""
    row: dict[str, Any] = {
        "name": name,
        "title": "",
        "variant": "train",
        "optimiser": "sgd",
        "published": None,
        "output": [1000],
        "params": 1000,
        "macs": 10,
        "input": [9, 9, 3],
        "top1": None,
        "top5": None,
        "lineage": {"year": year, "after": after.split(), "idea": f"the idea of {name}"},
        **figures,
    }
    return Recorded(row, family)


FEW = [
    network("a1", "a", 1990),
    network("a2", "a", 1990, "a1", params=2_000_000),
    network("a3", "a", 2001, "a2 b1", params=5_000, top1=71.25),
    network("a4", "a", 2002, "a2", top1=92.0, output=[10]),
    network("b1", "b", 1995, "a2"),
    network("c1", "c", 1995, "b1", output=[9, 9, 4]),
    network("d1", "d", 2005, "a4 c1"),
    network("none", "e", None),
]


def test_a_family_is_one_box_but_for_later_networks_that_others_come_after() -> None:
    boxes = boxes_of(FEW)
    assert [(box.title, box.year) for box in boxes] == [
        ("a", 1990),
        ("b1", 1995),
        ("c1", 1995),
        ("a4", 2002),
        ("d1", 2005),
    ]
    assert [item.label for item in boxes[0].own] == ["a1", "a2"]
    assert [item.label for item in boxes[0].later] == ["a3"]
    assert boxes[0].lines == ("1 k – 2 M", "71.2 %")
    assert boxes[3].lines == ("1 k", "92.0 % of 10")
    assert [box.is_dense for box in boxes] == [False, False, True, False, False]


def test_lines_go_from_earlier_to_later() -> None:
    boxes = boxes_of(FEW)
    # What a3 extends is later than its box: b1.
    assert links_of(boxes) == [
        Link(0, 1, True),
        Link(0, 3, True),
        Link(1, 2, True),
        Link(2, 4, False),
        Link(3, 4, True),
    ]
    assert rows_of(boxes, links_of(boxes)) == [[0], [1], [2], [3], [4]]


def test_networks_of_a_year_that_come_after_each_other_are_placed() -> None:
    boxes = boxes_of([network("a", "a", 2000, "b"), network("b", "b", 2000, "a"), network("c", "c", 2000, "d e")])
    links = links_of(boxes)
    assert links == [Link(1, 0, True)]
    assert rows_of(boxes, links) == [[1, 2], [0]]


def test_a_box_says_what_it_stands_for() -> None:
    made = scene(FEW)
    texts = [shape.text for shape in made.shapes if isinstance(shape, Text)]
    assert {"a", "1 k – 2 M", "92.0 % of 10", "1990", "2005"} <= set(texts)
    assert (
        "7 networks of 4 families, by the year in which they were first published; lines say whose ideas they extend."
        in texts
    )
    boxes = [shape for shape in made.shapes if isinstance(shape, Rectangle) and shape.height == HEIGHT]
    assert boxes[0].title == "a1, a2, a3"
    lines = [shape for shape in made.shapes if isinstance(shape, Line)]
    assert len(lines) == 5 and all(line.start.y < line.curves[-1].end.y for line in lines)


def test_nothing_of_the_whole_tree_overlaps_or_is_cut() -> None:
    made = scene(listing().networks)
    boxes = [shape for shape in made.shapes if isinstance(shape, Rectangle) and shape.path is not None]
    assert not [(a.title, b.title) for a, b in combinations(boxes, 2) if a.box.meets(b.box)]
    texts = [shape for shape in made.shapes if isinstance(shape, Text)]
    assert not [text.text for text in texts if "…" in text.text]
    whole = Bounds(0, 0, made.width, made.height)
    assert all(shape.box.within(whole) for shape in made.shapes)
    inner = [text for text in texts if text.anchor == "middle"]
    for text in inner:
        assert any(text.box.within(box.box) for box in boxes), text.text
    # Small enough for its letters to be read on a page of 900 pixels.
    assert made.width < 1300


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_tree_is_written_in_each_format(
    suffix: str, begins: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"tree.{suffix}"
    assert main(["zoo", "vgg", "alexnet", "--tree", str(path)]) == 0
    assert path.read_bytes().startswith(begins)
    assert capsys.readouterr().err == f"{path}: 15 networks\n"


def test_the_same_networks_give_the_same_tree() -> None:
    assert drawn(FEW, "svg") == drawn(FEW, "svg")


def test_a_tree_that_cannot_be_drawn_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="no network says"):
        drawn([network("none", "e", None)], "svg")
    assert main(["zoo", "--tree", str(tmp_path / "tree.gif")]) == 1
    assert "E113" in capsys.readouterr().err
    assert main(["zoo", "vgg", "--tree", str(tmp_path / "no" / "tree.svg")]) == 1
    assert "E534" in capsys.readouterr().err


def test_a_year_is_what_networks_are_sorted_by(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "alexnet", "lenet", "--sort", "year", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["year"] for row in rows] == sorted(row["year"] for row in rows)
    assert (rows[0]["network"], rows[0]["family"], rows[0]["year"]) == ("lenet1", "lenet", "1990")
    assert {row["network"]: row["after"] for row in rows}["alexnet"] == "lenet5_1998"


@pytest.mark.parametrize(("before", "name"), [("vgg16", "vgg19"), ("alexnet", "zfnet"), ("lenet5_1998", "alexnet")])
def test_costs_beside_others_are_those_of_compare(before: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", before, name]) == 0
    ratios = dict(re.findall(r"^(parameters|MACs) .* (\S+)$", capsys.readouterr().out, re.MULTILINE))
    known = {item.label: item for item in listing(["vgg", "alexnet", "lenet"]).networks}
    after, params, macs = beside(known[name], known)
    assert (params, macs) == (ratios["parameters"], ratios["MACs"])
    assert after.startswith(before) and ("→" in after) == (name != "vgg19")


def test_what_is_not_in_the_zoo_is_named_alone() -> None:
    assert beside(network("a", "a", 2000, "b c"), {}) == ("b, c", "", "")
    assert beside(FEW[0], {}) == ("", "", "")


def test_the_page_has_each_family_with_figures_and_sources() -> None:
    text = page(listing(["vgg", "lenet"]).networks)
    assert text.index("## lenet\n\nLeNet, from the handwriting recognisers") < text.index("## vgg\n\nVGG: very deep")
    row = next(line for line in text.splitlines() if line.startswith("| vgg19 "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        *("vgg19", "2014", "a fourth 3×3 convolution in each of the last three stages", "143,667,240", "19.63 G"),
        *("72.376 / 90.876 (1)", "vgg16", "×1.038", "×1.269"),
    ]
    assert "(1) torchvision, IMAGENET1K_V1" in text
    assert about("segnet").startswith("SegNet: an encoder")


def test_what_other_lines_lead_to_has_no_line_of_its_own_unless_it_is_named_first() -> None:
    boxes = boxes_of(
        [
            *(network("a", "a", 2000), network("b", "b", 2001, "a"), network("c", "c", 2002, "b a")),
            *(network("d", "d", 2003, "a"), network("e", "e", 2004, "d b")),
        ]
    )
    links = [(boxes[link.source].title, boxes[link.target].title) for link in links_of(boxes)]
    assert links == [("a", "b"), ("a", "d"), ("b", "c"), ("b", "e"), ("d", "e")]
