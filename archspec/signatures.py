"""Functions of another package read from its source files: names, arguments, types, defaults and what is said of them.

Nothing is imported, so that a spec that names one is validated at the price of parsing a file; and nothing is kept by
hand, so that what is found is what the installed version has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo

from archspec.fields import Flag, NonNegativeInt, NonNegativeNumber, Number, PositiveInt, PositiveNumber, Probability


class _Missing:
    """Stands for the default of an argument that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = _Missing()
ELSEWHERE = _Missing()
"""Stands for a default that is no literal."""


class Argument(NamedTuple):
    """An argument of a function."""

    name: str
    annotation: str
    default: Any
    """A literal, `REQUIRED`, or `ELSEWHERE`."""
    text: str
    """What the function's documentation says of it."""

    @property
    def words(self) -> frozenset[str]:
        """The names in its annotation."""
        return frozenset(re.findall(r"[A-Za-z_]+", self.annotation))

    @property
    def optional(self) -> bool:
        """Whether None may be given."""
        return self.default is None or not self.words.isdisjoint({"Optional", "None"})

    @property
    def writable(self) -> bool:
        """Whether its values are numbers, flags, words, or mappings of these: what a spec can say."""
        return self.words <= _WRITABLE and "deprecated" not in self.text.lower()


_PLAIN = frozenset(("float", "int", "bool", "str", "dict", "Iterable", "Sequence", "list"))
_ARRAYS = frozenset(("jax", "chex", "base", "ArrayLike", "Array", "ScalarOrSchedule", "Scalar", "Numeric"))
_WRITABLE = _PLAIN | _ARRAYS | {"typing", "Optional", "Union", "None"}


class Function(NamedTuple):
    """A function of another package."""

    name: str
    package: str
    text: str
    arguments: tuple[Argument, ...]
    returns: str

    @property
    def summary(self) -> str:
        """The first sentence of its documentation."""
        return plain_text(self.text.split("\n\n")[0])


@cache
def functions(package: str, init: str, module: str) -> dict[str, Function]:
    """The functions that a package's file `init` imports from modules called `module`, by name; none where it has not.

    Partial applications of such functions are functions too.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent
    wanted: dict[str, list[str]] = {}
    for node in _parsed(root / init):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.rpartition(".")[2] == module:
            wanted.setdefault(node.module, []).extend(item.name for item in node.names)
    found: dict[str, Function] = {}
    for dotted, names in wanted.items():
        own = {function.name: function for function in _functions(root.parent / f"{dotted.replace('.', '/')}.py")}
        found |= {name: own[name]._replace(package=package) for name in names if name in own}
    return found


def _parsed(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_text("utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return []


def _functions(path: Path) -> Iterator[Function]:
    made: dict[str, Function] = {}
    for node in _parsed(path):
        if isinstance(node, ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            returns = ast.unparse(node.returns) if node.returns else ""
            made[node.name] = Function(
                node.name, "", text, tuple(_arguments(node.args, _argument_texts(text))), returns
            )
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name) and isinstance(value, ast.Call) and ast.unparse(value.func) in _PARTIAL:
                base = made.get(ast.unparse(value.args[0])) if len(value.args) == 1 else None
                if base is not None:
                    given = {keyword.arg for keyword in value.keywords}
                    rest = tuple(argument for argument in base.arguments if argument.name not in given)
                    made[target.id] = base._replace(name=target.id, arguments=rest)
            elif isinstance(target, ast.Attribute) and target.attr == "__doc__" and isinstance(value, ast.Constant):
                name = ast.unparse(target.value)
                if name in made and isinstance(value.value, str):
                    made[name] = made[name]._replace(text=value.value)
    yield from made.values()


_PARTIAL = ("functools.partial", "partial")


def _arguments(given: ast.arguments, texts: dict[str, str]) -> Iterator[Argument]:
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    for argument, default in zip([*plain, *given.kwonlyargs], [*defaults, *given.kw_defaults], strict=True):
        value: Any = REQUIRED
        if default is not None:
            try:
                value = ast.literal_eval(default)
            except ValueError:
                value = ELSEWHERE
        annotation = ast.unparse(argument.annotation) if argument.annotation else "Any"
        yield Argument(argument.arg, annotation, value, texts.get(argument.arg, ""))


def _argument_texts(text: str) -> dict[str, str]:
    """What a docstring in Google's style says of each argument."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n(?=[ \t]))*)", text, re.M)
    if section is None:
        return {}
    found = re.findall(r"^( +)(\w+):((?:.*\n?)(?:\1 +.*\n?|\n)*)", section[1], re.M)
    return {name: plain_text(words) for _, name, words in found}


def plain_text(text: str) -> str:
    """A text without the marks of reStructuredText, in one line."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text)
    text = re.sub(r"`([^`<]*?) <[^`]*>`_+", r"\1", text)
    text = re.sub(r"`+'?(.*?)'?`+", r"\1", text)
    return " ".join(re.sub(r"\\+(\w*)", r"\1", text).split())


def first_sentence(text: str) -> str:
    """The first sentence of a text, without its full stop."""
    return re.split(r"\.(?: |$)|; ", text, maxsplit=1)[0].strip()


def field_of(argument: Argument, **changes: Any) -> tuple[Any, FieldInfo]:
    """A field for a writable argument: its type and bounds as far as annotation, default and text tell them.

    `changes` replace the argument's name, default or text.
    """
    argument = argument._replace(**changes)
    kind = _type_of(argument)
    default = argument.default
    description = first_sentence(argument.text)[:200]
    if default is REQUIRED:
        return kind, Field(description=description)
    return (kind | None if argument.optional else kind), Field(default=default, description=description)


def _type_of(argument: Argument) -> Any:
    name, words, default, text = argument.name, argument.words, argument.default, argument.text
    if "dict" in words:
        mapping = dict[str, Number] if "str" in words else Annotated[dict[str, Number], AfterValidator(_rising)]
        return tuple[mapping, ...] if words & {"Iterable", "Sequence", "list"} else mapping  # type: ignore[valid-type]
    if isinstance(default, bool) or "bool" in words:
        return Flag
    if "str" in words:
        choices = re.findall(r"'([\w+-]+)'|\b(\w+\+?)(?= or )|(?<= or )(\w+\+?)", text.partition("(")[0].split(",")[0])
        named = tuple(dict.fromkeys(next(word for word in groups if word) for groups in choices))
        return Literal[named] if len(named) > 1 and (default is REQUIRED or default in named) else str
    if "int" in words and not words & {"float", "ArrayLike", "ScalarOrSchedule"}:
        return PositiveInt if default is REQUIRED or (isinstance(default, int) and default > 0) else NonNegativeInt
    least = re.search(r"must be >= (\d+(?:\.\d+)?)", text, re.I)
    if least:
        return Annotated[Number, Field(ge=float(least[1]))]
    if re.search(r"must not be zero|must be positive", text):
        return PositiveNumber
    share = default is None or (isinstance(default, (int, float)) and 0 <= default < 1)
    if share and (re.search(r"decay rate|(moving|running) average|between 0 and 1", text, re.I) or _SHARES.match(name)):
        return Probability
    return NonNegativeNumber if name.startswith("eps") else Number


_SHARES = re.compile(r"(b\d|beta\d?|rho|momentum)$")


def _rising(value: dict[str, float]) -> dict[str, float]:
    try:
        times = [float(key) for key in value]
    except ValueError:
        raise ValueError('has times as its keys, in epochs: {"30": 0.1}') from None
    if times != sorted(set(times)) or (times and times[0] <= 0):
        raise ValueError("must rise, from above 0")
    return value
