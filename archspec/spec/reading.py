"""Located YAML → pydantic models: `$(…)` is evaluated and every error is put at the place it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from archspec.diagnostics import Findings, Span, did_you_mean, listed
from archspec.expressions import UNCLOSED, Environment, ExpressionError, bounded, evaluate_text
from archspec.kinds import FAMILIES, Kind, KindError, family_of_field, find_kind, kind_names, takes_several
from archspec.located import Located, Scalar, Sequence, describe, is_null, long_form
from archspec.located import Mapping as LocatedMapping
from archspec.spec.hints import field_hint, kind_hint, synonyms

Model = TypeVar("Model", bound=BaseModel)


@cache
def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields by the names that the language has for them."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _section_of(info: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, if it holds one or none."""
    optional = get_origin(info.annotation) in (Union, UnionType)
    choices = get_args(info.annotation) if optional else (info.annotation,)
    sections = (choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel))
    return next(sections, None)


class Failed:
    """Stands for a value that could not be read; the reason is among the findings."""


FAILED = Failed()


def evaluate(node: Located, env: Environment, findings: Findings) -> Any:
    """The node in plain Python with every `$(…)` evaluated, or `FAILED`."""
    if not node.dynamic:
        return node.plain
    if isinstance(node, Scalar):
        try:
            return evaluate_text(node.value, env)
        except ExpressionError as error:
            if error.silent:
                return FAILED
            findings.error(
                "E202",
                error.message,
                node.span_at(error.offset, error.length),
                help=[*([error.help] if error.help else []), *_cut_off(node, error)],
            )
            return FAILED
    result: Any
    if isinstance(node, Sequence):
        result = [evaluate(item, env, findings) for item in node.items]
        failed = any(item is FAILED for item in result)
    else:
        assert isinstance(node, LocatedMapping)
        result = {name: evaluate(value, env, findings) for name, _, value in node.items()}
        failed = any(value is FAILED for value in result.values())
    if failed:
        return FAILED
    try:
        return bounded(result)
    except ExpressionError as error:
        findings.error("E202", error.message, node.span)
        return FAILED


def _cut_off(node: Scalar, error: ExpressionError) -> list[str]:
    """What to do where YAML has ended a value within its expression, at a comma or bracket inside `{ }`."""
    after = node.source.line(node.end_line)[node.end_column - 1 :].lstrip()
    if error.message != UNCLOSED or not after.startswith((",", "[", "]", "{")):
        return []
    return ['inside { } and [ ] a value ends at a comma or bracket: put quotes around it, "$(…)"']


def read_model(
    model: type[Model],
    node: LocatedMapping,
    env: Environment,
    findings: Findings,
    what: str,
    owner: Span,
    *,
    also: Iterable[str] = (),
) -> Model | None:
    """The model that a mapping describes, or None with the reasons among the findings.

    `what` names the thing in messages, `owner` is where missing fields are reported, `also` lists keys that
    did-you-mean may suggest although the model has no such field.
    """
    values: dict[str, Any] = {}
    unread: set[str] = set()
    complete = True
    meant: set[str | None] = set()
    fields = fields_of(model)
    for name, key, value_node in node.items():
        info = fields.get(name)
        if info is None:
            meant.add(_unknown_field(name, key, model, findings, what, also))
            complete = False
            continue
        family = family_of_field(info.metadata)
        section = _section_of(info) if isinstance(value_node, LocatedMapping) else None
        value: Any
        if family:
            read = read_kinds if takes_several(info.metadata) else read_kind
            value = read(family, value_node, env, findings)
        elif section is not None:
            assert isinstance(value_node, LocatedMapping)
            value = read_model(section, value_node, env, findings, f"{what}.{name}", key.span) or FAILED
        else:
            value = evaluate(value_node, env, findings)
        if value is FAILED:
            unread.add(name)
            complete = False
        else:
            values[name] = value
    try:
        result = model.model_validate(values)
    except ValidationError as error:
        details = []
        for detail in error.errors(include_url=False):
            lacking = str(detail["loc"][0]) if detail["type"] == "missing" else ""
            named = (f"did you mean `{lacking}`?", f"colon: `{lacking}: ")
            misspelt = lacking and any(words in hint for hint in meant if hint for words in named)
            # What is left out may well be the other layer's, where `weights` was meant.
            misspelt = misspelt or (lacking and "did you mean `weights`?" in meant)
            if not misspelt and not (detail["loc"] and detail["loc"][0] in unread):
                details.append(detail)
        for alike in _by_value(details, node):
            _field_error(alike, model, node, findings, what, owner)
        return None
    return result if complete else None


