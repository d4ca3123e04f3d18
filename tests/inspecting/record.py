"""Records what Captum and torchcam say of the networks of cases.py: `python -m tests.inspecting.record`.

Made with captum 0.9.0, torchcam 0.5.0 and torch 2.13.0 on a CPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from captum.attr import GuidedBackprop, IntegratedGradients, NoiseTunnel, Occlusion, Saliency
from torch import nn
from torchcam.methods import GradCAM

from tests.inspecting.cases import CLASSES, NOISE, OCCLUDED, STRIDE, arrays, images
from tests.pytorch.cases import numbers

FLAT = (12, 6, 5)
"""Channels, height and width of the map that is flattened: its features lie in another order here."""


class Plain(nn.Module):
    shapes = {
        "c1.kernel": (3, 3, 3, 8),
        "c1.bias": (8,),
        "c2.kernel": (3, 3, 8, 12),
        "c2.bias": (12,),
        "d1.kernel": (360, 16),
        "d1.bias": (16,),
        "d2.kernel": (16, 5),
        "d2.bias": (5,),
    }
    image = (17, 15, 3)

    def __init__(self):
        super().__init__()
        self.c1, self.r1, self.p1 = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.c2, self.r2 = nn.Conv2d(8, 12, 3), nn.ReLU()
        self.d1, self.r3, self.d2 = nn.Linear(360, 16), nn.ReLU(), nn.Linear(16, 5)

    def forward(self, x):
        x = self.r2(self.c2(self.p1(self.r1(self.c1(x)))))
        return self.d2(self.r3(self.d1(x.flatten(1))))


class Residual(nn.Module):
    shapes = {
        "c1.kernel": (3, 3, 2, 6),
        "c1.bias": (6,),
        **{f"b1.{name}": (6,) for name in ("scale", "bias", "mean", "var")},
        "unit.c2.kernel": (3, 3, 6, 6),
        "unit.c2.bias": (6,),
        **{f"unit.b2.{name}": (6,) for name in ("scale", "bias", "mean", "var")},
        "unit.c3.kernel": (3, 3, 6, 6),
        "unit.c3.bias": (6,),
        "d1.kernel": (6, 4),
        "d1.bias": (4,),
    }
    image = (16, 18, 2)

    def __init__(self):
        super().__init__()
        self.c1, self.b1, self.r1 = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
        self.c2, self.b2, self.r2 = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
        self.c3, self.r3, self.d1 = nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Linear(6, 4)

    def forward(self, x):
        x = self.r1(self.b1(self.c1(x)))
        x = self.r3(x + self.c3(self.r2(self.b2(self.c2(x)))))
        return self.d1(x.mean((2, 3)))


MAPS = {"plain": "r2", "residual": "r3"}


def give(module):
    """The arrays of cases.py, in PyTorch's layout."""
    names = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    for name, own in arrays(module.shapes).items():
        *_, layer, last = name.split(".")
        if last == "kernel" and own.ndim == 4:
            own = own.transpose(3, 2, 0, 1)
        elif name == "d1.kernel" and len(own) == np.prod(FLAT):
            channels, height, width = FLAT
            own = own.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(own.shape[1], -1)
        elif last == "kernel":
            own = own.T
        getattr(getattr(module, layer), names[last]).data.copy_(torch.tensor(own.copy()))


def last(tensor):
    """Channels last, as archspec has maps."""
    return np.moveaxis(tensor.detach().numpy(), 1, -1).astype(np.float32)


def record(name, module):
    give(module)
    module.double().eval()
    x = torch.tensor(np.moveaxis(images(module.image), -1, 1).astype(np.float64))
    target = torch.tensor(CLASSES)
    found = {"output": module(x).detach().numpy()}
    found["saliency"] = last(Saliency(module).attribute(x, target=target))
    found["gradient"] = last(Saliency(module).attribute(x, target=target, abs=False))
    found["guided"] = last(GuidedBackprop(module).attribute(x, target=target))
    found["integrated"] = last(IntegratedGradients(module).attribute(x, target=target, n_steps=50))
    occluded = Occlusion(module).attribute(
        x, (x.shape[1], *OCCLUDED), strides=(x.shape[1], *STRIDE), target=target, perturbations_per_eval=1
    )
    found["occlusion"] = last(occluded)[..., 0]
    noise = torch.tensor(np.moveaxis(numbers((NOISE, 1, *module.image), 3.0) / 8, -1, 2).astype(np.float64))
    tunnel, normal = NoiseTunnel(Saliency(module)), torch.normal
    # Captum draws what it adds with torch.normal, for each sample as often as NOISE in a row.
    torch.normal = lambda mean, std: torch.cat([noise[:, 0] for _ in x])
    found["smooth"] = last(tunnel.attribute(x, nt_samples=NOISE, stdevs=1.0, target=target, abs=False))
    torch.normal = normal
    for normalised in (False, True):
        maps = []
        for place, number in enumerate(CLASSES):
            with GradCAM(module, getattr(module, MAPS[name])) as method:
                scores = module(x[place : place + 1])
                maps.append(method(number, scores, normalized=normalised)[0][0].detach().numpy())
        found["cam_shares" if normalised else "cam"] = np.stack(maps)
    return {f"{name}/{key}": value.astype(np.float32) for key, value in found.items()}


if __name__ == "__main__":
    results = {**record("plain", Plain()), **record("residual", Residual())}
    np.savez_compressed(Path(__file__).parent / "recorded.npz", **results)
