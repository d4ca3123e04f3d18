"""The reference is made of the classes, and has all of them."""

from __future__ import annotations

import re

import pytest

import archspec
from archspec.cli import COMMANDS
from archspec.kinds import FAMILIES, builtin_kinds
from archspec.manual.kinds import ABOUT
from archspec.manual.markdown import plain, said, table
from archspec.manual.pages import PAGES, folder
from archspec.manual.python import anchor
from archspec.spec.network import SECTIONS
from archspec.spec.train import Train
from tests.links import anchors


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_made_of_the_classes(name: str) -> None:
    assert (folder() / name).read_text("utf-8") == PAGES[name](), "run: python -m archspec.manual"


def test_there_is_no_other_page() -> None:
    assert {path.name for path in folder().iterdir()} == set(PAGES)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_has_a_section(family: str) -> None:
    path = folder() / f"{family}.md"
    if family in ("data", "augmentations"):  # pages that people wrote: tests/test_docs.py
        path = folder().parent / {"data": "datasets.md", "augmentations": "augmentation.md"}[family]
    assert set(builtin_kinds(family)) <= anchors(path)
    assert (family in ABOUT) == (path.parent == folder())


def test_every_section_command_and_public_name_has_one() -> None:
    assert set(SECTIONS) <= anchors(folder() / "language.md")
    assert set(COMMANDS) <= anchors(folder() / "commands.md")
    names = {*archspec.__all__, "open"} - {"__version__"}
    assert {anchor(name) for name in names} <= anchors(folder() / "python.md")
    text = (folder() / "language.md").read_text("utf-8")
    fields = set(re.findall(r"^\| `(\w+)` \|", text.split("\n## train\n")[1].split("\n## ")[0], re.M))
    assert set(Train.model_fields) <= fields


def test_an_example_has_its_shapes_and_arrays() -> None:
    text = (folder() / "layers.md").read_text("utf-8").split("\n## conv\n")[1].split("\n## ")[0]
    row = "| `- conv: {filters: 6, kernel: 5, pad: same}` | 8×9×4 | 8×9×6 | kernel 5·5·4·6 + bias 6 (606) | 43.2 k |"
    assert row in text and "height: (8 − 5 + 2·2)/1 + 1 = 8" in text


def test_values_are_said_as_the_schema_has_them() -> None:
    assert said({"type": "integer", "exclusiveMinimum": 0, "maximum": 2**31 - 1}) == "whole number from 1"
    assert said({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"$ref": "#/$defs/expression"}]}) == (
        "number from 0 up to 1"
    )
    assert said({"type": "array", "items": {"type": "integer"}}) == "list of whole numbers"
    assert said({"enum": ["a", "b"]}) == "`a`, `b`"
    assert plain("a*b `c*d` <e>") == r"a\*b `c*d` \<e>"
    assert table(("a",), [("b|c `d|e` `<f>`",)])[-1] == r"| b\|c <code>d&#124;e</code> `<f>` |"
