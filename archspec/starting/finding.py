"""Which dataset reads a folder or a file: each that may is tried, and the first that can is taken."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archspec.data import MASKS
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.fields import at_home
from archspec.images.files import find_images, is_image_name
from archspec.kinds import find_kind, kind_names
from archspec.starting.found import NEAR, PROBE, Found, Target, loaded, names_in
from archspec.starting.listing import goes_with_images, table_found
from archspec.tables.reading import read_table

TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
"""How the names of tables end."""
MASK_PROBE = (512, 512)
"""Masks are looked at at this size, so that no class is lost that a larger network would see."""
COLOURS = ("grey", "voc", "camvid", "cityscapes")
"""What masks in colours may have; the first that names all their colours is taken."""
BINARY = (0, 255)
"""The two values that masks of one thing and its background often have."""
DEEP = 3
"""So far down is it looked for folders of classes, to tell where they are."""


def built_in() -> list[str]:
    """The datasets that need no files."""
    known = ((name, find_kind("data", name)) for name in kind_names("data"))
    return [name for name, kind in known if kind is not None and "path" not in kind.model_fields]


def find(given: str, target: Target = None) -> Found:
    """The data of a folder, a file, a pattern of tar shards, or of a dataset that comes with the package.

    `target` is of a table. Raises `DataError` with the reason where nothing reads them.
    """
    if not given.strip():
        raise DataError("E505", "no data are named", help=["`--data .` is this folder"])
    path = Path(os.path.abspath(at_home(given)))
    names = built_in()
    if not path.exists() and given in names:
        found = Found(given, {}, loaded(given, {}))
    elif not path.exists() and not any(mark in given for mark in "{*?["):
        near = did_you_mean(given, [*names, *_beside(path)])
        help = [near] if near else [f"or one of the datasets that come with archspec: {listed(names)}"]
        raise DataError("E505", f"there is no folder or file {given}", help=help)
    else:
        found = _of_folder(path, target) if path.is_dir() else _of_file(path, target)
    if found.kind != "table" and isinstance(target, str):
        raise DataError("E113", f"--target is a column of a table, and {given} is read by {found.kind}")
    return found._replace(name=path.name)


def _beside(path: Path) -> list[str]:
    """What lies where a path that is not there was looked for, as one would write it."""
    try:
        return [str(path.parent / name) for name in sorted(os.listdir(path.parent))[:500]]
    except OSError:
        return []


def _of_file(path: Path, target: Target) -> Found:
    name = path.name.lower()
    own = {"path": str(path)}
    if name.endswith(".npz"):
        return Found("npz", own, loaded("npz", own))
    if name.endswith(TABLES):
        return table_found(path, target)
    if ".tar" in name or name.endswith((".tgz", "}")):
        return Found("webdataset", own, loaded("webdataset", own, PROBE))
    if is_image_name(name):
        raise DataError("E505", f"{path} is one image", help=["give the folder that has a folder for each class"])
    raise DataError(
        "E505",
        f"{path} is no file of data that archspec knows",
        help=["tables end in .csv, .tsv or .txt, arrays in .npz, shards in .tar", "`archspec layers` lists datasets"],
    )


def _of_folder(path: Path, target: Target) -> Found:
    """The data of a folder. Raises the `DataError` of what it most likely is, where nothing reads it."""
    failed: list[tuple[str, DataError]] = []
    for kind, fields in _candidates(path):
        try:
            if kind == "segmentation_folder":
                return _masks(fields)
            if kind == "table":
                table = Path(fields["path"])
                if goes_with_images(path, table):
                    return _among_tables(path, table, table_found(table, target))
                continue
            if kind == "image_folder":
                place = Path(fields["path"])
                return _among(path, place, _images(place))
            return Found(kind, fields, loaded(kind, fields, PROBE if kind == "webdataset" else None))
        except DataError as error:
            failed.append((kind, error))
    if not names_in(path, 1):
        raise DataError("E505", f"{path} is empty", help=["give the folder that has the data"])
    if not failed:
        raise DataError(
            "E505",
            f"{path} has images and tables that say nothing of them",
            help=["a table's own path reads the table alone", "for the images, sort them into a folder for each class"],
        )
    # What is wrong with a table of the images says more than that there are no folders of classes.
    (kind, first), *others = sorted(failed, key=lambda one: one[0] != "table")
    near = _folders_of_classes(path)
    help = [f"{near} has folders of images: give it as the data"] if near is not None and near != path else first.help
    notes = [f"read as {kind}"] if others else []
    notes += [f"read as {name}: {error.message}" for name, error in others[:3]]
    raise DataError(first.code, first.message, notes=[*first.notes, *notes], help=help)


def _is_table(entry: Path) -> bool:
    return entry.name.lower().endswith(TABLES) and entry.is_file()


def _not_to_learn_from(table: Path) -> int:
    """0 for a table called train.csv, 2 for test.csv and sample_submission.csv, 1 for another."""
    name = table.name.lower()
    return 0 if "train" in name else 2 if "test" in name or "submission" in name else 1


def _among_tables(path: Path, table: Path, found: Found) -> Found:
    """What was found in one table of a folder, with a word on the others."""
    rest = [entry.name for entry in names_in(path) if entry != table and _is_table(entry)]
    if not rest:
        return found
    said = f"{table.name} is what was read; not used: {listed(rest)}: give another table by its own path"
    return found._replace(said=(said, *found.said))


def _among(path: Path, place: Path, found: Found) -> Found:
    """What was found in one place in a folder, with a word on the folders beside it that have images too."""
    if place == path:
        return found
    folders = [entry for entry in names_in(path) if entry.is_dir() and entry != place and entry.name[:1] != "."]
    images = {entry.name: len(find_images(entry).paths) for entry in folders}
    rest = [f"{name}/ with {count(number, 'image')}" for name, number in images.items() if number]
    if not rest:
        return found
    return found._replace(said=(f"{place.name}/ is what was found first; not used: {listed(rest)}", *found.said))


def _folders_of_classes(path: Path) -> Path | None:
    """The folder in which at least two have images of their own, and those most of all; None where there is none."""
    counts: Counter[Path] = Counter()

    def visit(folder: Path, depth: int) -> None:
        inside = [entry for entry in names_in(folder, NEAR) if entry.is_dir() and not entry.name.startswith(".")]
        own = [len(find_images(entry, deep=False).paths) for entry in inside]
        if sum(map(bool, own)) > 1:
            counts[folder] = sum(own)
        for entry in inside if depth else ():
            visit(entry, depth - 1)

    visit(path, DEEP)
    return counts.most_common(1)[0][0] if counts else None


def _candidates(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a folder may be, by the names in it: the surest first."""
    own = {"path": str(path)}
    inside = names_in(path)
    names = {entry.name.lower() for entry in inside}
    if names & {"dataset_info.json", "dataset_dict.json"}:
        yield "huggingface", own
    if any("ubyte" in name for name in names):
        yield "idx", own
    if names & {"data_batch_1.bin", "test_batch.bin"} or {"train.bin", "test.bin"} <= names:
        yield "cifar", own
    folders = [entry for entry in inside if entry.is_dir() and not entry.name.startswith(".")]
    below = [entry for folder in folders[:NEAR] for entry in names_in(folder, NEAR)]
    if any(entry.name.lower().endswith(".tar") for entry in (*inside, *below)):
        yield "webdataset", own
    masks = any(_of_masks(entry.name) for entry in (*folders, *(entry for entry in below if entry.is_dir())))
    deep = any(entry.name.lower() in ("voc2012", "voc2007", "jpegimages") for entry in below)
    if masks or deep:
        for place in (path, *folders) if deep else (path,):
            yield "segmentation_folder", {"path": str(place)}
    if folders:
        yield "image_folder", own
    tables = sorted(filter(_is_table, inside), key=_not_to_learn_from)[:NEAR]
    listing = [entry for entry in tables if _lists_images(entry)]
    for entry in listing or tables[:5]:
        yield "table", {"path": str(entry)}
    for folder in folders:  # an archive's folder beside others, such as 101_ObjectCategories/ beside Annotations/
        if any(entry.is_dir() for entry in names_in(folder)):
            yield "image_folder", {"path": str(folder)}
    if not folders and not tables:
        yield "image_folder", own
        if find_images(path, deep=False).paths:
            yield "segmentation_folder", own  # twins: 1.jpg and 1_mask.png


