"""`$(…)`: arithmetic over arguments, loop variables, and the sizes of what comes in.

Python's grammar is parsed with `ast` and only whitelisted nodes are evaluated, here and not by Python: no attributes
but the sizes of `Incoming`, no calls but those below, numbers and lists bounded.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from archspec.diagnostics import count, did_you_mean, listed
from archspec.located import Scalar, describe
from archspec.types import TensorType

MAX_LENGTH = 1_000
MAX_MAGNITUDE = 2**63
MAX_VALUES = 10_000
"""Values in a list, those in lists inside it included."""
MAX_DEPTH = 60
"""Lists in lists."""
MAX_TEXT = 10_000
"""Characters of a text."""
MAX_DIGITS = 400
"""Digits that `round` may be asked for; numbers have at most 308 on either side of the point."""


UNCLOSED = "$( is never closed"
_NO_ZERO = "`max(1, …)` around what divides keeps it from 0, or `… if n else …` leaves it out"


class ExpressionError(Exception):
    """An expression that cannot be evaluated. `offset` counts characters from the expression's first one."""

    silent = False
    """Whether the reason was reported before, where the value that is missing should have been made."""

    def __init__(self, message: str, offset: int = 0, length: int = 1, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = length
        self.help = help


class Missing:
    """Stands for the value of an argument that could not be read."""


MISSING = Missing()

AXES = {3: ("height", "width", "channels"), 2: ("length", "channels"), 1: ("features",)}
"""What the sizes of maps, signals and vectors are called, by the number of their axes."""


class Incoming:
    """What expressions see of a layer's values: `previous.channels`, and `input[1].height` where there are several.

    `types` has None for a value that could not be made.
    """

    __slots__ = ("name", "types")

    def __init__(self, name: str, types: tuple[TensorType | None, ...]) -> None:
        self.name = name
        self.types = types

    def __getitem__(self, index: int) -> Incoming:
        return Incoming(f"{self.name}[{index}]", (self.types[index],))

    def size(self, word: str) -> int:
        """One of its sizes. Raises `ExpressionError`."""
        if None in self.types:
            raise _silently(f"`{self.name}` has no value")
        if len(self.types) != 1:
            raise ExpressionError(
                f"`{self.name}` stands for {len(self.types)} values here",
                help=f"one of them is `{self.name}[0].{word}`",
            )
        (kind,) = self.types
        assert kind is not None
        names = AXES[len(kind.shape)]
        if word in names:
            return kind.shape[names.index(word)]
        what = {3: "a map", 2: "a signal", 1: "a vector"}[len(kind.shape)]
        raise ExpressionError(
            f"`{self.name}` is {kind}, {what}, which has no `{word[:60]}`",
            help=did_you_mean(word, names) or f"it has {listed(names)}",
        )


def _silently(message: str) -> ExpressionError:
    error = ExpressionError(message)
    error.silent = True
    return error


Environment = Mapping[str, Any]
"""Names that expressions may use, and their values."""


def layered(over: Environment, under: Environment) -> Environment:
    """Both environments as one, the first hiding the second, without a copy of either."""
    # Side by side and not within each other: a name is looked up in each once.
    maps = [*(over.maps if isinstance(over, ChainMap) else (over,))]
    maps += under.maps if isinstance(under, ChainMap) else (under,)
    return ChainMap(*cast("list[dict[str, Any]]", maps))


class Deferred(Mapping[str, Any]):
    """An environment that is made when a name is first looked up in it, which few entries do."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Environment]) -> None:
        self._make = make
        self._made: Environment | None = None

    @property
    def _own(self) -> Environment:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Any:
        return self._own[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def _divisible(a: Any, b: Any) -> bool:
    """Whether a is a multiple of b."""
    for value in (a, b):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError("it takes numbers")
    return bool(a % b == 0)


def _round(value: Any, digits: Any = None) -> Any:
    """The nearest number with so many digits after the point, a whole one where they are left out."""
    if digits is None:
        return round(value)
    if isinstance(digits, bool) or not isinstance(digits, int):
        raise TypeError("the number of digits is a whole number")
    if abs(digits) > MAX_DIGITS:
        raise ValueError(f"the number of digits is between −{MAX_DIGITS} and {MAX_DIGITS}")
    return round(value, digits)


def _make_divisible(value: Any, divisor: Any, least: Any = None) -> int:
    """The nearest multiple of the divisor, `least` or the divisor at the least, and no less than 0.9 of the value.

    v = max(least, ⌊(x + d/2) / d⌋·d), and d more where v < 0.9·x: how MobileNets round channels (Sandler et al. 2018).
    """
    least = divisor if least is None else least
    for number in (value, divisor, least):
        _require_number(number)
    if value <= 0 or divisor <= 0:  # what comes of a width of 0 would be `least`, without a word
        raise TypeError("it takes numbers above 0")
    made = max(least, int(value + divisor / 2) // divisor * divisor)
    return int(made + divisor if made < 0.9 * value else made)


def _sum(values: Any) -> Any:
    """The sum of a list of numbers, 0 of an empty one."""
    if not isinstance(values, (list, tuple)):
        raise TypeError("it takes a list")
    for number in values:
        _require_number(number)
    return sum(values)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": len,
    "min": min,
    "max": max,
    "round": _round,
    "ceil": math.ceil,
    "floor": math.floor,
    "divisible": _divisible,
    "make_divisible": _make_divisible,
    "sum": _sum,
}
_CONSTANTS = {"true": True, "false": False, "null": None}
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def evaluate(text: str, env: Environment) -> Any:
    """The value of an expression, given without its `$( )`. Raises `ExpressionError`."""
    return _Evaluator(env, text).value(_parse(text))


def evaluate_text(text: str, env: Environment) -> Any:
    """A scalar that may hold `$(…)`: one expression alone keeps its type, inside text it is inserted.

    Raises `ExpressionError` with the offset in `text`.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"a text with $(…) has at most {MAX_TEXT:,} characters, this one has {len(text):,}")
    parts = _pieces(text)
    if len(parts) == 1 and parts[0][2]:
        return _at(parts[0], env)
    pieces: list[str] = []
    length = 0
    for part in parts:
        if not part[2]:
            pieces.append(part[1])
            continue
        value = _at(part, env)
        if isinstance(value, (list, tuple, dict)) or value is None:
            raise ExpressionError(f"{describe(value)} cannot be inserted into text", part[0], len(part[1]))
        pieces.append(describe(value) if isinstance(value, bool) else str(value))
        length += len(pieces[-1])
        if length > MAX_TEXT:
            raise ExpressionError(f"the text grows beyond {MAX_TEXT:,} characters")
    return "".join(pieces)


