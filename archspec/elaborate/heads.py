"""Heads that sit on other heads: a chain that went on behind an output's last layer, since `from` was forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from archspec.diagnostics import Findings, Setting, Span, count
from archspec.graph import BlockUse, GraphInput, Node, Output, is_input

FEW = 32
"""Numbers that an output may have, where nothing says what they are to find, to be taken for what a head gives."""


def warn_stacked(
    inputs: Sequence[GraphInput],
    nodes: Sequence[Node],
    outputs: Sequence[Output],
    blocks: Mapping[str, BlockUse],
    asked: set[int],
    findings: Findings,
) -> None:
    """Warns of outputs that see nothing but what another one gives. `asked` are values that some `from` names.

    An output of which other layers are made is meant where `from` says so, where it is a map, where it is as wide as
    what it is made of, and where what is made of it is an input again, as behind the code of an autoencoder.
    """
    heads = sorted(
        (item for item in outputs if item.weight > 0 and not is_input(item.node)), key=lambda item: item.node
    )
    trunks: dict[int, int] = {}
    """Where heads should begin, by the node of the output, of those that sit on another one."""
    for place, upper in enumerate(heads):
        kind = nodes[upper.node].output
        if prod(kind.spatial) > 1 or any(kind == item.type for item in inputs):
            continue
        for lower in reversed(heads[:place]):
            trunk = trunks.get(lower.node, _trunk(nodes, lower))
            first = None if trunk is None or lower.node in asked else _first_on(nodes, lower, upper)
            if trunk is not None and first is not None:
                trunks[upper.node] = trunk
                _warn(nodes, lower, upper, first, trunk, blocks, findings)
                break


def _trunk(nodes: Sequence[Node], output: Output) -> int | None:
    """What the last layer with arrays of an output takes, where that is wider than the output, a vector."""
    index = output.node
    while not is_input(index) and not nodes[index].arrays:
        index = nodes[index].inputs[0]
    kind = nodes[output.node].output
    if is_input(index) or prod(kind.spatial) > 1 or kind.size >= nodes[index].input_types[0].size:
        return None
    return nodes[index].inputs[0]


def _first_on(nodes: Sequence[Node], lower: Output, upper: Output) -> int | None:
    """The first layer behind an output that leads to another, where that is a head on the first and nothing else."""
    reached: set[int] = set()
    stack = [upper.node]
    while stack:
        index = stack.pop()
        if index < lower.node:
            return None  # it sees something else too
        if index != lower.node and index not in reached:
            reached.add(index)
            stack.extend(nodes[index].inputs)
    if not any(nodes[index].arrays for index in reached):
        return None  # the same head under another function, such as probabilities
    said = any(item is not None for item in (lower.task, lower.target, lower.loss))
    shares = nodes[lower.node].layer.bounds() == (0.0, 1.0) or nodes[lower.node].kind == "log_softmax"
    taking = [index for index in sorted(reached) if lower.node in nodes[index].inputs]
    if not said and not shares and not lower.train_only:
        # Numbers that no task is named for are a head's where they are few and go on without an activation: otherwise
        # they may be features, which are looked at.
        wide = nodes[lower.node].output.size > FEW
        if wide or not all(_goes_on_plainly(nodes, index, reached) for index in taking):
            return None
    return taking[0]


def _goes_on_plainly(nodes: Sequence[Node], index: int, among: set[int]) -> bool:
    """Whether there is no activation or normalisation between an output and the next dense layer or convolution."""
    node = nodes[index]
    if node.layer.family in ("activation", "normalisation"):
        return False
    if node.arrays:
        return True
    behind = [other for other in among if index in nodes[other].inputs]
    return all(_goes_on_plainly(nodes, other, among) for other in behind)


def _warn(
    nodes: Sequence[Node],
    lower: Output,
    upper: Output,
    first: int,
    trunk: int,
    blocks: Mapping[str, BlockUse],
    findings: Findings,
) -> None:
    head = nodes[lower.node]
    # What is written there: the outermost block or structure that the head is not in itself, or the layer.
    path = nodes[first].path
    opened = next(
        (name for name in _scopes(path) if name in blocks and not f"{head.path}.".startswith(f"{name}.")), None
    )
    span: Span | None = blocks[opened].span if opened is not None else nodes[first].span
    name = opened or path
    scope = name.rpartition(".")[0]
    own = next((name for name in _scopes(head.path) if name in blocks and not path.startswith(f"{name}.")), None)
    while own is not None and not is_input(trunk) and nodes[trunk].path.startswith(f"{own}."):
        trunk = nodes[trunk].inputs[0]  # the first head is a block: both begin where it does
    source = "input" if is_input(trunk) else nodes[trunk].path
    if scope and source.startswith(f"{scope}."):
        source = source.removeprefix(f"{scope}.")
    numbers = count(head.output.size, "number")
    from archspec.spec.mending import set_fields

    first_of = f"`from: {source}`, or another layer before `{lower.name}`, gives it what the network knows"
    own_name = head.path.removeprefix(f"{scope}.") if scope else head.path
    meant = f"or `from: {own_name}`, written, says that it is meant"
    main = nodes[first].layer.main if opened is None else None
    findings.warning(
        "W309",
        f"output `{upper.name}` sees nothing but the {numbers} of output `{lower.name}`: {name} takes "
        f"{head.path}, which came before it",
        span,
        help=[first_of, meant],
        mends=set_fields(span, main, [Setting(first_of, (("from", source),)), Setting(meant, (("from", own_name),))]),
    )


def _scopes(path: str) -> list[str]:
    """The paths that a path lies in, the outermost first."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
