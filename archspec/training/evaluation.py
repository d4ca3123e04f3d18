"""Metrics over a whole split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from archspec.data import Data, InTurn, Loader, Split
from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.images.numbers import given
from archspec.lower import Arrays, Pure, narrowing
from archspec.lowerings.choosing import Lowerings
from archspec.metrics import add
from archspec.tasks import Head
from archspec.training.device_mesh import DeviceMesh
from archspec.training.failure import first_broken_layer
from archspec.training.feeding import Named, Placing, fits_on_device
from archspec.training.notes import check_labels
from archspec.training.steps import Steps, evaluated
from archspec.training.totals import losses_of

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.runs.folder import RunFolder

Metrics = dict[str, Any]

AHEAD = 4
"""So many batches of samples that are not on the device wait there for their evaluation."""
BATCH = 500
BATCH_BYTES = 2**29
"""A batch is as large as two of its largest maps leave room for here, and no larger than `BATCH`."""


class Evaluated(NamedTuple):
    """An evaluation: what it was of, its figures, and what is to be said."""

    folder: RunFolder
    spec: Spec
    data: Data
    part: str
    """The name of the part of the data, as `Data` has it."""
    heads: Sequence[Head]
    pure: Pure
    params: Arrays
    statistics: Arrays
    metrics: Metrics
    notes: Sequence[str]
    lowerings: Lowerings
    """What chose how operations are computed."""
    type: Any = None
    """The 16-bit type that the network computed with; None for float32."""

    @property
    def whose(self) -> str:
        """What the part's figures are called: test, validation, held-out or training."""
        return self.data.whose(self.part)


def batch_size_of(graph: Graph, samples: int, devices: DeviceMesh | None = None) -> int:
    """How many of so many samples are evaluated at once: as many on each device."""
    largest = max(node.output.bytes for node in graph.nodes)
    size = max(1, min(BATCH, BATCH_BYTES // (2 * largest), samples))
    return size if devices is None else size + -size % devices.mesh.devices


class Evaluator:
    """Evaluates a split again and again, in batches of one size; what fills up the last does not count.

    `whose` is what its figures are called: held-out, validation, test or training. Where the split is streamed,
    `workers` processes read it, which stay until `close`.
    """

    def __init__(
        self,
        steps: Steps,
        split: Split,
        heads: Sequence[Head],
        graph: Graph,
        whose: str = "held-out",
        workers: int = 0,
    ) -> None:
        check_labels("the dataset", split, f"in the {whose} part")
        self.whose = whose
        self.check: Callable[[], None] = lambda: None
        """Called before each batch; may raise."""
        self.changed: Callable[[int, Named, Named], Named] | None = None
        """What makes other inputs of a batch's number, its inputs and its targets, where there is any."""
        self.steps = steps
        self.graph = graph.pruned("eval")
        self.heads = evaluated(heads)
        size = batch_size_of(graph, len(split), steps.devices)
        self.missing = -len(split) % size
        self.size = size
        self.split = split
        self.placing = Placing(None if steps.devices is None else steps.devices.every, size)
        self.batches = InTurn(split, size, self.placing.own)
        # As many as will ever be asked for: processes that read go on from one evaluation to the next.
        self.loader: Loader[Any] = Loader(self.batches, 10**6 * len(self.batches), workers if split.is_streamed else 0)
        self.evaluations = 0
        self.placed = None
        if fits_on_device(split, steps.devices, divided=True):
            self.placed = [self._placed(self.batches(number)) for number in range(len(self.batches))]

    def _batches(self) -> Iterator[tuple[Named, Named]]:
        if self.placed is not None:
            yield from self.placed
            return
        first = self.evaluations * len(self.batches)
        self.evaluations += 1
        for own in self.loader.between(first, first + len(self.batches)):
            yield self._placed(own)

    def _placed(self, batch: dict[str, dict[str, np.ndarray]]) -> tuple[Named, Named]:
        return self.placing.named(batch["inputs"]), self.placing.named(batch["targets"])

    def close(self) -> None:
        """Ends the processes that read."""
        self.loader.close()

    def __call__(self, params: Arrays, statistics: Arrays) -> Metrics:
        """The mean loss over the labels that count, and what the main output is measured by.

        The loss is the main output's, by the same rule as in training; where evaluation has several outputs, `heads`
        has the loss of each, and `outputs` the figures of those that have their own. A loss is None where no label
        counts. Raises `DataError` where a loss is not finite.
        """
        sums: list[Any] = []
        folded = self.steps.folded(params, statistics)
        for number, (inputs, targets) in enumerate(self._batches()):
            self.check()
            if self.changed is not None:
                inputs = self.changed(number, inputs, targets)
            sums.append(self.steps.evaluate(*folded, inputs, targets))
            if self.placed is None and len(sums) > AHEAD:  # so that no more batches wait on the device
                jax.block_until_ready(sums[-AHEAD])  # type: ignore[no-untyped-call]
        # Added up here, in 64 bits: the pixels of a large split do not fit into 32.
        parts = jax.device_get(sums)
        for index, part in enumerate(parts):
            if not np.isfinite(part["losses"]).all():
                self._fail(params, statistics, index)
        totals = [sum(part[name].astype(np.float64) for part in parts) for name in ("losses", "weights")]
        losses = losses_of(self.heads, *totals)
        figures = {head.name: self._measured(head, parts) for head in self.heads if head.metrics}
        main = self.graph.main_output.name
        record: Metrics = {"loss": losses[main], **({"heads": losses} if len(losses) > 1 else {}), **figures.pop(main)}
        return {**record, "outputs": figures} if figures else record

    def _measured(self, head: Head, parts: Sequence[Any]) -> Metrics:
        """A head's figures by name, from the sums of all batches."""
        values: Metrics = {}
        for index, metric in enumerate(head.metrics):
            values.update(metric.result(add(metric, [part["metrics"][head.name][index] for part in parts])))
        return values

    def _fail(self, params: Arrays, statistics: Arrays, index: int) -> None:
        """Raises `DataError` with the layer at which a batch goes wrong."""
        start = index * self.size
        inputs, _ = self._placed(self.batches(index))
        if self.steps.devices is not None:  # the layer is looked for on one device
            inputs, params, statistics = self.steps.devices.local((inputs, params, statistics))
        narrow = narrowing(self.graph, self.steps.seen)
        network = self.steps.pure.merge(params if narrow is None else narrow(params), statistics)
        x = given(self.steps.normalised(inputs))
        kind = self.steps.seen
        where = first_broken_layer(
            self.graph, network, x, None, train=False, precision=kind, lowerings=self.steps.lowerings
        )
        last = min(start + self.size, len(self.split)) - 1
        raise DataError(
            "E520",
            f"the {self.whose} loss is not finite, among the samples {start} to {last}; {where}",
            help=["a smaller learning rate, or a warm-up, often helps"],
        )
