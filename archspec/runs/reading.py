"""What a folder of a run or of imported weights holds: its spec, its arrays, the names of its classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError
from archspec.images.preparation import Preparation
from archspec.loading import Spec, load
from archspec.lower import Arrays
from archspec.runs.checkpoints import last_arrays
from archspec.runs.folder import IMPORT, RUN, SPEC, WEIGHTS, RunFolder, open_run


def opened(path: Path) -> tuple[RunFolder, Spec]:
    """A folder of a run or of imported weights, and its spec. Raises `SpecError`."""
    try:
        folder = open_run(path)
    except DataError as error:
        raise error.located(None) from None
    return folder, load(folder.path / SPEC)


def restored(folder: RunFolder, spec: Spec) -> Arrays:
    """Parameters and statistics by name: imported, or of the last checkpoint. Raises `SpecError`.

    A checkpoint is read as it was written: neither the recipe's optimiser nor its version of Optax has to be there.
    """
    try:
        if folder.imported:
            found, again = read_folder(folder.path), "import them again"
        else:
            found, again = last_arrays(folder.path), "--overwrite trains anew"
        wanted = {f"{node.path}.{weight.name}": weight.shape for node in spec.graph().nodes for weight in node.weights}
        if {name: value.shape for name, value in found.items()} != wanted:
            raise DataError("E513", f"the weights in {folder.path} are not those of its spec", help=[again])
    except DataError as error:
        raise error.located(None) from None
    return {name: jnp.asarray(value) for name, value in found.items()}


def preparation_of(folder: RunFolder, spec: Spec) -> Preparation:
    """What was done to each image before `input.fit`, as the folder records it, or else as the spec's dataset says.

    Raises `DataError` where the record is damaged.
    """
    path = folder.path / (IMPORT if folder.imported else RUN)
    try:
        about = json.loads(path.read_text("utf-8"))
        record = about.get("images") if isinstance(about, dict) else None
        if record is not None:
            return Preparation.from_plain(record)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError) as error:
        raise DataError("E513", f"{path} does not say how images were prepared: {error}") from None
    return spec.train.dataset.preparation if spec.train else Preparation()


def parted(arrays: Arrays, parts: Iterable[Iterable[str]]) -> Iterator[Arrays]:
    """The arrays of each part, by the names that the part has."""
    return ({name: arrays[name] for name in part} for part in parts)


def class_names_of(path: Path, classes: int) -> list[str]:
    """The names of a run's classes, numbers where it has none."""
    names = RunFolder(path).classes
    return [*names, *map(str, range(len(names), classes))][:classes]


def imported_names(folder: Path) -> str | None:
    """The naming by which a folder's weights came; None where they were trained."""
    try:
        names: str | None = json.loads((folder / IMPORT).read_text("utf-8"))["names"]
    except (OSError, ValueError, KeyError):
        return None
    return names


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of an imported folder by name. Raises `DataError`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS
    try:
        return {name: np.asarray(value) for name, value in load_file(path).items()}
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise DataError("E513", f"{path} cannot be read", notes=[reason], help=["import them again"]) from None
