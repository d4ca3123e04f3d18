"""Training figures since the last record, added up over the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from archspec.metrics import Values, add
from archspec.tasks import Head
from archspec.training.steps import Figures

AHEAD = 32
"""Steps that may be under way before their figures are asked for."""


class Totals:
    """The sums of the steps' figures, in 64 bits: the pixels of an epoch do not fit into 32.

    A loss is the sum of the losses over the sum of their weights, of all labels that counted since the start: each
    label counts the same, however many its batch had. None stands for what nothing counted in.
    """

    def __init__(self, heads: Sequence[Head], main: str, first_step: int) -> None:
        self.heads = heads
        self.main = next(head for head in heads if head.name == main)
        terms = sum(len(head.loss.terms) for head in heads)
        self.losses = np.zeros(terms)
        self.weights = np.zeros(terms)
        self.sums: dict[str, np.ndarray] = {}
        self.step = first_step
        self.failed: int | None = None
        """The first step whose loss is not finite."""
        self.waiting: list[Figures] = []

    def add(self, figures: Figures) -> None:
        """Takes a step's figures, which may not be computed yet."""
        self.waiting.append(figures)
        if len(self.waiting) >= 2 * AHEAD:
            self._settle(AHEAD)

    def to_plain(self) -> dict[str, Any]:
        """The sums in terms of JSON, which has all 64-bit numbers to the bit. All figures have to be settled."""
        assert not self.waiting
        sums = {name: value.tolist() for name, value in self.sums.items()}
        return {"losses": self.losses.tolist(), "weights": self.weights.tolist(), "running": sums}

    def take(self, plain: dict[str, Any]) -> None:
        """Begins with sums that `to_plain` gave, to which steps are added as if there had been no stop."""
        self.losses, self.weights = (np.asarray(plain[name], np.float64) for name in ("losses", "weights"))
        self.sums = {name: np.asarray(value, np.float64) for name, value in plain["running"].items()}

    def settle(self) -> None:
        """Waits for all figures."""
        self._settle(len(self.waiting))

    def _settle(self, number: int) -> None:
        done, self.waiting = self.waiting[:number], self.waiting[number:]
        for figures in jax.device_get(done):
            self.losses += figures["losses"]
            self.weights += figures["weights"]
            if self.main.running:
                self.sums = add(self.main.running, [*([self.sums] if self.sums else []), figures["running"]])
            if self.failed is None and not figures["finite"]:
                self.failed = self.step
            self.step += 1

    @property
    def loss(self) -> float | None:
        """The main output's."""
        return losses_of(self.heads, self.losses, self.weights)[self.main.name]

    @property
    def running(self) -> Values:
        """What the main output is measured by in training."""
        return self.main.running.result(self.sums) if self.main.running and self.sums else {}

    def said(self) -> str:
        """The same in words, before anything counted too."""
        return self.main.running.said(self.running) if self.main.running and self.sums else ""

    def record(self) -> dict[str, Any]:
        """What the metrics hold: with several outputs also the loss of each, and their sum by weight."""
        losses = losses_of(self.heads, self.losses, self.weights)
        figures: dict[str, Any] = {"loss": losses[self.main.name], **self.running}
        if len(self.heads) > 1:
            figures["heads"] = losses
            figures["objective"] = sum(head.weight * (losses[head.name] or 0) for head in self.heads)
        return figures


def losses_of(heads: Sequence[Head], losses: np.ndarray, weights: np.ndarray) -> dict[str, float | None]:
    """The loss of each head from the sums of all terms of all heads; None where nothing counts."""
    found: dict[str, float | None] = {}
    at = 0
    for head in heads:
        terms = head.loss.terms
        means = [(share, mean(losses[at + index], weights[at + index])) for index, (_, share) in enumerate(terms)]
        known = [share * value for share, value in means if value is not None]
        found[head.name] = sum(known[1:], known[0]) if known else None
        at += len(terms)
    return found


def mean(total: float, weight: float) -> float | None:
    """A sum of losses over that of their weights; None where no label counts."""
    return float(total / weight) if weight > 0 else None
