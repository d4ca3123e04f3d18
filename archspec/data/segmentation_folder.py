"""A folder of images and of masks with the same names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.data._base import LABEL, Dataset, OnError
from archspec.data._columns import Column, mapped
from archspec.data._files import as_masks, existing_folder
from archspec.data._index import Names, Pair
from archspec.data._pairs import find_pairs
from archspec.data._reading import ImageFiles, ends_of_masks, first_of, read_as
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.fields import FilePath, ImageSize, NonNegativeInt, ShortName, Text
from archspec.images.files import read_pixels, size_of
from archspec.images.palettes import GREY, TABLES, Palette, read_table
from archspec.images.preparation import Preparation
from archspec.images.texts import read_lines

if TYPE_CHECKING:
    import numpy as np


def _distinct(labels: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if labels is not None and (not labels or len(set(labels)) < len(labels)):
        raise PydanticCustomError("labels", "must list a different value for each class")
    return labels


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in value)
    )


def _read_colours(value: Any) -> Any:
    """A name, colours in order, or names with their colours."""
    if isinstance(value, str) and 0 < len(value) < 4000 and "\0" not in value:
        return value
    rows = list(value.values()) if isinstance(value, dict) else value
    if isinstance(rows, (list, tuple)) and rows and all(map(_is_colour, rows)):
        colours = [tuple(row) for row in rows]
        if len(set(colours)) < len(colours):
            raise PydanticCustomError("colours", "must have a different colour for each class")
        return dict(zip(map(str, value), colours, strict=True)) if isinstance(value, dict) else tuple(colours)
    raise PydanticCustomError(
        "colours",
        "must be camvid, cityscapes, voc, grey, a file with a table of colours, or the colours of the classes: "
        "[[0, 0, 0], [128, 64, 128]] or {road: [128, 64, 128]}",
    )


def _read_void(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and all(map(_is_colour, value)):
        return tuple(tuple(row) for row in value)
    raise PydanticCustomError("colours", "must be a list of colours, such as [[0, 0, 0]]")


class SegmentationFolder(Dataset):
    """Images and masks, paired by their names: images/street.jpg and masks/street.png.

    The folder holds images/ and masks/ with the lists train.txt and test.txt (or val.txt) of names, or without lists,
    a share then being held out; or it holds train/ and test/ (or val/) with images/ and masks/ each. The layouts of
    PASCAL VOC, Cityscapes, CamVid, ADE20K and their like are known. The pixels of a mask are the numbers of their
    classes, as in PASCAL VOC's palette files, or the values that `labels` lists, or have the colours of `colours`.
    """

    main: ClassVar[str] = "path"
    has_named_parts: ClassVar[bool] = True

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    images: Annotated[
        ShortName | None, Field(description="name of the folders with images; images, JPEGImages, … if left out")
    ] = None
    masks: Annotated[
        ShortName | None, Field(description="name of the folders with masks; masks, SegmentationClass, … if left out")
    ] = None
    mask_suffix: Annotated[
        ShortName | None,
        Field(description="what masks' names have behind their images', such as _L; found out if left out"),
    ] = None
    classes: Annotated[
        tuple[Text, ...] | None,
        Field(description="names of the classes in order; classes.txt in the folder, or numbers, if left out"),
    ] = None
    labels: Annotated[
        tuple[NonNegativeInt, ...] | None,
        AfterValidator(_distinct),
        Field(description="the pixel value of each class in order, such as [0, 255]; 0, 1, 2, … if left out"),
    ] = None
    colours: Annotated[
        str | tuple[tuple[int, int, int], ...] | dict[str, tuple[int, int, int]] | None,
        BeforeValidator(_read_colours),
        Field(
            description="for masks in colours: voc, camvid, cityscapes, grey (equal red, green and blue are the "
            "number), a file in the folder with a line a class, or the colours in the order of the classes"
        ),
    ] = None
    void: Annotated[
        tuple[tuple[int, int, int], ...],
        BeforeValidator(_read_void),
        Field(description="with `colours`: colours of pixels that count for nothing"),
    ] = ()
    unlisted: Annotated[
        Literal["error", "ignore"],
        Field(description="what pixels are that `labels` or `colours` do not list: an error, or not counted"),
    ] = "error"
    ignore: Annotated[
        NonNegativeInt | None, Field(description="label of pixels that count for nothing; null if there is none")
    ] = 255
    size: Annotated[
        ImageSize | None, Field(description="height and width that everything is scaled to; needed where sizes differ")
    ] = None
    grey: Annotated[bool, Field(strict=True, description="read the images as one channel instead of three")] = False
    held_out: Annotated[
        Text | None,
        Field(
            description="list or folder that is held out, and no other is; else val for validation and test for the end"
        ),
    ] = None
    holdout: Annotated[float, Field(strict=True, gt=0, lt=1, description="share held out, without lists")] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which images are held out, without lists")] = 0
    on_error: OnError = "error"

    @model_validator(mode="after")
    def _check(self) -> SegmentationFolder:
        if self.labels is not None and "ignore" in self.model_fields_set and self.ignore in self.labels:
            raise ValueError(f"`ignore` is {self.ignore}, which `labels` makes a class")
        if self.colours is not None and self.colours != GREY and self.labels is not None:
            raise ValueError("`labels` are numbers and `colours` are colours: a mask has one of them")
        if self.void and (self.colours is None or self.colours == GREY):
            raise ValueError("`void` goes with `colours`")
        if self.unlisted == "ignore" and self.labels is None and self.colours in (None, GREY):
            raise ValueError("`unlisted` goes with `labels` or `colours`")
        return self

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.size, "stretch")

    def load(self) -> Data:
        folder = existing_folder(self.path)
        notes: list[str] = []
        table = self._table(folder)
        parts = self._parts(folder, notes)
        splits, left = read_as(self, [_split(self, table, part) for part in parts], notes, "images or masks")
        ends = [ends_of_masks(split, self.how) for split in splits]
        known = max(high for _, high in ends) + 1
        fits = _As("int8" if known <= 2**7 else "int16")
        splits = [replace(split, targets={LABEL: mapped(split.targets[LABEL], fits)}) for split in splits]
        if known < 2 and self.ignore is not None and table is None and min(low for low, _ in ends) < 0:
            self._check_ignored(folder, known)
        labels = max(known, len(self.labels or ()))
        names = self._names(folder, labels, table)
        again = [name for name, number in Counter(names).items() if number > 1]
        if again and (table is None or self.classes is not None):
            where = "`classes`" if self.classes is not None else folder / "classes.txt"
            raise DataError(
                "E507",
                f"{where} has more than one class called {listed(again, 5)}",
                help=["each has a name of its own"],
            )
        if labels > len(names):
            has = self.stray(len(names)) or f"`labels` has {count(labels, 'value')}"
            raise DataError(
                "E507",
                f"{has}, but there {'is' if len(names) == 1 else 'are'} {count(len(names), 'class name')}",
                help=["correct the mask, or name the class in `classes` or classes.txt"],
            )
        train, validation, *test = splits
        own, names_of = test[0] if test else None, {LABEL: names}
        return Data(folder.name, train, validation, names_of, tuple(notes), test=own, left=left)

    def _check_ignored(self, folder: Path, known: int) -> None:
        rest = "no label but 0: every other" if known else "no label: every"
        raise DataError(
            "E507",
            f"the masks of {folder} have {rest} pixel is {self.ignore}, which `ignore` makes count for nothing",
            help=[
                f"`labels: [0, {self.ignore}]` in the dataset makes {self.ignore} the second class"
                if self.ignore
                else "`ignore: null` in the dataset makes 0 the first class",
                "or save masks whose pixels are 0, 1, … for the classes",
            ],
        )

    def stray(self, classes: int) -> str | None:
        folder = Path(self.path)
        pairs = [pair for part in self._parts(folder, []) for pair in part]
        reading = _Reading(self, self._table(folder))
        seen: Counter[str] = Counter()
        first, masks = None, 0
        for pair in pairs:
            values = reading.values(pair.mask)
            beyond = reading.classes(values, pair.mask, seen) >= classes
            if beyond.any():
                first = first or _placed(pair.mask, values, beyond)
                masks += 1
        return f"{first}; {masks} of {len(pairs)} masks have such labels" if masks > 1 else first

    def _parts(self, folder: Path, notes: list[str]) -> list[list[Pair]]:
        """The pairs to train on and those held out, or all of them where the folder does not say."""
        return find_pairs(
            folder, Names(self.images, self.masks, self.mask_suffix, self.held_out, self._validation), notes
        )

    def _table(self, folder: Path) -> Palette | None:
        """The colours of the classes; None where masks have numbers. Raises `DataError`."""
        if self.colours is None or self.colours == GREY:
            return None
        if isinstance(self.colours, str):
            table = TABLES.get(self.colours.lower())
            if table is None:
                if not (folder / self.colours).is_file():
                    near = did_you_mean(self.colours, [*TABLES, GREY])
                    raise DataError(
                        "E505",
                        f"there is no table of colours called {self.colours}, and no file {folder / self.colours}",
                        help=[near or f"tables are {listed([*TABLES, GREY])}"],
                    )
                table = read_table(folder / self.colours)
        else:
            rows = self.colours if isinstance(self.colours, dict) else dict(enumerate(self.colours))
            table = Palette(tuple(map(str, rows)), tuple(rows.values()))
        left = [place for place, colour in enumerate(table.colours) if colour not in self.void]
        return Palette(
            tuple(table.names[place] for place in left),
            tuple(table.colours[place] for place in left),
            (*table.void, *(colour for colour in self.void if colour not in table.void)),
        )

    def _names(self, folder: Path, labels: int, table: Palette | None) -> tuple[str, ...]:
        if self.classes is not None:
            return self.classes
        if (folder / "classes.txt").is_file():
            lines = read_lines(folder / "classes.txt", str(folder / "classes.txt"))
            return tuple(line.strip() for line in lines if line.strip())
        return tuple(map(str, range(labels))) if table is None else table.names


_IGNORED, _PIXELS = "pixels that nothing lists", "pixels"
"""Under these names it is counted how many pixels of masks are ignored, and how many there are."""


class _Reading:
    """Reads masks as a dataset says what their pixels are."""

    def __init__(self, dataset: SegmentationFolder, table: Palette | None) -> None:
        self.dataset = dataset
        self.table = table

    def notes(self, seen: Counter[str]) -> list[str]:
        if not seen[_IGNORED]:
            return []
        what = "`colours` lists" if self.table is not None else "`labels` lists"
        share = 100 * seen[_IGNORED] / seen[_PIXELS]
        return [f"{share:.3g} % of the masks' pixels have values that no entry of {what}, and are not counted"]

    def values(self, path: Path) -> np.ndarray:
        """What a mask's pixels hold: numbers, or colours as numbers. Raises `DataError`."""
        from archspec.images.masks import read_coloured, read_mask

        if self.dataset.colours is None:
            return read_mask(path)
        codes = read_coloured(path)
        if self.table is not None:
            return codes
        grey = codes & 255
        if (codes != grey * 0x010101).any():
            raise DataError(
                "E507", f"{path} has pixels whose red, green and blue differ, which `colours: grey` does not read"
            )
        return grey

    def classes(self, values: np.ndarray, path: Path, seen: Counter[str]) -> np.ndarray:
        """The classes of a mask's pixels, −1 where they count for nothing. Raises `DataError` for unknown values."""
        import numpy as np

        dataset = self.dataset
        seen[_PIXELS] += values.size
        if self.table is not None:
            from archspec.images.masks import classes_of_colours

            classes = classes_of_colours(values, self.table)
            unknown = classes == -2
            if unknown.any() and dataset.unlisted == "error":
                row, column = divmod(int(unknown.argmax()), unknown.shape[1])
                colour = int(values[row, column])
                raise DataError(
                    "E507",
                    f"{path} has the colour [{colour >> 16}, {colour >> 8 & 255}, {colour & 255}] at row {row}, column "
                    f"{column} (counted from 0), which is not one of `colours`; "
                    f"{count(int(unknown.sum()), 'pixel')} of {unknown.size:,} have such colours",
                    help=[
                        "add the colour to `colours`, or to `void` if it counts for nothing",
                        "`unlisted: ignore` leaves out all such pixels",
                    ],
                )
            seen[_IGNORED] += int(unknown.sum())
            return as_masks(classes, None, str(path))
        if dataset.labels is None:
            return as_masks(values, dataset.ignore, str(path))
        numbers = {value: number for number, value in enumerate(dataset.labels)}
        own, places = np.unique(values, return_inverse=True)
        strange = [value for value in own if value >= 0 and value not in numbers and value != dataset.ignore]
        if strange:
            beyond = np.isin(values, strange)
            if dataset.unlisted == "error":
                raise DataError(
                    "E507",
                    f"{_placed(path, values, beyond)}, which is not one of `labels`: "
                    f"{listed(map(str, dataset.labels))}",
                    help=[
                        "correct the mask, or add the value to `labels`",
                        "`unlisted: ignore` leaves out such pixels",
                    ],
                )
            seen[_IGNORED] += int(beyond.sum())
        classes = np.array([numbers.get(int(value), -1) for value in own])[places].reshape(values.shape)
        return as_masks(classes, None, str(path))


