"""Imports and exports weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import open_checked, overrides_of, spec_options
from archspec.diagnostics import count
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading


def options(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    take = actions.add_parser("import", help="read a file of tensors into a network")
    take.add_argument("spec", metavar="SPEC")
    take.add_argument("file", type=Path, metavar="FILE", help="safetensors, or what torch.save writes")
    take.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="folder to write")
    take.add_argument("--names", metavar="SET", help="whose names the tensors have; otherwise what fits best")
    take.add_argument("--prefix", metavar="TEXT", help="what the names begin with, where a file has several of each")
    take.add_argument("--partial", action="store_true", help="take what matches, draw the rest at random")
    spec_options(take)
    take.epilog = "example: archspec weights import resnet50 resnet50.safetensors -o runs/resnet50"
    take.set_defaults(action="import")
    give = actions.add_parser("export", help="write the weights of a run or an import as safetensors")
    give.add_argument("folder", type=Path, metavar="RUN")
    give.add_argument("file", type=Path, metavar="FILE")
    give.add_argument("--names", metavar="SET", help="torchvision, timm, …, pytorch or archspec")
    give.add_argument("--format", choices=("text", "json"), default="text")
    give.epilog = "example: archspec weights export runs/resnet50 resnet50.safetensors --names torchvision"
    give.set_defaults(action="export")


def run(options: argparse.Namespace) -> int:
    return _weights_import(options) if options.action == "import" else _weights_export(options)


def _weights_import(options: argparse.Namespace) -> int:
    open_checked(options.spec, options)  # shows what there is to warn of, and obeys --strict
    with loading():
        from archspec.weights.folder import import_weights

    notes: list[str] = []
    match = import_weights(
        options.spec,
        options.file,
        options.output,
        names=options.names,
        partial=options.partial,
        prefix=options.prefix,
        overrides=overrides_of(options),
        notes=notes,
    )
    for note in notes:
        say(f"note: {note}")
    if options.format == "json":
        print(as_json({"folder": str(options.output), **match.to_dict()}))
    else:
        for line in match.summary().splitlines():
            print(printable(line))  # names of tensors are whoever's
        print(f"folder {options.output}")
    return 0


def _weights_export(options: argparse.Namespace) -> int:
    with loading():
        from archspec.weights.folder import export_weights

    notes: list[str] = []
    names, tensors = export_weights(options.folder, options.file, names=options.names, notes=notes)
    for note in notes:
        say(f"note: {note}")
    if options.format == "json":
        print(as_json({"file": str(options.file), "names": names, "tensors": tensors}))
    else:
        print(f"{options.file}: {count(tensors, 'tensor')}, named as {names} has them")
    return 0
