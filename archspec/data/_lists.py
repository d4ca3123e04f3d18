"""Lists of samples: one table or one of each part, and columns that say of which part a row is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.data._parts import HELD_OUT, by_part, chosen_held, part_of
from archspec.diagnostics import DataError, count, listed
from archspec.images.files import is_image_name
from archspec.tables.reading import Table as Rows
from archspec.tables.reading import is_missing, read_table

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
"""How the names of tables end, of which a folder has one for each part."""
LABELS = ("label", "labels", "class", "classes", "target", "category", "class_name", "y")
"""What columns of labels are called, in small letters."""
FEW = 20
"""So many paths are looked for before it is said that none of them is there."""


class Lists(NamedTuple):
    """The rows of all parts together, and of each the place of its part: 0 to train on, 1 and 2 held out, −1 unused."""

    rows: Rows
    parts: np.ndarray | None


def read_lists(path: Path, delimiter: str | None, validation: str | None) -> Lists:
    """A table, or the tables train, val and test of a folder. `validation` names the one of that part.

    Raises `DataError`.
    """
    import numpy as np

    if not path.is_dir():
        return Lists(read_table(path, delimiter), None)
    files = {_stem(own.name): own for own in sorted(path.iterdir()) if own.is_file() and _stem(own.name) != own.name}
    files = _by_word(files)
    parts = by_part(files)
    if not parts["train"]:
        raise DataError(
            "E505",
            f"{path} has no table to train on, such as train.csv",
            notes=[f"its tables are {listed([own.name for own in files.values()], 10)}"] if files else [],
            help=["`path` may be one table"],
        )
    held = [name for part in HELD_OUT for name in parts[part]]
    chosen = [parts["train"][0], *(chosen_held(held, path, None, validation) if held or validation else [])]
    tables = [read_table(files[name], delimiter) for name in chosen]
    first = tables[0]
    for other in tables[1:]:
        if set(other.columns) != set(first.columns):
            strange = sorted(set(other.columns) ^ set(first.columns))
            raise DataError(
                "E507", f"{first.name} and {other.name} do not have the same columns: {listed(strange, 10)}"
            )
    notes = [note for own in tables for note in own.notes]
    unused = [own.name for name, own in files.items() if name not in chosen]
    if unused:
        notes.append(f"{count(len(unused), 'table')} of {path} not used: {listed(unused, 10)}")
    columns = {name: [cell for own in tables for cell in own.columns[name]] for name in first.columns}
    places = np.repeat(np.arange(len(tables)), [len(own) for own in tables])
    return Lists(replace(first, name=path.name, columns=columns, notes=notes), places if len(tables) > 1 else None)


def _stem(name: str) -> str:
    """A table's name without its ending; the name itself where it is none."""
    ending = max((own for own in ENDINGS if name.lower().endswith(own)), key=len, default="")
    return name[: len(name) - len(ending)]


def _by_word(files: Mapping[str, Path]) -> dict[str, Path]:
    """Tables by their names; where none is plain by the one word of each that names a part, as labels_train has one."""
    if by_part(files)["train"]:
        return dict(files)
    made: dict[str, Path] = {}
    for name, path in files.items():
        words = [word for word in name.replace("-", "_").split("_") if part_of(word) is not None]
        made.setdefault(words[0] if len(words) == 1 else name, path)
    return made


def split_column(rows: Rows, given: str | None, taken: Sequence[str]) -> str | None:
    """The column that says of which part rows are: the one given, or the only one whose cells are all names of parts.

    Raises `DataError` where there is no such column, or its cells say something else.
    """
    if given is not None:
        if given not in rows.columns:
            raise DataError("E507", f"{rows.name} has no column {given}; it has {listed(rows.columns, 30)}")
        cells = {cell for cell in rows.columns[given] if not is_missing(cell)}
        strange = sorted(cell for cell in cells if part_of(cell) is None)
        if strange:
            raise DataError(
                "E507",
                f"{given} of {rows.name} has values that name no part: {listed(strange, 8)}",
                help=["train, val, test and their like are parts", f"`held_out: {{{given}: VALUE}}` holds out a value"],
            )
        return given
    found = []
    for name, own in rows.columns.items():
        parts = {part_of(cell) for cell in set(own)} if name not in taken else set()
        if "train" in parts and len(parts) > 1 and None not in parts:
            found.append(name)
    if len(found) != 1:
        return None
    rows.notes.append(f"{found[0]} of {rows.name} says which rows are to train on, for validation and for test")
    return found[0]


def parts_of(rows: Rows, column: str, validation: str | None) -> np.ndarray:
    """The place of each row's part by a column. Raises `DataError` where nothing is to train on, or held out."""
    import numpy as np

    cells = rows.columns[column]
    names = by_part({cell: None for cell in cells if not is_missing(cell)})
    held = [name for part in HELD_OUT for name in names[part]]
    if not names["train"] or not held:
        lack = "to train on" if held else "held out"
        raise DataError(
            "E507", f"no row of {rows.name} is {lack}: {column} has the values {listed(sorted(set(cells)), 8)}"
        )
    chosen = chosen_held(held, Path(rows.name), None, validation)
    places = dict.fromkeys(names["train"], 0) | {name: place for place, name in enumerate(chosen, 1)}
    own = np.array([places.get(cell, -1) for cell in cells])
    if (own < 0).any():
        rows.notes.append(f"{count(int((own < 0).sum()), 'row')} of {rows.name} of no part that is used left out")
    return own


class Usual(NamedTuple):
    """Which columns are images and labels where a table has both and the dataset does not say."""

    image: str
    target: str | None


def usual_columns(rows: Rows, split: str | None) -> Usual | None:
    """The only column of images' names, and that of their labels: the only other one, or one called label or the like.

    None where there is no such column of images.
    """
    images = [name for name, cells in rows.columns.items() if all(map(is_image_name, cells))]
    if len(images) != 1:
        return None
    rest = [name for name in rows.columns if name not in (images[0], split, "index")]
    named = [name for name in rest if name.lower() in LABELS]
    return Usual(images[0], rest[0] if len(rest) == 1 else named[0] if named else None)


def check_there(paths: Sequence[str], table: str, folder: Path) -> None:
    """Raises `DataError` where none of the first files that a table names is there, as when they start elsewhere."""
    if paths and not any(Path(path).exists() for path in paths[:FEW]):
        raise DataError(
            "E505",
            f"{table} names {paths[0]}, where there is no file, nor are the next there",
            help=[f"paths start from {folder}; `images: FOLDER` in the dataset says another"],
        )
