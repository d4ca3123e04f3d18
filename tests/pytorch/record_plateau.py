"""Records what PyTorch's ReduceLROnPlateau makes of sequences of figures: factors of a learning rate of 1."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import torch

CASES = [
    {},
    {"patience": 0},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 2, "factor": 0.5},
    {"patience": 1, "threshold": 0.1},
    {"patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 0, "min_lr": 0.02},
]


def factors(values: list[float | None], mode: str, options: dict[str, float | str]) -> list[float]:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, mode=mode, eps=0, **options)
    found = []
    for value in values:
        scheduler.step(math.nan if value is None else value)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def main() -> None:
    numbers = random.Random(0)
    cases = []
    for options in CASES:
        for mode in ("min", "max"):
            values: list[float | None] = [round(numbers.uniform(0.2, 1), 3) for _ in range(30)]
            values[7] = None
            cases.append(
                {"options": options, "mode": mode, "values": values, "factors": factors(values, mode, options)}
            )
    text = json.dumps(cases, indent=1)
    Path(__file__).with_name("plateau.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
