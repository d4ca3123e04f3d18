"""Loading a table: which rows and columns become inputs and targets, and what is held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data._arrays import as_float32
from archspec.data._base import INPUT, LABEL
from archspec.data._column_targets import target_of
from archspec.data._columns import Column, Values, as_array
from archspec.data._files import picked
from archspec.data._lists import check_there, parts_of, read_lists, split_column, usual_columns
from archspec.data._reading import ImageFiles, read_as
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import is_image_name
from archspec.tables.layout import Feature, Layout, Wrong, encoded, features_of, filled, unusable, with_means
from archspec.tables.reading import Table as Rows

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.table import Table

REST = "*"
"""All columns that nothing else names."""


@dataclass(frozen=True)
class Reader:
    """Reads a table as its fields say, and where a layout is given its inputs as that one's."""

    fields: Table
    layout: Layout | None
    validation: str | None = None
    """The part that `train.validation` names."""

    def data(self) -> Data:
        """Raises `DataError`."""
        self.fields.check_path()
        rows, parts = read_lists(Path(self.fields.path), self.fields.delimiter, self.validation)
        taken = [column for columns in (self.fields.targets or {}).values() for column in columns]
        split = None
        if parts is None and not self.fields.held_out:
            split = split_column(rows, self.fields.split, taken)
        if self.validation is not None and parts is None and split is None:
            raise DataError(
                "E505",
                f"{rows.name} has no column that says which rows are for {self.validation}",
                help=["`split: COLUMN` in the dataset names it", "`validation: 0.1` takes a share"],
            )
        own = replace(self, fields=self._filled_in(rows, split))
        return own.read(rows, split, parts)

    def _filled_in(self, rows: Rows, split: str | None) -> Table:
        """The fields with the columns of a list of images and labels where they do not say which these are."""
        usual = usual_columns(rows, split)
        said: dict[str, Any] = {}
        if usual is not None and self.fields.targets is None and usual.target is not None:
            said["targets"] = {LABEL: (usual.target,)}
        targets = said.get("targets", self.fields.targets)
        if targets is None:
            raise DataError(
                "E507",
                f"{rows.name} has the columns {listed(rows.columns, 30)}",
                help=["say what is to be found: `targets: COLUMN`, or a list of columns"],
            )
        if usual is not None and self.fields.inputs is None and self.layout is None:
            taken = {split, usual.image, "index", *(column for columns in targets.values() for column in columns)}
            if not any(rows.numbers(name) is not None for name in rows.columns if name not in taken):
                said["inputs"] = {INPUT: (usual.image,)}
        if said:
            what = " and ".join(
                [
                    *([f"{targets[LABEL][0]} is what is to be found"] if "targets" in said else []),
                    *([f"{said['inputs'][INPUT][0]} names the images"] if "inputs" in said else []),
                ]
            )
            rows.notes.append(f"of {rows.name} {what}")
        return self.fields.model_copy(update=said)

    def read(self, rows: Rows, split: str | None, parts: np.ndarray | None) -> Data:
        """The data of rows whose parts a column says, or an array with the place of each row's. Raises `DataError`."""
        notes = rows.notes
        held = next(iter(self.fields.held_out), None) if self.fields.held_out else split
        named = self._named(rows, held)
        kept = self._kept(rows, named.inputs, notes)
        rows = rows.rows(kept)
        places: np.ndarray | None
        if self.fields.held_out:
            places = self._held(rows).astype(int)
        elif split is not None:
            places = parts_of(rows, split, self.validation)
        else:
            places = None if parts is None else parts[kept]
        targets, classes = {}, {}
        for name, columns in named.targets.items():
            made = target_of(rows, name, columns, self.fields.classes, notes)
            targets[name] = made.array
            if made.classes is not None:
                classes[name] = made.classes
        features = {name: self._features(rows, name, columns, notes) for name, columns in named.inputs.items()}
        inputs: dict[str, Values] = {}
        files: tuple[str, ...] = ()
        for name, own in features.items():
            if own[0].form == "image":
                files = tuple(str(self._folder / value) for value in rows.columns[own[0].column])
                check_there(files, rows.name, self._folder)
                source = ImageFiles(files, self.fields.grey, self.fields.preparation, str(self._folder))
                inputs[name] = Column(source)
                continue
            wrong: list[Wrong] = []
            inputs[name] = encoded(rows, own, wrong)
            if wrong:  # in a table that is read as another was
                raise unusable(rows.name, len(rows), wrong)
        whole = Split(inputs, targets, files)
        parted = [whole]
        if places is not None:
            most = max(1, int((places if parts is None else parts).max(initial=0)))
            parted = [picked(whole, places == own) for own in range(most + 1)]
            if not all(map(len, parted)):
                lack = "to train on" if not len(parted[0]) else "of a part that is held out"
                raise DataError("E507", f"{rows.name}: no row {lack} can be used", notes=notes[-5:])
        splits, left = read_as(self.fields, parted, notes)
        if self.fields.missing == "mean":
            features = {
                name: own if own[0].form == "image" else with_means(own, as_array(splits[0].inputs[name]))
                for name, own in features.items()
            }
            splits = _filled(splits, features, notes)
        columns_of_targets = tuple(column for columns in named.targets.values() for column in columns)
        layout = Layout(features, columns_of_targets, self.fields.delimiter, self.fields.images or "")
        train, validation, *test = splits
        data = Data(rows.name, train, validation, classes, tuple(notes), named.targets, layout=layout)
        return replace(data, test=test[0] if test else None, left=left)

    def _known(self, name: str) -> tuple[Feature, ...] | None:
        """The features of an input in the table that this one is read like; the only ones whatever they are called."""
        layout = self.layout
        if layout is None:
            return None
        alone = len(layout.inputs) == 1 and (self.fields.inputs is None or len(self.fields.inputs) == 1)
        return next(iter(layout.inputs.values())) if alone else layout.inputs.get(name)

    def _features(self, rows: Rows, name: str, columns: Sequence[str], notes: list[str]) -> tuple[Feature, ...]:
        known = self._known(name)
        if known is not None and tuple(feature.column for feature in known) == tuple(columns):
            return known
        if len(columns) == 1 and all(map(is_image_name, rows.columns[columns[0]])):
            return (Feature(columns[0], "image"),)
        found = features_of(rows, columns, notes)
        for feature in found:
            numbers = rows.numbers(feature.column) if feature.form == "number" else None
            if numbers is not None:
                as_float32(numbers, f"{feature.column} of {rows.name}")
        return found

    @property
    def _folder(self) -> Path:
        path = Path(self.fields.path)
        return (path if path.is_dir() else path.parent) / (self.fields.images or "")

    def _named(self, rows: Rows, held: str | None) -> _Named:
        """Which columns each input and each target has. Raises `DataError` for those that are not there."""
        assert self.fields.targets is not None
        own, known = self.fields.inputs, self._known(INPUT)
        if own is None and known is not None:
            own = {INPUT: tuple(feature.column for feature in known)}
        named = [name for part in (own or {}, self.fields.targets) for columns in part.values() for name in columns]
        for name in (*named, *self.fields.classes, *([held] if held else [])):
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

        targets = full(self.fields.targets)
        taken = {name for columns in targets.values() for name in columns}
        if own is not None:
            inputs = full(own)
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
            counting = [name for name in numbers if _counts(rows, name)]
            if counting:
                rows.notes.append(
                    f"{listed(counting, 5)} of {rows.name} {'counts' if len(counting) == 1 else 'count'} the rows, one "
                    "by one, and may be no feature; `inputs` names those that are"
                )
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
                if self.fields.missing == "mean" and rows.numbers(name) is not None:
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

        assert self.fields.held_out is not None
        ((column, values),) = self.fields.held_out.items()
        found = np.array([cell in values for cell in rows.columns[column]])
        if not found.any() or found.all():
            raise DataError(
                "E507",
                f"`held_out` takes {'all' if found.all() else 'none'} of {count(len(rows), 'row')} of {rows.name}",
                help=[f"{column} has the values {listed(sorted(set(rows.columns[column])), 10)}"],
            )
        return found


