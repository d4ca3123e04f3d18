"""An epoch's training figures, added up over its labels."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from archspec.graph import Graph
from archspec.training.steps import Figures

AHEAD = 32
"""Steps that may be under way before their figures are asked for."""


class Totals:
    """The sums of the steps' figures, in 64 bits: the pixels of an epoch do not fit into 32.

    A loss is the sum of the losses over the sum of their weights, of all labels that counted since the start: each
    label counts the same, however many its batch had. None stands for what nothing counted in.
    """

    def __init__(self, graph: Graph, first_step: int) -> None:
        self.heads = [output.name for output in graph.outputs]
        self.shares = [output.weight for output in graph.outputs]
        self.main = self.heads.index(graph.main_output.name)
        self.losses = np.zeros(len(self.heads))
        self.weights = np.zeros(len(self.heads))
        self.right = 0
        self.labels = 0
        self.step = first_step
        self.failed: int | None = None
        """The first step whose loss is not finite."""
        self.waiting: list[Figures] = []

    def add(self, figures: Figures) -> None:
        """Takes a step's figures, which may not be computed yet."""
        self.waiting.append(figures)
        if len(self.waiting) >= 2 * AHEAD:
            self._settle(AHEAD)

    def settle(self) -> None:
        """Waits for all figures."""
        self._settle(len(self.waiting))

    def _settle(self, number: int) -> None:
        done, self.waiting = self.waiting[:number], self.waiting[number:]
        for figures in jax.device_get(done):
            self.losses += figures["losses"]
            self.weights += figures["weights"]
            self.right += int(figures["right"])
            self.labels += int(figures["labels"])
            if self.failed is None and not figures["finite"]:
                self.failed = self.step
            self.step += 1

    @property
    def loss(self) -> float | None:
        """The main output's."""
        return self._of(self.main)

    @property
    def accuracy(self) -> float | None:
        """The share of the labels that the main output got right."""
        return self.right / self.labels if self.labels else None

    def record(self) -> dict[str, Any]:
        """What the metrics hold: with several outputs also the loss of each, and their sum by weight."""
        figures: dict[str, Any] = {"loss": self.loss, "accuracy": self.accuracy}
        if len(self.heads) > 1:
            losses = [self._of(index) for index in range(len(self.heads))]
            figures["heads"] = dict(zip(self.heads, losses, strict=True))
            figures["objective"] = sum(share * (loss or 0) for share, loss in zip(self.shares, losses, strict=True))
        return figures

    def _of(self, index: int) -> float | None:
        return mean(self.losses[index], self.weights[index])


def mean(total: float, weight: float) -> float | None:
    """A sum of losses over that of their weights; None where no label counts."""
    return float(total / weight) if weight > 0 else None
