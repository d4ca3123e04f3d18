"""Values that a word of a command line may have: networks of the zoo, variants, kinds, run folders, files.

What they are is read from names of files and from plain text, as reading specs takes longer than one waits for a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1]
SPECS = (".yaml", ".yml")
RUN_FILES = (".archspec", "import.json", "run.json")
"""A folder with one of these is a run, or an import."""
FAMILIES = (
    *("layers", "data", "initialisers", "optimisers", "schedules", "losses"),
    *("metrics", "tasks", "augmentations", "writers"),
)
"""Folders of the package with a file for each kind."""
STRUCTURES = ("repeat", "parallel", "split", "separable_conv", "residual")
"""Entries of a list of layers that are no kinds of layers."""
_VARIANT = re.compile(r"^( +)([\w.-]+) *:")


class Candidate(NamedTuple):
    """A word that fits, and what it is. One that `goes_on` is not the whole word."""

    value: str
    about: str = ""

    @property
    def goes_on(self) -> bool:
        return self.value.endswith(("/", "=", "#"))


Values = Callable[[str], Iterable[Candidate]]
"""Gives the values that begin with a text, and maybe others."""


def files(prefix: str, endings: tuple[str, ...] | None = None) -> Iterator[Candidate]:
    """Folders, and files with the endings, in the folder that the text names; hidden ones where a point is typed."""
    folder, start = os.path.split(prefix)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start.startswith(".")):
            continue
        path = os.path.join(folder, entry.name)
        try:
            is_folder = entry.is_dir()
        except OSError:
            continue
        if is_folder:
            yield Candidate(path + "/")
        elif endings is None or entry.name.lower().endswith(endings):
            yield Candidate(path)


def folders(prefix: str) -> Iterator[Candidate]:
    return (own for own in files(prefix, ()) if own.goes_on)


def is_run(path: str) -> bool:
    return any(os.path.exists(os.path.join(os.path.expanduser(path), name)) for name in RUN_FILES)


def runs(prefix: str) -> Iterator[Candidate]:
    """Folders of runs: those of runs/ where nothing is typed yet, and any on the way to others."""
    for own in folders(prefix or "runs/"):
        yield Candidate(own.value.rstrip("/"), "run") if is_run(own.value) else own
    if not prefix:
        yield from (own for own in folders("") if own.value != "runs/")


def zoo_folder() -> Path:
    """Where the zoo's specs are: in the installed package, or in the checkout beside it."""
    inside = PACKAGE / "specs" / "zoo"
    return inside if inside.is_dir() else PACKAGE.parent / "specs" / "zoo"


def networks(prefix: str) -> Iterator[Candidate]:
    """The networks of the zoo with their titles, from its index; families' names without one."""
    import json

    try:
        made = json.loads((zoo_folder() / "index.json").read_text("utf-8"))
        rows = [row for item in made["files"].values() for row in item["networks"]]
    except (OSError, ValueError, KeyError, TypeError):
        yield from families(prefix)
        return
    for row in rows:
        yield Candidate(row["name"], row.get("title") or "")


def families(prefix: str) -> Iterator[Candidate]:
    """The families of the zoo, by their files' names."""
    return (Candidate(path.stem) for path in sorted(zoo_folder().glob("*.yaml")))


def variants(path: str) -> list[str]:
    """The variants of a spec, as far as plain text tells: the keys within `variants:`, one a line."""
    try:
        text = Path(os.path.expanduser(path)).read_text("utf-8", "replace")
    except OSError:
        return []
    _, found, rest = text.partition("\nvariants:")
    names: list[str] = []
    depth = None
    for line in rest.splitlines()[1:] if found else ():
        if line[:1].strip() and not line.startswith("#"):
            break
        match = _VARIANT.match(line)
        if match and (depth is None or len(match[1]) == depth):
            depth = len(match[1])
            names.append(match[2])
    return names


def specs(prefix: str) -> Iterator[Candidate]:
    """What a SPEC may be: a network of the zoo, a file, a variant of a file behind its #."""
    file, mark, _ = prefix.partition("#")
    if mark:
        yield from (Candidate(f"{file}#{name}", "variant") for name in variants(file))
        return
    if "/" not in prefix:
        yield from networks(prefix)
    for own in files(prefix, SPECS):
        yield own
        if own.value == prefix:
            yield from (Candidate(f"{prefix}#{name}", "variant") for name in variants(prefix))


def specs_and_runs(prefix: str) -> Iterator[Candidate]:
    found = [own for own in runs(prefix) if not own.goes_on]
    yield from found
    known = {f"{own.value}/" for own in found}
    yield from (own for own in specs(prefix) if own.value not in known)


def kinds_of(*families: str) -> Values:
    """The kinds of families that come with the package, each with its family."""

    def values(prefix: str) -> Iterator[Candidate]:
        for family in families:
            for name in sorted(os.listdir(PACKAGE / family)):
                if name.endswith(".py") and not name.startswith("_"):
                    yield Candidate(name[:-3], family)
        if "layers" in families:
            yield from (Candidate(name, "structure") for name in STRUCTURES)

    return values


def devices(prefix: str) -> Iterator[Candidate]:
    """The devices of the roofline, by the keys of their file."""
    text = (PACKAGE / "figures" / "devices.yaml").read_text("utf-8")
    found = re.findall(r"^(\w+):\n  title: (.*)", text, re.MULTILINE)
    return (Candidate(name, title) for name, title in found)


def codes(prefix: str) -> Iterator[Candidate]:
    """Codes of diagnostics, with what they mean."""
    from archspec.codes import CODES

    return (Candidate(code.code, code.what) for code in CODES.values())


def runs_and_codes(prefix: str) -> Iterator[Candidate]:
    yield from codes(prefix) if re.fullmatch(r"[EW]\d*", prefix) else runs(prefix)


def datasets(prefix: str) -> Iterator[Candidate]:
    """Files and folders of data, and the datasets that need none."""
    needs_path = re.compile(r"^    path: ", re.MULTILINE)
    for own in kinds_of("data")(prefix):
        if not needs_path.search((PACKAGE / "data" / f"{own.value}.py").read_text("utf-8")):
            yield Candidate(own.value, "comes with archspec")
    yield from files(prefix)


def networks_or_small(prefix: str) -> Iterator[Candidate]:
    yield Candidate("small", "a few layers that stand in the spec")
    yield from networks(prefix)


BY_METAVAR: dict[str, Values] = {
    "SPEC": specs,
    "SPEC|RUN": specs_and_runs,
    "SPEC_OR_RUN": specs_and_runs,
    "A": specs_and_runs,
    "B": specs_and_runs,
    "RUN": runs,
    "DIR": folders,
    "FOLDER": folders,
    **dict.fromkeys(("FILE", "FILE.png", "IMAGE|N", "SPEC.yaml|DIR", "PYTHON"), files),
    "FAMILY": families,
    "DEVICE": devices,
    "KIND": kinds_of("optimisers"),
}
"""The values of an argument, by what its help calls it."""
BY_NAME: dict[tuple[str, str], Values] = {
    ("layers", "kind"): kinds_of(*FAMILIES),
    ("explain", "folder"): runs_and_codes,
    ("runs", "folders"): runs,
    ("new", "data"): datasets,
    ("new", "network"): networks_or_small,
}
"""Those of one command, which come before."""
