"""A folder of images and of masks with the same names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._files import as_masks, holdout
from archspec.dataset import Data, Dataset, Split
from archspec.diagnostics import DataError, count, listed
from archspec.fields import FilePath, NonNegativeInt, Pair, ShortName, Text

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_PARTS = {"train": ("train", "training"), "test": ("test", "val", "validation")}


class SegmentationFolder(Dataset):
    """Images and index masks, paired by their names: images/street.jpg and masks/street.png.

    The folder holds images/ and masks/ with the lists train.txt and test.txt (or val.txt) of names, or without lists,
    a share then being held out; or it holds train/ and test/ (or val/) with images/ and masks/ each. The pixels of a
    mask are the numbers of their classes, as in PASCAL VOC's palette files.
    """

    main: ClassVar[str] = "path"

    path: Annotated[FilePath, Field(description="the folder; relative paths start from the spec's folder")]
    images: Annotated[ShortName, Field(description="name of the folders with images")] = "images"
    masks: Annotated[ShortName, Field(description="name of the folders with masks")] = "masks"
    classes: Annotated[
        tuple[Text, ...] | None,
        Field(description="names of the classes in order; classes.txt in the folder, or numbers, if left out"),
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

    def load(self) -> Data:
        folder = Path(self.path)
        if not folder.is_dir():
            raise DataError(
                "E505", f"there is no folder {folder}", help=["relative paths start from the spec's folder"]
            )
        parts = {part: self._pairs(folder, part) for part in _PARTS}
        if any(parts.values()) and not all(parts.values()):
            missing = "test" if parts["train"] else "train"
            wanted = [name for part in _PARTS[missing] for name in (f"{part}.txt", f"{part}/")]
            lacks = f"{folder} says what is for one part, but not what is to {missing}: no {listed(wanted)}"
            raise DataError("E505", lacks)
        if all(parts.values()):
            train, test = self._split(parts["train"]), self._split(parts["test"])
        else:
            train, test = holdout(self._split(self._all_pairs(folder)), self.holdout, self.split_seed)
        labels = int(max(train.labels.max(), test.labels.max())) + 1
        names = self._names(folder, labels)
        if labels > len(names):
            raise DataError(
                "E507",
                f"a mask in {folder} has the label {labels - 1}, but there are {count(len(names), 'class name')}",
                help=["`ignore: N` leaves a label out"],
            )
        return Data(folder.name, train, test, names)

    def _names(self, folder: Path, labels: int) -> tuple[str, ...]:
        if self.classes is not None:
            return self.classes
        try:
            lines = (folder / "classes.txt").read_text("utf-8").splitlines()
        except (OSError, ValueError):
            return tuple(map(str, range(labels)))
        return tuple(line.strip() for line in lines if line.strip())

    def _pairs(self, folder: Path, part: str) -> list[tuple[Path, Path]]:
        """The pairs of a part that has a list or a folder of its own; empty where it has neither."""
        for name in _PARTS[part]:
            if (folder / name).is_dir():
                return self._all_pairs(folder / name)
            listing = folder / f"{name}.txt"
            if listing.is_file():
                try:
                    names = [line.split()[0] for line in listing.read_text("utf-8").splitlines() if line.strip()]
                except (OSError, ValueError) as error:
                    raise DataError("E506", f"{listing} cannot be read: {error}") from None
                known = {image.stem: (image, mask) for image, mask in self._all_pairs(folder)}
                missing = [name for name in names if Path(name).stem not in known]
                if missing or not names:
                    what = f"names {listed(missing, 5)}, of which there is no image" if missing else "is empty"
                    raise DataError("E505", f"{listing} {what}")
                return [known[Path(name).stem] for name in names]
        return []

    def _all_pairs(self, folder: Path) -> list[tuple[Path, Path]]:
        found = {name: self._files(folder / name) for name in (self.images, self.masks)}
        images, masks = found[self.images], found[self.masks]
        single = sorted(images.keys() ^ masks.keys())
        if single:
            has, lacks = (self.images, self.masks) if single[0] in images else (self.masks, self.images)
            raise DataError("E505", f"{folder}/{has} has {single[0]}, but {folder}/{lacks} has no file of that name")
        return [(images[name], masks[name]) for name in sorted(images)]

    def _files(self, folder: Path) -> dict[str, Path]:
        if not folder.is_dir():
            raise DataError(
                "E505", f"there is no folder {folder}", help=["`images:` and `masks:` say how the folders are called"]
            )
        paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
        if not paths:
            raise DataError("E505", f"{folder} has no images", help=[f"files end in {listed(SUFFIXES)}"])
        found = {path.stem: path for path in paths}
        if len(found) < len(paths):
            raise DataError("E505", f"{folder} has two files of one name but for the ending")
        return found

    def _split(self, pairs: list[tuple[Path, Path]]) -> Split:
        import numpy as np

        from archspec.training.pictures import read_pixels, scale

        images: list[np.ndarray] = []
        masks: list[np.ndarray] = []
        for image_path, mask_path in pairs:
            image, mask = read_pixels(image_path, "L" if self.grey else "RGB"), read_mask(mask_path)
            if image.shape[:2] != mask.shape:
                sizes = ["×".join(map(str, array.shape[:2])) for array in (image, mask)]
                raise DataError("E507", f"{image_path} is {sizes[0]}, but {mask_path} is {sizes[1]}")
            if self.size is not None:
                image = scale(image, self.size, "bilinear")
                mask = scale(mask[..., None], self.size, "nearest")[..., 0]
            if images and image.shape != images[0].shape:
                first, own = ("×".join(map(str, array.shape[:2])) for array in (images[0], image))
                raise DataError(
                    "E507",
                    f"{image_path} is {own}, but {pairs[0][0]} is {first}",
                    help=[f"`size: [{images[0].shape[0]}, {images[0].shape[1]}]` scales all of them"],
                )
            images.append(image)
            masks.append(as_masks(mask, self.ignore, str(mask_path)))
        return Split(np.stack(images), np.stack(masks))


def read_mask(path: Path) -> np.ndarray:
    """The classes of a mask's pixels (height, width): palette indices or grey values. Raises `DataError`."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
                raise DataError(
                    "E507",
                    f"{path} has pixels of mode {image.mode}, not the numbers of their classes",
                    help=["masks are PNG files of grey or palette pixels, 0 for the first class"],
                )
            return np.asarray(image).astype(np.int32).clip(0, 2**16 - 1).astype(np.uint16)
    except UnidentifiedImageError:
        raise DataError("E506", f"{path} is not an image that Pillow can read") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError("E506", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
