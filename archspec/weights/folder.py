"""Imported weights: a folder with the elaborated spec and the arrays, for `predict`, `export` and `init_from`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from archspec.diagnostics import DataError, listed, unwritable
from archspec.graph import Graph
from archspec.lower import build, split
from archspec.plugins import used_by
from archspec.runs.folder import WEIGHTS
from archspec.runs.imports import check_output, imported_names, replaced_import, write_import
from archspec.runs.owner import take
from archspec.runs.reading import opened, preparation_of, restored
from archspec.spec.overrides import Size, python_override
from archspec.weights.expecting import (
    ABOUT,
    expectations,
    expecting,
    other_arguments,
    prepared,
    resized,
    with_one_mean,
)
from archspec.weights.files import open_tensors, write_tensors
from archspec.weights.keras_layout import to_keras
from archspec.weights.layout import LayoutError, order_of, orders, to_torch
from archspec.weights.matching import Match, check_values, match, named_alike
from archspec.weights.naming import NATIVE, PLAIN, Naming, check_distinct, namings, tables

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.overrides import Override


READ_ALONE = ("caffe", "darknet")
"""Tables of names of files that are read, and never written."""


def import_weights(
    target: str,
    file: Path,
    output: Path,
    *,
    names: str | None = None,
    partial: bool = False,
    prefix: str | None = None,
    overrides: list[Override] | None = None,
    notes: list[str] | None = None,
) -> Match:
    """Reads a file of tensors into a network and writes the folder `output`.

    The input section is what the weights expect, but for what is overridden. Raises `SpecError` where anything but a
    full match would need `partial`, and where file or folder cannot be used. `prefix` says what the names of the wanted
    tensors begin with, where a file has several of each. An import in the folder is replaced, which is said in `notes`.
    """
    from archspec.loading import open_spec

    given = list(overrides or [])
    spec = open_spec(target, given)
    graph = spec.graph()
    try:
        check_output(output)
        with open_tensors(file) as tensors:
            matched = match(graph, tables(spec), tensors, names, prefix)
            digest = tensors.digest
            images = prepared(tensors)
        if not matched.full and not partial:
            raise DataError(
                "E537",
                f"{file} is no full match for {graph.name}",
                notes=matched.lists(),
                help=[
                    *(named_alike(tensors) if matched.mostly_unexpected else []),
                    "--partial takes what matches and draws the rest at random",
                    *_way_out(matched, graph),
                ],
            )
        check_values(matched, file)
        arguments, asked = _arguments(spec, matched.naming, target, given)
        if arguments:
            spec = open_spec(target, [*arguments, *given])
            graph = spec.graph()
        others = [item for item in given if not isinstance(item, Size) and item.path[0] not in ("input", "inputs")]
        usual = open_spec(target, others) if len(others) < len(given) else spec
        with expectations(tensors, spec, matched.naming) as known:
            expected = [
                python_override((*spec.input_path(name), field), value)
                for name, image in spec.images.items()
                for field, value in with_one_mean(
                    resized(known.of(name, image, alone=len(spec.images) == 1), image, usual.images.get(name, image)),
                    _set(given, spec.input_path(name)),
                ).items()
            ]
            spec = open_spec(target, [*expected, *arguments, *given]) if expected else spec
            text, kept = spec.kept()
        about = {"file": str(file), "sha256": digest, "network": graph.name, **images, **matched.to_dict()}
        plugins = used_by(spec, graph)
        about |= {"plugins": plugins} if plugins else {}
        arrays = completed(graph, matched)
        fitting = len(known.classes) == graph.output_type(graph.main_output).channels
        owner = take(output, "import")
        try:
            check_output(output, owned=True)
            replaced = replaced_import(output)
            write_import(
                owner,
                text,
                lambda path: write_tensors(path, arrays, {"format": NATIVE, "network": graph.name}),
                about,
                known.classes if fitting else [],
                kept,
            )
        finally:
            owner.release()
    except DataError as error:
        raise error.located(None) from None
    except OSError as error:
        raise unwritable(output, error).located(None) from None
    known_as = spec.weights.get(matched.naming)
    if notes is not None and known_as is not None and known_as.source:
        notes.append(f"{matched.naming} stands for {known_as.source}")
    if notes is not None:
        notes.extend(asked)
    if notes is not None and replaced is not None:
        notes.append(replaced)
    return matched


def _arguments(spec: Spec, naming: str, target: str, given: Sequence[Override]) -> tuple[list[Override], list[str]]:
    """The arguments that weights of a naming are of, where the network has others; and what is to be said of them.

    One that is asked for, by `--set` or `?`, stays, which is said.
    """
    others = other_arguments(spec, naming)
    _, _, query = target.partition("?")
    own = {
        item.path[1] for item in given if not isinstance(item, Size) and item.path[0] == "args" and len(item.path) > 1
    }
    own |= {item.partition("=")[0] for item in query.split("&") if item}
    notes = []
    taken = {name: value for name, value in others.items() if name in spec.args and name not in own}
    kept = {name: value for name, value in others.items() if name in spec.args and name in own}
    unknown = {name: value for name, value in others.items() if name not in spec.args}
    if taken:
        notes.append(f"{_said(taken)}, as the weights named as {naming} has them are of")
    if kept:
        notes.append(
            f"the weights named as {naming} has them are of {_said(kept)}; here "
            f"{_said({name: spec.args[name] for name in kept})}, as asked"
        )
    if unknown:
        notes.append(f"the weights named as {naming} has them are of {_said(unknown)}, which this spec does not have")
    return [python_override(("args", name), value) for name, value in taken.items()], notes


def _said(arguments: Mapping[str, object]) -> str:
    return ", ".join(f"args.{name}={value}" for name, value in arguments.items())


def _set(given: Sequence[Override], path: tuple[str, ...]) -> set[str]:
    """The fields of an input's section that are set from outside."""
    fields = {item.path[-1] for item in given if item.path[:-1] == path}
    whole = [item.value.plain for item in given if item.path == path]
    return fields.union(*(value for value in whole if isinstance(value, dict)))


