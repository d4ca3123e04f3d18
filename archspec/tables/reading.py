"""Files of rows and columns, as spreadsheets and other programs write them."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import DataError, count, listed
from archspec.images.files import is_image_name
from archspec.images.limits import check_bytes
from archspec.images.texts import decoded

if TYPE_CHECKING:
    import numpy as np

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "#n/a", "<na>"}
"""What stands where a value is missing, in small letters."""
FLAGS = (("true", "false"), ("yes", "no"))
DELIMITERS = (",", ";", "\t", "|")
WHITESPACE = "whitespace"
_WORDS = re.compile(r'"([^"]*)"|(\S+)')
"""What stands between spaces, which may be in quotes."""
_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"),
    ",": re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?"),
}
"""Numbers with marks between thousands, by the mark before decimals."""


@dataclass
class Table:
    """Columns of texts by name, all of one length, and what was noted while they were read.

    `named` is False where the file has no line of column names, and they are numbers.
    """

    name: str
    columns: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)
    decimal: str = "."
    named: bool = True

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self, places: Sequence[int]) -> Table:
        """The table of these rows alone, whose notes are this one's."""
        columns = {name: [cells[row] for row in places] for name, cells in self.columns.items()}
        return replace(self, columns=columns)

    def is_missing(self, column: str) -> list[bool]:
        return [is_missing(value) for value in self.columns[column]]

    def number(self, value: str) -> float | None:
        """A cell's number, which may have marks between thousands; None where it is none, or is missing."""
        if is_missing(value):
            return None
        number = _number(value, self.decimal)
        if number is None and _GROUPED[self.decimal].fullmatch(value):
            return _number(value.replace("." if self.decimal == "," else ",", ""), self.decimal)
        return number

    def flags(self, column: str) -> np.ndarray | None:
        """A column of true and false, or yes and no, as 1 and 0, NaN where a value is missing; None for others."""
        import numpy as np

        values = [value.lower() for value in self.columns[column]]
        for yes, no in FLAGS:
            if all(value in (yes, no) or value in MISSING for value in values) and {yes, no} & set(values):
                return np.array([np.nan if value in MISSING else float(value == yes) for value in values])
        return None

    def grouped(self, column: str) -> list[str]:
        """A note on a column's numbers that have marks between thousands; none where there are none."""
        found = [value for value in self.columns[column] if _GROUPED[self.decimal].fullmatch(value)]
        if not found:
            return []
        mark = "points" if self.decimal == "," else "commas"
        said = f"{count(len(found), 'number')} of {column} in {self.name} {'has' if len(found) == 1 else 'have'} {mark}"
        return [f"{said} between thousands, such as {found[0]}"]

    def numbers(self, column: str) -> np.ndarray | None:
        """A column in 64 bits, NaN where a value is missing; None where one is no number, or none is there."""
        import numpy as np

        values = self.columns[column]
        made = np.full(len(values), np.nan)
        for row, value in enumerate(values):
            if is_missing(value):
                continue
            number = self.number(value)
            if number is None:
                return None
            made[row] = number
        return None if np.isnan(made).all() else made


def is_missing(value: str) -> bool:
    """Whether a cell has no value."""
    return value.strip().lower() in MISSING


def read_table(path: Path, delimiter: str | None) -> Table:
    """The table of a file with a line of column names. Raises `DataError`.

    What separates columns is found in that line unless it is given: a comma, a semicolon, a tab, a bar, or spaces.
    """
    if not path.is_file():
        raise DataError("E505", f"there is no file {path}")
    notes: list[str] = []
    try:
        text, encoding = decoded(_read(path))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError("E506", f"{path} cannot be read: {error}") from None
    if encoding == "cp1252":
        notes.append(f"{path.name} is not UTF-8, and read as Windows-1252")
    if "\0" in text:
        raise DataError("E506", f"{path} is no table of text", help=["save it as CSV"])
    lines = text.splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise DataError("E507", f"{path} is empty")
    # CelebA's lists begin with how many rows there are.
    if lines[start].strip().isdigit() and start + 1 < len(lines) and not lines[start + 1].strip().isdigit():
        notes.append(f"{path.name} begins with the line {lines[start].strip()}, which is passed over")
        start += 1
    said = re.fullmatch(r"sep=(.)", lines[start].strip("\r\n"), re.IGNORECASE)  # as spreadsheets have it
    if said and start + 1 < len(lines):
        start += 1
    mark = delimiter or (said[1] if said else _delimiter(lines[start]))
    rows = list(_rows(lines[start:], mark, path))
    return _table(path, rows, mark, start, notes)


def _read(path: Path) -> bytes:
    """A file's bytes, unpacked where it is gzipped."""
    stored = path.stat().st_size
    check_bytes(str(path), stored, stored)
    data = path.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    # What it says at its end is bound, since nothing beyond it is read.
    size = int.from_bytes(data[-4:], "little")
    check_bytes(str(path), size, stored)
    with gzip.open(path) as file:
        return file.read(size)


