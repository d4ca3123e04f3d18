"""Records networks with shared arrays: `python tests/pytorch/record_shared.py`. Made with torch 2.13.0 on a CPU.

`siamese`: a convolution, a batch normalisation, a ReLU and global average pooling, called on two images one after the
other in training mode. `recurrent`: an RNNCell over five steps. Of each the inputs, the tensors of the module, the
output y, and the gradients of Σ y·(k mod 7 − 3), k counting the numbers of y; of the first also the statistics after
both calls.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

BATCH, STEPS, FEATURES, HIDDEN = 3, 5, 4, 6


def recorded(name: str, module: nn.Module, inputs: dict[str, torch.Tensor], y: torch.Tensor) -> dict[str, np.ndarray]:
    factors = torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape) % 7 - 3
    (y * factors).sum().backward()
    found = {f"{name}.x.{key}": value for key, value in inputs.items()}
    found[f"{name}.y"] = y.detach()
    for key, value in module.named_parameters():
        found[f"{name}.params.{key}"] = value.detach()
        found[f"{name}.grads.{key}"] = value.grad
    return {key: value.detach().numpy() for key, value in found.items()}


torch.manual_seed(0)
encoder = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
nn.init.uniform_(encoder[1].weight, 0.5, 1.5)
nn.init.uniform_(encoder[1].bias, -0.5, 0.5)
left, right = torch.randn(BATCH, 2, 6, 7), 0.5 + torch.randn(BATCH, 2, 6, 7)
arrays = recorded("siamese", encoder, {"left": left, "right": right}, torch.cat([encoder(left), encoder(right)], 1))
arrays["siamese.mean"] = encoder[1].running_mean.numpy()

cell = nn.RNNCell(FEATURES, HIDDEN)
sequence, state = torch.randn(BATCH, STEPS, FEATURES), torch.randn(BATCH, HIDDEN)
inputs = {"sequence": sequence, "state": state}
for step in range(STEPS):
    state = cell(sequence[:, step], state)
arrays |= recorded("recurrent", cell, inputs, state)
np.savez_compressed(Path(__file__).parent / "shared.npz", **arrays)  # type: ignore[arg-type]
