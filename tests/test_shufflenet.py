"""ShuffleNet v2 against PyTorch on maps that are no squares, and its units on digits."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.cli import main
from archspec.loading import open_spec
from archspec.lower import outline
from archspec.spec.overrides import python_override
from archspec.weights.layout import from_torch, order_of, orders
from archspec.weights.naming import namings, tables
from archspec.zoo import zoo_variants
from tests.pytorch.cases import numbers
from tests.pytorch.shufflenet import SIZE, tensor

EXAMPLE = Path(__file__).parent.parent / "specs" / "examples" / "shufflenet_digits.yaml"
RECORD = np.load(Path(__file__).parent / "pytorch" / "shufflenet.npz")


def test_it_gives_what_pytorch_gives() -> None:
    height, width, _ = SIZE
    size = [python_override(("input", "height"), height), python_override(("input", "width"), width)]
    spec = open_spec("shufflenet_v2_x1_0", size)
    graph = spec.graph()
    known, layouts = namings(graph, tables(spec))["torchvision"], orders(graph)
    shapes = json.loads(str(RECORD["names"]))
    assert known.keys() == shapes.keys()
    pure, params, others = outline(graph)
    arrays = {
        known[name].name: jnp.asarray(
            from_torch(tensor(name, shape, number), known[name].weight, order_of(known[name].node, layouts))
        )
        for number, (name, shape) in enumerate(shapes.items())
    }
    run = jax.jit(lambda params, others, x: pure.apply(params, others, x, train=False)[0])
    parts = [{name: arrays[name] for name in part} for part in (params, others)]
    found = np.asarray(run(*parts, jnp.asarray(numbers((2, *SIZE), 0.0))))
    assert np.abs(found - RECORD["logits"]).max() <= 2e-5 * np.abs(RECORD["logits"]).max()
    assert np.abs(found[0] - found[1]).max() > 1e-3 * np.abs(found).max()  # it does depend on the input


def trained(spec: str, folder: Path, *settings: str) -> list[float]:
    """The loss of each epoch."""
    options = [word for setting in settings for word in ("--set", setting)]
    assert main(["train", spec, "--workdir", str(folder), *options]) == 0
    return [json.loads(line)["train"]["loss"] for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_it_is_drawn_and_its_units_learn_digits(tmp_path: Path) -> None:
    """Both units, imported into a network of few layers, which compiles in seconds."""
    assert main(["validate", str(EXAMPLE), "--strict"]) == 0
    assert main(["draw", str(EXAMPLE), "--output", str(tmp_path / "net.svg")]) == 0
    assert "channel_shuffle" in (tmp_path / "net.svg").read_text("utf-8")
    home, _ = zoo_variants()["shufflenet_v2_x1_0"]
    spec = tmp_path / "small.yaml"
    spec.write_text(
        f"archspec: 1\nname: small\nimport: [{home}]\ninput: {{height: 28, width: 28, channels: 1}}\n"
        "layers:\n  - max_pool: 4\n  - stage: {width: 16, units: 2}\n  - flatten\n  - dense: 10\n"
        "train: {dataset: mnist5k, batch_size: 200, epochs: 2, optimiser: {adam: 0.01}}\n"
    )
    first, second = trained(str(spec), tmp_path / "run")
    assert second < first < 2.3


@pytest.mark.slow
def test_the_example_learns_digits(tmp_path: Path) -> None:
    assert trained(str(EXAMPLE), tmp_path / "run", "train.epochs=2")[1] < 0.7
