"""Which folder a run is written to, and whether it may be."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, listed
from archspec.runs.changes import EPOCHS, Change, changes, free, lines
from archspec.runs.folder import ELSEWHERE, SPEC, RunFolder, digest_of_text, occupied
from archspec.runs.owner import Owner, check_free, marker_of, take, unusable

AUTO = Path("auto")
"""As a workdir: always a new folder, runs/NAME, or runs/NAME-2 and so on."""


def choose_folder(name: str, spec_text: str, workdir: Path | None, overwrite: bool) -> RunFolder:
    """The folder to run in.

    Without a workdir it is runs/NAME, or runs/NAME-2 and so on where those hold runs of other specs; a run of the same
    spec comes first, then one that goes on with what changed. With `auto` it is the first of these names that is free.
    Raises `DataError` where the workdir holds another spec's run, or something that is no run, or is being written by
    another process.
    """
    path = Path("runs") / name if workdir is None else workdir
    try:
        if workdir is None:
            return _usual_folder(path, spec_text)
        if workdir == AUTO:
            return _new_folder(Path("runs") / name)
        folder = RunFolder(workdir)
        check_free(workdir)
        check_folder(folder, spec_text, overwrite)
        return folder
    except OSError as error:
        raise unusable(path, error) from None
    except ValueError as error:  # a name with a null byte
        raise DataError("E514", f"{str(path)!r} cannot be used as a folder: {error}") from None


def take_folder(name: str, spec_text: str, workdir: Path | None, overwrite: bool) -> tuple[RunFolder, Owner]:
    """As `choose_folder`, and this process is the one that writes it. Raises `DataError` as that does."""
    while True:
        folder = choose_folder(name, spec_text, workdir, overwrite)
        try:
            owner = take(folder.path, "run", begins=digest_of_text(spec_text))
        except DataError as error:
            if workdir in (None, AUTO) and error.code == "E517":
                time.sleep(0.05)
                continue  # another process was quicker; the choice is made again, and says so where it has to
            raise
        if workdir == AUTO and occupied(folder.path):
            owner.release()
            continue
        try:
            # Another process may have come and gone since the folder was chosen.
            check_folder(folder, spec_text, overwrite)
        except DataError:
            owner.release()
            if workdir in (None, AUTO):
                continue
            raise
        return folder, owner


def _numbered(first: Path) -> Iterator[RunFolder]:
    yield RunFolder(first)
    for number in count(2):
        yield RunFolder(first.with_name(f"{first.name}-{number}"))


def _new_folder(first: Path) -> RunFolder:
    """The first of the numbered folders that nobody has or takes."""
    for folder in _numbered(first):
        with suppress(DataError):
            if not occupied(folder.path):
                check_free(folder.path)
                return folder
    raise AssertionError


def _usual_folder(first: Path, spec_text: str) -> RunFolder:
    longer: RunFolder | None = None
    for folder in _numbered(first):
        if not occupied(folder.path):
            content = marker_of(folder.path)
            if content is None or not _another_begins(folder.path, content, spec_text):
                break
        elif folder.purpose == "run":
            if folder.spec_text == spec_text:
                longer = None
                break
            if longer is None and goes_on(folder.spec_text, spec_text) is not None:
                longer = folder
    chosen = longer or folder
    check_free(chosen.path)
    return chosen


def _another_begins(path: Path, content: dict[str, Any], spec_text: str) -> bool:
    """Whether another process has only just taken this folder for another spec. Raises `DataError` where for this."""
    try:
        check_free(path)
    except DataError:
        if content.get("begins") == digest_of_text(spec_text):
            raise
        return True
    return False


def goes_on(held: str | None, text: str) -> list[Change] | None:
    """What changes where a run of one spec goes on with another; None where it cannot."""
    found = None if held is None else changes(held, text)
    return found if free(found) else None


def check_folder(folder: RunFolder, spec_text: str, overwrite: bool) -> None:
    """Raises `DataError` where a spec cannot be trained in a folder."""
    path = folder.path
    try:
        os.fsencode(path).decode()
    except UnicodeError:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise DataError(
            "E511", f"the name of the folder {shown} is no UTF-8 text", help=["choose another --workdir"]
        ) from None
    if path.exists() and not path.is_dir():
        raise DataError("E511", f"{path} is {'a file' if path.is_file() else 'no folder'}", help=[ELSEWHERE])
    if not occupied(path):
        return
    purpose = folder.purpose
    if purpose is None:
        foreign = (path / SPEC).exists()
        said = f"{path} holds a {SPEC} that no run wrote" if foreign else f"{path} is not empty and holds no run"
        raise DataError("E511", said, help=[ELSEWHERE])
    # What must not be deleted is told at once, and that it could be is not said.
    kept = folder.undeletable()
    if overwrite:
        if kept is not None:
            raise kept
        return
    if purpose == "import":
        raise DataError(
            "E511",
            f"{path} holds imported weights",
            help=[
                "choose another --workdir, and `init_from` to begin with them",
                *(["--overwrite deletes them"] if kept is None else []),
            ],
        )
    held = folder.spec_text
    if held is None:
        raise DataError(
            "E513",
            f"the run in {path} has no {SPEC} that can be read",
            help=["choose another --workdir", *(["--overwrite trains anew"] if kept is None else [])],
        )
    if held == spec_text or goes_on(held, spec_text) is not None:
        return
    found = changes(held, spec_text) or []
    fewer = [change for change in found if change.path == EPOCHS and not change.free]
    may = [change.path for change in found if change.free]
    raise DataError(
        "E510",
        f"{path} holds a run of other settings",
        notes=lines([change for change in found if not change.free]) or [f"its {SPEC} cannot be read as a spec"],
        help=[
            "with these as they were, the same command goes on"
            + (f"; {listed(may, 6)} may differ" if may else "")
            + (", and so may more epochs" if fewer else ""),
            "`--workdir auto`, or another folder, is a run of its own",
            f"`init_from: {path}` in another --workdir begins with its weights",
            *(["--overwrite deletes the old run"] if kept is None else []),
        ],
    )
