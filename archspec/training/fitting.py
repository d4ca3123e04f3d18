"""`remat: auto`: the blocks with which a step fits, from the predicted memory, which XLA's own figures correct.

`spec/fitting.py` chooses by prediction. The step with these blocks is compiled from shapes alone and XLA asked what it
needs; where that is too much, blocks are chosen anew for a limit smaller in the same ratio. So what is chosen has been
found to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax

from archspec.data import Data
from archspec.diagnostics import DataError, count
from archspec.figures.units import mebibytes
from archspec.graph import Graph
from archspec.spec.fitting import Fitted, fitted
from archspec.spec.train import Train
from archspec.tasks import Head
from archspec.training import sizing

if TYPE_CHECKING:
    from archspec.loading import Spec

TRIES = 4
CERTAIN = 0.5
"""Of a step that is predicted to take no more than this share of the limit XLA is not asked: predictions of training
are within a fifth of its figures (docs/memory.md)."""


def settled(recipe: Train, graph: Graph) -> Train:
    """The recipe with the blocks that are computed anew by prediction, so that a step fits into its `memory`, or else
    into what is free on the device. Raises `DataError` (E524) where no step does."""
    found = _fitted(recipe, graph, sizing.room_of(recipe, None).bytes)
    found.check()
    return recipe.model_copy(update={"remat": found.blocks})


def _fitted(recipe: Train, graph: Graph, limit: int) -> Fitted:
    return fitted(graph, recipe, limit, copies=jax.default_backend() == "cpu")


def chosen(recipe: Train, spec: Spec, graph: Graph, data: Data, heads: Sequence[Head]) -> tuple[Train, str]:
    """The recipe with the blocks with which its step was found to fit, and a note on them.

    Raises `DataError` (E524) where no step fits, by prediction or by XLA's figures.
    """
    room = sizing.room_of(recipe, data)
    limit, said = room.bytes, ""
    for _ in range(TRIES):
        own = _fitted(recipe, graph, limit)
        if not own.fits:
            break
        settled = recipe.model_copy(update={"remat": own.blocks})
        if own.after <= CERTAIN * room.bytes:
            return settled, _note(own, room, "")
        needs = sizing.compiled_bytes(spec, settled, heads, recipe.samples, *sizing.shapes_in(data))
        if needs is None:
            return settled, _note(own, room, "XLA does not say what it needs")
        if needs <= room.bytes:
            return settled, _note(own, room, f"XLA compiles it to {mebibytes(needs)}")
        said = f"; XLA compiles it to {mebibytes(needs)}"
        limit = min(limit - 1, int(own.after * room.bytes / needs))
    with_none = (
        f"with {count(len(own.blocks), 'block')} computed anew; it needs {mebibytes(own.before)} with none"
        if own.blocks
        else "and there is no block that could be computed anew for less"
    )
    raise DataError(
        "E524",
        f"`remat: auto`: a training step does not fit into {room.said}: it needs {mebibytes(own.after)} by "
        f"prediction{said}, {with_none}",
        help=["a smaller `batch_size` or more `micro_batches` need less, or a larger `memory` lets it"],
    )


def _note(own: Fitted, room: sizing.Room, xla: str) -> str:
    return own._replace(limit=room.bytes).said + (f"; {xla}" if xla else "")
