"""Records what PyTorch computes for the cases of kinds.py: `python tests/pytorch/record_kinds.py`.

Made with torch 2.13.0 on a CPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from cases import BATCH, numbers
from kinds import CASES

leaves = []
"""The weights of the case that is computed."""


def leaf(shape, offset):
    """Weights by the rule, of the shape that they have here, channels last, with channels first."""
    tensor = torch.tensor(np.moveaxis(numbers(shape, offset), -1, 0).copy()).requires_grad_()
    leaves.append(tensor)
    return tensor


def part(fields, name):
    start, stop, step = fields.get(name, [None, None, None]) + [None] * (3 - len(fields.get(name, [0, 0, 0])))
    return slice(start, stop, step)


def compute(entry, xs):
    """The output for tensors (N, C, H, W), (N, C, L) or (N, features), with weights by the rule."""
    kind, fields = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    x = xs[0]
    if kind == "slice":
        fields = {name: [-2, None] if value == "-2:" else value for name, value in fields.items()}
        spatial = ("rows", "columns") if x.ndim == 4 else ("length",)
        return x[(slice(None), part(fields, "channels"), *(part(fields, name) for name in spatial))]
    if kind == "reshape":
        shape = fields["shape"]
        return x.flatten(1) if shape == -1 else x.view(-1, shape[-1], *shape[:-1])
    if kind == "layer_norm":
        given = fields if isinstance(fields, dict) else {"axes": fields}
        epsilon = given.get("epsilon", 1e-5)
        last = (x.shape[1],) if given.get("axes") != "all" else (*x.shape[2:], x.shape[1])
        weight, bias = leaf(last, 1.0), leaf(last, 2.0)
        if given.get("axes") == "all":
            return F.layer_norm(x, x.shape[1:], weight, bias, epsilon)
        return F.layer_norm(x.movedim(1, -1), last, weight, bias, epsilon).movedim(-1, 1)
    if kind == "group_norm":
        given = fields if isinstance(fields, dict) else {"groups": fields}
        weight, bias = leaf((x.shape[1],), 1.0), leaf((x.shape[1],), 2.0)
        return F.group_norm(x, given["groups"], weight, bias, given.get("epsilon", 1e-5))
    if kind == "instance_norm":
        weight, bias = (leaf((x.shape[1],), 1.0), leaf((x.shape[1],), 2.0)) if fields else (None, None)
        return F.instance_norm(x, weight=weight, bias=bias)
    if kind == "layer_scale":
        return x * leaf((x.shape[1],), 1.0)[:, None, None]
    functions = {
        "channel_shuffle": lambda x: (
            F.channel_shuffle(x, fields) if x.ndim == 4 else torch.nn.ChannelShuffle(fields)(x)
        ),
        "space_to_depth": lambda x: F.pixel_unshuffle(x, fields),
        "depth_to_space": lambda x: F.pixel_shuffle(x, fields),
        "maximum": lambda *xs: torch.maximum(torch.maximum(xs[0], xs[1]), xs[2]),
        "average": lambda *xs: torch.stack(xs).mean(0),
        "subtract": torch.sub,
        "mish": F.mish,
        "softplus": lambda x: F.softplus(x, fields.get("beta", 1.0)),
        "log_softmax": lambda x: F.log_softmax(x, 1),
        "l2_normalise": lambda x: F.normalize(x, eps=fields.get("epsilon", 1e-12)),
    }
    return functions[kind](*xs)


found = {}
for name, case in CASES.items():
    xs = [
        torch.tensor(np.moveaxis(numbers((BATCH, *shape), float(number)), -1, 1).copy()).requires_grad_()
        for number, shape in enumerate(case.shapes)
    ]
    leaves.clear()
    y = compute(case.entry, xs)
    torch.sin(y).sum().backward()
    found[f"{name}.output"] = np.moveaxis(y.detach().numpy(), 1, -1)
    for number, x in enumerate(xs):
        found[f"{name}.gradient{number}"] = np.moveaxis(x.grad.numpy(), 1, -1)
    for number, tensor in enumerate(leaves):
        found[f"{name}.weight{number}"] = np.moveaxis(tensor.grad.numpy(), 0, -1)
np.savez_compressed(Path(__file__).parent / "kinds.npz", **found)
