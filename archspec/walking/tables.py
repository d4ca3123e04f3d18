"""Sweeps in words, as tables and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.diagnostics import count, listed
from archspec.reports.cells import Cell, Row, Table, csv_text, text
from archspec.walking.ranges import UNITS
from archspec.walking.sweeps import ALIKE, Covariance, Invariance, Sweep

LEADING = 4
"""Classes that a table has columns for; pictures have one curve for each colour of the palette."""

TITLES = {"shift": "Shifted", "rotate": "Rotated", "scale": "Scaled"}
WAYS = {"horizontal": "to the right", "vertical": "down", "diagonal": "to the right and down"}


def axis_of(sweep: Sweep) -> str:
    """What the steps are, in words."""
    if sweep.kind == "shift":
        return f"pixels {WAYS[sweep.direction]}"
    return "degrees counterclockwise" if sweep.kind == "rotate" else "factor, logarithmic steps"


def stepped(sweep: Sweep, value: float) -> str:
    """A step in words, without its unit."""
    if sweep.kind == "scale":
        return f"{value:.3g}"
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def _with_unit(sweep: Sweep, value: float) -> str:
    number = stepped(sweep, value).replace("-", "−")
    return f"{number}{UNITS[sweep.kind]}" if sweep.kind != "shift" else f"{number} px"


def summary(made: Invariance, sweep: Sweep) -> str:
    """How far the answer holds."""
    ends = f"{_with_unit(sweep, sweep.values.min())} to {_with_unit(sweep, sweep.values.max())}"
    if made.answers == "numbers":
        scores = sweep.scores
        name = int(np.argmax(scores.max(0) - scores.min(0)))
        return f"{made.names[name]} goes from {scores[:, name].min():.4g} to {scores[:, name].max():.4g} over {ends}"
    if sweep.stays is not None:
        least = int(sweep.stays.argmin())
        return (
            f"at least {100 * sweep.stays[least]:.1f} % of the pixels keep their class, at "
            f"{_with_unit(sweep, sweep.values[least])}, over {ends}"
        )
    if sweep.same.all():
        return f"{made.answer} at each of {len(sweep.values)} steps, {ends}"
    held = sweep.held
    where = f"; without a break from {_with_unit(sweep, held[0])} to {_with_unit(sweep, held[1])}" if held else ""
    return f"{made.answer} at {int(sweep.same.sum())} of {len(sweep.values)} steps{where}"


def of_covariance(found: Covariance) -> str:
    """What was found of a layer's map."""
    ways = [
        f"{count(number, 'position')} {way}"
        for number, way in zip(found.positions, ("down", "to the right"), strict=True)
        if number
    ]
    moves = [f"{number} px {way}" for number, way in zip(found.pixels, ("down", "to the right"), strict=True) if number]
    alike = round(found.share * found.overlap)
    if found.inner_gap is None:
        rest = "every position sees the border or padding"
    else:
        rest = (
            f"where no window sees the border or padding, {found.inner:,} positions, the largest difference is "
            f"{found.inner_gap:.1e} of the map's largest value"
        )
    return (
        f"covariance of {found.path}: the image {' and '.join(moves)}, its map {' and '.join(ways)}: "
        f"{100 * found.share:.1f} % of it moves along ({alike:,} of {found.overlap:,} positions are alike to "
        f"{ALIKE:g}, the others differ by up to {100 * found.gap:.3g} %); {rest}"
    )


def said(made: Invariance) -> str:
    """The answer for the image as it is."""
    if made.answers == "map":
        order = [int(own) for own in np.argsort(-made.scores, kind="stable") if made.scores[own] > 0]
        shares = [f"{made.names[own]} {100 * made.scores[own]:.1f} %" for own in order[:5]]
        return ", ".join(shares) + ", …" * (len(order) > 5) + " of the pixels"
    if made.answers == "numbers":
        return ", ".join(f"{name} {own:.4g}" for name, own in list(zip(made.names, made.scores, strict=True))[:5])
    top = int(made.scores.argmax())
    share = "" if made.shares is None else f" {_percent(_share(made.shares, top))}"
    return f"{made.answer}{share}, {made.what} {made.scores[top]:.2f}"


def _share(shares: np.ndarray, place: int) -> float:
    return float(shares[place]) if place < len(shares) else float(shares[0])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def leading(made: Invariance, sweep: Sweep, most: int) -> list[int]:
    """The numbers whose curves matter: classes that lead anywhere, those that lead at most steps first, then those that
    come nearest to leading."""
    if made.answers == "numbers":
        return [int(own) for own in np.argsort(sweep.scores.min(0) - sweep.scores.max(0), kind="stable")][:most]
    if made.answers == "map":
        return [int(own) for own in np.argsort(-made.scores, kind="stable") if made.scores[own] > 0][:most]
    tops = sweep.scores.argmax(1)
    steps = np.bincount(tops, minlength=sweep.scores.shape[1])
    steps[int(made.scores.argmax())] += len(tops)  # the answer for the image itself comes first
    behind = (sweep.scores.max(1, keepdims=True) - sweep.scores).min(0)
    order = sorted(range(len(steps)), key=lambda own: (-int(steps[own]), float(behind[own]), own))
    wanted = max(int((steps > 0).sum()), min(3, len(order)))
    return order[: min(wanted, most)]


