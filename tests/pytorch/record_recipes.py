"""Records what PyTorch's schedules, parameter groups and clipping compute: `python tests/pytorch/record_recipes.py`.

Made with torch 2.13.0 on a CPU.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler

STEPS = 40


def rates(make):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimiser)
    found = []
    for step in range(STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if isinstance(schedule, lr_scheduler.CosineAnnealingWarmRestarts):
            schedule.step((step + 1) / 4)
        elif step < STEPS - 1:
            schedule.step()
    return found


SCHEDULES = {
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False),
    "one_cycle linear": lambda o: lr_scheduler.OneCycleLR(
        o,
        1.0,
        STEPS,
        pct_start=0.4,
        anneal_strategy="linear",
        div_factor=10,
        final_div_factor=100,
        cycle_momentum=False,
    ),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, STEPS - 1, 0.9),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.97 ** (1 / 10)),
    "warm_restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2, 0.1),
    "warm_restarts alike": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
}

SHAPES = {"body.kernel": (6, 5), "body.bias": (5,), "head.kernel": (5, 3), "head.bias": (3,)}
RATES = {"body.kernel": 0.1, "body.bias": 0.1, "head.kernel": 2.0, "head.bias": 0.5}
DECAYS = {"body.kernel": 0.5, "body.bias": 0.0, "head.kernel": 3.0, "head.bias": 0.0}
OPTIMISERS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.1),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.1, alpha=0.9, eps=1e-8, momentum=0.9),
}


def groups(make, clip):
    rng = np.random.default_rng(5)
    params = {name: torch.nn.Parameter(torch.tensor(rng.normal(size=shape))) for name, shape in SHAPES.items()}
    optimiser = make(
        [
            {"params": [value], "lr": 0.1 * RATES[name], "weight_decay": 0.1 * DECAYS[name]}
            for name, value in params.items()
        ]
    )
    for _ in range(5):
        for name, value in params.items():
            value.grad = torch.tensor(rng.normal(size=SHAPES[name]))
        clip(params.values())
        optimiser.step()
    return {name: value.detach().numpy().round(7).tolist() for name, value in params.items()}


CLIPS = {
    "none": lambda params: None,
    "norm": lambda params: torch.nn.utils.clip_grad_norm_(params, 2.0),
    "value": lambda params: torch.nn.utils.clip_grad_value_(params, 0.5),
}

found = {
    "schedules": {name: [round(value, 9) for value in rates(make)] for name, make in SCHEDULES.items()},
    "groups": {
        f"{name} {clip}": groups(make, CLIPS[clip])
        for name, make in OPTIMISERS.items()
        for clip in (CLIPS if name == "sgd" else ["none"])
    },
}
Path(__file__).with_name("recipes.json").write_text(json.dumps(found) + "\n")
