"""Images beside their masks: which files of two folders are a pair, and which a line of a list means."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import USUAL, Images, find_images, is_image_name, stem_of
from archspec.images.texts import read_lines

IMAGES = (
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",
    "leftimg8bit",
    "rgb",
    "photos",
    "img_dir",
    "701_stillsraw_full",
)
"""What folders of images are called, in small letters."""
MASKS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "annot", "segmentationclass", "gtfine"),
    *("segmentationclassaug", "stuffthingmaps", "gt", "ground_truth", "groundtruth", "segmentations", "trimaps"),
    *("segmentationclasspng", "ann", "ann_dir", "labeledapproved_full"),
)
"""What folders of masks are called, in small letters."""
IMAGE_SUFFIXES = ("", "_leftImg8bit", "_image", "_img", "_sat")
MASK_SUFFIXES = (
    *("", "_L", "_mask", "_masks", "_label", "_labels", "_gt", "_seg", "_segmentation", "_annotation", "_trimap", "_P"),
    *("_gtFine_labelIds", "_gtCoarse_labelIds", "_labelIds", "_gtFine_labelTrainIds", "_labelTrainIds", "_manual1"),
)
"""What a mask's name has behind its image's; the first that fits the most masks is taken."""


class Pair(NamedTuple):
    """Files of an image and of its mask."""

    image: Path
    mask: Path


class Names(NamedTuple):
    """What the dataset's fields say of names; None where they are to be found out."""

    images: str | None = None
    masks: str | None = None
    suffix: str | None = None
    held_out: str | None = None
    validation: str | None = None


@dataclass
class PairFolder:
    """A folder of images and one of their masks, which may be the same.

    Of `twins` an image and its mask have one name but for the ending: a.jpg and a.png.
    """

    images: Path
    masks: Path
    twins: bool = False
    files: Images = field(default_factory=Images)
    mask_files: Images = field(default_factory=Images)

    def __post_init__(self) -> None:
        self.files = _images_of(self.images, IMAGES)
        self.mask_files = self.files if self.masks == self.images else _images_of(self.masks, MASKS)
        if self.twins:
            paths, passed = self.files.paths, self.files.passed
            self.files = Images([path for path in paths if is_photo(path)], passed)
            self.mask_files = Images([path for path in paths if not is_photo(path)])


def is_photo(path: Path) -> bool:
    """Whether a file is a JPEG, by its name, which is no way to keep a mask."""
    return path.suffix.lower() in (".jpg", ".jpeg")


def are_twins(paths: Sequence[Path]) -> bool:
    """Whether every image is a JPEG beside a PNG of the same name, its mask."""
    photos = [stem_of(path.name) for path in paths if is_photo(path)]
    masks = [stem_of(path.name) for path in paths if path.suffix.lower() == ".png"]
    return bool(photos) and len(photos) + len(masks) == len(paths) and sorted(photos) == sorted(masks)


def _images_of(folder: Path, names: Sequence[str]) -> Images:
    if not folder.is_dir():
        raise DataError(
            "E505",
            f"there is no folder {folder}",
            help=["`images:` and `masks:` say how the folders are called", f"known names are {listed(names, 8)}"],
        )
    images = find_images(folder)
    if not images.paths:
        raise DataError("E505", f"{folder} has no images", notes=images.notes(folder), help=[f"files end in {USUAL}"])
    return images


def _key(path: Path, folder: Path) -> str:
    """A file's path within a folder without its ending."""
    return composed(stem_of(path.relative_to(folder).as_posix()))


