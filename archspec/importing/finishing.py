"""What becomes of a draft's text: a spec and its graph, the file's arrays in this package's axes, blocks and loops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from archspec.diagnostics import DataError, Findings, SpecError, count
from archspec.graph import Graph
from archspec.importing.draft import Entry
from archspec.importing.operations import Program
from archspec.loading import Spec, open_spec
from archspec.rolling import rolled
from archspec.source import laid
from archspec.spec.writing import sections_of
from archspec.weights.layout import LayoutError, from_torch, order_of, orders
from archspec.weights.tensors import UnreadableError

MAX_ROLLED = 6_000
"""Layers among which repeats are looked for."""


class _Laid:
    """A spec that is not on the disk, in the place of a file."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def holds(self, path: Path) -> bool:
        return path == self.path

    def is_file(self, path: Path) -> bool:
        return True

    def is_folder(self, path: Path) -> bool:
        return False

    def bytes_of(self, path: Path) -> bytes:
        return self.text.encode()

    def inside(self, folder: Path) -> list[str]:
        return []

    def real(self, path: Path) -> Path:
        return path


def opened(text: str, file: Path) -> Spec:
    """The spec with this text. Raises `DataError` where it is wrong."""
    path = Path(f"{file}.imported.yaml").absolute()
    with laid(_Laid(path, text)):
        try:
            spec = open_spec(str(path), findings=Findings())
            spec.graph()
        except SpecError as error:
            first = error.diagnostics[0]
            raise DataError(
                "E566",
                f"{file}: the spec that was made of it is wrong: {first.message}",
                notes=[str(first.primary.span.source.line(first.primary.span.line)).strip()[:200]]
                if first.primary
                else [],
            ) from None
    return spec


def arrays_of(
    graph: Graph, entries: Mapping[str, Entry], notes: list[str], file: Path
) -> tuple[dict[str, np.ndarray], int]:
    """The arrays of the file in this package's axes, by name, and how many it does not have."""
    known = orders(graph)
    found: dict[str, np.ndarray] = {}
    unfilled = 0
    for node in graph.nodes:
        entry = entries[node.path]
        for weight in node.weights:
            tensor = entry.arrays.get(weight.name)
            name = f"{node.path}.{weight.name}"
            if tensor is None:
                unfilled += 1
                continue
            try:
                array = np.asarray(tensor.load()).astype(np.float32)
                if entry.ours:
                    if array.shape != weight.shape:
                        raise LayoutError(f"is {array.shape}, not {weight.shape}")
                else:
                    array = from_torch(array, weight, order_of(node, known))
            except (LayoutError, UnreadableError, OSError, ValueError) as error:
                raise DataError("E566", f"{file}: {name} {error}") from None
            found[name] = np.ascontiguousarray(array)
    return found, unfilled


def rolled_up(
    spec: Spec, text: str, arrays: Mapping[str, np.ndarray], notes: list[str], file: Path
) -> tuple[str, Graph, dict[str, np.ndarray]]:
    """The spec with blocks and loops, its graph, and the arrays under the paths that nodes have there.

    Where that is no shorter than the flat `text`, this one stays.
    """
    if len(spec.graph().nodes) > MAX_ROLLED:
        notes.append(f"of more than {MAX_ROLLED:,} layers no repeats are looked for: they are written one by one")
        return text, spec.graph(), dict(arrays)
    sections = sections_of(spec)
    if "\ntask:" not in text:
        del sections["task"]
    made = rolled(spec.graph(), sections)
    if made.text.count("\n") >= text.count("\n"):
        return text, spec.graph(), dict(arrays)
    notes += made.notes
    named = {}
    for name, array in arrays.items():
        path, _, own = name.rpartition(".")
        while path not in made.renamed:  # arrays within a layer, `query.kernel`
            path, _, outer = path.rpartition(".")
            own = f"{outer}.{own}"
        named[f"{made.renamed[path]}.{own}"] = array
    return made.text, opened(made.text, file).graph(), named


def about_outputs(graph: Graph, program: Program) -> list[str]:
    """What outputs the file gives in another order of their numbers."""
    flat = [
        output.name
        for output in graph.outputs
        if output.node >= 0
        and graph.nodes[output.node].kind == "flatten"
        and 1
        not in (graph.nodes[output.node].input_types[0].channels, *graph.nodes[output.node].input_types[0].spatial)
    ]
    if not flat or program.order == "channels_last":
        return []
    return [f"{count(len(flat), 'output')} of flattened maps: here channels vary fastest, in the file columns do"]
