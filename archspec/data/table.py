"""A table: a row for each sample, with columns of numbers, texts or image files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from archspec.data._arrays import MAX_CLASSES, as_float32
from archspec.data._base import INPUT, LABEL, Dataset
from archspec.data._files import holdout, picked, stacked
from archspec.data._split import Data, Split
from archspec.data._tables import Table as Rows
from archspec.data._tables import read_table
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.fields import FilePath, Flag, ImageSize, NonNegativeInt, Text
from archspec.images.files import Images, is_image_name, read_all, read_pixels
from archspec.images.preparation import Preparation

if TYPE_CHECKING:
    import numpy as np

REST = "*"
"""All columns that nothing else names."""
MAX_VALUES = 1000
"""So many texts a column may have that is to be features."""


def _texts(value: Any) -> tuple[str, ...] | None:
    """A column or a list of them; numbers are names of columns too."""
    value = [value] if isinstance(value, (str, int)) and not isinstance(value, bool) else value
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if not all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in value):
        return None
    return tuple(map(str, value))


def _reads_columns(name: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if value is None:
            return None
        parts = value if isinstance(value, Mapping) else {name: value}
        made = {str(own): _texts(item) for own, item in parts.items()}
        if not made or None in made.values():
            raise PydanticCustomError(
                "columns",
                "must be a column, a list of columns, or a mapping of names to either: {house: [rooms, area]}",
            )
        return made

    return BeforeValidator(read)


def _read_held_out(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping) and len(value) == 1:
        ((column, values),) = value.items()
        if texts := _texts(values):
            return {str(column): texts}
    raise PydanticCustomError("held_out", "must be a column and its value, or values, such as {fold: 5}")


Columns = dict[str, tuple[str, ...]]


class Table(Dataset):
    """A file of comma-separated values, or of semicolons, tabs, bars or spaces, with a line of column names.

    Columns of numbers make one vector, and columns may be image files. A target of one column is a class (whole numbers
    from 0, or texts) or a number; one of several columns that are 0 and 1 is several labels at once, and otherwise so
    many numbers.
    """

    main: ClassVar[str] = "path"
    lies_in: ClassVar[str] = "file"

    path: Annotated[FilePath, Field(description="the file; relative paths start from the spec's folder")]
    targets: Annotated[
        Columns | None,
        _reads_columns(LABEL),
        Field(description="columns of the target, or of each target by its name; * is all others"),
    ] = None
    inputs: Annotated[
        Columns | None,
        _reads_columns(INPUT),
        Field(
            description="columns of the input, or of each input by its name; all others that are numbers if left out"
        ),
    ] = None
    classes: Annotated[
        tuple[Text, ...],
        Field(description="target columns whose different numbers are classes, 3 the first of 3, 5, 8"),
    ] = ()
    images: Annotated[
        Text | None, Field(description="folder of the image files, seen from the table's; the table's if left out")
    ] = None
    size: Annotated[
        ImageSize | None,
        Field(description="height and width that images are scaled to fill; needed where sizes differ"),
    ] = None
    grey: Annotated[Flag, Field(description="read images as one channel instead of three")] = False
    delimiter: Annotated[
        Literal[",", ";", "\t", "|", "whitespace"] | None,
        Field(description="what separates columns; found in the first line if left out"),
    ] = None
    missing: Annotated[
        Literal["drop", "mean"],
        Field(description="rows that lack a number of an input: left out, or given the mean of those trained on"),
    ] = "drop"
    held_out: Annotated[
        dict[str, tuple[str, ...]] | None,
        BeforeValidator(_read_held_out),
        Field(description="the rows held out: a column and its value or values, such as {fold: 5}"),
    ] = None
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, without `held_out`")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which rows are held out, without `held_out`")] = 0

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.size, "fill")

    def load(self) -> Data:
        rows = read_table(Path(self.path), self.delimiter)
        notes = rows.notes
        if self.targets is None:
            raise DataError(
                "E507",
                f"{rows.name} has the columns {listed(rows.columns, 30)}",
                help=["say what is to be found: `targets: COLUMN`, or a list of columns"],
            )
        held = next(iter(self.held_out), None) if self.held_out else None
        named = self._named(rows, held)
        kept = self._kept(rows, named.inputs, notes)
        rows = Rows(
            rows.name, {name: [cells[row] for row in kept] for name, cells in rows.columns.items()}, notes, rows.decimal
        )
        places = self._held(rows) if self.held_out else None
        targets, classes = {}, {}
        for name, columns in named.targets.items():
            made = self._target(rows, name, columns, notes)
            targets[name] = made.array
            if made.classes is not None:
                classes[name] = made.classes
        seen: Counter[str] = Counter()
        inputs: dict[str, np.ndarray] = {}
        files: tuple[str, ...] = ()
        for name, columns in named.inputs.items():
            if self._is_files(rows, columns):
                paths = [self._folder / value for value in rows.columns[columns[0]]]
                inputs[name], files = self._images(paths, seen), tuple(map(str, paths))
            else:
                inputs[name] = self._vector(rows, columns, notes)
        notes.extend(Images([], seen).notes(self._folder))
        whole = Split(inputs, targets, files)
        if places is None:
            train, test = holdout(whole, self.holdout, self.split_seed)
        else:
            train, test = picked(whole, ~places), picked(whole, places)
        if self.missing == "mean":
            train, test = _filled(train, test, notes)
        return Data(rows.name, train, test, classes, tuple(notes), named.targets)

    @property
    def _folder(self) -> Path:
        return Path(self.path).parent / (self.images or "")

    def _named(self, rows: Rows, held: str | None) -> _Named:
        """Which columns each input and each target has. Raises `DataError` for those that are not there."""
        assert self.targets is not None
        named = [name for part in (self.inputs or {}, self.targets) for columns in part.values() for name in columns]
        for name in (*named, *self.classes, *([held] if held else [])):
            if name != REST and name not in rows.columns:
                raise DataError(
                    "E507",
                    f"{rows.name} has no column {name}; it has {listed(rows.columns, 30)}",
                    help=[hint] if (hint := did_you_mean(name, list(rows.columns))) else [],
                )
        rest = [name for name in rows.columns if name not in {*named, held}]

        def full(part: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
            return {
                own: tuple(name for column in columns for name in (rest if column == REST else [column]))
                for own, columns in part.items()
            }

        targets = full(self.targets)
        taken = {name for columns in targets.values() for name in columns}
        if self.inputs is not None:
            inputs = full(self.inputs)
            unused = [
                name for name in rest if not any(name in columns for columns in (*inputs.values(), *targets.values()))
            ]
            if unused:
                rows.notes.append(
                    f"{count(len(unused), 'column')} of {rows.name} {'is' if len(unused) == 1 else 'are'} not used: "
                    f"{listed(unused, 10)}"
                )
        else:
            others = [name for name in rest if name not in taken and name != "index"]
            numbers = [name for name in others if rows.numbers(name) is not None]
            passed = [name for name in rest if name not in taken and name not in numbers]
            if passed:
                rows.notes.append(
                    f"{count(len(passed), 'column')} of {rows.name} {'is' if len(passed) == 1 else 'are'} no input, as "
                    f"texts or row numbers: {listed(passed, 10)}; `inputs` may name them"
                )
            inputs = {INPUT: tuple(numbers)}
        empty = [own for part in (inputs, targets) for own, columns in part.items() if not columns]
        if empty:
            raise DataError(
                "E507",
                f"no column of {rows.name} is left for `{empty[0]}`: it has {listed(rows.columns, 30)}",
                help=["`inputs` and `targets` name columns"],
            )
        both = sorted(taken & {name for columns in inputs.values() for name in columns})
        if both:
            rows.notes.append(
                f"{listed(both, 5)} of {rows.name} {'is' if len(both) == 1 else 'are'} input and target at once"
            )
        return _Named(inputs, targets)

    def _kept(self, rows: Rows, inputs: Mapping[str, tuple[str, ...]], notes: list[str]) -> list[int]:
        """The rows whose inputs are all there, or can be filled."""
        lacks: dict[int, None] = {}
        where: Counter[str] = Counter()
        for columns in inputs.values():
            for name in columns:
                missing = rows.is_missing(name)
                if self.missing == "mean" and rows.numbers(name) is not None:
                    continue
                for row, gone in enumerate(missing):
                    if gone:
                        lacks[row] = None
                        where[name] += 1
        if lacks:
            said = listed([f"{name} ({number:,})" for name, number in where.items()], 8)
            notes.append(
                f"{count(len(lacks), 'row')} of {len(rows):,} in {rows.name} {'lacks' if len(lacks) == 1 else 'lack'} "
                f"values and {'is' if len(lacks) == 1 else 'are'} left out: {said}"
            )
        kept = [row for row in range(len(rows)) if row not in lacks]
        if not kept:
            raise DataError("E507", f"every row of {rows.name} lacks a value", help=["`missing: mean` fills numbers"])
        return kept

    def _held(self, rows: Rows) -> np.ndarray:
        import numpy as np

        assert self.held_out is not None
        ((column, values),) = self.held_out.items()
        found = np.array([cell in values for cell in rows.columns[column]])
        if not found.any() or found.all():
            raise DataError(
                "E507",
                f"`held_out` takes {'all' if found.all() else 'none'} of {count(len(rows), 'row')} of {rows.name}",
                help=[f"{column} has the values {listed(sorted(set(rows.columns[column])), 10)}"],
            )
        return found

    def _is_files(self, rows: Rows, columns: Sequence[str]) -> bool:
        return len(columns) == 1 and all(map(is_image_name, rows.columns[columns[0]]))

    def _images(self, paths: list[Path], seen: Counter[str]) -> np.ndarray:
        from archspec.images.fitting import prepare

        def read(path: Path) -> np.ndarray:
            return prepare(read_pixels(path, "L" if self.grey else "RGB", seen), self.preparation)

        return stacked(read_all(paths, read, "images"), paths)

    def _vector(self, rows: Rows, columns: Sequence[str], notes: list[str]) -> np.ndarray:
        """Columns as features: a number each, or for a column of texts one for each text."""
        import numpy as np

        parts: list[np.ndarray] = []
        for name in columns:
            numbers = rows.numbers(name)
            numbers = rows.flags(name) if numbers is None else numbers
            if numbers is None:
                values = sorted(set(rows.columns[name]))
                if len(values) > MAX_VALUES:
                    raise DataError(
                        "E507",
                        f"{rows.name}: {name} has {len(values):,} different texts, more than {MAX_VALUES:,} features",
                        help=["leave the column out of `inputs`"],
                    )
                number = {value: place for place, value in enumerate(values)}
                parts.append(np.eye(len(values))[[number[value] for value in rows.columns[name]]])
                notes.append(
                    f"{name} of {rows.name} is {count(len(values), 'text')}, a feature each: {listed(values, 8)}"
                )
            else:
                parts.append(as_float32(numbers, f"{name} of {rows.name}")[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _target(self, rows: Rows, name: str, columns: Sequence[str], notes: list[str]) -> _Target:
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
        return (
            _texts_of(rows, column, numbers)
            if numbers is None or column in self.classes
            else _one(rows, column, numbers, notes)
        )


class _Named(NamedTuple):
    inputs: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]


class _Target(NamedTuple):
    array: np.ndarray
    classes: tuple[str, ...] | None


def _several(rows: Rows, name: str, columns: Sequence[str], notes: list[str]) -> _Target:
    """Several columns: labels that are there or not, or numbers."""
    import numpy as np

    numbers = []
    for column in columns:
        own = rows.numbers(column)
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
        return _Target(as_float32(made, f"{listed(columns, 5)} of {rows.name}"), None)
    # Where none is missing they are whole numbers; a missing one is no number, of whatever task the labels are.
    return _Target(made.astype(np.float32 if gone.any() else np.int8), tuple(columns))


def _texts_of(rows: Rows, column: str, numbers: np.ndarray | None) -> _Target:
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
    return _Target(np.array(made, np.int32), tuple(names))


def _one(rows: Rows, column: str, numbers: np.ndarray, notes: list[str]) -> _Target:
    """A column of numbers: classes where all are whole and none is below 0, or numbers."""
    import numpy as np

    gone = np.isnan(numbers)
    known = numbers[~gone]
    if known.size and set(known.tolist()) == {-1.0, 1.0}:
        notes.append(f"{column} of {rows.name} is −1 and 1, which are taken as the classes 0 and 1")
        return _Target(np.where(gone, -1, numbers > 0).astype(np.int32), ("-1", "1"))
    pointed = any(rows.decimal in cell for cell in rows.columns[column])
    if pointed or not known.size or (known != np.rint(known)).any() or known.min() < 0 or known.max() >= MAX_CLASSES:
        return _Target(as_float32(numbers, f"{column} of {rows.name}"), None)
    names = tuple(map(str, range(int(known.max()) + 1)))
    # A missing one is no number, which a regression tells from one below 0.
    return _Target(numbers.astype(np.float32 if gone.any() else np.int32), None if gone.any() else names)


def _filled(train: Split, test: Split, notes: list[str]) -> tuple[Split, Split]:
    """Numbers that vectors lack, replaced by the mean of the feature over what is trained on."""
    import numpy as np

    made = []
    for split in (train, test):
        inputs = {}
        for name, array in split.inputs.items():
            gone = np.isnan(array) if array.dtype.kind == "f" else np.zeros(1, bool)
            if gone.any():
                known = ~np.isnan(train.inputs[name])
                if not known.any(0).all():
                    raise DataError(
                        "E507", f"`{name}` has a column without any value to train on, and so without a mean"
                    )
                means = np.nanmean(train.inputs[name], axis=0)
                array = np.where(gone, means, array).astype(np.float32)
                part = "to train on" if split is train else "held out"
                said = f"{count(int(gone.sum()), 'number')} of `{name}` {part}"
                notes.append(f"{said} {'is' if gone.sum() == 1 else 'are'} missing, and filled with the mean")
            inputs[name] = array
        made.append(replace(split, inputs=inputs))
    return made[0], made[1]
