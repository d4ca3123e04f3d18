"""What a folder of a run or of imported weights holds: its spec, its arrays, the names of its classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax

from archspec.diagnostics import DataError
from archspec.images.preparation import Preparation
from archspec.loading import Spec, load
from archspec.lower import Arrays
from archspec.runs.checkpoints import Checkpoints, check_saved, last_arrays
from archspec.runs.folder import IMPORT, RUN, SPEC, RunFolder, open_run
from archspec.runs.imports import check_import, read_import
from archspec.tables.layout import Layout
from archspec.watching import best_of, chosen_by

TABLE = "table"
"""Under this name run.json has how columns became inputs."""
OUTPUTS = "outputs"
"""Under this name run.json has what classes and numbers of outputs beside the main one are called."""


def layout_of(run: RunFolder) -> Layout | None:
    """How columns of a table became the run's inputs; None where it was trained on none."""
    return Layout.from_plain(run.about.get(TABLE))


def opened(path: Path) -> tuple[RunFolder, Spec]:
    """A folder of a run or of imported weights, and its spec. Raises `SpecError`."""
    try:
        folder = open_run(path)
    except DataError as error:
        raise error.located(None) from None
    return folder, load(folder.path / SPEC)


def check_weights(folder: RunFolder) -> None:
    """Raises `DataError` (E513) where a folder has no weights yet, without reading any."""
    if folder.imported or folder.purpose == "import":
        check_import(folder.path)
    else:
        check_saved(folder.path)


def restored(folder: RunFolder, spec: Spec, notes: list[str] | None = None) -> Arrays:
    """Parameters and statistics by name: imported, or of the best or last checkpoint that is as it was saved.

    A checkpoint is read as it was written: neither the recipe's optimiser nor its version of Optax has to be there.
    Later checkpoints that cannot be taken, and a changed spec, are told of in `notes`. Raises `SpecError`.
    """
    try:
        if folder.imported or folder.purpose == "import":
            arrays, again = read_import(folder.path), "import them again"
            said: list[str] = []
        else:
            arrays, said, _ = last_arrays(folder.path, best_step(folder, spec))
            again = "--overwrite trains anew"
        wanted = {f"{node.owner}.{weight.name}": weight.shape for node in spec.graph().nodes for weight in node.weights}
        if {name: value.shape for name, value in arrays.items()} != wanted:
            raise DataError("E513", f"the weights in {folder.path} are not those of its spec", help=[again])
    except DataError as error:
        raise error.located(None) from None
    if notes is not None:
        notes.extend(said)
        if folder.spec_changed:
            notes.append(f"{folder.path / SPEC} is not as it was written; the weights are those of the spec before")
        if folder.plugins:
            from archspec.plugins import changed

            notes.extend(changed(folder.plugins, str(folder.path)))
    placed: Arrays = jax.device_put(arrays)  # without a program for each shape
    return placed


def best_step(folder: RunFolder, spec: Spec) -> int | None:
    """The best step of those whose states are there, where the recipe says by which figure; None where it says none."""
    figure = chosen_by(spec)
    return None if figure is None else best_of(folder.metrics().records, figure, Checkpoints(folder.path).steps())


def preparation_of(folder: RunFolder, spec: Spec) -> Preparation:
    """What was done to each image before `input.fit`, as the folder records it, or else as the spec's dataset says.

    Raises `DataError` where the record is damaged.
    """
    path = folder.path / (IMPORT if folder.imported else RUN)
    try:
        about = json.loads(path.read_text("utf-8"))
        if not isinstance(about, dict):
            raise ValueError("it holds no mapping")
        record = about.get("images")
        if record is not None:
            return Preparation.from_plain(record)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise DataError("E513", f"{path} does not say how images were prepared: {error}") from None
    return spec.train.dataset.preparation if spec.train else Preparation()


def parted(arrays: Arrays, parts: Iterable[Iterable[str]]) -> Iterator[Arrays]:
    """The arrays of each part, by the names that the part has."""
    return ({name: arrays[name] for name in part} for part in parts)


def class_names_of(path: Path, classes: int) -> list[str]:
    """The names of a run's classes, numbers where it has none."""
    names = RunFolder(path).classes
    return [*names, *map(str, range(len(names), classes))][:classes]
