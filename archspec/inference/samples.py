"""What users give a network, sample by sample: files, pictures, arrays, lists of numbers, tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import count
from archspec.inference.given import Reading, Samples, a_kind
from archspec.inference.image_samples import images_of
from archspec.inference.number_samples import numeric
from archspec.inference.table_samples import is_table, rows_of
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput


def samples_of(given: Any, inputs: Mapping[str, Input], reading: Reading) -> dict[str, Samples]:
    """The samples of each input; with several inputs a mapping by their names is given.

    Raises `TypeError` and `ValueError` for what no input of this kind can be made of, and `DataError` for files.
    """
    tables = _tables_in(given, reading)
    if tables:
        return rows_of(tables, inputs, reading)
    if len(inputs) == 1 and not isinstance(given, Mapping):
        given = {next(iter(inputs)): given}
    elif not isinstance(given, Mapping):
        raise TypeError(
            f"the network takes {len(inputs)} inputs: give a mapping with {', '.join(map(repr, inputs))}, not "
            f"{a_kind(given)}"
        )
    missing = [name for name in inputs if name not in given]
    unknown = [str(name) for name in given if name not in inputs]
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has {', '.join(unknown)}, which the network does not take"] if unknown else []
        raise ValueError(f"what is given {' and '.join(said)}; the inputs are {', '.join(inputs)}")
    made = {name: _samples(given[name], name, input, reading) for name, input in inputs.items()}
    check_counts(made)
    return made


def check_counts(samples: Mapping[str, Samples]) -> None:
    """Raises `ValueError` unless each input has as many samples as the others."""
    if len({len(held) for held in samples.values()}) > 1:
        said = [f"{count(len(held), 'sample')} of `{name}`" for name, held in samples.items()]
        raise ValueError(f"each input needs as many samples as the others: there are {', '.join(said)}")


def _samples(given: Any, name: str, input: Input, reading: Reading) -> Samples:
    tables = _tables_in(given, reading)
    if tables:
        return rows_of(tables, {name: input}, reading)[name]
    samples = (
        images_of(given, name, input, reading)
        if isinstance(input, ImageInput)
        else numeric(given, name, input, reading)
    )
    if not len(samples):
        raise ValueError(f"nothing is given for input `{name}`")
    return samples


def _tables_in(given: Any, reading: Reading) -> list[Any]:
    """The tables that are given to a network which was trained on one; none where something else is given."""
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    listed = isinstance(given, (list, tuple)) and reading.layout is not None
    if listed and items and all(isinstance(item, Mapping) for item in items):
        return [items]  # rows by the names of columns
    return items if reading.layout is not None and items and all(map(is_table, items)) else []
