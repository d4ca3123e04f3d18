"""An output of numbers: what was given over what is true, residuals, the worst samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.review._base import SHOWN, Collector, Example, first
from archspec.review.charts import histogram, scatter
from archspec.review.parts import Cell, Column, card, cards, heading, paragraph, said, table
from archspec.review.pictures import of_image, of_signal

if TYPE_CHECKING:
    import jax

DRAWN = 4
"""Numbers of an output that have charts."""
POINTS = 1500
"""Points of a scatter plot."""
BARS = 41
ROWS = 200
"""Numbers of an output whose figures are listed."""


class OfNumbers(Collector):
    """Numbers (K,) of each sample, or maps of them."""

    @property
    def _flat(self) -> bool:
        return len(self.head.type.shape) == 1

    def of_batch(self, output: jax.Array, target: jax.Array) -> dict[str, Any]:
        import jax.numpy as jnp

        given = self.shown.linked(output).astype(jnp.float32)
        true = target.astype(jnp.float32).reshape(given.shape)
        counts = ~jnp.isnan(true)
        apart = jnp.where(counts, given - true, 0)
        every = tuple(range(given.ndim - 1))
        inner = tuple(range(1, given.ndim))
        drawn = (given[:, :DRAWN], true[:, :DRAWN]) if self._flat else ()
        known = jnp.where(counts, true, 0)
        return {
            "samples": {
                "error": jnp.sqrt(jnp.sum(apart**2, inner) / jnp.maximum(jnp.sum(counts, inner), 1)),
                "counts": counts.any(inner),
                **({"given": drawn[0], "true": drawn[1]} if drawn else {}),
            },
            "sums": {
                "counts": jnp.sum(counts, every, dtype=jnp.int32),
                "apart": jnp.sum(apart, every),
                "absolute": jnp.sum(jnp.abs(apart), every),
                "squared": jnp.sum(apart**2, every),
                "true": jnp.sum(known, every),
                "true_squared": jnp.sum(known**2, every),
            },
            "whole": {"given": given, "true": true},
        }

    @cached_property
    def _worst(self) -> list[int]:
        return first(np.argsort(-self.held("error"), kind="stable"), self.held("counts"))

    @cached_property
    def _kinds(self) -> dict[str, list[int]]:
        if self._flat:
            return {"Furthest from the truth": self._worst}
        order = np.argsort(self.held("error"), kind="stable")
        order = order[self.held("counts")[order]]
        if len(order) <= SHOWN:
            return {"All samples": [int(index) for index in order]}
        each = SHOWN // 3
        middle = len(order) // 2 - each // 2
        parts = {"Worst": order[::-1][:each], "In the middle": order[middle : middle + each], "Best": order[:each]}
        return {title: [int(index) for index in part] for title, part in parts.items()}

    def chosen(self) -> list[int]:
        return list(dict.fromkeys(index for part in self._kinds.values() for index in part))

    def sections(self, examples: Mapping[int, Example]) -> Iterator[str]:
        if self._flat:
            yield self._table()
            yield from self._charts()
        elif self.head.type.channels <= ROWS and not self.head.remakes:
            yield self._table()
        for title, part in self._kinds.items():
            if part:
                yield heading(title)
                yield cards([self._card(examples[index], index) for index in part])

    def _table(self) -> str:
        sums = self.sums
        counts = np.maximum(sums["counts"], 1)
        spread = sums["true_squared"] - sums["true"] ** 2 / counts
        columns = [
            Column("number"),
            Column("counted"),
            Column("mean error", title="the mean of given − true"),
            Column("MAE"),
            Column("RMSE"),
            Column("R²"),
        ]
        rows: list[list[Cell]] = []
        for index, name in enumerate(self.names[:ROWS]):
            known = bool(sums["counts"][index])
            varies = known and spread[index] > 1e-6 * max(sums["true_squared"][index], 1e-30)
            rows.append(
                [
                    name,
                    int(sums["counts"][index]),
                    float(sums["apart"][index] / counts[index]) if known else None,
                    float(sums["absolute"][index] / counts[index]) if known else None,
                    float(np.sqrt(sums["squared"][index] / counts[index])) if known else None,
                    float(1 - sums["squared"][index] / spread[index]) if varies else None,
                ]
            )
        left = len(self.names) - len(rows)
        more = paragraph(f"{left:,} more numbers are in metrics.jsonl.") if left > 0 else ""
        return table(columns, rows, caption="Figures of each number", sortable=len(rows) > 1) + more

    def _charts(self) -> Iterator[str]:
        given, true = self.held("given"), self.held("true")
        step = max(1, -(-len(given) // POINTS))
        yield '<div class="charts">'
        for index, name in enumerate(self.names[: min(DRAWN, given.shape[-1] if given.ndim > 1 else 0)]):
            known = np.isfinite(true[:, index]) & np.isfinite(given[:, index])
            pairs = np.stack([true[known, index], given[known, index]], 1)
            if not len(pairs):
                continue
            few = pairs[::step]
            title = f"{name}: given over true" + (f", every {step}th sample" if step > 1 else "")
            yield scatter(title, [(float(x), float(y)) for x, y in few], "true", "given")
            apart = pairs[:, 1] - pairs[:, 0]
            most = float(np.abs(apart).max()) or 1.0
            counts, edges = np.histogram(apart, bins=BARS, range=(-most, most))
            yield histogram(
                f"{name}: residuals", [float(edge) for edge in edges], [int(own) for own in counts], "given − true"
            )
        yield "</div>"
        if len(self.names) > DRAWN:
            yield paragraph(f"The first {DRAWN} of {len(self.names)} numbers are drawn.")

    def _card(self, example: Example, index: int) -> str:
        given, true = example.whole["given"], example.whole["true"]
        error = float(self.held("error")[index])
        if given.ndim == 1:
            if len(self.names) == 1:
                return card(
                    example.inputs, [f"true {said(float(true[0]))}", f"given {said(float(given[0]))}"], example.name
                )
            lines = [
                f"{name}: true {said(float(own))}, given {said(float(other))}"
                for name, own, other in zip(self.names[:DRAWN], true, given, strict=False)
            ]
            return card(example.inputs, lines, example.name)
        known = true[np.isfinite(true)]
        span = (float(known.min()), float(known.max())) if known.size else None
        if given.ndim == 3:
            own, other = given, true
            pictures = of_image(own, "given", span)
            if not self.head.remakes:
                pictures = example.inputs + of_image(other, "true", span) + pictures
            else:
                pictures = of_image(other, "as it was", span) + pictures
        else:
            pictures = f'<div class="strips">{of_signal(true, "true")}{of_signal(given, "given")}</div>'
        return card(pictures, [f"error (RMSE) {error:.4g}"], example.name)
