"""Exports a network to another tool's format."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from archspec.commands._common import check_run, open_checked, overrides_of, positive, spec_options, spec_or_run
from archspec.diagnostics import DataError, listed
from archspec.exporting.targets import TARGETS, Target
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="RUN", help="folder of a run or an import, or a spec with fresh weights")
    command.add_argument(
        "--to",
        choices=tuple(TARGETS),
        required=True,
        metavar="TARGET",
        help="; ".join(f"{name}: {target.about}" for name, target in TARGETS.items()),
    )
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="file to write")
    command.add_argument(
        "--seed", type=_seed, metavar="N", help="from which a spec's weights are drawn (default 0); a run has its own"
    )
    # Options of single targets: `Target.options` has their names.
    command.add_argument(
        "--with-preprocessing",
        action="store_true",
        default=None,
        help=f"{_having('with_preprocessing')}: the model takes pixels from 0 to 255 and scales them itself",
    )
    command.add_argument(
        "--int8",
        action="store_true",
        default=None,
        help=f"{_having('int8')}: weights and activations are integers of 8 bits, by samples of the run's data",
    )
    command.add_argument(
        "--calibration",
        type=positive,
        metavar="N",
        help=f"{_having('calibration')}: training samples by which --int8 chooses its ranges (default 200)",
    )
    command.add_argument(
        "--litert",
        type=Path,
        metavar="PYTHON",
        help=f"{_having('litert')}: the Python whose environment has LiteRT's converter, or ARCHSPEC_LITERT in the "
        "environment; this one if left out",
    )
    spec_options(command)
    command.epilog = "example: archspec export runs/lenet5 --to onnx -o lenet5.onnx"


def _having(option: str) -> str:
    return listed(name for name, target in TARGETS.items() if option in target.options)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:20]) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def run(options: argparse.Namespace) -> int:
    target = TARGETS[options.to]
    given = _given(options, target)
    spec, folder = spec_or_run(options.spec)
    if folder is not None:
        check_run(folder)
        if options.seed is not None:
            raise DataError("E113", f"{folder} has weights, which --seed does not draw").located(None)
    else:
        open_checked(spec, options)  # shows what there is to warn of, and obeys --strict
    with loading():
        from archspec.exporting.export import check_file, exported
        from archspec.exporting.subject import subject_of
    check_file(target, options.output, folder)
    notes: list[str] = []
    subject = subject_of(spec, folder, overrides_of(options), seed=options.seed or 0, notes=notes)
    written = exported(subject, options.to, options.output, notes, given)
    for note in written.notes:
        say(f"note: {note}")
    if options.format == "json":
        files = [str(file) for file in written.files]
        print(as_json({"files": files, "to": options.to, **written.about, "notes": list(written.notes)}))
    else:
        for file in written.files:
            print(printable(str(file)))
    return 0


def _given(options: argparse.Namespace, target: Target) -> dict[str, Any]:
    """The options that are given of those that single targets have. Raises `SpecError` for one of another target."""
    every = {name for other in TARGETS.values() for name in other.options}
    given = {name: getattr(options, name) for name in sorted(every) if getattr(options, name) is not None}
    for name in given:
        if name not in target.options:
            flag = f"--{name.replace('_', '-')}"
            raise DataError("E113", f"{flag} goes with --to {_having(name)}, not {options.to}").located(None)
    return given
