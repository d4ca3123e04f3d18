"""Records outputs of ENet restated after the authors' encoder.lua and decoder.lua, with weights by a rule: README.md.

`python -m tests.golden.record_enet`, made with torch 2.13.0.
"""

from __future__ import annotations

import numpy as np
import torch

from tests.golden.record_restated import FOLDER, Restated, count, run, thinned

MIDDLES = ["3x3", 2, "5", 4, "3x3", 8, "5", 16]
"""Of the eight bottlenecks that come twice: plain, dilated, asymmetric."""


def encoder(net, name, x, filters, middle="3x3", halve=False):
    inner, step = filters // 4, 2 if halve else 1
    y = net.conv(f"{name}.conv1", x, inner, step, step)
    y = net.prelu(f"{name}.prelu1", net.norm(f"{name}.batch_norm1", y))
    if middle == "5":
        y = net.conv(f"{name}.conv2", y, inner, (1, 5), pad=(0, 2))
        y = net.conv(f"{name}.conv3", y, inner, (5, 1), pad=(2, 0), bias=True)
    else:
        rate = 1 if middle == "3x3" else middle
        y = net.conv(f"{name}.conv3", y, inner, 3, pad=rate, dilation=rate, bias=True)
    y = net.prelu(f"{name}.prelu2", net.norm(f"{name}.batch_norm2", y))
    y = net.norm(f"{name}.batch_norm3", net.conv(f"{name}.conv4", y, filters))
    where = None
    if halve:
        if net.meta:
            x = torch.max_pool2d(x, 2)
        else:
            x, where = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
        x = torch.cat([x, x.new_zeros((1, filters - x.shape[1], *x.shape[2:]))], 1)
    return net.prelu(f"{name}.prelu3", x + y), where


def decoder(net, name, x, filters, where=None, double=False):
    inner = filters // 4
    y = net.norm(f"{name}.batch_norm1", net.conv(f"{name}.conv1", x, inner)).relu()
    if double:
        y = net.transposed_conv(f"{name}.transposed_conv1", y, inner, 3, 2, 1, 1)
    else:
        y = net.conv(f"{name}.conv3", y, inner, 3, pad=1, bias=True)
    y = net.norm(f"{name}.batch_norm2", y).relu()
    y = net.norm(f"{name}.batch_norm3", net.conv(f"{name}.{'conv2' if double else 'conv4'}", y, filters))
    if double:
        x = net.norm(f"{name}.shortcut1.batch_norm1", net.conv(f"{name}.shortcut1.conv1", x, filters))
        x = torch.empty_like(y) if net.meta else torch.nn.functional.max_unpool2d(x, where, 2)
    return (x + y).relu()


def forward(net: Restated, x: torch.Tensor) -> dict[str, torch.Tensor]:
    x = torch.cat([net.conv("initial.conv1", x, 13, 3, 2, 1, bias=True), torch.max_pool2d(x, 2)], 1)
    x = net.prelu("prelu1", net.norm("batch_norm1", x))
    x, first = encoder(net, "bottleneck1.0", x, 64, halve=True)
    for i in range(1, 5):
        x, _ = encoder(net, f"bottleneck1.{i}", x, 64)
    x, second = encoder(net, "bottleneck2.0", x, 128, halve=True)
    for section, start in ((2, 1), (3, 0)):
        for i, middle in enumerate(MIDDLES, start):
            x, _ = encoder(net, f"bottleneck{section}.{i}", x, 128, middle)
    x = decoder(net, "bottleneck4_0", x, 64, second, double=True)
    x = decoder(net, "bottleneck4_1", x, 64)
    x = decoder(net, "bottleneck4_2", x, 64)
    x = decoder(net, "bottleneck5_0", x, 16, first, double=True)
    x = decoder(net, "bottleneck5_1", x, 16)
    return {"": net.transposed_conv("fullconv", x, 19, 2, 2)}


if __name__ == "__main__":
    count("enet", forward, 3, 512)
    count("enet", forward, 3, 360, 640)
    net = Restated("enet", epsilon=1e-3)
    np.savez_compressed(FOLDER / "enet.npz", **thinned("enet", run(forward, net, 3, 64)))
