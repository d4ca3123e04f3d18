"""Two specs as they differ: layers, totals, settings; and one alone where the other is not there or is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.comparing.runs import RunDifference, run_difference
from archspec.comparing.settings import Settings, of_texts, settings
from archspec.diagnostics import DataError, Diagnostic, SpecError
from archspec.figures.differences import Difference, differences
from archspec.figures.memory import inference
from archspec.figures.units import mebibytes, si
from archspec.reports import facts
from archspec.reports.cells import short
from archspec.reports.compare import Changes
from archspec.reports.facts import Facts
from archspec.runs.changes import changes as changes_of_texts
from archspec.spec.needs import training_memory

if TYPE_CHECKING:
    from archspec.graph import Graph
    from archspec.loading import Spec
    from archspec.runs.folder import RunFolder

State = Literal["same", "changed", "added", "removed"]


class Side:
    """A spec as one side has it, in good order or not. `run` is the folder that it lies in, where it is a run's."""

    def __init__(
        self,
        label: str,
        spec: Spec | None,
        diagnostics: Sequence[Diagnostic],
        run: RunFolder | None = None,
        files: Sequence[str] = (),
    ) -> None:
        self.label = label
        self.spec = spec
        self.diagnostics = tuple(diagnostics)
        self.run = run
        self.files = tuple(files)
        """The files that it was made of, as paths of the disk."""

    @property
    def errors(self) -> list[Diagnostic]:
        return [item for item in self.diagnostics if item.severity == "error"]

    @cached_property
    def graph(self) -> Graph | None:
        """The graph, None where the spec has errors."""
        return None if self.spec is None or self.errors else self.spec.graph()


class Total(NamedTuple):
    """A figure of whole networks: as data, as people read it, and the difference; None where a side has it not."""

    key: str
    head: str
    before: Any
    after: Any
    shown: tuple[str, str]
    difference: str

    @property
    def differs(self) -> bool:
        return bool(self.before != self.after)


MEASURED = ("params", "macs", "inference_bytes", "training_bytes", "receptive_field")
"""The figures that are shown also where they are as they were."""


class NetworkDifference:
    """One network on two sides, of which one may lack it. `same_file` says that both are of one file."""

    def __init__(
        self, name: str, before: Side | None, after: Side | None, *, same_file: bool = False, batch: int | None = None
    ) -> None:
        self.name = name
        self.before = before
        self.after = after
        self.same_file = same_file
        self.batch = batch

    @property
    def sides(self) -> tuple[Side | None, Side | None]:
        return self.before, self.after

    @property
    def is_whole(self) -> bool:
        """Whether both sides have a network without a fault, so that there is something to set side by side."""
        return all(side is not None and side.graph is not None for side in self.sides)

    @property
    def is_broken(self) -> bool:
        """Whether a side is there and has errors."""
        return any(side is not None and bool(side.errors) for side in self.sides)

    @property
    def state(self) -> State:
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        if self.is_broken:
            said = [
                [item._replace(primary=None, secondary=()) for item in side.errors]
                for side in (self.before, self.after)
            ]
            return "same" if said[0] == said[1] and not self.settings.changed else "changed"
        return "changed" if self._differs or self.runs_differ else "same"

    @cached_property
    def _graphs(self) -> tuple[Graph, Graph]:
        assert self.before is not None and self.after is not None
        one, other = self.before.graph, self.after.graph
        assert one is not None and other is not None
        return one, other

    @cached_property
    def _differs(self) -> bool:
        one, other = self._graphs
        # To align layers takes longer than to see that all are equal.
        return one.nodes != other.nodes or one.inputs != other.inputs or bool(self.settings.changed)

    @cached_property
    def changes(self) -> list[Difference]:
        """The layers of both networks in pairs, heads for training included; none where one cannot be had."""
        return differences(*self._graphs) if self.is_whole else []

    @cached_property
    def counts(self) -> Changes:
        return Changes.of(self.changes)

    @cached_property
    def settings(self) -> Settings:
        """What the specs say otherwise; of runs whose specs cannot be read, what their texts do."""
        if self.before is None or self.after is None:
            return Settings([])
        one, other = self.before, self.after
        if self.is_whole and one.spec is not None and other.spec is not None:
            arguments = one.run is None and other.run is None
            return settings(one.spec, other.spec, named=self.same_file, arguments=arguments)
        if one.run is not None and other.run is not None:
            texts = one.run.spec_text, other.run.spec_text
            if texts[0] is not None and texts[1] is not None:
                return of_texts(changes_of_texts(texts[0], texts[1]))
        return Settings([])

    @cached_property
    def runs(self) -> RunDifference | None:
        """What differs between two runs. Raises `SpecError` (E513) where their records cannot be used."""
        if self.before is None or self.after is None or self.before.run is None or self.after.run is None:
            return None
        specs = tuple(None if side.errors else side.spec for side in (self.before, self.after))
        try:
            return run_difference(self.before.run, self.after.run, (specs[0], specs[1]))
        except DataError as error:
            raise error.located(None) from None

    @property
    def runs_differ(self) -> bool:
        found = self.runs
        return found is not None and (
            bool(found.versions or found.others)
            or found.same_data is False
            or any(row.before != row.after for row in found.figures)
        )

    @cached_property
    def totals(self) -> list[Total]:
        """The figures of both networks, or of the one that can be had."""
        columns = [
            _figures(side, self.batch) if side is not None and side.graph is not None else {} for side in self.sides
        ]
        return [
            _total(key, head, show, columns[0].get(key), columns[1].get(key), kind)
            for key, head, show, kind in COLUMNS
            if any(column.get(key) is not None for column in columns)
        ]

    def total(self, key: str) -> Total | None:
        return next((total for total in self.totals if total.key == key), None)


