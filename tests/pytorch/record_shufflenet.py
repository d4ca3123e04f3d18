"""Records the names of ShuffleNet v2's tensors and what the network gives, with torchvision's modules and names.

`python -m tests.pytorch.record_shufflenet`, made with torch 2.13.0 on a CPU. The network is written out here after Ma
et al. 2018 (Figure 3), its parts called as torchvision calls them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.pytorch.cases import numbers
from tests.pytorch.shufflenet import SIZE, tensor


def unit(inner, outer, stride):
    """Convolution 1×1, depthwise 3×3, convolution 1×1."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, 1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
        nn.Conv2d(outer, outer, 3, stride, 1, groups=outer, bias=False),
        nn.BatchNorm2d(outer),
        nn.Conv2d(outer, outer, 1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
    )


class Unit(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        half = outer // 2
        self.branch1 = None
        if stride == 2:
            self.branch1 = nn.Sequential(
                nn.Conv2d(inner, inner, 3, 2, 1, groups=inner, bias=False),
                nn.BatchNorm2d(inner),
                nn.Conv2d(inner, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
            )
        self.branch2 = unit(inner if stride == 2 else half, half, stride)

    def forward(self, x):
        left, right = (x, x) if self.branch1 is not None else x.chunk(2, 1)
        left = left if self.branch1 is None else self.branch1(left)
        return nn.functional.channel_shuffle(torch.cat([left, self.branch2(right)], 1), 2)


def first(inner, outer, kernel, stride):
    conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outer), nn.ReLU())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = first(3, 24, 3, 2)
        inner = 24
        for stage, (width, units) in enumerate(zip((116, 232, 464), (4, 8, 4), strict=True), 2):
            parts = [Unit(inner, width, 2), *(Unit(width, width, 1) for _ in range(units - 1))]
            setattr(self, f"stage{stage}", nn.Sequential(*parts))
            inner = width
        self.conv5 = first(464, 1024, 1, 1)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x), 3, 2, 1)
        return self.fc(self.conv5(self.stage4(self.stage3(self.stage2(x)))).mean((2, 3)))


net = Net().eval()
names = {name: list(value.shape) for name, value in net.state_dict().items() if "tracked" not in name}
state = {name: torch.tensor(tensor(name, shape, number)) for number, (name, shape) in enumerate(names.items())}
net.load_state_dict(state, strict=False)
with torch.no_grad():
    logits = net(torch.tensor(numbers((2, *SIZE), 0.0).transpose(0, 3, 1, 2).copy())).numpy()
np.savez_compressed(Path(__file__).parent / "shufflenet.npz", logits=logits, names=json.dumps(names))
