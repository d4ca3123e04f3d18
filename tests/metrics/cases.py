"""Metrics that archspec, scikit-learn and torchmetrics all compute, of numbers by a rule: only results are recorded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A metric as the language writes it, the loss of its output, outputs and targets."""

    metric: Any
    loss: str
    output: np.ndarray
    target: np.ndarray


def numbers(shape: tuple[int, ...], offset: float) -> np.ndarray:
    """The rule: 2·sin(0.9·i² + 0.37·i + 0.21 + offset) for the i-th element."""
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    return (2 * np.sin(0.9 * index * index + 0.37 * index + 0.21 + offset)).reshape(shape).astype(np.float32)


NAN = float("nan")
LOGITS = numbers((23, 7), 0.3)
LABELS = ((np.arange(23) + np.arange(23) // 5) % 6).astype(np.int32)
"""Class 6 has no label; some of them do not count."""
LOGITS += np.eye(7, dtype=np.float32)[LABELS]
LOGITS[:, 6] -= 3
LABELS[[3, 11]] = -1
MASK = ((np.arange(60) + np.arange(60) // 7) % 3).reshape(3, 4, 5).astype(np.int32)
PIXELS = numbers((3, 4, 5, 4), 0.7) + np.eye(4, dtype=np.float32)[MASK]
MASK[1, :2] = -1
SCORES = np.round(numbers((19, 5), 0.1), 1)
"""With equal scores among them."""
TRUTHS = (numbers((19, 5), 2.0) > 0.4).astype(np.float32)
TRUTHS[:, 3] = 0  # a label that no sample has
TRUTHS[[2, 7], [0, 4]] = NAN
GUESSES, VALUES = numbers((17, 2), 0.2), numbers((17, 2), 0.9) + np.array([100, -3], np.float32)
VALUES[4, 1] = VALUES[9, 0] = NAN
GUESSES = (VALUES + 0.5 * GUESSES).astype(np.float32)
GUESSES[np.isnan(VALUES)] = 7
IMAGES = np.clip(numbers((3, 4, 4, 1), 0.4) / 4 + 0.5, 0, 1).astype(np.float32)
FOUND = (3 * numbers((3, 4, 4, 1), 1.4)).astype(np.float32)

CASES: dict[str, Case] = {
    "accuracy": Case("accuracy", "cross_entropy", LOGITS, LABELS),
    "accuracy_of_labels": Case("accuracy", "binary_cross_entropy", SCORES, TRUTHS),
    "accuracy_above_a_half": Case("accuracy", "mse", SCORES, TRUTHS),
    "top3": Case({"top_k": 3}, "cross_entropy", LOGITS, LABELS),
    "macro_f1": Case("macro_f1", "cross_entropy", LOGITS, LABELS),
    "macro_f1_of_labels": Case("macro_f1", "binary_cross_entropy", SCORES, TRUTHS),
    "macro_f1_of_pixels": Case("macro_f1", "cross_entropy", PIXELS, MASK),
    "precision": Case("precision", "hinge", LOGITS, LABELS),
    "precision_of_labels": Case("precision", "hinge", SCORES, TRUTHS),
    "recall": Case("recall", "cross_entropy", LOGITS, LABELS),
    "recall_of_labels": Case("recall", "binary_cross_entropy", SCORES, TRUTHS),
    "mean_iou": Case("mean_iou", "cross_entropy", PIXELS, MASK),
    "mean_average_precision": Case("mean_average_precision", "binary_cross_entropy", SCORES, TRUTHS),
    "mae": Case("mae", "mse", GUESSES, VALUES),
    "rmse": Case("rmse", "huber", GUESSES, VALUES),
    "r2": Case("r2", "mse", GUESSES, VALUES),
    "psnr": Case({"psnr": 1.0}, "mse", FOUND / 12 + 0.5, IMAGES),
    "psnr_of_probabilities": Case({"psnr": 2.0}, "binary_cross_entropy", FOUND, IMAGES),
}
