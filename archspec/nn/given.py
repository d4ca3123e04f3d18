"""What a network is called with, against what it takes: told in words while tracing, before any layer meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import article, count
from archspec.types import TensorType

AXES = {3: "batch, height, width, channels", 2: "batch, length, channels", 1: "batch, features"}
"""What the axes of an array are called, by those of one sample."""

PREPARED = (
    "`archspec.open(run).predict` takes images, bytes and files; `archspec.open(run).preprocess` makes of them "
    "what the network takes"
)


class Taken(NamedTuple):
    """One thing that a network takes."""

    name: str
    type: TensorType

    @property
    def said(self) -> str:
        """`(batch, 28, 28, 1)`, and what its axes are."""
        shape = ", ".join(map(str, self.type.shape))
        return f"floating-point numbers ({'batch, ' + shape}): {AXES.get(len(self.type.shape), 'batch first')}"


def by_name(x: Any, named: Mapping[str, Any], inputs: Sequence[Taken]) -> dict[str, Any]:
    """The arrays that a network is called with, by its inputs' names; one input may come without its name.

    NumPy's arrays of 64 bits become 32 bits, as JAX makes them. Raises `TypeError` where something is no array of
    numbers, or has the wrong name; `ValueError` where a shape is wrong. The messages say what the network takes.
    """
    given = _named(x, named, inputs)
    made = {item.name: _checked(given[item.name], item, alone=len(inputs) == 1) for item in inputs}
    sizes = {name: array.shape[0] for name, array in made.items()}
    if len(set(sizes.values())) > 1:
        # Joins would take a batch of one for as many as the others have.
        said = ", ".join(f"`{name}` has {size:,}" for name, size in sizes.items())
        raise ValueError(f"every input needs as many samples as the others, and {said}")
    return made


def _named(x: Any, named: Mapping[str, Any], inputs: Sequence[Taken]) -> Mapping[str, Any]:
    names = [item.name for item in inputs]
    if x is None and not named:
        raise TypeError(f"the network is called without what it takes: {_all(inputs)}")
    if x is not None and named and not any(name in named for name in names):
        mode = "; training mode is `train=True`" if "training" in named else ""
        raise TypeError(f"the network has no input `{next(iter(named))}`: it takes {_all(inputs)}{mode}")
    if x is not None and named:
        raise TypeError(f"inputs are given by position or by name, not both: {', '.join(named)}")
    if x is not None and not isinstance(x, Mapping):
        if len(inputs) == 1:
            return {names[0]: x}
        raise TypeError(
            f"the network takes {len(inputs)} inputs by name, and was given one {type(x).__name__}: "
            f"network({{{', '.join(f'{name!r}: …' for name in names)}}}) or network({'=…, '.join(names)}=…)"
        )
    given = named if x is None else x
    missing = [name for name in names if name not in given]
    unknown = [str(name) for name in given if name not in names]
    if missing or unknown:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has {', '.join(unknown)}, which it does not take"] if unknown else []
        raise TypeError(f"what the network is given {' and '.join(said)}; it takes {_all(inputs)}")
    return given


def too_many(number: int, inputs: Sequence[Taken]) -> TypeError:
    """What is wrong where so many arrays come without a name."""
    if len(inputs) > 1:
        names = [item.name for item in inputs]
        how = f"network({'=…, '.join(names)}=…) or network({{{', '.join(f'{name!r}: …' for name in names)}}})"
        return TypeError(f"the network takes {len(inputs)} inputs by name, and was given {number} without names: {how}")
    return TypeError(
        f"the network has one input, {_all(inputs)}, and was given {number}; all else is named: train=True"
    )


def _all(inputs: Sequence[Taken]) -> str:
    return "; ".join(f"`{item.name}`, {item.said}" for item in inputs)


def _checked(value: Any, item: Taken, *, alone: bool) -> Any:
    takes = f"the network takes {item.said}" if alone else f"input `{item.name}` takes {item.said}"
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        what = article(type(value).__name__)
        if isinstance(value, (list, tuple)):
            help = "`numpy.stack` makes one array of arrays of the same shape; " if len(value) else ""
        else:
            help = ""
        raise TypeError(f"{takes}, and was given {what}. {help}{PREPARED}")
    if _is_number(value.dtype) is None:
        name = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
        raise TypeError(f"{takes}, and was given {article(name)}: numpy.asarray(x) makes an array of it")
    if not _is_number(value.dtype):
        raise TypeError(f"{takes}, and was given {value.dtype}. {_of_bytes(value)}{PREPARED}")
    shape, wanted = tuple(value.shape), item.type.shape
    if len(shape) != len(wanted) + 1 or shape[1:] != wanted:
        raise ValueError(f"{takes}, and was given {_said(shape)}{_why(shape, wanted)}")
    if shape[0] == 0:
        raise ValueError(f"{takes}, and was given {_said(shape)}: a batch of no sample")
    return jnp.asarray(value, jnp.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


def _is_number(dtype: Any) -> bool | None:
    """Whether it is a type of floating-point numbers; None for another library's types."""
    try:
        return bool(jnp.issubdtype(dtype, jnp.floating))
    except TypeError:
        return None


def _of_bytes(value: Any) -> str:
    return "Bytes become numbers by the spec's `input` (range, mean, std). " if str(value.dtype) == "uint8" else ""


def _said(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _why(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What is likely the matter with a shape, and what mends it."""
    first = (*wanted[-1:], *wanted[:-1])
    if shape == wanted:
        return ", which has no batch axis: x[None] adds one"
    if len(wanted) > 1 and shape == first:
        return (
            ", one sample with channels first: jax.numpy.moveaxis(x, 0, -1)[None] puts them last and adds a batch axis"
        )
    if len(shape) != len(wanted) + 1:
        if wanted[-1] == 1 and len(wanted) > 1 and shape[1:] == wanted[:-1]:
            return ", which has no axis of channels: x[..., None] adds one"
        if wanted[-1] == 1 and len(wanted) > 1 and shape == wanted[:-1]:
            return ", which has neither batch nor channels: x[None, ..., None] adds both"
        return f", which has {count(len(shape), 'axis')} instead of {len(wanted) + 1}"
    if len(wanted) > 1 and shape[1:] == first:
        order = "NCHW" if len(wanted) == 3 else "NCL"
        return f", with channels first ({order}): jax.numpy.moveaxis(x, 1, -1) puts them last"
    if shape[-1] != wanted[-1]:
        word = "channel" if len(wanted) > 1 else "feature"
        return f": {count(shape[-1], word)} instead of {wanted[-1]}"
    if len(wanted) == 3 and shape[1:] == (wanted[1], wanted[0], wanted[2]):
        return ": height and width are the other way round"
    return ": another size, for which `spec.graph(input=…)` and `archspec.build` make a network of their own"
