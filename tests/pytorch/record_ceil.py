"""Records PyTorch's poolings that round up: `python tests/pytorch/record_ceil.py`. Made with torch 2.13.0 on a CPU.

Each case is [kind, height, width, window, stride, pad, dilation, shape or null where PyTorch refuses]; the first ones
have the output's numbers as well, for the input (0.37·i mod 5) − 2.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812

NUMBERS = 8
CHOSEN = [("max_pool", 2, 2, 3, 2, 0, 1), ("avg_pool", 7, 7, 1280, 1280, 0, 1), ("max_pool", 7, 5, 1280, 1280, 0, 1)]
CHOSEN += [("avg_pool", 2, 3, 4, 3, 1, 1), ("avg_pool_excluded", 2, 3, 4, 3, 1, 1), ("max_pool", 3, 2, 3, 5, 1, 3)]
CHOSEN += [("avg_pool_excluded", 5, 4, 3, 2, 1, 1), ("max_pool", 4, 6, 4, 3, 2, 2)]

choose = random.Random(0)
cases = list(CHOSEN)
for _ in range(400):
    kind = choose.choice(["max_pool", "avg_pool", "avg_pool_excluded"])
    window = choose.randint(1, 12)
    dilation = choose.randint(1, 3) if kind == "max_pool" else 1
    sizes = (choose.randint(1, 9), choose.randint(1, 9))
    cases.append((kind, *sizes, window, choose.randint(1, 12), choose.randint(0, window // 2), dilation))

found: list[list[object]] = []
for number, (kind, height, width, window, stride, pad, dilation) in enumerate(cases):
    x = (torch.arange(height * width, dtype=torch.float32).reshape(1, 1, height, width) * 0.37) % 5 - 2
    try:
        if kind == "max_pool":
            y = F.max_pool2d(x, window, stride, pad, dilation, ceil_mode=True)
        else:
            y = F.avg_pool2d(x, window, stride, pad, True, kind == "avg_pool")
    except RuntimeError:
        found.append([*cases[number], None])
        continue
    row = [*cases[number], list(y.shape[2:])]
    found.append([*row, [round(v, 6) for v in y.flatten().tolist()]] if number < NUMBERS else row)
text = "[\n" + ",\n".join(json.dumps(row) for row in found) + "\n]\n"
(Path(__file__).parent / "ceil.json").write_text(text, "utf-8")
