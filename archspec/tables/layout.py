"""Which columns of a table make up inputs, and how: what training finds out, and `predict` reads other tables by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.tables.reading import FLAGS, Table, is_missing

if TYPE_CHECKING:
    import numpy as np

MAX_VALUES = 1000
"""So many texts a column may have that is to be features."""
LARGEST = 3.4028235e38
"""The largest number of 32 bits."""

Form = Literal["number", "flag", "texts", "image"]


class Wrong(NamedTuple):
    """A cell that cannot be used: its row, from 0, its column, and why."""

    row: int
    column: str
    why: str


@dataclass(frozen=True)
class Feature:
    """What a column is to an input: a number, true or false, a feature for each of its texts, or the file of an image.

    A number that is missing is the `mean`, where there is one.
    """

    column: str
    form: Form = "number"
    texts: tuple[str, ...] = ()
    mean: float | None = None

    @property
    def width(self) -> int:
        """So many numbers it makes."""
        return len(self.texts) if self.form == "texts" else 1

    def encoded(self, rows: Table, wrong: list[Wrong]) -> np.ndarray:
        """Its numbers of each row (N, width) in 64 bits, NaN of cells that are missing, or wrong, which are added."""
        import numpy as np

        made = np.full((len(rows), self.width), np.nan)
        places = {text: place for place, text in enumerate(self.texts)}
        for row, cell in enumerate(rows.columns[self.column]):
            if is_missing(cell):
                continue
            if self.form == "texts":
                if cell in places:
                    made[row] = 0
                    made[row, places[cell]] = 1
                else:
                    wrong.append(Wrong(row, self.column, self._unknown(cell)))
            elif self.form == "flag":
                flag = next((cell.lower() == yes for yes, no in FLAGS if cell.lower() in (yes, no)), None)
                if flag is None:
                    wrong.append(Wrong(row, self.column, f"{cell[:40]!r} is neither {' nor '.join(FLAGS[0])}"))
                else:
                    made[row] = flag
            else:
                number = rows.number(cell)
                if number is None:
                    wrong.append(Wrong(row, self.column, f"{cell[:40]!r} is no number"))
                elif abs(number) > LARGEST:
                    wrong.append(Wrong(row, self.column, f"{cell[:40]} is beyond 3.4e38, the most that 32 bits hold"))
                else:
                    made[row] = number
        return made

    def _unknown(self, cell: str) -> str:
        hint = did_you_mean(cell, self.texts)
        return f"{cell[:40]!r} is none of {listed(self.texts, 8)}" + (f"; {hint}" if hint else "")


@dataclass(frozen=True)
class Layout:
    """The columns of each input by its name, and those of targets; what separates columns, where that was said.

    `images` is the folder of image files, seen from a table's.
    """

    inputs: Mapping[str, tuple[Feature, ...]]
    targets: tuple[str, ...] = ()
    delimiter: str | None = None
    images: str = ""
    as_bytes: frozenset[str] = field(default_factory=frozenset)
    """Inputs whose rows of numbers are pixels from 0 to 255."""

    def of(self, names: Sequence[str]) -> Layout:
        """The layout by a network's names of its inputs; the only one whatever it is called."""
        if len(names) == len(self.inputs) == 1:
            return replace(self, inputs=dict(zip(names, self.inputs.values(), strict=True)))
        return replace(self, inputs={name: self.inputs[name] for name in names if name in self.inputs})

    def to_plain(self) -> dict[str, Any]:
        """As run.json keeps it."""

        def plain(feature: Feature) -> dict[str, Any]:
            made: dict[str, Any] = {"column": feature.column, "form": feature.form}
            if feature.form == "texts":
                made["texts"] = list(feature.texts)
            return made if feature.mean is None else {**made, "mean": feature.mean}

        return {
            "inputs": {name: [plain(feature) for feature in own] for name, own in self.inputs.items()},
            "targets": list(self.targets),
            "delimiter": self.delimiter,
            "images": self.images,
            "as_bytes": sorted(self.as_bytes),
        }

    @classmethod
    def from_plain(cls, plain: Any) -> Layout | None:
        """What `to_plain` gave; None where it is no such."""
        try:
            inputs = {
                str(name): tuple(
                    Feature(str(own["column"]), own["form"], tuple(map(str, own.get("texts", ()))), own.get("mean"))
                    for own in features
                )
                for name, features in plain["inputs"].items()
            }
            return cls(
                inputs, tuple(plain["targets"]), plain["delimiter"], str(plain["images"]), frozenset(plain["as_bytes"])
            )
        except (TypeError, KeyError, AttributeError):
            return None


def features_of(rows: Table, columns: Sequence[str], notes: list[str]) -> tuple[Feature, ...]:
    """What columns of a table are as features of a vector. Raises `DataError` where one has too many texts."""
    features = []
    for name in columns:
        if rows.numbers(name) is not None:
            notes.extend(rows.grouped(name))
            features.append(Feature(name))
        elif rows.flags(name) is not None:
            features.append(Feature(name, "flag"))
        else:
            texts = tuple(sorted({cell for cell in rows.columns[name] if not is_missing(cell)}))
            if len(texts) > MAX_VALUES:
                raise DataError(
                    "E507",
                    f"{rows.name}: {name} has {len(texts):,} different texts, more than {MAX_VALUES:,} features",
                    help=["leave the column out of `inputs`"],
                )
            features.append(Feature(name, "texts", texts))
            notes.append(f"{name} of {rows.name} is {count(len(texts), 'text')}, a feature each: {listed(texts, 8)}")
    return tuple(features)


def encoded(rows: Table, features: Sequence[Feature], wrong: list[Wrong]) -> np.ndarray:
    """Features of each row (N, F) in 32 bits; NaN where a cell is missing, or wrong, which is added."""
    import numpy as np

    return np.concatenate([feature.encoded(rows, wrong) for feature in features], axis=1).astype(np.float32)


def with_means(features: Sequence[Feature], trained: np.ndarray) -> tuple[Feature, ...]:
    """Features whose numbers have the mean over what is trained on (N, F), unless they have one already."""
    import numpy as np

    if trained.ndim != 2:  # images
        return tuple(features)
    there = ~np.isnan(trained).all(0)
    means = np.nanmean(np.where(there, trained, 0), axis=0)
    made, place = [], 0
    for feature in features:
        own = feature.form == "number" and feature.mean is None and there[place]
        mean = float(means[place]) if own else feature.mean
        made.append(replace(feature, mean=mean))
        place += feature.width
    return tuple(made)


def filled(array: np.ndarray, features: Sequence[Feature]) -> np.ndarray:
    """Vectors (N, F) whose missing numbers are the means, where there are any."""
    import numpy as np

    means = np.array([np.nan if own.mean is None else own.mean for own in features for _ in range(own.width)])
    return np.where(np.isnan(array), means.astype(np.float32), array).astype(np.float32)


def unusable(name: str, rows: int, wrong: Sequence[Wrong], code: str = "E507") -> DataError:
    """The error that cells of a table cannot be used: the first by row and column, and how many rows."""
    gone = len({cell.row for cell in wrong})
    first = sorted(wrong)[:8]
    more = len(wrong) - len(first)
    return DataError(
        code,
        f"{count(gone, 'row')} of {rows:,} in {name} cannot be used",
        notes=[
            *(f"row {cell.row + 1:,}, {cell.column}: {cell.why}" for cell in first),
            *([f"and {count(more, 'cell')} more"] if more else []),
        ],
        help=["the first row is the one after the column names"],
    )
