"""What came of a sweep: a table with the best first, the best run, and a plot of each setting's effect."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import count, listed
from archspec.drawing.palette import FAINT, INK
from archspec.reports.cells import WRITERS
from archspec.reports.cells import text as as_text
from archspec.reports.plotting import PALETTE, new_figure, save, tidy
from archspec.runs.rows import Row, read_runs
from archspec.runs.table import RunsTable, of_rows
from archspec.sweeping.choosing import Outcomes
from archspec.sweeping.trials import Outcome, Trial, has_validation
from archspec.watching import LOSS, MEASURED

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

    from archspec.sweeping.working import Sweep

EFFECTS = "effects.png"
"""The name of the plot of the settings' effects in a sweep's folder."""
ACROSS = 3
"""Panels of that plot side by side."""


class Effect(NamedTuple):
    """A setting's values, and the figures of the trials that had each; `logarithmic` says how numbers are laid out."""

    path: str
    numbers: bool
    logarithmic: bool
    listed: bool
    """Whether the values were given one by one, not drawn from a range."""
    values: Sequence[Any]
    figures: Sequence[float]


@dataclass(frozen=True)
class SweepResult:
    """What came of a sweep. `best` is the best trial's run, None where every trial failed; a notebook shows the table.

    `table` has a row for each trial, the best first; `failed` says why trials failed, by their names.
    """

    folder: Path
    best: Path | None
    value: float | None
    """The best trial's figure."""
    figure: str
    table: RunsTable = field(repr=False)
    failed: dict[str, str] = field(repr=False)
    trials: int = 0
    stopped: int = 0
    """Trials that were stopped before their end, since others were better."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    effects: tuple[Effect, ...] = field(default=(), repr=False)
    until: int | None = field(default=None, repr=False)
    """The epoch that the effects are of, where trials were stopped; None where they are of the end."""

    @classmethod
    def of(cls, sweep: Sweep, order: Sequence[Trial], outcomes: Outcomes) -> SweepResult:
        """The result of trials in their order, the best first."""
        folder = sweep.folder
        names = {trial.digest: folder.names().get(trial.digest, trial.name) for trial in order}
        rows = {row.path.name: row for row in read_runs([folder.trials]).rows} if folder.trials.is_dir() else {}
        shown = [rows[names[trial.digest]] for trial in order if names[trial.digest] in rows]
        good = [trial for trial in order if outcomes[trial.digest].failed is None]
        good = [trial for trial in good if outcomes[trial.digest].value is not None]
        failed = {names[trial.digest]: own.failed or "" for trial in order if (own := outcomes[trial.digest]).failed}
        notes = []
        if sweep.proposals is not None:
            notes += sweep.proposals.left_out(folder)
        if good and has_validation(folder, names[good[0].digest]) is False:
            notes.append(
                "chosen by the part that is held out, since the recipe has no other for it: its figures are better "
                "than on new data; `--set train.validation=0.1` chooses by a part of its own"
            )
        longer = sum(map(folder.trained_on, order))
        if longer:
            notes.append(f"{count(longer, 'run')} went on after the sweep: trials are ranked by what they were before")
        until = sweep.rungs[0][0]
        first: Outcomes = sweep.outcomes(order, until) if until is not None else outcomes
        best = good[0] if good else None
        return cls(
            folder.path,
            folder.trials / names[best.digest] if best is not None else None,
            outcomes[best.digest].value if best is not None else None,
            order[0].figure.name if order else LOSS,
            _table(shown, order[0].figure.name if order else LOSS, notes),
            failed,
            len(order),
            sum(not (own.finished or own.failed) for own in sweep.outcomes(order).values()),
            tuple(notes),
            tuple(_effects(sweep, order, first)),
            until,
        )

    @property
    def summary(self) -> str:
        """Which run is the best, and how to go on with it, in words."""
        lines = []
        early = f"{self.stopped} stopped early, " if self.stopped else ""
        finished = self.trials - len(self.failed) - self.stopped
        lines.append(f"{count(self.trials, 'trial')}: {finished} finished, {early}{len(self.failed)} failed")
        if self.best is None:
            lines.append("no trial has a figure to choose by")
        else:
            lines.append(f"best    {self.best}, {self.figure} {self.value:.4g}")
            lines.append(f"look    archspec eval {self.best}")
            spec, more = self.best / "spec.yaml", 2 * (self._planned() or 1)
            lines.append(f"go on   archspec train {spec} --workdir {self.best} --set train.epochs={more}")
        return "\n".join(lines)

    def _planned(self) -> int | None:
        row = next((row for row in self.table.rows if row.path == self.best), None)
        return int(row.planned) if row is not None and row.planned is not None else None

    def plot(self, path: Path | str) -> None:
        """Writes the plot of each setting's effect: SVG, PNG or PDF. Raises `DataError`."""
        save(self.picture(), Path(path))

    def picture(self) -> Picture:
        """The plot of each setting's effect as a figure of Matplotlib: a panel for each, points for trials, and the
        means of each value."""
        return effects_figure(self.effects, self.figure, self.until, len(self.failed))

    def page(self) -> str:
        """The page of the trials: the table, the effects and the curves. Raises `DataError`."""
        from archspec.review.parts import paragraph, section
        from archspec.review.runs_page import render

        more = []
        if any(len(effect.figures) for effect in self.effects):
            file = BytesIO()
            self.picture().savefig(file, format="png")
            image = b64encode(file.getvalue()).decode()
            words = f"{self.figure} of trials by each setting: {listed([effect.path for effect in self.effects])}"
            picture = f'<figure><img alt="{escape(words)}" src="data:image/png;base64,{image}"></figure>'
            body = "".join(paragraph(line) for line in self.summary.splitlines())
            inner = section("effects", "Effects", body, f'<div class="effects">{picture}</div>')
            more = [("effects", "Effects", inner)]
        return render(self.table, more=more, title=f"sweep in {self.folder}")

    def _repr_html_(self) -> str:
        lines = "<br>".join(map(escape, self.summary.splitlines()))
        return f"<div style='overflow-x:auto'>{WRITERS['html'](self.table.table())}<p>{lines}</p></div>"

    def __str__(self) -> str:
        return f"{as_text(self.table.table())}\n\n{self.summary}"


