"""What people may have meant: names of other libraries, near spellings, a space that is missing.

Imported once a spec has a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from archspec.diagnostics import did_you_mean
from archspec.spec.other_names import AUGMENT, FIELDS, KINDS, METRICS, NO_FIELD, NO_KIND, NOTHING, OTHERWISE, VALUES
from archspec.spelling import Meant

_DIMENSIONS = re.compile(r"[123]d(?=$|transpose|lstm)")


def plain_name(name: str) -> str:
    """A name as the tables of other libraries' names have it."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def synonyms(name: str) -> tuple[str, ...]:
    """What this language may call a field that other libraries call so; the name itself where nothing is known."""
    return FIELDS.get(plain_name(name), (name,))


def is_shape(name: str) -> bool:
    """Whether a field is what other libraries call the shape of an input."""
    return plain_name(name) in (
        "shape",
        "inputshape",
        "inputsize",
        "size",
        "inputdim",
        "inputdims",
        "imagesize",
        "imgsz",
    )


def shape_of(value: Any) -> dict[str, int] | None:
    """The fields of an input of the shape that a list is, where it can only be one."""
    said = shape_hint(value)
    fields = re.fullmatch(r"write `input: \{(.*)\}`", said or "")
    return {name: int(number) for name, number in re.findall(r"(\w+): (\d+)", fields[1])} if fields else None


def shape_hint(value: Any, name: str = "input", *, side: bool = False) -> str | None:
    """How an input is written that was given as a list, as Keras and PyTorch have it: `[28, 28, 1]`, `[3, 224, 224]`.

    None where the list is no shape. An axis for the batch is left out. With `side` one or two numbers are those of an
    image, as a size is.
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}( ?[x×,] ?\d{1,6})+", value):
        value = [int(number) for number in re.findall(r"\d+", value)]
    numbers = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(numbers) > 1 and (numbers[0] in (None, "None", "N", -1) or len(numbers) == 4):
        numbers = numbers[1:]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in numbers):
        return None
    if side and len(numbers) < 3:
        return f"of an image `{name}: {{height: {numbers[0]}, width: {numbers[-1]}, channels: 3}}`"
    if len(numbers) == 3:
        height, width, channels = numbers
        # PyTorch's order has the channels first.
        if height <= 4 < min(width, channels):
            height, width, channels = width, channels, height
        return f"write `{name}: {{height: {height}, width: {width}, channels: {channels}}}`"
    if len(numbers) == 2:
        first, second = numbers
        return (
            f"an image is `{name}: {{height: {first}, width: {second}, channels: 1}}`, a signal "
            f"`{name}: {{length: {max(numbers)}, channels: {min(numbers)}}}`"
        )
    return f"write `{name}: {{features: {numbers[0]}}}`" if len(numbers) == 1 else None


INPUTS = "for example `inputs: {left: {height: 28, width: 28, channels: 1}, number: {features: 10}}`"

KIND_AS_VALUE = ("type", "class_name", "class", "module", "kind", "layer")
"""Keys under which other formats write a layer's kind."""


def space_missing(name: str, known: Iterable[str]) -> Meant | None:
    """`height:28`, which YAML reads as one word, or None where it is something else."""
    word, colon, value = name.partition(":")
    if not colon or word not in set(known):
        return None
    value = value.strip()
    said = f"a space belongs after the colon: `{word}: {value[:40] or '…'}`"
    return Meant(name, f"{word}: {value}", certain=bool(value), said=said)


def field_hint(name: str, known: Iterable[str], also: Iterable[str] = ()) -> str | None:
    """What a field that there is not may have been meant to be; None where nothing is near."""
    known = list(known)
    spaced = space_missing(name, [*known, *also])
    if spaced:
        return spaced
    plain = plain_name(name)
    for candidate in [*known, *also]:
        if plain_name(candidate) == plain:
            return Meant(name, candidate)
    theirs = [candidate for candidate in FIELDS.get(plain, ()) if candidate in known or candidate in also]
    if theirs:
        return Meant(name, theirs[0], certain=len(theirs) == 1 and plain not in OTHERWISE)
    return NO_FIELD.get(plain) or did_you_mean(name, [*known, *also])


def choice_hint(value: Any, known: Iterable[str]) -> str | None:
    """Which of a field's values another may have been meant to be; None where nothing is near."""
    known = list(known)
    word = str(value).lower() if isinstance(value, bool) else str(value)
    for candidate in VALUES.get(plain_name(word), ()):
        if candidate in known:
            return Meant(word, candidate)
    return did_you_mean(word, known)


def kind_hint(name: str, known: Iterable[str]) -> str | None:
    """What a kind that there is not may have been meant to be; None where nothing is near."""
    known = list(known)
    spaced = space_missing(name, known)
    if spaced:
        return spaced
    written = plain_name(name.rpartition(".")[2]).removeprefix("lazy")
    plain = _DIMENSIONS.sub("", written)
    is_layer = "conv" in known
    if is_layer and plain != written and "3d" in written and plain != "dropout":
        return "layers work on maps, signals and vectors; there are no volumes"
    for elsewhere in (KINDS.get(written), KINDS.get(plain), METRICS.get(plain)):
        if elsewhere is not None and elsewhere in known:
            return Meant(name, elsewhere, certain=not {written, plain} & OTHERWISE)
    for candidate in known:
        if plain_name(candidate) == plain:
            return Meant(name, candidate)
    if is_layer:
        loss = KINDS.get(plain, KINDS.get(plain.removesuffix("loss"), ""))
        if plain.endswith("loss"):
            return "a loss is said in `train`, or with an output: `loss: " + (loss or "…") + "`"
        if plain in NO_KIND or plain.startswith("random"):
            return NO_KIND.get(plain, AUGMENT)
        if plain in NOTHING:
            return None
    return did_you_mean(name, known)
