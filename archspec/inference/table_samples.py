"""Rows of tables as samples, for a network that was trained on one: columns by their names, as training took them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import is_image_name
from archspec.inference.given import Reading, Sample, Samples
from archspec.inference.image_samples import fitted, pixels_of, reader_of
from archspec.inference.number_samples import numbers_of
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.tables.layout import Feature, Layout, Wrong, encoded, filled, unusable
from archspec.tables.reading import Table, is_missing, read_table

_OTHERS = (".npy", ".npz", ".json", ".wav")
"""How files of numbers end that are no tables."""


def is_table(given: Any) -> bool:
    """Whether what is given is the path of a table, or a table of pandas."""
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        return not (path.suffix.lower() in _OTHERS or is_image_name(path.name) or path.is_dir())
    return _is_frame(given)


def _is_frame(given: Any) -> bool:
    return hasattr(given, "columns") and hasattr(given, "iloc") and hasattr(given, "to_dict")


def rows_of(tables: Iterable[Any], inputs: Mapping[str, Input], reading: Reading) -> dict[str, Samples]:
    """The samples of each input, a row each. Raises `DataError` where a table, or any of its rows, cannot be used."""
    samples = {name: Samples([], []) for name in inputs}
    for table in tables:
        made, wrong = usable_rows(table, inputs, reading)
        if wrong is not None:
            raise wrong
        for name, own in made.items():
            samples[name].add(own)
    return samples


def usable_rows(
    given: Any, inputs: Mapping[str, Input], reading: Reading
) -> tuple[dict[str, Samples], DataError | None]:
    """The samples of a table's rows that can be used, and the error that others cannot.

    Columns are found by their names, in whatever order; of a file without names they are those of training in their
    order. What is not used, and what is filled, is noted. Raises `DataError` where columns are missing.
    """
    assert reading.layout is not None
    layout = reading.layout.of(list(inputs))
    if isinstance(given, (str, os.PathLike)):
        folder, called, table = Path(given).parent, str(given), _read(Path(given), layout)
    else:
        table = _of_mappings(given) if isinstance(given, (list, tuple)) else _of_frame(given)
        folder, called = Path(), table.name
    table, layout = _by_names(table, layout)
    reading.notes.extend(table.notes)
    wrong: list[Wrong] = []
    arrays: dict[str, np.ndarray] = {}
    for name, features in layout.inputs.items():
        wrong.extend(_missing(table, features))
        if features[0].form != "image":
            array = encoded(table, features, wrong)
            gone = int(np.isnan(array).sum())
            arrays[name] = filled(array, features)
            gone -= int(np.isnan(arrays[name]).sum())
            if gone:
                said = f"{count(gone, 'number')} of {table.name} {'is' if gone == 1 else 'are'} missing"
                reading.notes.append(f"{said}, and filled with the mean of those trained on")
    bad = {cell.row for cell in wrong}
    good = [row for row in range(len(table)) if row not in bad]
    samples = {}
    for name, features in layout.inputs.items():
        own = samples[name] = Samples([f"{called}[row {row + 1}]" for row in good], [])
        input = inputs[name]
        if features[0].form == "image":
            assert isinstance(input, ImageInput)
            for row in good:
                read = reader_of(folder / layout.images / table.columns[features[0].column][row], input, reading)
                own.reads.append(partial(_pictured, read, input, reading))
            continue
        for array in _as_input(arrays[name][good], name, input, name in layout.as_bytes, reading) if good else ():
            own.reads.append(
                partial(fitted, array, input, reading) if isinstance(input, ImageInput) else partial(Sample, array)
            )
    return samples, unusable(table.name, len(table), wrong, "E521") if wrong else None


def _read(path: Path, layout: Layout) -> Table:
    try:
        return read_table(path, layout.delimiter)
    except DataError as error:
        raise DataError("E521", error.message, notes=error.notes, help=error.help) from None


def _of_frame(frame: Any) -> Table:
    columns = {str(name): ["" if cell is None else str(cell) for cell in frame[name]] for name in frame.columns}
    return Table("the table", columns)


def _of_mappings(rows: Sequence[Mapping[Any, Any]]) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    cells = {name: [row.get(name) for row in rows] for name in names}
    return Table(
        "the table",
        {str(name): ["" if cell is None else str(cell) for cell in column] for name, column in cells.items()},
    )


def _by_names(table: Table, layout: Layout) -> tuple[Table, Layout]:
    """The table with the columns of training, and what they are. Raises `DataError` where some are not there.

    Without a line of names, columns are those of training in their order, or else the features, texts being one each.
    """
    wanted = list(dict.fromkeys(own.column for features in layout.inputs.values() for own in features))
    there = list(table.columns)
    missing = [name for name in wanted if name not in there]
    if missing and not table.named and len(there) == len(wanted):
        table.notes.append(f"columns of {table.name} are taken in the order of training: {listed(wanted, 10)}")
        renamed = dict(zip(wanted, table.columns.values(), strict=True))
        return Table(table.name, renamed, table.notes, table.decimal), layout
    (name, features), *others = layout.inputs.items()
    if missing and not (table.named or others) and len(there) == sum(own.width for own in features):
        table.notes.append(
            f"columns of {table.name} are taken as the {count(len(there), 'feature')} in the order of training"
        )
        return table, replace(layout, inputs={name: tuple(map(Feature, there))})
    if missing:
        hint = did_you_mean(missing[0], there)
        raise DataError(
            "E521",
            f"{table.name} lacks {count(len(missing), 'column')} of {len(wanted)} that the network was trained with: "
            f"{listed(missing, 10)}",
            notes=[f"it has {listed(there, 20)}"],
            help=[hint] if hint else [],
        )
    extra = [name for name in there if name not in wanted and name not in layout.targets]
    if extra:
        said = f"{count(len(extra), 'column')} of {table.name} {'is' if len(extra) == 1 else 'are'} not used"
        table.notes.append(f"{said}: {listed(extra, 10)}")
    return table, layout


def _missing(table: Table, features: Sequence[Feature]) -> list[Wrong]:
    """The cells without a value that nothing fills."""
    return [
        Wrong(row, own.column, "nothing stands there" if not cell.strip() else f"{cell!r} stands for no value")
        for own in features
        if own.mean is None
        for row, cell in enumerate(table.columns[own.column])
        if is_missing(cell)
    ]


def _pictured(read: Callable[[], np.ndarray], input: ImageInput, reading: Reading) -> Sample:
    return fitted(read(), input, reading)


def _as_input(array: np.ndarray, name: str, input: Input, as_bytes: bool, reading: Reading) -> np.ndarray:
    """Rows of numbers as signals or vectors, or as the images whose pixels they are."""
    if not isinstance(input, ImageInput):
        return numbers_of(array, name, input.type.shape)
    images = array.reshape(-1, *input.type.shape)
    if as_bytes:
        if images.min() < 0 or images.max() > 255:
            raise ValueError(
                f"pixels for input `{name}` run from {images.min():g} to {images.max():g}, and not 0 to 255"
            )
        images = np.rint(images).astype(np.uint8)
    images = pixels_of(images, name, input)
    low, high = (0, 255) if images.dtype == np.uint8 else input.range
    return (images.dtype.type(low + high) - images).astype(images.dtype) if reading.invert else images
