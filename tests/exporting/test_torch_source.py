"""Generated PyTorch source, run in PyTorch, against the compiled network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from safetensors.numpy import save_file

from archspec.diagnostics import Findings
from archspec.exporting.source import torch as target
from archspec.exporting.subject import subject_of
from archspec.graph import Graph
from archspec.layers import Example, Layer
from archspec.loading import load
from archspec.spec.overrides import parse_input
from archspec.weights.folder import import_weights
from tests.by_hand import by_hand
from tests.exporting.kinds import CASES, drawn, graph_of, inputs_of
from tests.exporting.kinds import given as given_here
from tests.test_random_networks import networks
from tests.weights.rule import recorded_names, tensor
from tests.weights.test_golden import recorded, thinned
from tests.zoo import FILES, SAMPLE

pytestmark = pytest.mark.slow


def network_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Any:
    """The module that the source code of a network makes, with its arrays by name."""
    torch = pytest.importorskip("torch")
    first = target.channels_first(graph)
    tree = target.tree_of(graph, first=first)
    text = target.assembled(['"""A network."""'], [], target.definitions(tree))
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    network = names[tree.network.name]()
    state = target.state_dict(graph, tree, arrays, first=first)
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    return network.eval()


def answered(network: Any, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """What a module gives for inputs, in this package's order of axes."""
    torch = pytest.importorskip("torch")
    arrays = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1))) for array in inputs.values()]
    with torch.no_grad():
        outputs = network(*arrays)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.moveaxis(value.numpy(), 1, -1) for value in several)


@pytest.mark.parametrize("name", SAMPLE)
def test_networks_have_the_shapes_that_are_inferred(name: str) -> None:
    """Called without numbers, on PyTorch's device for shapes alone."""
    torch = pytest.importorskip("torch")
    graph = load(name).graph().pruned("eval")
    tree = target.tree_of(graph, first=target.channels_first(graph))
    names: dict[str, Any] = {}
    exec(target.assembled(['"""A network."""'], [], target.definitions(tree)), names)
    with torch.device("meta"):
        given = [torch.empty(2, item.type.channels, *item.type.spatial) for item in graph.inputs]
        outputs = names[tree.network.name]().eval()(*given)
    found = [tuple(value.shape) for value in (outputs if isinstance(outputs, tuple) else (outputs,))]
    wanted = [graph.output_type(output) for output in graph.outputs]
    assert found == [(2, kind.channels, *kind.spatial) for kind in wanted]


@pytest.mark.parametrize(("kind", "example"), CASES)
def test_kinds_give_the_same_numbers(kind: type[Layer], example: Example) -> None:
    rng = np.random.default_rng(1)
    graph = graph_of(kind, example)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    (found,) = answered(network_of(graph, arrays), inputs)
    (wanted,) = given_here(graph, arrays, inputs).values()
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


FAMILIES = ["alexnet_one_weird_trick", "vgg11", "googlenet_bn", "resnet18", "resnet50", "fcn_resnet50"]
"""Networks whose logits torchvision's were recorded of, by the rule of tests/golden/README.md."""


@pytest.mark.parametrize("name", by_hand(FAMILIES, {"vgg11", "alexnet_one_weird_trick"}))
def test_an_imported_network_gives_the_recorded_logits(name: str, tmp_path: Path) -> None:
    stem, figures = next((stem, entries[name]) for stem, entries in FILES.items() if name in entries)
    golden, theirs = figures.golden, figures.torchvision
    assert golden is not None and theirs is not None
    names = recorded_names()[f"torchvision/{theirs}"]
    save_file({key: tensor(theirs, key, shape) for key, shape in names}, tmp_path / "file.safetensors")
    size = parse_input(f"{golden.size}x{golden.size}", Findings())
    import_weights(name, tmp_path / "file.safetensors", tmp_path / "imported", overrides=size)
    subject = subject_of(str(tmp_path / "imported"), tmp_path / "imported", notes=[])
    target.write(subject, tmp_path / "network.py")
    network = loaded(tmp_path / "network.py").load()
    generator = np.random.default_rng(crc32(f"{theirs}/input".encode()))
    x = generator.standard_normal((1, 3, golden.size, golden.size)).astype(np.float32).transpose(0, 2, 3, 1)
    outputs = dict(zip([output.name for output in subject.graph.outputs], answered(network, {"x": x}), strict=True))
    expected = recorded(stem, theirs, golden)
    outputs = outputs if len(expected) > 1 else {"": next(iter(outputs.values()))}
    for key, wanted in expected.items():
        assert np.abs(thinned(outputs[key]) - wanted).max() <= 1e-4 * np.abs(wanted).max()


def loaded(file: Path) -> Any:
    """A file of source code as a module."""
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    by_hand(
        ["lenet5", "lenet5_1998", "lenet1", "segnet", "segnet_basic", "enet", "unet_padded"],
        {"segnet", "enet", "lenet1", "lenet5_1998", "unet_padded"},
    ),
)
def test_networks_give_the_same_numbers(name: str) -> None:
    """Those of which nobody's logits are recorded here, with maps of unpooling and trainable pooling."""
    size = {"segnet": (64, 96), "segnet_basic": (64, 96), "enet": (64, 64), "unet_padded": (64, 64)}.get(name)
    graph = load(name).graph(size).pruned("eval")
    rng = np.random.default_rng(2)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    wanted = given_here(graph, arrays, inputs)
    for found, own in zip(answered(network_of(graph, arrays), inputs), wanted.values(), strict=True):
        assert np.abs(found - own).max() <= 1e-5 * np.abs(own).max()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=networks())
def test_networks_that_nobody_wrote(tree: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    graph = load(tmp_path / "net.yaml").graph()
    rng = np.random.default_rng(4)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    wanted = given_here(graph, arrays, inputs)
    for found, own in zip(answered(network_of(graph, arrays), inputs), wanted.values(), strict=True):
        assert np.abs(found - own).max() <= 1e-5 * max(np.abs(own).max(), 1e-3)