class _Masks:
    """Masks of images as classes' numbers in 16 bits: a source of columns."""

    def __init__(self, reading: _Reading, pairs: Sequence[Pair]) -> None:
        import numpy as np

        self.reading = reading
        self.settings = repr(reading.table)  # which may be of a file of its own
        self.paths = [(str(pair.image), str(pair.mask)) for pair in pairs]
        self.dtype: np.dtype[Any] = np.dtype(np.int16)
        self.first, self.shape = first_of(self, "images or masks")

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, place: int, seen: Counter[str]) -> np.ndarray:
        from archspec.images.fitting import nearest

        image, path = self.paths[place]
        mask = self.reading.values(Path(path))
        size = size_of(image)
        if size != mask.shape:  # unless the end of the file says how it is held
            size = read_pixels(Path(image), "RGB").shape[:2]
        if size != mask.shape:
            sizes = ["×".join(map(str, shape)) for shape in (size, mask.shape)]
            raise DataError("E507", f"{image} is {sizes[0]}, but {path} is {sizes[1]}")
        if self.reading.dataset.size is not None:
            mask = nearest(mask[None], self.reading.dataset.size)[0]
        return self.reading.classes(mask, Path(path), seen).astype(self.dtype)

    def name(self, place: int) -> str:
        return self.paths[place][1]

    def notes(self, seen: Counter[str]) -> list[str]:
        return self.reading.notes(seen)


def _split(dataset: SegmentationFolder, table: Palette | None, pairs: Sequence[Pair]) -> Split:
    paths = tuple(str(pair.image) for pair in pairs)
    images = Column(ImageFiles(paths, dataset.grey, dataset.preparation, dataset.path))
    return Split.of(images, Column(_Masks(_Reading(dataset, table), pairs)), paths)


class _As:
    """Masks in a type that has room for them."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        return masks.astype(self.dtype)


def _placed(path: Path, mask: np.ndarray, wanted: np.ndarray) -> str:
    """A mask, the first pixel of those wanted and its label, in words."""
    row, column = divmod(int(wanted.argmax()), wanted.shape[1])
    return f"{path} has the label {mask[row, column]} at row {row}, column {column} (counted from 0)"