def read_kind(
    family: str,
    node: Located,
    env: Environment,
    findings: Findings,
) -> Any:
    """The kind that a node names (`relu`, `{dense: 84}`, `{sgd: {momentum: 0.9}}`), or `FAILED`."""
    word = FAMILIES[family]
    content: Located | None = None
    name_node: Located = node
    if isinstance(node, LocatedMapping):
        if len(node.entries) != 1:
            findings.error(
                "E205",
                f"{_article(word)} is one kind with its fields, not a mapping of {len(node.entries)} keys",
                node.span,
                help=[
                    _nested(node, family) or f"write {{kind: {{field: value}}}}; kinds: {listed(kind_names(family))}"
                ],
            )
            return FAILED
        name_node, content = next(iter(node.entries.values()))
    name = evaluate(name_node, env, findings)
    if name is FAILED:
        return FAILED
    try:
        kind = find_kind(family, name) if isinstance(name, str) else None
    except KindError as error:
        findings.error("E217", str(error), name_node.span)
        return FAILED
    if kind is None:
        unknown_kind(name, name_node.span, kind_names(family), word, findings)
        return FAILED
    return read_kind_fields(kind, content, name_node, env, findings)


def read_kinds(family: str, node: Located, env: Environment, findings: Findings) -> Any:
    """The kinds that a list names, or the one that stands for a list of it alone; or `FAILED`."""
    items = node.items if isinstance(node, Sequence) else (node,)
    kinds = [read_kind(family, item, env, findings) for item in items]
    return FAILED if any(kind is FAILED for kind in kinds) else tuple(kinds)


def read_kind_fields(
    kind: type[Kind], content: Located | None, name_node: Located, env: Environment, findings: Findings
) -> Any:
    """A kind from what follows its name: nothing, its main value, or a mapping of fields; or `FAILED`."""
    fields = as_fields(kind, content, name_node, findings)
    if fields is None:
        return FAILED
    if not fields.entries and not kind.needs_validation():
        return kind.plain_default()
    model = read_model(kind, fields, env, findings, kind.kind, name_node.span)
    return FAILED if model is None else model


def as_fields(
    kind: type[Kind], content: Located | None, name_node: Located, findings: Findings
) -> LocatedMapping | None:
    """What follows a kind's name as a mapping of fields."""
    if isinstance(content, LocatedMapping):
        return content
    empty = LocatedMapping(name_node.source, name_node.place, {})
    if content is None or is_null(content):
        return empty
    if kind.main is None:
        findings.error(
            "E205",
            f"{kind.kind} takes no value, but is given {content.described}",
            content.span,
            help=[_join_help(kind, content) or _fields_help(kind)],
        )
        return None
    return long_form(kind.main, content)


def _join_help(kind: type[Kind], content: Located) -> str | None:
    """What to write for `add: [a, b]` and `add: a`."""
    if getattr(kind, "min_inputs", 1) < 2:
        return None
    items = [*content.items[:8]] if isinstance(content, Sequence) else [content, None]
    names = ", ".join(str(item.plain)[:40] if isinstance(item, Scalar) else "…" for item in items)
    return f"`from` names the layers that are joined: `- {kind.kind}: {{from: [{names}]}}`"


OWN = "one of your own, from a Python file: `--plugin my_layers.py` (docs/plugins.md)"


def _nested(node: LocatedMapping, family: str) -> str | None:
    """How `{table: houses.csv, targets: price}` is written, where fields stand beside their kind; None for all else."""
    if not node.entries:
        return None
    (name, _, content), *rest = node.items()
    kind = find_kind(family, name) if name in kind_names(family) else None
    if kind is None or kind.main is None or not isinstance(content, Scalar):
        return None
    fields = [(kind.main, content), *((field, value) for field, _, value in rest)]
    if any(not isinstance(value, Scalar) or field not in kind.model_fields for field, value in fields):
        return None
    written = ", ".join(f"{field}: {str(value.plain)[:60]}" for field, value in fields)
    return f"fields stand within their kind: `{{{name}: {{{written}}}}}`"


_FILES = {"csv": "table", "tsv": "table", "npz": "npz"}
"""The dataset that a file is of, by its ending."""


def unknown_kind(name: Any, span: Span | None, known: Iterable[str], word: str, findings: Findings) -> None:
    """Reports a name that is no kind, with the nearest that is."""
    known = sorted(known)
    hint = _field_of(name, known, word) or kind_hint(name, known) if isinstance(name, str) else None
    if word == "dataset" and isinstance(name, str) and (kind := _FILES.get(name.lower().rpartition(".")[2])):
        hint = f"write `{{{kind}: {name[:60]}}}`"
    findings.error(
        "E204",
        f"{describe(name) if not isinstance(name, str) else f'`{name[:60]}`'} is not {_article(word)}",
        span,
        help=[hint] if hint else [f"there are {listed(known, 100)}", OWN],
    )


def _field_of(name: str, known: list[str], word: str) -> str | None:
    """What to say of a name that is no kind but a field of some, as in `optimiser: {learning_rate: 0.1}`."""
    name = synonyms(name)[0]
    family = next((family for family, own in FAMILIES.items() if own == word and family != "layers"), None)
    holders = []
    for kind in known if family else ():
        try:
            kind_class = find_kind(family or "", kind)
        except KindError:
            continue
        if kind_class is not None and name in kind_class.model_fields:
            holders.append(kind)
    if not holders:
        return None
    first = "sgd" if "sgd" in holders else holders[0]
    return f"`{name}` is a field of {listed(holders)}; the kind stands before it: {first}: {{{name}: …}}"


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _fields_help(model: type[BaseModel]) -> str:
    names = list(fields_of(model))
    return f"fields: {listed(names, 30)}" if names else "it has no fields"


