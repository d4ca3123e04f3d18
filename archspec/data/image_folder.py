"""A folder of images for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._files import PARTS, SUFFIXES, check_alike, holdout, image_files
from archspec.dataset import RELATIVE, Data, Dataset, Split
from archspec.diagnostics import DataError, listed
from archspec.fields import FilePath, NonNegativeInt, Pair

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

    def load(self) -> Data:
        folder = Path(self.path)
        if not folder.is_dir():
            raise DataError("E505", f"there is no folder {folder}", help=[RELATIVE])
        parts = {
            part: next((folder / name for name in names if (folder / name).is_dir()), None)
            for part, names in PARTS.items()
        }
        if parts["train"] is None:
            names = _classes(folder)
            train, test = holdout(self._split(folder, names), self.holdout, self.split_seed)
        elif parts["test"] is None:
            raise DataError(
                "E505",
                f"{folder} has {parts['train'].name}/, but none of {listed(f'{name}/' for name in PARTS['test'])}",
            )
        else:
            names = _classes(parts["train"])
            unknown = [name for name in _classes(parts["test"]) if name not in names]
            if unknown:
                raise DataError("E507", f"{parts['test']} has {listed(unknown)}, which {parts['train']} does not have")
            train, test = self._split(parts["train"], names), self._split(parts["test"], names)
            check_alike(test.images[0], parts["test"], train.images[0], parts["train"])
        return Data(folder.name, train, test, tuple(names))

    def _split(self, folder: Path, names: list[str]) -> Split:
        import numpy as np

        from archspec.training.pictures import filled, read_pixels

        images: list[np.ndarray] = []
        labels: list[int] = []
        first = folder
        for label, name in enumerate(names):
            for path in image_files(folder / name) if (folder / name).is_dir() else []:
                image = read_pixels(path, "L" if self.grey else "RGB")
                image = image if self.size is None else filled(image, self.size)
                if images:
                    check_alike(image, path, images[0], first)
                else:
                    first = path
                images.append(image)
                labels.append(label)
        return Split(np.stack(images), np.array(labels, np.int32))


def _classes(folder: Path) -> list[str]:
    """The names of the folders in a folder, in order. Raises `DataError` where there are none, or one has no images."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError("E505", f"{folder} has no folders, one for each class")
    empty = [path.name for path in folders if not image_files(path)]
    if empty:
        raise DataError(
            "E505", f"in {folder} there are no images in {listed(empty)}", help=[f"files end in {listed(SUFFIXES)}"]
        )
    return [path.name for path in folders]
