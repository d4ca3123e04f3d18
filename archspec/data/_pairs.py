"""Images and their masks: found in the layouts that data sets have, paired by their names, parted by lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

from archspec.data._parts import HELD_OUT, by_part, chosen_part, part_of
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import USUAL, Images, find_images, image_files, is_image_name, stem_of
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
_LIST_FOLDERS = ("", "ImageSets/Segmentation", "ImageSets", "splits", "lists")


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


@dataclass
class PairFolder:
    """A folder of images and one of their masks, which may be the same."""

    images: Path
    masks: Path
    files: Images = field(default_factory=Images)
    mask_files: Images = field(default_factory=Images)

    def __post_init__(self) -> None:
        self.files = _images_of(self.images, IMAGES)
        self.mask_files = self.files if self.masks == self.images else _images_of(self.masks, MASKS)


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


def find_pairs(folder: Path, names: Names, notes: list[str]) -> list[list[Pair]]:
    """The pairs to train on and those held out, or all of them where the folder does not say. Raises `DataError`."""
    folder = _unwrapped(folder, names, notes)
    parts = _part_places(folder, names)
    if any(parts.values()):
        return _of_places(folder, parts, names, notes)
    place = _place(folder, names)
    if place is None:
        _refuse(folder, names)
    lists = _lists(folder, place)
    if any(lists.values()):
        return _of_lists(folder, place, lists, names, notes)
    return [_all(place, names, notes)]


def _folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder by their names, hidden ones excepted."""
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError("E505", f"the folder {folder} cannot be read: {error.strerror or error}") from None
    return {path.name: path for path in folders if not path.name.startswith(".") and path.name != "__MACOSX"}


def _unwrapped(folder: Path, names: Names, notes: list[str]) -> Path:
    """The folder that has the data, where others lie around it: VOCdevkit/VOC2012/JPEGImages."""
    for _ in range(8):
        inside = _folders(folder)
        (name,) = inside if len(inside) == 1 else ("",)
        if not name or part_of(name) or name.lower() in (*IMAGES, *MASKS) or name in (names.images, names.masks):
            break
        if image_files(folder):
            break
        notes.append(f"{folder} has nothing but the folder {name}, so the data are looked for in there")
        folder = inside[name]
    return folder


def _named(folder: Path, given: str | None, known: Sequence[str]) -> Path | None:
    """The folder of that name, or of the first name that is known, in any case, of those with images in them.

    Where none has images, it is the first of all: others, such as VOC's Annotations, hold texts beside them.
    """
    if given is not None:
        return folder / given if (folder / given).is_dir() else None
    own = {name.lower(): path for name, path in reversed(_folders(folder).items())}
    there = [own[name] for name in known if name in own]
    return next((path for path in there if len(there) == 1 or find_images(path).paths), next(iter(there), None))


def _place(folder: Path, names: Names) -> PairFolder | None:
    """The images and masks of a folder, in folders of their own or side by side; None where there are none."""
    images, masks = _named(folder, names.images, IMAGES), _named(folder, names.masks, MASKS)
    if images is not None and masks is not None:
        inner = _named(masks, None, ("trimaps",))
        return PairFolder(images, inner if inner and not image_files(masks) else masks)
    if images is None and masks is None and names.images is names.masks is None and _side_by_side(folder, names):
        return PairFolder(folder, folder)
    return None


def _side_by_side(folder: Path, names: Names) -> bool:
    """Whether a folder itself holds images and masks."""
    files = image_files(folder)
    return bool(files) and _suffixes_of(folder, folder, files, files, names)[2] > 0


def _refuse(folder: Path, names: Names) -> NoReturn:
    """Raises the `DataError` that says which folder is missing."""
    known = listed(_folders(folder), 8) or "none"
    for given, own, usual in ((names.images, "images", IMAGES), (names.masks, "masks", MASKS)):
        if _named(folder, given, usual) is None:
            raise DataError(
                "E505",
                f"there is no folder {folder / (given or own)}",
                notes=[f"the folders in {folder} are {known}"],
                help=["`images:` and `masks:` say how the folders are called"],
            )
    raise DataError("E505", f"{folder} has no images and masks")


def _part_places(folder: Path, names: Names) -> dict[str, list[tuple[str, PairFolder]]]:
    """Where the parts have folders of their own: under their names, or under the folders of images and masks."""
    parts: dict[str, list[tuple[str, PairFolder]]] = {"train": [], "test": [], "val": []}
    inside = _folders(folder)
    for part, own in by_part(inside).items():
        for name in own:
            place = _place(inside[name], names) or _annotated(inside, name)
            if place is not None:
                parts[part].append((name, place))
            elif _named(inside[name], names.images, IMAGES) or _named(inside[name], names.masks, MASKS):
                _refuse(inside[name], names)
    if any(parts.values()):
        return parts
    images, masks = _named(folder, names.images, IMAGES), _named(folder, names.masks, MASKS)
    if images is None or masks is None:
        return parts
    under, labelled = _folders(images), _folders(masks)
    for part, own in by_part(under).items():
        for name in own:
            if name in labelled and find_images(labelled[name]).paths:
                parts[part].append((name, PairFolder(under[name], labelled[name])))
    return parts


def _annotated(inside: dict[str, Path], name: str) -> PairFolder | None:
    """The folder of a part beside the one with its masks: train/ and trainannot/, or train_labels/."""
    bare = re.sub(r"[_ -]?(images|image|imgs|img)$", "", name.lower())
    for other, path in inside.items():
        rest = other.lower().removeprefix(bare).lstrip("_- ")
        if other != name and other.lower().startswith(bare) and rest in MASKS and image_files(inside[name]):
            return PairFolder(inside[name], path)
    return None


