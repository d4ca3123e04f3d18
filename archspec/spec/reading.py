"""Located YAML → pydantic models: `$(…)` is evaluated and every error is put at the place it comes from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from archspec.diagnostics import Findings, Mend, Span
from archspec.expressions import Environment, ExpressionError, bounded, cut_off, evaluate_text
from archspec.kinds import FAMILIES, Kind, KindError, family_of_field, find_kind, kind_names, takes_several
from archspec.located import Located, Scalar, Sequence, is_null, long_form
from archspec.located import Mapping as LocatedMapping

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
            cut = cut_off(node, error)
            help = [*([error.help] if error.help else []), *cut]
            mends: list[Mend] = []
            if cut:
                from archspec.spec.rewriting import quoted

                mends = quoted(node)
            findings.error("E202", error.message, node.span_at(error.offset, error.length), help=help, mends=mends)
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
            from archspec.spec.unknown import unknown_field

            meant.add(unknown_field(name, key, model, what, also, findings))
            complete = False
            continue
        family = family_of_field(info.metadata)
        section = _section_of(info) if isinstance(value_node, LocatedMapping) else None
        value: Any
        if family and is_null(value_node) and info.default is None:
            value = None
        elif family:
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
        from archspec.spec.refusals import Read, report_refusal

        report_refusal(error, Read(model, node, what, owner), unread, meant, findings)
        return None
    return result if complete else None


def read_kind(
    family: str,
    node: Located,
    env: Environment,
    findings: Findings,
) -> Any:
    """The kind that a node names (`relu`, `{dense: 84}`, `{sgd: {momentum: 0.9}}`), or `FAILED`."""
    content: Located | None = None
    name_node: Located = node
    if isinstance(node, LocatedMapping):
        if len(node.entries) != 1:
            from archspec.spec.unknown import not_one_kind

            not_one_kind(family, node, findings)
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
        from archspec.spec.unknown import unknown_kind

        unknown_kind(name, name_node.span, kind_names(family), FAMILIES[family], findings)
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
        from archspec.spec.unknown import no_value

        no_value(kind, content, findings)
        return None
    return long_form(kind.main, content)
