"""Records outputs of a wide ResNet for 32×32 images, restated in PyTorch from the paper: README.md.

`pip install torch && python -m tests.golden.record_wrn`, made with torch 2.13.0.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import nn

from tests.weights.rule import tensor


class Block(nn.Module):
    """B(3,3): the shortcut begins behind the first rectifier where the shape changes."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.changes = before != width or stride > 1
        if self.changes:
            self.downsample = nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm1(x))
        around = self.downsample(y) if self.changes else x
        return self.conv2(torch.relu(self.norm2(self.conv1(y)))) + around


class Wide(nn.Module):
    """WRN-n-k of n = 6 · blocks + 4 layers."""

    def __init__(self, blocks: int, k: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        widths = [16, 16 * k, 32 * k, 64 * k]
        for stage in (1, 2, 3):
            first = Block(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            rest = [Block(widths[stage], widths[stage], 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(first, *rest))
        self.norm = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.fc(torch.relu(self.norm(x)).mean((2, 3)))


def outputs(name: str, model: nn.Module, size: int) -> np.ndarray:
    """What a network gives for its input, with weights by the rule."""
    model.eval()
    for key, value in model.state_dict().items():
        value.copy_(torch.from_numpy(tensor(name, key, list(value.shape))))
    x = np.random.default_rng(crc32(f"{name}/input".encode())).standard_normal((1, 3, size, size)).astype(np.float32)
    with torch.no_grad():
        found, other = model(torch.from_numpy(x)), model(torch.from_numpy(-x))
    print(f"{name}: up to {found.abs().max():.3g}, {(found - other).abs().max():.3g} apart for another input")
    return np.asarray(found.numpy())


if __name__ == "__main__":
    made = {"wrn_16_4": outputs("wrn_16_4", Wide(2, 4), 32)}
    np.savez_compressed(Path(__file__).parent / "wrn.npz", **made)
