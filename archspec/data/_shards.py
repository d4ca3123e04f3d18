"""Loading shards: which of their members are samples, and what their labels say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data._base import LABEL
from archspec.data._blobs import BlobImages, BlobMasks, is_mask
from archspec.data._columns import Column, Values
from archspec.data._label_texts import labels_of
from archspec.data._members import Found, Shards, TarFiles
from archspec.data._parts import by_part, chosen_held
from archspec.data._reading import ends_of_masks, read_as
from archspec.data._split import Data, Split
from archspec.data._tars import Member, shards_of
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.images.files import is_image_name

if TYPE_CHECKING:
    from archspec.data.webdataset import Webdataset

LABELS = ("cls", "label", "txt", "json")
"""The endings of labels, the first that there is if none is named."""
NAMED = 3
"""So many samples are named of those that are left out."""
_PART = re.compile(r"^[A-Za-z]+")


class Reader:
    """Reads shards as a dataset's fields say. `validation` is the part that `train.validation` names."""

    def __init__(self, fields: Webdataset, validation: str | None) -> None:
        self.fields = fields
        self.validation = validation
        self.notes: list[str] = []

    def data(self) -> Data:
        """Raises `DataError`."""
        parts = [Shards(paths) for paths in self._parts()]
        image, target = self._endings(parts[0])
        if not is_mask(target):
            for part in parts:
                part.mended(image, target.partition(".")[0] if target.startswith("json.") else target)
        found = [self._samples(part, image, target) for part in parts]
        for part in parts:
            self.notes.extend(part.notes)
        columns = [
            BlobImages(TarFiles(part, kept, images), self.fields.preparation, grey=self.fields.grey)
            for part, (kept, images, _) in zip(parts, found, strict=True)
        ]
        names = [tuple(map(column.name, range(len(column)))) for column in columns]
        targets, classes = self._targets(parts, found, target)
        splits = [
            Split.of(Column(column), values, own) for column, values, own in zip(columns, targets, names, strict=True)
        ]
        said: list[str] = []
        (train, *others), left = read_as(self.fields, splits, said)
        if is_mask(target) and self.fields.classes is None:
            most = max(ends_of_masks(split, self.fields.how)[1] for split in (train, *others))
            classes = tuple(map(str, range(max(0, most) + 1)))
        known = {} if classes is None else {LABEL: classes}
        test = others[1] if len(others) > 1 else None
        return Data(self._name, train, others[0], known, (*self.notes, *said), test=test, left=left)

    @property
    def _name(self) -> str:
        return Path(self.fields.path.split("::")[0]).name

    def _parts(self) -> list[list[Path]]:
        """The shards of what is trained on, and of what is held out: one part, or validation and test."""
        folder = Path(self.fields.path)
        if not folder.is_dir():
            if self.validation is not None:
                raise DataError(
                    "E505",
                    "`train.validation` names a part of a folder of shards, but `path` is a pattern",
                    help=["`validation` in the dataset is the pattern of the validation part"],
                )
            given = (self.fields.path, self.fields.validation, self.fields.test)
            return [shards_of(pattern) for pattern in given if pattern is not None]
        own = {path.name: sorted(path.glob("*.tar")) for path in sorted(folder.iterdir()) if path.is_dir()}
        own = {name: paths for name, paths in own.items() if paths}
        for path in sorted(folder.glob("*.tar")):
            begins = _PART.match(path.name)
            own.setdefault(begins[0] if begins else "", []).append(path)
        parts = by_part(own)
        if not parts["train"]:
            if any(parts.values()) or not own.get(""):
                raise DataError(
                    "E505",
                    f"{folder} has no train-….tar, nor train/ with .tar files",
                    notes=[f"its .tar files begin with {listed(own)}"] if own else [],
                    help=["`path` may be a pattern: shards/{000..099}.tar"],
                )
            return [own[""]]
        held_out = [name for part in ("test", "val") for name in parts[part]]
        chosen = chosen_held(held_out, folder, None, self.validation) if held_out or self.validation else []
        unused = [name for name in own if name not in (parts["train"][0], *chosen)]
        if unused:
            number = sum(len(own[name]) for name in unused)
            self.notes.append(f"{count(number, 'shard')} of {folder} not used, whose names begin with {listed(unused)}")
        return [own[name] for name in (parts["train"][0], *chosen)]

    def _endings(self, part: Shards) -> tuple[tuple[str, ...], str]:
        """The endings of images and of targets. Raises `DataError` where they cannot be told."""
        there = part.endings
        said = listed([f"{ending} ({number:,})" for ending, number in there.most_common(12)]) or "none"
        image = tuple(ending.lower().lstrip(".") for ending in self.fields.image or ())
        inner = {ending.rpartition(".")[2] for ending in there}
        if not image:
            usual = [ending for ending in there if is_image_name(f"x.{ending}") and "." not in ending]
            if not usual:
                usual = sorted(ending for ending in inner if is_image_name(f"x.{ending}"))
            both = [own for own in usual if own != usual[0] and _together(part, usual[0], own)]
            if not usual or both:
                fault = f"{listed([usual[0], *both])} in one sample" if both else "no images by their endings"
                raise DataError(
                    "E507",
                    f"{part.name} has {fault}: its endings are {said}",
                    help=["`image: jpg` says which ending images have, and `target: seg.png` which masks have"],
                )
            image = tuple(usual)
        target = (self.fields.target or "").lstrip(".")
        if not target:
            known = {*there, *inner}
            target = next((ending for ending in LABELS if ending in known), "")
            if not target:
                raise DataError(
                    "E507",
                    f"{part.name} has no labels that are known: its endings are {said}",
                    help=["`target: ENDING`"],
                )
        target = target if target.startswith("json.") else target.lower()
        base = "json" if target.startswith("json.") else target
        for wanted in (*(image if self.fields.image else ()), base):
            if wanted not in there and wanted not in inner and wanted not in image[1:]:
                near = did_you_mean(wanted, list(there))
                raise DataError(
                    "E507",
                    f"{part.name} has no members that end in .{wanted}: its endings are {said}",
                    help=[near or ""],
                )
        return image, target

    def _samples(
        self, part: Shards, image: Sequence[str], target: str
    ) -> tuple[list[Found], list[Member], list[Member]]:
        """The samples that have an image and a label, and both; what is left out for want of one is noted."""
        base = "json" if target.startswith("json.") else target
        kept, images, labels = [], [], []
        lacks: dict[str, list[str]] = {"image": [], "label": []}
        for sample in part.samples:
            own = next((sample.members[ending] for ending in image if ending in sample.members), None)
            label = sample.members.get(base)
            if own is not None and label is not None:
                kept.append(sample)
                images.append(own)
                labels.append(label)
            else:
                lacks["image" if own is None else "label"].append(f"{part.paths[sample.shard].name}:{sample.key}")
        for what, names in lacks.items():
            if names:
                there = {name.partition(":")[2] for name in names}
                other = {name.partition(":")[2] for name in lacks["label" if what == "image" else "image"]}
                rest = len(there & other)
                part.notes.append(
                    f"{count(len(names), 'sample')} of {len(part.samples):,} in {part.name} "
                    f"{'has' if len(names) == 1 else 'have'} no {what}, and {'is' if len(names) == 1 else 'are'} left "
                    f"out: {listed(names[:NAMED])}{' …' if len(names) > NAMED else ''}"
                    + (f"; of {rest:,} the {what} is in another shard" if rest else "")
                )
        if not kept:
            raise DataError(
                "E507",
                f"no sample of {part.name} has both an image ({listed(image)}) and a label ({base})",
                notes=part.notes[-2:],
            )
        return kept, images, labels

    def _targets(
        self,
        parts: Sequence[Shards],
        found: Sequence[tuple[list[Found], list[Member], list[Member]]],
        target: str,
    ) -> tuple[Sequence[Values], tuple[str, ...] | None]:
        own = list(zip(parts, found, strict=True))
        if is_mask(target):
            masks = [
                Column(BlobMasks(TarFiles(part, kept, labels), self.fields.preparation, self.fields.ignore))
                for part, (kept, _, labels) in own
            ]
            return masks, self.fields.classes
        what = f"{target} of {self._name}"
        texts = [list(self._labels(TarFiles(part, kept, labels), target)) for part, (kept, _, labels) in own]
        made = labels_of(texts, self.fields.classes, what, self.notes)
        return made.arrays, made.classes

    def _labels(self, files: TarFiles, target: str) -> Iterator[Any]:
        """What the labels' members say. Raises `DataError` that names the first of those that say nothing."""
        path = target.split(".")[1:] if target.startswith("json") else None
        for place, data in enumerate(files.all_blobs()):
            try:
                text = data.decode("utf-8")
                yield text if path is None else _within(json.loads(text), path, files.name(place))
            except UnicodeDecodeError:
                raise DataError(
                    "E506",
                    f"{files.name(place)} is no text",
                    help=["`target` names an ending whose members are texts, JSON or masks; pickles are not read"],
                ) from None
            except (ValueError, RecursionError) as error:
                raise DataError("E506", f"{files.name(place)} is no JSON: {str(error)[:200]}") from None


def _within(value: Any, path: Sequence[str], name: str) -> Any:
    """What lies in JSON under names; without names what it is, or its only usual field."""
    if not path and isinstance(value, dict):
        usual = [own for own in ("label", "cls", "class", "target", "label_idx", "class_name") if own in value]
        if not usual:
            raise DataError(
                "E507",
                f"{name} has the fields {listed(map(str, value), 12) or 'none'}",
                help=["`target: json.FIELD` says which one is the label"],
            )
        return value[usual[0]]
    for own in path:
        if not isinstance(value, dict) or own not in value:
            there = f"it has {listed(map(str, value), 12)}" if isinstance(value, dict) else "it is no mapping there"
            raise DataError("E507", f"{name} has no field {'.'.join(path)}: {there}")
        value = value[own]
    if isinstance(value, dict):
        raise DataError("E507", f"{name}: what is called {'.'.join(path) or 'the label'} is a mapping, and no label")
    return value


def _together(part: Shards, one: str, other: str) -> bool:
    return any(one in sample.members and other in sample.members for sample in part.samples)
