"""Records what PyTorch computes for the cases of signals.py: `python tests/pytorch/record_signals.py`.

Made with torch 2.13.0 on a CPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from cases import BATCH, numbers
from signals import CASES, SHAPES, UNPOOLED

leaves = []
"""The weights of the case that is computed, as they lie here."""
factor = 1.0


def leaf(shape):
    """The next weight by the rule, of the shape that it has here; the caller turns its axes."""
    array = factor * numbers(shape, float(len(leaves) + 1))
    tensor = torch.tensor(array.astype(np.float32)).requires_grad_()
    leaves.append(tensor)
    return tensor


def axes(value, x):
    return (value,) * (x.ndim - 2) if isinstance(value, int) else tuple(value)


def padded(x, fields):
    pad = fields.get("pad", 0)
    if pad == "causal":
        pad = [[(fields["kernel"] - 1) * fields.get("dilation", 1), 0]]
    sides = [[pad, pad]] * (x.ndim - 2) if isinstance(pad, int) else pad
    return F.pad(x, [side for pair in reversed(sides) for side in pair])


def first(x):
    """Kernels as PyTorch has them: filters, channels, then places."""
    return x.movedim((-1, -2), (0, 1))


def rel_to_abs(x):
    """[b, l, 2l − 1] by distance to [b, l, l] by place: by padding and another shape, as Shaw et al.'s code."""
    batch, length, _ = x.shape
    x = F.pad(x, (0, 1)).reshape(batch, length * 2 * length)
    x = F.pad(x, (0, length - 1)).reshape(batch, length + 1, 2 * length - 1)
    return x[:, :length, length - 1 :]


def attention(fields, x):
    """x is (N, C, …)."""
    batch, channels, *sizes = x.shape
    heads, width = fields.get("heads", 1), fields.get("width", channels)
    values, bias = fields.get("values", width), fields.get("bias", True)
    flat = x.flatten(2).transpose(1, 2)

    def linear(inner, outer):
        kernel = leaf((inner, outer))
        return kernel.T, leaf((outer,)) if bias else None

    parts = [linear(channels, width), linear(channels, width), linear(channels, values)]
    project = fields.get("project", True)
    last = linear(values, channels) if project else None
    relative = fields.get("positions") == "relative"
    if project and fields.get("scale", True) and width == values == channels and bias and not relative:
        weights = torch.cat([kernel for kernel, _ in parts])
        biases = torch.cat([summand for _, summand in parts])
        x = flat.transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            x, x, x, channels, heads, weights, biases, None, None, False, 0.0, *last, training=False
        )
        return y.permute(1, 2, 0).reshape(batch, -1, *sizes)
    q, k, v = (F.linear(flat, *part).reshape(batch, flat.shape[1], heads, -1).transpose(1, 2) for part in parts)
    logits = q @ k.transpose(2, 3)
    depth = width // heads
    if relative and len(sizes) == 2:
        height, across = sizes
        down_table, across_table = leaf((2 * height - 1, depth)), leaf((2 * across - 1, depth))
        maps = q.reshape(batch * heads, height, across, depth)
        by_row = rel_to_abs((maps.transpose(1, 2) @ down_table.T).flatten(0, 1))
        by_row = by_row.reshape(batch * heads, across, height, height).permute(0, 2, 1, 3)[..., None]
        by_column = rel_to_abs((maps @ across_table.T).flatten(0, 1))
        by_column = by_column.reshape(batch * heads, height, across, 1, across)
        logits = logits + (by_row + by_column).reshape(logits.shape)
    elif relative:
        table = leaf((2 * sizes[0] - 1, depth))
        logits = logits + rel_to_abs((q @ table.T).flatten(0, 1)).reshape(logits.shape)
    if fields.get("scale", True):
        logits = logits / depth**0.5
    y = (logits.softmax(-1) @ v).transpose(1, 2).reshape(batch, flat.shape[1], -1)
    y = F.linear(y, *last) if project else y
    return y.transpose(1, 2).reshape(batch, -1, *sizes)


