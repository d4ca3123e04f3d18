"""Plans of training on many devices as tables and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archspec.diagnostics import count
from archspec.figures.units import inputs_text, mebibytes, si
from archspec.reports.cells import Cell, Row, Table, short
from archspec.reports.json import shapes
from archspec.reports.roofline import gigabytes, percent, seconds
from archspec.sharding.collectives import Total, uncounted
from archspec.sharding.plan import JOINED, Placed, Plan

MOST = 12
"""Meshes that a table shows."""
MATTERS = 0.1
"""The part of a step from which on what it is lost to is named."""
LARGE_BATCH = 8192
"""Images of a batch up to which the linear rule kept ResNet-50's accuracy (Goyal et al. 2017, figure 1)."""

LEAST_BATCH = 16
"""Samples below which batch normalisation loses accuracy (Wu & He 2018, figure 1)."""
NO_FASTER = 0.9
"""The part of the speed from which on fewer devices are named."""

WORDS = {
    "small parts": "too few samples a device: kernels, weights and update cost as much as of many",
    "parameters": "gathering weights",
    "mixing": "samples to mix with",
    "batch norm": "sums of batch normalisation",
    "rows": "exchanging rows",
    "loss": "sums of losses",
    "gradients": "sums of gradients",
    "optimiser": "norms of gradients",
}
"""What takes the part of a step that one device alone would not need."""


@dataclass(frozen=True)
class Planned:
    """A plan with the meshes that were looked at, the best first, and what the recipe says of the batch.

    `host_rate` is how many samples a second a host reads, `usual` the batch that the recipe's learning rate is for.
    """

    plan: Plan
    found: Sequence[Placed]
    best: Placed | None
    fixed: bool = False
    host_rate: float | None = None
    usual: int | None = None

    @property
    def chosen(self) -> Placed:
        """The mesh whose details are shown: the recommended one, else the one that lacks least memory."""
        return self.best or self.found[0]

    @cached_property
    def scaling(self) -> list[tuple[int, Placed | None, list[Placed]]]:
        return self.plan.scaling()

    def throughput(self, placed: Placed) -> float:
        """Samples a second, which hosts may not read fast enough."""
        rate = placed.throughput
        return rate if self.host_rate is None else min(rate, self.host_rate * self.plan.hosts(placed.mesh.devices))

    def limit(self, placed: Placed) -> str:
        """What a step is bounded by most, beyond computing itself."""
        if self.throughput(placed) < placed.throughput:
            return "input"
        losses = self.plan.losses(placed)
        largest = max(losses, key=lambda name: losses[name] if name != "computing" else 0.0)
        return largest if losses[largest] >= MATTERS * placed.seconds else "computing"

    def first(self, what: str) -> int | None:
        """The least number of devices from which on something is the limit, where it is at the largest."""
        found = None
        for number, placed, _ in reversed(self.scaling):
            if placed is None or self.limit(placed) != what:
                break
            found = number
        return found


def _exact(samples: float) -> str:
    """A number of samples: 1,024 and not 1,020; with a part of one where rows are divided."""
    return f"{samples:,.0f}" if samples.is_integer() else short(samples, 4)


def header(planned: Planned) -> list[str]:
    """What is predicted, and of which devices."""
    plan = planned.plan
    links, device = plan.links, plan.device
    optimiser = plan.step.optimiser.called if plan.step.optimiser is not None else "adam"
    hosts = plan.hosts(plan.devices)
    lines = [
        f"{plan.graph.name} on {plan.devices:,} × {device.title}: {inputs_text(plan.graph.inputs)}, batch "
        f"{plan.batch:,}, {plan.dtype}, {optimiser}",
        "predicted from the graph, not measured; the assumptions are below",
    ]
    where = f"{count(hosts, 'host')} of {count(min(links.per_host, plan.devices), 'device')}"
    within = f"{gigabytes(links.interconnect)}/s out of a device to others of the {links.linked:,} that are joined"
    if links.linked == 1:
        within = "nothing joins devices within a host"
    lines.append(f"{where}; {within}, {si(8 * links.network)}b/s out of a host")
    return lines


def reason(planned: Planned) -> str:
    """Which mesh to take, and why."""
    plan, best = planned.plan, planned.best
    if best is None:
        least = planned.found[0]
        there = gigabytes(plan.device.memory or 0)
        return f"no mesh fits: {least.mesh.said} needs least, {gigabytes(least.needed)} a device of {there}"
    if planned.fixed:
        return f"{best.mesh.said}, as asked for"
    fitting = [item for item in planned.found if item.fits is not False]
    others = [item for item in fitting if item is not best]
    said = f"{best.mesh.said}: "
    if not others:
        left = len(planned.found) - len(fitting)
        return said + (f"the only one that fits, of {left + 1}" if left else "the only one that there is")
    fastest = min(fitting, key=lambda item: item.seconds)
    if fastest is best:
        return said + f"the fastest of {count(len(fitting), 'mesh')} that fit"
    return said + f"as fast as {fastest.mesh.said} to within 1 %, and simpler"


