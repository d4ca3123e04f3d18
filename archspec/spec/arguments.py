"""Arguments of specs and blocks: declared with a type or a default, bound to values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.diagnostics import Findings, Label, Mend, Span
from archspec.expressions import Environment, layered
from archspec.located import Located, Scalar, describe, is_null
from archspec.located import Mapping as LocatedMapping
from archspec.spec.network import SECTIONS
from archspec.spec.reading import FAILED, evaluate

TYPE_WORDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "list": (list,),
    "pair": (list,),
}
"""Words that declare an argument as required, and the types they accept. A number stands for a pair of it twice."""

NOT_ARGUMENTS = ("name", "from", "when", "weights", "input", "true", "false", "null")
"""Words that cannot name an argument: fields of every entry, and what expressions have by themselves."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Argument(NamedTuple):
    """A declared argument: the type it must have, and its default unless it is required."""

    name: str
    key: Scalar
    types: tuple[type, ...] | None
    default: Located | None
    word: str | None = None
    """The word that declares its type, if one does."""
    reported: bool = False
    """Whether it has neither a type nor a default, which is among the findings already."""


def declared(node: Located | None, what: str, findings: Findings) -> dict[str, Argument]:
    """The arguments that an `args:` mapping declares."""
    if node is None or is_null(node):
        return {}
    if not isinstance(node, LocatedMapping):
        if what != "args":
            findings.error("E206", f"`args` of {what} is a mapping, not {node.described}", node.span)
        return {}
    arguments = {}
    for name, key, value in node.items():
        if not NAME.match(name) or name in NOT_ARGUMENTS:
            help = [f"it means something else; `{name}_` would do"] if name in NOT_ARGUMENTS else []
            findings.error("E209", f"`{name[:60]}` cannot name an argument", key.span, help=help)
            continue
        if what == "args" and name in SECTIONS:
            findings.error("E209", f"`{name}` is a section and cannot name an argument", key.span)
            continue
        word = value.value if isinstance(value, Scalar) else None
        if isinstance(word, str) and word in TYPE_WORDS:
            arguments[name] = Argument(name, key, TYPE_WORDS[word], None, word)
        elif is_null(value) and value.place[:2] == value.place[2:]:
            # Nothing is written there. A default of `null` is.
            findings.error(
                "E203",
                f"argument `{name}` needs a type or a default",
                key.span,
                help=[f"`{name}: int` where calls must give it, `{name}: 3` as a default, `{name}: null` for none"],
            )
            arguments[name] = Argument(name, key, None, None, reported=True)
        else:
            arguments[name] = Argument(name, key, None, value)
    return arguments


def bind(
    arguments: Mapping[str, Argument],
    given: Mapping[str, tuple[Scalar, Located]],
    env: Environment,
    caller: Environment,
    findings: Findings,
    what: str,
    owner: Span | None,
    values: dict[str, Any],
    *,
    lenient: bool = False,
) -> bool:
    """Values of arguments: those given are evaluated in the caller's environment, defaults in the definition's own.

    They are put into `values`. False when some could not be had; the reasons are among the findings.
    """
    complete = True
    scope = layered(values, env)
    for name, (key, _) in given.items():
        if name not in arguments:
            from archspec.spec.unknown import unknown_argument

            unknown_argument(name, key, arguments, what, owner, findings)
            complete = False
    for name, argument in arguments.items():
        default: Any = FAILED
        if argument.default is not None:
            default = evaluate(argument.default, scope, findings)
        types = argument.types or _types_of(default)
        if name in given:
            node = given[name][1]
            value = evaluate(node, scope if caller is env else caller, findings)
            paired = argument.word == "pair" or _is_pair(default)
            if paired and _is_number(value):
                value = [value, value]
            if value is not FAILED and (
                (types and not _is_of(value, types)) or (argument.word == "pair" and not _is_pair(value))
            ):
                words = "a number or a list of two" if paired else _type_words(types or ())
                help = _other_default(name, default, value, paired)
                findings.error(
                    "E206",
                    f"argument `{name}` of {what} must be {words}, not {describe(value)}",
                    node.span,
                    secondary=[Label(argument.key.span, "declared here")],
                    help=[help] if help else [],
                    mends=_with_default(argument.default, help) if help else [],
                )
                value = FAILED
        elif argument.default is None:
            if not lenient and not argument.reported:
                findings.error(
                    "E203",
                    f"{what} needs the argument `{name}`",
                    owner or argument.key.span,
                    secondary=[Label(argument.key.span, "declared here")] if owner else [],
                    help=[f"choose a variant, or give --set args.{name}=…"] if owner is None else [],
                )
            value = FAILED
        else:
            value = default
        if value is FAILED:
            complete = False
        else:
            values[name] = value
    return complete


def _other_default(name: str, default: Any, value: Any, paired: bool) -> str | None:
    """The default with which an argument would take a value that does not fit it."""
    if not paired and _is_pair(value) and _is_number(default):
        return f"`{name}: [{default}, {default}]` as the default takes a number or a pair"
    if type(default) is int and type(value) is float:
        return f"`{name}: {default}.0` as the default takes any number"
    return None


def _with_default(default: Located | None, help: str) -> list[Mend]:
    """The default that a help line writes, in place of the one that there is."""
    from archspec.spec.mending import respelt

    better = help.removeprefix("`").partition("`")[0].partition(": ")[2]
    return respelt(default, better, help)


def _types_of(default: Any) -> tuple[type, ...] | None:
    if default is FAILED or default is None:
        return None
    if isinstance(default, float):
        return (float, int)
    return (type(default),)


def _is_of(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _type_words(types: tuple[type, ...]) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", list: "a list"}
    return words.get(types[0], types[0].__name__)
