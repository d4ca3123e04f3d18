"""Generated Flax source against the compiled network: the same bits where both leave everything to the library."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from flax import nnx
from hypothesis import HealthCheck, given, settings

from archspec.exporting.source import flax as target
from archspec.exporting.subject import subject_of, subject_of_spec
from archspec.graph import Graph
from archspec.layers import Example, Layer
from archspec.loading import load
from tests.by_hand import first_of_each
from tests.exporting.kinds import CASES, drawn, graph_of, inputs_of
from tests.exporting.kinds import given as given_here
from tests.test_random_networks import networks
from tests.zoo import SAMPLE

NEAR = {"group_norm", "instance_norm", "layer_norm"}
"""Kinds that Flax's own modules compute, which multiply factor and 1/√(σ² + ε) with each other first."""


def network_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> nnx.Module:
    """The module that the source code of a network makes, with its arrays by name."""
    tree = target.tree_of(graph)
    text = target.assembled(['"""A network."""'], [], target.definitions(tree))
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    # Nothing is drawn: all arrays are given.
    network: Any = nnx.eval_shape(lambda: names[tree.network.name](rngs=nnx.Rngs(0)))
    known = target.weights_of(graph, arrays)
    variables = {
        ".".join(map(str, path)): variable
        for path, variable in nnx.to_flat_state(nnx.state(network, (nnx.Param, nnx.BatchStat)))
    }
    assert variables.keys() == known.keys()
    for name, variable in variables.items():
        variable.set_value(jnp.asarray(known[name]))
    for _, variable in nnx.to_flat_state(nnx.state(network, nnx.RngState)):
        variable.set_value(jax.random.key(0) if isinstance(variable, nnx.RngKey) else jnp.zeros((), jnp.uint32))
    network.eval()
    assert isinstance(network, nnx.Module)
    return network


def answered(network: nnx.Module, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """What a module gives for inputs, compiled."""
    definition, state = nnx.split(network)

    def run(state: Any, inputs: list[jax.Array]) -> Any:
        module: Any = nnx.merge(definition, state)
        return module(*inputs)

    outputs = jax.jit(run)(state, [jnp.asarray(array) for array in inputs.values()])
    return tuple(map(np.asarray, outputs if isinstance(outputs, tuple) else (outputs,)))


def differences(graph: Graph, seed: int = 1) -> list[float]:
    """How far each output is from the compiled network's, relative to its largest number."""
    rng = np.random.default_rng(seed)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    found = answered(network_of(graph, arrays), inputs)
    wanted = given_here(graph, arrays, inputs).values()
    assert [own.shape for own in found] == [own.shape for own in wanted]
    return [float(np.abs(own - other).max() / np.abs(other).max()) for own, other in zip(found, wanted, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE[::3])
def test_networks_have_the_shapes_that_are_inferred(name: str) -> None:
    """Called without numbers: traced."""
    graph = load(name).graph().pruned("eval")
    tree = target.tree_of(graph)
    names: dict[str, Any] = {}
    exec(target.assembled(['"""A network."""'], [], target.definitions(tree)), names)

    def called(*inputs: jax.Array) -> Any:
        network = names[tree.network.name](rngs=nnx.Rngs(0))
        network.eval()
        return network(*inputs)

    outputs = jax.eval_shape(called, *(jax.ShapeDtypeStruct((2, *item.type.shape), "f4") for item in graph.inputs))
    found = [value.shape for value in (outputs if isinstance(outputs, tuple) else (outputs,))]
    assert found == [(2, *graph.output_type(output).shape) for output in graph.outputs]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "example"), first_of_each(CASES))
def test_kinds_give_the_same_bits(kind: type[Layer], example: Example) -> None:
    assert max(differences(graph_of(kind, example))) <= (1e-6 if kind.kind in NEAR else 0)


SMALL = """
input: {height: 16, width: 16, channels: 3}
defaults: {conv: {bias: false}}
blocks:
  basic:
    args: {width: int, stride: 1}
    layers:
      - residual:
          shortcut: auto
          layers:
            - conv: {filters: $(width), kernel: 3, stride: $(stride), pad: same}
            - batch_norm
            - relu
            - conv: {filters: $(width), kernel: 3, pad: same}
            - batch_norm
      - relu
layers:
  - repeat:
      times: 2
      as: stage
      layers:
        - repeat:
            name: stage$(stage + 1)
            times: 2
            as: i
            layers: [basic: {width: $(4 * 2 ** stage), stride: "$(2 if i == 0 else 1)"}]
  - max_pool: {name: pool, window: 3, stride: 2, rounding: ceil}
  - conv: {filters: 8, kernel: 3, pad: same}
  - max_unpool: {name: back, indices: pool}
  - global_avg_pool
  - dense: 5
"""


@pytest.mark.slow
def test_a_small_network_of_blocks_gives_the_same_numbers(write: Any) -> None:
    # To the last bit where XLA fuses both programs alike, as all versions do without its optimisations.
    (apart,) = differences(load(write(SMALL)).graph())
    assert apart <= 1.2e-7


