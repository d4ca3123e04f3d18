"""The folder of imported weights: the elaborated spec, the arrays and where they came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count
from archspec.runs.folder import IMPORT, RESULT, WEIGHTS, RunFolder, occupied, read_object
from archspec.runs.owner import Owner, check_free, marker_of, unusable
from archspec.writing import digest_of, write

DIGEST = "weights_sha256"
AGAIN = "import them again: `archspec weights import`"


def check_output(path: Path, *, owned: bool = False) -> None:
    """Raises `DataError` where an import cannot be written into a folder: something else is there, or it is being
    written by another process, unless it is `owned` by this one.
    """
    elsewhere = ["choose an empty or a new folder as -o"]
    try:
        if path.exists() and not path.is_dir():
            raise DataError("E511", f"{path} is {'a file' if path.is_file() else 'no folder'}", help=elsewhere)
        if not owned:
            check_free(path)
        if not occupied(path):
            return
        folder = RunFolder(path)
        if folder.purpose != "import":
            raise DataError("E511", f"{path} is not empty and holds no import", help=elsewhere)
        kept = folder.undeletable()
        if kept is not None:
            raise DataError("E511", kept.message, help=elsewhere)
    except OSError as error:
        raise unusable(path, error) from None
    except ValueError as error:  # a name with a null byte
        raise DataError("E514", f"{str(path)!r} cannot be used as a folder: {error}") from None


def write_import(
    owner: Owner,
    spec_text: str,
    write_weights: Callable[[Path], object],
    about: dict[str, Any],
    classes: Sequence[str],
    kept: Mapping[str, bytes],
) -> None:
    """Writes an import into the folder that is owned, or over the one there. Until all is there, none of it is read.

    `kept` are the files that the spec names.
    """
    folder = RunFolder(owner.folder)
    owner.says(purpose="import", unfinished=True)
    write_weights(folder.path / WEIGHTS)
    folder.forget(kept)
    folder.write_spec(owner, spec_text, kept)
    (folder.path / RESULT).unlink(missing_ok=True)
    if classes:
        write(folder.path / RESULT, json.dumps({"classes": list(classes)}) + "\n")
    about = {**about, DIGEST: digest_of(folder.path / WEIGHTS)}
    write(folder.path / IMPORT, json.dumps(about, indent=2) + "\n")
    owner.says(unfinished=False)


def replaced_import(folder: Path) -> str | None:
    """What an import into a folder writes over, in words; None where there is none."""
    if not (folder / WEIGHTS).is_file():
        return None
    about = read_object(folder / IMPORT)
    network, file, matched = about.get("network"), about.get("file"), about.get("matched")
    what = count(len(matched), "tensor") if isinstance(matched, dict) else "weights"
    source = f" of {network} from {file}" if isinstance(network, str) and isinstance(file, str) else ""
    return f"the import that was in {folder} is replaced: {what}{source}"


def read_import(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of an imported folder by name. Raises `DataError` where they are not as written."""
    from safetensors.numpy import load

    path = folder / WEIGHTS
    check_import(folder)
    known = read_object(folder / IMPORT).get(DIGEST)
    try:
        data = path.read_bytes()
        if isinstance(known, str) and sha256(data).hexdigest() != known:
            raise DataError("E513", f"{path} is not as it was written", help=[AGAIN])
        return {name: np.asarray(value) for name, value in load(data).items()}
    except DataError:
        raise
    except Exception as error:
        # The library has errors of its own, and raises others too, on damaged files.
        words = str(error).splitlines()
        reason = words[0][:160] if words else type(error).__name__
        raise DataError("E513", f"{path} cannot be read", notes=[reason], help=[AGAIN]) from None


def check_import(folder: Path) -> None:
    """Raises `DataError` (E513) where an import was cut off, or has lost its file of weights."""
    if (marker_of(folder) or {}).get("unfinished") is True:
        raise DataError("E513", f"the import into {folder} was cut off", help=["the same command does it again"])
    if not (folder / WEIGHTS).is_file():
        raise DataError("E513", f"{folder / WEIGHTS} cannot be read", notes=["there is no such file"], help=[AGAIN])


def imported_names(folder: Path) -> str | None:
    """The naming by which a folder's weights came; None where they were trained."""
    names = read_object(folder / IMPORT).get("names")
    return names if isinstance(names, str) else None
