"""What becomes of a draft's text: a spec and its graph, the file's arrays in this package's axes, blocks and loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from archspec.diagnostics import DataError, Findings, SpecError, count
from archspec.graph import Graph
from archspec.importing.draft import Entry
from archspec.importing.operations import Program
from archspec.layers import Weight
from archspec.loading import Spec, open_spec
from archspec.rolling import rolled
from archspec.source import OneText, laid
from archspec.spec.writing import sections_of
from archspec.weights.files import Parted
from archspec.weights.layout import LayoutError, Order, from_torch, order_of, orders
from archspec.weights.tensors import Tensor, UnreadableError

PART = 2**22
"""Numbers that are brought into this package's axes at a time: 16 MiB."""
MAX_ROLLED = 6_000
"""Layers among which repeats are looked for."""


def opened(text: str, file: Path) -> Spec:
    """The spec with this text. Raises `DataError` where it is wrong."""
    path = Path(f"{file}.imported.yaml").absolute()
    with laid(OneText(path, text)):
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


class Source(NamedTuple):
    """An array of a file: what it is here, and how its numbers come to lie as here."""

    name: str
    tensor: Tensor
    weight: Weight
    order: Order
    ours: bool
    file: Path

    def made(self) -> np.ndarray:
        """The array. Raises `DataError`."""
        array = self._loaded()
        try:
            if not self.ours:
                array = from_torch(array, self.weight, self.order)
            elif array.shape != self.weight.shape:
                raise LayoutError(f"is {array.shape}, not {self.weight.shape}")
        except (LayoutError, ValueError) as error:
            raise DataError("E566", f"{self.file}: {self.name} {error}") from None
        return np.ascontiguousarray(array, np.float32)

    def parts(self) -> Iterator[np.ndarray]:
        """The same in parts of the first axis; of a dense layer's kernel only the columns of a part are turned."""
        whole = self.weight.size <= PART or self.ours or self.weight.axes != "CO" or len(self.tensor.shape) != 2
        if whole or self.order is None or self.tensor.shape != self.weight.shape[::-1]:
            yield self.made()
            return
        array = self._loaded()
        features, units = self.weight.shape
        places = from_torch(np.arange(features)[None], Weight("kernel", (features, 1), axes="CO"), self.order)[:, 0]
        rows = max(1, PART // units)
        for first in range(0, features, rows):
            yield array[:, places[first : first + rows]].T

    def _loaded(self) -> np.ndarray:
        try:
            return np.asarray(self.tensor.load())
        except (UnreadableError, OSError, ValueError) as error:
            raise DataError("E566", f"{self.file}: {self.name} {error}") from None


class Arrays(Parted):
    """The arrays of a file in this package's axes, each made when it is asked for."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = dict(sources)
        self.shapes = {name: source.weight.shape for name, source in sources.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.sources[name].made()

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def parts(self, name: str) -> Iterator[np.ndarray]:
        return self.sources[name].parts()


def arrays_of(graph: Graph, entries: Mapping[str, Entry], notes: list[str], file: Path) -> tuple[Arrays, int]:
    """The arrays of the file in this package's axes, by name, and how many it does not have.

    Raises `DataError` where one cannot be brought into them.
    """
    known = orders(graph)
    found: dict[str, Source] = {}
    unfilled = 0
    for node in graph.nodes:
        entry = entries[node.path]
        for weight in node.weights:
            tensor = entry.arrays.get(weight.name)
            name = f"{node.path}.{weight.name}"
            if tensor is None:
                unfilled += 1
                continue
            found[name] = Source(name, tensor, weight, order_of(node, known), entry.ours, file)
            # Of those that are small all is done, so that what is wrong is said before anything is written.
            if weight.size <= PART:
                found[name].made()
    return Arrays(found), unfilled


def rolled_up(spec: Spec, text: str, arrays: Arrays, notes: list[str], file: Path) -> tuple[str, Graph, Arrays]:
    """The spec with blocks and loops, its graph, and the arrays under the paths that nodes have there.

    Where that is no shorter than the flat `text`, this one stays.
    """
    if len(spec.graph().nodes) > MAX_ROLLED:
        notes.append(f"of more than {MAX_ROLLED:,} layers no repeats are looked for: they are written one by one")
        return text, spec.graph(), arrays
    sections = sections_of(spec)
    if "\ntask:" not in text:
        del sections["task"]
    made = rolled(spec.graph(), sections)
    if made.text.count("\n") >= text.count("\n"):
        return text, spec.graph(), arrays
    notes += made.notes
    named = {}
    for name, source in arrays.sources.items():
        path, _, own = name.rpartition(".")
        while path not in made.renamed:  # arrays within a layer, `query.kernel`
            path, _, outer = path.rpartition(".")
            own = f"{outer}.{own}"
        named[f"{made.renamed[path]}.{own}"] = source
    return made.text, opened(made.text, file).graph(), Arrays(named)


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