def meshes(planned: Planned) -> Table:
    """A line for each mesh."""
    rows = [_mesh_row(planned, placed) for placed in planned.found[:MOST]]
    left = len(planned.found) - len(rows)
    notes = [f"{count(left, 'mesh')} more, slower or larger than these, are left out"] if left else []
    head = ["mesh", "samples each", "memory", "sent", "computing", "waiting", "step", "samples/s", "efficiency", ""]
    keys = [
        "mesh",
        "samples_per_device",
        "memory_bytes",
        "sent_bytes",
        "computing_seconds",
        "communicating_seconds",
        "step_seconds",
        "samples_per_second",
        "efficiency",
        "said",
    ]
    return Table(head, rows, [False, *[True] * 8, False], header(planned), notes, keys=keys)


def _mesh_row(planned: Planned, placed: Placed) -> Row:
    plan = planned.plan
    rate, efficiency = planned.throughput(placed), plan.efficiency(placed)
    said = "recommended" if placed is planned.best and not planned.fixed else ""
    if placed.fits is False:
        said = f"does not fit into {gigabytes(plan.device.memory or 0)}"
    each = placed.samples / placed.mesh.spatial
    return [
        placed.mesh.said,
        Cell(_exact(each), each),
        Cell(gigabytes(placed.needed), placed.needed),
        Cell(mebibytes(int(placed.sent)), int(placed.sent)),
        Cell(seconds(placed.passes.seconds), placed.passes.seconds),
        Cell(seconds(placed.communicating), placed.communicating),
        Cell(seconds(placed.seconds), placed.seconds),
        Cell(f"{rate:,.0f}", rate),
        Cell(percent(efficiency), efficiency),
        said,
    ]


def communication(planned: Planned) -> Table:
    """The collectives of a step on the recommended mesh."""
    placed = planned.chosen
    rows: list[Row] = [_total_row(planned, total) for total in placed.totals]
    head = ["collectives", "kind", "over", "type", "times", "bytes", "sent by a device"]
    keys = ["purpose", "kind", "axes", "dtype", "times", "bytes", "sent_bytes"]
    caption = [f"communication of a step with {placed.mesh.said}: bytes are those of the results on one device"]
    times = [f"{WORDS[purpose]} {seconds(value)}" for purpose, value in placed.communication.items()]
    notes = ["time: " + ", ".join(times)] if times else ["one device asks nobody"]
    if placed.hidden:
        notes.append(f"{seconds(placed.hidden)} of the sums of gradients lie within the backward pass")
    return Table(head, rows, [False, False, False, False, True, True, True], caption, notes, keys=keys)


def _total_row(planned: Planned, total: Total) -> Row:
    return [
        total.purpose,
        total.kind,
        Cell("·".join(total.axes), ",".join(total.axes)),
        total.dtype,
        Cell(f"{total.times:,}", total.times),
        Cell(mebibytes(total.bytes), total.bytes),
        Cell(mebibytes(int(total.sent)), int(total.sent)),
    ]


def memory(planned: Planned) -> Table:
    """What the memory of a device consists of on the recommended mesh."""
    placed = planned.chosen
    parts = placed.memory.peak(placed.samples).parts
    rows: list[Row] = [
        [name, Cell(mebibytes(size), size)]
        for name, part in parts.items()
        if (size := part.fixed + placed.samples * part.per_sample)
    ]
    total: Row = ["together", Cell(mebibytes(placed.needed), placed.needed)]
    caption = [f"memory of a device with {placed.mesh.said}"]
    return Table(["memory", "bytes"], rows, [False, True], caption, foot=[total], keys=["part", "bytes"])


