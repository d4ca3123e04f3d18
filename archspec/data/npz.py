"""A NumPy archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from archspec.data._arrays import as_input, as_target, check_lengths, shape_of
from archspec.data._base import INPUT, LABEL, MAX_CLASSES, Dataset
from archspec.data._columns import as_array
from archspec.data._files import array_names, as_split, channels_first, holdout, numbered, read_npz
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.fields import FilePath, NonNegativeInt

if TYPE_CHECKING:
    import numpy as np

VALIDATION = ("val", "valid", "validation", "dev")
USUAL = (("x", "y"), ("images", "labels"))
"""What files call the one input and the one target, in small letters."""


def _read_names(value: Any) -> Any:
    """`[left, right]` or `{left: a, right: b}` as the latter; one name alone is a list of one."""
    value = [value] if isinstance(value, str) else value
    if isinstance(value, Sequence) and all(isinstance(name, str) for name in value):
        value = {name: name for name in value}
    if isinstance(value, Mapping) and all(isinstance(name, str) for item in value.items() for name in item):
        return dict(value)
    raise PydanticCustomError("names", "must be names of arrays: [left, right], or {left: name in the file, …}")


Names = Annotated[dict[str, str], BeforeValidator(_read_names)]


class Npz(Dataset):
    """A .npz file with x_train, y_train, x_test and y_test (as Keras has them), or with x and y, split here.

    With x_val and y_val too, these are the validation part. `inputs` and `targets` name other arrays, and more than
    one: those with _train and _test at their ends, train_ and test_ at their beginnings, or without, which are split.
    Inputs are images N×H×W, N×H×W×C or N×C×H×W, signals
    N×L×C or vectors N×F, bytes or floating point. Targets are classes from 0 (N), 0 and 1 for several labels at once
    (N×K), maps of either, or floating-point numbers, of which NaN does not count.
    """

    main: ClassVar[str] = "path"
    lies_in: ClassVar[str] = "file"

    path: Annotated[FilePath, Field(description="the file; relative paths start from the spec's folder")]
    inputs: Annotated[
        Names | None,
        Field(description="arrays that are inputs, [left, right], or {left: name in the file}; x if left out"),
    ] = None
    targets: Annotated[
        Names | None,
        Field(description="arrays that are targets, in the same way; y if left out, [] for none"),
    ] = None
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, where the file is not split")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which samples are held out")] = 0

    def load(self) -> Data:
        path = Path(self.path)
        read_npz(path, ())
        there = array_names(path)
        inputs, targets = self._places(there)
        places = [place for part in (inputs, targets) for place in part.values()]
        if len({len(place) for place in places}) > 1:
            raise DataError(
                "E507",
                f"{path.name} has some arrays in two parts, and others in one: {listed(map(listed, places))}",
                help=["all have _train, _val and _test at their ends, or _train and _test, or none has"],
            )
        wanted = {key for place in places for key in place}
        arrays = read_npz(path, wanted)
        notes: list[str] = []
        data = self._data(inputs, targets, arrays, notes)
        unused = [key for key in there if key not in wanted]
        if unused:
            notes.append(f"{listed(unused, 10)} of {path.name} {'is' if len(unused) == 1 else 'are'} not used")
        return replace(data, notes=(*data.notes, *notes))

    def _places(self, there: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """Where inputs and targets lie: an array, or one of each part: to train on, validation, test, or held out."""
        name = Path(self.path).name
        usual = next((pair for pair in USUAL if _place(pair[0], there, fold=True)), None)
        if self.inputs is None and (usual is None or (self.targets is None and not _place(usual[1], there, fold=True))):
            raise DataError(
                "E507",
                f"{name} has the arrays {listed(there, 20) or 'none'}",
                help=[
                    "it must have x and y, or x_train, y_train, x_test and y_test",
                    "or say which are which: `npz: {path: …, inputs: [left, right], targets: [same]}`; "
                    "`targets: []` is none",
                ],
            )

        def found(names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
            made = {}
            for own, key in names.items():
                place = _place(key, there)
                if place is None:
                    raise DataError(
                        "E507",
                        f"{name} has no array {key}, nor {key}_train and {key}_test; it has {listed(there, 20)}",
                        help=[hint] if (hint := did_you_mean(key, there)) else [],
                    )
                made[own] = place
            return made

        def by_default(own: str, at: int) -> dict[str, tuple[str, ...]]:
            place = _place(usual[at], there, fold=True) if usual else None
            return {own: place} if place else {}

        inputs = found(self.inputs) if self.inputs is not None else by_default(INPUT, 0)
        return inputs, found(self.targets) if self.targets is not None else by_default(LABEL, 1)

    def _data(
        self,
        inputs: Mapping[str, tuple[str, ...]],
        targets: Mapping[str, tuple[str, ...]],
        arrays: Mapping[str, np.ndarray],
        notes: list[str],
    ) -> Data:
        name = Path(self.path).name
        if self.inputs is self.targets is None and _of_images(arrays[inputs[INPUT][0]], arrays[targets[LABEL][0]]):
            return self._images(inputs[INPUT], targets[LABEL], arrays, notes)
        splits = [
            _split(
                {own: _Array(f"{place[at]} of {name}", arrays[place[at]]) for own, place in inputs.items()},
                {own: _Array(f"{place[at]} of {name}", arrays[place[at]]) for own, place in targets.items()},
                notes,
            )
            for at in range(len(next(iter(inputs.values()))))
        ]
        classes: dict[str, int] = {}
        for made in splits:
            for own, number in made.classes.items():
                classes[own] = max(number, classes.get(own, 0))
        parts = [made.split for made in splits]
        for own in targets:
            if len({split.targets[own].dtype.kind for split in parts}) > 1:  # numbers, whole in one part
                classes.pop(own, None)
                parts = [_as_numbers(split, own) for split in parts]
        for split in parts[1:]:
            _check_alike(name, parts[0], split)
        train, validation, *test = parts if len(parts) > 1 else holdout(parts[0], self.holdout, self.split_seed)
        named = {own: tuple(map(str, range(number))) for own, number in classes.items()}
        return Data(name, train, validation, named, test=test[0] if test else None)

    def _images(
        self, x: tuple[str, ...], y: tuple[str, ...], arrays: Mapping[str, np.ndarray], notes: list[str]
    ) -> Data:
        """Images, and a class of each or of each pixel."""
        name = Path(self.path).name
        if len(x) > 1:
            words = ("training", "validation", "test") if len(x) == 3 else ("training", "held-out")
            of = zip(x, y, words, strict=True)
            parts = [as_split(arrays[own], arrays[label], f"{name}, {word} part") for own, label, word in of]
        else:
            parts = [*holdout(as_split(arrays[x[0]], arrays[y[0]], name), self.holdout, self.split_seed)]
        turned = [key for key in x if channels_first(arrays[key])]
        if turned:
            notes.append(
                f"{listed(turned)} of {name} {'is' if len(turned) == 1 else 'are'} N×C×H×W and read as N×H×W×C"
            )
        return numbered(name, *parts)


def arranged(array: np.ndarray, name: str, notes: list[str]) -> np.ndarray:
    """An input of several samples as it is read from a file; what was changed is noted. Raises `DataError`."""
    return as_input(array, name, notes)


class _Array(NamedTuple):
    name: str
    array: np.ndarray


class _Made(NamedTuple):
    split: Split
    classes: dict[str, int]


def _place(key: str, there: Sequence[str], *, fold: bool = False) -> tuple[str, ...] | None:
    """The arrays of a name: one, or those of two parts or three; with `fold` in any case. None without any."""
    known = {name.lower() if fold else name: name for name in reversed(there)}
    for pattern in (f"{key}_{{}}", f"{{}}_{key}"):
        parts = [[pattern.format(word) for word in words] for words in (("train",), VALIDATION, ("test",))]
        train, *held = (next((known[name] for name in names if name in known), None) for names in parts)
        own = [name for name in held if name is not None]
        if train is not None and own:
            return (train, *own)
    return (known[key],) if key in known else None


def _of_images(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether arrays are images and labels of them or their pixels, in whole numbers."""
    whole = y.dtype.kind in "iu" and (y.ndim in (1, 3, 4) or (y.ndim == 2 and 1 in y.shape))
    numbers = (
        y.ndim == 1 and y.size > 0 and (y.min() < -1 or y.max() >= MAX_CLASSES or set(y.tolist()) == {-1, 1})
        if whole
        else False
    )
    return x.ndim in (3, 4) and x.dtype.kind in "fu" and whole and not numbers


