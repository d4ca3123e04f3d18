"""Reads a folder with a folder of images for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.data._base import LABEL
from archspec.data._columns import Column
from archspec.data._files import existing_folder
from archspec.data._index import IMAGES, MASKS
from archspec.data._parts import HELD_OUT, by_part, chosen_held, part_of
from archspec.data._reading import ImageFiles, read_as
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count, listed
from archspec.images.files import USUAL, Images, find_images

if TYPE_CHECKING:
    from archspec.data.image_folder import ImageFolder

_NO_CLASS = {"images", "image", "imgs", "img", "unknown", "unlabeled", "unlabelled", "unsorted", "all", "data"}
"""What a folder of images without classes is called, in small letters."""
_FEW = 5
"""A folder of images and masks has no more folders than this."""


class Reader:
    """Reads the data of an `ImageFolder`; `validation` is the part that the recipe names for validation."""

    def __init__(self, dataset: ImageFolder, validation: str | None) -> None:
        self.dataset = dataset
        self.validation = validation

    def data(self) -> Data:
        """The parts with their images. Raises `DataError` where the folder's order is not understood."""
        folder = existing_folder(self.dataset.path)
        notes: list[str] = []
        try:
            parts = self._found(folder, notes)
            notes.extend(_for_masks(list(parts.train.classes)))
            return self._read(folder, parts, notes)
        except DataError as error:
            error.help = (*error.help, *_for_masks([path.name for path in _folders(folder)]))
            raise

    def _read(self, folder: Path, parts: _Parts, notes: list[str]) -> Data:
        names = list(parts.train.classes)
        said: list[str] = []
        for part in parts.held:
            unknown = [name for name in part.classes if name not in parts.train.classes]
            if unknown:
                raise DataError(
                    "E507",
                    f"{part.folder} has {listed(unknown, 10)}, which {parts.train.folder} does not have",
                    help=["what is held out has the classes that are trained on; `held_out` names another folder"],
                )
        parts_read = [self._split(part, names) for part in (parts.train, *parts.held)]
        (train, *held), left = read_as(self.dataset, parts_read, said)
        for part in (parts.train, *parts.held):
            notes.extend(part.notes())
        notes.extend(said)
        classes = {LABEL: tuple(names)}
        test = held[1] if len(held) > 1 else None
        return Data(folder.name, train, held[0], classes, tuple(notes), test=test, left=left)

    def _split(self, part: _Classes, names: Sequence[str]) -> Split:
        import numpy as np

        samples = [(label, str(path)) for label, name in enumerate(names) for path in part.classes.get(name, ())]
        paths = tuple(path for _, path in samples)
        dataset = self.dataset
        images = Column(ImageFiles(paths, dataset.grey, dataset.preparation, dataset.path))
        return Split.of(images, np.array([label for label, _ in samples], np.int32), paths)

    def _found(self, folder: Path, notes: list[str]) -> _Parts:
        """The classes to train on and those held out; none of the latter where a share is to be held out."""
        if not any(part_of(path.name) for path in _folders(folder)):
            folder = _unwrapped(folder, notes)
        folders = {path.name: _Part(path) for path in _folders(folder)}
        parts = by_part(folders)
        trains = [name for name in parts["train"] if folders[name].of_classes]
        held = [name for part in HELD_OUT for name in parts[part]]
        able = [name for name in held if folders[name].of_classes]
        tests = able
        if trains:
            tests = [name for name in tests if not _is_unsorted(folders[name].path, folders[trains[0]].path)]
        named = self.dataset.held_out is not None or self.validation is not None
        tests = chosen_held(able if named else tests, folder, self.dataset.held_out, self.validation)
        strange = [name for name in folders if name not in (*parts["train"], *held)]
        others = [name for name in strange if folders[name].images]
        filled = [name for name in (*parts["train"], *held) if folders[name].images]
        if trains and (tests or not others or any(name in held for name in filled)):
            return self._parted(folder, folders, trains, tests, held, strange, notes)
        if not others and filled and (tests or len(filled) > 1):
            if parts["train"]:
                raise DataError("E505", f"{folder / parts['train'][0]} has no folders, one for each class")
            raise DataError("E505", f"{folder} has {filled[0]}/, but no train/ or training/")
        # A class may be called `train`, so may a folder in it.
        return _Parts(_classes(folder, folders), [])

    def _parted(
        self,
        folder: Path,
        folders: dict[str, _Part],
        trains: Sequence[str],
        tests: Sequence[str],
        held: Sequence[str],
        others: Sequence[str],
        notes: list[str],
    ) -> _Parts:
        """What is trained on and held out where the parts have folders; all else in the folder is noted."""
        train = trains[0]
        flat = [name for name in held if name not in tests and folders[name].images]
        if not tests and not flat:
            wanted = [f"{name}/" for name in ("test", "val", "validation")]
            raise DataError(
                "E505",
                f"{folder} has {train}/, but none of {listed(wanted)}",
                help=[f"`path: {folder / train}` reads {train}/ alone, of which a share is held out"],
            )
        for name in flat:
            if not folders[name].of_classes:
                notes.append(
                    f"{folder / name} has {count(folders[name].images, 'image')} in no folder of a class, and is "
                    f"passed over"
                )
        unused = [*trains[1:], *others]
        unused += [name for name in held if name not in tests and (folders[name].of_classes or name not in flat)]
        beside = find_images(folder, deep=False)
        if beside.paths:
            beside.passed["image|beside the folders"] += len(beside.paths)
        notes.extend(beside.notes(folder))
        for name in unused:
            notes.append(f"{folder / name} with {count(folders[name].images, 'image')} is not used")
        if tests:
            if len(tests) > 1:
                notes.append(f"{folder / tests[0]} is for validation, and {folder / tests[1]} for test")
            elif flat or unused:
                notes.append(f"{folder / tests[0]} is what is held out")
            return _Parts(
                _classes_of(folders[train].path, notes),
                [_classes_of(folders[name].path, notes, held=True) for name in tests],
            )
        notes.append(f"the share {self.dataset.holdout:g} of {folder / train} is held out instead")
        return _Parts(_classes_of(folders[train].path, notes), [])