def composed(name: str) -> str:
    """A name as one compares it: an é is an é, whether it is kept as one character or as e and accent."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def suffixes_of(
    images: Path, masks: Path, image_paths: Sequence[Path], mask_paths: Sequence[Path], names: Names
) -> tuple[str, str, int]:
    """What images' and masks' names have behind what they share, and how many pairs that makes; the most is best."""
    same = images == masks
    best = ("", names.suffix or "", 0)
    own = [_key(path, images) for path in image_paths]
    others = own if same else [_key(path, masks) for path in mask_paths]
    for theirs in MASK_SUFFIXES if names.suffix is None else (names.suffix,):
        labelled = {key.removesuffix(theirs) for key in others if key.endswith(theirs)}
        for ours in IMAGE_SUFFIXES:
            if (same and ours == theirs) or not labelled:
                continue
            pairs = len({key.removesuffix(ours) for key in own if key.endswith(ours)} & labelled)
            if pairs > best[2]:
                best = (ours, theirs, pairs)
            if not same and pairs == len(own):
                return best
    return best


class Index:
    """The images and masks of a place by what their names share."""

    def __init__(self, place: PairFolder, names: Names) -> None:
        self.place = place
        paths, mask_paths = place.files.paths, place.mask_files.paths
        ours, theirs = ("", "")
        if not place.twins:
            ours, theirs, _ = suffixes_of(place.images, place.masks, paths, mask_paths, names)
        self.masks = _by_key(mask_paths, place.masks, theirs)
        same = place.images == place.masks
        taken = {path for own in self.masks.values() for path in own} if same else set()
        self.images = [path for path in paths if path not in taken]
        self.by_key = _by_key(self.images, place.images, ours)
        rest = [path for path in mask_paths if not stem_of(path.name).endswith(theirs)]
        others = Counter[str]()
        for path in () if same else rest:
            key = _key(path, place.masks)
            base = next((base for base in _bases(key) if base in self.by_key), None)
            if base is None:
                self.masks.setdefault(key, []).append(path)
            else:
                others[key.removeprefix(base)] += 1
        self.passed = [
            f"in {place.masks} {count(number, 'file')} ending in {ending} {'is' if number == 1 else 'are'} not used; "
            f"masks are those ending in {theirs or 'nothing more than the image'}"
            for ending, number in others.items()
        ]
        if place.twins:
            number = count(len(mask_paths), "mask")
            self.passed.append(f"in {place.images} the .png files are taken for the {number} of the .jpg files")
        self.passed += place.files.notes(place.images)
        self.passed += [] if same else place.mask_files.notes(place.masks)
        self.names = {composed(path.relative_to(place.images).as_posix()): path for path in self.images}
        self.last: dict[str, list[Path]] = {}
        for path in self.images:
            for name in map(composed, {path.name, stem_of(path.name), stem_of(path.name).removesuffix(ours)}):
                self.last.setdefault(name, []).append(path)
        self.keys = {path: key for key, own in self.by_key.items() for path in own}

    def check_twins(self) -> None:
        """Raises `DataError` where two files have one name but for the ending."""
        for own, folder in ((self.by_key, self.place.images), (self.masks, self.place.masks)):
            twins = [listed(path.name for path in paths) for paths in own.values() if len(paths) > 1]
            if twins:
                raise DataError("E505", f"{folder} has two files of one name but for the ending: {listed(twins, 5)}")

    def listed(self, listing: Path, notes: list[str], *, must: bool = True) -> list[Pair] | None:
        """The pairs of a list's names, each once. Raises `DataError` for names without image or mask.

        A list whose images have no masks at all gives None where it need not be used.
        """
        lines = read_lines(listing, str(listing))
        wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not wanted:
            raise DataError("E505", f"{listing} is empty")
        images = [self._image(line, listing) for line in wanted]
        missing = [_shown(line) for line, image in zip(wanted, images, strict=True) if image is None]
        if missing and not (len(missing) == len(wanted) and not must):
            near = did_you_mean(missing[0], list(self.last)[:5000])
            number = "" if len(missing) <= 5 else f" ({len(missing):,} of {len(wanted):,} names)"
            what = f"names {listed(missing, 5)}, of which there is no image in {self.place.images}{number}"
            raise DataError("E505", f"{listing} {what}", help=[near] if near else [])
        chosen = list(dict.fromkeys(image for image in images if image is not None))
        bare = [path.name for path in chosen if not self.masks.get(self.keys[path])]
        if len(bare) == len(chosen) and not must:
            notes.append(f"{listing} is not used: none of its {len(wanted):,} images has a mask")
            return None
        if bare:
            said = f"{self.place.images} has {count(len(bare), 'file')} without one of the same name in"
            raise DataError("E505", f"{said} {self.place.masks}: {listed(bare, 10)}")
        if len(chosen) < len(wanted):
            again = [path.name for path, number in Counter(images).items() if path is not None and number > 1]
            said = f"{listing} names {count(len(again), 'image')} more than once: {listed(again, 5)}"
            notes.append(f"{said}; each is used once")
        pairs = []
        for path in chosen:
            masks = self.masks[self.keys[path]]
            if len(masks) > 1:
                raise DataError(
                    "E505",
                    f"{self.place.masks} has two files of one name but for the ending: "
                    f"{listed(mask.name for mask in masks)}",
                )
            pairs.append(Pair(path, masks[0]))
        return pairs

    def _image(self, line: str, listing: Path) -> Path | None:
        """The image that a line names, at its beginning, with its ending or without; the longest name counts."""
        for name in _readings(line):
            pieces = composed(name).replace("\\", "/").split("/")
            for start in range(len(pieces)):
                tail = "/".join(pieces[start:])
                exact = self.names.get(tail)
                if exact is not None:
                    return exact
                known = self.by_key.get(tail) or self.last.get(tail, [])
                if len(known) > 1:
                    raise DataError(
                        "E505",
                        f"{listing} names {tail}, of which there are several images: "
                        f"{listed([str(path) for path in known], 5)}",
                    )
                if known:
                    return known[0]
        return None


def _by_key(paths: Sequence[Path], folder: Path, suffix: str) -> dict[str, list[Path]]:
    known: dict[str, list[Path]] = {}
    for path in paths:
        key = _key(path, folder)
        if key.endswith(suffix):
            known.setdefault(key.removesuffix(suffix), []).append(path)
    return known


def _bases(key: str) -> Iterator[str]:
    """What a name may begin with: all before each of its underscores and hyphens, the longest first."""
    for place in reversed([match.start() for match in re.finditer(r"[_-]", key)]):
        yield key[:place]


def _readings(line: str) -> Iterator[str]:
    """What a line may name: all of it, or its beginning up to a space, tab or comma; the longest first.

    Behind the ending of an image another field begins: `images/a.png masks/a.png`.
    """
    if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'":
        line = line[1:-1]
    gaps = [match.start() for match in re.finditer(r"[\s,;]+", line)]
    for place in gaps:
        if is_image_name(line[:place]):
            line, gaps = line[:place], [gap for gap in gaps if gap < place]
            break
    yield line
    for place in reversed(gaps):
        yield line[:place]


def _shown(line: str) -> str:
    return line if len(line) <= 60 else line[:57] + "…"
