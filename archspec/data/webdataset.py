"""Shards: tar files whose members make a sample where their names are alike but for the ending."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from archspec.data._base import Dataset, OnError
from archspec.fields import FilePath, Flag, ImageSize, NonNegativeInt, Text

if TYPE_CHECKING:
    from archspec.data._split import Data
    from archspec.images.preparation import Preparation


def _endings(value: Any) -> Any:
    """`jpg;png`, as these data are often said, or one ending, as a list."""
    return [part.strip() for part in value.split(";")] if isinstance(value, str) else value


Endings = Annotated[tuple[Text, ...], BeforeValidator(_endings)]


class Webdataset(Dataset):
    """Tar files, train-000.tar and so on, with 0001.jpg and 0001.cls for a sample, 0002.jpg and 0002.cls for the next.

    A name's key is what stands before the first point behind its last slash, its ending all behind it, in small
    letters: 0001.seg.png has the key 0001 and the ending seg.png. Patterns have braces, `{000..099}` or `{a,b}`, `*`
    and `?`. Where members lie is known from the headers, which are read once: samples are read at random.
    """

    main: ClassVar[str] = "path"
    lies_in: ClassVar[str] = "file"
    has_named_parts: ClassVar[bool] = True

    path: Annotated[
        FilePath,
        Field(
            description="the shards: a pattern such as shards/train-{000..099}.tar, or a folder with train-….tar, "
            "val-….tar, test-….tar, or train/, val/, test/; relative paths start from the spec's folder"
        ),
    ]
    validation: Annotated[
        FilePath | None, Field(description="pattern of the shards of the validation part, where `path` is a pattern")
    ] = None
    test: Annotated[FilePath | None, Field(description="pattern of those of the test part")] = None
    image: Annotated[
        Endings | None,
        Field(description="ending of the images, or several of which the first that is there counts: jpg;png"),
    ] = None
    target: Annotated[
        Text | None,
        Field(
            description="ending of the labels; json.FIELD names what lies in JSON, and the ending of images, such as "
            "seg.png, masks. cls, label, txt or json if left out, the first that there is"
        ),
    ] = None
    classes: Annotated[
        tuple[Text, ...] | None, Field(description="names of the classes in order; numbers or texts if left out")
    ] = None
    ignore: Annotated[
        NonNegativeInt | None, Field(description="in masks, the number of pixels that count for nothing; null for none")
    ] = 255
    size: Annotated[
        ImageSize | None,
        Field(description="height and width that images are scaled to fill, masks too; needed where sizes differ"),
    ] = None
    grey: Annotated[Flag, Field(description="read the images as one channel instead of three")] = False
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, where there is no other part")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which samples are held out then")] = 0
    on_error: OnError = "error"

    def located(self, folder: Path) -> Webdataset:
        own = {name: getattr(self, name) for name in ("path", "validation", "test")}

        def absolute(pattern: str) -> str:
            return "::".join(str((folder / part).resolve()) for part in pattern.split("::"))

        return self.model_copy(update={name: absolute(value) for name, value in own.items() if value is not None})

    @property
    def preparation(self) -> Preparation:
        from archspec.images.preparation import Preparation

        return Preparation(self.size, "fill")

    def check_path(self) -> None:
        from archspec.data._tars import shards_of

        for pattern in (self.path, self.validation, self.test):
            if pattern is not None and not Path(pattern).is_dir():
                shards_of(pattern)

    def load(self) -> Data:
        from archspec.data._shards import Reader

        return Reader(self, self._validation).data()
