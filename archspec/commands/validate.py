"""Checks specs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from archspec.commands._common import failed, overrides_of, show, spec_options
from archspec.diagnostics import Diagnostic, SpecError, count
from archspec.loading import Spec


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    spec_options(command)
    command.epilog = "example: archspec validate specs/zoo/lenet.yaml"


def run(options: argparse.Namespace) -> int:
    from archspec.loading import open_specs

    overrides = overrides_of(options)
    diagnostics: list[Diagnostic] = []
    for target in options.specs:
        try:
            specs = open_specs(target, overrides)
        except SpecError as error:
            diagnostics.extend(error.diagnostics)
            continue
        diagnostics.extend(_of_family(specs))
        for spec in specs:
            if options.format != "json" and not failed(spec.diagnostics, options):
                graph = spec.graph().pruned("eval")
                params = count(graph.count("trainable"), "parameter")
                print(f"ok: {spec.label} — {count(len(graph.nodes), 'layer')}, {params}, {graph.macs:,} multiply–adds")
    unique = list(dict.fromkeys(diagnostics))
    show(unique, options)
    return 1 if failed(unique, options) else 0


def _of_family(specs: Sequence[Spec]) -> list[Diagnostic]:
    """The diagnostics of a file's variants, each once, saying which variants it concerns unless it is all."""
    where: dict[Diagnostic, list[str]] = {}
    for spec in specs:
        for item in spec.diagnostics:
            where.setdefault(item, []).append(spec.variant or "the spec without a variant")
    return [
        item
        if len(names) == len(specs)
        else item._replace(notes=(*item.notes, f"in {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"))
        for item, names in where.items()
    ]
