"""What the library `datasets` of Hugging Face saved to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._base import Dataset, OnError
from archspec.fields import FilePath, Flag, ImageSize, NonNegativeInt, Text

if TYPE_CHECKING:
    from archspec.data._split import Data
    from archspec.images.preparation import Preparation


class Huggingface(Dataset):
    """A folder that `save_to_disk` wrote, of a Dataset or of a DatasetDict with train, validation and test.

    Images are a column of images, or of the bytes or paths of their files; labels a column of classes, numbers, texts,
    several classes at once, or masks. Names of classes are the column's. Nothing is ever downloaded. It needs the
    library: pip install 'archspec-jax[huggingface]'.
    """

    main: ClassVar[str] = "path"
    has_named_parts: ClassVar[bool] = True

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    image: Annotated[Text | None, Field(description="column of the images; the only one of images if left out")] = None
    target: Annotated[
        Text | None,
        Field(description="column of the labels; the only one of classes, or label, labels, … if left out"),
    ] = None
    classes: Annotated[
        tuple[Text, ...] | None, Field(description="names of the classes in order; the column's own if left out")
    ] = None
    held_out: Annotated[
        Text | None,
        Field(description="part that is held out, and no other is; else validation and test, as they are there"),
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

    @property
    def preparation(self) -> Preparation:
        from archspec.images.preparation import Preparation

        return Preparation(self.size, "fill")

    def load(self) -> Data:
        from archspec.data._saved import Reader

        return Reader(self, self._validation).data()
