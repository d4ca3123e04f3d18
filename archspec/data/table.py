"""A table: a row for each sample, with columns of numbers, texts or image files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from archspec.data._base import INPUT, LABEL, Dataset, OnError
from archspec.fields import FilePath, Flag, ImageSize, NonNegativeInt, Text

if TYPE_CHECKING:
    from archspec.data._split import Data
    from archspec.images.preparation import Preparation
    from archspec.tables.layout import Layout


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
    has_named_parts: ClassVar[bool] = True

    path: Annotated[
        FilePath,
        Field(
            description="the file, or a folder with train.csv, val.csv and test.csv; relative paths start from the "
            "spec's folder"
        ),
    ]
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
    split: Annotated[
        Text | None,
        Field(
            description="column that says of which part a row is, train, val or test; found by these words if left out"
        ),
    ] = None
    holdout: Annotated[
        float,
        Field(strict=True, gt=0, lt=1, description="share of every class held out where nothing else says what is"),
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which rows are held out then")] = 0
    on_error: OnError = "error"

    _layout: Layout | None = PrivateAttr(None)

    @property
    def preparation(self) -> Preparation:
        from archspec.images.preparation import Preparation

        return Preparation(self.size, "fill")

    def like(self, layout: Layout | None) -> Table:
        made = self.model_copy()
        made._layout = layout
        return made

    def load(self) -> Data:
        from archspec.data._table_data import Reader

        return Reader(self, self._layout, self._validation).data()
