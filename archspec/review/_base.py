"""What a page shows of one output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import jax

    from archspec.inference.shown import Shown
    from archspec.tasks import Head

SHOWN = 12
"""Samples of a kind, such as the most confident mistakes, that the page has pictures of."""


class Example(NamedTuple):
    """A sample that is shown: its name, pictures of its inputs, and what the output's `whole` has of it."""

    name: str
    inputs: str
    whole: Mapping[str, np.ndarray]


class Collector:
    """Takes in what an output says of each sample, batch by batch, and says in the end what the page shows of it.

    `names` are those of its classes or numbers, as many as it has.
    """

    def __init__(self, head: Head, shown: Shown, names: Sequence[str]) -> None:
        self.head = head
        self.shown = shown
        self.names = list(names)
        self._held: dict[str, list[np.ndarray]] = {}

    def of_batch(self, output: jax.Array, target: jax.Array) -> dict[str, Any]:
        """Runs in the compiled function: `samples`, arrays (B, …) with a few numbers of each; `sums`, which are added
        up over batches; and `whole`, arrays (B, …) of which a few samples are asked for later.

        A target that does not count is below 0 or NaN, as everywhere; so is all that fills up a batch.
        """
        raise NotImplementedError

    def add(self, values: Mapping[str, np.ndarray], count: int) -> None:
        """Takes a batch's `samples`, of which the first `count` are there."""
        for name, array in values.items():
            self._held.setdefault(name, []).append(np.asarray(array[:count]))

    def add_sums(self, sums: Mapping[str, np.ndarray]) -> None:
        """Takes a batch's `sums`."""
        for name, array in sums.items():
            own = np.asarray(array).astype(np.int64 if array.dtype.kind in "iu" else np.float64)
            self.sums[name] = self.sums[name] + own if name in self.sums else own

    @property
    def sums(self) -> dict[str, np.ndarray]:
        if not hasattr(self, "_sums"):
            self._sums: dict[str, np.ndarray] = {}
        return self._sums

    def held(self, name: str) -> np.ndarray:
        """What was taken in of all samples, in their order."""
        return np.concatenate(self._held[name]) if name in self._held else np.zeros(0)

    def chosen(self) -> list[int]:
        """The numbers of the samples that are shown, each once."""
        return []

    def sections(self, examples: Mapping[int, Example]) -> Iterator[str]:
        """Pieces of HTML, with the samples that were chosen."""
        raise NotImplementedError


def first(order: np.ndarray, holds: np.ndarray, most: int = SHOWN) -> list[int]:
    """The first few numbers of an order for which something holds."""
    own = order[holds[order]]
    return [int(index) for index in own[:most]]
