"""A folder of images and of masks with the same names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.data._base import Data, Dataset, Split
from archspec.data._files import (
    PARTS,
    as_masks,
    check_alike,
    existing_folder,
    holdout,
)
from archspec.diagnostics import DataError, count, listed
from archspec.fields import FilePath, NonNegativeInt, Pair, ShortName, Text
from archspec.images.files import SUFFIXES, image_files, read_pixels
from archspec.images.preparation import Preparation

if TYPE_CHECKING:
    import numpy as np

Pairs = list[tuple[Path, Path]]
"""Files of images, and of their masks."""


def _distinct(labels: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if labels is not None and (not labels or len(set(labels)) < len(labels)):
        raise PydanticCustomError("labels", "must list a different value for each class")
    return labels


class SegmentationFolder(Dataset):
    """Images and index masks, paired by their names: images/street.jpg and masks/street.png.

    The folder holds images/ and masks/ with the lists train.txt and test.txt (or val.txt) of names, or without lists,
    a share then being held out; or it holds train/ and test/ (or val/) with images/ and masks/ each. The pixels of a
    mask are the numbers of their classes, as in PASCAL VOC's palette files, or the values that `labels` lists.
    """

    main: ClassVar[str] = "path"

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    images: Annotated[ShortName, Field(description="name of the folders with images")] = "images"
    masks: Annotated[ShortName, Field(description="name of the folders with masks")] = "masks"
    classes: Annotated[
        tuple[Text, ...] | None,
        Field(description="names of the classes in order; classes.txt in the folder, or numbers, if left out"),
    ] = None
    labels: Annotated[
        tuple[NonNegativeInt, ...] | None,
        AfterValidator(_distinct),
        Field(description="the pixel value of each class in order, such as [0, 255]; 0, 1, 2, … if left out"),
    ] = None
    ignore: Annotated[
        NonNegativeInt | None, Field(description="label of pixels that count for nothing; null if there is none")
    ] = 255
    size: Annotated[
        Pair | None, Field(description="height and width that everything is scaled to; needed where sizes differ")
    ] = None
    grey: Annotated[bool, Field(strict=True, description="read the images as one channel instead of three")] = False
    holdout: Annotated[float, Field(strict=True, gt=0, lt=1, description="share held out, without lists")] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which images are held out, without lists")] = 0

    @model_validator(mode="after")
    def _check(self) -> SegmentationFolder:
        if self.labels is not None and "ignore" in self.model_fields_set and self.ignore in self.labels:
            raise ValueError(f"`ignore` is {self.ignore}, which `labels` makes a class")
        return self

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.size, "stretch")

    def load(self) -> Data:
        folder = existing_folder(self.path)
        parts = self._parts(folder)
        if len(parts) == 1:
            train, test = holdout(self._split(parts[0]), self.holdout, self.split_seed)
        else:
            train, test = self._split(parts[0]), self._split(parts[1])
            check_alike(test.images[0], parts[1][0][0], train.images[0], parts[0][0][0])
        known = int(max(train.labels.max(), test.labels.max())) + 1
        if known < 2 and self.ignore is not None and any((split.labels < 0).any() for split in (train, test)):
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
        labels = max(known, len(self.labels or ()))
        names = self._names(folder, labels)
        if labels > len(names):
            has = self.stray(len(names)) or f"`labels` has {count(labels, 'value')}"
            raise DataError(
                "E507",
                f"{has}, but there {'is' if len(names) == 1 else 'are'} {count(len(names), 'class name')}",
                help=["correct the mask, or name the class in `classes` or classes.txt"],
            )
        return Data(folder.name, train, test, names)

    def stray(self, classes: int) -> str | None:
        paths = [path for part in self._parts(Path(self.path)) for _, path in part]
        from archspec.images.masks import read_mask

        first, found = None, 0
        for path in paths:
            mask = read_mask(path)
            beyond = self._classes(mask, path) >= classes
            if beyond.any():
                first = first or _placed(path, mask, beyond)
                found += 1
        return f"{first}; {found} of {len(paths)} masks have such labels" if found > 1 else first

    def _parts(self, folder: Path) -> list[Pairs]:
        """The pairs to train on and those held out, or all of them where the folder does not say."""
        parts = {part: self._pairs(folder, part) for part in PARTS}
        if not any(parts.values()):
            return [self._all_pairs(folder)]
        if not all(parts.values()):
            missing = "test" if parts["train"] else "train"
            wanted = [name for part in PARTS[missing] for name in (f"{part}.txt", f"{part}/")]
            lacks = f"{folder} says what is for one part, but not what is to {missing}: no {listed(wanted)}"
            raise DataError("E505", lacks)
        return list(parts.values())

    def _names(self, folder: Path, labels: int) -> tuple[str, ...]:
        if self.classes is not None:
            return self.classes
        try:
            lines = (folder / "classes.txt").read_text("utf-8").splitlines()
        except (OSError, ValueError):
            return tuple(map(str, range(labels)))
        return tuple(line.strip() for line in lines if line.strip())

    def _pairs(self, folder: Path, part: str) -> Pairs:
        """The pairs of a part that has a list or a folder of its own; empty where it has neither."""
        for name in PARTS[part]:
            if (folder / name).is_dir():
                return self._all_pairs(folder / name)
            listing = folder / f"{name}.txt"
            if listing.is_file():
                try:
                    names = [line.split()[0] for line in listing.read_text("utf-8").splitlines() if line.strip()]
                except (OSError, ValueError) as error:
                    raise DataError("E506", f"{listing} cannot be read: {error}") from None
                stems = [Path(name).stem for name in names]
                known = {image.stem: (image, mask) for image, mask in self._all_pairs(folder, stems)}
                missing = [name for name, stem in zip(names, stems, strict=True) if stem not in known]
                if missing or not names:
                    what = f"names {listed(missing, 5)}, of which there is no image" if missing else "is empty"
                    raise DataError("E505", f"{listing} {what}")
                return [known[stem] for stem in stems]
        return []

    def _all_pairs(self, folder: Path, listing: Collection[str] | None = None) -> Pairs:
        """The pairs in a folder. Only images of the listing, where there is one, must have a mask."""
        wanted = None if listing is None else set(listing)
        found = {name: self._files(folder / name) for name in (self.images, self.masks)}
        images, masks = found[self.images], found[self.masks]
        single = []
        for has, lacks in ((self.images, self.masks), (self.masks, self.images)):
            alone = found[has].keys() - found[lacks].keys()
            names = sorted(found[has][name].name for name in (alone if wanted is None else alone & wanted))
            if names:
                said = (
                    f"{folder / has} has {count(len(names), 'file')} without one of the same name in {folder / lacks}"
                )
                single.append(f"{said}: {listed(names, 10)}")
        if single:
            raise DataError("E505", "; ".join(single))
        return [(images[name], masks[name]) for name in sorted(images.keys() & masks.keys())]

    def _files(self, folder: Path) -> dict[str, Path]:
        if not folder.is_dir():
            raise DataError(
                "E505", f"there is no folder {folder}", help=["`images:` and `masks:` say how the folders are called"]
            )
        paths = image_files(folder)
        if not paths:
            raise DataError("E505", f"{folder} has no images", help=[f"files end in {listed(SUFFIXES)}"])
        found = {path.stem: path for path in paths}
        if len(found) < len(paths):
            raise DataError("E505", f"{folder} has two files of one name but for the ending")
        return found

    def _classes(self, mask: np.ndarray, path: Path) -> np.ndarray:
        """The classes of a mask's pixels, −1 where they count for nothing. Raises `DataError` for unknown values."""
        import numpy as np

        if self.labels is None:
            return as_masks(mask, self.ignore, str(path))
        classes = {value: number for number, value in enumerate(self.labels)}
        values, places = np.unique(mask, return_inverse=True)
        unknown = [value for value in values if value >= 0 and value not in classes and value != self.ignore]
        if unknown:
            place = _placed(path, mask, np.isin(mask, unknown))
            raise DataError(
                "E507",
                f"{place}, which is not one of `labels`: {listed(map(str, self.labels))}",
                help=["correct the mask, or add the value to `labels`"],
            )
        found = np.array([classes.get(value, -1) for value in values])[places].reshape(mask.shape)
        return as_masks(found, None, str(path))

    def _split(self, pairs: Pairs) -> Split:
        import numpy as np

        from archspec.images.fitting import nearest, prepare
        from archspec.images.masks import read_mask

        images: list[np.ndarray] = []
        masks: list[np.ndarray] = []
        for image_path, mask_path in pairs:
            image, mask = read_pixels(image_path, "L" if self.grey else "RGB"), read_mask(mask_path)
            if image.shape[:2] != mask.shape:
                sizes = ["×".join(map(str, array.shape[:2])) for array in (image, mask)]
                raise DataError("E507", f"{image_path} is {sizes[0]}, but {mask_path} is {sizes[1]}")
            image = prepare(image, self.preparation)
            if self.size is not None:
                mask = nearest(mask[None], self.size)[0]
            if images:
                check_alike(image, image_path, images[0], pairs[0][0])
            images.append(image)
            masks.append(self._classes(mask, mask_path))
        return Split(np.stack(images), np.stack(masks))


def _placed(path: Path, mask: np.ndarray, wanted: np.ndarray) -> str:
    """A mask, the first pixel of those wanted and its label, in words."""
    row, column = divmod(int(wanted.argmax()), wanted.shape[1])
    return f"{path} has the label {mask[row, column]} at row {row}, column {column} (counted from 0)"
