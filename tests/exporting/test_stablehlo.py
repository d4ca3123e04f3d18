"""StableHLO: what JAX alone reads from the file computes what the network does, for any number of samples."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from jax import export

from archspec.cli import main
from archspec.exporting.stablehlo import PLATFORMS
from archspec.exporting.subject import subject_of
from archspec.exporting.traced import function_of
from archspec.images.numbers import normalised
from archspec.layers import Example
from archspec.loading import load
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.training.run import train
from tests.layers.test_conformance import CASES, call, drawn, from_example

Write = Callable[..., Path]

NET = """
input: {height: 8, width: 9, channels: 3, mean: [0.4, 0.5, 0.6], std: [0.2, 0.2, 0.2], order: bgr}
layers:
  - conv: {name: c, filters: 4, kernel: 3}
  - batch_norm: {name: n}
  - max_pool: {name: p, window: 3, stride: 2, rounding: ceil}
  - max_unpool: {name: u, indices: p}
  - relu
  - flatten
  - dense: {name: scores, units: 5}
"""

SNIPPET = re.compile(r"^    from jax import export\n(?:    .*\n)+", re.M)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def read(path: Path) -> export.Exported:
    return export.deserialize(bytearray(path.read_bytes()))


def test_the_file_computes_what_the_network_does(write: Write, tmp_path: Path) -> None:
    spec, file = write(NET), tmp_path / "net.stablehlo"
    assert main(["export", str(spec), "--to", "stablehlo", "--seed", "3", "-o", str(file)]) == 0
    network = read(file)
    assert network.platforms == PLATFORMS and network.fun_name == load(spec).name
    wanted = jax.jit(function_of(subject_of(str(spec), None, seed=3, notes=[])))
    for samples in (1, 3):
        x = numbers(samples, 8, 9, 3)
        np.testing.assert_array_equal(network.call(x), wanted(x))


def test_what_is_said_of_it(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.stablehlo"
    assert main(["export", str(write(NET)), "--to", "stablehlo", "-o", str(file), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == file.stat().st_size and said["jax"] == jax.__version__
    assert said["calling_convention"] == read(file).calling_convention_version
    notes = "\n".join(said["notes"])
    assert "pixels from 0 to 1 of blue, green and red less (0.4, 0.5, 0.6) and over (0.2, 0.2, 0.2)" in notes
    assert "6 months" in notes and "weights" in notes


@pytest.mark.slow
def test_with_preprocessing_it_takes_bytes(write: Write, tmp_path: Path) -> None:
    spec, file = write(NET), tmp_path / "net.stablehlo"
    assert main(["export", str(spec), "--to", "stablehlo", "-o", str(file), "--with-preprocessing"]) == 0
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3)).astype(np.uint8)
    subject = subject_of(str(spec), None, notes=[])
    wanted: Any = function_of(subject)(normalised(jax.numpy.asarray(x), subject.spec.inputs["input"]))
    np.testing.assert_allclose(read(file).call(x), wanted, rtol=1e-5, atol=1e-6)


def test_several_inputs_and_outputs_go_by_their_names(write: Write, tmp_path: Path) -> None:
    spec = write(
        """
inputs: {left: {features: 4}, right: {features: 4}}
layers:
  - dense: {name: a, units: 3, from: left}
  - dense: {name: b, units: 2, from: right}
outputs: {one: a, other: b}
"""
    )
    file = tmp_path / "net.stablehlo"
    assert main(["export", str(spec), "--to", "stablehlo", "-o", str(file)]) == 0
    x: Any = {"left": numbers(3, 4), "right": numbers(3, 4)}
    wanted: Any = function_of(subject_of(str(spec), None, notes=[]))(x)
    found = read(file).call(x)
    assert list(found) == ["one", "other"]
    for name, own in wanted.items():
        np.testing.assert_allclose(found[name], own, rtol=1e-6)


def test_jax_alone_runs_the_lines_of_the_page(write: Write, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
    found = SNIPPET.search(page)
    assert found is not None
    lines = [line.removeprefix("    ") for line in found[0].splitlines()]
    assert main(["export", str(write(NET)), "--to", "stablehlo", "-o", str(tmp_path / "lenet5.stablehlo")]) == 0
    program = [
        "import sys, numpy",
        "images = numpy.zeros((2, 8, 9, 3), 'float32')",
        *lines,
        "assert scores.shape == (2, 5)",
        "assert not any(name.partition('.')[0] in ('archspec', 'flax', 'yaml') for name in sys.modules)",
    ]
    subprocess.run([sys.executable, "-I", "-c", "\n".join(program)], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_a_run_ends_with_the_file_where_its_recipe_asks_for_it(write: Write, tmp_path: Path) -> None:
    spec = load(
        write(
            """
input: {height: 28, width: 28, channels: 1}
layers: [max_pool: 4, flatten, dense: 10]
train: {epochs: 1, export: stablehlo}
"""
        )
    )
    assert spec.train is not None and spec.train.export == ("stablehlo",)
    result = train(spec, tmp_path / "run", progress=False)
    network = read(tmp_path / "run" / "network.stablehlo")
    assert f"stablehlo  {tmp_path / 'run' / 'network.stablehlo'}" in result.summary()
    x: Any = numbers(2, 28, 28, 1)
    wanted: Any = result.open().network(x)
    np.testing.assert_allclose(network.call(x), wanted, rtol=1e-5, atol=1e-6)
    # A file that is there is the run's own, and one that is not is made anew without training.
    (tmp_path / "run" / "network.stablehlo").unlink()
    train(spec, tmp_path / "run", progress=False)
    np.testing.assert_array_equal(read(tmp_path / "run" / "network.stablehlo").call(x), network.call(x))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "example"), CASES[::6])
def test_kinds_are_traced_for_any_number_of_samples(name: str, example: Example) -> None:
    layer, inputs = from_example(name, example)
    definition, state = nnx.split(layer.build(inputs, nnx.Rngs(0)))
    arrays = drawn(layer, inputs)

    def function(*arrays: jax.Array) -> jax.Array:
        return call(layer, nnx.merge(definition, state), list(arrays), False, BY_LIBRARY)

    (batch,) = export.symbolic_shape("batch")
    types = [jax.ShapeDtypeStruct((batch, *array.shape[1:]), array.dtype) for array in arrays]
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*types)
    found = export.deserialize(exported.serialize()).call(*arrays)
    np.testing.assert_allclose(found, function(*arrays), rtol=1e-5, atol=1e-6)