@dataclass
class _Classes:
    """The images of each class in a folder."""

    folder: Path
    classes: dict[str, list[Path]]
    files: Images = field(default_factory=Images)
    nested: int = 0

    def notes(self) -> list[str]:
        """What was passed over, and how much lies deeper than in the classes' own folders."""
        own = []
        if self.nested:
            total = sum(map(len, self.classes.values()))
            own = [f"in {self.folder} {self.nested:,} of {count(total, 'image')} lie in folders within the classes'"]
        return [*own, *self.files.notes(self.folder)]


@dataclass
class _Parts:
    """What is trained on, and what is held out: nothing, one part, or validation and test."""

    train: _Classes
    held: list[_Classes]


class _Part:
    """A folder that may be a part or a class: how many images it has, and whether folders in it have any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = find_images(path)
        self.images = len(self.files.paths)
        self.of_classes = any(image.parent != path for image in self.files.paths)


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, hidden ones and what archives leave behind excepted."""
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
        )
    except OSError as error:
        raise DataError("E505", f"the folder {folder} cannot be read: {error.strerror or error}") from None


def _unwrapped(folder: Path, notes: list[str]) -> Path:
    """The folder that has the classes, where others lie around it as archives make them: pets/pets/cat/."""
    for _ in range(8):
        inside = _folders(folder)
        if len(inside) != 1 or not (within := _folders(inside[0])):
            break
        if find_images(folder, deep=False).paths or find_images(inside[0], deep=False).paths:
            break
        if not any(find_images(path).paths for path in within):
            break
        notes.append(f"{folder} has nothing but the folder {inside[0].name}, so the classes are looked for in there")
        folder = inside[0]
    return folder


def _for_masks(names: Sequence[str]) -> list[str]:
    """What to say of classes, a few, that are called what folders of images and of masks are."""
    pair = [next((name for name in names if name.lower() in known), None) for known in (IMAGES, MASKS)]
    if len(names) > _FEW or None in pair:
        return []
    return [f"{listed(map(str, pair))} are taken for classes; `segmentation_folder` reads images and their masks"]


def _is_unsorted(part: Path, train: Path) -> bool:
    """Whether a part's images lie in one folder that is no class of those to train on: test/images/, test/unknown/."""
    own, known = (_folders(_unwrapped(folder, [])) for folder in (part, train))
    if len(own) != 1 or own[0].name in {path.name for path in known}:
        return False
    return own[0].name.lower() in _NO_CLASS or part_of(own[0].name) is not None


def _classes_of(folder: Path, notes: list[str], *, held: bool = False) -> _Classes:
    folder = _unwrapped(folder, notes)
    parts = {path.name: _Part(path) for path in _folders(folder)}
    if held and any(part.images for part in parts.values()):  # a class of which nothing is held out is noted later
        parts = {name: part for name, part in parts.items() if part.images}
    return _classes(folder, parts)


def _classes(folder: Path, parts: dict[str, _Part]) -> _Classes:
    """The images in each folder of a folder, in order. Raises `DataError` where there are no folders, or no images."""
    if not parts:
        raise DataError("E505", f"{folder} has no folders, one for each class")
    empty = [name for name, part in parts.items() if not part.images]
    if empty:
        passed = [reason for name in empty for reason in parts[name].files.notes(folder / name)]
        raise DataError(
            "E505",
            f"in {folder} there are no images in {listed(empty)}",
            notes=passed[:5],
            help=[
                f"files end in {USUAL}",
                f"or take {'it' if len(empty) == 1 else 'them'} out, if nothing is to be of "
                f"{'this class' if len(empty) == 1 else 'these classes'}",
            ],
        )
    made = _Classes(folder, {name: part.files.paths for name, part in parts.items()}, find_images(folder, deep=False))
    if made.files.paths:
        made.files.passed["image|in no folder of a class"] += len(made.files.paths)
    for name, part in parts.items():
        made.files.passed.update(part.files.passed)
        made.nested += sum(path.parent != folder / name for path in part.files.paths)
    return made
