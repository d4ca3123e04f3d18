"""Tables: which column is to be found, and whether it names classes or has a quantity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.data import LABELS
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import find_images, is_image_name, stem_of
from archspec.starting.found import PROBE, Found, Target, loaded, names_in
from archspec.tables.reading import Table as Rows
from archspec.tables.reading import is_missing, read_table

MANY = 20
"""Numbers of a target that has more different ones are taken for a quantity, not for classes."""


def goes_with_images(folder: Path, table: Path) -> bool:
    """Whether a table in a folder is one of the images there, or there are none: else its numbers are something else.

    Raises `DataError` where it names them without their ending.
    """
    rows = read_table(table, None)
    if any(all(map(is_image_name, cells)) for cells in rows.columns.values()):
        return True
    images = {stem_of(image.name): image for image in find_images(folder).paths}
    for name, cells in rows.columns.items():
        if cells[0] in images:
            raise DataError(
                "E507",
                f"{name} of {table.name} names images without their ending, {cells[0]} for {images[cells[0]].name}",
                help=[
                    f"write {cells[0]}{images[cells[0]].suffix} and so on in the table",
                    "or sort the images into a folder for each class",
                ],
            )
    return not images


def table_found(path: Path, target: Target) -> Found:
    """A table: of image files and their labels, or of numbers. What is to be found is guessed unless it is said."""
    fields: dict[str, Any] = {"path": str(path)}
    rows = read_table(path, None)
    images = [name for name, cells in rows.columns.items() if all(map(is_image_name, cells))]
    said: list[str] = []
    if len(images) == 1:
        folder = _image_folder(path, rows.columns[images[0]][:20])
        if folder:
            fields["images"] = folder
            said.append(f"{images[0]} of {path.name} names images in {folder}/")
    wanted = [target] if isinstance(target, str) else _wanted(rows, images, target, said)
    for name in wanted:
        if name not in rows.columns:
            raise DataError(
                "E507",
                f"{rows.name} has no column {name}; it has {listed(rows.columns, 30)}",
                help=[hint] if (hint := did_you_mean(name, list(rows.columns))) else [],
            )
    fields["targets"] = wanted[0] if len(wanted) == 1 else wanted
    task = None
    if len(wanted) == 1:
        task, classes, what = _meaning(rows, wanted[0])
        fields |= {"classes": [wanted[0]]} if classes else {}
        said += [what] if what else []
    data = loaded("table", fields, PROBE if images else None)
    return Found("table", fields, data, tuple(said), task)


def _meaning(rows: Rows, target: str) -> tuple[str | None, bool, str | None]:
    """Whether the numbers of a column are a quantity (the task), or numbered classes that are to be listed; and why."""
    numbers = rows.numbers(target)
    if numbers is None:
        cells = [cell for cell in rows.columns[target] if not is_missing(cell)]
        if len(set(cells)) > max(2, len(cells) // 2):
            raise DataError(
                "E507",
                f"{target} of {rows.name} has {len(set(cells)):,} different texts in {count(len(cells), 'row')}, which "
                "are no classes",
                help=[
                    f"--target names another column: {listed([name for name in rows.columns if name != target], 20)}"
                ],
            )
        return None, False, None
    own = sorted({float(number) for number in numbers if number == number})
    if not all(number.is_integer() for number in own):
        return None, False, None
    # What is called a label may have many classes, as texts may, and not one for almost every row.
    if len(own) > (max(MANY, len(numbers) // 2) if target.lower() in LABELS else MANY):
        return "regression", False, f"{target} has {count(len(own), 'different number')}, and is taken for a quantity"
    if len(own) > 1 and own not in ([-1.0, 1.0], [float(place) for place in range(len(own))]):
        return None, True, f"the {count(len(own), 'different number')} of {target} are the classes"
    return None, False, None


def _wanted(rows: Rows, images: list[str], choose: Target, said: list[str]) -> list[str]:
    """The columns that are to be found: one called label or the like, the only one beside images, all beside images
    where these are 0 and 1, else the last. How it was guessed is said. Raises `DataError` where nothing can be."""
    rest = [name for name in rows.columns if name not in images]
    if not rest:
        raise DataError("E507", f"{rows.name} has nothing but names of images", help=["a column of labels beside them"])
    usual = [name for name in rest if name.lower() in LABELS]
    flags = [name for name in rest if set(rows.columns[name]) <= {"0", "1"}]
    guess = usual[0] if usual else rest[-1] if not images or len(rest) == 1 else None
    if images and not usual and 1 < len(flags) == len(rest):
        said.append(f"{listed(rest, 10)} are 0 or 1, and what is to be found: several may be there at once")
        return rest
    if callable(choose):
        return [choose(rest, guess)]
    if guess is None:
        raise DataError(
            "E507",
            f"{rows.name} has several columns beside the images, {listed(rest, 20)}",
            help=["--target says which of them is to be found"],
        )
    if len(rest) > 1:
        how = "" if usual else ", the last column,"
        said.append(f"{guess}{how} of {rows.name} is taken for what is to be found; `--target` names another")
    return [guess]


def _image_folder(table: Path, names: list[str]) -> str | None:
    """The folder beside a table that has the images which it names; None where they lie beside it."""
    if any((table.parent / name).is_file() for name in names):
        return None
    for folder in names_in(table.parent):
        if folder.is_dir() and any((folder / name).is_file() for name in names):
            return folder.name
    return None
