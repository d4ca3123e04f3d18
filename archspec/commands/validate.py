"""Checks specs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from archspec.commands._common import failed, overrides_of, show, spec_options
from archspec.diagnostics import Diagnostic, SpecError, count


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument(
        "--skip-others",
        action="store_true",
        help="pass over files without `archspec:`, and those of blocks alone, as hooks need that are given every file",
    )
    spec_options(command)
    command.epilog = "example: archspec validate specs/zoo/lenet.yaml"


def run(options: argparse.Namespace) -> int:
    from archspec.loading import diagnostics_of_family, open_specs

    overrides = overrides_of(options)
    diagnostics: list[Diagnostic] = []
    targets = _ours(options.specs) if options.skip_others else options.specs
    for target in targets:
        try:
            specs = open_specs(target, overrides)
        except SpecError as error:
            diagnostics.extend(error.diagnostics)
            continue
        diagnostics.extend(diagnostics_of_family({spec.variant: spec.diagnostics for spec in specs}))
        for spec in specs:
            if options.format != "json" and not failed(spec.diagnostics, options):
                graph = spec.graph().pruned("eval")
                params = count(graph.count("trainable"), "parameter")
                print(f"ok: {spec.label} — {count(len(graph.nodes), 'layer')}, {params}, {graph.macs:,} multiply–adds")
    unique = list(dict.fromkeys(diagnostics))
    show(unique, options)
    return 1 if failed(unique, options) else 0


def _ours(targets: Sequence[str]) -> list[str]:
    """The targets that are specs, or no files that can be read, which is told of; how many are passed over is said."""
    from pathlib import Path

    from archspec.output import say
    from archspec.source import is_file, text_of
    from archspec.spec.files import is_library, is_ours

    kept: list[str] = []
    libraries = 0
    for target in targets:
        try:
            text = text_of(Path(target)) if is_file(Path(target)) else None
        except (OSError, ValueError):
            text = None if target.endswith((".yaml", ".yml")) else ""
        if text is not None and is_ours(text) and is_library(text):
            libraries += 1
        elif text is None or is_ours(text):
            kept.append(target)
    others = len(targets) - len(kept) - libraries
    said = [f"{count(others, 'file')} without `archspec:`"] if others else []
    said += [f"{count(libraries, 'file')} of blocks alone"] if libraries else []
    if said:
        say(f"passed over: {' and '.join(said)}")
    return kept