def scaling(planned: Planned) -> Table:
    """The best mesh of 1, 2, 4 … devices for the same batch, and what bounds it."""
    plan = planned.plan
    rows: list[Row] = []
    for number, placed, found in planned.scaling:
        lead: list[str | Cell] = [Cell(f"{number:,}", number), Cell(f"{plan.hosts(number):,}", plan.hosts(number))]
        if placed is None:
            if found:
                said = f"does not fit: {gigabytes(found[0].needed)} with {found[0].mesh.said}"
            else:
                said = f"{count(plan.batch, 'sample')} cannot be {number:,} equal parts"
            rows.append([*lead, *[Cell("", None)] * 6, said])
            continue
        limit = planned.limit(placed)
        rate, each = planned.throughput(placed), placed.samples / placed.mesh.spatial
        needed = placed.throughput / plan.hosts(number)
        rows.append(
            [
                *lead,
                placed.mesh.said,
                Cell(_exact(each), each),
                Cell(seconds(placed.seconds), placed.seconds),
                Cell(f"{rate:,.0f}", rate),
                Cell(percent(plan.efficiency(placed)), plan.efficiency(placed)),
                Cell(f"{needed:,.0f}", needed),
                limit if limit != "input" else "input pipeline",
            ]
        )
    head = [
        "devices", "hosts", "mesh", "samples each", "step", "samples/s", "efficiency", "read a host/s", "limit",
    ]  # fmt: skip
    keys = [
        "devices",
        "hosts",
        "mesh",
        "samples_per_device",
        "step_seconds",
        "samples_per_second",
        "efficiency",
        "needed_per_host",
        "limit",
    ]
    caption = [f"scaling: the same batch of {plan.batch:,} on more devices, each with its best mesh"]
    return Table(head, rows, [True, True, False, *[True] * 5, False], caption, keys=keys)


def limits(planned: Planned) -> list[str]:
    """Where network, input pipeline and batch become the limit."""
    plan, chosen = planned.plan, planned.chosen
    losses = plan.losses(chosen)
    lines = []
    lost = {name: value for name, value in losses.items() if name != "computing" and value >= 0.01 * chosen.seconds}
    parts = [f"{WORDS[name]} {percent(value / chosen.seconds)}" for name, value in sorted(lost.items(), key=_by_size)]
    lines.append(f"a step of {chosen.mesh.said}: " + ("; ".join(parts) if parts else "computing alone"))
    limit = planned.limit(chosen)
    begin = planned.first(limit) if limit != "computing" and not planned.fixed else None
    if begin is not None:
        word = "the input pipeline" if limit == "input" else WORDS[limit]
        lines.append(f"from {count(begin, 'device')} on the largest loss is {word}")
    if losses.get("batch norm", 0.0) >= MATTERS * chosen.seconds and chosen.samples >= LEAST_BATCH:
        lines.append(
            "`train.mesh.per_device: true` has batch normalisation by a device's samples, and so without these sums: "
            f"{chosen.samples} each in place of {plan.batch:,}"
        )
    lines += _of_fewer(planned)
    hosts = plan.hosts(chosen.mesh.devices)
    needed = chosen.throughput / hosts
    said = f"input pipeline: each host has to read {needed:,.0f} samples a second"
    if planned.host_rate is None:
        said += "; --host-rate says what yours reads"
    elif needed > planned.host_rate:
        said += f", and reads {planned.host_rate:,.0f}: it bounds the step to {percent(planned.host_rate / needed)}"
    else:
        said += f", and reads up to {planned.host_rate:,.0f}"
    lines.append(said)
    lines += _of_the_batch(planned)
    return lines


def _of_fewer(planned: Planned) -> list[str]:
    """Whether fewer devices are as fast."""
    if planned.fixed or planned.best is None:
        return []
    rate = planned.throughput(planned.best)
    for number, placed, _ in planned.scaling[:-1]:
        if placed is not None and planned.throughput(placed) >= NO_FASTER * rate:
            part = planned.throughput(placed) / rate
            said = f"{count(number, 'device')} with {placed.mesh.said}"
            return [f"{said}: {percent(part)} of these samples a second, so more devices are of little use here"]
    return []


def _by_size(item: tuple[str, float]) -> float:
    return -item[1]


def _of_the_batch(planned: Planned) -> list[str]:
    plan, usual = planned.plan, planned.usual
    lines = []
    if usual is not None and usual != plan.batch:
        factor = plan.batch / usual
        lines.append(
            f"batch: the recipe's learning rate is for {count(usual, 'sample')}; for {plan.batch:,} the linear rule "
            f"takes {short(factor)} times as much{', after a warm-up' if factor > 1 else ''} (Goyal et al. 2017)"
        )
    if plan.batch > LARGE_BATCH:
        lines.append(
            f"batch: beyond {LARGE_BATCH:,} images that rule loses accuracy (ResNet-50 on ImageNet, Goyal et al. 2017, "
            "figure 1); lars and lamb were made for more"
        )
    return lines


