"""A layer's sizes, parameters and operations as the arithmetic that gives them, with the numbers put in."""

from __future__ import annotations

from typing import NamedTuple

from archspec.graph import Node


class Arithmetic(NamedTuple):
    """Lines of a layer: an axis each for `sizes`; what it owns, what one sample costs, and what a position sees."""

    sizes: tuple[str, ...]
    parameters: tuple[str, ...]
    operations: tuple[str, ...]
    receptive_field: str

    def lines(self) -> list[tuple[str, str]]:
        """Each line with what it is of."""
        named = [("size", self.sizes), ("parameters", self.parameters), ("multiply–adds", self.operations)]
        found = [(name, line) for name, lines in named for line in lines]
        return [*found, *([("receptive field", self.receptive_field)] if self.receptive_field else [])]


def arithmetic(node: Node) -> Arithmetic:
    """W2 = (W1 − F + 2P)/S + 1 per axis, F·F·C·K + K parameters, and as many multiply–adds as each output takes."""
    sizes = tuple(node.layer.arithmetic(node.input_types, node.output)) or _alike(node)
    field = node.receptive_field
    seen = f"{field.size[0]:g}×{field.size[1]:g} pixels of the input" if node.output.is_map and field else ""
    return Arithmetic(sizes, _parameters(node), _operations(node), seen)


def _alike(node: Node) -> tuple[str, ...]:
    if any(kind.shape != node.output.shape for kind in node.input_types):
        return (f"{' and '.join(map(str, node.input_types))} → {node.output}",)
    return (f"{node.output}, as its input",)


def _parameters(node: Node) -> tuple[str, ...]:
    lines = []
    trained = [weight for weight in node.arrays if weight.role == "trainable"]
    others = [weight for weight in node.arrays if weight.role != "trainable"]
    for weights, what in ((trained, "parameters"), (others, "numbers that are not trained")):
        if weights:
            parts = " + ".join(f"{weight.name} {'·'.join(map(str, weight.shape))}" for weight in weights)
            lines.append(f"{parts} = {sum(weight.size for weight in weights):,} {what}")
    if lines and not node.counted:
        lines.append(f"they are those of {node.owner}, counted there")
    return tuple(lines)


def _operations(node: Node) -> tuple[str, ...]:
    macs = node.cost.macs
    if not macs:
        return ()
    for kind, what in ((node.output, "outputs"), (node.input_types[0], "inputs")):
        if macs % kind.size == 0:
            return (f"{'·'.join(map(str, kind.shape))} {what} · {macs // kind.size:,} each = {macs:,}",)
    return (f"{macs:,}",)
