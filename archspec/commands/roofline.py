"""Predicts how fast a network can be on a device at best."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
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
from archspec.diagnostics import DataError, Diagnostic, SpecError
from archspec.output import as_json, print_as

if TYPE_CHECKING:
    from archspec.figures.devices import Device
    from archspec.figures.roofline import Prediction


def options(command: argparse.ArgumentParser) -> None:
    from archspec.figures.devices import DTYPES

    command.add_argument("spec", nargs="?", metavar="SPEC")
    command.add_argument(
        "--device",
        metavar="DEVICE",
        help="a name from --list, or a processor: cpu:CORESxGHZ,INSTRUCTIONS,BANDWIDTH[,MEMORY], as "
        "cpu:8x3.0,avx2,50GB/s,64GB; instructions are sse, neon, avx, avx2, avx512, or operations a cycle, as 32flops",
    )
    command.add_argument("--list", action="store_true", help="print the devices with their peaks and sources")
    command.add_argument(
        "--mode", choices=("eval", "train"), default="eval", help="train adds gradients and the update"
    )
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        help="float32 where the device has it, if left out",
    )
    command.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="samples a step, of all devices (default 1)"
    )
    command.add_argument(
        "--devices", type=positive, default=1, metavar="N", help="equal devices that share the batch (default 1)"
    )
    command.add_argument("--no-fusion", action="store_true", help="element-wise layers read and write memory")
    command.add_argument("--depth", type=positive, metavar="N", help="fold blocks below this depth into one row")
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw the roofline: .svg, .png or .pdf")
    optimiser_option(command)
    spec_options(command, formats=TABLES)
    command.epilog = "example: archspec roofline resnet50 --device a100 --dtype bfloat16 --batch 256 --mode train"


def run(options: argparse.Namespace) -> int:
    if options.list or options.device == "list":
        _show_devices(options)
        return 0
    if options.spec is None or options.device is None:
        missing = "SPEC" if options.spec is None else "--device"
        what = f"`archspec roofline` needs a network and a device; {missing} is missing"
        help = ("`archspec roofline resnet50 --device a100`", "`archspec roofline --list` has the devices")
        raise SpecError([Diagnostic("E113", what, help=help)])
    from archspec.figures.roofline import predict

    try:
        if options.plot is not None:
            from archspec.reports.plotting import check_suffix

            check_suffix(options.plot)
        device = _device(options)
    except DataError as error:
        raise error.located(None) from None
    spec = open_checked(options.spec, options)
    prediction = predict(
        spec.graph(),
        device,
        dtype=options.dtype,
        mode=options.mode,
        batch=options.batch,
        devices=options.devices,
        fusion=not options.no_fusion,
        optimiser=optimiser_of(options, spec),
    )
    warnings = [_too_large(prediction)] if prediction.fits is False else []
    if failed(warnings, options):
        raise SpecError(warnings)
    if options.plot is not None:
        from archspec.reports.roofline_plot import draw

        try:
            draw(prediction, options.plot)
        except DataError as error:
            raise error.located(None) from None
    _show(prediction, warnings, options)
    return 0


def _show_devices(options: argparse.Namespace) -> None:
    """Prints the devices that there are."""
    from archspec.figures.devices import devices
    from archspec.reports.roofline import device_table, device_to_dict
    from archspec.reports.tables import document

    known = devices().values()
    if options.format == "json":
        print(as_json([device_to_dict(device) for device in known]))
    else:
        print_as(document([device_table(known)], options.format, "devices"), options.format)


def _too_large(prediction: Prediction) -> Diagnostic:
    """The warning that a batch does not fit into the device's memory."""
    from archspec.reports.roofline import gigabytes

    most = prediction.largest_batch
    help = f"the largest batch that fits is {most:,}" if most else "not even one sample a device fits"
    needed, there = gigabytes(prediction.needed), gigabytes(prediction.device.memory or 0)
    message = f"{prediction.graph.name} needs {needed} a device and {prediction.device.title} has {there}"
    return Diagnostic("W401", message, severity="warning", help=(help,))


def _show(prediction: Prediction, warnings: list[Diagnostic], options: argparse.Namespace) -> None:
    """Prints the prediction in the format asked for, and then the warnings."""
    from archspec.reports.roofline import render, table, to_dict
    from archspec.reports.tables import document

    if options.format == "json":
        print(as_json({**to_dict(prediction, options.depth), "diagnostics": [item.to_json() for item in warnings]}))
        return
    if options.format == "table":
        print(render(prediction, options.depth))
    else:
        print_as(document([table(prediction, options.depth)], options.format, prediction.graph.name), options.format)
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
