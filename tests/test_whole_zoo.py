"""The zoo as a whole: what its networks say of one another, and what is made of them and kept."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path

import pytest

from archspec.catalogue.listing import entry_of, listing
from archspec.catalogue.page import docs_folder, page
from archspec.catalogue.tree import scene
from archspec.cli import main
from archspec.drawing.scene import Text
from archspec.loading import load
from archspec.reports.facts import Facts, Figures, to_dict
from archspec.zoo import variant_names, zoo_files, zoo_index, zoo_networks

MADE = "`python -m archspec.catalogue` makes it anew"

FILES = zoo_files()


@pytest.fixture(scope="module")
def networks() -> dict[str, Figures]:
    return {item.label: item for item in listing().networks}


def test_the_index_is_of_the_files_as_they_are() -> None:
    assert zoo_index().keys() == {path.name for path in FILES}, MADE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_smallest_network_of_a_family_has_the_figures_of_the_index(path: Path) -> None:
    rows = zoo_index()[path.name].networks
    name = min(rows, key=lambda name: rows[name]["layers"])
    spec = load(name)
    optimiser = spec.train.optimiser if spec.train is not None else None
    counted = to_dict(Facts(name, spec.header.title, spec.graph(), optimiser=optimiser, published=spec.published))
    assert {key: rows[name][key] for key in counted} == counted, MADE


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_network_has_the_figures_of_the_index(path: Path) -> None:
    assert zoo_index()[path.name] == entry_of(path), MADE


def test_the_page_is_of_the_index() -> None:
    assert (docs_folder() / "zoo.md").read_text("utf-8") == page(listing().networks), MADE


def test_the_picture_says_what_the_index_has(networks: dict[str, Figures]) -> None:
    # Where Graphviz places a box may differ between its versions, what is written in it may not.
    written = re.findall(r"<text[^>]*>([^<]*)</text>", (docs_folder() / "family-tree.svg").read_text("utf-8"))
    texts = [shape.text for shape in scene([*networks.values()]).shapes if isinstance(shape, Text)]
    assert Counter(map(unescape, written)) == Counter(texts), MADE


def test_every_network_says_when_it_was_published_and_what_it_introduced(networks: dict[str, Figures]) -> None:
    places = {name: item.lineage for name, item in networks.items()}
    assert [name for name, place in places.items() if place is None or place.year is None or not place.idea] == []
    # One sentence, as long as a cell of a table has room for.
    assert [name for name, place in places.items() if place and not len(place.idea) <= 120] == []


def test_what_a_network_comes_after_is_in_the_zoo_and_not_later(networks: dict[str, Figures]) -> None:
    years = {name: item.lineage.year for name, item in networks.items() if item.lineage and item.lineage.year}
    named = [(name, other) for name, item in networks.items() if item.lineage for other in item.lineage.after]
    assert [pair for pair in named if pair[1] not in networks] == []
    assert [(name, other) for name, other in named if years[other] > years[name]] == []


def test_all_go_back_to_a_few_first_ones(networks: dict[str, Figures]) -> None:
    """Nobody comes after itself, and few come after nothing."""
    after = {name: item.lineage.after if item.lineage else () for name, item in networks.items()}
    reached = {name for name, others in after.items() if not others}
    assert len(reached) <= 3
    while more := {name for name, others in after.items() if name not in reached and set(others) <= reached}:
        reached |= more
    assert reached == networks.keys()


def test_names_are_those_of_one_network_each() -> None:
    names = Counter(name for path in FILES for name in variant_names(path) or [path.stem])
    assert [name for name, times in names.items() if times > 1] == []
    assert names.keys() == zoo_networks().keys()


UNTRAINED = {"inception_naive", "inception_module", "neocognitron", "yolov3", "yolov3_tiny"}
"""Parts of networks, what learned without gradients, and what finds boxes, for which there is no loss."""


@pytest.mark.slow
def test_every_network_is_trained_as_somebody_says_it_was() -> None:
    recipes = {name: load(name).train for name in zoo_networks()}
    assert {name for name, recipe in recipes.items() if recipe is None} == UNTRAINED
    assert [name for name, recipe in recipes.items() if recipe is not None and not recipe.source] == []


@pytest.mark.slow
def test_all_of_the_zoo_is_valid() -> None:
    assert main(["validate", *map(str, FILES), "--strict"]) == 0


def test_the_readme_says_how_many_there_are_and_no_file_is_long(networks: dict[str, Figures]) -> None:
    readme = (docs_folder().parent / "README.md").read_text("utf-8")
    assert f"\n{len(networks)} networks come with the package" in readme
    assert [path.stem for path in FILES if len(path.read_text("utf-8").splitlines()) > 250] == []
