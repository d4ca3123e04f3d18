"""What a recipe says of its mesh, and what is said of it before a step is compiled."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from archspec.commands import train as command
from archspec.commands._common import open_checked
from archspec.diagnostics import SpecError
from archspec.loading import Spec, load
from archspec.mesh import Mesh
from archspec.sharding.arrays import axes_of
from archspec.spec.fitting import fitted
from archspec.training.notes import of_rows

TEXT = """
archspec: 1
name: small
input: {{height: 16, width: 16, channels: 3}}
layers:
  - conv: {{name: c1, filters: 8, kernel: 3, pad: same}}
  - repeat: {{times: 3, name: body, layers: [conv: {{filters: 8, kernel: 3, pad: same}}, batch_norm, relu]}}
  - flatten
  - dense: {{name: f1, units: 3}}
train: {{batch_size: 64, {recipe}}}
"""


def spec(folder: Path, recipe: str) -> Spec:
    path = folder / "small.yaml"
    path.write_text(TEXT.format(recipe=recipe))
    own = load(path)
    own.graph()
    return own


@pytest.mark.parametrize("data", ["4", "auto"])
def test_an_axis_that_an_array_lacks_is_refused_whatever_data_is(data: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"f1\.kernel has the axes CO, and none is I"):
        spec(tmp_path, f"mesh: {{data: {data}, fsdp: 2, shard: {{f1.kernel: I}}}}")


def test_the_example_of_the_documentation_is_understood(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "mesh.md").read_text()
    letter = re.search(r'"fc6\.kernel": (\w+)', text)
    assert letter is not None
    own = spec(tmp_path, f"mesh: {{fsdp: 8, shard: {{f1.kernel: {letter[1]}}}}}")
    assert axes_of(own.graph(), Mesh(fsdp=8), {"f1.kernel": letter[1]})["f1.kernel"] == 0


def test_blocks_are_computed_anew_for_what_a_device_has(tmp_path: Path) -> None:
    """Eight devices need for 64 samples what one needs for 8."""
    plain = spec(tmp_path, "remat: auto").train
    divided = spec(tmp_path, "remat: auto, mesh: 'data=4,fsdp=2'")
    assert plain is not None and divided.train is not None
    one = fitted(divided.graph(), plain.model_copy(update={"batch_size": 8}), 2**40)
    assert fitted(divided.graph(), divided.train, 2**40).before == one.before
    # What fits on each device is not refused.
    spec(tmp_path, f"remat: auto, memory: {one.before + 2**20}, mesh: 'data=4,fsdp=2'")


def test_layers_that_are_computed_whole_are_named(tmp_path: Path) -> None:
    own = spec(tmp_path, "mesh: 'spatial=2'")
    assert own.train is not None
    assert of_rows(own.train, own.graph()) == [
        "spatial=2: 1 of 11 layers with maps is computed whole on every device: flatten1"
    ]
    assert of_rows(own.train.on_one_device, own.graph()) == []


def test_an_option_sets_the_axes_alone(tmp_path: Path) -> None:
    spec(tmp_path, "mesh: {data: 2, spatial: 2, per_device: true, shard: {f1.kernel: none}}")
    given = command._axes("data=4,fsdp=2")
    options = argparse.Namespace(overrides=given, strict=False, format="table")
    opened = open_checked(str(tmp_path / "small.yaml"), options)
    assert opened.train is not None and opened.train.mesh is not None
    assert opened.train.mesh.mesh == Mesh(4, 2, 1, per_device=True)
    assert opened.train.mesh.shard == {"f1.kernel": "none"}
    with pytest.raises(SpecError, match="tensor=2"):
        command._axes("tensor=2")