def _of_places(
    folder: Path, parts: dict[str, list[tuple[str, PairFolder]]], names: Names, notes: list[str]
) -> list[list[Pair]]:
    held = [item for part in _order(folder) for item in parts[part]]
    wanted = chosen_part(names.held_out, [name for name, _ in held], folder)
    held.sort(key=lambda item: item[0] != wanted)
    bare = [path for name, path in _folders(folder).items() if part_of(name) in HELD_OUT and image_files(path)]
    if parts["train"] and not held and bare:
        for path in bare:
            notes.append(f"{path} has {count(len(image_files(path)), 'image')} without masks, and is passed over")
        notes.append(f"a share of {parts['train'][0][1].images} is held out instead")
        return [_all(parts["train"][0][1], names, notes)]
    for own, missing in ((parts["train"], "train"), (held, "test")):
        if not own:
            _refuse_part(folder, missing)
    chosen = [parts["train"][0], held[0]]
    for name, place in (*parts["train"][1:], *held[1:]):
        notes.append(f"{place.images} with {count(len(place.files.paths), 'file')} is not used")
        if name in (item[0] for item in held):
            notes.append(f"{chosen[1][1].images} is what is held out")
    return [_all(place, names, notes) for _, place in chosen]


def _order(folder: Path) -> Sequence[str]:
    """Test before val, but in Cityscapes, whose test part has no labels that mean anything."""
    return HELD_OUT[::-1] if any(name.lower() == "leftimg8bit" for name in _folders(folder)) else HELD_OUT


def _refuse_part(folder: Path, missing: str) -> NoReturn:
    usual = {"train": ("train", "training"), "test": ("test", "val", "validation")}[missing]
    wanted = [name for part in usual for name in (f"{part}.txt", f"{part}/")]
    raise DataError("E505", f"{folder} says what is for one part, but not what is to {missing}: no {listed(wanted)}")


def _lists(folder: Path, place: PairFolder) -> dict[str, list[Path]]:
    """The lists of each part's names, in the folder or where VOC and others have them."""
    for where in (*(folder / name for name in _LIST_FOLDERS), place.masks.parent):
        if not where.is_dir():
            continue
        files = {path.stem: path for path in sorted(where.glob("*.txt")) if path.is_file()}
        parts = by_part(files)
        if any(parts.values()):
            return {part: [files[name] for name in own] for part, own in parts.items()}
    return {}


def _of_lists(
    folder: Path, place: PairFolder, lists: dict[str, list[Path]], names: Names, notes: list[str]
) -> list[list[Pair]]:
    held = [path for part in _order(folder) for path in lists[part]]
    wanted = chosen_part(names.held_out, [path.stem for path in held], folder)
    held.sort(key=lambda path: path.stem != wanted)
    index = _Index(place, names)
    train = index.listed(lists["train"][0], notes) if lists["train"] else None
    tests = [(path, index.listed(path, notes, must=path.stem == wanted or len(held) == 1)) for path in held]
    able = [(path, pairs) for path, pairs in tests if pairs is not None]
    if train is None or not able:
        _refuse_part(folder, "train" if train is None else "test")
    (chosen, test), *_ = able
    if len(held) > 1:
        notes.append(f"{chosen} says what is held out; not {listed(path.name for path in held if path != chosen)}")
    used = {pair.image for pairs in (train, test) for pair in pairs}
    left = sum(path not in used for path in index.images)
    if left:
        notes.append(
            f"{count(left, 'image')} of {len(index.images):,} in {place.images} "
            f"{'is' if left == 1 else 'are'} not in {lists['train'][0].name} or {chosen.name}, and left out"
        )
    notes.extend(index.passed)
    return [train, test]


def _all(place: PairFolder, names: Names, notes: list[str]) -> list[Pair]:
    """All pairs of a place, where every image must have its mask, and every mask its image."""
    index = _Index(place, names)
    index.check_twins()
    images, masks = index.by_key, index.masks
    single = []
    for has, there, lacks, where in (
        (images, place.images, masks, place.masks),
        (masks, place.masks, images, place.images),
    ):
        alone = sorted(path.name for key in has.keys() - lacks.keys() for path in has[key])
        if alone:
            said = f"{there} has {count(len(alone), 'file')} without one of the same name in {where}"
            single.append(f"{said}: {listed(alone, 10)}")
    if single:
        ends = listed(suffix for suffix in MASK_SUFFIXES if suffix)
        raise DataError(
            "E505",
            "; ".join(single),
            help=[f"masks' names may have more at the end: {ends}; `mask_suffix` says another"],
        )
    notes.extend(index.passed)
    return [Pair(images[key][0], masks[key][0]) for key in sorted(images)]


def _key(path: Path, folder: Path) -> str:
    """A file's path within a folder without its ending."""
    return stem_of(path.relative_to(folder).as_posix())


def _suffixes_of(
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


class _Index:
    """The images and masks of a place by what their names share."""

    def __init__(self, place: PairFolder, names: Names) -> None:
        self.place = place
        paths, mask_paths = place.files.paths, place.mask_files.paths
        ours, theirs, _ = _suffixes_of(place.images, place.masks, paths, mask_paths, names)
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
        self.passed += place.files.notes(place.images)
        self.passed += [] if same else place.mask_files.notes(place.masks)
        self.names = {path.relative_to(place.images).as_posix(): path for path in self.images}
        self.last: dict[str, list[Path]] = {}
        for path in self.images:
            for name in {path.name, stem_of(path.name), stem_of(path.name).removesuffix(ours)}:
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
            pieces = name.replace("\\", "/").split("/")
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