def compute(entry, x):
    """The output for x, (N, C, L) or (N, C, H, W), with weights by the rule."""
    kind, fields = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    one = x.ndim == 3
    channels = x.shape[1]
    if kind in ("conv", "depthwise_conv"):
        groups = fields.get("groups", 1 if kind == "conv" else channels)
        filters = fields.get("filters", channels * fields.get("multiplier", 1))
        kernel = leaf((*axes(fields["kernel"], x), channels // groups, filters))
        convolve = F.conv1d if one else F.conv2d
        stride, dilation = fields.get("stride", 1), fields.get("dilation", 1)
        return convolve(padded(x, fields), first(kernel), leaf((filters,)), stride, 0, dilation, groups)
    if kind == "transposed_conv":
        groups, filters = fields.get("groups", 1), fields["filters"]
        kernel = leaf((fields["kernel"], channels, filters // groups)).permute(1, 2, 0)
        options = {"padding": fields["pad"], "output_padding": fields.get("output_pad", 0)}
        return F.conv_transpose1d(
            x, kernel, leaf((filters,)), fields["stride"], groups=groups, dilation=fields.get("dilation", 1), **options
        )
    if kind == "locally_connected":
        size, stride, dilation = (axes(fields.get(name, 1), x) for name in ("kernel", "stride", "dilation"))
        x = padded(x, fields)
        if one:
            x, size, stride, dilation = x[..., None], (*size, 1), (*stride, 1), (*dilation, 1)
        places = [
            (n - (f - 1) * d - 1) // s + 1 for n, f, d, s in zip(x.shape[2:], size, dilation, stride, strict=True)
        ]
        seen = F.unfold(x, size, dilation, 0, stride).reshape(x.shape[0], channels, *size, *places)
        kept = slice(None, 1) if one else slice(None)
        kernel = leaf((*places[kept], *size[kept], channels, fields["filters"]))
        bias = leaf((*places[kept], fields["filters"]))
        own = kernel.reshape(*places, *size, channels, fields["filters"])
        y = torch.einsum("bcklhw,hwklcf->bfhw", seen, own) + bias.reshape(*places, -1).movedim(-1, 0)
        return y[..., 0] if one else y
    if kind == "self_attention":
        return attention(fields, x)
    if kind == "max_pool":
        return F.max_pool1d(
            x, fields["window"], fields["stride"], fields.get("pad", 0), fields.get("dilation", 1), "rounding" in fields
        )
    if kind == "avg_pool":
        return F.avg_pool1d(x, fields["window"], fields["stride"], fields["pad"], True, fields["count_pad"])
    if kind == "resize":
        corners = fields.get("align_corners", False) if fields.get("mode") != "nearest" else None
        return F.interpolate(x, fields["size"], mode=fields.get("mode", "linear"), align_corners=corners)
    if kind == "pad":
        return F.pad(x, fields["sides"][0], mode="replicate" if fields["mode"] == "edge" else fields["mode"])
    functions = {
        "adaptive_avg_pool": lambda x: F.adaptive_avg_pool1d(x, fields),
        "adaptive_max_pool": lambda x: (F.adaptive_max_pool1d if one else F.adaptive_max_pool2d)(x, fields),
        "global_max_pool": lambda x: (F.adaptive_max_pool1d if one else F.adaptive_max_pool2d)(x, 1).flatten(1),
        "lrn": lambda x: F.local_response_norm(x, fields["size"], fields["alpha"], 0.75, 1.0),
        "prelu": lambda x: F.prelu(x, leaf((channels,))),
        "unpool": lambda x: F.interpolate(x, scale_factor=fields, mode="nearest"),
    }
    return functions[kind](x)


def to_torch(x):
    return torch.tensor(np.moveaxis(x, -1, 1).copy()).requires_grad_()


def to_numpy(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


found = {}
for name, case in CASES.items():
    factor = case.factor
    x = to_torch(numbers((BATCH, *case.shape), 0.0))
    leaves.clear()
    y = compute(case.entry, x)
    torch.sin(y).sum().backward()
    found[f"{name}.output"] = to_numpy(y)
    found[f"{name}.gradient"] = to_numpy(x.grad)
    for number, tensor in enumerate(leaves):
        found[f"{name}.weight{number}"] = tensor.grad.numpy()

for name, case in UNPOOLED.items():
    fields = case.entry["max_pool"]
    window, pad = fields["window"], fields.get("pad", 0)
    stride = fields.get("stride", window)
    x = to_torch(numbers((BATCH, *case.shape), 0.0))
    pooled, indices = F.max_pool1d(x, window, stride, pad, ceil_mode="rounding" in fields, return_indices=True)
    y = F.max_unpool1d((2 * pooled) ** 2, indices, window, stride, pad, output_size=x.shape[2:])
    torch.sin(y).sum().backward()
    found[f"{name}.output"], found[f"{name}.gradient"] = to_numpy(y), to_numpy(x.grad)

state = {}
for number, (name, shape) in enumerate(SHAPES.items()):
    array = 0.4 * numbers(shape, float(number))
    state[name] = torch.tensor((array**2 + 0.5 if name.endswith("var") else array).astype(np.float32))
x = torch.tensor(np.moveaxis(numbers((BATCH, 16, 2), 0.0), -1, 1).copy())
x = F.conv1d(F.pad(x, (4, 0)), state["c1.weight"], state["c1.bias"], 2)
x = F.batch_norm(x, *(state[f"bn.{name}"] for name in ("running_mean", "running_var", "weight", "bias")))
x = F.max_pool1d(F.relu(x), 2)
x = F.conv_transpose1d(x, state["up.weight"], state["up.bias"], 2, 1)
q, k, v = (
    F.conv1d(x, state[f"att.{part}.weight"].reshape(-1, 3, 1), state[f"att.{part}.bias"])
    for part in ("query", "key", "value")
)
x = v @ (q.transpose(1, 2) @ k).softmax(-1).transpose(1, 2)
x = F.conv1d(x, state["att.output.weight"][..., None], state["att.output.bias"])
x = F.conv1d(x, state["own.weight"], state["own.bias"], padding=1, groups=3)
found["network"] = F.linear(x.flatten(1), state["fc.weight"], state["fc.bias"]).numpy()

np.savez_compressed(Path(__file__).parent / "signals.npz", **found)