def _table(rows: Sequence[Row], figure: str, notes: Sequence[str]) -> RunsTable:
    table = of_rows(rows, notes)
    wanted = [f"{MEASURED}.{figure}", f"{MEASURED}.{LOSS}", f"test.{figure}"]
    keys = [column.key for column in table.columns if column.key not in ("best", "best_epoch", f"train.{LOSS}", "size")]
    keys = [key for key in keys if key not in wanted and key != "seconds"]
    keys += [key for key in wanted if key in table.known] + ["seconds"]
    return table.with_columns([key for key in keys if key in table.known])


def _effects(sweep: Sweep, trials: Sequence[Trial], outcomes: Outcomes) -> list[Effect]:
    found = []
    for place, axis in enumerate(sweep.space.axes):
        pairs: list[tuple[Any, Outcome]] = [
            (trial.combination.values[place], outcomes[trial.digest]) for trial in trials
        ]
        good = [(value, own.value) for value, own in pairs if own.failed is None and own.value is not None]
        plain = [value.plain for value, _ in pairs]
        numbers = all(isinstance(own, (int, float)) and not isinstance(own, bool) for own in plain) and bool(plain)
        spans = numbers and min(plain) > 0 and max(plain) >= 20 * min(plain)
        logarithmic = spans or (axis.range is not None and axis.range.logarithmic)
        values = [value.plain if numbers else value.said for value, _ in good]
        found.append(Effect(axis.path, numbers, logarithmic, axis.range is None, values, [own for _, own in good]))
    return found


def effects_figure(effects: Sequence[Effect], figure: str, until: int | None, failed: int) -> Picture:
    """A panel for each setting; figures of trials over its values, and the means of values that several have."""
    across = min(ACROSS, max(len(effects), 1))
    down = ceil(max(len(effects), 1) / across)
    made = new_figure(3.6 * across + 0.6, 3.0 * down + 0.6)
    panels = made.subplots(down, across, squeeze=False, sharey=True)
    for place, axes in enumerate(panels.flat):
        if place >= len(effects):
            axes.set_visible(False)
            continue
        _panel(axes, effects[place], place)
    for row in panels:
        row[0].set_ylabel(f"{MEASURED}.{figure}", color=INK)
    said = f"after epoch {until}" if until is not None else "of the state that each trial ends with"
    lost = f"; {count(failed, 'failed trial')} left out" if failed else ""
    made.suptitle(f"{figure} {said}{lost}", x=0.02, ha="left", fontsize=11, color=INK)
    made.tight_layout(rect=(0, 0, 1, 0.98))
    return made


def _panel(axes: Any, effect: Effect, place: int) -> None:
    tidy(axes)
    name = effect.path if len(effect.path) <= 34 else f"…{effect.path[-33:]}"
    axes.set_xlabel(name, color=INK)
    if not effect.figures:
        axes.text(0.5, 0.5, "no trial has a figure", transform=axes.transAxes, ha="center", color=FAINT)
        return
    order = sorted(set(effect.values)) if effect.numbers else list(dict.fromkeys(effect.values))
    where: dict[Any, float] = {own: (float(own) if effect.numbers else float(at)) for at, own in enumerate(order)}
    colour = PALETTE[place % len(PALETTE)]
    axes.scatter([where[own] for own in effect.values], effect.figures, s=22, color=colour, alpha=0.55, linewidths=0)
    groups = {own: [y for x, y in zip(effect.values, effect.figures, strict=True) if x == own] for own in order}
    if effect.listed and any(len(group) > 1 for group in groups.values()):
        means = [sum(group) / len(group) for group in groups.values()]
        axes.plot([where[own] for own in order], means, color=INK, linewidth=1.4, marker="_", markersize=14)
    if effect.logarithmic:
        axes.set_xscale("log")
    if not effect.numbers:
        axes.set_xticks(range(len(order)), [own if len(own) <= 14 else f"{own[:13]}…" for own in order])
        axes.set_xlim(-0.5, len(order) - 0.5)
        if len(order) > 3 or max(map(len, order)) > 8:
            for label in axes.get_xticklabels():
                label.set(rotation=25, ha="right")
    elif effect.listed and len(order) <= 6:
        axes.set_xticks([float(own) for own in order], [f"{own:g}" for own in order])
        axes.minorticks_off()
