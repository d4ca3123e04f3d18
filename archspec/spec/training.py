"""Checks of a network together with its recipe: what is allowed, but trains to little or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError, Findings, Label, Mend, Span, count
from archspec.patterns import any_matches
from archspec.spec.train import Train
from archspec.tasks import overruled

if TYPE_CHECKING:
    from archspec.graph import Graph, Output
    from archspec.losses import Loss
    from archspec.tasks import Head, Inputs

LEAST = 0.1
"""A loss that can fall below this is worth no warning."""


def check_training(
    graph: Graph,
    train: Train | None,
    heads: Callable[..., Sequence[Head]],
    inputs: Inputs,
    place: Callable[..., Span | None],
    blamed: Callable[[DataError, Graph], Span | None],
    written: Callable[[str], bool],
    findings: Findings,
) -> None:
    """Warns of outputs that cannot be trained, or are bounded before their loss, and of batch normalisation over one
    value.

    Without a recipe, what outputs say themselves is looked at. `heads` gives a graph's with what the spec names alone,
    and with `defaults=True` what their tasks add. `place` gives where the value at a path of the spec was
    written, `blamed` where what an error is about was, `written` whether a field of the recipe was.
    """
    made: Sequence[Head] = ()
    try:
        made = heads(graph)
    except DataError as error:
        _refuse(error, blamed(error, graph), findings)
    for head, output in zip(made, graph.outputs, strict=False):
        try:
            head.check(inputs)
        except DataError as error:
            _refuse(error, blamed(error, graph), findings)
        else:
            _check_output(graph, output, head.loss, findings)
    for name in ("loss", "metrics"):
        if written(name) and overruled(graph, name):
            findings.warning(
                "W308",
                f"nothing uses `{name}` of `train`: every output says its own",
                place("train", name),
                help=["remove it, or the outputs' own"],
                mends=_without(place("train", name), "remove it, or the outputs' own"),
            )
    if train is not None and len(made) == len(graph.outputs):
        _check_watched(graph, train, heads, place, findings)
    if train is not None and train.augment:
        from archspec.spec.augmenting import mixing_faults, mixing_names

        for fault, help in mixing_faults(train.augment, made):
            findings.error("E501", fault, place("train", "augment"), help=[help])
        if train.batch_size == 1 and (mixing := mixing_names(train.augment)):
            findings.warning(
                "W308",
                f"{mixing} of `augment` mixes the samples of a batch, and a batch has one: nothing is mixed",
                place("train", "augment"),
                help=["a larger `batch_size`", "or remove it"],
                mends=_without(place("train", "augment"), "or remove it"),
            )
    if train is not None and train.remat and train.remat != "auto":
        from archspec.passes import recompute

        try:
            recompute.find(graph.pruned("train"), train.remat)
        except DataError as error:
            findings.error(error.code, error.message, place("train", "remat"), help=list(error.help))
    counted = train is not None and (train.mesh is None or train.mesh.data != "auto")
    if train is not None and train.remat == "auto" and train.memory is not None and counted:
        from archspec.spec.fitting import fitted

        try:
            # What XLA makes on CPUs only is no reason against a run elsewhere.
            fitted(graph, train, train.memory, copies=False).check()
        except DataError as error:
            _refuse(error, place("train", "memory"), findings)
    if train is not None and train.mesh is not None:
        from archspec.spec.meshing import check_mesh

        check_mesh(graph, train, place, findings)
    if train is not None and (train.rates or train.decays):
        from archspec.spec.factors import check_factors

        check_factors(graph, train, place, findings)
    if train is not None and train.augment is not None and not any(item.type.is_map for item in graph.inputs):
        findings.warning(
            "W308",
            "`augment` of `train` changes images, and none goes in",
            place("train", "augment"),
            help=["remove it"],
            mends=_without(place("train", "augment"), "remove it"),
        )
    if train is not None and train.batch_size == train.micro_batches:
        alone = "a step" if train.batch_size == 1 else "a micro-batch"
        batch = place("train", "batch_size")
        larger = f"a `batch_size` of {2 * train.micro_batches} or more"
        norms = active_norms(train, graph)
        for node in graph.nodes:
            if norms.get(node.path) == 1:
                findings.warning(
                    "W305",
                    f"{node.path} normalises over one value per channel, since {alone} has one sample: it makes each "
                    "0, so that nothing before it is trained",
                    node.span,
                    secondary=[Label(batch, f"one sample {alone}")] if batch is not None else [],
                    help=[larger, "or the layer before the pooling, or left out"],
                    mends=_with_batch(batch, 2 * train.micro_batches, larger),
                )


def _without(span: Span | None, help: str) -> list[Mend]:
    """What stands at a place, left out."""
    from archspec.spec.mending import left_out

    return left_out(span, help)


def _with_batch(span: Span | None, size: int, help: str) -> list[Mend]:
    """Another batch size, where one is written."""
    from archspec.spec.mending import set_around

    return set_around(span, "batch_size", size, help)


_MEANT = re.compile(r"`(loss|task): (\w+)`")
"""What a help line says of a loss or a task."""


def _instead(error: DataError, place: Span | None) -> Iterator[Mend]:
    """Mends of what outputs cannot be trained with: another loss or task, as help lines write them."""
    from archspec.spec.mending import left_out, set_around, set_in, top

    for help in error.help:
        said = _MEANT.findall(help)
        if len(said) != 1:
            if help.startswith("leave it out"):
                yield from left_out(place, help)
            continue
        field, kind = said[0]
        around = set_around(place, field, kind, help)
        if not around and field == "task" and place is not None:
            around = set_in(top(place.source), [("task", kind)], help)
        yield from around


def _check_watched(
    graph: Graph,
    train: Train,
    heads: Callable[..., Sequence[Head]],
    place: Callable[..., Span | None],
    findings: Findings,
) -> None:
    """Warns of figures that a run is to go by and that evaluations do not measure."""
    if train.best is None and train.early_stopping is None and train.schedule.kind != "plateau":
        return
    from archspec.watching import UnmeasuredError, Watch

    try:
        Watch(train, heads(graph, defaults=True), graph.main_output.name)
    except UnmeasuredError as error:
        _refuse(error, place("train", *error.path), findings)


def _refuse(error: DataError, place: Span | None, findings: Findings) -> None:
    mends = list(_instead(error, place))
    findings.warning("W307", f"cannot be trained as it is: {error.message}", place, help=list(error.help), mends=mends)


def _check_output(graph: Graph, output: Output, loss: Loss, findings: Findings) -> None:
    limits = limits_of(graph, output)
    if limits is None:
        return
    low, high, blamed = limits
    width = graph.output_type(output).channels
    least = loss.least(low, high, width)
    if least < LEAST:
        return
    node = graph.nodes[blamed]
    help = f"leave `{node.kind}` out: the loss takes what comes before it" + (
        ", and `predict` gives probabilities all the same" if node.kind == loss.link else ""
    )
    of = count(width, "class" if loss.link == "softmax" else "output")
    findings.warning(
        "W304",
        f"output `{output.name}` holds values from {low:g} to {high:g}, which {node.path} ({node.kind}) bounds, and "
        f"{loss.terms[0][0].kind} {loss.wants}: with {of} the loss cannot fall below {least:.4g}",
        node.span,
        help=[help],
        mends=_without(node.span, help),
    )


class Limits(NamedTuple):
    """What no value of an output is below or above, and the last of the layers that see to it."""

    low: float
    high: float
    layer: int


def limits_of(graph: Graph, output: Output, *, one_sided: bool = False) -> Limits | None:
    """Follows the bounds of layers through views, choices, averages, pads, sums and products.

    None where a way leads back to a layer that bounds nothing. With `one_sided`, a bound may be infinite, as that of
    ReLU is above.
    """
    known: dict[int, Limits | None] = {-1: None}  # the network's input is within no bounds
    stack = [output.node]
    while stack:
        index = stack[-1]
        if index in known:
            stack.pop()
            continue
        node = graph.nodes[index]
        own = node.layer.bounds()
        if own is None and one_sided and (floor := node.layer.floor()) is not None:
            own = (floor, inf)
        if own is not None:
            known[index] = Limits(*own, index)
            continue
        sources = [source for source, port in zip(node.inputs, node.ports, strict=True) if port == "value"]
        waiting = [source for source in sources if source not in known] if node.layer.passes_bounds else []
        if waiting:
            stack.extend(waiting)
            continue
        given = [known[source] for source in sources] if node.layer.passes_bounds else []
        before = [limits for limits in given if limits is not None]
        if not before or len(before) < len(given):
            known[index] = None
            continue
        low, high = node.layer.bounds_of([(limits.low, limits.high) for limits in before])
        last = max(limits.layer for limits in before)
        bounded = (isfinite(low), isfinite(high))
        fits = all(bounded) or (one_sided and any(bounded) and not (isnan(low) or isnan(high)))
        known[index] = Limits(low, high, last) if fits else None
    return known[output.node]


def gives_shares(graph: Graph, output: Output) -> bool:
    """Whether the network itself makes numbers from 0 to 1 of the classes, by softmax or sigmoid."""
    limits = limits_of(graph, output)
    return limits is not None and (limits.low, limits.high) == (0.0, 1.0)


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
