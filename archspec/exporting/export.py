"""Exports a network: what is refused before anything is written, and the call that Python has."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Any

from archspec.diagnostics import DataError, Findings, SpecError, count, did_you_mean, listed, unwritable
from archspec.exporting.subject import Subject, subject_of, subject_of_spec
from archspec.exporting.targets import TARGETS, Module, Target, Written
from archspec.fields import at_home
from archspec.graph import Graph
from archspec.inference.run import Run
from archspec.loading import Spec
from archspec.runs.folder import SPEC, made_by_run

MOST_PLACES = 12
"""Layers of one kind, refused for one reason, that are named."""
IMPORTED = {"flax", "jax", "keras", "numpy", "safetensors", "torch", *sys.stdlib_module_names}
"""Modules that exported source imports, or what it imports does: a file of such a name would be taken for them."""


def export(what: Spec | Run | str | Path, to: str, file: str | Path, *, seed: int = 0, **options: Any) -> Written:
    """Writes a network in another tool's format: `to` is onnx or another of the targets of docs/export.md.

    `what` is a run, its folder or an import's, a spec, or what `load` takes; weights of a spec are drawn from `seed`.
    The target's own options are keywords: `with_preprocessing=True` for ONNX. Returns the files that were written, with
    notes on what was left out, replaced or chosen. Raises `SpecError`, before anything is written where the target
    lacks a kind of layer, and `ValueError` for a target or an option that there is not.
    """
    target = TARGETS.get(to)
    if target is None:
        hint = did_you_mean(to, TARGETS) or f"there are {listed(TARGETS)}"
        raise ValueError(f"there is no target {to!r}; {hint}")
    for name in options:
        if name not in target.options:
            has = f"it has {listed(target.options)}" if target.options else "it has none"
            raise ValueError(f"{to} has no option `{name}`; {has}")
    notes: list[str] = []
    path = Path(at_home(str(file)))
    folder = what.folder if isinstance(what, Run) else None
    if isinstance(what, (str, Path)) and (Path(what) / SPEC).is_file():
        folder = Path(what)
    check_file(target, path, folder)
    if isinstance(what, Spec):
        subject = subject_of_spec(what, seed=seed, notes=notes)
    else:
        subject = subject_of(str(what), folder, seed=seed, notes=notes)
    return exported(subject, to, path, notes, options)


def exported(subject: Subject, to: str, file: Path, notes: Iterable[str], options: Mapping[str, Any]) -> Written:
    """Writes a subject as a target has it; `notes` come before the target's own. Raises `SpecError`."""
    target = TARGETS[to]
    module = target.load()
    check_kinds(module, to, subject.graph)
    check_sources(target, file, subject.spec)
    try:
        written = module.write(subject, file, **options)
    except DataError as error:
        raise error.located(None) from None
    if file.suffix.lower() == ".py" and (not file.stem.isidentifier() or iskeyword(file.stem)):
        own = f"`{file.stem}` is no name that Python can import: one of letters, digits and _ with no digit first is"
        return written._replace(notes=(*notes, *written.notes, own))
    return written._replace(notes=(*notes, *written.notes))


def check_file(target: Target, file: Path, folder: Path | None) -> None:
    """Raises `SpecError` where a file has another suffix than the target's, or would take the place of a run's own."""
    if file.suffix.lower() not in target.suffixes:
        raise DataError(
            "E552", f"{file} should end in {listed(target.suffixes)}", help=["the suffix says what is written"]
        ).located(None)
    if file.suffix.lower() == ".py" and file.stem in IMPORTED:
        raise DataError(
            "E552", f"{file} would be taken for Python's module `{file.stem}`", help=["choose another name"]
        ).located(None)
    if not file.parent.is_dir():
        raise unwritable(file, FileNotFoundError()).located(None)
    for own in files_of(target, file):
        if made_by_run(own):
            raise DataError(
                "E552", f"{own} is a file of the run in {own.parent}", help=["choose another file"]
            ).located(None)
    if folder is not None and not folder.is_dir():
        raise DataError("E512", f"{folder} is no folder").located(None)


def check_sources(target: Target, file: Path, spec: Spec) -> None:
    """Raises `SpecError` where a file would take the place of one that the spec was read from."""
    sources = {Path(source.name).resolve() for source in spec.sources}
    for own in files_of(target, file):
        if own.resolve() in sources:
            raise DataError("E552", f"{own} is what the network was read from", help=["choose another file"]).located(
                None
            )


def files_of(target: Target, file: Path) -> list[Path]:
    """The files that an export writes."""
    return [file, *(file.with_suffix(suffix) for suffix in target.beside)]


def check_kinds(module: Module, to: str, graph: Graph) -> None:
    """Raises `SpecError` with every layer that the target cannot have, each kind and reason once with its places."""
    lacking: dict[tuple[str, str], list[int]] = {}
    for index, node in enumerate(graph.nodes):
        why = module.supports(node)
        if why is not None:
            lacking.setdefault((node.kind, why), []).append(index)
    findings = Findings()
    for (kind, why), places in lacking.items():
        nodes = [graph.nodes[index] for index in places]
        findings.error(
            "E550",
            f"{to} cannot have {count(len(nodes), f'`{kind}` layer')}: `{kind}` {why}",
            nodes[0].span,
            notes=[f"at {listed([node.path for node in nodes], MOST_PLACES)}"],
            help=["docs/export.md lists what each target has"],
        )
    if findings.failed:
        raise SpecError(findings.sorted())
