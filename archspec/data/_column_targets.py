"""Columns of a table as a target: classes, labels at once, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from archspec.data._arrays import as_float32
from archspec.data._base import MAX_CLASSES
from archspec.diagnostics import DataError, count, listed
from archspec.tables.layout import MAX_VALUES
from archspec.tables.reading import Table

if TYPE_CHECKING:
    import numpy as np


class ColumnTarget(NamedTuple):
    """A target, and the names of its classes or labels; None where it has none."""

    array: np.ndarray
    classes: tuple[str, ...] | None


def target_of(rows: Table, name: str, columns: Sequence[str], classes: Sequence[str], notes: list[str]) -> ColumnTarget:
    """The target of one column or several, whose different numbers are classes where `classes` names the column.

    Raises `DataError` where there is nothing to find.
    """
    for column in columns:
        if all(rows.is_missing(column)):
            raise DataError("E507", f"{column} of {rows.name} has no value, so there is nothing to find")
    unknown = sum(sum(rows.is_missing(column)) for column in columns)
    if unknown:
        notes.append(
            f"{count(unknown, 'value')} of {listed(columns, 5)} in {rows.name} {'is' if unknown == 1 else 'are'} "
            f"missing, and {'counts' if unknown == 1 else 'count'} for nothing"
        )
    if len(columns) > 1:
        return _several(rows, name, columns, notes)
    (column,) = columns
    numbers = rows.numbers(column)
    notes.extend(rows.grouped(column) if numbers is not None else [])
    return (
        _texts_of(rows, column, numbers) if numbers is None or column in classes else _one(rows, column, numbers, notes)
    )


def _several(rows: Table, name: str, columns: Sequence[str], notes: list[str]) -> ColumnTarget:
    """Several columns: labels that are there or not, or numbers."""
    import numpy as np

    numbers = []
    for column in columns:
        own = rows.numbers(column)
        notes.extend(rows.grouped(column) if own is not None else [])
        own = rows.flags(column) if own is None else own
        if own is None:
            raise DataError(
                "E507",
                f"{column} of {rows.name} is texts, and cannot be one of several columns of `{name}`",
                help=["`targets: {NAME: COLUMN, …}` makes each a target of its own"],
            )
        numbers.append(own)
    made = np.stack(numbers, axis=1)
    gone = np.isnan(made)
    values = set(np.unique(made[~gone]).tolist())
    if values == {-1, 1}:
        notes.append(f"columns of `{name}` are −1 and 1, and −1 is taken as 0, a label that is not there")
        made = np.where(gone, np.nan, made > 0)
    elif not values <= {0, 1}:
        return ColumnTarget(as_float32(made, f"{listed(columns, 5)} of {rows.name}"), None)
    # Where none is missing they are whole numbers; a missing one is no number, of whatever task the labels are.
    return ColumnTarget(made.astype(np.float32 if gone.any() else np.int8), tuple(columns))


def _texts_of(rows: Table, column: str, numbers: np.ndarray | None) -> ColumnTarget:
    """A column whose different texts, or numbers, are classes, in their order."""
    import numpy as np

    cells, missing = rows.columns[column], rows.is_missing(column)
    if numbers is not None:
        cells = [f"{number:g}" for number in numbers]
    known = {cell for cell, gone in zip(cells, missing, strict=True) if not gone}
    names = sorted(known) if numbers is None else sorted(known, key=float)
    if len(names) > MAX_VALUES:
        raise DataError("E507", f"{rows.name}: {column} has {len(names):,} different values, which are no classes")
    place = {cell: at for at, cell in enumerate(names)}
    made = [-1 if gone else place[cell] for cell, gone in zip(cells, missing, strict=True)]
    return ColumnTarget(np.array(made, np.int32), tuple(names))


def _one(rows: Table, column: str, numbers: np.ndarray, notes: list[str]) -> ColumnTarget:
    """A column of numbers: classes where all are whole and none is below 0, or numbers."""
    import numpy as np

    gone = np.isnan(numbers)
    known = numbers[~gone]
    if known.size and set(known.tolist()) == {-1.0, 1.0}:
        notes.append(f"{column} of {rows.name} is −1 and 1, which are taken as the classes 0 and 1")
        return ColumnTarget(np.where(gone, -1, numbers > 0).astype(np.int32), ("-1", "1"))
    pointed = any(rows.decimal in cell for cell in rows.columns[column])
    if pointed or not known.size or (known != np.rint(known)).any() or known.min() < 0 or known.max() >= MAX_CLASSES:
        return ColumnTarget(as_float32(numbers, f"{column} of {rows.name}"), None)
    names = tuple(map(str, range(int(known.max()) + 1)))
    # A missing one is no number, which a regression tells from one below 0.
    return ColumnTarget(numbers.astype(np.float32 if gone.any() else np.int32), None if gone.any() else names)
