"""An output that tells the class of every pixel, or of every position of a signal: confusion, masks beside truths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.review._base import Collector, Example
from archspec.review.confusion import Confusion
from archspec.review.parts import card, cards, heading, paragraph
from archspec.review.pictures import legend, of_mask, of_positions, of_wrong

if TYPE_CHECKING:
    import jax

EACH = 4
"""Samples that are shown of the worst, of those in the middle and of the best."""
NAMED = 24
"""Classes that the legend names."""


class OfMasks(Collector):
    """A class of each place (H, W), or (L,)."""

    def of_batch(self, output: jax.Array, target: jax.Array) -> dict[str, Any]:
        import jax.numpy as jnp

        from archspec.metrics import labels_of

        label = labels_of(output, target)
        guess = output.argmax(-1)
        places = tuple(range(1, label.ndim))
        classes = output.shape[-1]
        where = jnp.where(label >= 0, label * classes + guess, classes * classes)
        matrix = jnp.zeros(classes * classes + 1, jnp.int32).at[where.reshape(-1)].add(1)
        return {
            "samples": {
                "right": jnp.sum((label >= 0) & (label == guess), places, dtype=jnp.int32),
                "counts": jnp.sum(label >= 0, places, dtype=jnp.int32),
            },
            "sums": {"matrix": matrix[:-1].reshape(classes, classes)},
            "whole": {"label": label.astype(jnp.int32), "guess": guess.astype(jnp.int32)},
        }

    @cached_property
    def _kinds(self) -> dict[str, list[int]]:
        """Samples by the share of their places that are right: the lowest, about the middle, the highest."""
        counts = self.held("counts")
        share = self.held("right") / np.maximum(counts, 1)
        order = [int(index) for index in np.argsort(share, kind="stable") if counts[index]]
        if len(order) <= 3 * EACH:
            return {"All samples": order}
        middle = len(order) // 2 - EACH // 2
        return {
            "Worst": order[:EACH],
            "In the middle": order[middle : middle + EACH],
            "Best": order[: -EACH - 1 : -1],
        }

    def chosen(self) -> list[int]:
        return [index for part in self._kinds.values() for index in part]

    def sections(self, examples: Mapping[int, Example]) -> Iterator[str]:
        flat = len(self.head.type.shape) < 3
        yield Confusion.of_matrix(self.sums["matrix"], self.names).html("positions" if flat else "pixels", overlap=True)
        yield heading("Examples")
        order = (
            "Given classes, above the true ones." if flat else "Image, true classes, given ones, differences in red."
        )
        yield paragraph(f"By the share of right places. {order}")
        maps = [example.whole[name] for example in examples.values() for name in ("label", "guess")]
        seen = sorted({int(number) for own in maps for number in np.unique(own) if number >= 0})
        yield legend(self.names, seen[:NAMED])
        if len(seen) > NAMED:
            yield paragraph(f"{len(seen) - NAMED} more classes are not named.")
        for title, part in self._kinds.items():
            yield heading(title)
            yield cards([self._card(examples[index], index) for index in part])

    def _card(self, example: Example, index: int) -> str:
        label, guess = example.whole["label"], example.whole["guess"]
        classes = len(self.names)
        if label.ndim < 2:
            pictures = of_positions(guess, classes, "given") + of_positions(label, classes, "true")
            pictures = f'<div class="strips">{example.inputs}{pictures}</div>'
        else:
            # What has no label is not shown as given either: nothing is known to be wrong there.
            pictures = (
                example.inputs
                + of_mask(label, classes, "true classes")
                + of_mask(guess, classes, "given classes")
                + of_wrong(guess, label, "where they differ")
            )
        share = self.held("right")[index] / max(1, self.held("counts")[index])
        return card(pictures, [f"{100 * share:.2f} % right"], example.name)
