"""The run folder: what a run was made of and what came of it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archspec import __version__
from archspec.diagnostics import DataError

SPEC = "spec.yaml"
RUN = "run.json"
METRICS = "metrics.jsonl"
CURVES = "curves.png"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
REPORT = "report.txt"
RESULT = "result.json"
WEIGHTS = "weights.safetensors"
IMPORT = "import.json"


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run."""

    path: Path

    @property
    def spec_text(self) -> str | None:
        """The elaborated spec of the run in this folder; None where there is no run."""
        try:
            return (self.path / SPEC).read_text("utf-8")
        except OSError:
            return None

    @property
    def begun(self) -> bool:
        """Whether all that a run begins with is there."""
        return self.spec_text is not None and (self.path / RUN).is_file()

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    @property
    def imported(self) -> bool:
        """Whether the folder holds imported weights instead of a run."""
        return (self.path / IMPORT).is_file()

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none where they are not known."""
        try:
            return list(json.loads((self.path / RESULT).read_text("utf-8"))["classes"])
        except (OSError, ValueError, KeyError):
            return []

    def clear(self) -> None:
        """Deletes the files of a run or an import, and nothing else that may lie beside them."""
        import shutil

        for name in (CHECKPOINTS, TENSORBOARD):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in (RESULT, METRICS, CURVES, REPORT, RUN, WEIGHTS, IMPORT, SPEC):
            (self.path / name).unlink(missing_ok=True)

    def metrics(self) -> list[dict[str, Any]]:
        """One record an epoch. A line that a killed process left unfinished is passed over."""
        try:
            lines = (self.path / METRICS).read_text("utf-8").splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found

    def keep_metrics(self, epochs: int) -> list[dict[str, Any]]:
        """Drops the records after an epoch: those of work that is done again."""
        kept = [record for record in self.metrics() if record["epoch"] <= epochs]
        write(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in kept))
        return kept

    def add_metrics(self, record: dict[str, Any]) -> None:
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def begin(
        self, spec_text: str, report: str, seed: int, command: str | None, about: Mapping[str, Any] | None = None
    ) -> None:
        """Creates the folder with what the run is made of; `about` is what the run's record says beside."""
        self.path.mkdir(parents=True, exist_ok=True)
        # The spec comes first: from then on the folder is known as this run's, wherever it is killed.
        write(self.path / SPEC, spec_text)
        write(self.path / REPORT, report + "\n")
        write(self.path / RUN, json.dumps({**surroundings(seed, command), **(about or {})}, indent=2) + "\n")


def write(path: Path, text: str) -> None:
    """Replaces a file as a whole, so that a killed process leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)


def surroundings(seed: int, command: str | None) -> dict[str, Any]:
    """Versions, devices, seed and command line."""
    import jax

    return {
        "archspec": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")},
        "platform": platform.platform(),
        "devices": [f"{device.platform} {device.device_kind}" for device in jax.devices()],
        "seed": seed,
        "command": command or " ".join(sys.argv),
    }


def choose_folder(name: str, spec_text: str, workdir: Path | None, overwrite: bool) -> RunFolder:
    """The folder to run in.

    Without a workdir it is runs/NAME, or runs/NAME-2 and so on where those hold runs of other specs. Raises `DataError`
    where the workdir holds another spec's run, or something that is no run.
    """
    if workdir is None:
        number = 1
        while True:
            folder = RunFolder(Path("runs") / (name if number == 1 else f"{name}-{number}"))
            if not _occupied(folder.path) or (folder.spec_text == spec_text and not folder.imported):
                break
            number += 1
    else:
        folder = RunFolder(workdir)
        _check_workdir(folder, spec_text, overwrite)
    return folder


def _occupied(path: Path) -> bool:
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def _check_workdir(folder: RunFolder, spec_text: str, overwrite: bool) -> None:
    held = folder.spec_text
    if folder.path.is_file():
        raise DataError("E511", f"{folder.path} is a file", help=["choose an empty or a new folder as --workdir"])
    if held is None and _occupied(folder.path):
        raise DataError(
            "E511",
            f"{folder.path} is not empty and holds no run",
            help=["choose an empty or a new folder as --workdir"],
        )
    if folder.imported and not overwrite:
        raise DataError(
            "E511",
            f"{folder.path} holds imported weights",
            help=["choose another --workdir, and `init_from` to begin with them", "--overwrite deletes them"],
        )
    if held is not None and held != spec_text and not overwrite:
        lines = [line.strip() for line in spec_text.splitlines() if line not in held.splitlines()]
        changed = "; ".join(lines)[:300] or "what it lacks"
        raise DataError(
            "E510",
            f"{folder.path} holds a run of another spec; this one differs in: {changed}",
            help=[
                "choose another --workdir",
                f"`init_from: {folder.path}` in another --workdir begins with its weights",
                "--overwrite deletes the old run",
            ],
        )


def open_run(path: Path) -> RunFolder:
    """A folder that holds a run. Raises `DataError` when it does not."""
    folder = RunFolder(path)
    if folder.spec_text is None:
        what = "is no folder" if not path.is_dir() else f"holds no run: it has no {SPEC}"
        raise DataError("E512", f"{path} {what}", help=["give the folder that `archspec train` printed"])
    return folder
