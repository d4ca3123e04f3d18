"""What to say where memory runs out while a run is read and used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archspec.diagnostics import SpecError
from archspec.figures.memory import inference
from archspec.graph import Graph
from archspec.runs.reading import opened
from archspec.training.boundary import what_needs_less

_MORE = "a machine with more memory, or weights imported for a smaller `--input`"


def less(path: Path) -> Callable[[], list[str]]:
    """What to say where memory runs out over a folder: the size of input was chosen when it was trained or imported."""

    def said() -> list[str]:
        try:
            graph = opened(path)[1].graph()
        except SpecError:
            return [_MORE]
        return less_of(graph)()

    return said


def less_of(graph: Graph) -> Callable[[], list[str]]:
    """As `less`, of a network that was read."""
    return lambda: what_needs_less(graph, inference(graph), _MORE)
