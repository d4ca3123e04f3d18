"""What commands share: the options of a spec, opening it, printing diagnostics."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from archspec.diagnostics import DataError, Diagnostic, Findings, SpecError
from archspec.output import as_json, say

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.optimisers import Optimiser
    from archspec.spec.overrides import Override


TABLES = ("table", "json", "csv", "markdown", "latex", "html")
"""Formats of commands that print tables."""


def spec_options(command: argparse.ArgumentParser, formats: tuple[str, ...] = ("text", "json")) -> None:
    set_option(
        command, "override a value: train.epochs=2, args.classes=26; relative paths start from the current folder"
    )
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="HxW",
        help="another input size: 64x64, 64x64x3 with channels, 16000 of a signal; of one among several left=64x64",
    )
    command.add_argument("--strict", action="store_true", help="warnings are errors")
    if formats:
        command.add_argument("--format", choices=formats, default=formats[0])


def set_option(command: argparse.ArgumentParser, help: str) -> None:
    """The option `--set`."""
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides", help=help)


def spec_or_run(given: str) -> tuple[str, Path | None]:
    """The spec that is meant, and the folder of the run or import where it is one's."""
    folder = Path(given)
    own = folder / "spec.yaml"
    return (str(own), folder) if own.is_file() else (given, None)


def passes_option(command: argparse.ArgumentParser) -> None:
    """The option `--passes`."""
    command.add_argument(
        "--passes",
        type=_passes,
        metavar="NAMES",
        help="rewritings for speed, with commas between them: fold_batch_norm, fuse_pointwise, scan_blocks; or none; "
        "the recipe's if left out",
    )


def precision_option(command: argparse.ArgumentParser, help: str) -> None:
    """The option `--precision`."""
    command.add_argument("--precision", choices=("float32", "bfloat16", "float16"), help=help)


def _passes(text: str) -> tuple[str, ...]:
    from archspec.passes import chosen

    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def overrides_of(options: argparse.Namespace) -> list[Override]:
    """The overrides of `--set` and `--input`. Raises `SpecError` when one cannot be understood."""
    sizes = getattr(options, "input", [])
    if not options.overrides and not sizes:
        return []
    from archspec.spec.overrides import parse_input, parse_override

    findings = Findings()
    parsed = [parse_override(text, findings) for text in options.overrides]
    for text in sizes:
        parsed.extend(parse_input(text, findings))
    findings.raise_if_failed()
    return [item for item in parsed if item is not None]


def open_checked(target: str, options: argparse.Namespace, *, but: Collection[str] = ()) -> Spec:
    """One checked spec. Warnings are printed, `but` those of codes that the command goes on to say as errors.

    Raises `SpecError` on errors, and with --strict on warnings.
    """
    from archspec.loading import open_spec

    spec = open_spec(target, overrides_of(options))
    diagnostics = spec.diagnostics
    if failed(diagnostics, options):
        raise SpecError(diagnostics)
    if options.format != "json":
        show([item for item in diagnostics if item.code not in but], options)
    return spec


def lowerings_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--lowerings",
        choices=("auto", "library"),
        help="how operations are computed: chosen for the device, or all by JAX and XLA; by default as the recipe says",
    )


def optimiser_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--optimiser", metavar="KIND", help="whose state training keeps; otherwise the recipe's, or adam"
    )


def optimiser_of(options: argparse.Namespace, spec: Spec) -> Optimiser | None:
    """The optimiser of `--optimiser`, else of the spec's recipe. Raises `SpecError` when there is no such kind."""
    if options.optimiser is None:
        return spec.train.optimiser if spec.train else None
    from archspec.kinds import find_kind, kind_names
    from archspec.optimisers import Optimiser

    kind = find_kind("optimisers", options.optimiser)
    if kind is None:
        from archspec.spec.unknown import unknown_kind

        findings = Findings()
        unknown_kind(options.optimiser, None, set(kind_names("optimisers")), "optimiser", findings)
        findings.raise_if_failed()
    assert kind is not None and issubclass(kind, Optimiser)
    return kind.plain_default(learning_rate=0.001)


def check_run(folder: Path) -> None:
    """Raises `SpecError` where a folder holds no run, before JAX is loaded, which takes seconds."""
    from archspec.runs.folder import open_run

    try:
        open_run(folder)
    except DataError as error:
        raise error.located(None) from None


def failed(diagnostics: Sequence[Diagnostic], options: argparse.Namespace) -> bool:
    return any(item.severity == "error" or options.strict for item in diagnostics)


def show(diagnostics: Sequence[Diagnostic], options: argparse.Namespace) -> None:
    """Prints diagnostics: text on standard error, JSON on standard output."""
    if getattr(options, "format", "text") == "json":
        print(as_json([item.to_json() for item in diagnostics]))
    elif diagnostics:
        from archspec.rendering import render_text

        text = render_text(diagnostics, colour=coloured(sys.stderr))
        terminal = sys.stderr is not None and sys.stderr.isatty()
        say(f"{text}\n{_more(diagnostics)}" if terminal else text, clean=False)


def _more(diagnostics: Sequence[Diagnostic]) -> str:
    """Where people who read diagnostics in a terminal learn what their codes mean."""
    codes = list(dict.fromkeys(item.code for item in diagnostics))
    return f"`archspec explain {' '.join(codes[:3])}` says more"


def coloured(stream: TextIO | None) -> bool:
    """Whether what is printed there may have colours."""
    return stream is not None and stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def write_file(file: Path, contents: bytes) -> None:
    """Writes a drawing or a page. Raises `SpecError` when that cannot be done."""
    from archspec.writing import write

    try:
        write(file, contents)
    except DataError as error:
        raise error.located(None) from None


def named_columns(text: str, known: Collection[str]) -> list[str] | None:
    """The names that `--columns` lists, None where there are none. Raises `ArgumentTypeError` for one not known."""
    from archspec.diagnostics import did_you_mean

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise argparse.ArgumentTypeError(f"there is no column {name!r}; {hint}")
    return names or None


def check_columns(options: argparse.Namespace) -> None:
    """Refuses `--columns` that have nothing to show."""
    if "counted" in (options.columns or ()) and options.convention is None:
        raise DataError(
            "E113", "the column counted has what --convention counts", help=["give one: --convention fvcore"]
        ).located(None)
    if options.columns and options.format == "json":
        raise DataError(
            "E113", "JSON has every figure", help=["leave --columns out, or take another --format"]
        ).located(None)
