"""Loading what Hugging Face's `datasets` saved to disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.data._base import LABEL
from archspec.data._blobs import BlobImages, BlobMasks
from archspec.data._columns import Column, Values
from archspec.data._files import existing_folder
from archspec.data._label_texts import labels_of
from archspec.data._parts import HELD_OUT, by_part, chosen_held
from archspec.data._reading import ends_of_masks, read_as
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count, did_you_mean, listed

if TYPE_CHECKING:
    from archspec.data.huggingface import Huggingface

INSTALL = "pip install 'archspec-jax[huggingface]'"
USUAL = ("label", "labels", "target", "class", "cls", "fine_label", "category", "annotation", "mask")
"""What columns of labels are called."""


def _library() -> Any:
    """The library, told to stay offline. Raises `DataError` where it is not installed."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ[name] = "1"
    try:
        import datasets
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "datasets"
        what = "is not installed" if missing else f"cannot be imported: {error}"
        raise DataError(
            "E505", f"the library `datasets`, which reads what Hugging Face's tools save, {what}", help=[INSTALL]
        ) from None
    return datasets


@lru_cache(maxsize=8)
def _opened(path: str, part: str | None) -> Any:
    """A part of a saved dataset, opened once in each process; its files are mapped, not read."""
    library = _library()
    whole = library.load_from_disk(path, keep_in_memory=False)
    own = whole if part is None else whole[part]
    return own.with_format("arrow")  # which decodes nothing