def led(made: Invariance, sweep: Sweep) -> int:
    """How many classes lead at a step."""
    return len(set(sweep.scores.argmax(1).tolist())) if made.answers in ("classes", "labels") else 0


def table(made: Invariance, sweep: Sweep) -> Table:
    """A row for each step: the answer, its probability, and the numbers of the classes that lead."""
    chosen = leading(made, sweep, LEADING)
    unit = {"shift": "px", "rotate": "degrees", "scale": "scale"}[sweep.kind]
    head, keys = [unit], [unit]
    if made.answers == "map":
        head += ["stays", "pixels"]
        keys += ["stays", "pixels"]
    elif made.answers != "numbers":
        head.append("answer")
        keys.append("answer")
        if sweep.shares is not None:
            head.append("probability")
            keys.append("probability")
    head += [made.names[own] for own in chosen]
    keys += [f"{made.what} {made.names[own]}" for own in chosen]
    rows: list[Row] = []
    for step, value in enumerate(sweep.values):
        row: list[str | Cell] = [Cell(stepped(sweep, value).replace("-", "−"), float(value))]
        if sweep.stays is not None and sweep.compared is not None:
            row.append(Cell(_percent(sweep.stays[step]), float(sweep.stays[step])))
            row.append(Cell(f"{sweep.compared[step]:,}", int(sweep.compared[step])))
        elif made.answers != "numbers":
            row.append(sweep.answers[step])
            if sweep.shares is not None:
                share = _share(sweep.shares[step], int(sweep.scores[step].argmax()))
                row.append(Cell(_percent(share), share))
        for own in chosen:
            number = float(sweep.scores[step, own])
            if np.isnan(number):
                row.append(Cell("", None))
            else:
                row.append(
                    Cell(_percent(number) if made.answers == "map" else f"{number:.4g}".replace("-", "−"), number)
                )
        rows.append(row)
    right = [own != "answer" for own in head]
    return Table(head, rows, right, caption=_caption(made, sweep, chosen), keys=keys)


def _caption(made: Invariance, sweep: Sweep, chosen: Sequence[int]) -> list[str]:
    title = f"{TITLES[sweep.kind]}, {axis_of(sweep)}: {summary(made, sweep)}"
    if made.answers == "map":
        columns = (
            "stays: pixels, of those still in the image, that keep their class once the map is moved back; by class"
        )
    else:
        left = led(made, sweep) - len(chosen)
        columns = f"columns: the {made.what} of {listed([made.names[own] for own in chosen])}"
        columns += f"; {left} more that lead somewhere are in --format json" if left > 0 else ""
    return [title, columns]


def lines(made: Invariance, tables: bool = True) -> list[str]:
    """All of it for a terminal, but for the notes."""
    found = [f"{made.name}, {made.sample}: {said(made)}", f"border of the moved image: {made.border}"]
    if made.covariance is not None:
        found.append(of_covariance(made.covariance))
    for sweep in made.sweeps:
        if tables:
            found += ["", *text(table(made, sweep)).splitlines()]
        else:
            found.append(f"{TITLES[sweep.kind]}, {axis_of(sweep)}: {summary(made, sweep)}")
    return found


def csv(made: Invariance) -> str:
    """A row for each step of each sweep; the columns of classes are those that lead in any of them."""
    tables = [table(made, sweep) for sweep in made.sweeps]
    chosen = list(dict.fromkeys(own for sweep in made.sweeps for own in leading(made, sweep, LEADING)))
    fixed = len(tables[0].keys) - len(leading(made, made.sweeps[0], LEADING))
    rows: list[Row] = []
    for sweep, own in zip(made.sweeps, tables, strict=True):
        for step, row in enumerate(own.rows):
            numbers = [float(sweep.scores[step, place]) for place in chosen]
            cells = [Cell("", None if np.isnan(number) else number) for number in numbers]
            rows.append([sweep.kind, *row[:fixed], *cells])
    keys = ["sweep", "step", *tables[0].keys[1:fixed], *[f"{made.what} {made.names[own]}" for own in chosen]]
    return csv_text(Table(keys, rows, [False] * len(keys)))


def plain(made: Invariance) -> dict[str, Any]:
    """The numbers as plain data, without pixels; None for what is no number."""

    def numbers(array: np.ndarray | None) -> Any:
        if array is None:
            return None
        return np.where(np.isnan(array), np.array(None), array).tolist() if array.dtype.kind == "f" else array.tolist()

    sweeps = [
        {
            "kind": sweep.kind,
            "direction": sweep.direction if sweep.kind == "shift" else None,
            "steps": numbers(sweep.values),
            "answers": list(sweep.answers),
            "same": numbers(sweep.same),
            "held": None if sweep.held is None else list(sweep.held),
            "scores": numbers(sweep.scores),
            "probabilities": numbers(sweep.shares),
            "stays": numbers(sweep.stays),
            "compared": numbers(sweep.compared),
        }
        for sweep in made.sweeps
    ]
    return {
        "name": made.name,
        "folder": str(made.folder),
        "sample": made.sample,
        "answers": made.answers,
        "what": made.what,
        "names": list(made.names),
        "answer": made.answer,
        "scores": numbers(made.scores),
        "probabilities": numbers(made.shares),
        "border": made.border,
        "covariance": None if made.covariance is None else made.covariance._asdict(),
        "sweeps": sweeps,
        "notes": list(made.notes),
    }
