"""ShuffleNet v2 on digits: its units are imported by another file, and the example extends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.zoo import zoo_variants

EXAMPLE = Path(__file__).parent.parent / "specs" / "examples" / "shufflenet_digits.yaml"


def trained(spec: str, folder: Path, *settings: str) -> list[float]:
    """The loss of each epoch."""
    options = [word for setting in (*settings, "train.lowerings=library") for word in ("--set", setting)]
    assert main(["train", spec, "--workdir", str(folder), *options]) == 0
    return [json.loads(line)["train"]["loss"] for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.slow
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


@pytest.mark.minutes
def test_the_example_learns_digits(tmp_path: Path) -> None:
    assert trained(str(EXAMPLE), tmp_path / "run", "train.epochs=2")[1] < 0.7