def _way_out(matched: Match, graph: Graph) -> list[str]:
    main = graph.main_output
    last = graph.nodes[main.node].path if main.node >= 0 else ""
    if "classes" in graph.args and matched.misshaped and all(name.startswith(f"{last}.") for name in matched.misshaped):
        return ["the file is of another number of classes: --set args.classes=N"]
    return []


def completed(graph: Graph, matched: Match) -> dict[str, np.ndarray]:
    """All arrays of a network: those matched, the rest drawn anew where there is a rest."""
    if not (matched.missing or matched.misshaped):
        return dict(matched.arrays)
    _, params, statistics = split(build(graph))
    drawn = {name: np.asarray(value) for name, value in {**params, **statistics}.items()}
    return {**drawn, **matched.arrays}


def export_weights(
    folder: Path, file: Path, *, names: str | None = None, notes: list[str] | None = None
) -> tuple[str, int]:
    """Writes the arrays of a run or an import as a safetensors file, and says by which names and how many.

    The names are those that they came by, or else the spec's usual ones. Checkpoints that could not be taken are told
    of in `notes`. Raises `SpecError`.
    """
    run, spec = opened(folder)
    arrays = {name: np.asarray(jax.device_get(value)) for name, value in restored(run, spec, notes).items()}
    graph = spec.graph()
    try:
        known = namings(graph, tables(spec))
        chosen = names or imported_names(folder) or usual_names(spec)
        if chosen not in known:
            raise DataError("E535", f"{graph.name} has no names `{chosen[:60]}`", help=[f"there are {listed(known)}"])
        check_distinct(graph, tables(spec), chosen)
        if file.resolve() == (folder / WEIGHTS).resolve():
            raise DataError("E534", f"{file} holds the weights of this folder", help=["choose another file"])
        if file.suffix != ".safetensors":
            raise DataError("E534", f"{file} should end in .safetensors, the format that is written")
        tensors = named(arrays, graph, known[chosen])
        about = {
            **expecting(spec),
            "images": preparation_of(run, spec).to_plain(),
            "classes": run.classes,
        }
        write_tensors(file, tensors, {"format": "pt", "network": graph.name, ABOUT: json.dumps(about)})
    except DataError as error:
        raise error.located(None) from None
    return chosen, len(tensors)


def usual_names(spec: Spec) -> str:
    """The naming of a spec's first table of all its tensors, or PyTorch's words where it has none.

    What tensors are called in files that are read alone is not what others would take them by.
    """
    return next((name for name, known in spec.weights.items() if not known.partial and name not in READ_ALONE), PLAIN)


def named(arrays: Mapping[str, np.ndarray], graph: Graph, naming: Naming) -> dict[str, np.ndarray]:
    """A network's arrays as a naming calls and lays them out. Raises `DataError` where one has no such layout."""
    layouts = orders(graph)
    tensors = {}
    for name, place in naming.items():
        array = arrays[place.name]
        try:
            if place.layout == "pytorch":
                array = to_torch(array, place.weight, order_of(place.node, layouts), place.form)
            elif place.layout == "keras":
                array = to_keras(array, place.node, place.weight)
            tensors[name] = array
        except LayoutError as error:
            raise DataError("E538", f"{place.name} {error}", help=[f"--names {NATIVE} writes it as it is"]) from None
    return tensors
