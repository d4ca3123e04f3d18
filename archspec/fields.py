"""Types of fields that the kinds share: numbers, pairs, paddings.

Each accepts what the language writes and gives one normal form, with a message that a reader of the spec understands.
"""

from __future__ import annotations

from math import isfinite
from os.path import expanduser
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_SIZE = 2**31 - 1

PositiveInt = Annotated[int, Field(strict=True, gt=0, le=MAX_SIZE)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)]
Count = Annotated[int, Field(strict=True, gt=0, le=10**18)]


LARGEST, SMALLEST = 3.4028234e38, 1.1754944e-38
"""The largest number of single precision, with which networks compute, and the least above 0 of full precision."""


def _check_single(value: float) -> float:
    if abs(value) > LARGEST:
        raise PydanticCustomError("single", "is too large: networks compute with numbers up to 3.4e38")
    if 0 < abs(value) < SMALLEST:
        raise PydanticCustomError("single", "is too small: networks compute with 0 and with numbers from 1.2e-38 on")
    return value


Single = AfterValidator(_check_single)
"""Numbers that single precision has."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False), Single]
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False), Single]
NonNegativeNumber = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False), Single]
Probability = Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]

NAME_PATTERN = r"^[A-Za-z0-9_.-]*$"
ShortName = Annotated[str, Field(strict=True, min_length=1, max_length=100, pattern=NAME_PATTERN)]
"""Letters, digits, `_`, `.` and `-`. Patterns with Unicode classes and counts take tens of milliseconds to compile."""


def at_home(path: str) -> str:
    """The path with `~` and `~user` at its beginning replaced by the home folder; as it is where there is none."""
    return expanduser(path) if path.startswith("~") else path


def _check_path(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("path", "must not hold a null character")
    return at_home(value)


FilePath = Annotated[str, Field(strict=True, min_length=1, max_length=4_000), AfterValidator(_check_path)]

Rounding = Literal["floor", "ceil", "exact"]
"""What becomes of (W1 − F + 2P)/S + 1 when it is not a whole number."""

Sides = tuple[tuple[int, int], ...]
"""((top, bottom), (left, right)) of a map; ((before, after),) is of a signal alone."""


def is_number(value: Any) -> bool:
    """Whether a value is a number, and a finite one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_int(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= MAX_SIZE


def _is_ints(value: Any, low: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(_is_int(item, low) for item in value)


def _read_pair(value: Any) -> Any:
    if _is_int(value, 1):
        return (value, value)
    if _is_ints(value, 1):
        return tuple(value)
    raise PydanticCustomError("pair", "must be a whole number of 1 or more, or two of them: [height, width]")


def _read_offset(value: Any) -> Any:
    if _is_int(value, 0):
        return (value, value)
    if _is_ints(value, 0):
        return tuple(value)
    raise PydanticCustomError("offset", "must be a whole number of 0 or more, or two of them: [height, width]")


def read_sides(value: Any) -> Sides:
    """`1`, `[h, w]` or `[[top, bottom], [left, right]]` as the last of these; `[[before, after]]` stays as it is."""
    if _is_int(value, 0):
        return ((value, value), (value, value))
    if _is_ints(value, 0):
        return ((value[0], value[0]), (value[1], value[1]))
    if isinstance(value, (list, tuple)) and len(value) in (1, 2) and all(_is_ints(item, 0) for item in value):
        return tuple((first, last) for first, last in value)
    raise PydanticCustomError(
        "sides",
        "must be a whole number of 0 or more, [height, width], [[top, bottom], [left, right]], or [[before, after]] "
        "of a signal",
    )


PAD_WORDS = ("same", "same_upper", "valid", "causal")


def _read_padding(value: Any) -> Any:
    if isinstance(value, str):
        if value in PAD_WORDS:
            return value
        raise PydanticCustomError(
            "padding",
            "must be same, same_upper, valid, causal, a number, [height, width], [[top, bottom], [left, right]], or "
            "[[before, after]] of a signal",
        )
    return read_sides(value)


def _pair_schema(low: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "integer", "minimum": low}, "minItems": 2, "maxItems": 2}


_SIDES_SCHEMA = [
    {"type": "integer", "minimum": 0},
    _pair_schema(0),
    {"type": "array", "items": _pair_schema(0), "minItems": 1, "maxItems": 2},
]

Pair = Annotated[
    tuple[int, int],
    BeforeValidator(_read_pair),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _pair_schema(1)]}),
]
"""A size over height and width: one number for both, or [height, width]. A signal, of one axis, takes one number."""

MAX_IMAGE_PIXELS = 2**27


def _read_size(value: Any) -> Any:
    height, width = _read_pair(value)
    if height * width > MAX_IMAGE_PIXELS:
        raise PydanticCustomError("size", "is more than 134 million pixels")
    return (height, width)


ImageSize = Annotated[
    tuple[int, int],
    BeforeValidator(_read_size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _pair_schema(1)]}),
]
"""Height and width of an image that is made, within what can be held."""

Offset = Annotated[
    tuple[int, int],
    BeforeValidator(_read_offset),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _pair_schema(0)]}),
]
"""Pixels over height and width, 0 or more: one number for both, or [height, width]; of a signal one number."""

Border = Annotated[Sides, BeforeValidator(read_sides), WithJsonSchema({"anyOf": _SIDES_SCHEMA})]
"""Pixels on the four sides of a map, or on the two of a signal."""

Padding = Annotated[
    Sides | Literal["same", "same_upper", "valid", "causal"],
    BeforeValidator(_read_padding),
    WithJsonSchema({"anyOf": [{"enum": [*PAD_WORDS]}, *_SIDES_SCHEMA]}),
]
"""Pixels on the sides, or a rule: `same` is (F−1)/2·dilation on both sides for odd kernels (the papers' and
PyTorch's meaning), `same_upper` is TensorFlow's (the output is ceil(W1/S); an odd pixel goes to the bottom and right),
`valid` is none, `causal` is (F−1)·dilation at the beginning of a signal."""
