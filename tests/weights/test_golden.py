"""Logits of torchvision's networks, reproduced through the import that users take (tests/golden/README.md)."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from archspec.loading import load
from archspec.lower import outline
from archspec.runs.imports import read_import
from archspec.weights.folder import import_weights
from tests.weights.rule import tensors

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "torchvision_logits.npz")
TOLERANCE = 1e-4
"""Of the largest logit."""

OWN_NAMES = {"alexnet": "alexnet_one_weird_trick", "googlenet": "googlenet_bn"}


def outputs_of(network: str, folder: Path, size: int) -> dict[str, np.ndarray]:
    """The outputs for the golden input of a network whose weights came through the import."""
    save_file(tensors("torchvision", network), folder / "file.safetensors")
    found = import_weights(OWN_NAMES.get(network, network), folder / "file.safetensors", folder / "imported")
    assert found.full
    assert found.naming == "torchvision"
    spec = load(folder / "imported" / "spec.yaml")
    graph = spec.graph((size, size)).pruned("eval")
    pure, *shapes = outline(graph)
    arrays = read_import(folder / "imported")
    params, statistics = ({name: jnp.asarray(arrays[name]) for name in part} for part in shapes)
    generator = np.random.default_rng(crc32(f"{network}/input".encode()))
    x = generator.standard_normal((1, 3, size, size)).astype(np.float32).transpose(0, 2, 3, 1)
    run = jax.jit(lambda params, statistics, x: pure.apply(params, statistics, x, train=False)[0])
    found_outputs = run(params, statistics, jnp.asarray(x))
    named = found_outputs if isinstance(found_outputs, dict) else {"": found_outputs}
    return {name: np.asarray(value) for name, value in named.items()}


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(
    "network",
    [
        *("alexnet", "googlenet", "resnet18", "resnet50"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg11", "vgg16_bn")),
    ],
)
def test_logits(network: str, tmp_path: Path) -> None:
    (logits,) = outputs_of(network, tmp_path, 224).values()
    close(logits, GOLDEN[network])


def test_maps_of_a_segmentation_network(tmp_path: Path) -> None:
    outputs = outputs_of("fcn_resnet50", tmp_path, 129)
    for name in ("out", "aux"):
        close(outputs[name][:, ::8, ::8].transpose(0, 3, 1, 2), GOLDEN[f"fcn_resnet50.{name}"])
