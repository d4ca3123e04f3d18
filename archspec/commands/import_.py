"""Makes a spec of a model's file that another tool wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.commands._common import show
from archspec.diagnostics import count
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a model's file; docs/import.md lists the formats")
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="SPEC.yaml|DIR",
        help="the spec, with its weights beside it as safetensors; or a folder for both, for predict, eval and export",
    )
    command.add_argument("--overwrite", action="store_true", help="replace files that are there")
    command.add_argument(
        "--input", type=_size, metavar="HxW", help="the input's size where the file leaves it open: 224x224, 224x224x3"
    )
    command.add_argument(
        "--keep-softmax", action="store_true", help="keep a softmax at the end, which is left out otherwise"
    )
    command.add_argument("--flat", action="store_true", help="write layers one by one, without blocks and loops")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec import yolov3.cfg -o yolov3.yaml"


def _size(text: str) -> tuple[int, ...]:
    parts = text.lower().replace("×", "x").split("x")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no size such as 224x224 or 224x224x3")
    sizes = tuple(map(int, parts))
    if not all(sizes):
        raise argparse.ArgumentTypeError("sizes are 1 or more")
    return sizes


def run(options: argparse.Namespace) -> int:
    with loading():
        from archspec.importing.writing import import_model

    made = import_model(
        options.file,
        options.output,
        overwrite=options.overwrite,
        keep_softmax=options.keep_softmax,
        input=options.input,
        flat=options.flat,
    )
    status = 1 if made.missing else 0
    if options.format == "json":
        graph = made.graph
        figures = {"layers": len(graph.nodes), "params": graph.params, "macs": graph.macs} if graph else {}
        files = {"spec": str(made.file), "weights": str(made.weights) if made.weights else None}
        missing = [item.to_json() for item in made.missing]
        print(as_json({**files, **figures, "arrays": made.arrays, "notes": list(made.notes), "missing": missing}))
        return status
    for note in made.notes:
        say(f"note: {note}")
    show(made.missing, options)
    words = [str(made.file)]
    if made.graph is not None:
        graph = made.graph
        sizes = ((len(graph.nodes), "layer"), (graph.params, "parameter"), (graph.macs, "multiply–add"))
        words.append(", ".join(count(number, word) for number, word in sizes))
    else:
        words.append(f"{count(len(made.missing), 'operation')} not imported: the spec does not validate as it is")
    print(printable(": ".join(words)))
    if made.weights is not None:
        print(printable(f"{made.weights}: {count(made.arrays, 'array')}"))
    else:
        print("the file has no weights")
    return status