COLUMNS: tuple[tuple[str, str, Callable[[Any], str], str], ...] = (
    ("input", "input (H×W×C)", facts.BY_KEY["input"].show, ""),
    ("output", "output", facts.BY_KEY["receptive_field"].show, ""),
    ("params", "parameters", facts.BY_KEY["params"].show, "count"),
    ("frozen", "frozen values", facts.BY_KEY["params"].show, "count"),
    ("statistics", "statistics", facts.BY_KEY["params"].show, "count"),
    ("macs", "multiply–adds", si, "si"),
    ("flops", "FLOPs", si, "si"),
    ("weights_bytes", "weights on disk", mebibytes, "bytes"),
    ("inference_bytes", "memory, inference", mebibytes, "bytes"),
    ("training_bytes", "memory, training", mebibytes, "bytes"),
    ("training_of", "  of a step of", str, ""),
    ("layers", "layers", facts.BY_KEY["layers"].show, "count"),
    ("depth", "depth", facts.BY_KEY["depth"].show, "count"),
    ("receptive_field", "receptive field", facts.BY_KEY["receptive_field"].show, ""),
    ("stride", "total stride", facts.BY_KEY["stride"].show, ""),
)
"""The figures: key, heading, how a value is shown, and how a difference is."""


def _figures(side: Side, batch: int | None) -> dict[str, Any]:
    """A network's figures. Memory for training is that of a step as the recipe has it, for its own batch."""
    assert side.graph is not None and side.spec is not None
    graph, recipe = side.graph, side.spec.train
    own = Facts(side.label, "", graph)
    own_batch = batch or (recipe.batch_size if recipe is not None and isinstance(recipe.batch_size, int) else 1)
    precision = recipe.precision if recipe is not None else "float32"
    optimiser = recipe.optimiser if recipe is not None else None
    found = {key: own.figure(key) for key in ("input", "params", "macs", "flops", "weights_bytes", "layers", "depth")}
    return {
        **found,
        "frozen": own.seen.count("frozen") or None,
        "statistics": own.seen.count("statistics") or None,
        "output": own.output,
        "inference_bytes": inference(graph, "float32").at(batch or 1),
        "training_bytes": training_memory(graph, recipe).at(own_batch),
        "training_of": f"{own_batch} in {precision}, {optimiser.called if optimiser is not None else 'adam'}",
        "receptive_field": own.figure("receptive_field"),
        "stride": own.figure("stride"),
    }


def _total(key: str, head: str, show: Callable[[Any], str], one: Any, other: Any, kind: str) -> Total:
    shown = tuple("" if value is None else show(value) for value in (one, other))
    difference = ""
    if kind and isinstance(one, int) and isinstance(other, int) and one != other:
        change = other - one
        text = f"{abs(change):,}" if kind == "count" else si(abs(change)) if kind == "si" else mebibytes(abs(change))
        difference = f"{'+' if change > 0 else '−'}{text}{_share(one, other)}"
    return Total(key, head, one, other, (shown[0], shown[1]), difference)


def _share(one: int, other: int) -> str:
    """A difference as a share of the first value, or how many times that the second one is where it is far larger."""
    if not one:
        return ""
    if other >= 3 * one:
        return f" (×{short(other / one)})"
    share = 100 * (other - one) / one
    return f" ({'+' if share > 0 else '−'}{short(abs(share), 2)} %)"


def checked(spec: Spec) -> tuple[Diagnostic, ...]:
    """Everything found in a spec."""
    try:
        return spec.diagnostics
    except SpecError as error:
        return error.diagnostics
