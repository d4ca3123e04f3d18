"""What was measured, as tables and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from archspec.bench.layers import Alone
from archspec.bench.measuring import Measured
from archspec.blocks import folded
from archspec.figures.roofline import Prediction
from archspec.figures.units import mebibytes, si
from archspec.reports.cells import Cell, Row, Table, short
from archspec.reports.roofline import percent, seconds
from archspec.xla import PROGRAMS

APART = (
    "each layer is a program of its own here: its arrays come from memory and go there, and nothing is fused with its "
    "neighbours, nor folded or joined by passes; backward is what the gradients take beyond the forward pass"
)


def options_of(item: Measured) -> str:
    """In one line what chose the operations, and the compiler's options."""
    chosen = sum(any(name != "library" for name in choice) for choice in item.lowerings.taken.values())
    options = ", ".join(f"{name.removeprefix('xla_')}={value}" for name, value in item.lowerings.options.items())
    shapes = len(item.lowerings.taken)
    return f"not left to the library: {chosen} of {shapes} shapes of operations; compiler options: {options or 'none'}"


def whole(name: str, found: Sequence[Measured]) -> Table:
    """A row for each figure, a column for each program."""
    rows: list[Row] = []

    def row(title: str, cells: list[Cell]) -> None:
        rows.append([title, *cells])

    row("step, median", [Cell(seconds(own.times.median), own.times.median) for own in found])
    spread = [own.times.spread for own in found]
    row("step, quartiles", [Cell(f"{seconds(low)} – {seconds(high)}", f"{low} {high}") for low, high in spread])
    row("samples a second", [Cell(short(own.rate), own.rate) for own in found])
    row("FLOP/s", [Cell(si(own.achieved), own.achieved) for own in found])
    row("share of the peak", [Cell(percent(own.share), own.share) for own in found])
    for title, key, none in (
        ("memory, XLA's figure", "xla_bytes", "not said"),
        ("memory, measured", "process_bytes", "not seen"),
    ):
        sizes = [getattr(own, key) for own in found]
        row(title, [Cell(none if size is None else mebibytes(size), size) for size in sizes])
    row("tracing and compiling", [Cell(seconds(own.compile_seconds), own.compile_seconds) for own in found])
    if any(own.against for own in found):
        both = [own.against for own in found if own.against]
        row("by hand in Flax", [Cell(seconds(own.theirs.median), own.theirs.median) for own in both])
        row("archspec, same recipe", [Cell(seconds(own.ours.median), own.ours.median) for own in both])
        ratios = [own.ratio for own in both]
        row("archspec / by hand", [Cell(f"{m:.3f} ({low:.3f} – {high:.3f})", m) for m, low, high in ratios])
    first = found[0]
    device = first.device
    caption = [
        f"{name}: batch {first.batch}, {first.precision}, made-up data, jax {jax.__version__} on "
        f"{jax.devices()[0].device_kind}",
        f"peak {si(device.flops[first.precision])}FLOP/s, memory {si(device.bandwidth)}B/s ({device.source})",
        *(
            f"{PROGRAMS[own.mode]}: {options_of(own)}; passes: {own.passes}" + f"; {own.kept_by}" * bool(own.kept_by)
            for own in found
        ),
    ]
    heads = ["", *(PROGRAMS[own.mode] for own in found)]
    keys = ["figure", *(own.mode for own in found)]
    return Table(heads, rows, [False, *[True] * len(found)], caption, keys=keys)


def layers(item: Measured, times: Sequence[Alone], prediction: Prediction, depth: int | None) -> Table:
    """A row for each layer, or for what is folded below a depth, beside the roofline's least time on this device."""
    graph = prediction.graph
    groups = [(own.path, own.kind, list(own.nodes)) for own in folded(graph, depth)] if depth else []
    groups = groups or [(node.path, node.kind, [index]) for index, node in enumerate(graph.nodes)]
    together = sum(own.forward + own.backward for own in times)
    training = item.mode == "train"
    rows: list[Row] = []
    for path, kind, members in groups:
        forward, backward = (sum(own) for own in zip(*(times[index][:2] for index in members), strict=True))
        least = sum(prediction.rows[index].seconds for index in members)
        rows.append([path, kind, *_cells(forward, backward, least, together, training)])
    least = sum(row.seconds for row in prediction.rows)
    forward, backward = (sum(own) for own in zip(*(own[:2] for own in times), strict=True))
    foot: list[Row] = [["layers together", "", *_cells(forward, backward, least, together, training)]]
    blank = [Cell("", None)] * (5 if training else 3)
    step = item.times.median
    update = prediction.update
    made = [*blank[: 2 if training else 0], Cell(seconds(step), step), Cell(seconds(least + update), least + update)]
    foot.append(
        [f"the whole {PROGRAMS[item.mode]}", "", *made, Cell(short(step / (least + update)), None), Cell("", None)]
    )
    head = ["layer", "kind", "time", "at least", "time/least", "share"]
    keys = ["layer", "kind", "seconds", "least_seconds", "ratio", "share"]
    right = [False, False, True, True, True, True]
    if training:
        head[2:2], keys[2:2], right[2:2] = (
            ["forward", "backward"],
            ["forward_seconds", "backward_seconds"],
            [True, True],
        )
    caption = [
        f"{graph.name}, {PROGRAMS[item.mode]}, layer by layer; at least: the roofline of this device, nothing fused"
    ]
    return Table(head, rows, right, caption, notes=[APART], foot=foot, keys=keys)


def _cells(forward: float, backward: float, least: float, together: float, training: bool) -> list[Cell]:
    whole = forward + backward
    own = [Cell(seconds(forward), forward), Cell(seconds(backward), backward)] if training else []
    ratio = whole / least if least else None
    return [
        *own,
        Cell(seconds(whole), whole),
        Cell(seconds(least), least),
        Cell("" if ratio is None else short(ratio), ratio),
        Cell(percent(whole / together) if together else "", whole / together if together else None),
    ]


def to_dict(item: Measured) -> dict[str, Any]:
    """As plain data: seconds, bytes, operations."""
    made: dict[str, Any] = {
        "mode": item.mode,
        "batch": item.batch,
        "precision": item.precision,
        "seconds": item.times.median,
        "quartiles": list(item.times.spread),
        "blocks": list(item.times.wall),
        "cpu_seconds": list(item.times.cpu),
        "steps_per_block": item.times.steps,
        "samples_per_second": item.rate,
        "flops": item.flops,
        "flops_per_second": item.achieved,
        "peak_share": item.share,
        "xla_bytes": item.xla_bytes,
        "measured_bytes": item.process_bytes,
        "compile_seconds": item.compile_seconds,
        "lowerings": options_of(item),
        "passes": item.passes,
        "kept_by": item.kept_by,
    }
    if item.against is not None:
        middle, low, high = item.against.ratio
        made["flax"] = {
            "seconds": item.against.theirs.median,
            "own_seconds": item.against.ours.median,
            "ratio": middle,
            "quartiles": [low, high],
        }
    return made
