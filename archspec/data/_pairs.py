"""Images and their masks: found in the layouts that data sets have, paired by their names, parted by lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from archspec.data._index import (
    IMAGES,
    MASK_SUFFIXES,
    MASKS,
    Index,
    Names,
    Pair,
    PairFolder,
    are_twins,
    suffixes_of,
)
from archspec.data._parts import HELD_OUT, by_part, chosen_held, chosen_part, part_of
from archspec.diagnostics import DataError, count, listed
from archspec.images.files import find_images, image_files

_LIST_FOLDERS = ("", "ImageSets/Segmentation", "ImageSets", "splits", "lists")


def find_pairs(folder: Path, names: Names, notes: list[str]) -> list[list[Pair]]:
    """The pairs to train on and those held out, of one part or of validation and test; all where nothing says which.

    Raises `DataError`.
    """
    folder = _unwrapped(folder, names, notes)
    parts = _part_places(folder, names)
    if any(parts.values()):
        made = _of_places(folder, parts, names, notes)
        own = [place for places in parts.values() for _, place in places]
        known = [path for place in own for path in (place.images, place.masks)]
        _say_rest(folder, [*known, *_bare(folder)], notes)
        return made
    place = _place(folder, names)
    if place is None:
        _refuse(folder, names)
    lists = _lists(folder, place)
    made = _of_lists(folder, place, lists, names, notes) if any(lists.values()) else [_all(place, names, notes)]
    _say_rest(folder, [place.images, place.masks], notes)
    return made


def _say_rest(folder: Path, known: Sequence[Path], notes: list[str]) -> None:
    """Says how many images lie in none of the folders that are known, and where."""
    within = set(known)
    rest = Counter[str]()
    for path in find_images(folder).paths:
        if within.isdisjoint(path.parents):
            inside = path.relative_to(folder).parts
            rest[f"{inside[0]}/" if len(inside) > 1 else "the folder itself"] += 1
    if rest:
        total = sum(rest.values())
        places = listed([f"{name} ({number:,})" for name, number in rest.items()], 8)
        notes.append(f"in {folder} {count(total, 'image')} {'is' if total == 1 else 'are'} not used: {places}")


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
    if images is None and masks is None and names.images is names.masks is None:
        files = image_files(folder)
        if files and suffixes_of(folder, folder, files, files, names)[2]:
            return PairFolder(folder, folder)
        if names.suffix is None and are_twins(files):
            return PairFolder(folder, folder, twins=True)
    return None


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
    held = {name: place for part in _order(folder) for name, place in parts[part]}
    if not parts["train"]:
        _refuse_part(folder, "train")
    if not held:
        for path in _bare(folder):
            notes.append(f"{path} has {count(len(image_files(path)), 'image')} without masks, and is passed over")
        (name, place), *others = parts["train"]
        for _, other in others:
            notes.append(f"{other.images} with {count(len(other.files.paths), 'file')} is not used")
        notes.append(f"{folder} has {name}/ and no part held out, so a share of {place.images} is (`holdout`)")
        return [_all(place, names, notes)]
    chosen = _chosen(list(held), folder, names)
    rest = [place for name, place in held.items() if name not in chosen]
    for place in (*(place for _, place in parts["train"][1:]), *rest):
        notes.append(f"{place.images} with {count(len(place.files.paths), 'file')} is not used")
    if rest:
        notes.append(f"{held[chosen[0]].images} is what is held out")
    return [_all(place, names, notes) for place in (parts["train"][0][1], *(held[name] for name in chosen))]


def _chosen(held: list[str], folder: Path, names: Names) -> list[str]:
    """Which are held out of those that can be; of Cityscapes val alone, as its test part has no labels that count."""
    if _order(folder) != HELD_OUT and names.held_out is names.validation is None:
        return held[:1]
    return chosen_held(held, folder, names.held_out, names.validation)


def _bare(folder: Path) -> list[Path]:
    """Folders named after a part held out that have images themselves; without masks where they are no places."""
    return [path for name, path in _folders(folder).items() if part_of(name) in HELD_OUT and image_files(path)]


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
    held = {path.stem: path for part in _order(folder) for path in lists[part]}
    wanted = [
        chosen_part(names.held_out, list(held), folder),
        chosen_part(names.validation, list(held), folder, "validation"),
    ]
    index = Index(place, names)
    if not lists["train"] and lists["val"] and not lists["test"]:
        return _of_held_list(index, next(iter(held.values())), notes)
    train = index.listed(lists["train"][0], notes) if lists["train"] else None
    tests = {
        name: index.listed(path, notes, must=name in wanted or len(held) == 1)
        for name, path in held.items()
        if names.held_out is None or names.validation is not None or name in wanted
    }
    able = {name: pairs for name, pairs in tests.items() if pairs is not None}
    if train is None or not able:
        _refuse_part(folder, "train" if train is None else "test")
    chosen = _chosen(list(able), folder, names)
    rest = [path.name for name, path in held.items() if name not in chosen]
    if len(chosen) == 1 and rest:
        notes.append(f"{held[chosen[0]]} says what is held out; not {listed(rest)}")
    parts = [train, *(able[name] for name in chosen)]
    used = {pair.image for pairs in parts for pair in pairs}
    left = sum(path not in used for path in index.images)
    if left:
        *first, last = [lists["train"][0].name, *(held[name].name for name in chosen)]
        notes.append(
            f"{count(left, 'image')} of {len(index.images):,} in {place.images} "
            f"{'is' if left == 1 else 'are'} not in {', '.join(first)} or {last}, and left out"
        )
    notes.extend(index.passed)
    return parts


def _of_held_list(index: Index, listing: Path, notes: list[str]) -> list[list[Pair]]:
    """Those that a list names are held out, as nothing says what is trained on; all others with masks are."""
    held = index.listed(listing, notes)
    assert held is not None
    out = {pair.image for pair in held}
    rest = [path for path in index.images if path not in out]
    train = [Pair(path, index.masks[index.keys[path]][0]) for path in rest if index.masks.get(index.keys[path])]
    if not train:
        raise DataError("E505", f"{listing} names all images, so there are none to train on")
    notes.append(f"{listing} says what is held out; the other {count(len(train), 'image')} are trained on")
    bare = len(rest) - len(train)
    if bare:
        notes.append(f"{count(bare, 'image')} without a mask {'is' if bare == 1 else 'are'} left out")
    notes.extend(index.passed)
    return [train, held]


def _all(place: PairFolder, names: Names, notes: list[str]) -> list[Pair]:
    """All pairs of a place, where every image must have its mask, and every mask its image."""
    index = Index(place, names)
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
