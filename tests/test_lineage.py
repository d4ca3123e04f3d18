"""`lineage:`, a network's place among others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.catalogue.listing import listing
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


def test_no_network_of_the_zoo_extends_a_later_one_or_one_that_is_not_there() -> None:
    known = {item.label: item.lineage for item in listing().networks}
    for name, own in known.items():
        assert own is not None and own.year is not None and own.idea, name
        for other in own.after:
            before = known[other]
            assert before is not None and before.year is not None and before.year <= own.year, (name, other)


def test_ideas_in_the_zoo_are_phrases_that_fit_a_table() -> None:
    """Without a capital, unless a name begins them, and without a full stop."""
    ideas = {item.label: item.lineage.idea or "" for item in listing().networks if item.lineage}
    assert not {name for name, idea in ideas.items() if re.match(r"(An?|The|[A-Z][a-z]+)\b(?!-)", idea)}
    assert not {name for name, idea in ideas.items() if idea.endswith(".") or len(idea) > 120}


def test_what_is_published_of_the_gated_networks_is_the_readmes_error_from_100() -> None:
    errors = {
        "se_bn_inception": (23.62, 7.04),
        "se_resnet50_v1": (22.37, 6.36),
        "se_resnet101_v1": (21.75, 5.72),
        "se_resnet152_v1": (21.34, 5.54),
        "se_resnext50_32x4d": (20.97, 5.54),
        "se_resnext101_32x4d": (19.81, 4.96),
        "senet154": (18.68, 4.47),
    }
    for name, (top1, top5) in errors.items():
        published = archspec.load(name).published
        assert published is not None
        assert published.top1 == pytest.approx(100 - top1), name
        assert published.top5 == pytest.approx(100 - top5), name
