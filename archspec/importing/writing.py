"""`archspec import`: a file of a model becomes a spec, its weights beside it, or the folder of an import."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from archspec.diagnostics import DataError, Diagnostic, count, unwritable
from archspec.graph import Graph
from archspec.importing.building import Built, built
from archspec.importing.finishing import opened
from archspec.importing.reading import format_of, read
from archspec.runs.folder import made_by_run
from archspec.runs.imports import check_output, replaced_import, write_import
from archspec.runs.owner import MARKER, take
from archspec.weights.files import write_tensors
from archspec.weights.naming import NATIVE
from archspec.writing import digest_of, write_by

ABOUT = "archspec"
"""Under this key a file of weights says what they expect, as those that `archspec weights export` writes."""
SPECS = (".yaml", ".yml")
MOST_PLACES = 12
"""Operations that are named where a folder cannot be made."""


@dataclass(frozen=True)
class Imported:
    """What an import gave. `graph` is None where operations are `missing`, each an error with its place.

    `spec` is the text, `file` where it was written; `weights` is the file of the arrays, None where the model has none.
    `unfilled` counts arrays that the model's file does not have.
    """

    spec: str
    graph: Graph | None
    notes: Sequence[str]
    missing: Sequence[Diagnostic]
    file: Path | None = None
    weights: Path | None = None
    arrays: int = 0
    unfilled: int = 0


def import_model(
    file: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    keep_softmax: bool = False,
    input: tuple[int, ...] | None = None,
    flat: bool = False,
) -> Imported:
    """Reads a file of a model that another tool wrote, and makes a spec of it.

    `output` is the spec to write, with its weights beside it as safetensors, or a folder for both, which `predict`,
    `export` and `train.init_from` take; without it nothing is written. Operations that have no kind here are `missing`
    in the result, and marked in the spec. Files that are there are replaced with `overwrite` alone. A softmax that is
    an output is left out unless `keep_softmax`. `input` is (height, width) or (height, width, channels) where the file
    leaves sizes open. What repeats becomes blocks and loops unless the spec is to be `flat`. Raises `SpecError`.
    """
    path = Path(file)
    target = None if output is None else Path(output)
    try:
        format = format_of(path)
        write_out = None if target is None else _writer(target, overwrite)
        made = built(read(path, input), path, keep_softmax=keep_softmax, input=input, flat=flat)
        missing = [
            Diagnostic(
                "E562",
                f"{item.said} {item.why}",
                notes=(f"{path}, {item.place}: it stands as `{item.name}` in the spec",),
            )
            for item in made.missing
        ]
        notes = list(made.notes)
        written: tuple[Path | None, Path | None] = (None, None)
        if write_out is not None:
            written = write_out(made, path, format.name, notes)
    except DataError as error:
        raise error.located(None) from None
    return Imported(made.text, made.graph, notes, missing, *written, len(made.arrays), made.unfilled)


Write = Callable[[Built, Path, str, list[str]], tuple[Path | None, Path | None]]


def _writer(target: Path, overwrite: bool) -> Write:
    """What writes to a target, which was looked at. Raises `DataError` where it is taken."""
    if target.suffix.lower() in SPECS and not target.is_dir():
        weights = target.with_suffix(".safetensors")
        for path in (target, weights):
            if (path.parent / MARKER).exists() and made_by_run(path):
                raise DataError("E567", f"{path} is a file of the run in {path.parent}", help=["choose another file"])
            if path.exists() and not overwrite and str(path) not in ("/dev/stdout", "/dev/null"):
                raise DataError(
                    "E567", f"{path} is there already", help=["--overwrite replaces it, or -o another name"]
                )
        if not target.parent.is_dir():
            raise unwritable(target, FileNotFoundError())
        return lambda made, file, format, notes: _beside(made, target, weights, notes)
    check_output(target)
    if not overwrite and (target / "spec.yaml").exists():
        raise DataError(
            "E567", f"{target} holds an import already", help=["--overwrite replaces it, or -o another name"]
        )
    return lambda made, file, format, notes: _folder(made, target, file, format, notes)


def _beside(made: Built, target: Path, weights: Path, notes: list[str]) -> tuple[Path, Path | None]:
    """The spec and a file of tensors. Where one of them cannot be written, neither replaces what was there."""

    def both(file: BinaryIO) -> None:
        file.write(made.text.encode("utf-8", "replace"))
        if made.arrays:
            write_tensors(weights, made.arrays, {"format": NATIVE, **_about(made)})

    write_by(target, both)
    if made.arrays:
        if made.unfilled:
            notes.append(f"the file lacks {count(made.unfilled, 'array')} that the layers have")
    elif weights.exists():
        notes.append(f"{weights} is of another import, and not of this spec: the file has no weights")
    return target, weights if made.arrays else None


def _folder(made: Built, target: Path, file: Path, format: str, notes: list[str]) -> tuple[Path, Path | None]:
    """The folder of an import, as `archspec weights import` writes it."""
    if made.graph is None or made.unfilled or not made.arrays:
        if made.graph is None:
            number = len(made.missing)
            said = f"{count(number, 'operation')} that {'has' if number == 1 else 'have'} no kind here"
            lacking = f"{file} has {said}, and a folder holds whole networks"
        elif made.arrays:
            lacking = (
                f"{file} lacks {count(made.unfilled, 'array')} that the layers have, and a folder holds all of them"
            )
        else:
            lacking = f"{file} has no weights, and a folder holds a network with them"
        places = [f"{item.place}: {item.said} {item.why}" for item in made.missing]
        more = len(places) - MOST_PLACES
        told = [*places[:MOST_PLACES], *([f"and {count(more, 'operation')} more"] if more > 0 else [])]
        raise DataError("E568", lacking, notes=told, help=["-o NAME.yaml writes the spec alone"])
    spec = opened(made.text, file)
    about = {
        "file": str(file),
        "sha256": digest_of(file),
        "network": made.graph.name,
        "names": NATIVE,
        "format": format,
        "matched": {name: name for name in made.arrays},
    }
    classes = [str(name) for name in made.about.get("classes", ())]
    fitting = len(classes) == made.graph.output_type(made.graph.main_output).channels
    owner = take(target, "import")
    try:
        check_output(target, owned=True)
        replaced = replaced_import(target)
        text, kept = spec.kept()
        write_import(
            owner,
            text,
            lambda path: write_tensors(path, made.arrays, {"format": NATIVE, "network": spec.name}),
            about,
            classes if fitting else [],
            kept,
        )
    finally:
        owner.release()
    if replaced is not None:
        notes.append(replaced)
    return target / "spec.yaml", target / "weights.safetensors"


def _about(made: Built) -> Mapping[str, str]:
    """What the weights expect, as the file of weights says it."""
    graph = made.graph
    about: dict[str, Any] = {"classes": [str(name) for name in made.about.get("classes", ())]}
    if len(made.image) == 1:
        about["input"] = next(iter(made.image.values()))
    elif made.image:
        about["inputs"] = made.image
    return {**({"network": graph.name} if graph else {}), ABOUT: json.dumps(about)}