def _unknown_field(
    name: str, key: Scalar, model: type[BaseModel], findings: Findings, what: str, also: Iterable[str]
) -> str | None:
    """Reports a field that there is not; returns the did-you-mean."""
    hint = field_hint(name, fields_of(model), also)
    if hint is None and "optimiser" in fields_of(model) and "learning_rate" in synonyms(name):
        hint = "the optimiser has it: `optimiser: {sgd: {learning_rate: …}}`"
    if hint is None and what == "train" and name == "task":
        hint = "`task` is a section of its own, beside `train`"
    findings.error(
        "E201", f"{what} has no field `{name[:60]}`", key.span, help=[hint] if hint else [_fields_help(model)]
    )
    return hint


def _by_value(details: list[ErrorDetails], node: LocatedMapping) -> Iterable[list[ErrorDetails]]:
    """The errors of each value. One that fits no alternative of a union has an error for each of them.

    Where an alternative finds a fault inside the value, that is the one that was meant.
    """
    names: dict[str, list[ErrorDetails]] = {}
    for detail in details:
        names.setdefault(_name_and_place(detail, node)[0], []).append(detail)
    for name, alike in names.items():
        if not name or not any(other.startswith((f"{name}.", f"{name}[")) for other in names):
            yield alike


def _name_and_place(detail: ErrorDetails, node: LocatedMapping) -> tuple[str, Located | None]:
    """What an error calls the value that it is about, and where that is."""
    place: Located | None = node
    names: list[str] = []
    for part in detail["loc"]:
        inner = _inside(place, part)
        if inner is None and names and detail["type"] != "missing":
            if isinstance(part, str):
                continue  # which of a union's alternatives it is
            break
        names.append(f"[{part}]" if isinstance(part, int) else (f".{part}" if names else str(part)))
        if inner is None and len(names) > 1:
            break  # what is missing has no place but that of what lacks it
        place = inner
    return "".join(names), place


def _field_error(
    alike: list[ErrorDetails],
    model: type[BaseModel],
    node: LocatedMapping,
    findings: Findings,
    what: str,
    owner: Span,
) -> None:
    """Reports what is wrong with one value."""
    detail = alike[0]
    loc = detail["loc"]
    if detail["type"] == "missing" and len(loc) == 1:
        name = str(loc[0])
        info = fields_of(model)[name]
        findings.error(
            "E203",
            f"{what} needs `{name}`",
            owner,
            help=[f"{name}: {info.description}"] if info.description else [],
        )
        return
    if not loc:
        findings.error("E206", f"{what}: {_reason(detail)}", owner)
        return
    name, place = _name_and_place(detail, node)
    plain = isinstance(place, Scalar) and not place.dynamic and detail["type"] != "initialiser"
    value = f", not {place.described}" if plain and place is not None else ""
    if isinstance(place, Scalar) and place.dynamic:
        value = f", but {place.value} is {describe(detail['input'])}"
    elif place is not None and not value and detail["type"] not in _SELF_EXPLAINING:
        value = f", not {describe(place.plain)}"
    hints = [
        did_you_mean(str(item["input"]), _choices(item)) if item["type"] == "literal_error" else None for item in alike
    ]
    reasons = [_reason(item) for item in alike]
    reasons[1:] = [text.removeprefix("must be ") for text in reasons[1:]]
    findings.error(
        "E206",
        f"`{name}` of {what} {' or '.join(reasons)}{value}",
        place.span if place is not None else owner,
        help=[hint for hint in hints if hint],
    )


def _choices(detail: ErrorDetails) -> list[str]:
    """The values that a field may have."""
    return str(detail.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")


_SELF_EXPLAINING = {"value_error", "too_short", "too_long", "initialiser", "missing"}

_REASONS: Mapping[str, str] = {
    "string_pattern_mismatch": "must be of letters, digits, `.`, `_` and `-` only",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "missing": "is missing",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a field",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have {min_length} items or more",
    "string_too_long": "must have at most {max_length} characters",
}


def _reason(detail: ErrorDetails) -> str:
    known = _REASONS.get(detail["type"])
    if detail["type"] == "literal_error" and len(choices := _choices(detail)) == 1:
        return f"must be {choices[0]}"
    if known:
        context = {key: _plain(value) for key, value in detail.get("ctx", {}).items()}
        return known.format(**context)
    message = detail["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _plain(value: Any) -> str:
    """A bound as one writes it: whole numbers without a point."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e16
    return str(int(value) if whole else value).replace("'", "")


def _inside(node: Located | None, part: int | str) -> Located | None:
    if isinstance(node, LocatedMapping) and isinstance(part, str):
        return node.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None
