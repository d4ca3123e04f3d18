"""The recipes of benchmarks/accuracy.py in PyTorch, written for comparison: prints the held-out accuracy as JSON.

    python benchmarks/accuracy_torch.py NETWORK FOLDER

The folder has data.npz and NETWORK.npz, with the weights to begin with under the modules' names and the samples of each
step in `orders`.
"""

from __future__ import annotations

import json
import math
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

MEAN, STD = 0.286, 0.353


class Basic(nn.Module):
    """A residual block of two convolutions; where it halves the map, the shortcut takes every second pixel and has
    zeros for the channels that are added (option A of He et al. 2016).
    """

    def __init__(self, width: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, filters, 3, stride, 1, bias=False)
        self.batch_norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.batch_norm2 = nn.BatchNorm2d(filters)
        self.stride, self.added = stride, filters - width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.batch_norm1(self.conv1(x)))
        y = self.batch_norm2(self.conv2(y))
        if self.added:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return functional.relu(x + y)


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for stage in (1, 2, 3):
            blocks = [
                Basic(
                    widths[stage - 1] if index == 0 else widths[stage],
                    widths[stage],
                    2 if index == 0 < stage - 1 else 1,
                )
                for index in range(3)
            ]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def lenet5() -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            c1=nn.Conv2d(1, 6, 5),
            relu1=nn.ReLU(),
            s2=nn.MaxPool2d(2),
            c3=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            s4=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            c5=nn.Linear(400, 120),
            relu3=nn.ReLU(),
            f6=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            output=nn.Linear(84, 10),
        )
    )


def vgg11_bn() -> nn.Module:
    layers: list[nn.Module] = []
    width = 1
    for filters, depth in ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)):
        for _ in range(depth):
            layers += [nn.Conv2d(width, filters, 3, 1, 1), nn.BatchNorm2d(filters), nn.ReLU()]
            width = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


Factor = Callable[[int, int, int], float]


def cosine(step: int, steps: int, per_epoch: int) -> float:
    """An epoch of warm-up in equal steps from one above 0, then half a cosine down to 0 at the last step."""
    if step < per_epoch:
        return (step + 1) / per_epoch
    return 0.5 * (1 + math.cos(math.pi * (step - per_epoch) / (steps - per_epoch - 1)))


def halves(step: int, steps: int, per_epoch: int) -> float:
    return 0.1 ** ((step >= steps // 2) + (step >= steps * 3 // 4))


def optimiser_of(name: str, network: nn.Module) -> torch.optim.Optimizer:
    params = list(network.parameters())
    spared = [
        {"params": [own for own in params if own.ndim > 1]},
        {"params": [own for own in params if own.ndim == 1], "weight_decay": 0.0},
    ]
    if name == "lenet5":
        return torch.optim.AdamW(spared, lr=0.002, weight_decay=0.05)
    if name == "resnet20":
        return torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.0001)
    return torch.optim.SGD(spared, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.0005)


RECIPES: dict[str, tuple[Callable[[], nn.Module], int, float, Factor]] = {
    "lenet5": (lenet5, 12, 0.1, cosine),
    "resnet20": (ResNet20, 12, 0.0, halves),
    "vgg11_bn": (vgg11_bn, 8, 0.0, cosine),
}


def begun(network: nn.Module, tensors: dict[str, np.ndarray]) -> None:
    """Puts weights into a network: by name, or in order where its modules have no names of their own."""
    own = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = tensors if set(tensors) == set(own) else dict(zip(own, tensors.values(), strict=True))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in given.items()}, strict=False)


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data, kept = np.load(folder / "data.npz"), dict(np.load(folder / f"{name}.npz"))
    orders = kept.pop("orders")
    build, epochs, smoothing, factor = RECIPES[name]
    network = build()
    begun(network, kept)
    network.to(device)

    def images(part: str) -> torch.Tensor:
        return ((torch.from_numpy(data[f"x_{part}"])[:, None].float() / 255 - MEAN) / STD).to(device)

    x, y = images("train"), torch.from_numpy(data["y_train"]).long().to(device)
    optimiser = optimiser_of(name, network)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: factor(step, len(orders), len(orders) // epochs)
    )
    network.train()
    for order in orders:
        assert (order >= 0).all(), "the samples must divide into batches"
        chosen = torch.from_numpy(order).long().to(device)
        optimiser.zero_grad()
        functional.cross_entropy(network(x[chosen]), y[chosen], label_smoothing=smoothing).backward()
        optimiser.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        guesses = torch.cat([network(part).argmax(1) for part in images("test").split(500)]).cpu().numpy()
    print(json.dumps({"accuracy": float((guesses == data["y_test"]).mean())}))


if __name__ == "__main__":
    main()