def assumptions(planned: Planned) -> list[str]:
    """What the figures rest on."""
    plan = planned.plan
    links, pace = plan.links, plan.pace
    lines = [
        f"computing: the roofline's time over {pace.achieved:g}"
        + (f", and {seconds(pace.kernel)} more a kernel" if pace.kernel else "")
        + f" ({pace.source})",
        f"peaks: {plan.device.source}",
    ]
    alone = plan.alone
    lines.append(
        f"efficiency: samples a second of a device over those of one alone with {count(alone.samples, 'sample')}, "
        f"{alone.throughput:,.0f} a second"
    )
    if plan.device.host_source:
        lines.append(f"hosts: {plan.device.host_source}")
    if links.assumed:
        lines.append("assumed, since no vendor prints it: " + "; ".join(links.assumed))
    lines.append(
        "collectives: NCCL's own latencies (2.30, src/graph/tuning.cc), and the bytes that a device sends in a ring "
        f"over the slowest link; those of {', '.join(sorted(JOINED))} joined up to 30 MiB, others one after the other"
    )
    hides = f"{percent(pace.overlap)} of the backward pass" if pace.overlap else "nothing"
    lines.append(
        f"overlap: the sums of gradients hide behind {hides} (--overlap); XLA on GPUs hides only with "
        "--xla_gpu_enable_latency_hiding_scheduler=true, which is off by itself"
    )
    if planned.best is not None and (more := uncounted(plan.graph, planned.best.mesh, plan.step)):
        lines.append(f"not counted: {'; '.join(more)}")
    lines.append("left out: evaluation, checkpoints, starting, devices that are slower than others or fail")
    return lines


def sections(planned: Planned) -> list[Table]:
    """The plan as tables."""
    lines = [f"recommended: {reason(planned)}", *limits(planned)]
    first = meshes(planned)
    tables = [
        Table(first.head, first.rows, first.right, [*first.caption, *lines], first.notes, keys=first.keys),
        communication(planned),
        memory(planned),
    ]
    if not planned.fixed:
        tables.append(scaling(planned))
    tables.append(Table([], [], [], ["assumptions", *(f"- {line}" for line in assumptions(planned))]))
    return tables


def render(planned: Planned) -> str:
    """The plan as text."""
    from archspec.reports.cells import text

    return "\n\n".join(map(text, sections(planned)))


def to_dict(planned: Planned) -> dict[str, Any]:
    """The plan as plain data: seconds and bytes."""
    plan = planned.plan
    return {
        "spec": plan.graph.name,
        "variant": plan.graph.variant,
        "args": dict(plan.graph.args),
        **shapes(plan.graph),
        "device": plan.device.name,
        "devices": plan.devices,
        "hosts": plan.hosts(plan.devices),
        "batch": plan.batch,
        "dtype": plan.dtype,
        "links": {
            "per_host": plan.links.per_host,
            "linked": plan.links.linked,
            "interconnect": plan.links.interconnect,
            "network": plan.links.network,
            "assumed": list(plan.links.assumed),
        },
        "pace": {
            "achieved": plan.pace.achieved,
            "kernel_seconds": plan.pace.kernel,
            "overlap": plan.pace.overlap,
            "source": plan.pace.source,
        },
        "recommended": None if planned.best is None else planned.best.mesh.said,
        "reason": reason(planned),
        "limits": limits(planned),
        "assumptions": assumptions(planned),
        "meshes": [_placed_dict(planned, placed) for placed in planned.found],
        "scaling": []
        if planned.fixed
        else [
            {
                "devices": number,
                "hosts": plan.hosts(number),
                "limit": None if placed is None else planned.limit(placed),
                "best": None if placed is None else _short_dict(planned, placed),
            }
            for number, placed, _ in planned.scaling
        ],
    }


def _short_dict(planned: Planned, placed: Placed) -> dict[str, Any]:
    plan = planned.plan
    return {
        "mesh": dict(zip(("data", "fsdp", "spatial"), placed.mesh.sizes, strict=True)),
        "samples": placed.samples,
        "memory_bytes": placed.needed,
        "fits": placed.fits,
        "sent_bytes": int(placed.sent),
        "collective_bytes": placed.bytes,
        "computing_seconds": placed.passes.seconds,
        "communicating_seconds": placed.communicating,
        "step_seconds": placed.seconds,
        "samples_per_second": planned.throughput(placed),
        "efficiency": plan.efficiency(placed),
    }


def _placed_dict(planned: Planned, placed: Placed) -> dict[str, Any]:
    peak = placed.memory.peak(placed.samples)
    return {
        **_short_dict(planned, placed),
        "memory": {name: part.fixed + placed.samples * part.per_sample for name, part in peak.parts.items()},
        "communication_seconds": dict(placed.communication),
        "hidden_seconds": placed.hidden,
        "collectives": [{**total._asdict(), "axes": list(total.axes)} for total in placed.totals],
    }
