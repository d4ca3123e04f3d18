"""Labels as files and tables say them, one for each sample: numbers of classes, names of classes, or numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data._base import MAX_CLASSES
from archspec.diagnostics import DataError, count, listed

if TYPE_CHECKING:
    import numpy as np

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
"""Texts that stand for no label, in small letters."""


class Labels(NamedTuple):
    """Targets of each part, and the names of the classes; None where they are numbers."""

    arrays: list[np.ndarray]
    classes: tuple[str, ...] | None


def labels_of(parts: Sequence[Sequence[Any]], names: Sequence[str] | None, what: str, notes: list[str]) -> Labels:
    """Labels of the parts of a dataset, the first being trained on: texts, numbers, or lists of numbers.

    Whole numbers from 0 are the classes' own, whose names `names` may have in order; texts are names of classes, in
    alphabetical order without `names`. Others are numbers, (N,) or (N, K), in 32 bits. What is missing counts for
    nothing, which is noted. Raises `DataError`.
    """
    import numpy as np

    cleaned = [[_plain(value) for value in part] for part in parts]
    if names is not None:  # −1 is what is written for no label where there are names
        cleaned = [[None if value == -1 else value for value in part] for part in cleaned]
    known = [value for part in cleaned for value in part if value is not None]
    gone = sum(value is None for part in cleaned for value in part)
    if gone:
        notes.append(f"{count(gone, 'label')} of {what} {'is' if gone == 1 else 'are'} missing, and count for nothing")
    if not known:
        raise DataError("E507", f"{what}: no sample has a label")
    if any(isinstance(value, list) for value in known):
        return Labels(_lists(cleaned, what), None)
    whole = all(isinstance(value, int) for value in known)
    if whole and all(0 <= value < MAX_CLASSES for value in known):
        number = max(known) + 1
        if names is not None and number > len(names):
            raise DataError("E507", f"{what}: a label is {number - 1}, but there are {count(len(names), 'class name')}")
        classes = tuple(names) if names is not None else tuple(map(str, range(number)))
        made = [np.array([-1 if value is None else value for value in part], np.int32) for part in cleaned]
        return Labels(made, classes)
    if names is None and all(isinstance(value, (int, float)) for value in known):
        made = [np.array([math.nan if value is None else value for value in part], np.float64) for part in cleaned]
        if any(np.abs(part[~np.isnan(part)]).max(initial=0) > np.finfo(np.float32).max for part in made):
            raise DataError("E507", f"{what}: numbers beyond 3.4e38, the most that 32 bits hold", help=["scale them"])
        return Labels([part.astype(np.float32) for part in made], None)
    return _named([[None if value is None else str(value) for value in part] for part in cleaned], names, what)


def _named(parts: Sequence[Sequence[str | None]], names: Sequence[str] | None, what: str) -> Labels:
    import numpy as np

    own = {value for value in parts[0] if value is not None}
    classes = sorted(own) if names is None else list(names)
    place = {name: number for number, name in enumerate(classes)}
    strange = sorted({value for part in parts for value in part if value is not None and value not in place})
    if strange:
        where = "`classes` does not have" if names is not None else "none that is trained on has"
        raise DataError("E507", f"{what}: {count(len(strange), 'label')} that {where}: {listed(strange, 10)}")
    if len(classes) >= MAX_CLASSES:
        raise DataError("E507", f"{what}: {len(classes):,} different texts, which are no classes")
    made = [np.array([-1 if value is None else place[value] for value in part], np.int32) for part in parts]
    return Labels(made, tuple(classes))


def _lists(parts: Sequence[Sequence[Any]], what: str) -> list[np.ndarray]:
    """Lists of as many numbers each: (N, K) of each part, labels at once where all of all parts are 0 or 1."""
    import numpy as np

    widths = {len(value) if isinstance(value, list) else -1 for part in parts for value in part if value is not None}
    if len(widths) > 1 or -1 in widths:
        raise DataError("E507", f"{what}: lists of different lengths, or lists and numbers")
    (width,) = widths
    try:
        made = [
            np.array([[math.nan] * width if value is None else value for value in part], np.float32).reshape(-1, width)
            for part in parts
        ]
    except (TypeError, ValueError, OverflowError):
        raise DataError("E507", f"{what}: lists of what is no number") from None
    return [part.astype(np.int8) for part in made] if all(np.isin(part, (0, 1)).all() for part in made) else made


def _plain(value: Any) -> Any:
    """A label as a whole number, a number, a text or a list of numbers; None where it is missing."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING:
            return None
        try:
            return int(text) if text.lstrip("+-").isascii() and text.lstrip("+-").isdigit() else _number(text)
        except ValueError:
            return text
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, (list, tuple)):
        return list(value)
    return value


def _number(text: str) -> float:
    if not any(sign.isdigit() for sign in text):  # inf and nan are names here
        raise ValueError(text)
    if "_" in text:
        raise ValueError(text)
    return float(text)
