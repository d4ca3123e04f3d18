"""Runs that the tests of inference share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.loading import load
from archspec.training.run import train
from tests.digits import some_digits

TEXT = """archspec: 1
name: net
input: {height: 28, width: 28, channels: 1}
blocks:
  stage:
    layers:
      - conv: {name: c, filters: 4, kernel: 5, stride: 3}
      - batch_norm: {name: n}
layers:
  - stage: {name: s}
  - relu
  - flatten: {name: flat}
  - dropout: {name: drop, rate: 0.2}
  - dense: {name: out, units: 10}
  - dense: {name: aux, units: 10, from: flat}
outputs: {out: out, aux: {from: aux, weight: 0.3, train_only: true}}
train: {dataset: %s, batch_size: 50, epochs: 1, optimiser: {sgd: {learning_rate: 0.05}}}
"""


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small .npz of digits."""
    return some_digits(tmp_path_factory.mktemp("data"), 10)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The folder of a run that classifies them."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "net.yaml").write_text(TEXT % f"{{npz: {digits}}}")
    return train(load(folder / "net.yaml"), folder / "run", progress=False).folder


@pytest.fixture(scope="session")
def pixels(digits: Path) -> np.ndarray:
    """The images, (N, 28, 28) bytes."""
    with np.load(digits) as file:
        return np.asarray(file["x"])
