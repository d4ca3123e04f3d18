"""The JSON Schema against an independent validator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from archspec.kinds import find_kind, kind_names
from archspec.loading import load
from archspec.spec.schema import json_schema
from archspec.zoo import zoo_folder

BASE = {"archspec": 1, "name": "x", "input": {"height": 8, "width": 8, "channels": 1}}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(zoo_folder().glob("*.yaml")), ids=lambda path: path.name)
def test_the_zoo_is_valid(validator: jsonschema.Draft202012Validator, path: Path) -> None:
    assert list(validator.iter_errors(yaml.safe_load(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("name", kind_names("layers"))
def test_every_example_is_valid(validator: jsonschema.Draft202012Validator, name: str) -> None:
    kind: Any = find_kind("layers", name)
    for example in kind.examples:
        entry = name if example.fields in ({}, None) else {name: example.fields}
        assert list(validator.iter_errors({**BASE, "layers": [entry]})) == []


@pytest.mark.parametrize("kind", ["conv", "repeat", "parallel", "residual", "separable_conv"])
def test_an_entry_that_shares_leaves_fields_out(validator: jsonschema.Draft202012Validator, kind: str) -> None:
    for entry, good in (({"weights": "a"}, True), ({"name": "b"}, False)):
        assert (list(validator.iter_errors({**BASE, "layers": [{kind: entry}]})) == []) == good


@pytest.mark.parametrize(
    "entry",
    [
        {"conv": {"filters": 6, "kernel": 3, "kernal": 3}},
        {"conv": {"filters": -6, "kernel": 3}},
        {"conv": {"kernel": 3}},
        {"conv": {"filters": 6, "kernel": [3, 3, 3]}},
        {"dense": "many"},
        {"conv": {"filters": 1, "kernel": 1, "init": "hee_normal"}},
        {"repeat": {"layers": []}},
        {"repeat": {"times": 2, "layers": [5]}},
        {"relu": {}, "tanh": {}},
        5,
    ],
)
def test_wrong_entries_are_not(validator: jsonschema.Draft202012Validator, entry: object) -> None:
    assert list(validator.iter_errors({**BASE, "layers": [entry]})) != []


def test_expressions_stand_anywhere(validator: jsonschema.Draft202012Validator) -> None:
    entry = {"conv": {"filters": "$(2 * w)", "kernel": ["$(k)", 3], "bias": "$(b)", "when": "$(b)"}}
    assert list(validator.iter_errors({**BASE, "layers": [entry, "$(act)", {"$(block)": {"w": 3}}]})) == []
    assert list(validator.iter_errors({**BASE, "layers": [], "train": {"epochs": "$(n)"}})) == []


def test_inputs_are_images_signals_and_vectors(validator: jsonschema.Draft202012Validator) -> None:
    image = {"height": 8, "width": "$(size)", "channels": 1}
    named = {"a": image, "b": {"length": 9, "channels": 2, "std": [1, 2]}, "c": {"features": 3, "mean": 0.5}, "d": None}
    base = {"archspec": 1, "name": "x", "layers": []}
    for good in ({"inputs": named}, {"input": named["b"]}, {"variants": {"v": {"inputs": {"a": {"height": 9}}}}}):
        assert list(validator.iter_errors({**base, **good})) == []
    for wrong in ({"length": 9}, {"length": 9, "channels": 1, "height": 3}, {"features": 0}, [28, 28, 1]):
        assert list(validator.iter_errors({**base, "input": wrong})) != []
        assert list(validator.iter_errors({**base, "inputs": {"a": wrong}})) != []


def test_lineage_is_of_names_and_years(validator: jsonschema.Draft202012Validator) -> None:
    for after in ("a", ["a", "b"], "$(a)"):
        lineage = {"year": 2015, "after": after, "idea": "c"}
        spec = {**BASE, "layers": [], "lineage": lineage, "variants": {"v": {"lineage": {"after": after}}}}
        assert list(validator.iter_errors(spec)) == []


def test_wrong_sections_are_not(validator: jsonschema.Draft202012Validator) -> None:
    sections: tuple[dict[str, Any], ...] = (
        {"layer": []},
        {"train": {"epoch": 3}},
        {"train": {"optimiser": "sgdd"}},
        {"archspec": 2},
        {"lineage": {"years": 2015}},
        {"lineage": {"after": 3}},
        {"variants": {"v": {"lineage": {"year": "soon"}}}},
    )
    for wrong in sections:
        assert list(validator.iter_errors({**BASE, "layers": [], **wrong})) != []


@pytest.mark.parametrize("section", ["outputs", "train", "lineage", "weights"])
def test_a_variant_leaves_out_what_the_file_says(
    validator: jsonschema.Draft202012Validator, section: str, tmp_path: Path
) -> None:
    spec = {**BASE, "layers": ["flatten", {"dense": {"name": "fc", "units": 3}}], "variants": {"a": {section: None}}}
    spec |= {"outputs": {"fc": "fc"}, "train": {"dataset": "mnist5k"}, "lineage": {"year": 1998}, "weights": {"tv": {}}}
    assert list(validator.iter_errors(spec)) == []
    path = tmp_path / "net.yaml"
    path.write_text(yaml.safe_dump(spec), "utf-8")
    assert not load(path, "a").diagnostics


def test_variants_lay_fields_over_kinds(validator: jsonschema.Draft202012Validator) -> None:
    train = {"optimiser": {"sgd": {"momentum": 0.5}}, "schedule": {"step": {"factor": 0.5}}}
    spec = {**BASE, "layers": [], "variants": {"a": {"extends": "b", "train": train}, "b": None}}
    assert list(validator.iter_errors(spec)) == []
    wrong = {**BASE, "layers": [], "variants": {"a": {"train": {"optimiser": {"sgd": {"momentun": 0.5}}}}}}
    assert list(validator.iter_errors(wrong)) and list(validator.iter_errors({**BASE, "train": train}))