def test_what_is_written_is_loaded_by_name_and_gives_the_same_bits(tmp_path: Path) -> None:
    subject = subject_of("lenet5", None, notes=[])
    written = target.write(subject, tmp_path / "lenet.py")
    assert [file.name for file in written.files] == ["lenet.py", "lenet.safetensors"]
    inputs = inputs_of(subject.graph, np.random.default_rng(3))
    (found,) = answered(loaded(tmp_path / "lenet.py").load(), inputs)
    (wanted,) = given_here(subject.graph, subject.arrays, inputs).values()
    assert np.array_equal(found, wanted)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in ("lenet5", "lenet_caffe"):
        target.write(subject_of(name, None, notes=[]), tmp_path / f"{name}.py")
    with pytest.raises(ValueError, match="not the network's weights"):
        loaded(tmp_path / "lenet5.py").load(tmp_path / "lenet_caffe.safetensors")


def loaded(file: Path) -> Any:
    """A file of source code as a module that knows nothing of this package."""
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "archspec" not in file.read_text("utf-8")
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", (99, 99)),
        pytest.param("vgg11_bn", (32, 32), marks=pytest.mark.minutes),
        pytest.param("googlenet", (96, 96), marks=pytest.mark.minutes),
        pytest.param("resnet18", (64, 64), marks=pytest.mark.minutes),
        pytest.param("fcn8s", (64, 64), marks=pytest.mark.minutes),
        ("segnet_basic", (32, 48)),
    ],
)
def test_the_families_give_the_same_bits(name: str, size: tuple[int, int]) -> None:
    assert set(differences(load(name).graph(size).pruned("eval"))) == {0}


SIAMESE = """
inputs:
  left: {height: 6, width: 7, channels: 2}
  right: {height: 6, width: 7, channels: 2}
blocks:
  encoder:
    args: {filters: int, kernel: 3}
    layers: [{conv: {name: c, filters: $(filters), kernel: $(kernel)}}, {batch_norm: {name: b}}, relu, global_avg_pool]
layers:
  - encoder: {name: a, from: left, filters: 4}
  - encoder: {name: b, from: right, weights: a}
  - concat: {name: y, from: [a, b]}
"""
NESTED = """
input: {height: 8, width: 8, channels: 4}
blocks:
  unit: {layers: [{conv: {name: c, filters: 4, kernel: 1}}, {conv: {name: d, weights: c}}, {prelu: {name: p}}]}
  pair: {layers: [{unit: {name: one}}, {unit: {name: two, weights: one}}]}
layers:
  - pair: {name: a}
  - repeat: {name: r, times: 2, tied: true, layers: [{pair: {weights: a}}]}
  - residual: {name: s, shortcut: projection, layers: [{conv: {filters: 8, kernel: 1, stride: 2}}]}
  - resize: {factor: 2}
  - conv: {filters: 4, kernel: 1}
  - residual: {name: q, weights: s, shortcut: projection, layers: [{conv: {filters: 8, kernel: 1, stride: 2}}]}
"""
SIZES = """
input: {height: 8, width: 9, channels: 3}
layers:
  - conv: {name: a, filters: 3, kernel: [3, 2], stride: 2, pad: same_upper}
  - conv: {name: b, weights: a}
  - conv: {name: c, weights: a}
"""
NAMES = """
input: {height: 8, width: 9, channels: 4}
layers:
  - conv: {name: eval, filters: 4, kernel: 3, pad: same}
  - conv: {name: class, filters: 4, kernel: 3, pad: same}
  - batch_norm: {name: train, scale: false}
  - identity: {name: kept}
  - repeat: {name: layers, times: 3, layers: [conv: {filters: 4, kernel: 1}]}
  - add: {from: [previous, kept]}
  - conv: {name: 3a, filters: 4, kernel: 1}
  - flatten
  - slice: [0, 30]
  - dense: {name: x, units: 4}
outputs: {y: x, z: kept}
"""


@pytest.mark.parametrize("text", [SIAMESE, NESTED, SIZES, NAMES], ids=["siamese", "nested", "sizes", "names"])
def test_shared_arrays_several_outputs_and_odd_names(write: Any, text: str) -> None:
    assert set(differences(load(write(text)).graph())) == {0}


def test_pixels_are_prepared_as_the_spec_says(write: Any, tmp_path: Path) -> None:
    spec = load(
        write(
            "input: {height: 4, width: 4, channels: 3, order: bgr, range: [-1, 1], mean: [0.1, 0.2, 0.3],"
            " std: [0.5, 0.6, 0.7]}\nlayers: [{conv: {filters: 2, kernel: 1}}]\n"
        )
    )
    target.write(subject_of_spec(spec, seed=0, notes=[]), tmp_path / "bgr.py")
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    wanted = (pixels[..., ::-1] / 255 * 2 - 1 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.6, 0.7])
    found = loaded(tmp_path / "bgr.py").preprocess(jnp.asarray(pixels))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=networks())
def test_networks_that_nobody_wrote(tree: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    assert max(differences(load(tmp_path / "net.yaml").graph())) <= 1e-6
