"""Records what PyTorch computes for the cases: `pip install torch numpy && python tests/losses/record.py`.

Made with torch 2.13.0 on a CPU. Of each case the mean loss, and its gradient with respect to the outputs.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from cases import CASES, numbers


def classes_last_to_second(x):
    return x.movedim(-1, 1)


def one_hot(target, width):
    return F.one_hot(target.clamp(min=0), width).to(torch.float32)


def mean(losses, counts):
    return losses[counts].mean()


def cross_entropy(x, target, *, label_smoothing=0.0, class_weights=None):
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
    options = {"weight": weight, "label_smoothing": label_smoothing}
    if target.ndim < x.ndim:
        return F.cross_entropy(classes_last_to_second(x), target, ignore_index=-1, **options)
    counts = ~target.isnan().any(-1)
    losses = F.cross_entropy(x[counts], target[counts], reduction="none", **options)
    # PyTorch divides by the number of samples, whatever they weigh; for labels, by the sum of the weights.
    return losses.sum() / (counts.sum() if weight is None else (target[counts] * weight).sum())


def binary_cross_entropy(x, target, *, pos_weight=None):
    truths, counts = numbers_of(x, target)
    weight = None if pos_weight is None else torch.tensor(pos_weight, dtype=torch.float32)
    return mean(F.binary_cross_entropy_with_logits(x, truths, pos_weight=weight, reduction="none"), counts)


def numbers_of(x, target):
    if target.ndim < x.ndim:
        return one_hot(target, x.shape[-1]), (target >= 0)[..., None].expand(x.shape)
    return target.nan_to_num(0), ~target.isnan()


def mse(x, target):
    known, counts = numbers_of(x, target)
    return F.mse_loss(x[counts], known[counts])


def l1(x, target):
    known, counts = numbers_of(x, target)
    return F.l1_loss(x[counts], known[counts])


def huber(x, target, *, delta=1.0):
    known, counts = numbers_of(x, target)
    return F.huber_loss(x[counts], known[counts], delta=delta)


def dice(x, target, *, smooth=1.0, squared=True, background=True, apply="softmax"):
    """Image by image, pixels that count alone."""
    losses = []
    for logits, labels in zip(x, target, strict=True):
        counts = labels >= 0
        if not counts.any():
            continue
        own = logits[counts]
        p = own.softmax(-1) if apply == "softmax" else own.sigmoid()
        t = one_hot(labels[counts], x.shape[-1])
        below = (p**2).sum(0) + (t**2).sum(0) if squared else p.sum(0) + t.sum(0)
        score = (2 * (p * t).sum(0) + smooth) / (below + smooth)
        losses.append(1 - score[0 if background else 1 :].mean())
    return torch.stack(losses).mean()


def focal(x, target, *, gamma=2.0, alpha=None, class_weights=None, apply="softmax"):
    if apply == "softmax":
        counts = target >= 0
        logits, labels = x[counts], target[counts]
        entropy = F.cross_entropy(logits, labels, reduction="none")
        weight = torch.ones(x.shape[-1]) if class_weights is None else torch.tensor(class_weights)
        losses = weight[labels] * (1 - torch.exp(-entropy)) ** gamma * entropy
        return losses.sum() / weight[labels].sum()
    truths, counts = numbers_of(x, target)
    # As torchvision.ops.sigmoid_focal_loss.
    entropy = F.binary_cross_entropy_with_logits(x, truths, reduction="none")
    p = x.sigmoid()
    losses = entropy * (1 - (p * truths + (1 - p) * (1 - truths))) ** gamma
    if alpha is not None:
        losses = losses * (alpha * truths + (1 - alpha) * (1 - truths))
    return mean(losses, counts)


def hinge(x, target, *, power=2):
    truths, counts = numbers_of(x, target)
    losses = (1 - (2 * truths - 1) * x).clamp(min=0) ** power
    return mean(losses, counts) if target.ndim == x.ndim else losses.sum(-1)[target >= 0].mean()


def total(x, target, *, losses, weights=None):
    terms = [compute(loss, x, target) for loss in losses]
    return sum(weight * term for weight, term in zip(weights or [1] * len(terms), terms, strict=True))


MAIN = {"huber": "delta", "focal": "gamma", "hinge": "power", "sum": "losses"}


def compute(loss, x, target):
    kind, fields = (loss, {}) if isinstance(loss, str) else next(iter(loss.items()))
    fields = fields if isinstance(fields, dict) else {MAIN[kind]: fields}
    return {**globals(), "sum": total}[kind](x, target, **fields)


record = {}
for name, (loss, shape, target) in CASES.items():
    x = torch.tensor(numbers(shape, 0.5)).requires_grad_()
    target = torch.tensor(target)
    value = compute(loss, x, target.long() if not target.is_floating_point() else target)
    value.backward()
    record[name] = {
        "value": float(f"{value.item():.7g}"),
        "gradient": [float(f"{number:.6g}") for number in x.grad.reshape(-1).tolist()],
    }
(Path(__file__).parent / "recorded.json").write_text(
    "{\n" + ",\n".join(f' "{name}": {json.dumps(item)}' for name, item in record.items()) + "\n}\n"
)