class Rows:
    """The bytes of a column's images."""

    def __init__(self, path: str, part: str | None, column: str, length: int) -> None:
        self.path, self.part, self.column, self.length = path, part, column, length
        self.where = f"{path}/{part}" if part else path

    def __len__(self) -> int:
        return self.length

    def name(self, place: int) -> str:
        return f"{self.column} of row {place} of {self.where}"

    def blob(self, place: int) -> bytes:
        with _in_words(self.where):
            value = _opened(self.path, self.part)[int(place)][self.column][0].as_py()
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            try:
                return (Path(self.path) / value).read_bytes()
            except (OSError, ValueError):
                raise DataError(
                    "E506",
                    f"{self.name(place)} is no bytes but the path {value[:200]}, where there is no file",
                    notes=["nothing is downloaded"],
                ) from None
        raise DataError("E506", f"{self.name(place)} has no image")


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    """Makes errors of the library, of many kinds, a `DataError`."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0][:300] or type(error).__name__
        raise DataError("E506", f"{where} cannot be read: {reason}") from None


class Reader:
    """Reads a saved dataset as its fields say. `validation` is the part that `train.validation` names."""

    def __init__(self, fields: Huggingface, validation: str | None) -> None:
        self.fields, self.validation = fields, validation
        self.notes: list[str] = []

    def data(self) -> Data:
        """Raises `DataError`."""
        folder = existing_folder(self.fields.path)
        self._check(folder)
        library = _library()
        _opened.cache_clear()  # it may have been saved anew
        with _in_words(str(folder)):
            whole = library.load_from_disk(str(folder), keep_in_memory=False)
        parts: list[str | None] = self._parts(folder, whole) if isinstance(whole, library.DatasetDict) else [None]
        tables = {part: _opened(str(folder), part) for part in parts}
        first = tables[parts[0]]
        image, target = self._columns(folder, library, first.features)
        for part, table in tables.items():
            lacks = [name for name in (image, target) if name not in table.features]
            if lacks:
                raise DataError("E507", f"{part} of {folder} has no column {listed(lacks)}, which {parts[0]} has")
        masks = isinstance(first.features[target], library.Image)
        targets, classes, known = self._targets(library, tables, target, masks)
        parts = [part for part, own in zip(parts, known, strict=True) if own]
        splits = []
        for part, values in zip(parts, targets, strict=True):
            rows = Rows(str(folder), part, image, len(tables[part]))
            column = Column(BlobImages(rows, self.fields.preparation, grey=self.fields.grey))
            splits.append(Split.of(column, values, tuple(map(rows.name, range(len(rows))))))
        said: list[str] = []
        (train, *others), left = read_as(self.fields, splits, said)
        if masks and classes is None:
            most = max(ends_of_masks(split, self.fields.how)[1] for split in (train, *others))
            classes = tuple(map(str, range(max(0, most) + 1)))
        test = others[1] if len(others) > 1 else None
        names = {} if classes is None else {LABEL: classes}
        return Data(folder.name, train, others[0], names, (*self.notes, *said), test=test, left=left)

    def _check(self, folder: Path) -> None:
        """Raises `DataError` where a folder is not one that was saved, with what it may be instead."""
        if any((folder / name).is_file() for name in ("dataset_dict.json", "state.json")):
            return
        inner = sorted(path.name for path in folder.iterdir() if path.is_dir() and (path / "state.json").is_file())
        help = [f"`path: {folder / inner[0]}` reads {inner[0]} alone"] if inner else []
        files = {path.suffix for path in folder.rglob("*") if path.suffix in (".parquet", ".arrow", ".csv", ".jsonl")}
        if files:
            help.append(f"load_dataset(…).save_to_disk(FOLDER) makes one of the {listed(sorted(files))} files here")
        raise DataError(
            "E505",
            f"{folder} is not what `save_to_disk` writes: it has neither dataset_dict.json nor state.json",
            help=help or ["load_dataset(…).save_to_disk(FOLDER) writes such a folder"],
        )

    def _parts(self, folder: Path, whole: Mapping[str, Any]) -> list[str | None]:
        own = by_part(whole)
        if not own["train"]:
            raise DataError("E505", f"{folder} has the parts {listed(whole) or 'none'}, and none is to train on")
        there = [name for part in HELD_OUT for name in own[part]]
        wanted = bool(there or self.fields.held_out or self.validation)
        chosen = chosen_held(there, folder, self.fields.held_out, self.validation) if wanted else []
        unused = [name for name in whole if name not in (own["train"][0], *chosen)]
        if unused:
            rows = sum(len(whole[name]) for name in unused)
            self.notes.append(f"{listed(unused)} of {folder} with {count(rows, 'sample')} not used")
        return [own["train"][0], *chosen]

    def _columns(self, folder: Path, library: Any, features: Mapping[str, Any]) -> tuple[str, str]:
        """The columns of images and labels. Raises `DataError` where they cannot be told."""
        said = listed([f"{name} ({_kind(kind)})" for name, kind in features.items()], 20)
        for field in ("image", "target"):
            name = getattr(self.fields, field)
            if name is not None and name not in features:
                near = did_you_mean(name, list(features))
                raise DataError("E507", f"{folder} has no column {name}; it has {said}", help=[near] if near else [])
        images = [name for name, kind in features.items() if isinstance(kind, library.Image)]
        own = [name for name in images if name != self.fields.target]
        if len(own) > 1:
            own = [name for name in own if name not in USUAL]
        if self.fields.image is None and len(own) != 1:
            raise DataError(
                "E507",
                f"{folder} has {'no column' if not own else count(len(own), 'column')} of images: {said}",
                help=["`image: COLUMN` says which one, of images, of their files' bytes or of their paths"],
            )
        image = self.fields.image or own[0]
        rest = [name for name in features if name != image]
        classes = [name for name in rest if isinstance(_inner(library, features[name]), library.ClassLabel)]
        usual = classes if len(classes) == 1 else [name for name in USUAL if name in rest]
        if self.fields.target is None and not usual:
            raise DataError("E507", f"{folder} has the columns {said}", help=["`target: COLUMN` says which has labels"])
        target = self.fields.target or usual[0]
        unused = [name for name in rest if name != target]
        if unused:
            what = f"{count(len(unused), 'column')} of {folder.name} {'is' if len(unused) == 1 else 'are'} not used"
            self.notes.append(f"{what}: {listed(unused, 10)}")
        return image, target

    def _targets(
        self, library: Any, tables: Mapping[str | None, Any], target: str, masks: bool
    ) -> tuple[list[Values], tuple[str, ...] | None, list[bool]]:
        """The labels of the parts, the names of their classes, and which parts have labels."""
        if masks:
            rows = [Rows(self.fields.path, part, target, len(table)) for part, table in tables.items()]
            made: list[Values] = [Column(BlobMasks(own, self.fields.preparation, self.fields.ignore)) for own in rows]
            return made, self.fields.classes, [True] * len(made)
        kind = next(iter(tables.values())).features[target]
        inner = _inner(library, kind)
        own_names = tuple(inner.names) if isinstance(inner, library.ClassLabel) and inner.names else None
        names = self.fields.classes or own_names
        with _in_words(self.fields.path):
            columns = [table.select_columns([target])[:][target].to_pylist() for table in tables.values()]
        known = [any(value is not None and value != -1 for value in column) for column in columns]
        for part, there in zip(tables, known, strict=True):
            if not there and part is not None:
                self.notes.append(f"{part} of {self.fields.path} has no labels, and is passed over")
        columns = [column for column, there in zip(columns, known, strict=True) if there]
        what = f"{target} of {Path(self.fields.path).name}"
        if inner is not kind and names is not None:
            return [_several(column, len(names), what) for column in columns], names, known
        labels = labels_of(columns, names, what, self.notes)
        return list(labels.arrays), labels.classes, known


def _inner(library: Any, kind: Any) -> Any:
    """What a list's items are; of anything else itself."""
    feature = getattr(kind, "feature", None)
    return kind if feature is None else feature


def _kind(kind: Any) -> str:
    """A column's type in words."""
    return (
        str(getattr(kind, "dtype", None) or type(kind).__name__)
        if type(kind).__name__ == "Value"
        else type(kind).__name__
    )


def _several(column: Sequence[Any], width: int, what: str) -> np.ndarray:
    """Lists of the classes that are there, as 0 or 1 for each class (N, K). Raises `DataError`."""
    made = np.zeros((len(column), width), np.int8)
    for row, value in enumerate(column):
        if value is None:
            made[row] = -1
            continue
        if any(not 0 <= item < width for item in value):
            raise DataError(
                "E507", f"{what}: row {row} has {list(value)[:5]}, which is beyond its {count(width, 'class')}"
            )
        made[row, list(value)] = 1
    return made
