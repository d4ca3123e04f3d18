"""A folder of images for each class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._base import Data, Dataset, Split
from archspec.data._files import PARTS, check_alike, existing_folder, holdout
from archspec.diagnostics import DataError, listed
from archspec.fields import FilePath, NonNegativeInt, Pair
from archspec.images.files import SUFFIXES, image_files, read_pixels
from archspec.images.preparation import Preparation

if TYPE_CHECKING:
    import numpy as np


class ImageFolder(Dataset):
    """Images in a folder for each class: train/cat/1.jpg, train/dog/1.jpg, val/cat/2.jpg.

    Without train/ and test/ (or val/) the classes' folders lie in the folder itself, and a share of each is held out.
    The classes are the folders' names in alphabetical order.
    """

    main: ClassVar[str] = "path"

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    size: Annotated[
        Pair | None,
        Field(
            description="height and width that images are scaled to fill, what sticks out being cut off on both sides; "
            "needed where sizes differ"
        ),
    ] = None
    grey: Annotated[bool, Field(strict=True, description="read the images as one channel instead of three")] = False
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, without test/ or val/")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which images are held out, without test/ or val/")] = 0

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.size, "fill")

    def load(self) -> Data:
        folder = existing_folder(self.path)
        parts = {
            part: next((folder / name for name in names if (folder / name).is_dir()), None)
            for part, names in PARTS.items()
        }
        if parts["train"] is None:
            classes = _classes(folder)
            train, test = holdout(self._split(classes, list(classes)), self.holdout, self.split_seed)
        elif parts["test"] is None:
            raise DataError(
                "E505",
                f"{folder} has {parts['train'].name}/, but none of {listed(f'{name}/' for name in PARTS['test'])}",
            )
        else:
            classes, held = _classes(parts["train"]), _classes(parts["test"])
            unknown = [name for name in held if name not in classes]
            if unknown:
                raise DataError("E507", f"{parts['test']} has {listed(unknown)}, which {parts['train']} does not have")
            train, test = self._split(classes, list(classes)), self._split(held, list(classes))
            check_alike(test.images[0], parts["test"], train.images[0], parts["train"])
        return Data(folder.name, train, test, tuple(classes))

    def _split(self, files: Mapping[str, list[Path]], names: list[str]) -> Split:
        import numpy as np

        from archspec.images.fitting import prepare

        samples = [(label, path) for label, name in enumerate(names) for path in files.get(name, ())]
        images: list[np.ndarray] = []
        for _, path in samples:
            image = prepare(read_pixels(path, "L" if self.grey else "RGB"), self.preparation)
            if images:
                check_alike(image, path, images[0], samples[0][1])
            images.append(image)
        return Split(np.stack(images), np.array([label for label, _ in samples], np.int32))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images in each folder of a folder, in order. Raises `DataError` where there are no folders, or no images."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError("E505", f"{folder} has no folders, one for each class")
    found = {path.name: image_files(path) for path in folders}
    empty = [name for name, files in found.items() if not files]
    if empty:
        raise DataError(
            "E505", f"in {folder} there are no images in {listed(empty)}", help=[f"files end in {listed(SUFFIXES)}"]
        )
    return found
