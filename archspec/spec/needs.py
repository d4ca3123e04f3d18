"""Memory that a recipe's training needs: its precision, micro-batches, averages and what is computed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.figures.memory import Memory, training

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.optimisers import Optimiser
    from archspec.passes.recompute import Patterns
    from archspec.sharding.collectives import Step
    from archspec.spec.train import Train


def training_memory(
    graph: Graph, train: Train | None, dtype: str | None = None, optimiser: Optimiser | None = None
) -> Memory:
    """Bytes at the peak of a training step as the recipe has it, in another `dtype` or with another optimiser if given.

    A recipe that says nothing of them, and none at all, is training(graph, dtype, optimiser). With `remat: auto` it is
    what a step needs of which everything is kept: `fitting.py` chooses blocks. Raises `DataError` where `remat` names
    no block.
    """
    if train is None:
        return training(graph, dtype or "float32", optimiser)
    stretches: tuple[tuple[int, int], ...] = ()
    if blocks := named(train):
        from archspec.passes import recompute

        stretches = tuple((group.first, group.last) for group in recompute.find(graph.pruned("train"), blocks))
    return training(
        graph,
        dtype or train.precision,
        optimiser or train.optimiser,
        parts=train.micro_batches,
        averaged=train.ema is not None,
        recomputed=stretches,
    )


def divided_step(graph: Graph, train: Train | None, plain: Step) -> Step:
    """A step over several devices as the recipe has it, where `plain` does not say otherwise.

    Raises `DataError` where `remat` names no block.
    """
    if train is None:
        return plain
    from archspec.augmentations import Mixing
    from archspec.passes import groups_of

    frozen = {*plain.frozen_arrays, *plain.frozen_layers}
    return plain._replace(
        optimiser=plain.optimiser or train.optimiser,
        parts=train.micro_batches,
        averaged=train.ema is not None,
        groups=groups_of(graph.pruned("train"), train.passes, named(train), frozen),
        axes={} if train.mesh is None else train.mesh.shard,
        norms=train.clip is not None and train.clip.norm is not None,
        adaptive=train.clip is not None and train.clip.adaptive is not None,
        mixings=sum(isinstance(kind, Mixing) for kind in train.augment or ()),
    )


def named(train: Train) -> Patterns:
    """The blocks that a recipe says are computed anew; none where they are yet to be chosen."""
    return () if train.remat == "auto" else train.remat


def kept_by(graph: Graph, train: Train) -> str:
    """What a recipe does for less memory, or needs more for, in words; "" where nothing."""
    said = [f"{train.micro_batches} micro-batches"] if train.micro_batches > 1 else []
    said += ["averages of the weights"] if train.ema is not None else []
    if named(train):
        anew = anew_flops(graph, train) / max(1, graph.pruned("train").flops)
        said.append(f"blocks computed anew, up to {100 * anew:.0f} % of the forward pass once more")
    return ", ".join(said)


def anew_flops(graph: Graph, train: Train | None) -> int:
    """Operations of one sample that the backward pass does a second time, since `remat` has kept nothing of them."""
    if train is None or not (blocks := named(train)):
        return 0
    from archspec.passes import recompute

    seen = graph.pruned("train")
    return sum(seen.nodes[index].cost.flops for group in recompute.find(seen, blocks) for index in group.members)
