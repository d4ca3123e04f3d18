"""What pydantic says of values that it refuses, in words of ours.

Imported once there is such a value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archspec.diagnostics import did_you_mean, listed
from archspec.fields import NAME_PATTERN
from archspec.located import describe


def choices(detail: ErrorDetails) -> list[str]:
    """The values that a field may have."""
    return str(detail.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")


SELF_EXPLAINING = {"value_error", "too_short", "too_long", "initialiser", "mesh", "missing"}

_REASONS: Mapping[str, str] = {
    "string_pattern_mismatch": "must be of letters, digits, `.`, `_` and `-` only",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number below 2⁶³",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "multiple_of": "must be a multiple of {multiple_of}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "enum": "must be one of {expected}",
    "none_required": "must be nothing",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "model_type": "must be a mapping",
    "missing": "is missing",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a field",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have {min_length} items or more",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} characters or more",
}


def reason(detail: ErrorDetails) -> str:
    """What a value must be, or is."""
    known = _REASONS.get(detail["type"])
    if detail["type"] == "string_pattern_mismatch" and detail.get("ctx", {}).get("pattern") != NAME_PATTERN:
        return f"must match the pattern {detail['ctx']['pattern']}"
    if detail["type"] == "literal_error" and len(there := choices(detail)) == 1:
        return f"must be {there[0]}"
    if known:
        context = {key: _plain(value) for key, value in detail.get("ctx", {}).items()}
        said = known.format(**context)
        return said.replace(" 1 items", " 1 item").replace(" 1 characters", " 1 character")
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message.replace("Input should be a valid ", "must be a ").replace("Input should ", "must ")
    return message[:1].lower() + message[1:]


def _plain(value: Any) -> str:
    """A bound as one writes it: whole numbers without a point."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e16
    return str(int(value) if whole else value).replace("'", "")


def in_words(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of values that no spec has written, such as those of a plugin's examples."""
    detail = error.errors(include_url=False)[0]
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]]
    name = "".join(parts).removeprefix(".")
    names = [info.alias or field for field, info in model.model_fields.items()]
    if detail["type"] == "extra_forbidden" and len(parts) == 1:
        there = did_you_mean(name, names) or f"there {_are(names)}"
        return f"there is no field `{name}`; {there}"
    if detail["type"] == "missing" and len(parts) == 1:
        return f"it lacks the field `{name}`"
    if not name:
        return reason(detail)
    value = "" if detail["type"] in SELF_EXPLAINING else f", not {describe(detail['input'])}"
    return f"`{name}` {reason(detail)}{value}"


def _are(fields: Collection[str]) -> str:
    return f"{'are' if len(fields) > 1 else 'is'} {listed(fields)}" if fields else "are none"