def _at(part: tuple[int, str, bool], env: Environment) -> Any:
    try:
        return evaluate(part[1], env)
    except ExpressionError as error:
        error.offset += part[0]
        raise


_OPEN = re.compile(r"\$?\$\(")


def escaped(text: str) -> str:
    """The text as a spec writes it: `$(` that opens no expression is `$$(`."""
    return text.replace("$(", "$$(")


def unclosed(text: str) -> ExpressionError | None:
    """The error that an expression in a text does not end, if one does not."""
    try:
        for _ in _parts(text):
            pass
    except ExpressionError as error:
        return error
    return None


def cut_off(node: Scalar, error: ExpressionError) -> list[str]:
    """What to do where YAML has ended a value within its expression, at a comma or bracket inside `{ }`."""
    after = node.source.line(node.end_line)[node.end_column - 1 :].lstrip()
    if error.message != UNCLOSED or not after.startswith((",", "[", "]", "{")):
        return []
    return ['inside { } and [ ] a value ends at a comma or bracket: put quotes around it, "$(…)"']


@lru_cache(maxsize=4096)
def _pieces(text: str) -> tuple[tuple[int, str, bool], ...]:
    """The pieces of a scalar, which blocks and repeats evaluate again and again."""
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[tuple[int, str, bool]]:
    """(offset, text, whether it is an expression) for the pieces of a scalar. `$$(` stands for `$(` itself."""
    position = 0
    while match := _OPEN.search(text, position):
        if len(match.group()) == 3:
            yield position, text[position : match.start()] + "$(", False
            position = match.end()
            continue
        if match.start() > position:
            yield position, text[position : match.start()], False
        end = _closing(text, match.end())
        yield match.end(), text[match.end() : end], True
        position = end + 1
    if position < len(text):
        yield position, text[position:], False


