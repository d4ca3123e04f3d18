"""Batches gathered on the host, by this process or by a worker: in an epoch's order, or one after another.

No JAX: workers import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data._columns import Values
from archspec.data._cutting import CutColumn
from archspec.data._split import Split
from archspec.diagnostics import DataError, count

if TYPE_CHECKING:
    import numpy as np


def epoch_order(seed: int, epoch: int, count: int, batch: int) -> np.ndarray:
    """The samples of an epoch's steps, (steps, batch); depends on the seed and the epoch only.

    Each sample is there once. What fills up the last batch are the samples that the epoch began with, n of them written
    as ~n: their inputs are there, so that a batch's statistics are those of a whole batch, and their targets count for
    nothing. `batch` is no larger than `count`.
    """
    import numpy as np

    order = np.random.default_rng([seed, epoch]).permutation(count)
    return np.concatenate([order, ~order[: -count % batch]]).reshape(-1, batch).astype(np.int32)


class Orders(NamedTuple):
    """The orders of all epochs of a run: `epoch_order` of each."""

    seed: int
    samples: int
    batch: int

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return -(-self.samples // self.batch)

    def of(self, epoch: int) -> np.ndarray:
        """An epoch's order, (steps, batch)."""
        return epoch_order(self.seed, epoch, self.samples, self.batch)


def own_part(order: np.ndarray, process: int, processes: int) -> np.ndarray:
    """The part (…, batch/processes) of batches (…, batch) that one of several processes loads, one after another.

    Raises `DataError` where a batch cannot be divided so.
    """
    batch = order.shape[-1]
    if batch % processes:
        raise DataError(
            "E507",
            f"a batch of {count(batch, 'sample')} cannot be divided among {count(processes, 'process')}",
            help=[f"`train.batch_size: {processes * -(-batch // processes)}`"],
        )
    own = batch // processes
    return order[..., process * own : (process + 1) * own]


class Gathered:
    """The batches of an order, or of a run's orders one epoch after another, by the number of the step.

    A batch is a dict of `inputs` and `targets` by name, and `index`: each sample's number, ~n of what only fills up,
    whose targets are those that count for nothing. Of several processes each has its part of every batch.
    """

    def __init__(self, split: Split, order: np.ndarray | Orders, process: int = 0, processes: int = 1) -> None:
        self.split = Split(split.inputs, split.targets)  # names are of no use here
        self.order = order
        self.process, self.processes = process, processes
        self._last: tuple[int, Any] = (0, None)
        own_part(order.of(1)[:1] if isinstance(order, Orders) else order[:1], process, processes)

    def __call__(self, step: int) -> dict[str, Any]:
        epoch, order = self._chosen(step)
        chosen = own_part(order, self.process, self.processes)
        fills = chosen < 0
        places = chosen ^ -fills.astype(chosen.dtype)  # ~n where it is below 0
        targets = {name: values[places] for name, values in self.split.targets.items()}
        for target in targets.values():
            target[fills] = uncounted(target.dtype)
        return {
            "inputs": {name: _read(values, places, epoch) for name, values in self.split.inputs.items()},
            "targets": targets,
            "index": chosen,
        }

    def _chosen(self, step: int) -> tuple[int | None, np.ndarray]:
        """The epoch of a step, where orders say so, and its samples."""
        if not isinstance(self.order, Orders):
            fixed: np.ndarray = self.order[step]
            return None, fixed
        number, place = divmod(step, self.order.steps)
        epoch, order = self._last
        if epoch != number + 1:  # threads may each make it anew where an epoch ends
            epoch, order = number + 1, self.order.of(number + 1)
            self._last = epoch, order
        chosen: np.ndarray = order[place]
        return epoch, chosen


def _read(values: Values, places: np.ndarray, epoch: int | None) -> np.ndarray:
    """Samples as training takes them in an epoch."""
    if epoch is not None and isinstance(values, CutColumn):
        return values.in_epoch(places, epoch)
    return values[places]


class InTurn:
    """Batches of one size (inputs, targets) one after another, again and again; what fills up the last is 0 and does
    not count.
    """

    def __init__(self, split: Split, size: int) -> None:
        self.split = Split(split.inputs, split.targets)
        self.size = size

    def __len__(self) -> int:
        return -(-len(self.split) // self.size)

    def __call__(self, number: int) -> dict[str, dict[str, np.ndarray]]:
        start = number % len(self) * self.size
        return {
            "inputs": {name: self._filled(values, start, 0) for name, values in self.split.inputs.items()},
            "targets": {
                name: self._filled(values, start, uncounted(values.dtype))
                for name, values in self.split.targets.items()
            },
        }

    def _filled(self, values: Values, start: int, fill: float) -> np.ndarray:
        import numpy as np

        own = values[start : start + self.size]
        missing = self.size - len(own)
        if not missing:
            return own
        whole: np.ndarray = np.concatenate([own, np.full((missing, *own.shape[1:]), fill, own.dtype)])
        return whole


def uncounted(kind: np.dtype[Any]) -> float:
    """The target of a type that counts for nothing: −1 of whole numbers, NaN of floating-point ones."""
    return float("nan") if kind.kind == "f" else -1
