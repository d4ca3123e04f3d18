"""`lineage:`, a network's place among others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.spec.lineage import Lineage
from tests.test_imports import loaded_by

Write = Callable[..., Path]

FAMILY = """\
lineage: {year: 2014, after: alexnet, idea: all windows are 3×3}
args: {units: 3}
variants:
  plain:
  deep: {units: 4, lineage: {idea: more layers}}
  other: {lineage: {year: "$(units + 2000)", after: [alexnet, lenet5]}}
layers: [dense: $(units)]
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "net.yaml") -> Path:
        path = tmp_path / name
        path.write_text(f"archspec: 1\nname: net\n{text}", "utf-8")
        return path

    return written


def test_fields_of_a_variant_lie_over_the_files(write: Write) -> None:
    path = write("input: {features: 2}\n" + FAMILY)
    own = Lineage(year=2014, after=("alexnet",), idea="all windows are 3×3")
    assert archspec.load(path, "plain").lineage == own
    assert archspec.load(path, "deep").lineage == own.model_copy(update={"idea": "more layers"})
    other = own.model_copy(update={"year": 2003, "after": ("alexnet", "lenet5")})
    assert archspec.load(path, "other").lineage == other


def test_every_field_may_be_left_out(write: Write) -> None:
    layers = "input: {features: 2}\nlayers: [dense: 2]\n"
    assert archspec.load(write(layers)).lineage is None
    assert archspec.load(write(layers + "lineage: {year: 1998}\n")).lineage == Lineage(year=1998)
    assert archspec.load(write(layers + "lineage: {after: []}\n")).lineage == Lineage()


@pytest.mark.parametrize("variant", ["plain", "other"])
def test_the_elaborated_spec_has_it(write: Write, variant: str) -> None:
    spec = archspec.load(write("input: {features: 2}\n" + FAMILY), variant)
    again = write("", "again.yaml")
    again.write_text(spec.to_yaml(), "utf-8")
    assert archspec.load(again).lineage == spec.lineage


def test_what_extends_another_network_is_not_in_its_place(write: Write) -> None:
    write("input: {features: 2}\n" + FAMILY, "base.yaml")
    assert archspec.load(write("extends: base.yaml\n")).lineage is None
    assert archspec.load(write("extends: base.yaml#deep\n")).lineage is None
    child = write("extends: base.yaml#deep\nlineage: {year: 2020}\n")
    assert archspec.load(child).lineage == Lineage(year=2020)


@pytest.mark.parametrize(
    ("written", "needed"), [("{year: 2014, after: [a, b], idea: c}", False), ("{year: $(2 * 1007)}", True)]
)
def test_one_that_is_plainly_right_costs_no_model(write: Write, written: str, needed: bool) -> None:
    path = write(f"input: {{features: 2}}\nlayers: [dense: 2]\nlineage: {written}\n")
    code = f"from archspec.cli import main\nassert main(['validate', {str(path)!r}]) == 0"
    loaded_by(code + f"\nassert ('archspec.spec.lineage' in sys.modules) == {needed}")