def _of_masks(name: str) -> bool:
    """Whether a folder is called what folders of masks are: masks, labels, trainannot, train_masks."""
    name = name.lower()
    return name in MASKS or any(name.endswith(word) for word in ("annot", "_masks", "_mask", "_labels", "gtfine"))


def _lists_images(table: Path) -> bool:
    """Whether a table has a column of image names."""
    try:
        rows = read_table(table, None)
    except DataError:
        return False
    return any(all(map(is_image_name, cells)) for cells in rows.columns.values())


def _images(path: Path) -> Found:
    """A folder for each class. One class is none to tell from another."""
    own = {"path": str(path)}
    data = loaded("image_folder", own, PROBE)
    if data.class_count < 2:
        raise DataError(
            "E507",
            f"all images in {path} are of one class, {data.class_names[0]}: there is nothing to tell apart",
            help=[
                "sort them into a folder for each class: cat/1.jpg, dog/1.jpg",
                "images and their masks lie in images/ and masks/",
            ],
        )
    inside: dict[str, Counter[str]] = {name: Counter() for name in data.class_names}
    for split in data.parts.values():
        for label, name in zip(split.labels, split.names, strict=True):
            inside[data.class_names[int(label)]][Path(name).parent.name] += 1
    within = [name for name, folders in inside.items() if len(folders) > 1 and name not in folders]
    if len(within) == 1 and 2 * inside[within[0]].total() > sum(own.total() for own in inside.values()):
        # A folder of classes with other things beside it, as in a repository.
        (name,) = within
        rest = [f"{other}/ with {count(inside[other].total(), 'image')}" for other in inside if other != name]
        found = _images(path / name)
        return found._replace(
            said=(f"{name}/ has folders in it, which are the classes; not used: {listed(rest)}", *found.said)
        )
    said = []
    if len(within) == len(inside) and len({frozenset(folders) for folders in inside.values()}) == 1:
        said.append(
            f"each of {listed(data.class_names, 5)} has the same folders in it; if these are the classes, "
            f"give {path / data.class_names[0]} as the data"
        )
    return Found("image_folder", own, data, tuple(said))


def _masks(fields: dict[str, Any]) -> Found:
    """Images and masks, whose pixels are numbers, 0 and 255, or colours that a table has."""
    try:
        data, said = loaded("segmentation_folder", fields, MASK_PROBE), []
    except DataError as error:
        first = error
        tries: list[dict[str, Any]] = [
            {"labels": list(BINARY), "ignore": None},
            *({"colours": name} for name in COLOURS),
        ]
        for more in tries:
            try:
                data = loaded("segmentation_folder", {**fields, **more}, MASK_PROBE)
            except DataError:
                continue
            fields = {**fields, **more}
            what = "0 and 255" if "labels" in more else f"the colours of `colours: {more['colours']}`"
            said = [f"the pixels of the masks are {what}"]
            break
        else:
            raise first from None
    if data.class_count < 2:
        raise DataError("E507", f"the masks of {fields['path']} have one class alone: there is nothing to tell apart")
    if "colours" not in fields or fields["colours"] == "grey":
        names = list(data.class_names)
        fields = {**fields, "classes": ["background", "object"] if "labels" in fields and len(names) == 2 else names}
    return Found("segmentation_folder", fields, data, tuple(said))
