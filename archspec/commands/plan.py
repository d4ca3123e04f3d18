"""Predicts which mesh a network trains on best, and what bounds it on many devices."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from archspec.commands._common import (
    TABLES,
    failed,
    open_checked,
    optimiser_of,
    optimiser_option,
    positive,
    show,
    spec_options,
)
from archspec.diagnostics import DataError, Diagnostic, SpecError, count
from archspec.output import as_json, print_as

if TYPE_CHECKING:
    from archspec.figures.devices import Device
    from archspec.loading import Spec
    from archspec.mesh import Mesh
    from archspec.reports.plan import Planned
    from archspec.sharding.collectives import Step
    from archspec.sharding.plan import Plan
    from archspec.spec.train import Train


def options(command: argparse.ArgumentParser) -> None:
    from archspec.figures.devices import DTYPES
    from archspec.mesh import FORM

    command.add_argument("spec", metavar="SPEC")
    command.add_argument(
        "--device",
        required=True,
        metavar="DEVICE",
        help="a name from `archspec roofline --list`, or a processor: cpu:CORESxGHZ,INSTRUCTIONS,BANDWIDTH[,MEMORY]",
    )
    command.add_argument("--devices", type=positive, metavar="N", help="equal devices; those of --mesh if left out")
    command.add_argument(
        "--batch", type=positive, metavar="N", help="samples a step, of all devices; the recipe's if left out"
    )
    command.add_argument("--mesh", metavar="MESH", help=f"this mesh alone: {FORM}; all that can be if left out")
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        help="the recipe's precision if left out, float32 as tf32 where the device has that, as JAX multiplies there",
    )
    command.add_argument(
        "--per-host", type=positive, metavar="N", help="devices of a host; as the vendor builds one if left out"
    )
    command.add_argument(
        "--network", type=_rate, metavar="RATE", help="out of a host to others, all adapters together: 400Gb/s, 50GB/s"
    )
    command.add_argument(
        "--interconnect", type=_rate, metavar="RATE", help="out of a device to others of its host: 450GB/s"
    )
    command.add_argument(
        "--host-rate", type=_samples, metavar="N", help="samples a second that a host reads and prepares"
    )
    command.add_argument(
        "--overlap",
        type=_part,
        default=0.0,
        metavar="PART",
        help="of the backward pass behind which sums of gradients hide, from 0 to 1 (default 0)",
    )
    command.add_argument(
        "--achieved", type=_share, metavar="PART", help="of the roofline that a step reaches; as measured if left out"
    )
    optimiser_option(command)
    spec_options(command, formats=TABLES)
    command.epilog = "example: archspec plan resnet50 --devices 64 --device h200 --batch 8192"


def run(options: argparse.Namespace) -> int:
    from archspec.reports.plan import Planned

    try:
        device, mesh = _device(options), _mesh(options)
    except DataError as error:
        raise error.located(None) from None
    spec = open_checked(options.spec, options)
    try:
        plan = _plan(options, spec, device, mesh)
        found = [plan.placed(mesh)] if mesh is not None else plan.all(plan.devices)
        best = plan.best(found)
    except DataError as error:
        raise error.located(None) from None
    usual = None if spec.train is None or spec.train.batch_size == "auto" else spec.train.samples
    planned = Planned(plan, found, best, mesh is not None, options.host_rate, usual)
    warnings = [_too_large(planned)] if best is None else []
    if failed(warnings, options):
        raise SpecError(warnings)
    _show(planned, warnings, options)
    return 0


def _plan(options: argparse.Namespace, spec: Spec, device: Device, mesh: Mesh | None) -> Plan:
    """The plan that is asked for. Raises `DataError` where the batch cannot be divided."""
    from archspec.figures.devices import DTYPES
    from archspec.sharding.links import links_of
    from archspec.sharding.plan import Plan, pace_of

    train = spec.train
    wanted = train.precision if train is not None else device.default_dtype
    if wanted == "float32" and "tf32" in device.flops:
        wanted = "tf32"
    dtype = options.dtype or (wanted if wanted in device.flops else device.default_dtype)
    batch = options.batch
    if batch is None:
        if train is None or train.batch_size == "auto":
            raise DataError("E113", "`archspec plan` needs a batch, and the recipe has none", help=["`--batch 256`"])
        batch = train.samples
    devices = options.devices or (1 if mesh is None else mesh.devices)
    pace = pace_of(device, dtype)._replace(overlap=options.overlap)
    if options.achieved is not None:
        pace = pace._replace(achieved=options.achieved, source="--achieved")
    assert dtype in DTYPES
    plan = Plan(
        spec.graph(),
        device,
        dtype,
        batch,
        devices,
        links_of(device, devices, options.per_host, options.interconnect, options.network),
        pace,
        _step(options, spec, train, device, dtype),
        train is not None and train.mesh is not None and train.mesh.per_device,
    )
    _check(plan, mesh)
    return plan


def _step(options: argparse.Namespace, spec: Spec, train: Train | None, device: Device, dtype: str) -> Step:
    """What of the recipe says how a step is divided; a spec without one has a plain step."""
    from archspec.sharding.collectives import Step
    from archspec.spec.needs import divided_step
    from archspec.training.freezing import NOTHING, frozen_at

    graph = spec.graph()
    frozen = NOTHING if train is None else frozen_at(train, graph, 1)
    plain = Step(
        "float32" if dtype == "tf32" else dtype,
        optimiser_of(options, spec),
        frozen_arrays=frozen.arrays,
        frozen_layers=frozen.layers,
        heads=spec.heads(),
        scatters=not device.is_cpu,
    )
    return divided_step(graph, train, plain)


def _check(plan: Plan, mesh: Mesh | None) -> None:
    """Raises `DataError` (E525) where the batch or the network cannot be divided so."""
    if mesh is not None:
        why = plan.why_not(mesh)
        if why is not None:
            divides = plan.batch % (mesh.batches * plan.step.parts) == 0
            help = ["leave `spatial` out, or choose rows that it divides"] if divides else _batches(plan, mesh.batches)
            raise DataError("E525", f"`{mesh.said}`: {why}", help=help)
        return
    if not plan.meshes(plan.devices):
        raise DataError(
            "E525",
            f"{count(plan.batch, 'sample')} cannot be divided over {count(plan.devices, 'device')}",
            help=_batches(plan, plan.devices),
        )


def _batches(plan: Plan, parts: int) -> list[str]:
    """What divides: batches for these parts, and devices for this batch."""
    parts *= plan.step.parts
    below, above = plan.batch // parts * parts, -(-plan.batch // parts) * parts
    batches = f"{below:,} or {above:,}" if below and below != above else f"{above:,}"
    fewer = max(number for number in range(1, plan.devices + 1) if plan.batch % number == 0)
    return [
        f"a batch of {batches} divides",
        f"{count(plan.batch, 'sample')} can be divided over {count(fewer, 'device')}",
    ]


def _too_large(planned: Planned) -> Diagnostic:
    """The warning that no mesh has the memory."""
    from archspec.reports.plan import reason

    plan, least = planned.plan, planned.found[0]
    largest = least.memory.largest_batch(int(plan.device.memory or 0)) * least.mesh.batches
    help = [
        f"the largest batch that fits with {least.mesh.said} is {largest:,}"
        if largest
        else f"not even one sample a device fits with {least.mesh.said}",
        "`train.micro_batches`, `train.remat: all` and a 16-bit `train.precision` need less",
    ]
    return Diagnostic("W401", reason(planned), severity="warning", help=tuple(help))


def _show(planned: Planned, warnings: list[Diagnostic], options: argparse.Namespace) -> None:
    """Prints the plan in the format asked for, and then the warnings."""
    from archspec.reports.cells import WRITERS
    from archspec.reports.plan import meshes, render, sections, to_dict
    from archspec.reports.tables import document

    if options.format == "json":
        print(as_json({**to_dict(planned), "diagnostics": [item.to_json() for item in warnings]}))
        return
    if options.format == "table":
        print(render(planned))
    elif options.format == "csv":
        print_as(WRITERS["csv"](meshes(planned)), "csv")
    else:
        print_as(document(sections(planned), options.format, planned.plan.graph.name), options.format)
    sys.stdout.flush()
    show(warnings, options)


def _device(options: argparse.Namespace) -> Device:
    """The device, which must have a peak for the dtype."""
    from archspec.figures.devices import find_device

    device = find_device(options.device)
    if options.dtype is not None and options.dtype not in device.flops:
        has = ", ".join(device.flops)
        raise DataError("E113", f"{device.title} has no peak for {options.dtype} here", help=[f"it has one for {has}"])
    return device


def _mesh(options: argparse.Namespace) -> Mesh | None:
    """The mesh of `--mesh`. Raises `DataError` where it contradicts `--devices`, or neither is there."""
    from archspec.mesh import AXES, Mesh, read_mesh

    if options.mesh is None:
        if options.devices is None:
            raise DataError("E113", "`archspec plan` needs devices", help=["`--devices 64`, or `--mesh data=64`"])
        return None
    try:
        axes = read_mesh(options.mesh)
    except ValueError as error:
        raise DataError("E113", f"`--mesh {options.mesh[:60]}`: {error}") from None
    numbers = {axis: size for axis, size in axes.items() if not isinstance(size, str)}
    data, fsdp, spatial = (numbers.get(axis, 1) for axis in AXES)
    mesh = Mesh(data, fsdp, spatial)
    if "auto" in axes.values():
        if options.devices is None:
            raise DataError(
                "E113", "`data=auto` takes the devices that are left, of --devices", help=["`--devices 64`"]
            )
        if options.devices % mesh.devices:
            raise DataError("E525", f"{mesh.devices:,} devices along the other axes do not divide {options.devices:,}")
        return mesh._replace(data=options.devices // mesh.devices)
    if options.devices not in (None, mesh.devices):
        raise DataError(
            "E525",
            f"{mesh.said} is of {count(mesh.devices, 'device')}, and --devices says {options.devices:,}",
            help=["leave --devices out, or write data=auto"],
        )
    return mesh


def _rate(text: str) -> float:
    from archspec.figures.units import read_rate

    try:
        return read_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _part(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _share(text: str) -> float:
    value = _part(text)
    if not value:
        raise argparse.ArgumentTypeError("no part of the roofline is no speed at all")
    return value


def _samples(text: str) -> float:
    return float(positive(text.replace(",", "")))
