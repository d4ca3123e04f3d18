"""Run folders made of their files alone, as tests of tables need them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SPEC = """archspec: 1
name: {name}
task: classification
input: {{height: 8, width: 8, channels: 1, range: [0.0, 1.0], fit: exact}}
layers:
  - conv: {{name: conv1, kernel: [3, 3], filters: {filters}, pad: same, init: lecun_normal}}
  - flatten: {{name: flatten1}}
  - dense: {{name: dense1, units: 10, bias: true}}
outputs:
  output: {{from: dense1, weight: 1.0, train_only: false}}
train:
  dataset: mnist5k
  batch_size: 64
  epochs: {epochs}
  optimiser: {{{optimiser}: {{learning_rate: {rate}}}}}
  seed: {seed}
"""


def records(values: Sequence[float], losses: Sequence[float] | None = None) -> list[dict[str, Any]]:
    """Records of as many epochs, with this accuracy."""
    losses = losses or [2 - value for value in values]
    return [
        {
            "epoch": at,
            "step": 10 * at,
            "learning_rate": 0.1,
            "train": {"loss": loss + 0.1, "accuracy": value},
            "validation": {"loss": loss, "top1": value},
        }
        for at, (value, loss) in enumerate(zip(values, losses, strict=True), 1)
    ]


def make_run(
    folder: Path,
    values: Sequence[float] = (0.5, 0.9, 0.8),
    *,
    finished: bool = True,
    figure: bool = True,
    marker: dict[str, Any] | None = None,
    name: str = "digits",
    optimiser: str = "sgd",
    rate: str = "0.1",
    filters: int = 8,
    epochs: int = 3,
    seed: int = 0,
) -> Path:
    """A run's folder, without checkpoints."""
    folder.mkdir(parents=True)
    spec = SPEC.format(name=name, optimiser=optimiser, rate=rate, filters=filters, epochs=epochs, seed=seed)
    (folder / "spec.yaml").write_text(spec)
    about: dict[str, Any] = {"archspec": "0.1.0", "packages": {}, "parameters": 100 * filters}
    if figure:
        about["figure"] = {"name": "top1", "path": ["top1"], "better": "higher"}
    (folder / "run.json").write_text(json.dumps(about))
    own = records(values)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in own))
    times = [{"step": record["step"], "seconds": 1.5, "images_per_second": 1.0} for record in own]
    (folder / "times.jsonl").write_text("".join(json.dumps(record) + "\n" for record in times))
    if finished:
        result = {"part": "validation", "accuracy": values[-1], "top1": values[-1], "step": own[-1]["step"]}
        (folder / "result.json").write_text(json.dumps({**result, "epochs": len(values), "classes": []}))
    if marker is not None:
        (folder / ".archspec").write_text(json.dumps({"archspec": "0.1.0", "purpose": "run", **marker}))
    return folder