def _closing(text: str, start: int) -> int:
    depth = 1
    quote = ""
    for index in range(start, len(text)):
        char = text[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return index
    raise ExpressionError(UNCLOSED, start - 2, 2, "add the missing )")


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters, this one has {len(text)}")
    stripped = text.strip()
    if not stripped:
        raise ExpressionError("$( ) is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse("(" + text + "\n)", mode="eval").body
    except SyntaxError as error:
        offset = min(max((error.offset or 1) - 2, 0), len(text) - 1) if error.lineno == 1 else len(text) - 1
        raise ExpressionError(f"not an expression: {error.msg}", offset) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"not an expression: {str(error) or 'nested too deeply'}") from None


class _Evaluator:
    def __init__(self, env: Environment, text: str) -> None:
        self.env = env
        self.text = text

    def value(self, node: ast.expr) -> Any:
        try:
            handler = _HANDLERS.get(type(node))
            if handler is None:
                raise ExpressionError(
                    f"{_WORDS.get(type(node).__name__, type(node).__name__)} has no place in an expression",
                    help="arithmetic, comparison, and/or/not, a if c else b, indexing, "
                    + listed(FUNCTIONS)
                    + " are there",
                )
            return bounded(handler(self, node))
        except ExpressionError as error:
            if error.offset == 0 and error.length == 1 and node.lineno == 1:
                error.offset = self._characters(node.col_offset)
                error.length = self._characters(node.end_col_offset or node.col_offset + 1) - error.offset
            raise
        except RecursionError:
            raise ExpressionError("nested too deeply") from None

    def _characters(self, column: int) -> int:
        """The character of the text at a column of the syntax tree, which counts bytes and a bracket before them."""
        return max(column - 1 if self.text.isascii() else len(self.text.encode()[: column - 1].decode()), 0)

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return node.value
        raise ExpressionError(f"{type(node.value).__name__} has no place in an expression")

    def _name(self, node: ast.Name) -> Any:
        try:
            value = self.env[node.id]
        except KeyError:
            return self._other_name(node)
        if value is MISSING:
            raise _silently(f"`{node.id}` has no value")
        if isinstance(value, Incoming):
            raise ExpressionError(
                f"`{node.id}` is no value by itself",
                help=f"its sizes are: `{node.id}.channels`, `{node.id}.height`, …",
            )
        return value

    def _other_name(self, node: ast.Name) -> Any:
        """The value of a name that the environment does not have: a constant's."""
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        known = [*self.env, *FUNCTIONS]
        names = listed(sorted(self.env)) or "none"
        raise ExpressionError(
            f"`{node.id}` is not defined here",
            help=did_you_mean(node.id, known) or f"names that are: {names}",
        )

    def _list(self, node: ast.List) -> list[Any]:
        return [self.value(item) for item in node.elts]

    def _tuple(self, node: ast.Tuple) -> list[Any]:
        return [self.value(item) for item in node.elts]

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(node.op, ast.Invert):
            raise ExpressionError("~ has no place in an expression")
        _require_number(value)
        return -value if isinstance(node.op, ast.USub) else +value

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return left + right
        _require_number(left)
        _require_number(right)
        try:
            if isinstance(node.op, ast.Pow):
                return _power(left, right)
            return _ARITHMETIC[type(node.op)](left, right)
        except KeyError:
            raise ExpressionError("this operator has no place in an expression; + - * / // % ** do") from None
        except ZeroDivisionError:
            raise ExpressionError("division by zero", help=_NO_ZERO) from None
        except OverflowError:
            raise ExpressionError("the result is too large") from None

    def _boolop(self, node: ast.BoolOp) -> Any:
        stop = isinstance(node.op, ast.Or)
        value: Any = None
        for item in node.values:
            value = self.value(item)
            if bool(value) == stop:
                break
        return value

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self.value(item)
            compare = _COMPARISONS.get(type(op))
            if compare is None:
                raise ExpressionError("`is` has no place in an expression; == does")
            try:
                if not compare(left, right):
                    return False
            except TypeError:
                raise ExpressionError(f"{describe(left)} and {describe(right)} cannot be compared") from None
            left = right
        return True

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _attribute(self, node: ast.Attribute) -> int:
        incoming = self._incoming(node.value)
        if incoming is not None:
            return incoming.size(node.attr)
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        help = None
        if name in ("input", "previous"):
            known = name in self.env
            help = f"`{name}` is an argument here" if known else f"the sizes of `{name}` are known in `layers` only"
        raise ExpressionError(
            "an attribute has no place in an expression",
            help=help or "sizes are known of what comes in: `input.channels`, `previous.height`",
        )

    def _incoming(self, node: ast.expr) -> Incoming | None:
        """What `previous` or `input[1]` stands for; None where a node is nothing of the kind."""
        if isinstance(node, ast.Subscript):
            whole = self._incoming(node.value)
            if whole is None:
                return None
            index = self.value(node.slice)
            there = len(whole.types)
            if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < there:
                if None in whole.types:
                    raise _silently(f"`{whole.name}` has no value")
                raise ExpressionError(
                    f"`{whole.name}` has no {describe(index)}; it stands for {count(there, 'value')}, from 0"
                )
            return whole[index]
        value = self.env.get(node.id) if isinstance(node, ast.Name) else None
        return value if isinstance(value, Incoming) else None

    def _subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.slice, ast.Slice):
            return self._part(node, node.slice)
        value, index = self.value(node.value), self.value(node.slice)
        if isinstance(value, dict):
            if index in value if isinstance(index, str) else False:
                return value[index]
            raise ExpressionError(f"there is no {describe(index)}; there are {listed(map(str, value))}")
        if not isinstance(value, (list, tuple)):
            raise ExpressionError(f"{describe(value)} is not a list")
        if not isinstance(index, int) or isinstance(index, bool):
            raise ExpressionError(f"an index is a whole number, not {describe(index)}")
        if not -len(value) <= index < len(value):
            raise ExpressionError(
                f"index {index} is outside the list's {count(len(value), 'item')} (0 to {len(value) - 1})"
            )
        return value[index]

    def _part(self, node: ast.Subscript, part: ast.Slice) -> list[Any]:
        """Items of a list from one number to before another, as many of them as there are."""
        value = self.value(node.value)
        if not isinstance(value, (list, tuple)):
            raise ExpressionError(f"{describe(value)} is not a list")
        if part.step is not None:
            raise ExpressionError("a part of a list has a beginning and an end: list[1:3], list[:3], list[1:]")
        ends = [None if end is None else self.value(end) for end in (part.lower, part.upper)]
        for end in ends:
            if end is not None and (not isinstance(end, int) or isinstance(end, bool)):
                raise ExpressionError(f"an index is a whole number, not {describe(end)}")
        return list(value[ends[0] : ends[1]])

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None:
            raise ExpressionError(
                f"`{name or 'this'}` is not a function here",
                help=did_you_mean(name, FUNCTIONS) or "functions: " + listed(FUNCTIONS),
            )
        if node.keywords:
            raise ExpressionError("functions take no keywords here")
        arguments = [self.value(item) for item in node.args]
        try:
            return function(*arguments)
        except ZeroDivisionError:
            raise ExpressionError("division by zero", help=_NO_ZERO) from None
        except (TypeError, ValueError, OverflowError) as error:
            given = listed(describe(item) for item in arguments) or "nothing"
            reason = str(error).replace(f"{function.__name__}()", f"{name}()")
            raise ExpressionError(f"{name} cannot take {given}: {reason}") from None


