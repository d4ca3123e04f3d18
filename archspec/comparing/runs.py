"""What two run folders say beside their specs: where they ran, and the figures that they ended with. Without JAX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.diagnostics import DataError, SpecError, count
from archspec.runs.folder import RESULT, RunFolder, read_object
from archspec.runs.surroundings import Other, compared
from archspec.watching import LOSS, best_of, chosen_by, figures_of

if TYPE_CHECKING:
    from archspec.loading import Spec

PARTS = ("train", "validation", "test")

DIGEST = "data_sha256"
"""Under this name run.json has the digest of the data (`training/digest.py`)."""

Better = Literal["higher", "lower"]


class Figured(NamedTuple):
    """The figures of the state that a run has to offer, by part and name, and which values are better."""

    values: dict[str, dict[str, float]]
    better: dict[tuple[str, str], Better]
    step: int | None
    epoch: float | None
    epochs: float | None
    why: str
    """Why it is the figures of this step."""
    finished: bool
    notes: tuple[str, ...] = ()


class Row(NamedTuple):
    """A figure of both runs; None where one lacks it."""

    part: str
    name: str
    before: float | None
    after: float | None
    better: Better | None

    @property
    def winner(self) -> Literal["before", "after"] | None:
        """Which run's value is better; None where neither is, or nobody says which is."""
        if self.better is None or self.before is None or self.after is None or self.before == self.after:
            return None
        return "after" if (self.after > self.before) == (self.better == "higher") else "before"


class RunDifference(NamedTuple):
    """What differs between two runs beside their specs."""

    versions: list[Other]
    figures: list[Row]
    before: Figured
    after: Figured
    same_data: bool | None
    """Whether both were trained on the same samples in the same order; None where one does not say."""
    others: list[tuple[str, Any, Any]]
    """What else run.json says otherwise: how images were prepared, names of classes, files of plugins."""
    one_scale: bool = True
    """Whether losses are those of one function, so that the smaller is the better."""


def run_difference(before: RunFolder, after: RunFolder, specs: tuple[Spec | None, Spec | None]) -> RunDifference:
    """What two runs ended with, and what they ran on. Raises `DataError` (E513) where records cannot be used."""
    abouts = one_about, other_about = before.about, after.about
    one, other = (figured(folder, spec) for folder, spec in zip((before, after), specs, strict=True))
    digests = [about.get(DIGEST) for about in abouts]
    same = digests[0] == digests[1] if all(isinstance(item, str) for item in digests) else None
    others = [
        (name, one_about.get(name), other_about.get(name))
        for name in ("images", "classes", "values", "plugins")
        if one_about.get(name) != other_about.get(name)
    ]
    # Losses of two kinds are numbers of two scales.
    scales = [_losses(spec) for spec in specs]
    one_scale = None in scales or scales[0] == scales[1]
    rows = []
    for part in PARTS:
        names = dict.fromkeys([*other.values.get(part, ()), *one.values.get(part, ())])
        for name in names:
            a, b = (found.values.get(part, {}).get(name) for found in (one, other))
            better = other.better.get((part, name)) or one.better.get((part, name))
            if not one_scale and name.rpartition(".")[2] == LOSS:
                better = None
            rows.append(Row(part, name, a, b, better))
    return RunDifference(compared(*abouts), rows, one, other, same, others, one_scale)


def figured(folder: RunFolder, spec: Spec | None) -> Figured:
    """The figures of the step that a run ended with, or else of the best by its recipe, or else of the last.

    Raises `DataError` (E513) where records are of an earlier archspec.
    """
    records, notes = folder.metrics()
    result = read_object(folder.path / RESULT)
    by_step = {record["step"]: record for record in records}
    better: dict[tuple[str, str], Better] = {}
    figure = None
    if spec is not None:
        try:
            better = _better(spec)
            figure = chosen_by(spec)
        except (DataError, SpecError) as error:
            notes.append(f"which of its figures are better is not known: {str(error).strip().splitlines()[-1]}")
    step = result.get("step")
    if step in by_step:
        why = "the state that the run ended with" if figure is None else f"the best by {figure.name}"
    elif figure is not None and (step := best_of(records, figure)) is not None:
        why = f"the best by {figure.name} so far"
    else:
        step, why = (records[-1]["step"], "the last so far") if records else (None, "no evaluation yet")
    record = by_step.get(step, {}) if step is not None else {}
    values = {part: dict(_numbers("", record.get(part))) for part in PARTS if isinstance(record.get(part), dict)}
    if isinstance(result.get("test"), dict):
        values["test"] = dict(_numbers("", result["test"]))
    hidden = _lists(record.get("validation")) + _lists(result.get("test"))
    if hidden:
        notes.append(f"{count(hidden, 'figure')} with a number for each class left out here")
    last = records[-1]["epoch"] if records else None
    return Figured(values, better, step, record.get("epoch"), last, why, bool(result), tuple(notes))


def _losses(spec: Spec | None) -> list[tuple[str, float, str]] | None:
    """The losses of a network's outputs, and their weights; None where they are not known."""
    if spec is None:
        return None
    try:
        return [(head.name, head.weight, repr(head.loss)) for head in spec.heads() if not head.train_only]
    except (DataError, SpecError):
        return None


def _numbers(before: str, figures: Any) -> Iterator[tuple[str, float]]:
    """Figures by name; those of other outputs have the output's before them."""
    if not isinstance(figures, Mapping):
        return
    for name, value in figures.items():
        if name == "heads" and isinstance(value, Mapping):
            yield from ((f"{head}.loss", loss) for head, loss in value.items() if _is_number(loss))
        elif name == "outputs" and isinstance(value, Mapping):
            for head, own in value.items():
                yield from _numbers(f"{head}.", own)
        elif _is_number(value):
            yield f"{before}{name}", float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lists(figures: Any) -> int:
    return sum(isinstance(value, list) for value in figures.values()) if isinstance(figures, Mapping) else 0


def _better(spec: Spec) -> dict[tuple[str, str], Better]:
    """Which values are better, by part and name. Raises `DataError` and `SpecError`."""
    heads, main = spec.heads(), spec.graph().main_output.name
    found: dict[tuple[str, str], Better] = {("train", "loss"): "lower"}
    for head in heads:
        if head.running is not None:
            before = "" if head.name == main else f"{head.name}."
            found |= {("train", f"{before}{name}"): head.running.better for name in head.running.numbers}
    for name, figure in figures_of(heads, main).items():
        found |= {(part, name): figure.better for part in ("validation", "test")}
    return found
