"""A subject as one function of its inputs, its arrays inside, which `jax.export` writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError
from archspec.exporting.subject import Subject
from archspec.figures.units import mebibytes
from archspec.images.numbers import given, mean_of, normalised
from archspec.lower import Inputs, Outputs, outline
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.spec.network import ImageInput

MOST_BYTES = 2**31 - 2**24
"""Of arrays inside: what is written is a FlatBuffer, whose offsets have 31 bits."""


def function_of(subject: Subject, *, with_preprocessing: bool = False) -> Callable[[Inputs], Outputs]:
    """The network in evaluation as a function that is named after it.

    It takes and gives what calling a network does: an array where there is one, and otherwise a dict of arrays by name.
    `with_preprocessing` it takes pixels from 0 to 255 of images, red, green and blue in this order, as bytes or as
    floating-point numbers, and other inputs before mean and standard deviation.
    Every operation is the library's own, whatever device this is: what is chosen for this one may be slow on another.
    """
    pure, params, statistics = outline(subject.graph)
    of_params = {name: jnp.asarray(subject.arrays[name]) for name in params}
    of_statistics = {name: jnp.asarray(subject.arrays[name]) for name in statistics}

    def function(x: Inputs) -> Outputs:
        taken = given(_prepared(by_name(subject, x), subject)) if with_preprocessing else x
        outputs, _ = pure.apply(of_params, of_statistics, taken, train=False, lowerings=BY_LIBRARY)
        return outputs

    function.__name__ = function.__qualname__ = subject.graph.name
    return function


def types_of(subject: Subject, batch: Any, *, in_bytes: bool = False) -> Any:
    """The types of what the function takes: of so many samples, or of any number for a symbol.

    Images are `in_bytes` where it takes pixels so.
    """
    type_of: Any = jax.ShapeDtypeStruct
    types = {}
    for item in subject.graph.inputs:
        kind = np.uint8 if in_bytes and _is_image(subject, item.name) else np.float32
        types[item.name] = type_of((batch, *item.type.shape), np.dtype(kind))
    return next(iter(types.values())) if len(types) == 1 else types


def by_name(subject: Subject, x: Any) -> dict[str, Any]:
    """What the function takes, by the inputs' names."""
    return dict(x) if isinstance(x, Mapping) else {subject.graph.inputs[0].name: x}


def outputs_by_name(subject: Subject, y: Any) -> dict[str, Any]:
    """What the function gives, by the outputs' names."""
    return dict(y) if isinstance(y, Mapping) else {subject.graph.outputs[0].name: y}


def _prepared(x: Mapping[str, jax.Array], subject: Subject) -> dict[str, jax.Array]:
    made = {}
    for name, values in x.items():
        input = subject.spec.inputs[name]
        if isinstance(input, ImageInput) and values.dtype != np.uint8:
            low, high = input.range
            values = values * ((high - low) / 255) + low
        made[name] = normalised(values, input)
    return made


def _is_image(subject: Subject, name: str) -> bool:
    return isinstance(subject.spec.inputs[name], ImageInput)


def said_of_inputs(
    subject: Subject,
    *,
    with_preprocessing: bool,
    in_bytes: bool = False,
    batch: int | str = "batch",
    types: Mapping[str, str] | None = None,
) -> list[str]:
    """What the function takes, an input a sentence; `types` are those by inputs' names that are not float32."""
    said = []
    for item in subject.graph.inputs:
        input = subject.spec.inputs[item.name]
        shape = ", ".join(map(str, (batch, *item.type.shape)))
        bytes_ = in_bytes and isinstance(input, ImageInput)
        type_ = (types or {}).get(item.name, "uint8" if bytes_ else "float32")
        what = f"`{item.name}` is {type_} ({shape})"
        if isinstance(input, ImageInput):
            low, high = (0, 255) if with_preprocessing else input.range
            backwards = input.order == "bgr" and not with_preprocessing
            colours = f" of {'blue, green and red' if backwards else 'red, green and blue'}"
            what += f", pixels from {low:g} to {high:g}{colours if input.channels == 3 else ''}"
        mean = mean_of(input)
        less = [] if mean is None else ["less a mean image" if mean.ndim > 1 else f"less {_numbers(mean)}"]
        over = [f"over {_numbers(input.std)}"] if input.std is not None else []
        if (less or over) and not with_preprocessing:
            what += f" {' and '.join([*less, *over])}"
        said.append(what)
    return said


def _numbers(values: Any) -> str:
    numbers = np.atleast_1d(np.asarray(values, np.float64)).tolist()
    return f"{numbers[0]:g}" if len(numbers) == 1 else f"({', '.join(f'{number:g}' for number in numbers)})"


def size_of(subject: Subject) -> int:
    """The bytes of the arrays inside."""
    return sum(array.nbytes for array in subject.arrays.values())


def check_size(subject: Subject, file: str) -> None:
    """Raises `DataError` (E551) where a file with the arrays inside would be too large."""
    size = size_of(subject)
    if size > MOST_BYTES:
        raise DataError("E551", f"the weights have {mebibytes(size)}, and {file} holds less than 2 GiB")
