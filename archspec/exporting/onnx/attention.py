"""Self-attention, head by head over positions, as products that Einsum says without transposing anything."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.scribe import At
from archspec.layers.self_attention import SelfAttention


@emits(SelfAttention)
def _self_attention(layer: SelfAttention, at: At) -> str:
    """softmax(q·kᵀ/√d + q·r/√d)·v; queries, keys and values have positions last, (batch, head, channel, position)."""
    places = prod(at.kind.spatial)
    flat = at.reshape(at.x, (at.kind.channels, places), part="flat")
    query, key, value = (_heads(layer, at, flat, part) for part in ("query", "key", "value"))
    width = at.array("query.kernel").shape[1] // layer.heads
    if layer.scale:
        query = at.op("Mul", query, at.number("factor", 1 / sqrt(width)), part="scaled")
    scores = at.op("Einsum", query, key, part="scores", equation="bndq,bndk->bnqk")
    if layer.positions == "relative":
        scores = _with_distances(layer, at, query, scores, width)
    shares = at.op("Softmax", scores, part="shares", axis=-1)
    taken = at.op("Einsum", shares, value, part="taken", equation="bnqk,bndk->bndq")
    sizes = at.node.output.spatial
    if not layer.project:
        return at.reshape(taken, (at.node.output.channels, *sizes))
    joined = at.reshape(taken, (-1, places), part="joined")
    return at.reshape(_linear(layer, at, joined, "output"), (at.node.output.channels, *sizes))


def _linear(layer: SelfAttention, at: At, x: str, part: str) -> str:
    """A linear layer over channels, at each position by itself: Wᵀ·x + b."""
    made = at.op("MatMul", at.weight(f"{part}.kernel"), x, part=part)
    if not layer.bias:
        return made
    return at.op("Add", made, at.weight(f"{part}.bias", ones=1), part=f"{part}_biased")


def _heads(layer: SelfAttention, at: At, x: str, part: str) -> str:
    return at.reshape(_linear(layer, at, x, part), (layer.heads, -1, prod(at.kind.spatial)), part=f"{part}_heads")


def _with_distances(layer: SelfAttention, at: At, query: str, scores: str, width: int) -> str:
    """Adds q·r: of each axis the row of its table that belongs to the distance of two positions."""
    sizes = at.kind.spatial
    places = prod(sizes)
    whole = at.reshape(query, (layer.heads, width, *sizes), part="query_map")
    letters = "hw"[: len(sizes)]
    total = ""
    for axis, (name, size) in enumerate(
        zip(("height", "width") if len(sizes) == 2 else ("length",), sizes, strict=True)
    ):
        table = at.array(f"relative_{name}")
        rows = table[np.arange(size)[None, :] - np.arange(size)[:, None] + size - 1]
        own = at.op(
            "Einsum",
            whole,
            at.made(f"relative_{name}.rows", rows),
            part=f"by_{name}",
            equation=f"bnd{letters},{letters[axis]}id->bn{letters}i",
        )
        others = [1 if other != axis else size for other in range(len(sizes))]
        spread = at.reshape(own, (layer.heads, places, *others), part=f"spread_{name}")
        total = spread if not total else at.op("Add", total, spread, part="distances")
    return at.op("Add", scores, at.reshape(total, (layer.heads, places, places), part="relative"), part="placed")
