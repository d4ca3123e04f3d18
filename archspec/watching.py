"""What a run goes by: which figure of its evaluations, which of them is the best, and when nothing improves any more.

All of it follows from the records alone, so that a run that is taken up goes on as one that was not stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from archspec.diagnostics import DataError, count, did_you_mean, listed

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.schedules.plateau import Following, Plateau
    from archspec.spec.train import EarlyStopping, Train
    from archspec.tasks import Head

MEASURED = "validation"
"""The part of a record that has what evaluations measure."""
LOSS = "loss"


class UnmeasuredError(DataError):
    """That evaluations do not measure a figure; `path` is where the recipe names it."""

    path: tuple[str, ...] = ()


class Figure(NamedTuple):
    """A figure of an evaluation: where a record has it, what it is called, and which values are better."""

    name: str
    path: tuple[str, ...]
    better: Literal["higher", "lower"]

    def of(self, record: Mapping[str, Any]) -> float | None:
        """Its value in a record; None where nothing counted, or where the record lacks it."""
        value: Any = record.get(MEASURED)
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and not isnan(value)
        return float(value) if number else None

    def to_plain(self) -> dict[str, Any]:
        """As run.json has it."""
        return {"name": self.name, "path": list(self.path), "better": self.better}

    @classmethod
    def from_plain(cls, value: Any) -> Figure | None:
        """The figure that run.json has; None where it has none."""
        if not isinstance(value, Mapping):
            return None
        name, path, better = (value.get(key) for key in ("name", "path", "better"))
        whole = isinstance(name, str) and isinstance(path, list) and better in ("higher", "lower")
        return cls(str(name), tuple(map(str, path or ())), better) if whole else None  # type: ignore[arg-type]

    def improves(self, value: float | None, before: float | None, by: float = 0.0) -> bool:
        """Whether a value is better than one before, by more than a difference."""
        if value is None or before is None:
            return value is not None
        return value > before + by if self.better == "higher" else value < before - by


def figures_of(heads: Sequence[Head], main: str) -> dict[str, Figure]:
    """The numbers that evaluations measure, by name: those of other outputs have the output's before them."""
    found = {LOSS: Figure(LOSS, (LOSS,), "lower")}
    measured = [head for head in heads if not head.train_only]
    for head in sorted(measured, key=lambda head: head.name != main):
        before, path = ("", ()) if head.name == main else (f"{head.name}.", ("outputs", head.name))
        if before:
            found[f"{before}{LOSS}"] = Figure(f"{before}{LOSS}", ("heads", head.name), "lower")
        for metric in head.metrics:
            for name in metric.numbers:
                found[f"{before}{name}"] = Figure(f"{before}{name}", (*path, name), metric.better)
    return found


def figure_named(name: str, heads: Sequence[Head], main: str) -> Figure:
    """The figure of a name; `accuracy` is what the task measures of that in evaluation, as `top1`.

    Raises `UnmeasuredError` (E509) where evaluations do not measure it.
    """
    known = figures_of(heads, main)
    if name in known:
        return known[name]
    names = list(known)
    for head in heads:
        before = "" if head.name == main else f"{head.name}."
        running = head.task.running(head.type)
        alike = f"{before}{head.task.counterpart(head.type)}"
        if running is not None and alike in known:
            names.append(f"{before}{running.headline}")
            if name == names[-1]:
                return known[alike]
    raise UnmeasuredError(
        "E509",
        f"evaluations do not measure `{name[:100]}`",
        help=[
            did_you_mean(name, names) or f"they measure {listed(known, 12)}",
            "`metrics` in `train` adds what is to be measured",
        ],
    )


def chosen_by(spec: Spec) -> Figure | None:
    """The figure by which a run's state is chosen, as its `best` says; None where it is the last state."""
    if spec.train is None or spec.train.best is None:
        return None
    return figure_named(spec.train.best, spec.heads(), spec.graph().main_output.name)


def compared_by(recipe: Train, heads: Sequence[Head], main: str) -> Figure:
    """The figure by which runs of a recipe are compared: the one that its `best` names, otherwise the headline of the
    main output.

    Raises `UnmeasuredError` (E509) where `best` names a figure that evaluations do not measure.
    """
    head = next(head for head in heads if head.name == main)
    return figure_named(recipe.best or (head.figures[0] if head.figures else LOSS), heads, main)


def best_of(records: Sequence[Mapping[str, Any]], figure: Figure, among: Sequence[int] | None = None) -> int | None:
    """The step of the best record, the first of equals; None where none has the figure.

    With `among`, only records of those steps are looked at.
    """
    chosen: tuple[int, float] | None = None
    for record in records:
        value = figure.of(record)
        if value is None or (among is not None and record["step"] not in among):
            continue
        if figure.improves(value, None if chosen is None else chosen[1]):
            chosen = record["step"], value
    return None if chosen is None else chosen[0]


class Patience:
    """Tells when evaluations have not improved for so long that training ends."""

    def __init__(self, stopping: EarlyStopping, figure: Figure) -> None:
        self.stopping = stopping
        self.figure = figure
        self.best: float | None = None
        self.waited = 0

    def see(self, record: Mapping[str, Any]) -> None:
        """Takes the next evaluation's record."""
        value = self.figure.of(record)
        if self.figure.improves(value, self.best, self.stopping.min_delta):
            self.best, self.waited = value, 0
        else:
            self.waited += 1

    @property
    def ended(self) -> bool:
        return self.waited >= self.stopping.patience


class Watch:
    """What the records of a run so far mean for how it goes on.

    `best` is the figure by which the state is chosen, None where it is the last. Raises `UnmeasuredError`
    (E509) where the recipe names a figure that is not measured.
    """

    def __init__(self, recipe: Train, heads: Sequence[Head], main: str) -> None:
        def named(name: str, *path: str) -> Figure:
            try:
                return figure_named(name, heads, main)
            except UnmeasuredError as error:
                error.path = path
                raise

        stopping, schedule = recipe.early_stopping, recipe.schedule
        self.best = named(recipe.best, "best") if recipe.best is not None else None
        self.patience = Patience(stopping, named(stopping.metric, "early_stopping", "metric")) if stopping else None
        self.following: tuple[Following, Figure] | None = None
        if schedule.kind == "plateau":
            plateau = cast("Plateau", schedule)
            figure = named(plateau.metric, "schedule", "plateau", "metric")
            self.following = plateau.follow(figure.better), figure

    def see(self, record: Mapping[str, Any]) -> None:
        """Takes the next evaluation's record."""
        if self.patience is not None:
            self.patience.see(record)
        if self.following is not None:
            following, figure = self.following
            following.see(figure.of(record))

    @property
    def factor(self) -> float:
        """What the learning rate is multiplied by from here on."""
        return 1.0 if self.following is None else self.following[0].factor

    @property
    def ended(self) -> bool:
        """Whether training ends before its last epoch."""
        return self.patience is not None and self.patience.ended

    @property
    def said(self) -> str:
        """Why training ended early, in words."""
        assert self.patience is not None
        name, waited = self.patience.figure.name, self.patience.waited
        return f"training ends early: `{name}` has not improved in {count(waited, 'evaluation')}"
