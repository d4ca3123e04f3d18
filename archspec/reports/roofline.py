"""Predictions of the roofline model as tables and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.blocks import folded
from archspec.figures.roofline import bound_of
from archspec.figures.units import inputs_text, mebibytes, si
from archspec.reports.cells import Cell, Table, short
from archspec.reports.json import shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archspec.figures.devices import Device
    from archspec.figures.roofline import Prediction, Timed

METHOD = "an upper bound on speed, predicted by the roofline model (Williams, Waterman & Patterson 2009), not measured"

LEFT_OUT = (
    "left out: starting kernels, input data, loss, unused units and padding (slower); caches that hold whole maps, "
    "convolutions with fewer multiplications such as Winograd's (faster)"
)

FUSED = "element-wise layers are fused into the layer before them and move only their other inputs and weights"


def seconds(value: float) -> str:
    """A time with three digits: 12.3 ms."""
    if not value:
        return "0"
    for factor, unit in ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms")):
        if float(f"{value / factor:.3g}") < 1000:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} s" if value < 999.5 else f"{value:,.0f} s"


def percent(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.095 else f"{100 * part:.1f} %"


def gigabytes(value: float) -> str:
    """Bytes of a device's memory, in the datasheets' powers of ten: 3.33 GB."""
    return f"{si(int(value))}B" if value >= 1000 else f"{int(value)} B"


def header(prediction: Prediction) -> list[str]:
    """What is predicted, how, and the totals."""
    graph, device = prediction.graph, prediction.device
    spread = f" on {prediction.devices} devices, {prediction.share} a device" if prediction.devices > 1 else ""
    uneven = "" if prediction.batch % prediction.devices == 0 else ", the busiest decides"
    lines = [
        f"{graph.name} on {device.title}: {inputs_text(graph.inputs)}, batch {prediction.batch}{spread}{uneven}, "
        f"{graph.mode} mode, {prediction.dtype}",
        METHOD,
        f"peak {si(int(device.flops[prediction.dtype]))}FLOP/s, memory {si(int(device.bandwidth))}B/s, ridge at "
        f"{short(device.ridge(prediction.dtype))} FLOPs a byte ({device.source})",
    ]
    if prediction.dtype == "float32" and "tf32" in device.flops:
        lines.append("float32 throughout; where matrix units multiply in tf32, as JAX has them do, --dtype tf32")
    lines.append(FUSED if prediction.fusion else "every layer reads its inputs and writes its output")
    return [*lines, LEFT_OUT]


def totals(prediction: Prediction) -> list[tuple[str, str]]:
    """Names and values of the totals, as people read them."""
    each = " a device" if prediction.devices > 1 else ""
    parts = [f"forward {seconds(prediction.forward)}"]
    if prediction.training:
        assert prediction.optimiser is not None
        parts += [
            f"backward {seconds(prediction.backward)}",
            f"update ({prediction.optimiser.kind}) {seconds(prediction.update)}",
        ]
    lines = [("a step", f"{seconds(prediction.seconds)} at least: " + ", ".join(parts))]
    if prediction.reduced_bytes:
        amount = f"{mebibytes(int(prediction.reduced_bytes))} sent by each device in a ring"
        if prediction.all_reduce is None:
            lines.append(
                ("all-reduce", f"{amount}; not in the step, since {prediction.device.title} has no interconnect here")
            )
        else:
            hidden = f"during the backward pass; after it a step takes {seconds(prediction.seconds_apart)}"
            lines.append(("all-reduce", f"{seconds(prediction.all_reduce)} ({amount}), {hidden}"))
    bounds = ", ".join(f"{name} {percent(part)}" for name, part in prediction.shares().items())
    intensity = prediction.flops / prediction.bytes if prediction.bytes else 0.0
    lines += [
        (
            "throughput",
            f"{prediction.throughput:,.0f} samples a second at most" if prediction.seconds else "nothing bounds it",
        ),
        ("bound by", bounds or "nothing"),
        (
            "work" + each,
            f"{si(prediction.flops)} FLOPs, {mebibytes(prediction.bytes)} moved, {short(intensity)} FLOPs a byte",
        ),
    ]
    need = f"{gigabytes(prediction.needed)}"
    if prediction.device.memory is not None:
        need += (
            f" of {gigabytes(prediction.device.memory)}; the largest batch that fits is {prediction.largest_batch:,}"
        )
    return [*lines, ("memory" + each, need)]


def table(prediction: Prediction, depth: int | None = None) -> Table:
    """The layers, or where a depth is given the blocks down to it, with the totals above."""
    rows = [_row(prediction, *group) for group in _groups(prediction, depth)]
    head = ["layer", "kind", "FLOPs", "moved", "FLOPs/byte", "time", "share", "bound"]
    keys = ["layer", "kind", "flops", "bytes", "flops_per_byte", "seconds", "share", "bound"]
    right = [False, False, True, True, True, True, True, False]
    if prediction.training:
        head[5:5], keys[5:5], right[5:5] = ["forward", "backward"], ["forward_seconds", "backward_seconds"], [True] * 2
        if prediction.update_bytes:
            assert prediction.optimiser is not None
            rows.append(_update_row(prediction, f"update ({prediction.optimiser.kind})"))
    lines = [f"{name}: {value}" for name, value in totals(prediction)]
    return Table(head, rows, right, [*header(prediction), *lines], keys=keys)


def _groups(prediction: Prediction, depth: int | None) -> list[tuple[str, str, list[Timed]]]:
    """Path, kind and layers of each row: a layer, or what is folded below a depth."""
    if depth is None:
        return [(row.path, row.kind, [row]) for row in prediction.rows]
    return [
        (part.path, part.kind, [prediction.rows[index] for index in part.nodes])
        for part in folded(prediction.graph, depth)
    ]


def _row(prediction: Prediction, path: str, kind: str, members: list[Timed]) -> list[str | Cell]:
    flops, moved = sum(row.flops for row in members), sum(row.bytes for row in members)
    forward, backward = sum(row.forward for row in members), sum(row.backward for row in members)
    compute = sum(row.compute_bound for row in members)
    total = forward + backward
    bound: str = bound_of(total, compute)
    said = bound
    if not total and (flops or moved):
        bound = said = "fused"
    elif total and len(members) > 1:
        part = compute / total if bound == "compute" else 1 - compute / total
        said = bound if part > 0.995 else f"{bound} {percent(part)}"
    times = (
        [Cell(seconds(value) if value else "", value) for value in (forward, backward)] if prediction.training else []
    )
    intensity = flops / moved if moved and bound != "fused" else None
    return [
        path,
        kind,
        Cell(si(flops) if flops else "", flops),
        Cell(mebibytes(moved) if moved else "", moved),
        Cell("" if intensity is None else short(intensity), intensity),
        *times,
        Cell(seconds(total) if total else "", total),
        Cell(
            percent(total / prediction.seconds) if total else "",
            total / prediction.seconds if prediction.seconds else 0.0,
        ),
        Cell(said, bound),
    ]


def _update_row(prediction: Prediction, name: str) -> list[str | Cell]:
    return [
        name,
        "",
        Cell("", 0),
        Cell(mebibytes(prediction.update_bytes), prediction.update_bytes),
        Cell("", 0.0),
        Cell("", 0.0),
        Cell("", 0.0),
        Cell(seconds(prediction.update), prediction.update),
        Cell(percent(prediction.update / prediction.seconds), prediction.update / prediction.seconds),
        "bandwidth",
    ]


def render(prediction: Prediction, depth: int | None = None) -> str:
    """The prediction as text: header, totals, one line a layer or block."""
    from archspec.reports.cells import text

    lines = totals(prediction)
    width = max(len(name) for name, _ in lines)
    whole = table(prediction, depth)
    body = text(Table(whole.head, whole.rows, whole.right))
    return "\n".join([*header(prediction), "", *(f"{name.ljust(width)}  {value}" for name, value in lines), "", body])


def to_dict(prediction: Prediction, depth: int | None = None) -> dict[str, Any]:
    """The prediction as plain data: seconds, bytes and operations of layers, or of the blocks down to a depth."""
    graph, device = prediction.graph, prediction.device
    return {
        "spec": graph.name,
        "variant": graph.variant,
        "args": dict(graph.args),
        **shapes(graph),
        "batch": prediction.batch,
        "mode": graph.mode,
        "dtype": prediction.dtype,
        "fusion": prediction.fusion,
        "method": METHOD,
        "left_out": LEFT_OUT,
        "device": device_to_dict(device),
        "devices": prediction.devices,
        "batch_per_device": prediction.share,
        "layers": [
            {
                "name": path,
                "kind": kind,
                "flops": sum(row.flops for row in members),
                "bytes": sum(row.bytes for row in members),
                "forward_seconds": sum(row.forward for row in members),
                "backward_seconds": sum(row.backward for row in members),
                "seconds": sum(row.seconds for row in members),
                "bound": bound_of(sum(row.seconds for row in members), sum(row.compute_bound for row in members))
                or None,
                "fused_into": members[0].fused_into if len(members) == 1 else None,
            }
            for path, kind, members in _groups(prediction, depth)
        ],
        "totals": {
            "seconds": prediction.seconds,
            "seconds_without_overlap": prediction.seconds_apart,
            "forward_seconds": prediction.forward,
            "backward_seconds": prediction.backward,
            "update_seconds": prediction.update,
            "all_reduce_seconds": prediction.all_reduce,
            "samples_per_second": prediction.throughput if prediction.seconds else None,
            "bounds": prediction.shares(),
            "flops": prediction.flops,
            "bytes": prediction.bytes,
            "memory": {
                "needed_bytes": prediction.needed,
                "device_bytes": device.memory,
                "fits": prediction.fits,
                "largest_batch": prediction.largest_batch,
            },
        },
    }


def device_to_dict(device: Device) -> dict[str, Any]:
    """A device as plain data: operations and bytes a second, bytes."""
    return {
        "name": device.name,
        "title": device.title,
        "flops": dict(device.flops),
        "bandwidth": device.bandwidth,
        "memory": device.memory,
        "interconnect": device.interconnect,
        "source": device.source,
    }


def device_table(known: Iterable[Device]) -> Table:
    """Devices with their peaks and the sources of these."""
    from archspec.figures.devices import CPU_FORM, DTYPES

    def tera(device: Device, dtype: str) -> Cell:
        rate = device.flops.get(dtype)
        return Cell("" if rate is None else f"{rate / 1e12:.4g}", rate)

    rows: list[list[str | Cell]] = [
        [
            device.name,
            device.title,
            *(tera(device, dtype) for dtype in DTYPES),
            Cell(f"{device.bandwidth / 1e9:,.0f}", device.bandwidth),
            Cell("" if device.memory is None else f"{device.memory / 1e9:g}", device.memory),
            Cell("" if device.interconnect is None else f"{device.interconnect / 1e9:.0f}", device.interconnect),
            device.source,
        ]
        for device in known
    ]
    return Table(
        ("device", "", *DTYPES, "memory GB/s", "GB", "interconnect GB/s", "source"),
        rows,
        (False, False, *[True] * (len(DTYPES) + 3), False),
        caption=[
            "peaks as the vendors print them: 10¹² operations a second by type of number, without sparsity; 10⁹ bytes"
        ],
        notes=[f"a processor: {CPU_FORM}"],
        keys=("name", "title", *DTYPES, "bandwidth", "memory", "interconnect", "source"),
    )
