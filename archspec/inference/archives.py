"""Arrays of files for an input, by the names and in the forms in which training reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from archspec.data import as_array
from archspec.data.npz import arranged
from archspec.diagnostics import DataError, listed
from archspec.inference.given import Reading
from archspec.inference.numbers import opened_archive, read_numbers
from archspec.spec.inputs import Input
from archspec.training.adapting import adapted


def read_array(path: Path, name: str, input: Input, reading: Reading) -> np.ndarray:
    """The numbers in a file that are an input's. Raises `DataError` where it has none.

    Of an archive (.npz) they are those of a name of the input's, arranged as in training.
    """
    if path.suffix.lower() != ".npz":
        return read_numbers(path)
    array, key = _picked(path, reading.arrays.get(name, (name,)), reading.notes)
    return as_trained(array, f"{key} of {path}", input, reading.notes)


def as_trained(array: np.ndarray, what: str, input: Input, notes: list[str]) -> np.ndarray:
    """An array of several samples as training arranges it; one of a sample alone, and others, as they are."""
    shape = input.type.shape
    if array.shape == shape or array.ndim < 2 or (array.ndim < len(shape) + 1 and array.shape == shape[:-1]):
        return array
    (made,) = adapted([arranged(array, what, notes)], what, input, notes)
    return as_array(made)


def _picked(path: Path, names: Sequence[str], notes: list[str]) -> tuple[np.ndarray, str]:
    """The array of a name, or held out of one, or the only one; others are noted."""
    with opened_archive(path) as arrays:
        there = list(arrays.files)
        key = there[0] if len(there) == 1 else _key(names, there)
        if key is None:
            raise DataError(
                "E521",
                f"{path} holds {len(there)} arrays: {listed(there, 8)}; none is called {names[0]}",
                help=["give one of them: np.save(FILE, array) writes it alone"],
            )
        made = np.asarray(arrays[key])
    others = [name for name in there if name != key]
    if others:
        notes.append(f"of {path}, {key} is taken; {listed(others, 8)} {'is' if len(others) == 1 else 'are'} not used")
    return made, key


def named_arrays(path: Path, inputs: Mapping[str, Input], reading: Reading) -> dict[str, np.ndarray]:
    """The arrays of an archive that are inputs by their names; others are noted. Raises `DataError`."""
    made: dict[str, np.ndarray] = {}
    taken = []
    with opened_archive(path) as arrays:
        there = list(arrays.files)
        for name in inputs:
            key = _key(reading.arrays.get(name, (name,)), there)
            if key is None:
                raise DataError(
                    "E521",
                    f"{path} has no array `{name}`; it has {listed(there, 8) or 'none'}",
                    help=[f"np.savez(FILE, {', '.join(f'{own}=…' for own in inputs)})"],
                )
            made[name] = np.asarray(arrays[key])
            taken.append(key)
    unused = [key for key in there if key not in taken]
    if unused:
        reading.notes.append(f"{listed(unused, 8)} of {path} {'is' if len(unused) == 1 else 'are'} not used")
    return {
        name: as_trained(array, f"{key} of {path}", inputs[name], reading.notes)
        for key, (name, array) in zip(taken, made.items(), strict=True)
    }


def _key(names: Sequence[str], there: Sequence[str]) -> str | None:
    """The array that has one of these names, or is what is held out of it."""
    return next(
        (key for name in names for key in (name, f"{name}_test", f"test_{name}") if key in there),
        None,
    )
