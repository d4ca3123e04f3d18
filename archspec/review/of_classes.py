"""An output that tells classes of whole samples: confusion, figures of each class, mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.diagnostics import count
from archspec.review._base import Collector, Example, first
from archspec.review.confusion import Confusion
from archspec.review.parts import card, cards, heading, paragraph

if TYPE_CHECKING:
    import jax


class OfClasses(Collector):
    """One class of each sample."""

    def of_batch(self, output: jax.Array, target: jax.Array) -> dict[str, Any]:
        import jax.numpy as jnp

        from archspec.metrics import labels_of

        label = labels_of(output, target)
        guess = output.argmax(-1)
        rated = self.shown.linked(output).astype(jnp.float32)

        def at(place: jax.Array) -> jax.Array:
            return jnp.take_along_axis(rated, place[:, None], -1)[:, 0]

        return {
            "samples": {
                "label": label.astype(jnp.int32),
                "guess": guess.astype(jnp.int32),
                "sure": at(guess),
                "true": at(jnp.maximum(label, 0)),
            },
            "sums": {},
            "whole": {},
        }

    @cached_property
    def _mistakes(self) -> tuple[list[int], list[int]]:
        """The wrong samples whose guess is the surest, and those whose class is the least likely to the network."""
        label, guess = self.held("label"), self.held("guess")
        wrong = (label >= 0) & (label != guess)
        surest = first(np.argsort(-self.held("sure"), kind="stable"), wrong)
        worst = first(np.argsort(self.held("true"), kind="stable"), wrong)
        return surest, worst

    def chosen(self) -> list[int]:
        return list(dict.fromkeys(index for part in self._mistakes for index in part))

    def sections(self, examples: Mapping[int, Example]) -> Iterator[str]:
        label, guess = self.held("label"), self.held("guess")
        counts = label >= 0
        confusion = Confusion.of_pairs(label[counts], guess[counts], self.names)
        yield confusion.html("samples")
        wrong = int((label != guess)[counts].sum())
        if not wrong:
            yield paragraph(f"There is no mistake among {count(int(counts.sum()), 'sample')}.")
            return
        surest, worst = self._mistakes
        yield heading("Most confident mistakes")
        yield paragraph(
            f"{wrong:,} of {count(int(counts.sum()), 'sample')} are wrong. These are the wrong ones whose answer the "
            "network is surest of; labels that are wrong in the data show here too."
        )
        yield cards([self._card(examples[index], index) for index in surest])
        if set(worst) - set(surest):
            yield heading("Worst mistakes")
            yield paragraph("Those whose true class the network finds least likely.")
            yield cards([self._card(examples[index], index) for index in worst])

    def _card(self, example: Example, index: int) -> str:
        label, guess = int(self.held("label")[index]), int(self.held("guess")[index])
        sure, true = float(self.held("sure")[index]), float(self.held("true")[index])
        lines = [f"true {self.names[label]}, {self._rate(true)}", f"given {self.names[guess]}, {self._rate(sure)}"]
        return card(example.inputs, lines, example.name)

    def _rate(self, value: float) -> str:
        return (
            f"{100 * value:.2g} %"
            if self.shown.likely and value < 0.1
            else (f"{100 * value:.1f} %" if self.shown.likely else f"score {value:.4g}")
        )
