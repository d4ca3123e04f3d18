"""A folder of images for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._base import Dataset, OnError
from archspec.fields import FilePath, ImageSize, NonNegativeInt, Text

if TYPE_CHECKING:
    from archspec.data._split import Data
    from archspec.images.preparation import Preparation


class ImageFolder(Dataset):
    """Images in a folder for each class: train/cat/1.jpg, train/dog/1.jpg, val/cat/2.jpg.

    The parts may be called train, training, … and test, val, valid, … in any case. Without them the classes' folders
    lie in the folder itself, and a share of each is held out. All images in a class's folder are of the class, those in
    folders in it too. The classes are the folders' names in alphabetical order.
    """

    main: ClassVar[str] = "path"
    has_named_parts: ClassVar[bool] = True

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    size: Annotated[
        ImageSize | None,
        Field(
            description="height and width that images are scaled to fill, what sticks out being cut off on both sides; "
            "needed where sizes differ"
        ),
    ] = None
    grey: Annotated[bool, Field(strict=True, description="read the images as one channel instead of three")] = False
    held_out: Annotated[
        Text | None,
        Field(description="folder that is held out, and no other is; else val for validation and test for the end"),
    ] = None
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, without test/ or val/")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which images are held out, without test/ or val/")] = 0
    on_error: OnError = "error"

    @property
    def preparation(self) -> Preparation:
        from archspec.images.preparation import Preparation

        return Preparation(self.size, "fill")

    def load(self) -> Data:
        from archspec.data._class_folders import Reader

        return Reader(self, self._validation).data()
