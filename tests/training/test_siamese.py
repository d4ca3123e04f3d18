"""The Siamese network of the examples: one encoder for two images."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from archspec import load, train
from archspec.cli import main

SPEC = Path(__file__).parents[2] / "specs" / "examples" / "siamese_digits.yaml"


@pytest.mark.slow
def test_both_images_go_through_one_encoder(tmp_path: Path) -> None:
    assert main(["draw", str(SPEC), "--output", str(tmp_path / "net.svg")]) == 0
    (tmp_path / "net.yaml").write_text(
        SPEC.read_text("utf-8").replace("train: 60000", "train: 192, test: 20").replace("epochs: 2", "epochs: 3"),
        "utf-8",
    )
    spec = load(tmp_path / "net.yaml")
    result = train(spec, tmp_path / "run", progress=False)
    encoder = 5 * 5 * 16 + 16 + 5 * 5 * 16 * 32 + 32 + 7 * 7 * 32 * 64 + 64
    assert sum(array.size for array in result.params.values()) == encoder + 64 * 2 + 2
    assert not any(name.startswith("other.") for name in result.params)
    losses = [record["train"]["loss"] for record in result.metrics]
    assert losses[2] < losses[0]
    assert spec.train is not None
    pairs = spec.train.dataset.load().validation.inputs
    left, right = (jnp.asarray(pairs[name], jnp.float32) / 255 for name in ("left", "right"))
    network = result.open().network
    there, back = network({"left": left, "right": right}), network({"left": right, "right": left})
    assert np.allclose(there, back, atol=1e-5)  # a difference is squared, and both sides are alike
    same = network({"left": left, "right": left})
    assert np.allclose(same, same[:1], atol=1e-6)
