"""Checks specs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.commands._common import failed, overrides_of, show, spec_options
from archspec.diagnostics import Diagnostic, Findings, SpecError, count
from archspec.output import say

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.overrides import Override


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument(
        "--skip-others",
        action="store_true",
        help="pass over files without `archspec:`, and those of blocks alone, as hooks need that are given every file",
    )
    command.add_argument(
        "--fix",
        action="store_true",
        help="change the files as the help lines say that leave no doubt; each change is checked, and shown",
    )
    spec_options(command)
    command.epilog = "example: archspec validate specs/zoo/lenet.yaml"


def run(options: argparse.Namespace) -> int:
    overrides = overrides_of(options)
    targets = _ours(options.specs) if options.skip_others else options.specs
    if options.fix:
        from archspec.commands._fixing import run as fix

        return fix(targets, overrides, options)
    diagnostics: list[Diagnostic] = []
    for target in targets:
        found, specs = findings_of(target, overrides)
        diagnostics.extend(found)
        for spec in specs:
            if options.format != "json" and not failed(spec.diagnostics, options):
                print(ok(spec))
    unique = list(dict.fromkeys(diagnostics))
    show(unique, options)
    number = sum(item.certain_mend is not None for item in unique)
    if options.format != "json" and number:
        say(f"{number:,} of them may be mended by --fix")
    return 1 if failed(unique, options) else 0


def findings_of(
    target: str, overrides: Sequence[Override], findings: Findings | None = None
) -> tuple[list[Diagnostic], Sequence[Spec]]:
    """What is found in a spec and all its variants, and the networks where they could be opened."""
    from archspec.loading import diagnostics_of_family, open_specs

    try:
        specs = open_specs(target, overrides, findings=findings)
    except SpecError as error:
        return list(error.diagnostics), ()
    return diagnostics_of_family({spec.variant: spec.diagnostics for spec in specs}), specs


def ok(spec: Spec) -> str:
    """What is said of a spec that has no fault."""
    graph = spec.graph().pruned("eval")
    params = count(graph.count("trainable"), "parameter")
    return f"ok: {spec.label} — {count(len(graph.nodes), 'layer')}, {params}, {graph.macs:,} multiply–adds"


def _ours(targets: Sequence[str]) -> list[str]:
    """The targets that are specs, or no files that can be read, which is told of; how many are passed over is said."""
    from pathlib import Path

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
