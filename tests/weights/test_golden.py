"""Outputs of networks in PyTorch, reproduced through the import that users take (tests/golden/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from archspec.graph import Graph
from archspec.loading import load
from archspec.lower import outline
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.runs.imports import read_import
from archspec.weights.folder import import_weights
from archspec.weights.layout import order_of, orders, to_torch_shape
from archspec.weights.naming import PLAIN, namings
from tests.by_hand import by_hand, every_third
from tests.weights.rule import recorded_names, tensor
from tests.zoo import FILES, Golden

FOLDER = Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-4
"""Of the largest logit."""

BY_HAND = {
    "prelu_net_a", "nasnet_a_large", "convnext_tiny", "senet154", "vgg16_bn", "vgg11", "alexnet_one_weird_trick",
    "inception_resnet_v2",
    "inception_v4", "efficientnet_v2_s", "wide_resnet50_2", "deeplabv3_resnet50", "se_resnext50_32x4d",
}  # fmt: skip
"""They take from 6 to 40 s each, and have no kind of layer that no other has."""

NETWORKS = [
    pytest.param(stem, name, figures.golden, marks=() if figures.golden.often else pytest.mark.slow, id=name)
    for stem, entries in FILES.items()
    for name, figures in entries.items()
    if figures.golden is not None
]
CASES = every_third(by_hand(NETWORKS, BY_HAND))


def recorded(stem: str, network: str, golden: Golden) -> dict[str, np.ndarray]:
    """Outputs by name, "" where there is one only, every 8th row and column of maps and every 8th of 1000 logits."""
    path, prefix = (stem, network) if golden.of == "own" else ("logits", f"{golden.of}/{network}")
    with np.load(FOLDER / f"{path}.npz") as arrays:
        found = {key[len(prefix) + 1 :]: arrays[key] for key in arrays if key == prefix or key.startswith(f"{prefix}:")}
    assert found
    return found


def restated_names(stem: str, network: str) -> list[tuple[str, list[int]]]:
    """Names and shapes of tensors that are recorded with a network's outputs."""
    with np.load(FOLDER / f"{stem}.npz") as arrays:
        found: list[tuple[str, list[int]]] = json.loads(str(arrays[f"names/{network}"]))
    return found


def thinned(output: np.ndarray) -> np.ndarray:
    """What is recorded of an output (N, H, W, C) or (N, C), in PyTorch's order."""
    if output.ndim == 4:
        return output[:, ::8, ::8].transpose(0, 3, 1, 2)
    return output[:, ::8] if output.shape[1] == 1000 else output


def plain_names(graph: Graph) -> list[tuple[str, list[int]]]:
    """Names and shapes of a network's own arrays in PyTorch's words, for those that no library has."""
    layouts = orders(graph)
    return [
        (name, list(to_torch_shape(place.weight, order_of(place.node, layouts))))
        for name, place in namings(graph, {})[PLAIN].items()
    ]


@pytest.mark.parametrize(("stem", "name", "golden"), CASES)
def test_outputs_are_those_of_pytorch(stem: str, name: str, golden: Golden, tmp_path: Path) -> None:
    figures = FILES[stem][name]
    theirs = {"torchvision": figures.torchvision, "timm": figures.timm, "own": name}[golden.of]
    assert theirs is not None
    size = golden.size
    spec = load(name)
    if golden.table:
        names = restated_names(stem, name)
    else:
        names = plain_names(spec.graph()) if golden.of == "own" else recorded_names()[f"{golden.of}/{theirs}"]
    save_file({key: tensor(theirs, key, shape, golden.gain) for key, shape in names}, tmp_path / "file.safetensors")
    found = import_weights(name, tmp_path / "file.safetensors", tmp_path / "imported")
    assert found.full
    assert found.naming == (golden.table or (PLAIN if golden.of == "own" else golden.of))
    graph = load(tmp_path / "imported" / "spec.yaml").graph((size, size)).pruned("eval")
    pure, *shapes = outline(graph)
    arrays = read_import(tmp_path / "imported")
    params, statistics = ({key: arrays[key].astype(np.float64) for key in part} for part in shapes)
    generator = np.random.default_rng(crc32(f"{theirs}/input".encode()))
    channels = graph.input.shape[-1]
    x = generator.standard_normal((1, channels, size, size)).astype(np.float32).transpose(0, 2, 3, 1)
    # In float64 and by the library: these arrays make some networks magnify what a processor rounds otherwise.
    run = jax.jit(lambda *arrays: pure.apply(*arrays, train=False, lowerings=BY_LIBRARY)[0])
    with jax.enable_x64(True):
        outputs = jax.device_get(run(params, statistics, x.astype(np.float64)))
    named = outputs if isinstance(outputs, dict) else {"": outputs}
    expected = recorded(stem, theirs, golden)
    assert named.keys() == expected.keys()
    for key, value in named.items():
        assert value.dtype == np.float64
        output = thinned(value)
        assert output.shape == expected[key].shape
        assert np.abs(output - expected[key]).max() <= TOLERANCE * np.abs(expected[key]).max()
