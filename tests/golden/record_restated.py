"""Networks restated in PyTorch with tensors by the rule (README.md), which count what they do, for `record_*.py`.

A restatement is a function of a `Restated` and the input, which calls layer after layer with names of tensors. It knows
nothing of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import nn

from tests.weights.rule import tensor


class Restated:
    """Layers by their tensors' names; counts parameters, statistics and multiply–adds, and lists names and shapes.

    On the meta device, nothing but the counting is done.
    """

    def __init__(self, network: str, *, meta: bool = False, epsilon: float = 1e-5) -> None:
        self.network, self.meta, self.epsilon = network, meta, epsilon
        self.shapes: dict[str, list[int]] = {}
        self.params = self.statistics = self.macs = 0

    def tensor(self, name: str, *shape: int) -> torch.Tensor:
        assert name not in self.shapes
        self.shapes[name] = list(shape)
        size = int(np.prod(shape))
        if "running" in name:
            self.statistics += size
        else:
            self.params += size
        if self.meta:
            return torch.empty(shape, device="meta")
        return torch.from_numpy(tensor(self.network, name, list(shape)))

    def conv(self, name, x, filters, kernel=1, stride=1, pad=0, dilation=1, bias=False):
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        weight = self.tensor(f"{name}.weight", filters, x.shape[1], height, width)
        biases = self.tensor(f"{name}.bias", filters) if bias else None
        y = nn.functional.conv2d(x, weight, biases, stride, pad, dilation)
        self.macs += weight[0].numel() * y[0].numel()
        return y

    def transposed_conv(self, name, x, filters, kernel, stride, pad=0, output_pad=0):
        weight = self.tensor(f"{name}.weight", x.shape[1], filters, kernel, kernel)
        self.macs += weight[0].numel() * x[0].numel()
        return nn.functional.conv_transpose2d(x, weight, self.tensor(f"{name}.bias", filters), stride, pad, output_pad)

    def norm(self, name, x):
        scale, bias, mean, variance = (
            self.tensor(f"{name}.{part}", x.shape[1]) for part in ("weight", "bias", "running_mean", "running_var")
        )
        return nn.functional.batch_norm(x, mean, variance, scale, bias, eps=self.epsilon)

    def prelu(self, name, x):
        return nn.functional.prelu(x, self.tensor(f"{name}.weight", x.shape[1]))


def run(
    forward: Callable[[Restated, torch.Tensor], dict[str, torch.Tensor]], net: Restated, channels: int, *size: int
) -> dict[str, torch.Tensor]:
    """What a restatement gives for the rule's input, or nothing but shapes on the meta device."""
    height, width = size if len(size) == 2 else size * 2
    if net.meta:
        return forward(net, torch.empty((1, channels, height, width), device="meta"))
    generator = np.random.default_rng(crc32(f"{net.network}/input".encode()))
    x = torch.from_numpy(generator.standard_normal((1, channels, height, width)).astype(np.float32))
    with torch.no_grad():
        return forward(net, x)


def count(name: str, forward: Callable[[Restated, torch.Tensor], dict[str, torch.Tensor]], channels: int, *size: int):
    """Prints what a network has at its full size."""
    net = Restated(name, meta=True)
    found = run(forward, net, channels, *size)
    shapes = {key: tuple(value.shape[1:]) for key, value in found.items()}
    print(f"{name} at {size}: {net.params:,} parameters, {net.statistics:,} statistics, {net.macs:,} macs, {shapes}")


def thinned(network: str, found: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Every 8th row and column of maps, by the keys of a recording."""
    arrays = {f"{network}:{key}" if key else network: value.numpy()[..., ::8, ::8] for key, value in found.items()}
    for key, value in arrays.items():
        print(key, value.shape, "largest", np.abs(value).max(), "spread", value.std())
    return arrays


FOLDER = Path(__file__).parent
