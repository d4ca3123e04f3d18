"""Losses that archspec and PyTorch both compute, of numbers by a rule: only results are recorded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A loss as the language writes it, the shape of its outputs, and its targets."""

    loss: Any
    shape: tuple[int, ...]
    target: np.ndarray


def numbers(shape: tuple[int, ...], offset: float) -> np.ndarray:
    """The rule: 2·sin(0.9·i² + 0.37·i + 0.21 + offset) for the i-th element."""
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    return (2 * np.sin(0.9 * index * index + 0.37 * index + 0.21 + offset)).reshape(shape).astype(np.float32)


NAN = float("nan")
LABELS = np.array([0, 3, -1, 4, 2, 0], np.int32)
MASK = np.array([[[0, 1, 2], [2, -1, 0]], [[1, 1, 0], [0, 0, -1]], [[-1] * 3] * 2], np.int32)
"""Three images of 2×3 pixels, of which the last has no label at all."""
FULL = np.array([[[0, 1, 2], [2, 1, 0]], [[1, 1, 0], [0, 0, 1]]], np.int32)
TRUTHS = np.array([[1, 0, 0, 1], [0, 0, NAN, 1], [1, 1, 1, 0], [0, NAN, NAN, NAN]], np.float32)
SHARES = np.array([[0.7, 0.2, 0.1], [0, 1, 0], [NAN, NAN, NAN], [0.25, 0.25, 0.5]], np.float32)
VALUES = numbers((4, 3), 5.0)
VALUES[1, 2] = VALUES[3] = NAN

CASES: dict[str, Case] = {
    "cross_entropy_shares": Case("cross_entropy", (4, 3), SHARES),
    "cross_entropy_shares_smooth": Case({"cross_entropy": {"label_smoothing": 0.2}}, (4, 3), SHARES),
    "cross_entropy_shares_weighed": Case({"cross_entropy": {"class_weights": [0.5, 2, 1]}}, (4, 3), SHARES),
    "binary": Case("binary_cross_entropy", (4, 4), TRUTHS),
    "binary_weighed": Case({"binary_cross_entropy": {"pos_weight": [0.5, 3, 1, 2]}}, (4, 4), TRUTHS),
    "binary_weighed_alike": Case({"binary_cross_entropy": {"pos_weight": 4}}, (4, 4), TRUTHS),
    "binary_of_classes": Case("binary_cross_entropy", (6, 5), LABELS),
    "mse": Case("mse", (4, 3), VALUES),
    "l1": Case("l1", (4, 3), VALUES),
    "huber": Case("huber", (4, 3), VALUES),
    "huber_half": Case({"huber": 0.5}, (4, 3), VALUES),
    "dice": Case("dice", (3, 2, 3, 3), MASK),
    "dice_plain": Case({"dice": {"squared": False, "smooth": 0.01, "background": False}}, (2, 2, 3, 3), FULL),
    "dice_sigmoid": Case({"dice": {"apply": "sigmoid", "smooth": 0}}, (3, 2, 3, 3), MASK),
    "focal": Case("focal", (6, 5), LABELS),
    "focal_weighed": Case({"focal": {"gamma": 0.5, "class_weights": [1, 2, 0.5, 3, 1]}}, (6, 5), LABELS),
    "focal_map": Case({"focal": 3}, (3, 2, 3, 3), MASK),
    "focal_sigmoid": Case({"focal": {"apply": "sigmoid"}}, (4, 4), TRUTHS),
    "focal_sigmoid_alpha": Case({"focal": {"apply": "sigmoid", "alpha": 0.25, "gamma": 1.5}}, (4, 4), TRUTHS),
    "hinge": Case("hinge", (6, 5), LABELS),
    "hinge_plain": Case({"hinge": 1}, (6, 5), LABELS),
    "hinge_map": Case("hinge", (3, 2, 3, 3), MASK),
    "hinge_labels": Case("hinge", (4, 4), TRUTHS),
    "sum": Case({"sum": ["cross_entropy", {"dice": {"smooth": 0}}]}, (3, 2, 3, 3), MASK),
    "sum_weighed": Case({"sum": {"losses": ["mse", "l1"], "weights": [0.25, 2]}}, (4, 3), VALUES),
}