def _split(inputs: Mapping[str, _Array], targets: Mapping[str, _Array], notes: list[str]) -> _Made:
    check_lengths([*inputs.values(), *targets.values()])
    made = {own: as_input(array, name, notes) for own, (name, array) in inputs.items()}
    found = {own: as_target(array, name, notes) for own, (name, array) in targets.items()}
    classes = {own: target.classes for own, target in found.items() if target.classes is not None}
    return _Made(Split(made, {own: target.array for own, target in found.items()}), classes)


def _as_numbers(split: Split, target: str) -> Split:
    return replace(split, targets={**split.targets, target: as_array(split.targets[target]).astype("float32")})


def _check_alike(name: str, train: Split, test: Split) -> None:
    """Raises `DataError` where the parts have other shapes, or bytes in one and floating-point numbers in the other."""
    for mine, other in ((train.inputs, test.inputs), (train.targets, test.targets)):
        for own, array in mine.items():
            if array.shape[1:] != other[own].shape[1:]:
                raise DataError(
                    "E507", f"{name}: training's {own} is {shape_of(array)}, but the test part's {shape_of(other[own])}"
                )
            if array.dtype.kind != other[own].dtype.kind:
                raise DataError(
                    "E507",
                    f"{name}: training's {own} is taken as {array.dtype}, but the test part's as {other[own].dtype}",
                )
