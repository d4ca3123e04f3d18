"""Batches gathered on the host, by this process or by a worker: in an epoch's order, or one after another.

No JAX: workers import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data._columns import Values
from archspec.data._cutting import CutColumn
from archspec.data._split import Split

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


Ranges = tuple[tuple[int, int], ...]
"""Places of a batch, from … to before …, one range after another."""


def in_blocks(order: np.ndarray, parts: int, micro_batches: int) -> np.ndarray:
    """Batches (…, B) as devices have them that each take one of `parts` blocks of a batch, and of it one of
    `micro_batches` blocks after another.

    So that a micro-batch over all devices has the samples that it has on one: sample j of the part d of micro-batch k,
    at k·B/n + d·B/(n·D) + j on one device, is at d·B/D + k·B/(n·D) + j.
    """
    import numpy as np

    apart = order.reshape(*order.shape[:-1], micro_batches, parts, -1)
    return np.swapaxes(apart, -3, -2).reshape(order.shape)


class Orders(NamedTuple):
    """The orders of all epochs of a run: `epoch_order` of each, which devices divide as `in_blocks` says."""

    seed: int
    samples: int
    batch: int
    parts: int = 1
    micro_batches: int = 1

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return -(-self.samples // self.batch)

    def of(self, epoch: int) -> np.ndarray:
        """An epoch's order, (steps, batch)."""
        order = epoch_order(self.seed, epoch, self.samples, self.batch)
        return in_blocks(order, self.parts, self.micro_batches)


class Gathered:
    """The batches of an order, or of a run's orders one epoch after another, by the number of the step.

    A batch is a dict of `inputs` and `targets` by name, and `index`: each sample's number, ~n of what only fills up,
    whose targets are those that count for nothing. With `own` it has the samples at these places of each batch alone.
    """

    def __init__(self, split: Split, order: np.ndarray | Orders, own: Ranges | None = None) -> None:
        self.split = Split(split.inputs, split.targets)  # names are of no use here
        self.order = order
        self.own = own
        self._last: tuple[int, Any] = (0, None)

    def __call__(self, step: int) -> dict[str, Any]:
        import numpy as np

        epoch, chosen = self._chosen(step)
        if self.own is not None:
            chosen = np.concatenate([chosen[begin:end] for begin, end in self.own])
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
    not count. With `own` they have the samples at these places alone.
    """

    def __init__(self, split: Split, size: int, own: Ranges | None = None) -> None:
        self.split = Split(split.inputs, split.targets)
        self.size = size
        self.own = ((0, size),) if own is None else own

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

        parts: list[np.ndarray] = []
        for begin, end in self.own:
            own = values[start + begin : start + end]
            missing = end - begin - len(own)
            parts += [own, np.full((missing, *own.shape[1:]), fill, own.dtype)] if missing else [own]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def uncounted(kind: np.dtype[Any]) -> float:
    """The target of a type that counts for nothing: −1 of whole numbers, NaN of floating-point ones."""
    return float("nan") if kind.kind == "f" else -1
