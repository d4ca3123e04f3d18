"""Records outputs of PReLU-net A, restated in PyTorch from the paper's Table 3: README.md.

`pip install torch && python -m tests.golden.record_prelu_net`, made with torch 2.13.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import max_pool2d

from tests.golden.record_wrn import outputs


class Rectified(nn.Module):
    """A convolution of 3×3 pixels and a rectifier with a slope for each channel."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, 1, 1)
        self.prelu1 = nn.PReLU(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.prelu1(self.conv1(x))


class Rectifiers(nn.Module):
    """A network of Table 3, with so many convolutions in each of three stages of these channels."""

    def __init__(self, depth: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 96, 7, 2, 3), nn.PReLU(96)
        before = 96
        for number, width in enumerate(widths, 1):
            rest = [Rectified(width, width) for _ in range(depth - 1)]
            setattr(self, f"stage{number}", nn.Sequential(Rectified(before, width), *rest))
            before = width
        self.pyramid = [nn.AdaptiveMaxPool2d(bins) for bins in (7, 3, 2, 1)]
        self.fc1, self.prelu2 = nn.Linear(63 * before, 4096), nn.PReLU(4096)
        self.fc2, self.prelu3 = nn.Linear(4096, 4096), nn.PReLU(4096)
        self.fc3 = nn.Linear(4096, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.prelu1(self.conv1(x))
        for stage in (self.stage1, self.stage2, self.stage3):
            x = stage(max_pool2d(x, 2))
        # The order of the bins is that of the flattened maps, level by level.
        x = torch.cat([pool(x).flatten(1) for pool in self.pyramid], 1)
        return self.fc3(self.prelu3(self.fc2(self.prelu2(self.fc1(x)))))


if __name__ == "__main__":
    made = {"prelu_net_a": outputs("prelu_net_a", Rectifiers(5, (256, 512, 512)), 64)[:, ::8]}
    np.savez_compressed(Path(__file__).parent / "prelu_net.npz", **made)
