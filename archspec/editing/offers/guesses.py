"""Values that a field might have, the likeliest first: whether they fit is for the layer to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from archspec.kinds import plain
from archspec.types import TensorType

MAX_DIVISORS = 40

LARGEST_WHOLE = 16
"""The side of the largest map of which a window is offered that covers all of it."""

USUAL: dict[str, tuple[Any, ...]] = {
    "kernel": (3, 1, 5, 7, 11, 2),
    "window": (2, 3, 1),
    "stride": (2, 1, 4),
    "dilation": (2, 4, 1),
    "filters": (64, 32, 16, 128, 256, 512, 8),
    "units": (10, 64, 128, 256, 512, 1000),
    "block": (2, 4, 8, 1),
    "factor": (2, 4, 1),
    "size": (1, 2, 7, 4, 8),
    "rate": (0.5, 0.2, 0.1),
    "multiplier": (1, 2, 4),
    "heads": (1, 2, 4, 8),
    "groups": (1,),
    "times": (2, 3, 4),
    "parts": (2, 3, 4, 1),
    "learning_rate": (0.001, 0.01, 0.1),
    "momentum": (0.9,),
    "weight_decay": (0.0001, 0.05),
    "batch_size": (128, 64, 256),
    "epochs": (10, 90),
    "height": (224, 32, 28),
    "width": (224, 32, 28),
    "channels": (3, 1),
    "length": (16000, 1024),
    "features": (10, 64),
    "ema": (0.999,),
    "validation": (0.1,),
    "early_stopping": (5,),
    "k": (5,),
    "year": (2015,),
}
"""What people write in fields of these names."""


def literals(annotation: Any) -> Iterator[str]:
    """The words that an annotation allows, those in unions and lists too."""
    if get_origin(annotation) is Literal:
        yield from (str(value) for value in get_args(annotation) if isinstance(value, (str, int)))
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for inner in get_args(annotation):
            yield from literals(inner)


def words_in(annotation: Any) -> Iterator[str]:
    """The words that the items of a list may be."""
    if get_origin(annotation) is tuple:
        for inner in get_args(annotation):
            yield from literals(inner)
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for inner in get_args(annotation):
            yield from words_in(inner)


def _types(annotation: Any) -> set[Any]:
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return {kind for inner in get_args(annotation) for kind in _types(inner)}
    return {annotation, get_origin(annotation)}


def yaml_of(value: Any) -> str:
    """A plain value as the language writes it on one line."""
    value = plain(value)
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {yaml_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml_of, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    return repr(value)


def _is_plain(text: str) -> bool:
    if text.lower() in ("null", "true", "false"):
        return False
    return text.replace("_", "a").replace("-", "a").replace(".", "a").isalnum() and text[:1].isalpha()


def divisors(number: int) -> list[int]:
    """The numbers that divide a number, the least first."""
    low = [n for n in range(1, int(number**0.5) + 1) if number % n == 0] if number < 10**12 else [1]
    return sorted({*low, *(number // n for n in low)})


def guesses(name: str, info: FieldInfo, x: TensorType | None, arguments: dict[str, Any]) -> Iterator[str]:
    """Values of a field as the language writes them. `x` is what comes in, `arguments` what `$(…)` sees."""
    annotation: Any = info.annotation
    kinds = _types(annotation)
    yield from literals(annotation)
    if bool in kinds:
        default = info.default is True
        yield from ("false", "true") if default else ("true", "false")
        return
    if name in ("pad", "sides", "offset"):
        yield from ("1", "0", "2", "3")
        return
    if str in kinds and not (kinds & {int, float}):
        return
    yield from _numbers(name, kinds, x, arguments)
    if not info.is_required() and info.default is not None and not isinstance(info.default, str):
        yield yaml_of(info.default)


def _numbers(name: str, kinds: set[Any], x: TensorType | None, arguments: dict[str, Any]) -> Iterator[str]:
    whole = int in kinds or tuple in kinds
    if name == "units" and isinstance(arguments.get("classes"), int):
        yield "$(classes)"
    if x is not None and name in ("groups", "block", "heads"):
        yield from map(str, islice((n for n in divisors(x.channels) if n > 1), MAX_DIVISORS))
    if x is not None and name == "filters":
        yield str(x.channels) if x.channels >= 16 else "16"
        yield str(2 * x.channels)
    if x is not None and name == "channels":
        yield f"[0, {max(1, x.channels // 2)}]" if tuple in kinds else str(2 * x.channels)
    if x is not None and name in ("kernel", "window", "size") and x.spatial:
        yield from (str(number) for number in USUAL[name] if number <= min(x.spatial))
        sides = x.spatial
        if max(sides) <= LARGEST_WHOLE:
            yield str(sides[0]) if len(set(sides)) == 1 else yaml_of(list(sides))
        return
    if x is not None and name in ("rows", "columns", "length") and tuple in kinds and x.spatial:
        size = x.spatial[-1] if name == "columns" else x.spatial[0]
        yield f"[0, {max(1, size // 2)}]"
    if name == "shape":
        yield "[-1]" if x is None or x.spatial else f"[1, 1, {x.size}]"
    if name == "connections":
        yield "[[0]]"
    for value in USUAL.get(name, ()):
        yield yaml_of(value if whole or not isinstance(value, int) else float(value))
    if name not in USUAL:
        yield from ("1", "2") if int in kinds else ("1.0", "0.1", "0.5") if float in kinds else ()
    if whole:
        yield from (f"$({word})" for word, value in arguments.items() if type(value) is int)
