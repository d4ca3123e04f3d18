"""`remat: auto`: the blocks that are computed anew in the backward pass, so that a step fits into a limit.

Which set of blocks fits with the least multiply–adds is a knapsack problem. It is solved greedily: blocks are taken by
the bytes that each saves alone for a multiply–add that it costs (Dantzig 1957, "Discrete-variable extremum problems";
Capuchin calls the ratio memory saving per second, Peng et al. 2020), until the predicted memory is no more than the
limit; then those are given back, the costliest first, without which it still is. This is done with the blocks at each
depth of the network, since of a larger block less is kept (Chen et al. 2016) and more is there at once while it is
computed anew. Of the sets that fit that with the fewest multiply–adds is taken, of several that with the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from archspec.blocks import Part, tree
from archspec.diagnostics import DataError, count, listed
from archspec.figures.units import mebibytes, si
from archspec.spec.needs import training_memory

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.spec.train import Train


class Fitted(NamedTuple):
    """The blocks that are computed anew, by path, and what a training step needs.

    `before` and `after` are predicted bytes for a batch, without and with them; `macs` the multiply–adds of a sample
    that are computed once more, of which a forward pass has `of`.
    """

    blocks: tuple[str, ...]
    before: int
    after: int
    macs: int
    of: int
    limit: int
    copies: bool = True
    """Whether the bytes have those that XLA makes on CPUs only."""

    @property
    def fits(self) -> bool:
        return self.after <= self.limit

    @property
    def said(self) -> str:
        """What was chosen, in words."""
        needs = f"a step needs {mebibytes(self.before)} by prediction, the limit is {mebibytes(self.limit)}"
        if not self.blocks:
            return f"remat: auto: no block is computed anew: {needs}"
        share = 100 * self.macs / max(1, self.of)
        more = f"{si(self.macs)} multiply–adds a sample once more ({share:.0f} % of the forward pass)"
        then = f"then {mebibytes(self.after)}" + ("" if self.fits else ", which is too much")
        blocks = f"{count(len(self.blocks), 'block')} ({listed(self.blocks, 4)})"
        return f"remat: auto: {blocks} computed anew: {needs}; {then}, for {more}"

    def check(self) -> None:
        """Raises `DataError` (E524) where it does not fit."""
        if self.fits:
            return
        least = (
            f"with {count(len(self.blocks), 'block')} computed anew, the least, it is {mebibytes(self.after)}"
            if self.blocks
            else "there is no block that could be computed anew for less"
        )
        without = "" if self.copies else ", without the copies that only XLA on CPUs makes"
        raise DataError(
            "E524",
            f"`remat: auto`: a training step needs {mebibytes(self.before)} by prediction{without}, more "
            f"than the limit of {mebibytes(self.limit)}; {least}",
            help=["a smaller `batch_size` or more `micro_batches` need less, or a larger `memory` lets it"],
        )


def fitted(graph: Graph, train: Train, limit: int, copies: bool = True) -> Fitted:
    """The blocks that are computed anew so that a step of the recipe needs at most so many bytes, by prediction.

    Without `copies` those are left out that XLA makes on CPUs only. Where no set of blocks is enough, that is given
    with which least is needed. The recipe's batch size is a number. Over several devices it is a step of one, which has
    its share of the samples, and is taken to have all parameters and all rows.
    """
    seen = graph.pruned("train")
    macs = [node.cost.macs for node in seen.nodes]

    def needed(blocks: tuple[str, ...]) -> int:
        memory = training_memory(graph, train.model_copy(update={"remat": blocks}))
        return (memory if copies else memory.portable()).at(train.samples // train.blocks)

    before = needed(())
    none = Fitted((), before, before, 0, sum(macs), limit, copies)
    if none.fits:
        return none
    found = [none]
    for level in _levels(tree(seen)):
        costs = {block.path: sum(macs[index] for index in block.nodes) for block in level}
        for blocks, after in _tried(costs, needed, before, limit):
            # Which of the paths come first in the network says nothing; the order of the spec is easier to read.
            own = tuple(path for path in costs if path in blocks)
            found.append(Fitted(own, before, after, sum(costs[path] for path in own), sum(macs), limit, copies))
    fitting = [own for own in found if own.fits]
    if fitting:
        return min(fitting, key=lambda own: (own.macs, own.after))
    return min(found, key=lambda own: (own.after, own.macs))


def _levels(root: Part) -> Iterator[list[Part]]:
    """The blocks at each depth, and those above it that hold no others; the network itself is none."""
    level = [part for part in root.parts if not part.is_layer]
    while level:
        yield level
        deeper = [[part for part in block.parts if not part.is_layer] or [block] for block in level]
        if all(inner == [block] for inner, block in zip(deeper, level, strict=True)):
            return
        level = [part for inner in deeper for part in inner]


def _tried(
    costs: dict[str, int], needed: Callable[[tuple[str, ...]], int], before: int, limit: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Sets of these blocks that were tried, with their bytes; the last, if any, is the one that fits."""
    # What costs nothing counts as one multiply–add, so that of such blocks those come first that save most.
    saved = {path: (before - needed((path,))) / max(1, cost) for path, cost in costs.items()}
    order = sorted(costs, key=lambda path: -saved[path])
    chosen: tuple[str, ...] = ()
    for path in order:
        chosen = (*chosen, path)
        after = needed(chosen)
        if after <= limit:
            break
        yield chosen, after
    else:
        return
    for path in sorted(chosen, key=lambda path: -costs[path]):
        fewer = tuple(own for own in chosen if own != path)
        if fewer and (least := needed(fewer)) <= limit:
            chosen, after = fewer, least
    yield chosen, after
