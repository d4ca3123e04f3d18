"""Networks whose layers share arrays, for tests of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from archspec.drawing.scene import Scene, Text
from archspec.graph import Graph
from archspec.loading import open_spec

Write = Callable[..., Path]

TOWER = """
inputs: {left: {height: 28, width: 28, channels: 1}, right: {height: 28, width: 28, channels: 1}}
blocks:
  tower:
    layers:
      - conv: {name: conv1, filters: 16, kernel: 5}
      - batch_norm: {name: bn1}
      - relu
      - max_pool: 2
      - conv: {name: conv2, filters: 32, kernel: 5}
      - relu
      - flatten
      - dense: {name: fc, units: 64}
layers:
  - tower: {name: a, from: left}
  - tower: {name: b, from: right, weights: a}
  - subtract: {name: apart, from: [a, b]}
  - dense: {name: out, units: 2}
"""

STEPS = """
input: {{features: 16}}
blocks:
  step:
    layers:
      - dense: {{name: h, units: 16}}
      - dense: {{name: x, from: input, units: 16}}
      - add: {{from: [h, x]}}
      - tanh
layers:
  - repeat: {{name: steps, times: {times}, tied: true, layers: [step]}}
  - dense: {{name: out, units: 5}}
"""


def texts(drawn: Scene) -> list[str]:
    """Everything that is written in a picture."""
    return [shape.text for shape in drawn.shapes if isinstance(shape, Text)]


def graph_of(write: Write, text: str) -> Graph:
    return open_spec(str(write(text))).graph().pruned("eval")


def sharing(graph: Graph, owners: Mapping[str, str]) -> Graph:
    """The graph with some layers, by path, using the arrays of others."""
    known = graph.by_path()
    assert owners.keys() | set(owners.values()) <= known.keys()
    return replace(
        graph,
        nodes=tuple(
            replace(node, shares=owners[node.path], counted=False) if node.path in owners else node
            for node in graph.nodes
        ),
    )


def siamese(write: Write) -> Graph:
    """Two towers, `b` with the arrays of `a`."""
    return graph_of(write, TOWER)


def unrolled(write: Write, times: int) -> Graph:
    """A recurrent network: every step with the arrays of the first."""
    return graph_of(write, STEPS.format(times=times))


def towers(write: Write, depth: int) -> Graph:
    """Two chains of layers without blocks: `rK` with the arrays of `lK`."""
    text = "inputs: {left: {height: 9, width: 9, channels: 8}, right: {height: 9, width: 9, channels: 8}}\nlayers:\n"
    for side, name in (("l", "left"), ("r", "right")):
        for at in range(depth):
            start = (f"from: {name}, " if at == 0 else "") + (f"weights: l{at}, " if side == "r" else "")
            text += f"  - conv: {{name: {side}{at}, {start}filters: 8, kernel: 3, pad: same}}\n"
    text += f"  - concat: {{name: both, from: [l{depth - 1}, r{depth - 1}]}}\n  - conv: {{filters: 2, kernel: 1}}\n"
    return graph_of(write, text)
