"""Records what scikit-learn and torchmetrics compute for the cases: `python tests/metrics/record.py`.

Made with scikit-learn 1.9.1 and torchmetrics 1.9.0. Where both have a metric, both must agree.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import sklearn.metrics as sk
import torch
import torchmetrics.functional as tm
from cases import CASES


def agreed(one, other):
    assert abs(one - other) < 1e-5, (one, other)
    return float(one)


def flat(output, target):
    """Labels and logits of what counts."""
    counts = target >= 0
    return output[counts], target[counts]


def per_class(kind, output, target, threshold):
    """Shares of each class and their mean over those that occur."""
    score = getattr(sk, {"macro_f1": "f1_score"}.get(kind, f"{kind}_score"))
    width = output.shape[-1]
    if target.ndim == output.ndim:
        each = []
        for found, true in zip(output.T, target.T, strict=True):
            known = ~np.isnan(true)
            found, true = found[known] > threshold, true[known] > 0.5
            occurs = found.any() or true.any()
            each.append(score(true, found, zero_division=0) if occurs else None)
        known = [value for value in each if value is not None]
        return {"mean": sum(known) / len(known), "each": each}
    logits, labels = flat(output, target)
    guesses = logits.argmax(-1)
    occurs = set(labels) | set(guesses)
    each = score(labels, guesses, average=None, labels=range(width), zero_division=0)
    theirs = {"macro_f1": "f1_score"}.get(kind, kind)
    mean = agreed(
        score(labels, guesses, average="macro", zero_division=0),
        getattr(tm, theirs)(
            torch.tensor(guesses), torch.tensor(labels), "multiclass", num_classes=width, average="macro"
        ).item(),
    )
    return {"mean": mean, "each": [float(value) if index in occurs else None for index, value in enumerate(each)]}


def accuracy(output, target, threshold):
    if target.ndim < output.ndim:
        logits, labels = flat(output, target)
        return {"mean": sk.accuracy_score(labels, logits.argmax(-1))}
    known = ~np.isnan(target)
    found = torch.tensor(output[known] > threshold)
    return {"mean": tm.accuracy(found, torch.tensor(target[known] > 0.5), "binary").item()}


def mean_iou(output, target):
    logits, labels = flat(output, target)
    guesses = logits.argmax(-1)
    occurs = sorted(set(labels) | set(guesses))
    each = sk.jaccard_score(labels, guesses, average=None, labels=range(output.shape[-1]), zero_division=0)
    mean = sk.jaccard_score(labels, guesses, average="macro")
    return {
        "mean": float(mean),
        "each": [float(value) if index in occurs else None for index, value in enumerate(each)],
        "pixels": sk.accuracy_score(labels, guesses),
    }


def mean_average_precision(output, target):
    each = []
    for scores, true in zip(output.T, target.T, strict=True):
        known = ~np.isnan(true)
        if not (true[known] > 0).any():
            each.append(None)
            continue
        theirs = tm.average_precision(
            torch.tensor(scores[known]).sigmoid(), torch.tensor(true[known]).long(), "binary", thresholds=None
        )
        each.append(agreed(sk.average_precision_score(true[known], scores[known]), theirs.item()))
    known = [value for value in each if value is not None]
    return {"mean": sum(known) / len(known), "each": each}


def errors(kind, output, target):
    known = ~np.isnan(target)
    x, t = output[known].astype(np.float64), target[known].astype(np.float64)
    if kind == "mae":
        return {"mean": agreed(sk.mean_absolute_error(t, x), tm.mean_absolute_error(*tensors(x, t)).item())}
    if kind == "rmse":
        mine = tm.mean_squared_error(*tensors(x, t), squared=False).item()
        return {"mean": agreed(sk.root_mean_squared_error(t, x), mine)}
    columns = [(t[k], x[k]) for t, x, k in zip(target.T, output.T, known.T, strict=True)]
    each = [agreed(sk.r2_score(t, x), tm.r2_score(*tensors(x, t)).item()) for t, x in columns]
    return {"mean": sum(each) / len(each)}


def tensors(*arrays):
    return [torch.tensor(np.asarray(array, np.float64)) for array in arrays]


def psnr(output, target, peak, loss):
    output = torch.tensor(output)
    found = output.sigmoid() if loss == "binary_cross_entropy" else output
    return {"mean": tm.peak_signal_noise_ratio(found, torch.tensor(target), data_range=(0.0, float(peak))).item()}


def compute(metric, loss, output, target):
    kind, fields = (metric, None) if isinstance(metric, str) else next(iter(metric.items()))
    threshold = 0.0 if loss in ("binary_cross_entropy", "hinge") else 0.5
    if kind in ("macro_f1", "precision", "recall"):
        return per_class(kind, output, target, threshold)
    if kind == "top_k":
        logits, labels = flat(output, target)
        mine = tm.accuracy(
            torch.tensor(logits), torch.tensor(labels), "multiclass", num_classes=7, top_k=fields, average="micro"
        )
        return {"mean": agreed(sk.top_k_accuracy_score(labels, logits, k=fields, labels=range(7)), mine.item())}
    if kind == "accuracy":
        return accuracy(output, target, threshold)
    if kind == "psnr":
        return psnr(output, target, fields, loss)
    if kind in ("mae", "rmse", "r2"):
        return errors(kind, output, target)
    return {"mean_iou": mean_iou, "mean_average_precision": mean_average_precision}[kind](output, target)


record = {name: compute(*case) for name, case in CASES.items()}
lines = (f' "{name}": {json.dumps(item)}' for name, item in record.items())
(Path(__file__).parent / "recorded.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
