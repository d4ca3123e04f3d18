"""Records outputs of U-Nets restated after Ronneberger et al. 2015, Figure 1, with weights by a rule: README.md.

`python -m tests.golden.record_unet`, made with torch 2.13.0. The padded one has the names of tensors that milesial's
Pytorch-UNet has, which are recorded with it.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from tests.golden.record_restated import FOLDER, Restated, count, run, thinned


def original(width, classes=2):
    """Unpadded, with biases."""

    def twice(net, name, x, filters):
        x = net.conv(f"{name}.conv1", x, filters, 3, bias=True).relu()
        return net.conv(f"{name}.conv2", x, filters, 3, bias=True).relu()

    def forward(net: Restated, x: torch.Tensor) -> dict[str, torch.Tensor]:
        skips = []
        for scale in range(5):
            x = twice(net, f"down{scale}", x if scale == 0 else torch.max_pool2d(x, 2), width << scale)
            skips.append(x)
        for step in range(4):
            filters = width << (3 - step)
            x = net.transposed_conv(f"up{step + 1}.larger", x, filters, 2, 2)
            skip = skips[3 - step]
            edge = (skip.shape[-1] - x.shape[-1]) // 2
            skip = skip[..., edge : edge + x.shape[-2], edge : edge + x.shape[-1]]
            x = twice(net, f"up{step + 1}.convs", torch.cat([skip, x], 1), filters)
        return {"": net.conv("logits", x, classes, bias=True)}

    return forward


def padded(width, classes=1):
    """Padded, with batch normalisation."""

    def double_conv(net, name, x, filters):
        for place in (0, 3):
            x = net.conv(f"{name}.double_conv.{place}", x, filters, 3, pad=1)
            x = net.norm(f"{name}.double_conv.{place + 1}", x).relu()
        return x

    def forward(net: Restated, x: torch.Tensor) -> dict[str, torch.Tensor]:
        skips = [double_conv(net, "inc", x, width)]
        for scale in range(1, 5):
            x = torch.max_pool2d(skips[-1], 2)
            skips.append(double_conv(net, f"down{scale}.maxpool_conv.1", x, width << scale))
        x = skips.pop()
        for step in range(1, 5):
            x = net.transposed_conv(f"up{step}.up", x, width << (4 - step), 2, 2)
            x = double_conv(net, f"up{step}.conv", torch.cat([skips.pop(), x], 1), width << (4 - step))
        return {"": net.conv("outc.conv", x, classes, bias=True)}

    return forward


if __name__ == "__main__":
    count("unet", original(64), 1, 572)
    count("unet?width=8", original(8), 1, 572)
    count("unet_padded", padded(64), 3, 512)
    count("unet_padded", padded(64), 3, 256)
    count("unet_padded?width=8", padded(8), 3, 512)
    made = {}
    for name, forward, channels, size in (
        ("unet?width=8", original(8), 1, 236),
        ("unet_padded?width=8", padded(8), 3, 64),
    ):
        net = Restated(name)
        made.update(thinned(name, run(forward, net, channels, size)))
        if name.startswith("unet_padded"):
            made[f"names/{name}"] = json.dumps(list(net.shapes.items()))
    np.savez_compressed(FOLDER / "unet.npz", **made)
