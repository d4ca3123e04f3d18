"""The gallery is made of the zoo: its page, and pictures that are what its commands draw."""

from __future__ import annotations

import re

import pytest

from archspec.catalogue.gallery import face, file_of, gallery, papers, pictures
from archspec.catalogue.listing import listing
from archspec.catalogue.page import by_family, docs_folder
from archspec.drawing import drawn
from archspec.loading import load

NETWORKS = listing().networks
FAMILIES = by_family(NETWORKS)
FACES = {family: face(family, members).label for family, members in FAMILIES.items()}


def test_the_page_is_made_of_the_zoo() -> None:
    text = (docs_folder() / "gallery.md").read_text("utf-8")
    assert text == gallery(NETWORKS), "run: python -m archspec.catalogue"
    assert re.findall(r"^-   !\[.*\]\((.*)\)$", text, re.M) == [file_of(name) for name in FACES.values()]
    assert re.findall(r"^    archspec draw (\w+) --look paper$", text, re.M) == list(FACES.values())


def test_pictures_are_there_and_small() -> None:
    files = sorted((docs_folder() / "pictures" / "zoo").iterdir())
    assert [path.stem for path in files] == sorted(FACES.values())
    assert sum(path.stat().st_size for path in files) < 1.2e6


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "fcn8s"])
def test_a_picture_is_what_its_command_draws(name: str) -> None:
    made = drawn(load(name).graph().pruned("eval"), "svg", look="paper")
    assert (docs_folder() / file_of(name)).read_bytes() == made, "run: python -m archspec.catalogue"


@pytest.mark.slow
def test_all_pictures_are_what_their_commands_draw() -> None:
    made = pictures(NETWORKS)
    assert [name for name, picture in made.items() if (docs_folder() / name).read_bytes() != picture] == []


def test_every_family_has_a_network_and_papers() -> None:
    assert all(FACES[family] in {item.label for item in members} for family, members in FAMILIES.items())
    assert all(papers(family) and re.search(r"\b(19|20)\d\d: ", papers(family)[0]) for family in FAMILIES)
    assert len(papers("resnet")) == 2 and "(https://arxiv.org/abs/1512.03385)" in papers("resnet")[0]
    assert FACES["resnet_v1"] == "resnet50_v1" and FACES["vgg"] == "vgg16" and FACES["senet"] == "se_resnet50"
