"""Figures of whole networks, for tables that set networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from archspec.figures.receptive_field import ReceptiveField, with_places
from archspec.figures.units import mebibytes, si, size_text
from archspec.graph import Graph
from archspec.optimisers import Optimiser, default_optimiser
from archspec.reports.cells import Cell, Table
from archspec.types import DTYPE_BYTES, TensorType

if TYPE_CHECKING:
    from archspec.elaborate.resizing import SmallestInput
    from archspec.figures.conventions import Convention
    from archspec.spec.lineage import Lineage
    from archspec.spec.network import Published

Figure = TypeVar("Figure")


class Figures(Protocol):
    """A network's figures, counted from its graph (`Facts`) or read where they are kept."""

    @property
    def label(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def variant(self) -> str | None: ...
    @property
    def batch(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def optimiser_kind(self) -> str: ...
    @property
    def published(self) -> Published | None: ...
    @property
    def lineage(self) -> Lineage | None: ...
    @property
    def searched(self) -> bool: ...
    @property
    def output(self) -> tuple[int, ...]: ...
    def figure(self, key: str) -> Any:
        """The value of a column."""


@dataclass(frozen=True)
class Facts:
    """One network's figures. Operations are one sample's in evaluation, memory that of a batch.

    `smallest` is None where it was not looked for or there is none; `searched` tells these apart.
    `family` is the name of the zoo's file, `convention` another tool's way to count operations, for `counted`.
    """

    label: str
    title: str
    graph: Graph
    batch: int = 1
    dtype: str = "float32"
    optimiser: Optimiser | None = None
    published: Published | None = None
    smallest: SmallestInput | None = None
    searched: bool = False
    family: str = ""
    lineage: Lineage | None = None
    convention: Convention | None = None
    seen: Graph = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", self.graph.pruned("eval"))

    def figure(self, key: str) -> Any:
        """The value of a column."""
        return BY_KEY[key].value(self)

    @property
    def variant(self) -> str | None:
        """The variant of its file that the network is, None where it is none."""
        return self.graph.variant

    @property
    def optimiser_kind(self) -> str:
        return (self.optimiser or default_optimiser()).called

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return self.seen.count("trainable")

    @property
    def counted(self) -> int | None:
        """Operations as the convention counts them."""
        from archspec.figures.conventions import total

        return total(self.convention, self.seen) if self.convention is not None else None

    @property
    def weights_bytes(self) -> int:
        """Bytes of all arrays, statistics included, as a file holds them."""
        arrays = sum(weight.size for node in self.seen.nodes for weight in node.weights)
        return DTYPE_BYTES[self.dtype] * arrays

    @property
    def inference_bytes(self) -> int:
        from archspec.figures.memory import inference

        return inference(self.graph, self.dtype).at(self.batch)

    @property
    def training_bytes(self) -> int:
        from archspec.figures.memory import training

        return training(self.graph, self.dtype, self.optimiser).at(self.batch)

    @property
    def output(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.seen.output_type(self.seen.outputs[0]).shape


def depth(graph: Graph) -> int:
    """Layers on the longest path from the input that multiply by weights: convolutions and dense layers.

    The number in a network's name, as in VGG-16 or ResNet-50.
    """
    longest: list[int] = []
    for node in graph.nodes:
        before = max((longest[source] for source in node.value_sources), default=0)
        longest.append(before + (node.cost.macs > 0))
    return max(longest, default=0)


def last_receptive_field(graph: Graph) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
    """Height and width, or the length, of what a position of the last map sees, before a layer takes the whole map.

    Where it sees other sizes of several inputs, the sizes by their names.
    """
    return _by_input({name: fields[-1].size[: _axes(graph, name)] for name, fields in _seeing(graph).items()})


def total_stride(graph: Graph) -> float | dict[str, float]:
    """Input pixels between neighbouring positions of the coarsest map, before a layer takes the whole map.

    Where they differ between several inputs, the distances by their names.
    """
    jumps = {name: max(max(field.jump) for field in fields) for name, fields in _seeing(graph).items()}
    found = _by_input(jumps)
    return 1 if found is None else found


def _seeing(graph: Graph) -> dict[str, list[ReceptiveField]]:
    """The fields of the layers with places, by the name of the input that they are fields of."""
    found: dict[str, list[ReceptiveField]] = {}
    for _, fields in with_places(graph):
        for source, seen in fields.items():
            found.setdefault(graph.source_name(source), []).append(seen)
    return found


def _axes(graph: Graph, name: str) -> int:
    return next(len(item.type.spatial) for item in graph.inputs if item.name == name)


def _by_input(values: dict[str, Figure]) -> Figure | dict[str, Figure] | None:
    """A figure of each input, once where it is the same for all."""
    alike = len(set(values.values())) == 1
    return next(iter(values.values())) if alike else values or None


class Fact(NamedTuple):
    """One figure: its key in data and for sorting, its heading, and how it is read from the facts and shown."""

    key: str
    head: str
    value: Callable[[Facts], Any]
    show: Callable[[Any], str]


def _times(shape: Sequence[int] | dict[str, Sequence[int]] | None) -> str:
    if isinstance(shape, dict):
        return ", ".join(f"{name} {_times(own)}" for name, own in shape.items())
    return "" if shape is None else "×".join(map(str, shape))


def _taken(graph: Graph) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """The input's shape, of several their shapes by name."""
    shapes = {item.name: item.type.shape for item in graph.inputs}
    return shapes if len(shapes) > 1 else graph.input.shape


def _input(value: tuple[int, ...] | dict[str, tuple[int, ...]]) -> str:
    """An image's shape, of a signal and a vector with what its axes are, of several inputs with their names."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_input(shape)}" for name, shape in value.items())
    return _times(value) if len(value) == 3 else size_text(TensorType(value))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(own)}" for name, own in value.items())
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:g} %"


def _none(facts: Facts) -> str:
    """What is said where no square input was found, or none was looked for."""
    if not facts.searched:
        return ""
    from archspec.elaborate.resizing import sides_searched

    return f"none up to {sides_searched(facts.graph.input)}"


def _published(name: str) -> Callable[[Facts], float | None]:
    return lambda facts: getattr(facts.published, name) if facts.published is not None else None


COLUMNS = (
    Fact("input", "input (H×W×C)", lambda facts: _taken(facts.graph), _input),
    Fact("params", "parameters", lambda facts: facts.params, _plain),
    Fact("macs", "MACs", lambda facts: facts.seen.macs, si),
    Fact("flops", "FLOPs", lambda facts: facts.seen.flops, si),
    Fact("weights_bytes", "weights on disk", lambda facts: facts.weights_bytes, mebibytes),
    Fact("inference_bytes", "memory, inference", lambda facts: facts.inference_bytes, mebibytes),
    Fact("training_bytes", "memory, training", lambda facts: facts.training_bytes, mebibytes),
    Fact("layers", "layers", lambda facts: len(facts.seen.nodes), _plain),
    Fact("depth", "depth", lambda facts: depth(facts.seen), _plain),
    Fact("receptive_field", "receptive field", lambda facts: last_receptive_field(facts.seen), _times),
    Fact("stride", "total stride", lambda facts: total_stride(facts.seen), _plain),
    Fact("smallest_input", "smallest input", lambda facts: facts.smallest or _none(facts), str),
    Fact("top1", "top-1", _published("top1"), _percent),
    Fact("top5", "top-5", _published("top5"), _percent),
)

PLACE = (
    Fact("family", "family", lambda facts: facts.family or None, _text),
    Fact("year", "year", lambda facts: facts.lineage and facts.lineage.year, _text),
    Fact("after", "after", lambda facts: ", ".join(facts.lineage.after) or None if facts.lineage else None, _text),
)
"""Where a network stands among others."""

COUNTED = Fact("counted", "counted", lambda facts: facts.counted, si)
"""What there is where a convention was chosen."""

BY_KEY = {column.key: column for column in (*COLUMNS, *PLACE, COUNTED)}

EXPLAINED = (
    "depth: convolutions and dense layers on the longest path; receptive field: of the last map, total stride: of the "
    "coarsest, before a layer takes the whole map"
)


def raw(value: Any) -> str | int | float | None:
    """A figure as CSV and sorting take it: of a shape its numbers, of a smallest input its side."""
    from archspec.elaborate.resizing import SmallestInput

    if isinstance(value, SmallestInput):
        return value.side
    if isinstance(value, str):
        return None
    if isinstance(value, dict):
        return " ".join(f"{name}={raw(shape)}" for name, shape in value.items())
    return "x".join(map(str, value)) if isinstance(value, tuple) else value


def labels(names: Sequence[str], targets: Sequence[str]) -> list[str]:
    """The networks' names; where several have one, what was asked for as well, and a number where that is the same."""
    tried = [
        name if names.count(name) == 1 or target == name else f"{name} ({target})"
        for name, target in zip(names, targets, strict=True)
    ]
    seen: dict[str, int] = {}
    made = []
    for label in tried:
        seen[label] = seen.get(label, 0) + 1
        made.append(label if seen[label] == 1 else f"{label} [{seen[label]}]")
    return made


def header(facts: Sequence[Figures]) -> list[str]:
    """What the figures are figures of."""
    first = facts[0]
    kinds = {item.optimiser_kind for item in facts}
    how = kinds.pop() if len(kinds) == 1 else "each network's optimiser"
    from archspec.reports.tables import OURS

    return [
        f"a sample's operations in evaluation; memory for batch {first.batch} in {first.dtype}, training with {how}",
        OURS,
    ]


def notes(facts: Sequence[Figures], columns: Sequence[Fact]) -> list[str]:
    """What the columns mean, and where published accuracy stands."""
    keys = {column.key for column in columns}
    lines = [EXPLAINED] if keys & {"depth", "receptive_field", "stride"} else []
    if "smallest_input" in keys and any(item.searched for item in facts):
        lines.append(
            "smallest input: side of the smallest square for which every layer fits, heads for training included"
        )
    sources: dict[str, list[str]] = {}
    for item in facts if keys & {"top1", "top5"} else ():
        if item.published is not None and (item.published.top1 or item.published.top5):
            sources.setdefault(item.published.source, []).append(item.label)
    if sources:
        lines.append("accuracy is published, not measured here")
        lines += [f"{', '.join(names)}: {source}" for source, names in sources.items()]
    return lines


def table(facts: Sequence[Figures], columns: Sequence[Fact] | None = None, *, titles: bool = False) -> Table:
    """Networks as rows. Columns without any figure are left out unless they are asked for; titles come last."""
    chosen = columns if columns is not None else used(facts)
    rows: list[list[str | Cell]] = []
    for item in facts:
        values = [(column, item.figure(column.key)) for column in chosen]
        cells = [Cell(column.show(value), value if column in PLACE else raw(value)) for column, value in values]
        rows.append([item.label, *cells, *([item.title] if titles else [])])
    return Table(
        ("network", *(column.head for column in chosen), *(["title"] if titles else [])),
        rows,
        (False, *(column.key not in ("family", "after") for column in chosen), *([False] if titles else [])),
        caption=header(facts),
        notes=notes(facts, chosen),
        keys=("network", *(column.key for column in chosen), *(["title"] if titles else [])),
    )


def used(facts: Sequence[Figures], columns: Sequence[Fact] = COLUMNS) -> list[Fact]:
    """The columns that some network has a figure for, or was searched for."""
    return [
        column
        for column in columns
        if (
            any(item.searched for item in facts)
            if column.key == "smallest_input"
            else any(item.figure(column.key) is not None for item in facts)
        )
    ]


def to_dict(facts: Figures) -> dict[str, Any]:
    """The figures as plain data, each under its column's key."""
    from archspec.elaborate.resizing import SmallestInput

    fields: dict[str, Any] = {"name": facts.label, "title": facts.title, "variant": facts.variant}
    for column in COLUMNS:
        if column.key == "smallest_input" and not facts.searched:
            continue
        value = facts.figure(column.key)
        if isinstance(value, SmallestInput):
            value = {"side": value.side, "next": value.next, "exact": value.exact}
        elif column.key == "smallest_input":
            value = None
        fields[column.key] = list(value) if isinstance(value, tuple) else value
    fields["output"] = list(facts.output)
    published = facts.published
    fields["published"] = {"source": published.source, "note": published.note or None} if published else None
    return fields
