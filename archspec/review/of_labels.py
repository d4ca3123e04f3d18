"""An output that says of several labels whether each is there: figures of each label, mistakes."""

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

NAMED = 6
"""Labels that are named at a picture."""


class OfLabels(Collector):
    """Any number of labels of each sample, or of each place in a map (…, K)."""

    def of_batch(self, output: jax.Array, target: jax.Array) -> dict[str, Any]:
        import jax.numpy as jnp

        from archspec.metrics import truths_of

        there, counts = truths_of(output, target)
        rated = self.shown.linked(output).astype(jnp.float32)
        found = rated > self.shown.threshold
        over = tuple(range(1, output.ndim - 1))
        every = tuple(range(output.ndim - 1))
        wrong = counts & (found != there)
        # How far each answer is from the truth, of those that are wrong; of scores, from the threshold.
        apart = jnp.where(wrong, jnp.abs(rated - self.shown.threshold), 0)

        def total(array: jax.Array) -> jax.Array:
            return jnp.sum(array, every, dtype=jnp.int32)

        return {
            "samples": {
                "counts": counts.any(tuple(range(1, output.ndim))),
                "wrong": jnp.sum(wrong, tuple(range(1, output.ndim)), dtype=jnp.int32),
                "apart": apart.max(tuple(range(1, output.ndim))),
            },
            "sums": {
                "hits": total(counts & found & there),
                "false": total(counts & found & ~there),
                "missed": total(counts & ~found & there),
            },
            "whole": {
                "rated": rated.max(over) if over else rated,
                "there": (there & counts).any(over) if over else there & counts,
                "known": counts.any(over) if over else counts,
            },
        }

    @cached_property
    def _mistakes(self) -> tuple[list[int], list[int]]:
        """The samples with the surest wrong answer, and those with the most wrong ones."""
        wrong, apart = self.held("wrong"), self.held("apart")
        surest = first(np.argsort(-apart, kind="stable"), wrong > 0)
        most = first(np.lexsort((-apart, -wrong)), wrong > 0)
        return surest, most

    def chosen(self) -> list[int]:
        return list(dict.fromkeys(index for part in self._mistakes for index in part))

    def sections(self, examples: Mapping[int, Example]) -> Iterator[str]:
        hits, false, missed = (self.sums[name] for name in ("hits", "false", "missed"))
        confusion = Confusion(self.names, hits + missed, hits + false, hits, np.zeros((0, 3), np.int64))
        places = "places" if len(self.head.type.shape) > 1 else "samples"
        yield confusion.html(places, matrix=False)
        counts, wrong = self.held("counts"), self.held("wrong")
        faulty = int((wrong > 0).sum())
        if not faulty:
            yield paragraph(f"There is no mistake among {count(int(counts.sum()), 'sample')}.")
            return
        surest, most = self._mistakes
        yield heading("Most confident mistakes")
        yield paragraph(
            f"{faulty:,} of {count(int(counts.sum()), 'sample')} have a wrong label. These have the one that the "
            "network is surest of."
        )
        yield cards([self._card(examples[index]) for index in surest])
        if set(most) - set(surest):
            yield heading("Most wrong labels")
            yield cards([self._card(examples[index]) for index in most])

    def _card(self, example: Example) -> str:
        rated, there, known = (example.whole[name] for name in ("rated", "there", "known"))
        found = (rated > self.shown.threshold) & known

        def named(which: np.ndarray) -> str:
            order = [index for index in np.argsort(-rated, kind="stable") if which[index]]
            words = [f"{self.names[index]} {self._rate(float(rated[index]))}" for index in order[:NAMED]]
            return ", ".join(words) + (f" and {len(order) - NAMED} more" if len(order) > NAMED else "")

        lines = [f"right: {named(found & there)}" if (found & there).any() else ""]
        lines += [f"missed: {named(there & ~found)}" if (there & ~found).any() else ""]
        lines += [f"not there: {named(found & ~there)}" if (found & ~there).any() else ""]
        return card(example.inputs, [line for line in lines if line], example.name)

    def _rate(self, value: float) -> str:
        return f"{100 * value:.0f} %" if self.shown.likely else f"{value:.3g}"
