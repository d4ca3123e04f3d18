"""What folders and lists call the part that is trained on, and those held out; what a dataset left unsaid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from archspec.data._base import Dataset
from archspec.data._columns import pieces
from archspec.data._reading import Reading
from archspec.data._split import Data
from archspec.diagnostics import DataError, count, listed

WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "test": ("test", "testing", "tst"),
    "val": ("val", "valid", "validation", "validate", "dev", "eval", "evaluation"),
}
"""The parts; of those held out, a test part comes first."""
_NEUTRAL = {"", "set", "data", "dataset", "images", "image", "imgs", "img", "seg", "split", "part", "folder"}
_ENDINGS = ("dataset", "data", "set", "images", "imgs")
HELD_OUT = ("test", "val")
NAMED = 5
"""Files left out that are named."""


def part_of(name: str) -> str | None:
    """The part that a folder or list is named after: `Training`, `valid`, `test_set`, `val2017`; None for others."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word not in _NEUTRAL]
    if len(words) != 1:
        return None
    (word,) = words
    for part, names in WORDS.items():
        if word in names or any(word == name + ending for name in names for ending in _ENDINGS):
            return part
    return None


def by_part(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the part that they are named after, the usual names first."""
    parts: dict[str, list[str]] = {part: [] for part in WORDS}
    for name in names:
        part = part_of(name)
        if part is not None:
            parts[part].append(name)
    for part, own in parts.items():
        usual = {word: place for place, word in enumerate(WORDS[part])}
        own.sort(key=lambda name: (usual.get(name, len(usual)), usual.get(name.lower(), len(usual)), name))
    return parts


def chosen_held(names: Sequence[str], where: Path, held_out: str | None, validation: str | None) -> list[str]:
    """Which of the names of what can be held out are: one, or the one of validation and then the one of test.

    There are two where both parts are there, or where `train.validation` names the one of validation. `held_out` names
    the one that is held out beside it, or alone. Raises `DataError` where names are not there.
    """
    wanted, named = chosen_part(held_out, names, where), chosen_part(validation, names, where, "validation")
    if named is not None:
        rest = [wanted] if wanted else [name for name in names if name != named]
        return list(dict.fromkeys([named, *rest[:1]]))
    if wanted is not None:
        return [wanted]
    both = [next((name for name in names if part_of(name) == part), None) for part in ("val", "test")]
    return [name for name in both if name is not None] or list(names[:1])


def chosen_part(wanted: str | None, names: Sequence[str], where: Path, field: str = "held_out") -> str | None:
    """The name that a field asks for, among those that are there. Raises `DataError` where it is not."""
    if wanted is None:
        return None
    same = [name for name in names if name == wanted] or [name for name in names if name.lower() == wanted.lower()]
    if not same:
        raise DataError(
            "E505",
            f"{where} has no {wanted}, which `{field}` names",
            help=[
                f"there are {listed(names)}" if names else "it has no parts with names",
                *(["`validation: 0.1` takes a share of what there is to train on"] if field == "validation" else []),
            ],
        )
    return same[0]


def loaded(
    dataset: Dataset,
    validation: float | str | None = None,
    seed: int = 0,
    read: Callable[[Data], Data] | None = None,
    how: Reading | None = None,
) -> Data:
    """The dataset, with notes of what it would be silent about. Raises `DataError`.

    `validation` is a share of the training part, chosen by the seed, or the name of the dataset's folder, list or part
    for it; what the dataset itself holds out is then the test part. `read` is given the data before their samples are
    looked at, and reads those that are streamed once (`survey`). `how` says which are.
    """
    dataset = dataset if how is None else dataset.reading(how)
    data = (dataset.validating(validation) if isinstance(validation, str) else dataset).load()
    if isinstance(validation, float):
        data = _with_share(data, validation, seed)
    data = data if read is None else read(data)
    return replace(data, notes=(*data.notes, *_left(data), *_twice(data)))


def _left(data: Data) -> list[str]:
    """A note on the files that were left out."""
    if not data.left:
        return []
    number = len(data.left)
    said = f"{count(number, 'file')} of {data.name} cannot be read, and {'is' if number == 1 else 'are'} left out"
    more = "; `archspec data check` lists all" if number > NAMED else ""
    return [f"{said} (`on_error: skip`): {listed([own.name for own in data.left], NAMED)}{more}"]


def _with_share(data: Data, share: float, seed: int) -> Data:
    """The data with a share of the training part as validation, of every class where there are classes."""
    from archspec.data._files import holdout

    train, validation = holdout(data.train, share, seed)
    what = f"{len(validation):,} of {count(len(data.train), _sample(data))} to train on"
    if data.test is not None:
        unused = f"`validation` {share:g} is {what}; the validation part that {data.name} has, {len(data.validation):,}"
        note = f"{unused}, is not used"
    else:
        note = f"`validation` {share:g} is {what}; the {len(data.validation):,} that {data.name} holds out are for test"
    test = data.validation if data.test is None else data.test
    return replace(data, train=train, validation=validation, test=test, notes=(*data.notes, note))


def untrained(data: Data) -> list[str]:
    """Classes of which there is nothing to train on, or nothing held out."""
    import numpy as np

    notes = []
    for target, names in data.classes.items():
        for part, split in data.parts.items():
            lack = data.said(part)
            labels = split.targets[target]
            counts = np.zeros(len(names), np.int64)
            placed = labels.ndim > 2 or target in data.positions
            if placed and len(names) < 2:
                continue  # one label, there or not
            for piece in pieces(labels):
                if labels.ndim == 2 and not placed:
                    counts += (piece > 0).sum(0)
                elif labels.ndim == 1 or placed:
                    known = piece[(piece >= 0) & (piece < len(names))]
                    counts += np.bincount(known, minlength=len(names))
            missing = [name for name, number in zip(names, counts, strict=True) if not number]
            if missing:
                what = "pixel" if labels.ndim > 2 else "position" if placed else _sample(data)
                word = "class" if len(missing) == 1 else "classes"
                whose = f" of `{target}`" if len(data.classes) > 1 else ""
                missed = f"{len(missing):,} {word}{whose}: {listed(missing, 10)}"
                notes.append(f"{data.name} has no {what} {lack} of {missed}")
    return notes


def _sample(data: Data) -> str:
    inputs = list(data.train.inputs.values())
    return "image" if len(inputs) == 1 and inputs[0].ndim == 4 else "sample"


def _twice(data: Data) -> list[str]:
    """Samples of one part that are in another too, byte for byte: held-out ones that are trained on, say."""
    known: dict[str, dict[bytes, int]] = {}
    notes = []
    for part, split in data.parts.items():
        for other, theirs in known.items():
            both = [(place, theirs[key]) for place, key in enumerate(split.digests) if key in theirs]
            if not both:
                continue
            (here, there), *_ = both
            names, others = split.names, data.parts[other].names
            example = f", such as {names[here]}, which is {others[there]}" if names and others else ""
            said = f"{count(len(both), f'{data.whose(part)} {_sample(data)}')} of {len(split):,} "
            among = "among those trained on" if other == "train" else f"in the {other} part"
            notes.append(f"{said}{'is' if len(both) == 1 else 'are'} {among} too{example}")
        known[part] = {key: place for place, key in enumerate(split.digests)}
    return notes