_HANDLERS: dict[type[ast.AST], Callable[[_Evaluator, Any], Any]] = {
    kind: getattr(_Evaluator, f"_{kind.__name__.lower()}")
    for kind in (
        *(ast.Constant, ast.Name, ast.List, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp),
        *(ast.Attribute, ast.Subscript, ast.Call),
    )
}
"""What evaluates each kind of node."""

_WORDS = {
    "Lambda": "lambda",
    "Slice": "a slice beside other indices",
    "Dict": "a dict",
    "Set": "a set",
    "ListComp": "a comprehension",
    "GeneratorExp": "a comprehension",
    "JoinedStr": "an f-string",
    "NamedExpr": "an assignment",
    "Starred": "a star",
    "Await": "await",
    "Yield": "yield",
}


def _require_number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"arithmetic needs numbers, not {describe(value)}")


def _power(base: Any, exponent: Any) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1
    if whole and exponent * math.log2(abs(base)) > 63:
        raise ExpressionError(f"{describe(base)} ** {describe(exponent)} is larger than 2^63")
    result = base**exponent
    if isinstance(result, complex):
        raise ExpressionError(f"{describe(base)} ** {describe(exponent)} is not a real number")
    return result


def bounded(value: Any) -> Any:
    """The value if it lies within bounds. Raises `ExpressionError`."""
    if isinstance(value, int):
        if abs(value) > MAX_MAGNITUDE:
            raise ExpressionError("the result is larger than 2^63")
    elif isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ExpressionError(f"the text has more than {MAX_TEXT:,} characters")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("the result is not a finite number")
    elif isinstance(value, (list, dict)):
        _bounded_list(value)
    return value


def _bounded_list(value: list[Any] | dict[str, Any]) -> None:
    """Raises `ExpressionError` where a list has too many values in it, or lists too deep inside each other."""
    count = 0
    stack: list[tuple[list[Any] | dict[str, Any], int]] = [(value, 1)]
    while stack:
        items, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the list is nested more than {MAX_DEPTH} deep")
        count += len(items)
        if count > MAX_VALUES:
            raise ExpressionError(f"the list has more than {MAX_VALUES:,} values in it")
        inner = items.values() if isinstance(items, dict) else items
        stack.extend((item, depth + 1) for item in inner if isinstance(item, (list, dict)))
