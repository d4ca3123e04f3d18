"""Checks of a network together with its recipe: what is allowed, but trains to little or nothing."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

from archspec.diagnostics import Findings, Label, Span
from archspec.patterns import any_matches
from archspec.spec.train import Train

if TYPE_CHECKING:
    from archspec.graph import Graph, Node, Output

LEAST = 0.1
"""A loss that can fall below this is worth no warning."""


def check_training(graph: Graph, train: Train, batch: Span | None, findings: Findings) -> None:
    """Warns of outputs that are bounded before a softmax, and of batch normalisation over one value.

    `batch` is where the batch size was written.
    """
    if train.loss.takes_logits:
        for output in graph.outputs:
            _check_output(graph, output, train.loss.kind, findings)
    if train.batch_size == 1:
        norms = active_norms(train, graph)
        for node in graph.nodes:
            if norms.get(node.path) == 1:
                findings.warning(
                    "W305",
                    f"{node.path} normalises over one value per channel, since a step has one sample: it makes each 0, "
                    "so that nothing before it is trained",
                    node.span,
                    secondary=[Label(batch, "one sample a step")] if batch is not None else [],
                    help=["a `batch_size` of 2 or more", "or the layer before the pooling, or left out"],
                )


def _check_output(graph: Graph, output: Output, loss: str, findings: Findings) -> None:
    nodes = bounding(graph, output)
    classes = graph.output_type(output).channels
    if not nodes:
        return
    low, high = bounds(nodes)
    # The least loss: all classes but the right one at the low end.
    least = log(1 + (classes - 1) * exp(low - high))
    if least < LEAST:
        return
    node = nodes[0]
    findings.warning(
        "W304",
        f"output `{output.name}` holds values from {low:g} to {high:g}, which {node.path} ({node.kind}) bounds, and "
        f"{loss} applies softmax itself: with {classes:,} classes the loss cannot fall below {least:.4g}",
        node.span,
        help=[
            f"leave `{node.kind}` out: the loss takes what comes before it"
            + (", and `predict` gives probabilities all the same" if node.kind == "softmax" else "")
        ],
    )


def bounding(graph: Graph, output: Output) -> list[Node]:
    """The layers that bound the values of an output, with nothing after them but views, choices and averages.

    Empty where a way leads back to a layer that bounds nothing. The last layers come first.
    """
    nodes: dict[int, Node] = {}
    seen: set[int] = set()
    stack = [output.node]
    while stack:
        index = stack.pop()
        if index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index] if index >= 0 else None
        if node is not None and node.layer.bounds() is not None:
            nodes[index] = node
        elif node is not None and node.layer.within:
            sources = node.inputs
            stack.extend(source for source, port in zip(sources, node.ports, strict=True) if port == "value")
        else:
            return []
    return [nodes[index] for index in sorted(nodes, reverse=True)]


def bounds(nodes: list[Node]) -> tuple[float, float]:
    """What no value of these layers is below or above."""
    known = [limits for node in nodes if (limits := node.layer.bounds()) is not None]
    return min(low for low, _ in known), max(high for _, high in known)


def gives_shares(graph: Graph, output: Output) -> bool:
    """Whether the network itself makes numbers from 0 to 1 of the classes, by softmax or sigmoid."""
    nodes = bounding(graph, output)
    return bool(nodes) and bounds(nodes) == (0.0, 1.0)


def active_norms(train: Train, graph: Graph) -> dict[str, int]:
    """The batch normalisations that use the batch's statistics in some epoch, and the values of a sample's channel."""
    begin = train.init_from
    stays = begin is not None and (begin.freeze_epochs is None or begin.freeze_epochs >= train.epochs)
    return {
        node.path: node.output.size // node.output.channels
        for node in graph.nodes
        if node.kind == "batch_norm"
        and not (
            stays
            and begin is not None
            and any_matches(begin.freeze, node.path)
            and not any_matches(begin.exclude, node.path)
        )
    }