class _Named(NamedTuple):
    inputs: dict[str, tuple[str, ...]]
    targets: dict[str, tuple[str, ...]]


def _counts(rows: Rows, column: str) -> bool:
    """Whether a column is the number of each row, from 0 or 1."""
    import numpy as np

    numbers = rows.numbers(column)
    first = 0 if numbers is None else numbers[0]
    return numbers is not None and first in (0, 1) and bool((numbers == first + np.arange(len(rows))).all())


def _filled(splits: Sequence[Split], features: Mapping[str, Sequence[Feature]], notes: list[str]) -> list[Split]:
    """Numbers that vectors lack, replaced by their features' means."""
    import numpy as np

    made = []
    for split in splits:
        inputs: dict[str, Values] = {}
        for name, array in split.inputs.items():
            gone = np.isnan(array) if isinstance(array, np.ndarray) and array.dtype.kind == "f" else np.zeros(1, bool)
            if isinstance(array, np.ndarray) and gone.any():
                array = filled(array, features[name])
                if np.isnan(array).any():
                    raise DataError(
                        "E507", f"`{name}` has a column without any value to train on, and so without a mean"
                    )
                part = "to train on" if split is splits[0] else "held out"
                said = f"{count(int(gone.sum()), 'number')} of `{name}` {part}"
                notes.append(f"{said} {'is' if gone.sum() == 1 else 'are'} missing, and filled with the mean")
            inputs[name] = array
        made.append(replace(split, inputs=inputs))
    return made