def _delimiter(line: str) -> str:
    """What separates the columns of a line: the mark that is there most often outside quotes, or spaces."""
    bare = "".join(part for part in line.split('"')[::2])
    counts = {mark: bare.count(mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    # Where numbers are apart by spaces, a tab among them is one too.
    spaced = best == "\t" and any(
        len(part.split()) > 1 and all(is_missing(word) or _number(word, ".") is not None for word in part.split())
        for part in bare.split("\t")
    )
    if counts[best] and not spaced:
        return best
    return WHITESPACE if len(line.split()) > 1 else ","


def _rows(lines: Sequence[str], mark: str, path: Path) -> Iterator[list[str]]:
    if mark == WHITESPACE:
        yield from ([quoted or word for quoted, word in _WORDS.findall(line)] for line in lines if line.strip())
        return
    try:
        for row in csv.reader(lines, delimiter=mark, skipinitialspace=True):
            if any(cell.strip() for cell in row):
                yield [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError("E506", f"{path} is no readable table: {error}") from None


def _table(path: Path, rows: list[list[str]], mark: str, start: int, notes: list[str]) -> Table:
    header, *body = rows
    decimal, named = ".", True
    if mark == ";" and any(_has_comma(cell) for row in body[:50] for cell in row):
        decimal = ","
    if _is_row(header, body, decimal):
        notes.append(f"{path.name} has no line of column names, so they are 1 to {len(header)}")
        header, body, named = [str(place + 1) for place in range(len(header))], rows, False
    if not body:
        raise DataError("E507", f"{path} has a line of column names, and no rows")
    lengths = {len(row) for row in body}
    if len(lengths) == 1 and not lengths & {len(header), len(header) + 1} and len(body) > 1:
        (width,) = lengths
        notes.append(
            f"{path.name} begins with {count(len(header), 'value')} where rows have {width}, which are passed over; "
            f"columns are 1 to {width}"
        )
        header = [str(place + 1) for place in range(width)]
    if all(len(row) == len(header) + 1 for row in body):
        header = ["index", *header]  # as lists of pandas and CelebA have them
    # A mark at the end of each line makes a column without a name.
    while header and not header[-1] and all(len(row) < len(header) or not row[len(header) - 1] for row in body):
        header.pop()
        body = [row[: len(header)] for row in body]
    for place, name in enumerate(header):
        if not name:
            header[place] = "index" if place == 0 and "index" not in header else f"column {place + 1}"
    twice = [name for name, number in Counter(header).items() if number > 1]
    if twice:
        raise DataError("E507", f"{path.name} has several columns {listed(twice, 5)}", help=["give each its own name"])
    wrong = [place for place, row in enumerate(body) if len(row) != len(header)]
    if wrong:
        raise DataError(
            "E506",
            f"{path.name}: row {wrong[0] + 1:,} has {count(len(body[wrong[0]]), 'value')}, but there are "
            f"{count(len(header), 'column')}"
            + (f"; {count(len(wrong), 'row')} of {len(body):,} are so" if len(wrong) > 1 else ""),
            help=[
                f"columns are taken to be separated by {_said(mark)}; `delimiter` says another",
                "values with the separator in them need quotes",
            ],
        )
    columns = {name: [row[place] for row in body] for place, name in enumerate(header)}
    if decimal == ",":
        notes.append(f"{path.name} has decimal commas")
    return Table(path.name, columns, notes, decimal, named)


def _has_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma."""
    return "," in cell and (_number(cell, ",") is not None or _GROUPED[","].fullmatch(cell) is not None)


def _is_row(header: Sequence[str], body: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first line is a row like those below it, and has no names of columns.

    It is one of numbers alone, or has numbers in all columns of numbers, and a decimal, or a text of the rows below; or
    it has the name of an image's file where those below have one too.
    """
    images = [place for place, cell in enumerate(header) if is_image_name(cell)]
    if any(all(is_image_name(row[place]) for row in body[:50] if place < len(row)) for place in images):
        return True
    if all(_number(cell, decimal) is not None for cell in header):
        return True
    if any(len(row) != len(header) for row in body) or all(_number(cell, decimal) is None for cell in header):
        return False
    columns = list(zip(*body, strict=True))
    numeric = [
        place
        for place, cells in enumerate(columns)
        if all(is_missing(cell) or _number(cell, decimal) is not None for cell in cells)
    ]
    own = [header[place] for place in numeric if not is_missing(header[place])]
    if not own or any(_number(cell, decimal) is None for cell in own):
        return False
    return any(decimal in cell for cell in own) or any(
        header[place] in cells for place, cells in enumerate(columns) if place not in numeric and header[place]
    )


def _said(mark: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", WHITESPACE: "spaces"}.get(mark, f"`{mark}`")


def _number(text: str, decimal: str) -> float | None:
    try:
        number = float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
