"""The networks of one side of a comparison, with their specs as a revision or the disk has them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.comparing.networks import Side
from archspec.comparing.repository import Repository
from archspec.comparing.revisions import Revision
from archspec.comparing.things import Repositories, Thing, parted
from archspec.diagnostics import DataError, Findings, SpecError
from archspec.loading import open_spec, open_specs
from archspec.runs.folder import SPEC, RunFolder, open_run
from archspec.source import is_file, laid

if TYPE_CHECKING:
    from archspec.spec.overrides import Override


class Sides(NamedTuple):
    """The networks of one side by their variants; of what has none, or cannot be opened, one under None."""

    label: str
    networks: dict[str | None, Side]
    revision: Revision | None = None


def sides_of(thing: Thing, overrides: Sequence[Override], repositories: Repositories, stack: ExitStack) -> Sides:
    if thing.kind == "run":
        return Sides(thing.text, {None: _run(thing.text, overrides)})
    if thing.kind in ("revision", "range", "path"):
        what = {"path": "there is no such file", "range": "two revisions are a whole"}.get(
            thing.kind, "a revision is a whole"
        )
        raise DataError("E113", f"{thing.text}: {what}", help=["REVISION:PATH is a file as a revision has it"])
    if thing.kind == "blob":
        repository = repositories.around()
        revision = opened(repository, thing.revision, stack)
        with laid(revision):
            if not is_file(Path(thing.path)):
                inner = parted(thing.text.partition(":")[2])[0]
                near = f"`git ls-tree -r --name-only {thing.revision}` lists what there is"
                if is_file(Path(inner)):
                    near = f"paths begin at the top of the repository; from here it is `{thing.revision}:./{inner}`"
                raise DataError("E115", f"{thing.revision} has no file {inner[:200]}", help=[near])
        return Sides(thing.text, family(thing.path + thing.behind, revision, overrides, thing.text), revision)
    return Sides(thing.text, family(thing.text, None, overrides, thing.text))


def opened(repository: Repository, name: str, stack: ExitStack) -> Revision:
    revision = Revision(repository, repository.commit(name), name)
    stack.callback(revision.close)
    return revision


def _run(folder: str, overrides: Sequence[Override]) -> Side:
    run: RunFolder = open_run(Path(folder))
    try:
        spec = open_spec(str(Path(folder) / SPEC), overrides)
    except SpecError as error:
        return Side(folder, None, error.diagnostics, run)
    return Side(folder, spec, spec.diagnostics, run)


def family(target: str, revision: Revision | None, overrides: Sequence[Override], label: str) -> dict[str | None, Side]:
    """The networks that a target names, as a revision or the disk has it."""
    findings = Findings()
    with laid(revision):
        try:
            specs = open_specs(target, overrides, findings=findings)
        except SpecError as error:
            return {None: Side(label, None, error.diagnostics, files=_files(findings))}
        found: dict[str | None, Side] = {}
        for spec in specs:
            diagnostics = spec.diagnostics
            found[spec.variant if len(specs) > 1 else None] = Side(
                spec.variant or label if len(specs) > 1 else label,
                spec,
                diagnostics,
                files=[source.name for source in spec.sources],
            )
        return found


def _files(findings: Findings) -> list[str]:
    return [str(path) for path in findings.files]
