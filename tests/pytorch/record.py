"""Records what PyTorch computes for the cases: `pip install torch numpy && python tests/pytorch/record.py`.

Made with torch 2.13.0 on a CPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from cases import (
    BATCH,
    BATCH_NORM_STEPS,
    CASES,
    CLASS_WEIGHTS,
    IGNORED,
    OPTIMISER_STEPS,
    OPTIMISERS,
    UNPOOLED,
    numbers,
)


def pad_sides(fields, kernel, dilation):
    pad = fields.get("pad", 0)
    if pad == "same":
        pad = [(k - 1) // 2 * d for k, d in zip(kernel, dilation, strict=True)]
    pad = [pad, pad] if isinstance(pad, int) else pad
    return [[p, p] if isinstance(p, int) else p for p in pad]


def pair(value):
    return [value, value] if isinstance(value, int) else list(value)


leaves = []
"""The weights of the case that is computed, and how their axes lie here."""


def leaf(array, axes):
    """An array of ours as a tensor with its axes in PyTorch's order; `axes` brings its gradient back."""
    back = np.argsort(axes)
    tensor = torch.tensor(array.transpose(axes).copy()).requires_grad_()
    leaves.append((tensor, back))
    return tensor


def compute(entry, x):
    """The output for x, (N, C, H, W) or (N, features), with weights by the rule."""
    kind, fields = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    if kind == "conv":
        kernel, dilation = pair(fields["kernel"]), pair(fields.get("dilation", 1))
        groups, filters = fields.get("groups", 1), fields["filters"]
        weight = leaf(numbers((*kernel, x.shape[1] // groups, filters), 1.0), (3, 2, 0, 1))
        top, left = pad_sides(fields, kernel, dilation)
        x = F.pad(x, (*left, *top))
        bias = leaf(numbers((filters,), 2.0), (0,))
        return F.conv2d(x, weight, bias, pair(fields.get("stride", 1)), 0, dilation, groups)
    if kind == "transposed_conv":
        kernel, groups, filters = pair(fields["kernel"]), fields.get("groups", 1), fields["filters"]
        weight = leaf(numbers((*kernel, x.shape[1], filters // groups), 1.0), (2, 3, 0, 1))
        bias = leaf(numbers((filters,), 2.0), (0,))
        named = {"padding": "pad", "output_padding": "output_pad", "dilation": "dilation"}
        options = {name: fields.get(own, 1 if name == "dilation" else 0) for name, own in named.items()}
        return F.conv_transpose2d(x, weight, bias, fields["stride"], groups=groups, **options)
    if kind == "resize":
        size = fields.get("size", [fields.get("factor", 1) * n for n in x.shape[2:]])
        corners = fields.get("align_corners", False) if fields.get("mode") != "nearest" else None
        return F.interpolate(x, size, mode=fields.get("mode", "bilinear"), align_corners=corners)
    if kind == "dense":
        return F.linear(x, leaf(numbers((x.shape[1], fields), 1.0), (1, 0)), leaf(numbers((fields,), 2.0), (0,)))
    if kind == "max_pool":
        return F.max_pool2d(
            x,
            fields["window"],
            fields["stride"],
            fields.get("pad", 0),
            fields.get("dilation", 1),
            ceil_mode=fields.get("rounding") == "ceil",
        )
    if kind == "avg_pool":
        return F.avg_pool2d(
            x,
            fields["window"],
            fields["stride"],
            fields["pad"],
            fields.get("rounding") == "ceil",
            fields.get("count_pad", True),
        )
    if kind == "adaptive_avg_pool":
        return F.adaptive_avg_pool2d(x, fields)
    if kind == "lrn":
        return F.local_response_norm(x, fields["size"], fields["alpha"], fields.get("beta", 0.75), fields.get("k", 1.0))
    if kind == "prelu":
        return F.prelu(x, leaf(numbers((x.shape[1],), 1.0), (0,)))
    functions = {
        "relu": F.relu,
        "relu6": F.relu6,
        "leaky_relu": lambda x: F.leaky_relu(x, fields["slope"]),
        "elu": lambda x: F.elu(x, fields["alpha"]),
        "gelu": lambda x: F.gelu(x, approximate="tanh" if fields.get("approximate") else "none"),
        "silu": F.silu,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": F.hardsigmoid,
        "hard_swish": F.hardswish,
        "tanh": torch.tanh,
        "softmax": lambda x: F.softmax(x, -1),
    }
    return functions[kind](x)


def to_torch(x):
    return torch.tensor(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)


def to_numpy(x):
    x = x.detach().numpy()
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


found = {}
for name, case in CASES.items():
    x = to_torch(numbers((BATCH, *case.shape), 0.0)).requires_grad_()
    leaves.clear()
    y = compute(case.entry, x)
    torch.sin(y).sum().backward()
    found[f"{name}.output"] = to_numpy(y)
    found[f"{name}.gradient"] = to_numpy(x.grad)
    for number, (tensor, back) in enumerate(leaves):
        found[f"{name}.weight{number}"] = tensor.grad.numpy().transpose(back)

for name, case in UNPOOLED.items():
    fields = next(iter(case.entry.values()))
    fields = fields if isinstance(fields, dict) else {"window": fields}
    x = to_torch(numbers((BATCH, *case.shape), 0.0)).requires_grad_()
    window, stride = fields["window"], fields.get("stride", fields["window"])
    pad = fields.get("pad", 0)
    pooled, indices = F.max_pool2d(
        x, window, stride, pad, ceil_mode=fields.get("rounding") == "ceil", return_indices=True
    )
    y = F.max_unpool2d((2 * pooled) ** 2, indices, window, stride, pad, output_size=x.shape[2:])
    torch.sin(y).sum().backward()
    found[f"{name}.output"] = to_numpy(y)
    found[f"{name}.gradient"] = to_numpy(x.grad)

norm = torch.nn.BatchNorm2d(3)
with torch.no_grad():
    norm.weight.copy_(torch.tensor(numbers((3,), 1.0)))
    norm.bias.copy_(torch.tensor(numbers((3,), 2.0)))
for step in range(BATCH_NORM_STEPS):
    x = to_torch(numbers((BATCH, 4, 5, 3), float(step))).requires_grad_()
    y = norm(x)
    torch.sin(y).sum().backward()
found["batch_norm.output"], found["batch_norm.gradient"] = to_numpy(y), to_numpy(x.grad)
found["batch_norm.mean"], found["batch_norm.var"] = norm.running_mean.numpy(), norm.running_var.numpy()
norm.eval()
found["batch_norm.eval"] = to_numpy(norm(to_torch(numbers((BATCH, 4, 5, 3), 99.0))))

for name, options in OPTIMISERS.items():
    kind = name.split("_")[0]
    given = {"lr" if key == "learning_rate" else key: value for key, value in options.items()}
    weight = torch.nn.Parameter(torch.tensor(numbers((4, 3), 1.0)))
    optimiser = {
        "sgd": torch.optim.SGD,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
    }[kind]([weight], **given)
    for step in range(OPTIMISER_STEPS):
        optimiser.zero_grad()
        (weight * torch.tensor(numbers((4, 3), float(step)))).sin().sum().backward()
        optimiser.step()
    found[f"{name}.weight"] = weight.detach().numpy()

logits = torch.tensor(numbers((6, 5), 0.0)).requires_grad_()
labels = torch.tensor([0, 1, 2, 3, 4, 0])
for smoothing in (0.0, 0.1):
    loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    found[f"cross_entropy_{smoothing}"] = loss.detach().numpy()

for name, options in {
    "ignored": {},
    "ignored_weighted": {"weight": torch.tensor(CLASS_WEIGHTS)},
    "ignored_smooth": {"weight": torch.tensor(CLASS_WEIGHTS), "label_smoothing": 0.1},
}.items():
    logits = torch.tensor(numbers((6, 5), 0.0)).requires_grad_()
    loss = F.cross_entropy(logits, torch.tensor(IGNORED), ignore_index=-1, **options)
    loss.backward()
    found[f"cross_entropy_{name}"] = loss.detach().numpy()
    found[f"cross_entropy_{name}.gradient"] = logits.grad.numpy()

np.savez_compressed(Path(__file__).parent / "recorded.npz", **found)
