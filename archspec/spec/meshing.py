"""Whether the mesh of a recipe can divide its network and its batch. Imported once a recipe has a mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from archspec.diagnostics import Findings, Span, count
from archspec.mesh import Mesh
from archspec.patterns import path_matches
from archspec.sharding.arrays import axes_of

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.spec.train import Train


MOST_LABELS = 2**31 - 1
"""A step over several devices has batches in which more labels could be."""


def batch_sizes(wanted: int, parts: int) -> list[int]:
    """The batch sizes next to one that so many parts divide, of 1 or more."""
    below = wanted - wanted % parts
    return [size for size in (below, below + parts) if size]


def check_mesh(graph: Graph, train: Train, place: Callable[..., Span | None], findings: Findings) -> None:
    """Refuses a mesh that cannot divide the batch or an array as `shard` says, and patterns that name nothing."""
    own = train.mesh
    if own is None:
        return
    names = [
        f"{node.owner}.{weight.name}" for node in graph.nodes for weight in node.weights if weight.role != "statistics"
    ]
    for pattern in own.shard:
        if not any(path_matches(pattern, name) for name in names):
            findings.error(
                "E515",
                f"`{pattern[:100]}` names no array of {graph.name}",
                place("train", "mesh", "shard", pattern),
                help=['a path, a scope, an array or a pattern: fc6, fc6.kernel, "**.bias"'],
            )
    if own.shard and own.fsdp == 1:
        from archspec.spec.mending import left_out

        findings.warning(
            "W308",
            "`shard` of `mesh` says how `fsdp` divides arrays, and fsdp is 1",
            place("train", "mesh", "shard"),
            help=["fsdp: 2 or more, or remove it"],
            mends=left_out(place("train", "mesh", "shard"), "fsdp: 2 or more, or remove it"),
        )
    for output in graph.outputs:
        size = graph.output_type(output)
        labels = 0 if train.batch_size == "auto" else train.batch_size * (size.size // size.channels)
        if labels > MOST_LABELS:
            findings.error(
                "E525",
                f"a step has {labels:,} labels of output `{output.name}`, and counts them in 32 bits, up to "
                f"{MOST_LABELS:,}",
                place("train", "batch_size") or place("train", "mesh"),
                help=["a smaller `batch_size`"],
            )
    try:
        axes_of(graph, Mesh(fsdp=own.fsdp), own.shard)
    except ValueError as error:
        findings.error("E525", f"`shard` of `mesh`: {error}", place("train", "mesh", "shard"))
    if own.data == "auto":
        return
    parts = own.mesh.batches * train.micro_batches
    if train.batch_size != "auto" and train.batch_size % parts:
        from archspec.spec.mending import set_around

        sizes, batch = batch_sizes(train.batch_size, parts), place("train", "batch_size")
        of = f", each with {train.micro_batches} `micro_batches`" if train.micro_batches > 1 else ""
        findings.error(
            "E525",
            f"a batch of {count(train.batch_size, 'sample')} cannot be divided among {own.mesh.batches} devices{of}",
            place("train", "mesh") or place("train", "batch_size"),
            help=[" or ".join(f"`batch_size: {size}`" for size in sizes)],
            mends=[mend for size in sizes for mend in set_around(batch, "batch_size", size, f"`batch_size: {size}`")],
        )
